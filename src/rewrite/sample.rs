//! A sample of original values for the leak audit, drawn while they are being masked.
//!
//! The sample of a column is the values with the smallest hashes: the same whatever the order of
//! pages and threads, and spread over all values, dead tuples' included.

use std::collections::HashMap;
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
    /// Of these, values too short or too common in form to be searched for.
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

/// Hashes remembered of values offered lately; a power of two.
const RECENT: usize = 1024;

/// Draws the sample of one column.
pub(super) struct Sampler {
    /// Values to draw.
    size: usize,
    kept: HashMap<Box<[u8]>, u64, foldhash::fast::FixedState>,
    /// Values offered lately, by hash: columns repeat themselves.
    recent: Vec<u64>,
    /// Only values hashing below this are kept; `None` while all are.
    limit: Option<u64>,
    values: u64,
    unsearchable: u64,
}

impl Sampler {
    /// Draws `size` distinct values, if there are as many.
    pub(super) fn new(size: usize) -> Sampler {
        Sampler {
            size,
            kept: HashMap::default(),
            recent: Vec::new(),
            limit: None,
            values: 0,
            unsearchable: 0,
        }
    }

    /// Offers one original value, as stored.
    #[inline]
    pub(super) fn offer(&mut self, value_type: ValueType, value: &[u8]) {
        self.values += 1;
        if !may_be_searchable(value_type, value) {
            self.unsearchable += 1;
            return;
        }
        let hash = foldhash::fast::FixedState::with_seed(0x7468_696E).hash_one(value);
        if self.limit.is_some_and(|limit| hash >= limit) {
            return;
        }
        if self.recent.is_empty() {
            self.recent = vec![0; RECENT];
        }
        match self.recent.get_mut(hash as usize % RECENT) {
            Some(recent) if *recent == hash => {}
            Some(recent) => {
                *recent = hash;
                self.keep(value_type, value, hash);
            }
            None => self.keep(value_type, value, hash),
        }
    }

    #[cold]
    fn keep(&mut self, value_type: ValueType, value: &[u8], hash: u64) {
        if self.kept.contains_key(value) {
            return;
        }
        if !is_distinctive(value_type, value) {
            self.unsearchable += 1;
            return;
        }
        self.kept.insert(value.into(), hash);
        if self.kept.len() >= 2 * self.size {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        let mut hashes: Vec<u64> = self.kept.values().copied().collect();
        let (_, limit, _) = hashes.select_nth_unstable(self.size);
        let limit = *limit;
        self.limit = Some(limit);
        let (kept, dropped) = std::mem::take(&mut self.kept)
            .into_iter()
            .partition::<HashMap<_, _, _>, _>(|(_, hash)| *hash < limit);
        self.kept = kept;
        dropped.into_keys().for_each(|mut value| value.zeroize());
    }

    /// Takes in what another thread drew from the same column.
    pub(super) fn absorb(&mut self, other: Sampler) {
        self.values += other.values;
        self.unsearchable += other.unsearchable;
        self.limit = match (self.limit, other.limit) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        let limit = self.limit;
        self.kept.extend(other.kept);
        self.kept.retain(|_, hash| limit.is_none_or(|limit| *hash < limit));
        if self.kept.len() >= 2 * self.size {
            self.shrink();
        }
    }

    /// Says that `values` are constants of the schema, which stand in its code too: finding one of
    /// them proves nothing.
    pub(super) fn exclude(&mut self, values: Vec<Box<[u8]>>) {
        for value in values {
            if self.kept.remove(&value).is_some() {
                self.unsearchable += 1;
            }
        }
    }

    /// The sample, with the counts.
    pub(super) fn into_parts(mut self) -> (u64, u64, Vec<Box<[u8]>>) {
        if self.kept.len() > self.size {
            self.shrink();
        }
        let mut by_hash: Vec<(u64, Box<[u8]>)> =
            self.kept.into_iter().map(|(value, hash)| (hash, value)).collect();
        by_hash.sort_unstable();
        let sample = by_hash.into_iter().map(|(_, value)| value).collect();
        (self.values, self.unsearchable, sample)
    }
}

/// A cheap first look: can values of this form be told from chance at all?
#[inline]
fn may_be_searchable(value_type: ValueType, value: &[u8]) -> bool {
    match value_type {
        _ if value_type.is_text() => value.len() >= SHORTEST_TEXT,
        _ => value.len() >= 8,
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
        _ if value_type.is_text() => distinct >= 3,
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
            parts.absorb(part);
        }
        let (_, _, whole) = whole.into_parts();
        let (_, _, parts) = parts.into_parts();
        assert_eq!(whole.len(), SAMPLE_PER_COLUMN);
        assert_eq!(whole, parts);
    }

    #[test]
    fn counts_what_can_not_be_searched_for() {
        let mut sampler = Sampler::new(SAMPLE_PER_COLUMN);
        for value in ["abc", "0000000", "a distinct value"] {
            sampler.offer(ValueType::Text, value.as_bytes());
        }
        sampler.offer(ValueType::Date, &[1, 2, 3, 4]);
        let (values, unsearchable, sample) = sampler.into_parts();
        assert_eq!((values, unsearchable, sample.len()), (4, 3, 1));
    }
}
