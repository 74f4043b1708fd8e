//! What a masker remembers of the values it has seen: speed for columns that repeat themselves.
//!
//! A direct-mapped table of whole values and their masked forms. Full equality is checked, so it
//! never changes a result. Where a column hardly repeats itself, it rests.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

/// Bytes of a table: those of a few columns stay in a core's second-level cache.
const TABLE_BYTES: usize = 256 << 10;
/// Look-ups after which the hit rate is judged.
const WINDOW: u32 = 4096;
/// Values that pass unremembered after a window with too few hits.
const REST: u32 = 16 * WINDOW;

/// A memo for values of at most `N` bytes.
pub(crate) struct Memo<const N: usize> {
    entries: Vec<Entry<N>>,
    /// Values put in so far.
    tickets: u32,
    looked: u32,
    hits: u32,
    resting: u32,
}

#[derive(Clone, Copy)]
struct Entry<const N: usize> {
    value: [u8; N],
    masked: [u8; N],
    /// Length of both; 0 while there is no masked form.
    len: u8,
    /// Who put the value here.
    ticket: u32,
}

/// A value that was looked for and not found: where its masked form belongs.
#[derive(Clone, Copy)]
pub(crate) struct Vacancy {
    slot: u32,
    ticket: u32,
}

impl<const N: usize> Memo<N> {
    /// Entries of a table; a power of two.
    const ENTRIES: usize = 1 << (TABLE_BYTES / size_of::<Entry<N>>()).ilog2();

    /// An empty memo; its table is allocated at the first value.
    pub(crate) fn new() -> Memo<N> {
        Memo { entries: Vec::new(), tickets: 0, looked: 0, hits: 0, resting: 0 }
    }

    /// Masks `value` from memory, or says where to remember the result. `Err(None)`: nowhere.
    #[inline]
    pub(crate) fn recall(&mut self, value: &mut [u8]) -> Result<(), Option<Vacancy>> {
        if self.resting > 0 {
            self.resting -= 1;
            return Err(None);
        }
        if value.is_empty() || value.len() > N {
            return Err(None);
        }
        if self.entries.is_empty() {
            let unused = Entry { value: [0; N], masked: [0; N], len: 0, ticket: 0 };
            self.entries = vec![unused; Self::ENTRIES];
        }
        self.looked += 1;
        if self.looked == WINDOW {
            self.resting = if self.hits < WINDOW / 8 { REST } else { 0 };
            (self.looked, self.hits) = (0, 0);
        }
        let len = value.len();
        let slot = FixedState::with_seed(0).hash_one(&*value) as usize % Self::ENTRIES;
        let Some(entry) = self.entries.get_mut(slot) else { return Err(None) };
        if usize::from(entry.len) == len
            && let (Some(known), Some(masked)) = (entry.value.get(..len), entry.masked.get(..len))
            && known == value
        {
            self.hits += 1;
            value.copy_from_slice(masked);
            return Ok(());
        }
        self.tickets = self.tickets.wrapping_add(1);
        (entry.len, entry.ticket) = (0, self.tickets);
        if let Some(room) = entry.value.get_mut(..len) {
            room.copy_from_slice(value);
        }
        Err(Some(Vacancy { slot: slot as u32, ticket: entry.ticket }))
    }

    /// Remembers what a value was masked to, unless another one has taken its place since.
    #[inline]
    pub(crate) fn remember(&mut self, vacancy: Vacancy, masked: &[u8]) {
        if let Some(entry) = self.entries.get_mut(vacancy.slot as usize)
            && entry.ticket == vacancy.ticket
            && let Some(room) = entry.masked.get_mut(..masked.len())
        {
            room.copy_from_slice(masked);
            entry.len = masked.len() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recalls_what_it_remembers_and_nothing_else() {
        let mut memo = Memo::<32>::new();
        for text in ["a", "abcdefgh", "abcdefghi", "exactly thirty-two bytes of text"] {
            let mut value = text.as_bytes().to_vec();
            let vacancy = memo.recall(&mut value).unwrap_err().unwrap();
            let masked = vec![b'x'; text.len()];
            memo.remember(vacancy, &masked);
            assert!(memo.recall(&mut value).is_ok());
            assert_eq!(value, masked);
        }
        // Zero bytes behind the value are not the same value.
        let mut longer = b"a\0".to_vec();
        assert!(memo.recall(&mut longer).is_err());
        assert_eq!(longer, b"a\0");
    }

    #[test]
    fn a_value_whose_place_was_taken_is_not_remembered() {
        let mut memo = Memo::<8>::new();
        // So many that some share a place.
        let values: Vec<[u8; 8]> = (0..1_000_000u64).step_by(37).map(u64::to_le_bytes).collect();
        for pair in values.chunks(2) {
            let vacancies: Vec<_> =
                pair.iter().map(|value| memo.recall(&mut value.clone())).collect();
            for (value, vacancy) in pair.iter().zip(vacancies) {
                if let Err(Some(vacancy)) = vacancy {
                    memo.remember(vacancy, &value.map(|byte| !byte));
                }
            }
        }
        memo.resting = 0;
        for value in &values {
            let mut recalled = *value;
            if memo.recall(&mut recalled).is_ok() {
                assert_eq!(recalled, value.map(|byte| !byte));
            }
            memo.resting = 0;
        }
    }

    #[test]
    fn takes_no_value_that_does_not_fit() {
        let mut memo = Memo::<8>::new();
        assert!(matches!(memo.recall(&mut [0; 9]), Err(None)));
        assert!(matches!(memo.recall(&mut []), Err(None)));
    }

    #[test]
    fn rests_where_nothing_repeats() {
        let mut memo = Memo::<8>::new();
        let mut vacancies = 0;
        for number in 0..u64::from(WINDOW + REST) {
            match memo.recall(&mut number.to_le_bytes()) {
                Err(Some(vacancy)) => {
                    vacancies += 1;
                    memo.remember(vacancy, &[0; 8]);
                }
                Err(None) => {}
                Ok(()) => panic!("a value that was never seen"),
            }
        }
        assert_eq!(vacancies, WINDOW);
    }
}
