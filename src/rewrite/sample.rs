//! A sample of original values for the leak audit, drawn while they are being masked.
//!
//! The sample of a column is the values with the smallest hashes: the same whatever the order of
//! pages and threads, and spread over all values, dead tuples' included.

use std::collections::HashSet;
use std::fmt;
use std::hash::BuildHasher;

use zeroize::Zeroize;

use crate::datum::ValueType;

/// Distinct original values drawn per masked column, if there are as many,
pub const SAMPLE_PER_COLUMN: usize = 16_384;
/// and over all columns of all relations: a partition's column counts as one.
const SAMPLE_IN_ALL: usize = 3 << 20;

/// The sample's size for each of so many masked columns.
pub(super) fn sample_size(columns: usize) -> usize {
    (SAMPLE_IN_ALL / columns.max(1)).clamp(64, SAMPLE_PER_COLUMN)
}

/// Shortest text that is searched for.
const SHORTEST_TEXT: usize = 4;

/// Original values of one masked column. `Debug` prints counts.
pub struct ColumnOriginals {
    /// Database.
    pub database: String,
    /// `schema.table`.
    pub table: String,
    /// Column.
    pub column: String,
    /// The column's type.
    pub value_type: ValueType,
    /// Values masked, dead tuples' included.
    pub values: u64,
    /// Of these, values too short to be searched for.
    pub unsearchable: u64,
    /// Distinct original values as stored, without varlena header.
    pub sample: Vec<Box<[u8]>>,
}

impl fmt::Debug for ColumnOriginals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ColumnOriginals({}.{}.{}: {} of {} values)",
            self.database,
            self.table,
            self.column,
            self.sample.len(),
            self.values
        )
    }
}

impl Drop for ColumnOriginals {
    fn drop(&mut self) {
        self.sample.iter_mut().for_each(|value| value.zeroize());
    }
}

/// Draws the sample of one column.
pub(super) struct Sampler {
    /// Values to draw.
    size: usize,
    /// Values with the smallest hashes, some of them more than once.
    drawn: Vec<Drawn>,
    /// Their bytes.
    bytes: Vec<u8>,
    /// Only values hashing below this are drawn.
    limit: u64,
    values: u64,
    unsearchable: u64,
}

/// A value drawn.
#[derive(Clone, Copy)]
struct Drawn {
    hash: u64,
    /// Where it is in the sampler's bytes.
    start: usize,
    len: usize,
}

impl Sampler {
    /// Draws `size` distinct values, if there are as many.
    pub(super) fn new(size: usize) -> Sampler {
        Sampler {
            size,
            drawn: Vec::new(),
            bytes: Vec::new(),
            limit: u64::MAX,
            values: 0,
            unsearchable: 0,
        }
    }

    /// Counts values of these lengths, whether they are offered or not.
    pub(super) fn count(&mut self, value_type: ValueType, lens: impl Iterator<Item = usize>) {
        for len in lens {
            self.values += 1;
            self.unsearchable += u64::from(!may_be_searchable(value_type, len));
        }
    }

    /// Offers one original value, as stored. Offering it again changes nothing.
    #[inline]
    pub(super) fn offer(&mut self, value_type: ValueType, value: &[u8]) {
        if may_be_searchable(value_type, value.len()) {
            let hash = foldhash::fast::FixedState::with_seed(0x7468_696E).hash_one(value);
            if hash < self.limit && is_distinctive(value_type, value) {
                self.draw(hash, value);
            }
        }
    }

    fn draw(&mut self, hash: u64, value: &[u8]) {
        self.drawn.push(Drawn { hash, start: self.bytes.len(), len: value.len() });
        self.bytes.extend_from_slice(value);
        if self.drawn.len() >= 2 * self.size {
            self.shrink();
        }
    }

    /// Drops what was drawn twice, and all but the smallest hashes.
    fn shrink(&mut self) {
        self.drawn.sort_unstable_by_key(|drawn| drawn.hash);
        self.drawn.dedup_by_key(|drawn| drawn.hash);
        if let Some(first_dropped) = self.drawn.get(self.size) {
            self.limit = first_dropped.hash;
            self.drawn.truncate(self.size);
        }
        let mut bytes = Vec::with_capacity(self.bytes.len());
        for drawn in &mut self.drawn {
            let value = self.bytes.get(drawn.start..drawn.start + drawn.len);
            drawn.start = bytes.len();
            bytes.extend_from_slice(value.unwrap_or_default());
        }
        std::mem::replace(&mut self.bytes, bytes).zeroize();
    }

    fn drawn(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.drawn.iter().filter_map(|drawn| {
            Some((drawn.hash, self.bytes.get(drawn.start..drawn.start + drawn.len)?))
        })
    }

    /// Takes in what another thread drew from the same column.
    pub(super) fn absorb(&mut self, other: &Sampler) {
        self.values += other.values;
        self.unsearchable += other.unsearchable;
        self.limit = self.limit.min(other.limit);
        for (hash, value) in other.drawn() {
            if hash < self.limit {
                self.draw(hash, value);
            }
        }
    }

    /// Says that `values` are constants of the schema, which stand in its code too: finding one of
    /// them proves nothing.
    pub(super) fn exclude(&mut self, values: &[Box<[u8]>]) {
        let constants: HashSet<&[u8]> = values.iter().map(|value| &**value).collect();
        let bytes = &self.bytes;
        self.drawn.retain(|drawn| {
            let value = bytes.get(drawn.start..drawn.start + drawn.len);
            value.is_some_and(|value| !constants.contains(value))
        });
    }

    /// The sample, with the counts.
    pub(super) fn into_parts(mut self) -> (u64, u64, Vec<Box<[u8]>>) {
        self.shrink();
        let limit = self.limit;
        let sample = self.drawn().filter(|(hash, _)| *hash < limit);
        (self.values, self.unsearchable, sample.map(|(_, value)| value.into()).collect())
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// A cheap first look: can values of this form be told from chance at all?
#[inline]
fn may_be_searchable(value_type: ValueType, len: usize) -> bool {
    match value_type {
        ValueType::Text | ValueType::Bpchar => len >= SHORTEST_TEXT,
        _ => len >= 8,
    }
}

/// Whether finding `value` somewhere would mean anything: `0000` or a round number would not.
fn is_distinctive(value_type: ValueType, value: &[u8]) -> bool {
    let mut seen = [false; 256];
    let mut distinct = 0;
    for byte in value.iter().map(|byte| usize::from(*byte)) {
        if let Some(seen) = seen.get_mut(byte)
            && !std::mem::replace(seen, true)
            && byte != 0
            && byte != usize::from(b' ')
        {
            distinct += 1;
        }
    }
    match value_type {
        ValueType::Text | ValueType::Bpchar => distinct >= 3,
        _ => distinct >= 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer_all(sampler: &mut Sampler, range: std::ops::Range<u32>) {
        for number in range {
            sampler.offer(ValueType::Text, format!("value number {number}").as_bytes());
        }
    }

    #[test]
    fn the_sample_does_not_depend_on_order_or_threads() {
        let mut whole = Sampler::new(SAMPLE_PER_COLUMN);
        offer_all(&mut whole, 0..100_000);
        let mut parts = Sampler::new(SAMPLE_PER_COLUMN);
        for start in [60_000, 0, 30_000, 90_000] {
            let mut part = Sampler::new(SAMPLE_PER_COLUMN);
            offer_all(&mut part, start..(start + 40_000).min(100_000));
            parts.absorb(&part);
        }
        let (_, _, whole) = whole.into_parts();
        let (_, _, parts) = parts.into_parts();
        assert_eq!(whole.len(), SAMPLE_PER_COLUMN);
        assert_eq!(whole, parts);
    }

    #[test]
    fn counts_what_can_not_be_searched_for() {
        let mut sampler = Sampler::new(SAMPLE_PER_COLUMN);
        for value in ["abc", "0000000", "a distinct value", "a distinct value"] {
            sampler.offer(ValueType::Text, value.as_bytes());
            sampler.count(ValueType::Text, [value.len()].into_iter());
        }
        sampler.offer(ValueType::Date, &[1, 2, 3, 4]);
        sampler.count(ValueType::Date, [4].into_iter());
        let (values, unsearchable, sample) = sampler.into_parts();
        assert_eq!((values, unsearchable, sample.len()), (5, 2, 1));
    }

    #[test]
    fn constants_of_the_schema_are_left_out() {
        let mut sampler = Sampler::new(SAMPLE_PER_COLUMN);
        offer_all(&mut sampler, 0..10);
        sampler.exclude(&[Box::from(&b"value number 3"[..])]);
        let (_, _, sample) = sampler.into_parts();
        assert_eq!(sample.len(), 9);
        assert!(sample.iter().all(|value| **value != *b"value number 3"));
    }
}
