//! The keyed hashes that stand for values.
//!
//! Multiply and fold, as wyhash and foldhash do it: fast enough for every position of every file.
//! The constants are the key, and secret: without them a hash says nothing about a value. What is
//! written down for good is encrypted besides.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::mask::MaskKey;

/// What the subkey is for. Names the version: a change of the hashes changes it.
const CONTEXT: &str = "thinveil 2026 leak audit fingerprints v1";

/// The key of all hashes of one snapshot.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct HashKey {
    head: [u64; 2],
    full: [u64; 4],
}

impl HashKey {
    /// The hashes that belong to a masking key.
    pub(crate) fn derive(key: &MaskKey) -> HashKey {
        let mut words = [0u64; 6];
        for (number, word) in (0u8..).zip(&mut words) {
            let block = key.subkey(CONTEXT, &[number]);
            // Odd: no factor loses bits.
            *word = block.first_chunk().map_or(1, |bytes| u64::from_le_bytes(*bytes)) | 1;
        }
        let [a, b, c, d, e, f] = words;
        HashKey { head: [a, b], full: [c, d, e, f] }
    }

    /// The hash of the first eight bytes of a value.
    #[inline]
    pub(crate) fn head(&self, first: u64) -> u64 {
        let [mask, factor] = self.head;
        fold(first ^ mask, factor)
    }

    /// The factor that hashes of beginnings are made with.
    pub(super) fn beginning(&self) -> u64 {
        let [_, factor] = self.head;
        factor
    }

    /// The hash of a whole value.
    #[inline]
    pub(crate) fn full(&self, value: &[u8]) -> u64 {
        let [seed, mask, end, factor] = self.full;
        let mut state = seed;
        let mut rest = value;
        while let Some((block, behind)) = rest.split_first_chunk::<16>() {
            if behind.is_empty() {
                break;
            }
            let [a, b] = words(block);
            state = fold(a ^ mask, b ^ state);
            rest = behind;
        }
        let [a, b] = tail(rest);
        state = fold(a ^ mask, b ^ state);
        fold(state ^ end, factor ^ value.len() as u64)
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey")
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[inline]
fn words(block: &[u8; 16]) -> [u64; 2] {
    let word = u128::from_le_bytes(*block);
    [word as u64, (word >> 64) as u64]
}

/// At most sixteen bytes as two words, which may share some.
#[inline]
fn tail(bytes: &[u8]) -> [u64; 2] {
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => [u64::from_le_bytes(*first), u64::from_le_bytes(*last)],
        _ => {
            let mut padded = [0; 8];
            if let Some(room) = padded.get_mut(..bytes.len()) {
                room.copy_from_slice(bytes);
            }
            [u64::from_le_bytes(padded), 0]
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn hashes_differ_by_value_length_and_key() {
        let key = HashKey::derive(&MaskKey::from_bytes([1; 32]));
        let other = HashKey::derive(&MaskKey::from_bytes([2; 32]));
        let mut seen = HashSet::new();
        for len in 0..=64 {
            for fill in [0u8, 1, 255] {
                let value = vec![fill; len];
                seen.insert(key.full(&value));
                seen.insert(other.full(&value));
            }
        }
        // Of no byte at all there is one value.
        assert_eq!(seen.len(), 2 * (64 * 3 + 1));
        assert_ne!(key.head(1), other.head(1));
    }

    #[test]
    fn every_byte_counts() {
        let key = HashKey::derive(&MaskKey::from_bytes([3; 32]));
        for len in 1..=64usize {
            let value: Vec<u8> = (0..len as u8).collect();
            for at in 0..len {
                let mut changed = value.clone();
                changed[at] ^= 0x10;
                assert_ne!(key.full(&value), key.full(&changed), "byte {at} of {len}");
            }
        }
    }
}
