//! Distinct originals and distinct output, as the audit takes them up.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::beginnings::Beginnings;
use super::bucket::BUCKETS;
use super::collect::{Collector, Entry};
use super::hash::HashKey;
use super::set::{Builder, FingerprintSet};
use super::sorted::Sorted;
use super::value::Class;
use crate::error::Result;

/// Of more different sets of columns, only the first column is known.
const SETS_KEPT: usize = 1 << 20;

/// A masked column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnName {
    /// Database.
    pub database: String,
    /// `schema.table`.
    pub table: String,
    /// Column.
    pub column: String,
}

/// The columns of values, as numbers: most values are one column's.
pub(super) struct ColumnSets {
    sets: Vec<Vec<u32>>,
    numbers: BTreeMap<Vec<u32>, u32>,
}

impl ColumnSets {
    fn new(columns: usize) -> ColumnSets {
        ColumnSets {
            sets: (0..columns as u32).map(|column| vec![column]).collect(),
            numbers: BTreeMap::new(),
        }
    }

    fn number(&mut self, columns: &[u32]) -> u32 {
        let first = columns.first().copied().unwrap_or_default();
        if let Some(number) = self.numbers.get(columns) {
            return *number;
        }
        if self.sets.len() >= SETS_KEPT {
            return first;
        }
        let number = self.sets.len() as u32;
        self.sets.push(columns.to_vec());
        self.numbers.insert(columns.to_vec(), number);
        number
    }
}

/// Everything that was collected: originals by their distinct values, those that are masked output
/// too set apart and counted. `Debug` prints counts.
pub struct Gathered {
    pub(super) key: HashKey,
    pub(super) columns: Vec<ColumnName>,
    pub(super) column_sets: Vec<Vec<u32>>,
    pub(super) originals: Vec<Sorted<Entry>>,
    pub(super) outputs: Vec<Sorted<u64>>,
    /// What originals begin with, all and those that are no numbers.
    pub(super) beginnings: [Arc<Beginnings>; 2],
    /// Originals that prove nothing, by the user's word.
    pub(super) forgotten: HashSet<u64>,
    /// Distinct originals, those set apart included.
    pub(super) distinct: u64,
    /// Of these, originals that are masked output too.
    pub(super) also_output: u64,
    pub(super) unsearchable: u64,
    /// By column: distinct originals that are numbers.
    pub(super) numbers: Vec<u64>,
    /// The first bucket that has not been searched for.
    next: usize,
    searched_at_once: usize,
}

impl fmt::Debug for Gathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gathered({} originals of {} columns)", self.distinct, self.columns.len())
    }
}

impl Gathered {
    pub(super) fn new(
        collector: Collector,
        columns: Vec<ColumnName>,
        threads: &rayon::ThreadPool,
    ) -> Result<Gathered> {
        let sets = Mutex::new(ColumnSets::new(columns.len()));
        let buckets: Vec<_> = threads.install(|| {
            let buckets = (0..BUCKETS).into_par_iter();
            buckets.map(|number| gather(&collector, number, &sets)).collect::<Result<_>>()
        })?;
        let counts = collector.counts.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut gathered = Gathered {
            key: collector.key,
            columns,
            column_sets: sets.into_inner().unwrap_or_else(PoisonError::into_inner).sets,
            originals: Vec::new(),
            outputs: Vec::new(),
            beginnings: [collector.beginnings.into(), collector.other_beginnings.into()],
            forgotten: HashSet::new(),
            distinct: 0,
            also_output: 0,
            unsearchable: counts.values().map(|(_, unsearchable)| unsearchable).sum(),
            numbers: Vec::new(),
            next: 0,
            searched_at_once: collector.limits.searched,
        };
        gathered.numbers = vec![0; gathered.columns.len()];
        for (originals, outputs, also_output, numbers) in buckets {
            for (set, count) in numbers {
                for column in gathered.column_sets.get(set as usize).into_iter().flatten() {
                    if let Some(all) = gathered.numbers.get_mut(*column as usize) {
                        *all += count;
                    }
                }
            }
            gathered.distinct += originals.len() as u64 + also_output;
            gathered.also_output += also_output;
            gathered.originals.push(originals);
            gathered.outputs.push(outputs);
        }
        Ok(gathered)
    }

    /// What was sealed.
    pub(super) fn from_parts(
        key: HashKey,
        columns: Vec<ColumnName>,
        column_sets: Vec<Vec<u32>>,
        counts: [u64; 3],
        numbers: Vec<u64>,
        beginnings: [Arc<Beginnings>; 2],
        searched_at_once: usize,
    ) -> Gathered {
        let [distinct, also_output, unsearchable] = counts;
        Gathered {
            key,
            columns,
            column_sets,
            originals: Vec::new(),
            outputs: Vec::new(),
            beginnings,
            forgotten: HashSet::new(),
            distinct,
            also_output,
            unsearchable,
            numbers,
            next: 0,
            searched_at_once,
        }
    }

    /// Masked columns, by number.
    pub fn columns(&self) -> &[ColumnName] {
        &self.columns
    }

    /// Distinct original values that can be searched for.
    pub fn distinct(&self) -> u64 {
        self.distinct
    }

    /// Of these, values that are masked output too: finding them proves nothing.
    pub fn also_output(&self) -> u64 {
        self.also_output + self.forgotten.len() as u64
    }

    /// Values, not distinct, that are too short to be searched for.
    pub fn unsearchable(&self) -> u64 {
        self.unsearchable
    }

    /// Distinct originals of a column that are numbers.
    pub(crate) fn numbers_of(&self, column: u32) -> u64 {
        self.numbers.get(column as usize).copied().unwrap_or_default()
    }

    /// The columns of a set's number.
    pub(crate) fn columns_of(&self, set: u32) -> &[u32] {
        self.column_sets.get(set as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// The next originals to search for, which are gone from here; `None` after the last ones.
    pub(crate) fn next_set(&mut self) -> Result<Option<FingerprintSet>> {
        while self.next < self.originals.len() {
            let (mut end, mut entries) = (self.next, 0);
            while let Some(bucket) = self.originals.get(end)
                && (entries == 0 || entries + bucket.len() <= self.searched_at_once)
            {
                entries += bucket.len();
                end += 1;
            }
            let mut builder = Builder::new(self.key.clone(), self.beginnings.clone(), entries);
            for bucket in self.originals.get_mut(self.next..end).unwrap_or_default() {
                let mut records = bucket.take()?;
                records.retain(|entry| !self.forgotten.contains(&entry.full));
                builder.add(records);
            }
            self.next = end;
            if let Some(set) = builder.build() {
                return Ok(Some(set));
            }
        }
        Ok(None)
    }
}

/// Originals, output, originals that are output, and numbers by their set of columns.
type Bucket = (Sorted<Entry>, Sorted<u64>, u64, BTreeMap<u32, u64>);

/// One bucket: each original once, with all of its columns, unless it is output.
fn gather(collector: &Collector, number: usize, sets: &Mutex<ColumnSets>) -> Result<Bucket> {
    let (outputs, of_outputs) = collector.outputs.take(number)?;
    let (mut records, of_originals) = collector.originals.take(number)?;
    let mut distinct = 0;
    let mut also_output = 0;
    let mut numbers = BTreeMap::new();
    let mut start = 0;
    let mut columns = Vec::new();
    let mut output = outputs.iter().peekable();
    while let Some(first) = records.get(start).copied() {
        let of_value = records.iter().skip(start).take_while(|entry| entry.full == first.full);
        columns.clear();
        let mut class = Class::Number;
        for entry in of_value {
            columns.push(entry.column);
            class = class.min(entry.class);
            start += 1;
        }
        columns.dedup();
        while output.next_if(|hash| **hash < first.full).is_some() {}
        if output.peek().is_some_and(|hash| **hash == first.full) {
            also_output += 1;
            continue;
        }
        let column = match columns.as_slice() {
            [column] => *column,
            columns => sets.lock().unwrap_or_else(PoisonError::into_inner).number(columns),
        };
        if class == Class::Number {
            *numbers.entry(column).or_default() += 1;
        }
        if let Some(place) = records.get_mut(distinct) {
            *place = Entry { column, class, ..first };
        }
        distinct += 1;
    }
    records.truncate(distinct);
    records.shrink_to_fit();
    let originals =
        Sorted::new(records, of_originals, &collector.scratch, &format!("gathered-{number}"))?;
    let outputs = Sorted::new(outputs, of_outputs, &collector.scratch, &format!("made-{number}"))?;
    Ok((originals, outputs, also_output, numbers))
}
