//! The whole rewrite: heaps, then TOAST tables, then missing values, and the report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::maps;
use super::nulls::NullCounts;
use super::pass::{Pass, Target, Task, Workspace, in_parallel, share_out, tasks};
use super::relation::{HeapWorker, MissingWorker, Relation, Totals};
use super::shuffle::{self, ShuffleReport};
use super::sorter::{Room, Sorter};
use super::structured;
use super::toast::{References, ToastRewriter};
use super::toast_values::{SomeValues, ToastMasking, Values};
use crate::cluster::ControlFile;
use crate::error::{Error, Result};
use crate::fingerprint::{Collector, ColumnName, Gathered, Limits};
use crate::mask::MaskKey;
use crate::plan::{DatabasePlan, MaskPlan, MissingValuesPlan};
use crate::progress::{Cancel, Progress};
use crate::removal::Removal;

/// What to rewrite, and with what.
pub struct RewriteJob<'a> {
    /// The data directory; no server may be running on it.
    pub pgdata: &'a Path,
    /// Its control file.
    pub control: &'a ControlFile,
    /// What to do.
    pub plan: &'a MaskPlan,
    /// The key.
    pub key: &'a MaskKey,
    /// Where fingerprints, values of shuffled columns and lists of TOAST values go that don't fit
    /// into memory, the shuffled values encrypted and in a file without a name: a directory outside
    /// of the data, made if it is needed.
    pub scratch: &'a Path,
    /// How many fingerprints fit,
    pub limits: Limits,
    /// how many bytes of shuffled columns' values,
    pub shuffle_memory: usize,
    /// and how many bytes of lists of TOAST values and their chunks.
    pub toast_memory: usize,
    /// Threads; 0 for as many as there are cores.
    pub threads: usize,
    /// Stops the work.
    pub cancel: &'a Cancel,
    /// Watches the work; counts bytes.
    pub progress: &'a dyn Progress,
}

/// What was rewritten. Pages of TOAST tables and catalogs count too.
#[derive(Debug)]
pub struct RewriteReport {
    /// Values that went through a mask.
    pub values_masked: u64,
    /// Pages read, each with its layout proven.
    pub pages_scanned: u64,
    /// Pages that changed.
    pub pages_rewritten: u64,
    /// What became NULL.
    pub nulls: NullCounts,
    /// Fingerprints of all values, for the audit.
    pub fingerprints: Gathered,
    /// Columns with values that a permutation hides among few.
    pub small_domains: Vec<SmallDomain>,
    /// Columns whose values changed places.
    pub shuffled: Vec<ShuffleReport>,
}

/// A masked column with a value whose permutation has fewer than [`SmallDomain::LIMIT`] others to
/// take it to: who knows some pairs of original and masked values may guess it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmallDomain {
    /// Database.
    pub database: String,
    /// `schema.table`.
    pub table: String,
    /// Column.
    pub column: String,
    /// Values of the smallest domain.
    pub smallest: u64,
}

impl SmallDomain {
    /// A domain of so many values is not small.
    pub const LIMIT: u64 = 1_000_000;
}

impl RewriteJob<'_> {
    /// Rewrites every planned relation. After an error the data directory is good for nothing.
    pub fn run(&self) -> Result<RewriteReport> {
        let collector = Collector::new(self.key, self.scratch, self.limits);
        let mut columns = Vec::new();
        let mut relations = Vec::new();
        for database in &self.plan.databases {
            for plan in &database.relations {
                relations.push(Relation::compile(
                    database,
                    plan,
                    self.pgdata,
                    self.key,
                    &collector,
                    columns.len() as u32,
                )?);
                columns.extend(plan.attributes.iter().map(|attribute| ColumnName {
                    database: database.name.clone(),
                    table: format!("{}.{}", plan.schema, plan.name),
                    column: attribute.name.clone(),
                }));
            }
        }
        let compiled = relations;
        let relations = compiled.as_slice();
        let (mut heap, mut toast) = (Vec::new(), Vec::new());
        for (index, Relation { plan, .. }) in relations.iter().enumerate() {
            heap.extend(self.tasks(index, &plan.path)?);
            if let Some(path) = &plan.toast_path {
                toast.push((index, self.tasks(index, path)?));
            }
        }
        let missing = self.missing_tasks()?;
        // Masked values out of line are gone through a second time.
        let of_toast = toast.iter().flat_map(|(_, tasks)| tasks.iter().chain(tasks));
        // So are heaps with shuffled columns.
        let gathered = heap.iter().filter(|task| shuffle::is_shuffled(relations, task.target));
        let all = heap
            .iter()
            .chain(gathered)
            .chain(of_toast)
            .chain(missing.iter().flat_map(|(.., tasks)| tasks));
        let pass = Pass {
            control: self.control,
            cancel: self.cancel,
            progress: self.progress,
            total: all.map(Task::bytes).sum(),
            pages_scanned: 0.into(),
            pages_rewritten: 0.into(),
            done: 0.into(),
        };
        let threads = thread_pool(self.threads)?;
        let scratch = (self.scratch, self.shuffle_memory);
        let shuffles = shuffle::gather(&pass, &threads, relations, &heap, self.key, scratch)?;
        shuffle::refuse_alone(relations, &shuffles)?;
        let totals = Totals::new(Room::new(self.scratch, self.toast_memory), shuffles);
        let (pass_ref, totals_ref) = (&pass, &totals);

        let targets: Vec<_> = relations.iter().map(Relation::target).collect();
        let names = targets.as_slice();
        in_parallel(&threads, &heap, move || {
            let mut worker = HeapWorker::new(relations, totals_ref);
            move |task: &Task| {
                let (workspace, tuples) = worker.at(task.target)?;
                pass_ref.run(task, names.get(task.target), workspace, tuples)?;
                worker.hand_in_references()
            }
        })?;

        for (index, tasks) in toast.iter().filter(|_| !Removal::Toast.is_off()) {
            self.toast(&pass, &threads, relations, &totals, *index, tasks)?;
        }

        self.clear_maps(&threads, relations)?;
        self.missing_values(&pass, relations, &totals, &missing)?;
        let unknown = totals.unknown_paths.lock().unwrap_or_else(PoisonError::into_inner);
        structured::refuse_unknown_paths(relations, &unknown)?;
        drop(unknown);
        let smallest = totals.smallest_domains.into_inner().unwrap_or_else(PoisonError::into_inner);
        let small_domains = small_domains(relations, smallest);
        let shuffled = shuffle::reports(relations, &totals.shuffles);
        drop(targets);
        drop(compiled);
        Ok(RewriteReport {
            nulls: totals.nulls.into_inner().unwrap_or_else(PoisonError::into_inner),
            fingerprints: collector.gather(columns, &threads)?,
            small_domains,
            shuffled,
            values_masked: totals.values_masked.into_inner(),
            pages_scanned: load(&pass.pages_scanned),
            // A TOAST page whose holes were zeroed and whose chunks were masked counted twice.
            pages_rewritten: load(&pass.pages_rewritten).min(load(&pass.pages_scanned)),
        })
    }

    /// What maps of visibility and of free space hold of blocks that are not there.
    pub(super) fn clear_maps(
        &self,
        threads: &rayon::ThreadPool,
        relations: &[Relation<'_>],
    ) -> Result<()> {
        if Removal::Maps.is_off() {
            return Ok(());
        }
        let heaps = relations.iter().map(|relation| relation.plan);
        let heaps = heaps.flat_map(|plan| std::iter::once(&plan.path).chain(&plan.toast_path));
        let heaps: Vec<_> = heaps.map(|path| self.pgdata.join(path)).collect();
        in_parallel(threads, &heaps, || {
            |heap: &PathBuf| {
                self.cancel.check()?;
                maps::clear(heap, self.control)
            }
        })
    }

    /// The databases that have missing values, and where.
    pub(super) fn missing_tasks(&self) -> Result<Vec<MissingTasks<'_>>> {
        let databases = self.plan.databases.iter().enumerate();
        let missing = databases.filter_map(|(index, database)| {
            let plan = database.missing_values.as_ref()?;
            Some(self.tasks(index, &plan.path).map(|tasks| (database, plan, tasks)))
        });
        missing.collect()
    }

    /// The values of masked columns that older rows take from `pg_attribute`.
    pub(super) fn missing_values(
        &self,
        pass: &Pass<'_>,
        relations: &[Relation<'_>],
        totals: &Totals,
        missing: &[MissingTasks<'_>],
    ) -> Result<()> {
        for (database, plan, tasks) in missing.iter().filter(|_| !Removal::MissingValues.is_off()) {
            let target = Target {
                name: format!("{}.pg_catalog.pg_attribute", database.name),
                columns: vec![],
            };
            let mut worker = MissingWorker::new(plan, database, relations, totals)?;
            for task in tasks {
                pass.run(task, Some(&target), &mut worker.workspace, &mut worker.rewriter)?;
            }
        }
        Ok(())
    }

    /// One relation's TOAST table: what nobody refers to is zeroed, then masked values are masked.
    pub(super) fn toast(
        &self,
        pass: &Pass<'_>,
        threads: &rayon::ThreadPool,
        relations: &[Relation<'_>],
        totals: &Totals,
        index: usize,
        tasks: &[Task],
    ) -> Result<()> {
        let Some(relation) = relations.get(index) else { return Ok(()) };
        let Some(path) = &relation.plan.toast_path else { return Ok(()) };
        let references = {
            let mut all = totals.references.lock().unwrap_or_else(PoisonError::into_inner);
            all.remove(&index).unwrap_or_else(|| References::new(&totals.room))
        };
        let target = &relation.toast_target();
        let found = Mutex::new((Sorter::new(&totals.room), RoaringBitmap::new()));
        in_parallel(threads, tasks, || {
            let mut workspace = Workspace::new();
            let mut tuples = ToastRewriter::new(&references);
            let found = &found;
            move |task: &Task| {
                pass.run(task, Some(target), &mut workspace, &mut tuples)?;
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.1 |= std::mem::take(&mut tuples.blocks);
                found.0.add(&mut tuples.chunks)
            }
        })?;
        let (chunks, blocks) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        pass.pages_rewritten.fetch_add(blocks.len(), Ordering::Relaxed);
        let columns = relation.slot_names();
        let path = self.pgdata.join(path);
        let values = Mutex::new(Values::new(chunks, references.pointers)?);
        let masking = &ToastMasking::new(pass, target, &columns, &path)?;
        let next = || values.lock().unwrap_or_else(PoisonError::into_inner).next();
        share_out(threads, next, || {
            let mut worker = HeapWorker::new(relations, totals);
            let mut buffer = Vec::new();
            move |some: SomeValues| {
                let (workspace, heap) = worker.at(index)?;
                some.iter().try_for_each(|value| masking.mask(&value, workspace, heap, &mut buffer))
            }
        })
    }

    pub(super) fn tasks(&self, target: usize, path: &Path) -> Result<Vec<Task>> {
        tasks(target, &self.pgdata.join(path), self.control)
    }
}

/// A database, where its missing values are, and the tasks of that file.
pub(super) type MissingTasks<'a> = (&'a DatabasePlan, &'a MissingValuesPlan, Vec<Task>);

pub(super) fn thread_pool(threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("rewrite-{index}"))
        .build()
        .map_err(|error| Error::invalid(format!("can't start {threads} threads: {error}")))
}

fn small_domains(
    relations: &[Relation<'_>],
    smallest: BTreeMap<(usize, usize), u64>,
) -> Vec<SmallDomain> {
    let small = smallest.into_iter().filter(|(_, size)| *size < SmallDomain::LIMIT);
    let small = small.filter_map(|((relation, attribute), smallest)| {
        let Relation { database, plan, .. } = relations.get(relation)?;
        Some(SmallDomain {
            database: database.name.clone(),
            table: format!("{}.{}", plan.schema, plan.name),
            column: plan.attributes.get(attribute)?.name.clone(),
            smallest,
        })
    });
    small.collect()
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
