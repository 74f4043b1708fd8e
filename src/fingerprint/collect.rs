//! Fingerprints taken while values are masked, by all threads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::beginnings::Beginnings;
use super::bucket::{Buckets, Record};
use super::gathered::{ColumnName, Gathered};
use super::hash::HashKey;
use super::value::{Class, class, comparable, may_be_searchable};
use crate::datum::ValueType;
use crate::error::{Error, Result};
use crate::mask::{MaskKey, Witness};

/// Fingerprints that one thread keeps of a column before it hands them on.
const KEPT: usize = 1024;
/// Values seen a moment ago that are not taken again.
const RECENT: usize = 256;

/// As what a value with parts is taken down as a whole.
pub(super) const WHOLE: ValueType = ValueType::Bytea;

/// How many fingerprints are in memory; what is more goes to files.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Originals while they are collected: 24 bytes each, once for each of their columns.
    pub originals: usize,
    /// Masked output: 8 bytes each.
    pub outputs: usize,
    /// Originals searched for at once, in one pass over the volume: under 32 bytes each.
    pub searched: usize,
}

impl Default for Limits {
    /// What keeps a whole run under 512 MB.
    fn default() -> Limits {
        Limits { originals: 9 << 20, outputs: 9 << 20, searched: 10 << 20 }
    }
}

/// An original value: its fingerprint, and a column that it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// The hash of all of it.
    pub(super) full: u64,
    /// A column's number; in a gathered set, a set of columns.
    pub(super) column: u32,
    /// What finding it would mean.
    pub(super) class: Class,
    /// Its length.
    pub(super) len: u8,
    /// The hash of its first eight bytes, if it has as many.
    pub(super) head: u64,
}

const _: () = assert!(size_of::<Entry>() == 24);

impl Record for Entry {
    const SIZE: usize = 22;

    fn hash(&self) -> u64 {
        self.full
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.full.to_le_bytes());
        out.extend_from_slice(&self.head.to_le_bytes());
        out.extend_from_slice(&self.column.to_le_bytes());
        out.extend_from_slice(&[self.len, self.class as u8]);
    }

    fn read(bytes: &[u8]) -> Option<Entry> {
        let (full, rest) = bytes.split_first_chunk()?;
        let (head, rest) = rest.split_first_chunk()?;
        let (column, rest) = rest.split_first_chunk()?;
        let [len, class] = *rest.first_chunk()?;
        Some(Entry {
            full: u64::from_le_bytes(*full),
            column: u32::from_le_bytes(*column),
            class: Class::from_bits(class),
            len,
            head: u64::from_le_bytes(*head),
        })
    }
}

/// Collects fingerprints. `Debug` prints nothing of them.
pub struct Collector {
    pub(super) key: HashKey,
    pub(super) limits: Limits,
    pub(super) scratch: PathBuf,
    /// Nothing is taken down.
    deaf: bool,
    pub(super) originals: Buckets<Entry>,
    pub(super) outputs: Buckets<u64>,
    /// What originals begin with,
    pub(super) beginnings: Beginnings,
    /// and what those that are no numbers begin with.
    pub(super) other_beginnings: Beginnings,
    /// By column: values, and those of them that are too short to be searched for.
    pub(super) counts: Mutex<BTreeMap<u32, (u64, u64)>>,
    /// The first thing that went wrong with a file.
    failure: Mutex<Option<Error>>,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Collector")
    }
}

impl Collector {
    /// Collects fingerprints under `key`. `scratch` is a directory that is made if it is needed;
    /// it must not be in the volume.
    pub fn new(key: &MaskKey, scratch: &Path, limits: Limits) -> Collector {
        let key = HashKey::derive(key);
        Collector {
            beginnings: Beginnings::new(&key),
            other_beginnings: Beginnings::new(&key),
            key,
            limits,
            scratch: scratch.to_path_buf(),
            deaf: false,
            originals: Buckets::new(scratch, "originals", limits.originals),
            outputs: Buckets::new(scratch, "outputs", limits.outputs),
            counts: Mutex::default(),
            failure: Mutex::default(),
        }
    }

    /// Takes nothing down: for work that no audit follows.
    pub(crate) fn deaf(key: &MaskKey) -> Collector {
        Collector { deaf: true, ..Collector::new(key, Path::new(""), Limits::default()) }
    }

    /// What one thread takes down of one column.
    pub fn notes(&self, column: u32) -> Notes<'_> {
        Notes {
            collector: self,
            column,
            recent: Vec::new(),
            originals: Vec::new(),
            outputs: Vec::new(),
            values: 0,
            unsearchable: 0,
        }
    }

    fn take<R: Record>(&self, buckets: &Buckets<R>, records: &mut Vec<R>) {
        if let Err(error) = buckets.add(records, &mut Vec::new()) {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(error);
            records.clear();
        }
    }

    /// All that was collected; `columns` by number.
    pub fn gather(self, columns: Vec<ColumnName>, threads: &rayon::ThreadPool) -> Result<Gathered> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = failure.take() {
            return Err(error);
        }
        drop(failure);
        Gathered::new(self, columns, threads)
    }
}

/// What one thread takes down of the values of one column, before and after they are masked.
/// `Debug` prints the column.
pub struct Notes<'c> {
    collector: &'c Collector,
    column: u32,
    /// Hashes of originals and of output seen a moment ago.
    recent: Vec<[u64; 2]>,
    originals: Vec<Entry>,
    outputs: Vec<u64>,
    values: u64,
    unsearchable: u64,
}

impl std::fmt::Debug for Notes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Notes({})", self.column)
    }
}

impl Notes<'_> {
    /// Counts values of these lengths.
    pub(crate) fn count(&mut self, value_type: ValueType, lens: impl Iterator<Item = usize>) {
        for len in lens {
            self.values += 1;
            self.unsearchable += u64::from(!may_be_searchable(value_type, len));
        }
    }

    /// True if this hash was there a moment ago, in place 0 an original's, in 1 one of output.
    #[inline]
    fn is_recent(&mut self, hash: u64, which: usize) -> bool {
        if self.recent.is_empty() {
            self.recent.resize(RECENT, [0; 2]);
        }
        let slots = self.recent.get_mut(hash as usize % RECENT);
        let slot = slots.and_then(|slots| slots.get_mut(which));
        slot.is_some_and(|slot| std::mem::replace(slot, hash) == hash)
    }

    /// Takes down what became of a value with parts.
    pub(crate) fn whole_output(&mut self, value: &[u8]) {
        self.output(WHOLE, value);
    }
}

impl Witness for Notes<'_> {
    /// Takes down an original value, as stored.
    #[inline]
    fn original(&mut self, value_type: ValueType, value: &[u8]) {
        if self.collector.deaf || !may_be_searchable(value_type, value.len()) {
            return;
        }
        let value = comparable(value_type, value);
        let full = self.collector.key.full(value);
        if self.is_recent(full, 0) {
            return;
        }
        let Some(class) = class(value_type, value) else { return };
        self.collector.beginnings.enter(value);
        if class != Class::Number {
            self.collector.other_beginnings.enter(value);
        }
        let head = value.first_chunk().map(|first| u64::from_le_bytes(*first));
        let head = head.map_or(0, |first| self.collector.key.head(first));
        let (column, len) = (self.column, value.len() as u8);
        self.originals.push(Entry { full, column, class, len, head });
        if self.originals.len() >= KEPT {
            self.collector.take(&self.collector.originals, &mut self.originals);
        }
    }

    /// Takes down a masked value, as stored.
    #[inline]
    fn output(&mut self, value_type: ValueType, value: &[u8]) {
        if self.collector.deaf || !may_be_searchable(value_type, value.len()) {
            return;
        }
        let full = self.collector.key.full(comparable(value_type, value));
        if self.is_recent(full, 1) {
            return;
        }
        self.outputs.push(full);
        if self.outputs.len() >= KEPT {
            self.collector.take(&self.collector.outputs, &mut self.outputs);
        }
    }
}

impl Drop for Notes<'_> {
    fn drop(&mut self) {
        let Notes { collector, originals, outputs, .. } = self;
        collector.take(&collector.originals, originals);
        collector.take(&collector.outputs, outputs);
        if self.values > 0 {
            let mut counts = collector.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let (values, unsearchable) = counts.entry(self.column).or_default();
            *values += self.values;
            *unsearchable += self.unsearchable;
        }
    }
}
