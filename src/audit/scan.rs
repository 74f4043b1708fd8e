//! The scan over all files of a volume, and what its findings mean.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::locate::{Cell, locate};
use super::patterns::{LONGEST, PatternSet};
use crate::cluster::FileMap;
use crate::error::{Error, Refusal, Result};
use crate::page::{BLCKSZ, Block, Storage};
use crate::plan::{Action, AttributePlan, MaskPlan, RelationPlan};
use crate::progress::{Cancel, Progress, Stage};
use crate::rewrite::ColumnOriginals;

/// Bytes searched at once; whole blocks.
const CHUNK: u64 = 4 << 20;
/// Bytes before a chunk that serve as context: a varlena header.
const BEFORE: u64 = 8;
/// Findings kept for the report; more of them refuse the snapshot as a whole.
const FINDINGS_KEPT: usize = 200_000;

/// What to search, and for what.
pub struct AuditJob<'a> {
    /// The volume: `data/` and `tablespaces/`.
    pub volume: &'a Path,
    /// What was masked.
    pub plan: &'a MaskPlan,
    /// Original values of every masked column.
    pub originals: &'a [ColumnOriginals],
    /// Which relation each file of the data directory belongs to.
    pub files: &'a FileMap,
    /// Threads; 0 for as many as there are cores.
    pub threads: usize,
    /// Stops the work.
    pub cancel: &'a Cancel,
    /// Watches the work; counts bytes.
    pub progress: &'a dyn Progress,
}

/// What was searched, and what was found. Holds no value.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct AuditReport {
    /// Files searched.
    pub files: u64,
    /// Bytes searched.
    pub bytes: u64,
    /// Distinct original values searched for.
    pub values_searched: u64,
    /// Of these, values that are also masked output, or in `template0`, or in a column that the
    /// rule set accepts: finding them elsewhere proves nothing.
    pub values_set_apart: u64,
    /// Values, not distinct, that are too short or too common in form to be searched for.
    pub values_unsearchable: u64,
    /// Occurrences by kind of place; all zero, or there would be no snapshot.
    pub residue: BTreeMap<String, u64>,
}

/// A file to search.
struct Target<'a> {
    path: PathBuf,
    /// Relative to the volume.
    name: PathBuf,
    len: u64,
    relation: Option<&'a RelationPlan>,
    owner: Option<&'a crate::cluster::FileOwner>,
    storage: Vec<Storage>,
    pristine: bool,
}

/// Where a pattern was found: file, attribute there if known, and the first position.
type FindingKey = (usize, Option<usize>, usize);

/// What a refusal speaks of: masked column, file, attribute there if known.
type PlaceKey = (u32, usize, Option<usize>);

struct Scan<'a> {
    job: &'a AuditJob<'a>,
    patterns: PatternSet,
    set_apart: Vec<AtomicBool>,
    findings: Mutex<HashMap<FindingKey, (u64, u64)>>,
    /// True if there were more findings than are kept.
    overflow: AtomicBool,
    done: AtomicU64,
    total: u64,
}

impl AuditJob<'_> {
    /// Searches every byte of every file. Refuses where an original is found.
    pub fn run(&self) -> Result<AuditReport> {
        let targets = self.targets()?;
        let patterns =
            PatternSet::new(self.originals.iter().zip(0u32..).flat_map(|(originals, column)| {
                let values = originals.sample.iter();
                values.map(move |value| (column, originals.value_type, value.as_ref()))
            }));
        let scan = Scan {
            job: self,
            set_apart: (0..patterns.len()).map(|_| AtomicBool::new(false)).collect(),
            patterns,
            findings: Mutex::default(),
            overflow: AtomicBool::new(false),
            done: AtomicU64::new(0),
            total: targets.iter().map(|target| target.len).sum(),
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .build()
            .map_err(|error| Error::invalid(format!("can't start threads: {error}")))?;
        // First the places that may hold an original by chance or by the user's word: what is
        // found there is set apart, and the second pass need not wonder about it.
        pool.install(|| scan.run(&targets, Target::may_set_apart))?;
        scan.forget_what_was_set_apart();
        pool.install(|| scan.run(&targets, |target| !target.may_set_apart()))?;
        scan.report(&targets)
    }

    fn targets(&self) -> Result<Vec<Target<'_>>> {
        let mut planned: HashMap<&Path, &RelationPlan> = HashMap::new();
        for relation in self.plan.databases.iter().flat_map(|database| &database.relations) {
            planned.insert(&relation.path, relation);
        }
        let mut targets = Vec::new();
        for entry in walkdir::WalkDir::new(self.volume).sort_by_file_name() {
            let entry = entry.map_err(|error| Error::Io {
                action: "read",
                path: self.volume.to_path_buf(),
                source: error.into(),
            })?;
            if !entry.file_type().is_file() {
                continue;
            }
            let path = entry.into_path();
            let len = std::fs::metadata(&path).map_err(Error::io("look at", &path))?.len();
            let name = path.strip_prefix(self.volume).unwrap_or(&path).to_path_buf();
            let first_segment = self.files.first_segment(&name);
            let owner = self.files.owner(&first_segment);
            targets.push(Target {
                relation: planned.get(first_segment.as_path()).copied(),
                storage: owner.map(|owner| owner.storage()).unwrap_or_default(),
                pristine: self.files.is_pristine(&first_segment),
                owner,
                path,
                name,
                len,
            });
        }
        Ok(targets)
    }
}

impl Target<'_> {
    /// True if what is found here may be there by right.
    fn may_set_apart(&self) -> bool {
        self.pristine
            || self.owner.is_some_and(|owner| owner.attributes.iter().any(|a| a.accept_originals))
            || self.relation.is_some_and(RelationPlan::is_masked)
    }

    /// True if attribute `index` holds masked output, or may hold originals by the user's word.
    fn holds_by_right(&self, index: usize) -> bool {
        let masked = self.relation.and_then(|relation| relation.attributes.get(index)).is_some_and(
            |attribute| {
                // Shuffled values are as real as kept ones.
                matches!(attribute.action, Action::Mask(_)) && !attribute.is_shuffled()
            },
        );
        let accepted = self
            .owner
            .and_then(|owner| owner.attributes.get(index))
            .is_some_and(|attribute| attribute.accept_originals);
        masked || accepted
    }

    /// True if attribute `index` holds values that are masked part by part.
    fn masks_parts(&self, index: usize) -> bool {
        self.relation
            .and_then(|relation| relation.attributes.get(index))
            .is_some_and(AttributePlan::is_masked_by_parts)
    }

    /// What kind of place it is, for counts.
    fn kind(&self) -> &'static str {
        match self.owner {
            Some(owner) if owner.system => "catalog",
            Some(owner) => match owner.relkind {
                'i' | 'I' => "index",
                't' => "toast",
                _ => "table",
            },
            None if self.name.starts_with("data/pg_wal") => "wal",
            None => "other",
        }
    }
}

impl Scan<'_> {
    fn is_apart(&self, pattern: usize) -> bool {
        self.set_apart.get(pattern).is_some_and(|apart| apart.load(Ordering::Relaxed))
    }

    /// Makes room for findings that mean something.
    fn forget_what_was_set_apart(&self) {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        findings.retain(|(_, _, pattern), _| !self.is_apart(*pattern));
    }

    fn run<'t>(&self, targets: &[Target<'t>], which: impl Fn(&Target<'t>) -> bool) -> Result<()> {
        let chunks: Vec<(usize, u64)> = targets
            .iter()
            .enumerate()
            .filter(|(_, target)| which(target))
            .flat_map(|(index, target)| {
                (0..target.len).step_by(CHUNK as usize).map(move |start| (index, start))
            })
            .collect();
        chunks.par_iter().with_max_len(1).try_for_each_init(Vec::new, |buffer, (index, start)| {
            self.job.cancel.check()?;
            let Some(target) = targets.get(*index) else { return Ok(()) };
            self.chunk(*index, target, *start, buffer)?;
            let len = CHUNK.min(target.len - start);
            let done = self.done.fetch_add(len, Ordering::Relaxed) + len;
            self.job.progress.update(Stage::Audit, done, self.total);
            Ok(())
        })
    }

    fn chunk(
        &self,
        index: usize,
        target: &Target<'_>,
        start: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<()> {
        let begin = start.saturating_sub(BEFORE);
        let end = (start + CHUNK + LONGEST as u64).min(target.len);
        buffer.resize((end - begin) as usize, 0);
        let file = File::open(&target.path).map_err(Error::io("open", &target.path))?;
        file.read_exact_at(buffer, begin).map_err(Error::io("read", &target.path))?;
        let from = (start - begin) as usize;
        let to = from + CHUNK.min(target.len - start) as usize;
        let may_set_apart = target.may_set_apart();
        self.patterns.search(buffer, from, to, |position, pattern, counts| {
            if !counts && !may_set_apart {
                return;
            }
            let apart = self.set_apart.get(pattern);
            if apart.is_none_or(|apart| apart.load(Ordering::Relaxed)) {
                return;
            }
            let in_chunk = position - from;
            let chunk = buffer.get(from..).unwrap_or_default();
            let cell = attribute_at(chunk, in_chunk, target);
            let attribute = cell.as_ref().map(|(attribute, _)| *attribute);
            let by_right = target.pristine
                || attribute.is_some_and(|attribute| target.holds_by_right(attribute));
            // What stands around a datum in its heap does not stand around it in an index. And
            // parts of a masked value stand side by side, with nothing between them.
            let alone = || {
                cell.as_ref().is_some_and(|(attribute, range)| {
                    let datum = chunk.get(range.clone()).unwrap_or_default();
                    target.masks_parts(*attribute)
                        || by_right
                            && self.patterns.counts_alone(datum, in_chunk - range.start, pattern)
                })
            };
            if !counts && !alone() {
                return;
            }
            if by_right && let Some(apart) = apart {
                apart.store(true, Ordering::Relaxed);
                return;
            }
            let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
            let found = start + in_chunk as u64;
            if findings.len() >= FINDINGS_KEPT {
                self.overflow.store(true, Ordering::Relaxed);
                return;
            }
            let entry = findings.entry((index, attribute, pattern)).or_insert((0, found));
            entry.0 += 1;
            entry.1 = entry.1.min(found);
        });
        Ok(())
    }

    fn report(self, targets: &[Target<'_>]) -> Result<AuditReport> {
        let is_apart = |pattern: usize| self.is_apart(pattern);
        let mut residue: BTreeMap<String, u64> =
            ["table", "index", "toast", "catalog", "wal", "other"]
                .map(|kind| (kind.into(), 0))
                .into();
        // By masked column, file and attribute: values, occurrences, first position.
        let mut places: BTreeMap<PlaceKey, (u64, u64, u64)> = BTreeMap::new();
        let findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        for ((file, attribute, pattern), (count, first)) in findings.iter() {
            if is_apart(*pattern) {
                continue;
            }
            if let Some(target) = targets.get(*file) {
                *residue.entry(target.kind().into()).or_default() += count;
            }
            for column in self.patterns.columns(*pattern) {
                let place = places.entry((*column, *file, *attribute)).or_insert((0, 0, u64::MAX));
                *place = (place.0 + 1, place.1 + count, place.2.min(*first));
            }
        }
        if places.is_empty() && self.overflow.load(Ordering::Relaxed) {
            return Err(Error::Refused(vec![Refusal::new(
                "residue",
                format!("originals occur in more than {FINDINGS_KEPT} places"),
                "mask the columns that hold them, or say accept_originals = true for those that may",
            )]));
        }
        if places.is_empty() {
            return Ok(AuditReport {
                files: targets.len() as u64,
                bytes: self.total,
                values_searched: self.patterns.len() as u64,
                values_set_apart: (0..self.patterns.len()).filter(|p| is_apart(*p)).count() as u64,
                values_unsearchable: self.job.originals.iter().map(|o| o.unsearchable).sum(),
                residue,
            });
        }
        let refusals = places.iter().filter_map(|((column, file, attribute), place)| {
            let originals = self.job.originals.get(*column as usize)?;
            Some(refusal(originals, targets.get(*file)?, *attribute, *place))
        });
        Err(Error::Refused(refusals.collect()))
    }
}

/// The attribute that `position` of a chunk lies in, and where in the chunk that is, if the file is
/// a heap whose layout is known.
fn attribute_at(
    chunk: &[u8],
    position: usize,
    target: &Target<'_>,
) -> Option<(usize, Range<usize>)> {
    if target.storage.is_empty() {
        return None;
    }
    let block: &Block = chunk.as_chunks::<BLCKSZ>().0.get(position / BLCKSZ)?;
    match locate(block, position % BLCKSZ, &target.storage) {
        Ok(Cell::Attribute { index, range, .. }) => {
            let start = position - position % BLCKSZ;
            Some((index, start + range.start..start + range.end))
        }
        Ok(Cell::None) | Err(_) => None,
    }
}

fn refusal(
    originals: &ColumnOriginals,
    target: &Target<'_>,
    attribute: Option<usize>,
    (values, occurrences, first): (u64, u64, u64),
) -> Refusal {
    let file = format!("{}, byte {first}", target.name.display());
    let column = target.owner.zip(attribute).and_then(|(owner, index)| {
        owner.attributes.get(index).map(|attribute| (owner, attribute.name.as_str()))
    });
    let (place, remedy) = match (column, target.owner) {
        (Some((owner, column)), _) if !owner.system => (
            format!("kept column {}.{column} ({file})", owner.display_name()),
            format!(
                "mask {column} of {} too, or say that it may hold them:\n{column} = {{ mask = \"keep\", accept_originals = true }}",
                owner.display_name()
            ),
        ),
        (_, Some(owner)) => (
            format!("{} ({file})", owner.display_name()),
            "find out how the value came there (a literal in code, a comment, a kept column \
             that is indexed) and change it in the source, or mask that column"
                .to_owned(),
        ),
        (_, None) => (
            file,
            "remove that file from the source, or report it: thinveil does not know it".to_owned(),
        ),
    };
    Refusal::new(
        "residue",
        format!("{values} of its original values occur {occurrences} times in {place}"),
        remedy,
    )
    .database(&originals.database)
    .table(&originals.table)
    .column(&originals.column)
}
