//! What a clone holds that its snapshot does not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::ThinClone;
use crate::cluster::{FileMap, RelationNames, is_relation_file};
use crate::error::{Error, Result};
use crate::page::BLCKSZ;
use crate::progress::Cancel;
use crate::storage::open_beneath;

/// How much of two files is compared at a time.
const CHUNK: usize = 32 * BLCKSZ;

/// How a clone differs from its snapshot.
#[derive(Clone, Debug, Serialize)]
pub struct CloneDiff {
    /// The clone's id.
    pub clone: String,
    /// The snapshot's id.
    pub snapshot: String,
    /// Relations with a file that differs or is the clone's own, those that differ most first.
    pub relations: Vec<RelationDiff>,
    /// All other such files: WAL, the state of transactions, a server's own.
    pub others: FilesDiff,
}

/// A relation with a file that differs or is the clone's own.
#[derive(Clone, Debug, Serialize)]
pub struct RelationDiff {
    /// `database.schema.relation`; the file's path where the catalogs on disk know none.
    pub name: String,
    /// What became of it.
    pub change: Change,
    /// How much.
    #[serde(flatten)]
    pub files: FilesDiff,
}

/// What became of a relation's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Some of its blocks differ.
    Changed,
    /// The snapshot has no such file: it was made, or written anew.
    New,
    /// The clone has no such file: it was dropped, or written anew.
    Gone,
    /// No block differs, but the clone holds a copy of its own. With driver `overlay` a file is
    /// copied when it is opened for writing, and so PostgreSQL opens every relation.
    Copied,
}

/// Sums over files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FilesDiff {
    /// Files.
    pub files: u64,
    /// Bytes in blocks of 8 KiB that differ; all of a file that one side alone has.
    pub changed_bytes: u64,
    /// Bytes that the clone does not share; `None` where the driver can't tell them by file.
    pub own_bytes: Option<u64>,
}

/// A file that differs or is the clone's own.
struct Difference {
    /// In the volume.
    path: PathBuf,
    change: Change,
    changed_bytes: u64,
    own_bytes: Option<u64>,
}

impl ThinClone {
    /// Compares its files with its snapshot's, blocks that both share aside. A running server has
    /// written what was changed before its last checkpoint; what it writes meanwhile may be in it or
    /// not. Hint bits differ, too: who reads a row first may change its page.
    pub fn diff(&self, cancel: &Cancel) -> Result<CloneDiff> {
        let (clone, _lock) = self.locked()?;
        let pool = &clone.pool;
        let snapshot = pool.snapshot(clone.snapshot_id())?;
        pool.driver.attach(&clone.volume())?;
        let (ours, theirs) = (files(&clone.volume())?, files(&snapshot.volume())?);
        let mut paths: Vec<&PathBuf> = ours.keys().collect();
        paths.extend(theirs.keys().filter(|path| !ours.contains_key(*path)));
        let differences: Vec<Difference> = paths
            .par_iter()
            .filter_map(|path| {
                let sizes = (ours.get(*path).copied(), theirs.get(*path).copied());
                clone.compare(&snapshot.volume(), path, sizes, cancel).transpose()
            })
            .collect::<Result<_>>()?;
        let names = |volume: &Path| RelationNames::read(volume, clone.record.major);
        let names = (names(&clone.volume())?, names(&snapshot.volume())?);
        Ok(clone.sum_up(differences, &names))
    }

    /// How a file differs, if it does or is the clone's own; `sizes` are the clone's and the snapshot's.
    fn compare(
        &self,
        snapshot: &Path,
        path: &Path,
        sizes: (Option<u64>, Option<u64>),
        cancel: &Cancel,
    ) -> Result<Option<Difference>> {
        let (volume, driver) = (self.volume(), self.pool.driver.as_ref());
        let (change, changed_bytes) = match sizes {
            (None, bytes) => (Change::Gone, bytes.unwrap_or_default()),
            (Some(bytes), None) => (Change::New, bytes),
            (Some(_), Some(_)) => {
                if driver.is_shared(&volume, snapshot, path) {
                    return Ok(None);
                }
                let failed = || Error::io("compare", volume.join(path));
                let (ours, theirs) =
                    match (open_beneath(&volume, path), open_beneath(snapshot, path)) {
                        // A running server has removed it meanwhile.
                        (Err(error), _) if error.kind() == io::ErrorKind::NotFound => {
                            return Ok(None);
                        }
                        (ours, theirs) => (ours.map_err(failed())?, theirs.map_err(failed())?),
                    };
                let changed =
                    changed_bytes(ours, theirs, cancel).map_err(|error| match cancel.check() {
                        Ok(()) => failed()(error),
                        Err(cancelled) => cancelled,
                    });
                match changed? {
                    // A full copy holds nothing but copies.
                    0 if !driver.capabilities().shares_blocks => return Ok(None),
                    0 => (Change::Copied, 0),
                    bytes => (Change::Changed, bytes),
                }
            }
        };
        let own_bytes = match change {
            Change::Gone => Some(0),
            // Here, too.
            _ => driver.own_bytes(&volume, path).unwrap_or(Some(0)),
        };
        if change == Change::Copied && own_bytes.is_none_or(|bytes| bytes == 0) {
            return Ok(None);
        }
        Ok(Some(Difference { path: path.to_path_buf(), change, changed_bytes, own_bytes }))
    }

    fn sum_up(
        &self,
        differences: Vec<Difference>,
        (ours, theirs): &(RelationNames, RelationNames),
    ) -> CloneDiff {
        let map = FileMap::default();
        let mut relations: BTreeMap<(PathBuf, Option<String>), RelationDiff> = BTreeMap::new();
        let mut others = FilesDiff { own_bytes: Some(0), ..FilesDiff::default() };
        for difference in differences {
            let first = map.first_segment(&difference.path);
            if !is_relation_file(&first) || !holds_relations(&first) {
                others.add(&difference);
                continue;
            }
            let names = if difference.change == Change::Gone { theirs } else { ours };
            let name = names.get(&first).map(str::to_owned);
            // A number that was used again is another relation's.
            let relation = relations.entry((first.clone(), name.clone()));
            let relation = relation.or_insert_with(|| RelationDiff {
                name: name.unwrap_or_else(|| first.display().to_string()),
                change: difference.change,
                files: FilesDiff { own_bytes: Some(0), ..FilesDiff::default() },
            });
            if relation.change != difference.change {
                // A new segment of a table that was there, say.
                relation.change = Change::Changed;
            }
            relation.files.add(&difference);
        }
        let mut relations: Vec<_> = relations.into_values().collect();
        relations.sort_by(|one, other| {
            let sizes = |it: &RelationDiff| (it.files.changed_bytes, it.files.own_bytes);
            sizes(other).cmp(&sizes(one)).then_with(|| one.name.cmp(&other.name))
        });
        let (clone, snapshot) = (self.record.id.clone(), self.record.snapshot.clone());
        CloneDiff { clone, snapshot, relations, others }
    }
}

impl FilesDiff {
    fn add(&mut self, difference: &Difference) {
        self.files += 1;
        self.changed_bytes += difference.changed_bytes;
        self.own_bytes = self.own_bytes.zip(difference.own_bytes).map(|(sum, own)| sum + own);
    }
}

/// True in `global`, in a database's directory, and in one of its in a tablespace.
fn holds_relations(path: &Path) -> bool {
    let mut parents = path.iter().map(|part| part.to_str().unwrap_or_default());
    matches!(parents.next(), Some("global" | "base" | "pg_tblspc"))
}

/// The files of a volume, by path within it, and their sizes. Those that vanish meanwhile are none.
fn files(volume: &Path) -> Result<BTreeMap<PathBuf, u64>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(volume).follow_links(false) {
        let entry = match entry {
            Ok(entry) if entry.file_type().is_file() => entry,
            Ok(_) => continue,
            Err(error) => match error.into_io_error() {
                Some(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Some(error) => return Err(Error::io("read", volume)(error)),
                None => return Err(Error::invalid("a loop of links in a volume")),
            },
        };
        if let (Ok(meta), Ok(path)) = (entry.metadata(), entry.path().strip_prefix(volume)) {
            files.insert(path.to_path_buf(), meta.len());
        }
    }
    Ok(files)
}

/// Bytes in blocks that differ, and those that one of the files has more than the other.
fn changed_bytes(mut one: File, mut other: File, cancel: &Cancel) -> io::Result<u64> {
    let (mut ours, mut theirs) = (Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK));
    let mut changed = 0;
    loop {
        cancel.check().map_err(io::Error::other)?;
        ours.clear();
        theirs.clear();
        one.by_ref().take(CHUNK as u64).read_to_end(&mut ours)?;
        other.by_ref().take(CHUNK as u64).read_to_end(&mut theirs)?;
        if ours.is_empty() && theirs.is_empty() {
            return Ok(changed);
        }
        if ours == theirs {
            continue;
        }
        let blocks = ours.chunks(BLCKSZ).zip(theirs.chunks(BLCKSZ));
        let differ = blocks.filter(|(ours, theirs)| ours != theirs);
        let bytes = differ.map(|(ours, theirs)| ours.len().max(theirs.len())).sum::<usize>();
        // Whole blocks that only one of them has.
        let block_count = |bytes: &[u8]| bytes.len().div_ceil(BLCKSZ);
        let both = block_count(&ours).min(block_count(&theirs)) * BLCKSZ;
        let beyond = ours.len().max(theirs.len()).saturating_sub(both);
        changed += (bytes + beyond) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_bytes_are_those_of_blocks_that_differ() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let blocks = vec![7; CHUNK + 3 * BLCKSZ];
        let one = file("one", &blocks);
        let changed_bytes = |one: &Path, other: &Path| {
            let (one, other) = (File::open(one).unwrap(), File::open(other).unwrap());
            super::changed_bytes(one, other, &Cancel::new()).unwrap()
        };
        assert_eq!(changed_bytes(&one, &one), 0);

        let mut changed = blocks.clone();
        changed[BLCKSZ - 1] = 8;
        changed[CHUNK + BLCKSZ] = 8;
        let two = file("two", &changed);
        assert_eq!(changed_bytes(&one, &two), 2 * BLCKSZ as u64);

        let longer = file("longer", &[&blocks[..], &[7; BLCKSZ + 5]].concat());
        assert_eq!(changed_bytes(&one, &longer), BLCKSZ as u64 + 5);
        assert_eq!(changed_bytes(&longer, &one), BLCKSZ as u64 + 5);
        assert_eq!(changed_bytes(&one, &file("none", &[])), blocks.len() as u64);
    }
}
