//! What a masker remembers of the values it has seen: speed for columns that repeat themselves.
//!
//! A direct-mapped table of whole values and their masked forms. Full equality is checked, so it
//! never changes a result. Where a column hardly repeats itself, it rests.

/// Bytes of a table: it stays in a core's second-level cache.
const TABLE_BYTES: usize = 512 << 10;
/// Look-ups after which the hit rate is judged.
const WINDOW: u32 = 4096;
/// Values that pass unremembered after a window with too few hits.
const REST: u32 = 16 * WINDOW;

/// A memo for values of at most `8 * W` bytes.
pub(crate) struct Memo<const W: usize> {
    entries: Vec<Entry<W>>,
    looked: u32,
    hits: u32,
    resting: u32,
}

#[derive(Clone, Copy)]
struct Entry<const W: usize> {
    value: [u64; W],
    masked: [u64; W],
    /// Length of both; 0 in an entry never used.
    len: u32,
}

/// A value that was looked for and not found: where to put its masked form.
pub(crate) struct Vacancy<const W: usize> {
    slot: usize,
    value: [u64; W],
    len: u32,
}

impl<const W: usize> Memo<W> {
    /// Entries of a table; a power of two.
    const ENTRIES: usize = 1 << (TABLE_BYTES / size_of::<Entry<W>>()).ilog2();

    /// An empty memo; its table is allocated at the first value.
    pub(crate) fn new() -> Memo<W> {
        Memo { entries: Vec::new(), looked: 0, hits: 0, resting: 0 }
    }

    /// Masks `value` from memory, or says where to remember the result. `Err(None)`: nowhere.
    #[inline]
    pub(crate) fn recall(&mut self, value: &mut [u8]) -> Result<(), Option<Vacancy<W>>> {
        if value.is_empty() || value.len() > 8 * W {
            return Err(None);
        }
        if self.resting > 0 {
            self.resting -= 1;
            return Err(None);
        }
        if self.entries.is_empty() {
            self.entries = vec![Entry { value: [0; W], masked: [0; W], len: 0 }; Self::ENTRIES];
        }
        self.looked += 1;
        if self.looked == WINDOW {
            self.resting = if self.hits < WINDOW / 8 { REST } else { 0 };
            (self.looked, self.hits) = (0, 0);
        }
        let words = load(value);
        let len = value.len() as u32;
        let slot = slot(&words, len);
        match self.entries.get(slot) {
            Some(entry) if entry.len == len && entry.value == words => {
                self.hits += 1;
                store(value, &entry.masked);
                Ok(())
            }
            _ => Err(Some(Vacancy { slot, value: words, len })),
        }
    }

    /// Remembers what a value was masked to.
    #[inline]
    pub(crate) fn remember(&mut self, vacancy: Option<Vacancy<W>>, masked: &[u8]) {
        if let Some(Vacancy { slot, value, len }) = vacancy
            && let Some(entry) = self.entries.get_mut(slot)
        {
            *entry = Entry { value, masked: load(masked), len };
        }
    }
}

/// The bytes as words, zeros behind them.
#[inline]
fn load<const W: usize>(bytes: &[u8]) -> [u64; W] {
    let mut words = [0; W];
    let (whole, rest) = bytes.as_chunks::<8>();
    let mut slots = words.iter_mut();
    for (word, chunk) in slots.by_ref().zip(whole) {
        *word = u64::from_le_bytes(*chunk);
    }
    if let Some(word) = words.get_mut(whole.len()) {
        for (at, &byte) in rest.iter().enumerate() {
            *word |= u64::from(byte) << (8 * at);
        }
    }
    words
}

#[inline]
fn store<const W: usize>(bytes: &mut [u8], words: &[u64; W]) {
    for (chunk, word) in bytes.chunks_mut(8).zip(words) {
        for (at, byte) in chunk.iter_mut().enumerate() {
            *byte = (word >> (8 * at)) as u8;
        }
    }
}

/// Where a value is kept: a cheap hash, whose collisions cost time only.
#[inline]
fn slot<const W: usize>(words: &[u64; W], len: u32) -> usize {
    let mut hash = u64::from(len);
    for word in words {
        hash = (hash.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    (hash >> 40) as usize % Memo::<W>::ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recalls_what_it_remembers_and_nothing_else() {
        let mut memo = Memo::<4>::new();
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
        let mut memo = Memo::<1>::new();
        assert!(matches!(memo.recall(&mut [0; 9]), Err(None)));
        assert!(matches!(memo.recall(&mut []), Err(None)));
    }

    #[test]
    fn rests_where_nothing_repeats() {
        let mut memo = Memo::<1>::new();
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
