//! The pseudo-random function under every mask: keyed blake3, one subkey per mask and domain.
//!
//! An input is padded to one block of blake3's, or marked as longer: the function of a short value
//! is one compression, and blake3 does up to sixteen of those at once ([`Batch`]).

use blake3::platform::Platform;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::key::MaskKey;
use super::words::words;
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

    /// The function of one subject: `seed` is this function's value for the subject.
    pub(crate) fn of_subject(seed: [u8; 32]) -> Prf {
        Prf(seed)
    }

    /// The function's value.
    #[inline]
    pub(crate) fn block(&self, input: &[u8]) -> [u8; 32] {
        match padded(input) {
            Some(block) => *blake3::keyed_hash(&self.0, &block).as_bytes(),
            None => *self.long(input).finalize().as_bytes(),
        }
    }

    /// As many pseudo-random bytes as `output` holds.
    pub(crate) fn fill(&self, input: &[u8], output: &mut [u8]) {
        let hasher = match padded(input) {
            Some(block) => blake3::Hasher::new_keyed(&self.0).update(&block).clone(),
            None => self.long(input),
        };
        hasher.finalize_xof().fill(output);
    }

    fn long(&self, input: &[u8]) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(input).update(&[LONG]);
        hasher
    }

    /// A stream of choices that depends on `input` and the key alone.
    #[inline]
    pub(crate) fn stream(&self, input: &[u8]) -> Stream {
        Stream::from_seed(self.block(input))
    }
}

/// Bytes of one block of blake3's.
const BLOCK: usize = blake3::BLOCK_LEN;
/// Ends an input that is longer than a block. The last byte of a padded one is its length.
const LONG: u8 = 0xFF;

/// An input that leaves room for its length in a block.
#[inline]
fn padded(input: &[u8]) -> Option<[u8; BLOCK]> {
    let mut words = words::<{ BLOCK / 8 }>(input).filter(|_| input.len() < BLOCK)?;
    if let Some(last) = words.last_mut() {
        *last |= (input.len() as u64) << 56;
    }
    let mut block = [0; BLOCK];
    for (bytes, word) in block.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    Some(block)
}

/// Inputs whose function values are computed together.
pub(crate) struct Batch {
    platform: Platform,
    blocks: Vec<[u8; BLOCK]>,
    /// Of inputs that no block holds, their values, by their place among the inputs.
    long: Vec<(usize, [u8; 32])>,
    values: Vec<[u8; 32]>,
}

impl Batch {
    pub(crate) fn new() -> Batch {
        Batch {
            platform: Platform::detect(),
            blocks: Vec::new(),
            long: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Adds an input.
    #[inline]
    pub(crate) fn push(&mut self, prf: &Prf, input: &[u8]) {
        let block = padded(input).unwrap_or_else(|| {
            self.long.push((self.blocks.len(), prf.block(input)));
            [0; BLOCK]
        });
        self.blocks.push(block);
    }

    /// Forgets all inputs.
    pub(crate) fn clear(&mut self) {
        self.blocks.clear();
        self.long.clear();
    }

    /// [`Prf::block`] of each input, in their order; the batch is empty again.
    pub(crate) fn values(&mut self, prf: &Prf) -> &[[u8; 32]] {
        /// What blake3 calls a keyed hash of a single block: `KEYED_HASH`, and `CHUNK_START`,
        /// `CHUNK_END` and `ROOT`.
        const KEYED: u8 = 1 << 4;
        const START: u8 = 1;
        const END_AND_ROOT: u8 = 1 << 1 | 1 << 3;

        let mut key = [0; 8];
        for (word, bytes) in key.iter_mut().zip(prf.0.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        self.values.resize(self.blocks.len(), [0; 32]);
        for (inputs, values) in self.blocks.chunks(LANES).zip(self.values.chunks_mut(LANES)) {
            let mut lanes = [&EMPTY; LANES];
            lanes.iter_mut().zip(inputs).for_each(|(lane, input)| *lane = input);
            self.platform.hash_many(
                lanes.get(..inputs.len()).unwrap_or_default(),
                &key,
                0,
                blake3::IncrementCounter::No,
                KEYED,
                START,
                END_AND_ROOT,
                values.as_flattened_mut(),
            );
        }
        key.zeroize();
        for (at, value) in self.long.drain(..) {
            if let Some(slot) = self.values.get_mut(at) {
                *slot = value;
            }
        }
        self.blocks.clear();
        &self.values
    }
}

/// Most inputs that blake3 takes at once.
const LANES: usize = 16;
static EMPTY: [u8; BLOCK] = [0; BLOCK];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_what_the_function_gives() {
        let prf = Prf([7; 32]);
        let inputs: Vec<Vec<u8>> = (0..150u8).map(|len| vec![len; usize::from(len)]).collect();
        let mut batch = Batch::new();
        for round in inputs.chunks(67) {
            round.iter().for_each(|input| batch.push(&prf, input));
            let expected: Vec<[u8; 32]> = round.iter().map(|input| prf.block(input)).collect();
            assert_eq!(batch.values(&prf), expected);
        }
    }

    #[test]
    fn inputs_that_differ_in_length_alone_differ() {
        let prf = Prf([7; 32]);
        let values: std::collections::BTreeSet<[u8; 32]> =
            (0..200).map(|len| prf.block(&vec![0; len])).collect();
        assert_eq!(values.len(), 200);
    }
}
