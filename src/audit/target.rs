//! The files of a volume, and what may stand in them by right.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::cluster::{FileMap, FileOwner};
use crate::datum::ValueType;
use crate::error::{Error, Result};
use crate::page::{BLCKSZ, Storage};
use crate::plan::{Action, MaskPlan, RelationPlan};

/// A file to search.
pub(super) struct Target<'a> {
    pub(super) path: PathBuf,
    /// Relative to the volume.
    pub(super) name: PathBuf,
    pub(super) len: u64,
    pub(super) relation: Option<&'a RelationPlan>,
    pub(super) owner: Option<&'a FileOwner>,
    /// How its tuples are laid out; empty if it is no heap.
    pub(super) storage: Vec<Storage>,
    /// Nobody's data is in there.
    pub(super) pristine: bool,
    /// The number of the first block.
    pub(super) first_block: u32,
    /// The target of the relation's first segment, or itself.
    pub(super) first: usize,
    /// A TOAST table's relation: its first segment.
    pub(super) main: Option<usize>,
}

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Whatever it held.
    Kept,
    /// Whatever it held, and the user says that originals may be among that.
    Accepted,
    /// Masked output; its type, unless it has parts.
    Masked(Option<ValueType>),
}

/// All files of the volume, in the order of their names.
pub(super) fn targets<'a>(
    volume: &Path,
    plan: &'a MaskPlan,
    files: &'a FileMap,
) -> Result<Vec<Target<'a>>> {
    let mut planned: HashMap<&Path, &RelationPlan> = HashMap::new();
    for relation in plan.databases.iter().flat_map(|database| &database.relations) {
        planned.insert(&relation.path, relation);
    }
    let mut targets = Vec::new();
    let mut mains: Vec<Option<&Path>> = Vec::new();
    // The first segments of main forks.
    let mut firsts: HashMap<PathBuf, usize> = HashMap::new();
    for entry in walkdir::WalkDir::new(volume).sort_by_file_name() {
        let entry = entry.map_err(|error| Error::Io {
            action: "read",
            path: volume.to_path_buf(),
            source: error.into(),
        })?;
        if !entry.file_type().is_file() {
            continue;
        }
        let path = entry.into_path();
        let len = std::fs::metadata(&path).map_err(Error::io("look at", &path))?.len();
        let name = path.strip_prefix(volume).unwrap_or(&path).to_path_buf();
        let first_segment = files.first_segment(&name);
        let owner = files.owner(&first_segment);
        let pristine = files.is_pristine(&first_segment);
        // Other forks have no tuples.
        let file_name = name.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let heap = file_name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let storage = match owner {
            _ if !heap => Vec::new(),
            Some(owner) => owner.storage(),
            None if pristine => files.pristine_storage(&first_segment),
            None => Vec::new(),
        };
        let segment = file_name.split_once('.').and_then(|(_, number)| number.parse().ok());
        if heap && segment.is_none() {
            firsts.insert(first_segment.clone(), targets.len());
        }
        mains.push(owner.and_then(|owner| owner.main.as_deref()));
        targets.push(Target {
            relation: planned.get(first_segment.as_path()).copied(),
            owner,
            storage,
            pristine,
            // Until all are known: the number of the segment.
            first_block: segment.unwrap_or(0u32),
            first: targets.len(),
            main: None,
            path,
            name,
            len,
        });
    }
    let lens: Vec<u64> = targets.iter().map(|target| target.len).collect();
    for (target, main) in targets.iter_mut().zip(mains) {
        target.main = main.and_then(|main| firsts.get(main).copied());
        let first = firsts.get(&files.first_segment(&target.name));
        if let Some(first) = first.filter(|_| !target.storage.is_empty()) {
            target.first = *first;
            let blocks = lens.get(*first).map_or(0, |len| *len / BLCKSZ as u64);
            target.first_block = target.first_block.saturating_mul(blocks as u32);
        }
    }
    Ok(targets)
}

impl Target<'_> {
    /// What attribute `index` holds.
    pub(super) fn holds(&self, index: usize) -> Holds {
        let accepted = self
            .owner
            .and_then(|owner| owner.attributes.get(index))
            .is_some_and(|attribute| attribute.accept_originals);
        if accepted {
            return Holds::Accepted;
        }
        let planned = self.relation.and_then(|relation| relation.attributes.get(index));
        // Shuffled values are as real as kept ones.
        let planned = planned.filter(|attribute| !attribute.is_shuffled());
        match planned.map(|attribute| &attribute.action) {
            Some(Action::Mask(mask)) => Holds::Masked(mask.value().map(|spec| spec.value_type)),
            _ => Holds::Kept,
        }
    }

    /// True if what is found here may be there by right.
    pub(super) fn may_hold_by_right(&self) -> bool {
        self.pristine
            || self.owner.is_some_and(|owner| owner.attributes.iter().any(|a| a.accept_originals))
            || self.relation.is_some_and(RelationPlan::is_masked)
    }

    /// True for a TOAST table whose tuples can be read.
    pub(super) fn is_toast(&self) -> bool {
        self.owner.is_some_and(|owner| owner.relkind == 't') && !self.storage.is_empty()
    }

    /// What a find here means.
    pub(super) fn kind(&self, attribute: Option<usize>) -> &'static str {
        let statistics = |owner: &FileOwner| {
            owner.name.starts_with("pg_statistic") || owner.name.starts_with("pg_largeobject")
        };
        match (self.owner, attribute) {
            (Some(owner), _) if owner.system && !statistics(owner) => "literal",
            (Some(owner), Some(index)) if !owner.system && self.holds(index) == Holds::Kept => {
                "unmasked_column"
            }
            _ => "residue",
        }
    }
}
