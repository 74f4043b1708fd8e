//! The pseudo-random function under every mask: keyed blake3, one subkey per mask and domain.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::key::MaskKey;
use crate::rules::MaskName;

/// What a subkey is for. Names the mask version: a change of any mask's output changes it.
const CONTEXT: &str = "thinveil 2026 mask v1";

/// A keyed function from bytes to 32 pseudo-random bytes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Prf([u8; 32]);

impl Prf {
    /// The function of one mask in one domain. What else changes a mask's output (its options, a
    /// permutation's template) is input, not key.
    pub(crate) fn new(key: &MaskKey, mask: MaskName, domain: &str) -> Prf {
        let mut material = mask.as_str().as_bytes().to_vec();
        material.push(0);
        material.extend_from_slice(domain.as_bytes());
        Prf(key.subkey(CONTEXT, &material))
    }

    /// The function's value.
    #[inline]
    pub(crate) fn block(&self, input: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.0, input).as_bytes()
    }

    /// As many pseudo-random bytes as `output` holds.
    pub(crate) fn fill(&self, input: &[u8], output: &mut [u8]) {
        blake3::Hasher::new_keyed(&self.0).update(input).finalize_xof().fill(output);
    }

    /// A stream of choices that depends on `input` and the key alone.
    #[inline]
    pub(crate) fn stream(&self, input: &[u8]) -> Stream {
        Stream::from_seed(self.block(input))
    }
}

/// Choices drawn from one value of the function: xoshiro256++ seeded with its 32 bytes.
///
/// Whoever can't invert or tell apart the seeds gains nothing from the generator not being
/// cryptographic: each seed is used for one value, and the whole stream is a function of it.
#[derive(Clone)]
pub(crate) struct Stream([u64; 4]);

impl Stream {
    /// A stream from a value of the function.
    #[inline]
    pub(crate) fn from_seed(seed: [u8; 32]) -> Stream {
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(seed.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Stream(state)
    }

    /// The next 64 bits.
    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// The next 32 bits.
    #[inline]
    pub(crate) fn next_u32(&mut self) -> u32 {
        (self.next() >> 32) as u32
    }

    /// A number below `bound` (0 for 0), off uniform by at most `bound` / 2^32.
    #[inline]
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// A number below `bound` (0 for 0), off uniform by at most `bound` / 2^64.
    #[inline]
    pub(crate) fn below_u64(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// One of `choices`; `None` if there are none.
    #[inline]
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.below(choices.len() as u32) as usize)
    }

    /// A small ASCII letter.
    #[inline]
    pub(crate) fn letter(&mut self) -> u8 {
        b'a' + self.below(26) as u8
    }

    /// ASCII digits throughout. Eight are taken from one draw, by multiplication: off uniform by at
    /// most 10^8 / 2^64.
    #[inline]
    pub(crate) fn digits(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let mut fraction = self.next();
            for digit in chunk {
                let product = u128::from(fraction) * 10;
                *digit = b'0' + (product >> 64) as u8;
                fraction = product as u64;
            }
        }
    }

    /// An ASCII digit.
    #[inline]
    pub(crate) fn digit(&mut self) -> u8 {
        b'0' + self.below(10) as u8
    }
}
