//! What values begin with: the first and cheapest question to a position of a file.
//!
//! Of the first four bytes of each original, a hash of 23 bits: a map of them is a megabyte, so that a
//! core's own cache may hold it. Columns of names or addresses have some thousand beginnings, and
//! nearly every position is done with here. Of random numbers it takes millions before most pass.

use std::io::{Read, Result, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use super::hash::HashKey;

/// Bytes of a beginning: no value is shorter.
pub(crate) const LEN: usize = 4;
const BITS: u32 = 23;
const WORDS: usize = 1 << (BITS - 6);

/// Beginnings, entered by any number of threads.
pub(crate) struct Beginnings {
    factor: u64,
    words: Vec<AtomicU64>,
}

impl Beginnings {
    pub(super) fn new(key: &HashKey) -> Beginnings {
        let words = std::iter::repeat_with(AtomicU64::default).take(WORDS).collect();
        Beginnings { factor: key.beginning(), words }
    }

    #[inline]
    fn place(&self, first: [u8; LEN]) -> (usize, u64) {
        let hash = u64::from(u32::from_le_bytes(first)).wrapping_mul(self.factor) >> (64 - BITS);
        ((hash >> 6) as usize, 1 << (hash & 63))
    }

    /// Enters the beginning of a value.
    #[inline]
    pub(super) fn enter(&self, value: &[u8]) {
        let Some(first) = value.first_chunk() else { return };
        let (word, bit) = self.place(*first);
        // It is there already, nearly always.
        if let Some(word) =
            self.words.get(word).filter(|word| word.load(Ordering::Relaxed) & bit == 0)
        {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// False if no value begins so.
    #[inline]
    pub(crate) fn may_have(&self, first: [u8; LEN]) -> bool {
        let (word, bit) = self.place(first);
        self.words.get(word).is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0)
    }

    pub(super) fn write(&self, writer: &mut impl Write) -> Result<()> {
        let words = self.words.iter().map(|word| word.load(Ordering::Relaxed).to_le_bytes());
        writer.write_all(words.collect::<Vec<_>>().as_flattened())
    }

    /// What was written under this key.
    pub(super) fn read(key: &HashKey, reader: &mut impl Read) -> Result<Beginnings> {
        let mut bytes = vec![[0; 8]; WORDS];
        reader.read_exact(bytes.as_flattened_mut())?;
        let words = bytes.into_iter().map(|word| u64::from_le_bytes(word).into()).collect();
        Ok(Beginnings { factor: key.beginning(), words })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;

    #[test]
    fn every_beginning_is_known_and_few_others_are() {
        let key = HashKey::derive(&MaskKey::from_bytes([5; 32]));
        let beginnings = Beginnings::new(&key);
        let value = |number: u32| number.wrapping_mul(0x9E37_79B1).to_le_bytes();
        (0..1000).for_each(|number| beginnings.enter(&value(number)));
        beginnings.enter(b"abc");
        let mut written = Vec::new();
        beginnings.write(&mut written).unwrap();
        let read = Beginnings::read(&key, &mut written.as_slice()).unwrap();
        for beginnings in [beginnings, read] {
            assert!((0..1000).all(|number| beginnings.may_have(value(number))));
            let others = (1000..101_000).filter(|number| beginnings.may_have(value(*number)));
            assert!(others.count() < 500);
        }
    }
}
