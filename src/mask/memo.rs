//! What a masker remembers of the values it has seen: speed for columns that repeat themselves.
//!
//! A direct-mapped table of whole values and their masked forms. Full equality is checked, so it
//! never changes a result. Where a column hardly repeats itself, it rests.

/// Bytes of a table: those of a few columns stay in a core's second-level cache.
const TABLE_BYTES: usize = 256 << 10;
/// Look-ups after which the hit rate is judged.
const WINDOW: u32 = 4096;
/// Values that pass unremembered after a window with too few hits.
const REST: u32 = 16 * WINDOW;

/// A memo for values of at most `N` bytes, a multiple of eight.
pub(crate) struct Memo<const N: usize> {
    entries: Vec<Entry<N>>,
    looked: u32,
    hits: u32,
    resting: u32,
}

#[derive(Clone, Copy)]
struct Entry<const N: usize> {
    value: [u8; N],
    masked: [u8; N],
    /// Length of both; 0 in an entry never used.
    len: u32,
}

/// A value that was looked for and not found: where to put its masked form.
pub(crate) struct Vacancy<const N: usize> {
    slot: usize,
    value: [u8; N],
    len: u32,
}

impl<const N: usize> Memo<N> {
    /// Entries of a table; a power of two.
    const ENTRIES: usize = 1 << (TABLE_BYTES / size_of::<Entry<N>>()).ilog2();

    /// An empty memo; its table is allocated at the first value.
    pub(crate) fn new() -> Memo<N> {
        Memo { entries: Vec::new(), looked: 0, hits: 0, resting: 0 }
    }

    /// Masks `value` from memory, or says where to remember the result. `Err(None)`: nowhere.
    #[inline]
    pub(crate) fn recall(&mut self, value: &mut [u8]) -> Result<(), Option<Vacancy<N>>> {
        if self.resting > 0 {
            self.resting -= 1;
            return Err(None);
        }
        let Some(padded) = padded::<N>(value) else { return Err(None) };
        if self.entries.is_empty() {
            self.entries = vec![Entry { value: [0; N], masked: [0; N], len: 0 }; Self::ENTRIES];
        }
        self.looked += 1;
        if self.looked == WINDOW {
            self.resting = if self.hits < WINDOW / 8 { REST } else { 0 };
            (self.looked, self.hits) = (0, 0);
        }
        let len = value.len() as u32;
        let slot = slot(&padded, len);
        match self.entries.get(slot) {
            Some(entry) if entry.len == len && entry.value == padded => {
                self.hits += 1;
                if let Some(masked) = entry.masked.get(..value.len()) {
                    value.copy_from_slice(masked);
                }
                Ok(())
            }
            _ => Err(Some(Vacancy { slot, value: padded, len })),
        }
    }

    /// Remembers what a value was masked to.
    #[inline]
    pub(crate) fn remember(&mut self, vacancy: Option<Vacancy<N>>, masked: &[u8]) {
        if let Some(Vacancy { slot, value, len }) = vacancy
            && let Some(entry) = self.entries.get_mut(slot)
            && let Some(masked) = padded(masked)
        {
            *entry = Entry { value, masked, len };
        }
    }
}

/// A value with zeros behind it; `None` if it is empty or too long.
#[inline]
fn padded<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    let mut padded = [0; N];
    padded.get_mut(..value.len())?.copy_from_slice(value);
    (!value.is_empty()).then_some(padded)
}

/// Where a value is kept: a cheap hash, whose collisions cost time only.
#[inline]
fn slot<const N: usize>(padded: &[u8; N], len: u32) -> usize {
    let mut hash = u64::from(len);
    for word in padded.as_chunks::<8>().0 {
        hash =
            (hash.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    (hash >> 40) as usize % Memo::<N>::ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recalls_what_it_remembers_and_nothing_else() {
        let mut memo = Memo::<32>::new();
        for text in ["a", "abcdefgh", "abcdefghi", "exactly thirty-two bytes of text"] {
            let mut value = text.as_bytes().to_vec();
            let vacancy = memo.recall(&mut value).unwrap_err();
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
                    memo.remember(Some(vacancy), &[0; 8]);
                }
                Err(None) => {}
                Ok(()) => panic!("a value that was never seen"),
            }
        }
        assert_eq!(vacancies, WINDOW);
    }
}
