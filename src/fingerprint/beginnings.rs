//! What values begin with: the first and cheapest question to a position of a file.
//!
//! Of the first four bytes of each original, a hash of 23 bits: a map of them is a megabyte, so that a
//! core's own cache may hold it. Columns of names or addresses have some thousand beginnings, and
//! nearly every position is done with here. Of random numbers it takes millions before most pass.
//!
//! Of the first two bytes there is a map besides, without a hash, for what is looked at bit by bit.

use std::io::{Read, Result, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use super::hash::HashKey;

/// Bytes of a beginning: no value is shorter.
pub(crate) const LEN: usize = 4;
const BITS: u32 = 23;
const WORDS: usize = 1 << (BITS - 6);
const PAIR_WORDS: usize = 1 << (16 - 6);

/// Beginnings, entered by any number of threads.
pub(crate) struct Beginnings {
    factor: u64,
    words: Box<[AtomicU64; WORDS]>,
    pairs: Box<[AtomicU64; PAIR_WORDS]>,
}

fn map<const N: usize>() -> Box<[AtomicU64; N]> {
    Box::new([const { AtomicU64::new(0) }; N])
}

#[inline]
fn place(factor: u64, first: [u8; LEN]) -> (usize, u64) {
    let hash = u64::from(u32::from_le_bytes(first)).wrapping_mul(factor) >> (64 - BITS);
    ((hash >> 6) as usize, 1 << (hash & 63))
}

#[inline]
fn enter(map: &[AtomicU64], (word, bit): (usize, u64)) {
    // It is there already, nearly always.
    if let Some(word) = map.get(word).filter(|word| word.load(Ordering::Relaxed) & bit == 0) {
        word.fetch_or(bit, Ordering::Relaxed);
    }
}

#[inline]
fn has<const N: usize>(map: &[AtomicU64; N], (word, bit): (usize, u64)) -> bool {
    map.get(word % N).is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0)
}

impl Beginnings {
    pub(super) fn new(key: &HashKey) -> Beginnings {
        Beginnings { factor: key.beginning(), words: map(), pairs: map() }
    }

    #[inline]
    fn pair_place(first: [u8; 2]) -> (usize, u64) {
        let pair = u16::from_be_bytes(first);
        (usize::from(pair >> 6), 1 << (pair & 63))
    }

    /// Enters the beginning of a value.
    #[inline]
    pub(super) fn enter(&self, value: &[u8]) {
        let Some(&[a, b, c, d]) = value.first_chunk() else { return };
        enter(self.words.as_slice(), place(self.factor, [a, b, c, d]));
        enter(self.pairs.as_slice(), Self::pair_place([a, b]));
    }

    /// False if no value begins so.
    #[inline]
    pub(crate) fn may_have(&self, first: [u8; LEN]) -> bool {
        self.question()(first)
    }

    /// [`Beginnings::may_have`], for a loop.
    #[inline]
    pub(super) fn question(&self) -> impl Fn([u8; LEN]) -> bool {
        let (factor, words) = (self.factor, self.words.as_ref());
        move |first| has(words, place(factor, first))
    }

    /// False if no value begins so.
    #[inline]
    pub(crate) fn may_have_pair(&self, first: [u8; 2]) -> bool {
        has(&self.pairs, Self::pair_place(first))
    }

    pub(super) fn write(&self, writer: &mut impl Write) -> Result<()> {
        let words = self.words.iter().chain(self.pairs.iter());
        let words = words.map(|word| word.load(Ordering::Relaxed).to_le_bytes());
        writer.write_all(words.collect::<Vec<_>>().as_flattened())
    }

    /// What was written under this key.
    pub(super) fn read(key: &HashKey, reader: &mut impl Read) -> Result<Beginnings> {
        let beginnings = Beginnings::new(key);
        for word in beginnings.words.iter().chain(beginnings.pairs.iter()) {
            let mut bytes = [0; 8];
            reader.read_exact(&mut bytes)?;
            word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
        Ok(beginnings)
    }
}

#[cfg(test)]
impl Beginnings {
    /// What these values begin with.
    pub(crate) fn of(values: &[&[u8]]) -> Beginnings {
        let key = HashKey::derive(&crate::mask::MaskKey::from_bytes([5; 32]));
        let beginnings = Beginnings::new(&key);
        values.iter().for_each(|value| beginnings.enter(value));
        beginnings
    }

    /// Everything: a value may begin anywhere.
    pub(crate) fn everything() -> Beginnings {
        let beginnings = Beginnings::of(&[]);
        for word in beginnings.words.iter().chain(beginnings.pairs.iter()) {
            word.store(u64::MAX, Ordering::Relaxed);
        }
        beginnings
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
            assert!(beginnings.may_have_pair([0, 0]) && !beginnings.may_have_pair([0xFF, 0xFF]));
            let others = (1000..101_000).filter(|number| beginnings.may_have(value(*number)));
            assert!(others.count() < 500);
        }
    }
}
