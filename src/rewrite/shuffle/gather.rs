//! The pass that gathers the values of live rows, by column and class.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroize;

use super::class::{Class, moving};
use super::store::Store;
use crate::error::{Error, Result};
use crate::mask::{ColumnMask, Cycle, MaskKey, Shuffler};
use crate::page::walk_attributes;
use crate::rewrite::by_row::Row;
use crate::rewrite::page::{Fault, TuplePlace};
use crate::rewrite::pass::{Pass, Target, Task, Workspace, in_parallel};
use crate::rewrite::relation::Relation;
use crate::rewrite::visibility::CommitLog;

/// The values of all shuffled columns of a job.
#[derive(Default)]
pub(in crate::rewrite) struct Shuffles {
    pub(super) store: Store,
    /// By relation and attribute.
    pub(super) columns: BTreeMap<(usize, usize), ColumnValues>,
}

/// The values of one column's live rows.
pub(super) struct ColumnValues {
    pub(super) classes: BTreeMap<Class, ClassValues>,
    /// First blocks of the stretches that values were gathered in, in order.
    pub(super) stretches: Vec<u32>,
    pub(super) shuffler: Shuffler,
    /// Rows that got a value equal to their own.
    pub(super) unchanged: AtomicU64,
}

/// The values of one class, numbered in the order of the heap.
pub(super) struct ClassValues {
    runs: Vec<Run>,
    pub(super) len: u64,
    /// The first one met, until another was.
    sample: Vec<u8>,
    pub(super) varied: bool,
    pub(super) cycle: Cycle,
}

/// The values of one stretch of the heap.
struct Run {
    first_block: u32,
    /// Where they are in the store.
    position: u64,
    count: u64,
    /// Values in the stretches before it.
    before: u64,
}

impl ClassValues {
    /// The number of the first value of a stretch.
    pub(super) fn first_number(&self, first_block: u32) -> u64 {
        let next = self.runs.partition_point(|run| run.first_block < first_block);
        self.runs.get(next).map_or(self.len, |run| run.before)
    }

    /// Where a value is in the store.
    pub(super) fn position(&self, class: Class, number: u64) -> Option<u64> {
        let next = self.runs.partition_point(|run| run.before <= number);
        let run = self.runs.get(next.checked_sub(1)?)?;
        let index = number - run.before;
        (index < run.count).then(|| run.position + index * class.len() as u64)
    }
}

/// What one task met of a class.
#[derive(Default)]
struct Met {
    bytes: Vec<u8>,
    count: u64,
    varied: bool,
}

/// Gathers the values of all shuffled columns of `relations`; `tasks` go over their heaps.
pub(in crate::rewrite) fn gather(
    pass: &Pass<'_>,
    threads: &rayon::ThreadPool,
    relations: &[Relation<'_>],
    tasks: &[Task],
    key: &MaskKey,
    (directory, memory): (&Path, usize),
) -> Result<Shuffles> {
    let targets: Vec<Target<'_>> = relations.iter().map(Relation::target).collect();
    let tasks: Vec<&Task> =
        tasks.iter().filter(|task| is_shuffled(relations, task.target)).collect();
    let mut columns = BTreeMap::new();
    for (number, relation) in relations.iter().enumerate() {
        for (attribute, domain) in relation.shuffled() {
            let of_relation = tasks.iter().filter(|task| task.target == number);
            let mut stretches: Vec<u32> = of_relation.map(|task| task.first_block()).collect();
            stretches.sort_unstable();
            let name = relation.plan.attributes.get(attribute).map(|column| &column.name);
            let name = format!(
                "{}\0{}\0{}",
                relation.plan.schema,
                relation.plan.name,
                name.map_or("", String::as_str)
            );
            let values = ColumnValues {
                classes: BTreeMap::new(),
                stretches,
                shuffler: Shuffler::new(key, domain, &name),
                unchanged: AtomicU64::new(0),
            };
            columns.insert((number, attribute), values);
        }
    }
    let shared = Mutex::new(Shuffles { store: Store::new(directory, memory), columns });
    in_parallel(threads, &tasks, || {
        let mut workspace = Workspace::new();
        let mut reader = None;
        let (shared, targets) = (&shared, &targets);
        move |task: &&Task| {
            let Some(relation) = relations.get(task.target) else { return Ok(()) };
            let reader = match &mut reader {
                Some((number, reader)) if *number == task.target => reader,
                other => &mut other.insert((task.target, Reader::new(relation))).1,
            };
            pass.read(task, targets.get(task.target), &mut workspace, &mut |tuple, place| {
                reader.tuple(tuple, place)
            })?;
            reader.hand_in(task, &mut shared.lock().unwrap_or_else(PoisonError::into_inner))
        }
    })?;
    let mut shuffles = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    shuffles.columns.values_mut().for_each(ColumnValues::put_in_order);
    Ok(shuffles)
}

/// True if a column of the relation is shuffled.
pub(in crate::rewrite) fn is_shuffled(relations: &[Relation<'_>], number: usize) -> bool {
    relations.get(number).is_some_and(|relation| relation.shuffled().next().is_some())
}

impl ColumnValues {
    /// Numbers the values. Before that, the order of runs is that of threads.
    fn put_in_order(&mut self) {
        for (class, values) in &mut self.classes {
            values.runs.sort_unstable_by_key(|run| run.first_block);
            for run in &mut values.runs {
                run.before = values.len;
                values.len += run.count;
            }
            values.sample.zeroize();
            if values.varied {
                values.cycle = self.shuffler.cycle(&class.name(), values.len);
            }
        }
    }
}

/// Gathers on one thread, a task at a time.
struct Reader<'a> {
    relation: &'a Relation<'a>,
    log: CommitLog,
    /// If a condition says which rows take part.
    row: Option<Box<Row<'a>>>,
    /// By attribute, where that is shuffled.
    met: Vec<Option<BTreeMap<Class, Met>>>,
}

impl<'a> Reader<'a> {
    fn new(relation: &'a Relation<'a>) -> Reader<'a> {
        let attributes = &relation.plan.attributes;
        let mut met: Vec<_> = attributes.iter().map(|_| None).collect();
        let mut conditional = false;
        for (attribute, _) in relation.shuffled() {
            conditional |= attributes.get(attribute).is_some_and(|it| it.condition.is_some());
            if let Some(met) = met.get_mut(attribute) {
                *met = Some(BTreeMap::new());
            }
        }
        let row = conditional.then(|| relation.row()).flatten();
        Reader { relation, log: CommitLog::new(relation.pgdata), row, met }
    }

    fn tuple(&mut self, tuple: &[u8], place: TuplePlace) -> Result<(), Fault> {
        let Reader { relation, log, row, met } = self;
        if !log.is_live(tuple) {
            return Ok(());
        }
        if let Some(row) = row {
            row.read(tuple, &relation.storage, place)?;
        }
        walk_attributes(tuple, &relation.storage, |attribute| {
            let Some(Some(met)) = met.get_mut(attribute.index) else { return Ok(()) };
            if row.as_ref().is_some_and(|row| row.slot(attribute.index) != attribute.index) {
                return Ok(());
            }
            let value = tuple.get(moving(&attribute)).unwrap_or_default();
            // Of the empty value there is nothing that could move.
            if value.is_empty() {
                return Ok(());
            }
            let met = met.entry(Class::of(&attribute)).or_default();
            met.varied |= !met.bytes.is_empty() && !met.bytes.starts_with(value);
            met.bytes.extend_from_slice(value);
            met.count += 1;
            Ok::<(), Fault>(())
        })
        .map(drop)
    }

    /// Puts what a task met where all tasks put it.
    fn hand_in(&mut self, task: &Task, shuffles: &mut Shuffles) -> Result<()> {
        let Shuffles { store, columns } = shuffles;
        for (attribute, met) in self.met.iter_mut().enumerate() {
            let Some(met) = met else { continue };
            let column = columns
                .get_mut(&(task.target, attribute))
                .ok_or_else(|| Error::invalid("a column is shuffled that is not planned to be"))?;
            for (class, mut met) in std::mem::take(met) {
                let values = column.classes.entry(class).or_insert_with(|| ClassValues {
                    runs: Vec::new(),
                    len: 0,
                    sample: met.bytes.get(..class.len()).unwrap_or_default().to_vec(),
                    varied: false,
                    cycle: Cycle::Table(Vec::new()),
                });
                values.varied |= met.varied || !met.bytes.starts_with(&values.sample);
                values.runs.push(Run {
                    first_block: task.first_block(),
                    position: store.append(&mut met.bytes)?,
                    count: met.count,
                    before: 0,
                });
            }
        }
        Ok(())
    }
}

impl Relation<'_> {
    /// Its shuffled attributes, and the domain of each.
    pub(in crate::rewrite) fn shuffled(&self) -> impl Iterator<Item = (usize, &str)> {
        let masks = self.masks.iter().enumerate();
        masks.filter_map(|(attribute, mask)| match mask {
            Some(ColumnMask::Shuffle(shuffle)) => Some((attribute, shuffle.domain.as_str())),
            _ => None,
        })
    }
}
