//! The whole rewrite: tasks over segments, threads, progress, and the report.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::heap::{Column, HeapRewriter};
use super::page::{Fault, PageRewriter, TupleRewriter};
use super::sample::{ColumnOriginals, Sampler};
use super::toast::ToastRewriter;
use crate::cluster::{ControlFile, Segment, segments};
use crate::error::{Error, Place, Result};
use crate::ids::BlockNumber;
use crate::mask::{Mask, MaskKey};
use crate::page::{BLCKSZ, Block, PageError, PageHeader, Storage, page_checksum};
use crate::plan::{Action, DatabasePlan, MaskPlan, RelationPlan};
use crate::progress::{Cancel, Progress, Stage};

/// Blocks read and written at once.
const CHUNK_BLOCKS: u32 = 128;
/// Blocks in one task: small enough to keep all threads busy until the end.
const TASK_BLOCKS: u32 = 8 * CHUNK_BLOCKS;

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
    /// Threads; 0 for as many as there are cores.
    pub threads: usize,
    /// Stops the work.
    pub cancel: &'a Cancel,
    /// Watches the work; counts bytes.
    pub progress: &'a dyn Progress,
}

/// What was rewritten. Pages of TOAST tables count too.
#[derive(Debug, Default)]
pub struct RewriteReport {
    /// Values that went through a mask.
    pub values_masked: u64,
    /// Pages read, each with its layout proven.
    pub pages_scanned: u64,
    /// Pages that changed.
    pub pages_rewritten: u64,
    /// Bytes in the pages scanned.
    pub bytes_scanned: u64,
    /// Original values for the audit, by masked column.
    pub originals: Vec<ColumnOriginals>,
}

/// A planned relation with its masks compiled.
struct Relation<'a> {
    database: &'a DatabasePlan,
    plan: &'a RelationPlan,
    storage: Vec<Storage>,
    masks: Vec<Option<Mask>>,
}

/// Part of a segment of a relation's heap or TOAST table.
struct Task {
    relation: usize,
    segment: Segment,
    first: u32,
    blocks: u32,
}

/// What the threads add up.
#[derive(Default)]
struct Totals {
    values_masked: AtomicU64,
    pages_scanned: AtomicU64,
    pages_rewritten: AtomicU64,
    /// By relation and attribute.
    samplers: Mutex<BTreeMap<(usize, usize), Sampler>>,
    /// By relation: TOAST values that kept attributes refer to.
    kept_toast: Mutex<BTreeMap<usize, HashSet<u32>>>,
}

impl RewriteJob<'_> {
    /// Rewrites every planned relation. After an error the data directory is good for nothing.
    pub fn run(&self) -> Result<RewriteReport> {
        let relations = self.relations()?;
        let totals = Totals::default();
        let heap = self.tasks(&relations, |relation| Some(relation.path.as_path()))?;
        let toast = self.tasks(&relations, |relation| relation.toast_path.as_deref())?;
        let bytes = |tasks: &[Task]| -> u64 {
            tasks.iter().map(|task| u64::from(task.blocks) * BLCKSZ as u64).sum()
        };
        let total = bytes(&heap) + bytes(&toast);

        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .thread_name(|index| format!("rewrite-{index}"))
            .build()
            .map_err(|error| {
                Error::invalid(format!("can't start {} threads: {error}", self.threads))
            })?;
        let shared = (relations.as_slice(), &totals);
        self.in_parallel(&pool, &heap, move || {
            let (relations, totals) = shared;
            let mut worker = HeapWorker::new(relations, totals);
            move |task: &Task| {
                let (pages, tuples) = worker.at(task.relation)?;
                self.run_task(task, relations, pages, tuples, totals, total)
            }
        })?;
        let kept =
            std::mem::take(&mut *totals.kept_toast.lock().unwrap_or_else(PoisonError::into_inner));
        let kept_toast = (&kept, &HashSet::new());
        self.in_parallel(&pool, &toast, move || {
            let ((relations, totals), (kept, none)) = (shared, kept_toast);
            let mut pages = PageRewriter::new();
            move |task: &Task| {
                let mut tuples = ToastRewriter::new(kept.get(&task.relation).unwrap_or(none));
                self.run_task(task, relations, &mut pages, &mut tuples, totals, total)
            }
        })?;
        Ok(self.report(&relations, totals, total))
    }

    fn relations(&self) -> Result<Vec<Relation<'_>>> {
        let mut relations = Vec::new();
        for database in &self.plan.databases {
            for plan in &database.relations {
                let mut storage = Vec::with_capacity(plan.attributes.len());
                let mut masks = Vec::with_capacity(plan.attributes.len());
                for attribute in &plan.attributes {
                    let kind = attribute.storage;
                    storage.push(Storage::new(kind.attlen, kind.align).ok_or_else(|| {
                        Error::invalid(format!(
                            "{}.{}.{}: attlen {} with alignment {} is no storage of PostgreSQL's",
                            plan.schema, plan.name, attribute.name, kind.attlen, kind.align
                        ))
                    })?);
                    masks.push(match &attribute.action {
                        Action::Mask(spec) => Some(Mask::compile(spec, self.key)?),
                        Action::Keep | Action::Zero => None,
                    });
                }
                relations.push(Relation { database, plan, storage, masks });
            }
        }
        Ok(relations)
    }

    fn tasks<'p>(
        &self,
        relations: &[Relation<'p>],
        path: impl Fn(&'p RelationPlan) -> Option<&'p Path>,
    ) -> Result<Vec<Task>> {
        let mut tasks = Vec::new();
        for (relation, Relation { plan, .. }) in relations.iter().enumerate() {
            let Some(path) = path(plan) else { continue };
            for segment in segments(&self.pgdata.join(path), self.control.relseg_size)? {
                clear_tail(&segment)?;
                for first in (0..segment.blocks).step_by(TASK_BLOCKS as usize) {
                    let blocks = TASK_BLOCKS.min(segment.blocks - first);
                    tasks.push(Task { relation, segment: segment.clone(), first, blocks });
                }
            }
        }
        Ok(tasks)
    }

    /// Runs `tasks` in order on all threads of `pool`, each with one worker of its own.
    fn in_parallel<W>(
        &self,
        pool: &rayon::ThreadPool,
        tasks: &[Task],
        worker: impl Fn() -> W + Sync,
    ) -> Result<()>
    where
        W: FnMut(&Task) -> Result<()>,
    {
        let next = AtomicUsize::new(0);
        let results = pool.broadcast(|_| {
            let mut work = worker();
            while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = work(task) {
                    // The other threads find no more tasks.
                    next.store(tasks.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
            Ok(())
        });
        results.into_iter().collect()
    }

    fn run_task<T: TupleRewriter>(
        &self,
        task: &Task,
        relations: &[Relation<'_>],
        pages: &mut PageRewriter,
        tuples: &mut T,
        totals: &Totals,
        total: u64,
    ) -> Result<()> {
        let path = &task.segment.path;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(Error::io("open", path))?;
        let mut raw = vec![0; CHUNK_BLOCKS as usize * BLCKSZ];
        let mut out = raw.clone();
        for first in (task.first..task.first + task.blocks).step_by(CHUNK_BLOCKS as usize) {
            self.cancel.check()?;
            let blocks = CHUNK_BLOCKS.min(task.first + task.blocks - first);
            let len = blocks as usize * BLCKSZ;
            let (Some(raw), Some(out)) = (raw.get_mut(..len), out.get_mut(..len)) else {
                return Err(Error::invalid("a chunk is longer than its buffer"));
            };
            let position = u64::from(first) * BLCKSZ as u64;
            file.read_exact_at(raw, position).map_err(Error::io("read", path))?;
            out.copy_from_slice(raw);
            let mut changed = [false; CHUNK_BLOCKS as usize];
            let pairs = raw.as_chunks().0.iter().zip(out.as_chunks_mut().0);
            for (index, ((raw, out), changed)) in (0..).zip(pairs.zip(&mut changed)) {
                let block = BlockNumber(task.segment.first_block + first + index);
                *changed = self
                    .rewrite_page(raw, out, block, pages, tuples)
                    .map_err(|fault| fault.at(relations.get(task.relation), block))?;
            }
            write_changed(&file, position, out, &changed).map_err(Error::io("write", path))?;
            let rewritten = changed.iter().filter(|changed| **changed).count() as u64;
            totals.pages_rewritten.fetch_add(rewritten, Ordering::Relaxed);
            let scanned = totals.pages_scanned.fetch_add(u64::from(blocks), Ordering::Relaxed);
            let done = (scanned + u64::from(blocks)) * BLCKSZ as u64;
            self.progress.update(Stage::Rewrite, done, total);
        }
        Ok(())
    }

    /// Rewrites one page; true if it changed.
    fn rewrite_page<T: TupleRewriter>(
        &self,
        raw: &Block,
        out: &mut Block,
        block: BlockNumber,
        pages: &mut PageRewriter,
        tuples: &mut T,
    ) -> Result<bool, PageFault> {
        if self.control.checksums
            && let Some(header) = PageHeader::read(raw).map_err(Fault::from)?
        {
            let expected = page_checksum(raw, block.0);
            if header.pd_checksum != expected {
                return Err(PageFault::Checksum { expected, got: header.pd_checksum });
            }
        }
        pages.rewrite(raw, out, tuples)?;
        let changed = raw.as_slice() != out.as_slice();
        if changed && self.control.checksums {
            let checksum = page_checksum(out, block.0);
            PageHeader::set_checksum(out, checksum);
        }
        Ok(changed)
    }

    fn report(&self, relations: &[Relation<'_>], totals: Totals, bytes: u64) -> RewriteReport {
        let samplers = totals.samplers.into_inner().unwrap_or_else(PoisonError::into_inner);
        let originals = samplers.into_iter().filter_map(|((relation, attribute), sampler)| {
            let Relation { database, plan, .. } = relations.get(relation)?;
            let attribute = plan.attributes.get(attribute)?;
            let Action::Mask(spec) = &attribute.action else { return None };
            let (values, unsearchable, sample) = sampler.into_parts();
            Some(ColumnOriginals {
                database: database.name.clone(),
                table: format!("{}.{}", plan.schema, plan.name),
                column: attribute.name.clone(),
                value_type: spec.value_type,
                values,
                unsearchable,
                sample,
            })
        });
        RewriteReport {
            originals: originals.collect(),
            values_masked: totals.values_masked.into_inner(),
            pages_scanned: totals.pages_scanned.into_inner(),
            pages_rewritten: totals.pages_rewritten.into_inner(),
            bytes_scanned: bytes,
        }
    }
}

/// One thread's state for heap tasks: the rewriter of the relation it is at.
struct HeapWorker<'a> {
    relations: &'a [Relation<'a>],
    totals: &'a Totals,
    pages: PageRewriter,
    current: Option<(usize, HeapRewriter<'a>)>,
}

impl<'a> HeapWorker<'a> {
    fn new(relations: &'a [Relation<'a>], totals: &'a Totals) -> Self {
        HeapWorker { relations, totals, pages: PageRewriter::new(), current: None }
    }

    /// The rewriter for `relation`; hands in the results of the one before.
    fn at(&mut self, relation: usize) -> Result<(&mut PageRewriter, &mut HeapRewriter<'a>)> {
        if self.current.as_ref().is_none_or(|(current, _)| *current != relation) {
            self.hand_in();
            let planned = self
                .relations
                .get(relation)
                .ok_or_else(|| Error::invalid("a task names a relation that is not planned"))?;
            self.current = Some((relation, planned.rewriter()));
        }
        match &mut self.current {
            Some((_, rewriter)) => Ok((&mut self.pages, rewriter)),
            None => Err(Error::invalid("a task names no relation")),
        }
    }

    fn hand_in(&mut self) {
        let Some((relation, mut rewriter)) = self.current.take() else { return };
        self.totals.values_masked.fetch_add(rewriter.values_masked, Ordering::Relaxed);
        let kept = std::mem::take(&mut rewriter.kept_toast);
        if !kept.is_empty() {
            let mut all = self.totals.kept_toast.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(relation).or_default().extend(kept);
        }
        let mut all = self.totals.samplers.lock().unwrap_or_else(PoisonError::into_inner);
        for (attribute, sampler) in rewriter.into_samplers() {
            all.entry((relation, attribute)).or_default().absorb(sampler);
        }
    }
}

impl Drop for HeapWorker<'_> {
    fn drop(&mut self) {
        self.hand_in();
    }
}

impl Relation<'_> {
    fn rewriter(&self) -> HeapRewriter<'_> {
        let columns = self.plan.attributes.iter().zip(&self.masks);
        let columns = columns.map(|(attribute, mask)| match (&attribute.action, mask) {
            (Action::Mask(spec), Some(mask)) => Column::Mask {
                masker: mask.masker(),
                value_type: spec.value_type,
                sampler: Sampler::default(),
            },
            (Action::Zero, _) => Column::Zero,
            _ => Column::Keep,
        });
        HeapRewriter::new(self.storage.clone(), columns.collect())
    }
}

/// Why a page could not be rewritten, checksum included.
enum PageFault {
    Fault(Fault),
    Checksum { expected: u16, got: u16 },
}

impl From<Fault> for PageFault {
    fn from(fault: Fault) -> PageFault {
        PageFault::Fault(fault)
    }
}

impl PageFault {
    /// The error for a page of `relation`.
    fn at(self, relation: Option<&Relation<'_>>, block: BlockNumber) -> Error {
        let place = |line_pointer: Option<u16>, attribute: Option<usize>| {
            let attribute = relation.zip(attribute);
            Box::new(Place {
                relation: relation.map(Relation::display_name).unwrap_or_default(),
                block: Some(block),
                line_pointer,
                column: attribute.and_then(|(relation, index)| {
                    relation.plan.attributes.get(index).map(|attribute| attribute.name.clone())
                }),
            })
        };
        match self {
            PageFault::Checksum { expected, got } => {
                Error::ChecksumMismatch { place: place(None, None), expected, got }
            }
            PageFault::Fault(Fault::Page(PageError { what, line_pointer, attribute })) => {
                Error::Corrupt { place: place(line_pointer, attribute), what }
            }
            PageFault::Fault(Fault::Unsupported { what, attribute, line_pointer }) => {
                Error::UnsupportedDatum { place: place(Some(line_pointer), Some(attribute)), what }
            }
            PageFault::Fault(Fault::Layout) => Error::LayoutDeviation { place: place(None, None) },
        }
    }
}

impl Relation<'_> {
    fn display_name(&self) -> String {
        format!("{}.{}.{}", self.database.name, self.plan.schema, self.plan.name)
    }
}

/// Writes the pages of `pages` that `changed` marks, neighbours in one go.
fn write_changed(
    file: &File,
    position: u64,
    pages: &[u8],
    changed: &[bool],
) -> std::io::Result<()> {
    let mut start = 0;
    for run in changed.chunk_by(|left, right| left == right) {
        let end = start + run.len() * BLCKSZ;
        if run.first() == Some(&true)
            && let Some(bytes) = pages.get(start..end)
        {
            file.write_all_at(bytes, position + start as u64)?;
        }
        start = end;
    }
    Ok(())
}

/// Zeroes what a torn extension left behind a segment's last whole block; PostgreSQL ignores it.
fn clear_tail(segment: &Segment) -> Result<()> {
    if segment.tail == 0 {
        return Ok(());
    }
    let zeroes = vec![0; segment.tail as usize];
    let end = u64::from(segment.blocks) * BLCKSZ as u64;
    OpenOptions::new()
        .write(true)
        .open(&segment.path)
        .and_then(|file| file.write_all_at(&zeroes, end))
        .map_err(Error::io("write", &segment.path))
}
