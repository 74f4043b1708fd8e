//! Originals to search for at once.
//!
//! Five steps from a position of a file to a value. What values begin with throws out nearly every
//! position, and a filter over the hash of eight bytes most others. The hash of eight bytes leads to
//! the lengths that values with this beginning have. A filter over the hash of so many bytes leaves
//! little besides values, and a list of those decides. No step but the last has to wait for what it
//! reads from memory before it can go on to the next position.

use std::fmt;
use std::sync::Arc;

use rayon::prelude::*;

use super::beginnings::Beginnings;
use super::bucket::{BUCKETS, bucket_of, grow};
use super::collect::Entry;
use super::hash::HashKey;
use super::value::Class;

/// The longest value that is not found by its first eight bytes.
pub(super) const LONGEST_SHORT: usize = 7;
/// Bits of the filter for each entry, at least, and twice as many at most.
const FILTER_BITS: usize = 12;
/// No filter is smaller.
const SMALLEST_FILTER: usize = 1 << 15;
/// The low bits of what is known of a value: its class.
const CLASS_BITS: u32 = 2;

/// A Bloom filter of hashes: three bits in one word.
pub(super) struct Filter {
    words: Vec<u64>,
    shift: u32,
}

impl Filter {
    fn new(entries: usize) -> Filter {
        let bits = (entries * FILTER_BITS).next_power_of_two().max(SMALLEST_FILTER);
        Filter { words: vec![0; bits / 64], shift: 64 - (bits / 64).ilog2() }
    }

    #[inline]
    fn bits(hash: u64) -> u64 {
        1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63)
    }

    fn enter(&mut self, hash: u64) {
        if let Some(word) = self.words.get_mut((hash >> self.shift) as usize) {
            *word |= Self::bits(hash);
        }
    }

    #[inline]
    pub(super) fn passes(&self, hash: u64) -> bool {
        let bits = Self::bits(hash);
        self.words.get((hash >> self.shift) as usize).is_some_and(|word| word & bits == bits)
    }
}

/// Where the hashes that begin with the same bits are, in a sorted list.
struct Directory {
    starts: Vec<u32>,
    shift: u32,
}

impl Directory {
    /// For so many hashes, which are to be counted one after the other.
    fn for_hashes(len: usize) -> Directory {
        let bits = (len / 4).max(2).ilog2() + 1;
        Directory { starts: vec![0; (1 << bits) + 1], shift: 64 - bits }
    }

    fn count(&mut self, hash: u64) {
        if let Some(count) = self.starts.get_mut((hash >> self.shift) as usize + 1) {
            *count += 1;
        }
    }

    /// To be called when all are counted.
    fn finish(mut self) -> Directory {
        let mut sum = 0;
        for start in &mut self.starts {
            sum += *start;
            *start = sum;
        }
        self
    }

    #[inline]
    fn range(&self, hash: u64) -> std::ops::Range<usize> {
        let number = (hash >> self.shift) as usize;
        match self.starts.get(number..number + 2) {
            Some(&[start, end]) => start as usize..end as usize,
            _ => 0..0,
        }
    }
}

/// The lengths of values by the hash of what they begin with, as bits: bit `n - 1` for a length of
/// `n`. Values that share a place share their lengths; one too many is found out by the next step.
struct Lengths(Vec<u64>);

impl Lengths {
    fn for_heads(len: usize) -> Lengths {
        Lengths(vec![0; len])
    }

    #[inline]
    fn place(&self, head: u64) -> usize {
        let places = self.0.len() as u64;
        (((head >> Head::BEHIND) * places) >> (u64::BITS - Head::BEHIND)) as usize
    }

    fn enter(&mut self, head: u64, lengths: u64) {
        let place = self.place(head);
        if let Some(word) = self.0.get_mut(place) {
            *word |= lengths;
        }
    }

    #[inline]
    fn of(&self, head: u64) -> u64 {
        self.0.get(self.place(head)).copied().unwrap_or_default()
    }
}

/// Originals to search for. `Debug` prints their number.
pub(crate) struct FingerprintSet {
    pub(super) key: HashKey,
    /// What values begin with, all and those that are no numbers.
    beginnings: [Arc<Beginnings>; 2],
    /// Hashes of the first eight bytes,
    pub(super) heads: Filter,
    /// and how long values are that begin so.
    lengths: Lengths,
    /// Hashes of whole values.
    pub(super) wholes: Filter,
    values: Directory,
    /// The hashes of values,
    fulls: Vec<u64>,
    /// and what is known of them: a set of columns, and the class.
    known: Vec<u32>,
    /// Values too short to have a head.
    pub(super) short: Filter,
    /// Their lengths, as bits.
    pub(super) short_lengths: u64,
}

impl fmt::Debug for FingerprintSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FingerprintSet({})", self.fulls.len())
    }
}

impl FingerprintSet {
    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.fulls.len()
    }

    /// What values begin with.
    pub(super) fn beginnings(&self) -> &Beginnings {
        let [all, _] = &self.beginnings;
        all
    }

    /// What values begin with that are no numbers.
    pub(crate) fn other_beginnings(&self) -> &Beginnings {
        let [_, others] = &self.beginnings;
        others
    }

    /// The number of the value with this hash.
    #[inline]
    pub(crate) fn find(&self, full: u64) -> Option<usize> {
        let range = self.values.range(full);
        let hashes = self.fulls.get(range.clone())?;
        hashes.iter().position(|hash| *hash == full).map(|at| range.start + at)
    }

    /// The lengths that values may have that begin so, as bits.
    #[inline]
    pub(super) fn lengths(&self, head: u64) -> u64 {
        self.lengths.of(head)
    }

    /// What finding a value means.
    pub(crate) fn class(&self, value: usize) -> Class {
        Class::from_bits(self.known(value) as u8 & ((1 << CLASS_BITS) - 1))
    }

    /// The number of the set of its columns.
    pub(crate) fn columns(&self, value: usize) -> u32 {
        self.known(value) >> CLASS_BITS
    }

    /// The hash of a text or other value, as it would be in the set.
    #[inline]
    pub(crate) fn hash_of(&self, value: &[u8]) -> u64 {
        self.key.full(value)
    }

    /// The hash of a value.
    pub(crate) fn hash(&self, value: usize) -> u64 {
        self.fulls.get(value).copied().unwrap_or_default()
    }

    fn known(&self, value: usize) -> u32 {
        self.known.get(value).copied().unwrap_or_default()
    }

    /// Bytes in memory.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        let filters = [&self.heads, &self.wholes, &self.short];
        let words: usize = filters.iter().map(|filter| filter.words.len()).sum();
        let halves = self.values.starts.len() + self.known.len();
        4 * halves + 8 * (words + self.lengths.0.len() + self.fulls.len())
    }
}

/// The hash of what a value begins with, and the value's length in six bits of it that nothing
/// looks at: above those that a filter sets, and below those that say where.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Head(u64);

impl Head {
    const LEN_AT: u32 = u32::BITS;
    const LEN: u64 = 63 << Self::LEN_AT;
    /// Bits up to here are not looked at for a place.
    const BEHIND: u32 = Self::LEN_AT + 6;

    fn new(hash: u64, len: u8) -> Head {
        Head(hash & !Self::LEN | (u64::from(len) - 1) << Self::LEN_AT)
    }

    fn hash(self) -> u64 {
        self.0 & !Self::LEN
    }

    /// Its length, as a bit.
    fn length(self) -> u64 {
        1 << ((self.0 & Self::LEN) >> Self::LEN_AT)
    }
}

/// Makes a set of entries that come in the order of their hashes.
pub(super) struct Builder {
    key: HashKey,
    beginnings: [Arc<Beginnings>; 2],
    fulls: Vec<u64>,
    known: Vec<u32>,
    /// By their first byte.
    heads: Vec<Vec<Head>>,
    short: Vec<u64>,
    short_lengths: u64,
}

impl Builder {
    /// For so many entries.
    pub(super) fn new(key: HashKey, beginnings: [Arc<Beginnings>; 2], entries: usize) -> Builder {
        Builder {
            key,
            beginnings,
            fulls: Vec::with_capacity(entries),
            known: Vec::with_capacity(entries),
            heads: vec![Vec::new(); BUCKETS],
            short: Vec::new(),
            short_lengths: 0,
        }
    }

    pub(super) fn add(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.fulls.push(entry.full);
            self.known.push(entry.column << CLASS_BITS | u32::from(entry.class as u8));
            if usize::from(entry.len) <= LONGEST_SHORT {
                self.short.push(entry.full);
                self.short_lengths |= 1 << (entry.len - 1);
            } else if let Some(heads) = self.heads.get_mut(bucket_of(entry.head)) {
                grow(heads, 1);
                heads.push(Head::new(entry.head, entry.len));
            }
        }
    }

    /// The set; `None` if nothing was added.
    pub(super) fn build(self) -> Option<FingerprintSet> {
        let Builder { key, beginnings, fulls, known, heads: mut buckets, short, short_lengths } =
            self;
        if fulls.is_empty() {
            return None;
        }
        let of_one = |a: &Head, b: &Head| a.hash() == b.hash();
        let count = buckets.par_iter_mut().map(|heads| {
            heads.sort_unstable_by_key(|head| (head.hash(), head.length()));
            heads.chunk_by(of_one).count()
        });
        let count = count.sum();
        let mut filter = Filter::new(count);
        let mut lengths = Lengths::for_heads(count);
        // Each bucket is gone when its heads are entered.
        for bucket in buckets {
            for head in bucket {
                filter.enter(head.hash());
                lengths.enter(head.hash(), head.length());
            }
        }
        let mut short_filter = Filter::new(short.len());
        short.iter().for_each(|hash| short_filter.enter(*hash));
        let mut wholes = Filter::new(fulls.len());
        let mut values = Directory::for_hashes(fulls.len());
        for hash in &fulls {
            wholes.enter(*hash);
            values.count(*hash);
        }
        Some(FingerprintSet {
            key,
            beginnings,
            heads: filter,
            lengths,
            wholes,
            values: values.finish(),
            fulls,
            known,
            short: short_filter,
            short_lengths,
        })
    }
}
