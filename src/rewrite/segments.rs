//! Rewriting file by file, on as many machines as there are. Each task reads the raw data directory
//! and writes what becomes of its files into another.
//!
//! What a heap's segment becomes depends on the raw data, the plan and the key, and on no other task.
//! Values out of line are masked by the columns that refer to them: each segment's task tells what it
//! refers to, and a heap's TOAST table is a task for when all of them have told. A file gets its name
//! when it is whole, so a task that was broken off is done again, and one that was done twice has
//! written the same twice.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::job::{RewriteJob, thread_pool};
use super::pass::{Pass, in_parallel, segment_tasks};
use super::relation::{HeapWorker, Relation, Totals};
use super::shuffle::Shuffles;
use super::sorter::{Record, Room};
use super::structured;
use super::toast::{Reference, References};
use crate::cluster::{ControlFile, Segment, segment_path, segments};
use crate::error::{Error, Refusal, Result};
use crate::fingerprint::{Collector, Limits};
use crate::ids::Oid;
use crate::mask::MaskKey;
use crate::page::BLCKSZ;
use crate::plan::{DatabasePlan, MaskPlan, RelationPlan};
use crate::progress::{Cancel, Progress};

/// How the names of directories begin in which files are that are not whole.
const UNFINISHED: &str = ".thinveil-";

/// One file of a planned heap: a task. Serialises, to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedSegment {
    /// `pg_database.oid`.
    pub database: Oid,
    /// The table's `pg_class.oid`.
    pub relation: Oid,
    /// `database.schema.table`.
    pub table: String,
    /// Its number among the table's segments, from 0.
    pub number: u32,
    /// The file, relative to the data directory.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
}

/// What a task did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentReport {
    /// Values that went through a mask.
    pub values_masked: u64,
    /// Pages read, each with its layout proven.
    pub pages_scanned: u64,
    /// Pages that changed.
    pub pages_rewritten: u64,
}

/// What segments of one heap refer to in its TOAST table: numbers and sizes, no value. Serialises as
/// hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ToastMap {
    kept: RoaringBitmap,
    masked: Vec<Reference>,
}

impl ToastMap {
    /// Adds what another segment of the same heap refers to.
    pub fn merge(&mut self, other: ToastMap) {
        self.kept |= other.kept;
        self.masked.extend(other.masked);
    }

    /// As bytes, to be sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.masked.iter().for_each(|reference| reference.write(&mut bytes));
        let len = (self.masked.len() as u64).to_le_bytes();
        let mut kept = Vec::with_capacity(self.kept.serialized_size());
        // Memory takes it.
        let _ = self.kept.serialize_into(&mut kept);
        [len.as_slice(), &bytes, &kept].concat()
    }

    /// What [`ToastMap::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<ToastMap> {
        let invalid = || Error::invalid("this is no map of a TOAST table");
        let (len, rest) = bytes.split_first_chunk().ok_or_else(invalid)?;
        let len = usize::try_from(u64::from_le_bytes(*len)).ok();
        let len = len.and_then(|len| len.checked_mul(Reference::SIZE)).ok_or_else(invalid)?;
        let (masked, kept) = rest.split_at_checked(len).ok_or_else(invalid)?;
        let kept = RoaringBitmap::deserialize_from(kept).map_err(|_| invalid())?;
        let masked = masked.chunks_exact(Reference::SIZE).filter_map(Reference::read).collect();
        Ok(ToastMap { kept, masked })
    }
}

impl From<ToastMap> for String {
    fn from(map: ToastMap) -> String {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
        let bytes = map.to_bytes();
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

impl TryFrom<String> for ToastMap {
    type Error = Error;

    fn try_from(text: String) -> Result<ToastMap> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
        let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
        let bytes: Option<Vec<u8>> = bytes.collect();
        let bytes = bytes.filter(|_| rest.is_empty());
        ToastMap::from_bytes(&bytes.ok_or_else(|| Error::invalid("these are no digits"))?)
    }
}

/// Rewrites files of one raw data directory, on any machine that has the plan, the key and the files.
pub struct SegmentRewriter<'a> {
    /// What to do.
    pub plan: &'a MaskPlan,
    /// The key.
    pub key: &'a MaskKey,
    /// The raw data directory. No server may be running on it, and nothing is written there.
    pub raw: &'a Path,
    /// Its control file.
    pub control: &'a ControlFile,
    /// Where masked files go, each by the name that it has in the raw directory.
    pub masked: &'a Path,
    /// How many bytes of lists of TOAST values and their chunks are in memory.
    pub toast_memory: usize,
    /// Threads; 0 for as many as there are cores.
    pub threads: usize,
    /// Stops the work.
    pub cancel: &'a Cancel,
    /// Watches the work; counts bytes of one task.
    pub progress: &'a dyn Progress,
}

impl SegmentRewriter<'_> {
    /// The tasks: all files of all planned heaps.
    ///
    /// # Errors
    /// [`Error::Refused`] where a mask looks at more than a segment: at values of other rows
    /// (`shuffle`), or at some that are in no file of the table and, being originals, not in the plan.
    pub fn segments(&self) -> Result<Vec<PlannedSegment>> {
        let refusals: Vec<Refusal> = self.relations().flat_map(refusals).collect();
        if !refusals.is_empty() {
            return Err(Error::Refused(refusals));
        }
        let mut all = Vec::new();
        for (database, plan) in self.relations() {
            let files = segments(&self.raw.join(&plan.path), self.control.relseg_size)?;
            all.extend((0..).zip(files).map(|(number, file)| PlannedSegment {
                database: database.oid,
                relation: plan.oid,
                table: format!("{}.{}.{}", database.name, plan.schema, plan.name),
                number,
                bytes: u64::from(file.blocks) * BLCKSZ as u64 + file.tail,
                path: file.path.strip_prefix(self.raw).unwrap_or(&file.path).to_path_buf(),
            }));
        }
        Ok(all)
    }

    /// Masks one segment. What it refers to out of line is for [`SegmentRewriter::rewrite_toast`].
    pub fn rewrite_segment(&self, segment: &PlannedSegment) -> Result<(SegmentReport, ToastMap)> {
        let (database, plan) = self.find(segment)?;
        let collector = Collector::deaf(self.key);
        let relations = [Relation::compile(database, plan, self.raw, self.key, &collector, 0)?];
        let relations = relations.as_slice();
        let place = self.place()?;
        // As the plan says, whatever the task does.
        let path = segment_path(&plan.path, segment.number);
        let file = copy(self.raw, &path, place.path())?;
        let first_block = segment.number.checked_mul(self.control.relseg_size);
        let first_block = first_block.ok_or_else(|| Error::invalid("no relation is so long"))?;
        let len = fs::metadata(&file).map_err(Error::io("look at", &file))?.len();
        let blocks = u32::try_from(len / BLCKSZ as u64).unwrap_or(u32::MAX);
        let whole = Segment { path: file.clone(), first_block, blocks, tail: len % BLCKSZ as u64 };
        let tasks = segment_tasks(0, &whole)?;
        let pass = self.pass(len);
        let totals = Totals::new(Room::new(place.path(), self.toast_memory), Shuffles::default());
        let targets: Vec<_> = relations.iter().map(Relation::target).collect();
        let (pass_ref, totals_ref, names) = (&pass, &totals, targets.as_slice());
        in_parallel(&thread_pool(self.threads)?, &tasks, move || {
            let mut worker = HeapWorker::new(relations, totals_ref);
            move |task| {
                let (workspace, tuples) = worker.at(task.target)?;
                pass_ref.run(task, names.get(task.target), workspace, tuples)?;
                worker.hand_in_references()
            }
        })?;
        let report = report(&pass, &totals);
        let Totals { unknown_paths, references, .. } = totals;
        let unknown = unknown_paths.into_inner().unwrap_or_else(PoisonError::into_inner);
        structured::refuse_unknown_paths(relations, &unknown)?;
        let mut references = references.into_inner().unwrap_or_else(PoisonError::into_inner);
        let map = references.remove(&0).map(to_map).transpose()?.unwrap_or_default();
        self.hand_over(&file, &path)?;
        Ok((report, map))
    }

    /// Masks what the heap of `segment` has out of line; `map` is of all of its segments.
    pub fn rewrite_toast(&self, segment: &PlannedSegment, map: ToastMap) -> Result<SegmentReport> {
        let (database, plan) = self.find(segment)?;
        let Some(path) = &plan.toast_path else { return Ok(SegmentReport::default()) };
        let collector = Collector::deaf(self.key);
        let relations = [Relation::compile(database, plan, self.raw, self.key, &collector, 0)?];
        let place = self.place()?;
        let mut files = Vec::new();
        for file in segments(&self.raw.join(path), self.control.relseg_size)? {
            let name = file.path.strip_prefix(self.raw).unwrap_or(&file.path).to_path_buf();
            files.push((copy(self.raw, &name, place.path())?, name));
        }
        let job = self.job(place.path());
        let tasks = job.tasks(0, path)?;
        let bytes: u64 = tasks.iter().map(super::pass::Task::bytes).sum();
        // Gone through twice.
        let pass = self.pass(2 * bytes);
        let totals = Totals::new(Room::new(place.path(), self.toast_memory), Shuffles::default());
        let mut references = References::new(&totals.room);
        let ToastMap { kept, mut masked } = map;
        references.kept = kept;
        references.add_masked(&mut masked)?;
        totals.references.lock().unwrap_or_else(PoisonError::into_inner).insert(0, references);
        job.toast(&pass, &thread_pool(self.threads)?, &relations, &totals, 0, &tasks)?;
        for (file, name) in &files {
            self.hand_over(file, name)?;
        }
        Ok(report(&pass, &totals))
    }

    /// What is left when all tasks are done, in place: maps of heaps, values that rows take from
    /// `pg_attribute`, and remains of workers that died. `masked` is a whole data directory by now.
    pub fn finish(&self) -> Result<SegmentReport> {
        self.remove_remains()?;
        let collector = Collector::deaf(self.key);
        let relations = self.relations().map(|(database, plan)| {
            Relation::compile(database, plan, self.raw, self.key, &collector, 0)
        });
        let relations: Vec<Relation<'_>> = relations.collect::<Result<_>>()?;
        let place = self.place()?;
        let job = self.job(self.masked);
        let missing = job.missing_tasks()?;
        let bytes = missing.iter().flat_map(|(.., tasks)| tasks).map(super::pass::Task::bytes);
        let pass = self.pass(bytes.sum());
        let totals = Totals::new(Room::new(place.path(), self.toast_memory), Shuffles::default());
        job.clear_maps(&thread_pool(self.threads)?, &relations)?;
        job.missing_values(&pass, &relations, &totals, &missing)?;
        Ok(report(&pass, &totals))
    }

    fn relations(&self) -> impl Iterator<Item = (&DatabasePlan, &RelationPlan)> {
        let databases = self.plan.databases.iter();
        databases.flat_map(|database| database.relations.iter().map(move |plan| (database, plan)))
    }

    fn find(&self, segment: &PlannedSegment) -> Result<(&DatabasePlan, &RelationPlan)> {
        let is = |(database, plan): &(&DatabasePlan, &RelationPlan)| {
            (database.oid, plan.oid) == (segment.database, segment.relation)
        };
        self.relations()
            .find(is)
            .ok_or_else(|| Error::invalid(format!("{} is not in this plan", segment.table)))
    }

    /// A directory beside the masked files, gone with what is in it unless the process dies.
    fn place(&self) -> Result<TempDir> {
        fs::create_dir_all(self.masked).map_err(Error::io("create", self.masked))?;
        let place = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(self.masked);
        place.map_err(Error::io("create a directory in", self.masked))
    }

    fn remove_remains(&self) -> Result<()> {
        let entries = fs::read_dir(self.masked).map_err(Error::io("read", self.masked))?;
        for entry in entries {
            let entry = entry.map_err(Error::io("read", self.masked))?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                let path = entry.path();
                fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(())
    }

    fn pass(&self, total: u64) -> Pass<'_> {
        let Self { control, cancel, progress, .. } = *self;
        Pass {
            control,
            cancel,
            progress,
            total,
            pages_scanned: 0.into(),
            pages_rewritten: 0.into(),
            done: 0.into(),
        }
    }

    /// What rewrites files in place, in a directory of this rewriter's.
    fn job<'j>(&'j self, pgdata: &'j Path) -> RewriteJob<'j> {
        RewriteJob {
            pgdata,
            control: self.control,
            plan: self.plan,
            key: self.key,
            scratch: pgdata,
            limits: Limits::default(),
            shuffle_memory: 0,
            toast_memory: self.toast_memory,
            threads: self.threads,
            cancel: self.cancel,
            progress: self.progress,
        }
    }

    /// Gives a file that is whole its name.
    fn hand_over(&self, file: &Path, name: &Path) -> Result<()> {
        let target = self.masked.join(name);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        let synced = File::open(file).and_then(|open| open.sync_all());
        synced.map_err(Error::io("write", file))?;
        fs::rename(file, &target).map_err(Error::io("rename", file))
    }
}

/// Copies a file, with its owner, to where it has the same name.
fn copy(from: &Path, name: &Path, to: &Path) -> Result<PathBuf> {
    let (source, target) = (from.join(name), to.join(name));
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    fs::copy(&source, &target).map_err(Error::io("copy", &source))?;
    let (was, is) = (
        fs::metadata(&source).map_err(Error::io("look at", &source))?,
        fs::metadata(&target).map_err(Error::io("look at", &target))?,
    );
    if (was.uid(), was.gid()) != (is.uid(), is.gid()) {
        chown(&target, Some(was.uid()), Some(was.gid())).map_err(Error::io("chown", &target))?;
    }
    Ok(target)
}

fn report(pass: &Pass<'_>, totals: &Totals) -> SegmentReport {
    use std::sync::atomic::Ordering::Relaxed;
    let scanned = pass.pages_scanned.load(Relaxed);
    SegmentReport {
        values_masked: totals.values_masked.load(Relaxed),
        pages_scanned: scanned,
        pages_rewritten: pass.pages_rewritten.load(Relaxed).min(scanned),
    }
}

fn to_map(references: References) -> Result<ToastMap> {
    let References { kept, pointers, .. } = references;
    let mut sorted = pointers.into_sorted()?;
    let mut masked = Vec::new();
    while let Some(reference) = sorted.next()? {
        masked.push(reference);
    }
    Ok(ToastMap { kept, masked })
}

/// Why a relation can't be rewritten segment by segment.
fn refusals((database, plan): (&DatabasePlan, &RelationPlan)) -> Vec<Refusal> {
    let has_missing =
        |index: usize| plan.attributes.get(index).is_some_and(|attribute| attribute.has_missing);
    let why = plan.attributes.iter().filter_map(|attribute| {
        let subject = attribute.subject.iter().map(|subject| subject.attribute);
        let condition = attribute.condition.iter().flat_map(|condition| &condition.columns);
        let mut seen = subject.chain(condition.map(|column| column.attribute));
        let what = if attribute.is_shuffled() {
            "its values change places with those of other segments"
        } else if seen.any(has_missing) {
            "its mask looks at a column that older rows have no value of, and the value that they \
             take is in no plan"
        } else {
            return None;
        };
        let remedy = "mask it in another way, or the whole cluster on one machine";
        let refusal = Refusal::new("not_by_segment", what, remedy);
        let table = format!("{}.{}", plan.schema, plan.name);
        Some(refusal.database(&database.name).table(&table).column(&attribute.name))
    });
    why.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::ToastPointer;

    #[test]
    fn a_map_is_what_it_was_after_a_journey() {
        let pointer = |id| ToastPointer { va_rawsize: 5000 + id, va_extinfo: 4000, va_valueid: id };
        let map = |ids: std::ops::Range<u32>| ToastMap {
            kept: ids.clone().map(|id| id + 100_000).collect(),
            masked: ids.map(|id| Reference::new(pointer(id), 3)).collect(),
        };
        let mut merged = map(0..10);
        merged.merge(map(20..25));
        let bytes = merged.to_bytes();
        assert_eq!(ToastMap::from_bytes(&bytes).unwrap(), merged);
        let text = serde_json::to_string(&merged).unwrap();
        assert_eq!(serde_json::from_str::<ToastMap>(&text).unwrap(), merged);
        for wrong in ["\"0\"", "\"xy\"", "\"00\""] {
            assert!(serde_json::from_str::<ToastMap>(wrong).is_err(), "{wrong}");
        }
        assert_eq!((merged.kept.len(), merged.masked.len()), (15, 15));
        assert_eq!(
            ToastMap::from_bytes(&ToastMap::default().to_bytes()).unwrap(),
            ToastMap::default()
        );
        for cut in 0..bytes.len() {
            assert!(ToastMap::from_bytes(&bytes[..cut]).is_err(), "{cut}");
        }
        assert!(ToastMap::from_bytes(&[0xFF; 40]).is_err());
    }
}
