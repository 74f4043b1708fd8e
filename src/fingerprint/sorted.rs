//! One bucket's distinct records in their order, in memory or in a file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::bucket::{Record, read_into, write_all};
use crate::error::{Error, Result};

/// Of records in a file, the hash of every one in so many is in memory.
const GROUP: usize = 64;

/// Sorted records.
pub(super) enum Sorted<R> {
    Memory(Vec<R>),
    File(InFile),
}

/// Where records are that memory has no room for.
pub(super) struct InFile {
    path: PathBuf,
    len: usize,
    /// The first hash of each group.
    firsts: Vec<u64>,
}

impl<R: Record> Sorted<R> {
    /// Takes records, which are sorted, in memory, or puts them into a file of this name.
    pub(super) fn new(
        records: Vec<R>,
        away: bool,
        scratch: &Path,
        name: &str,
    ) -> Result<Sorted<R>> {
        if !away {
            return Ok(Sorted::Memory(records));
        }
        let path = scratch.join(name);
        write_all(scratch, &path, &records)?;
        let firsts = records.iter().step_by(GROUP).map(Record::hash).collect();
        Ok(Sorted::File(InFile { path, len: records.len(), firsts }))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Sorted::Memory(records) => records.len(),
            Sorted::File(file) => file.len,
        }
    }

    /// All of them. Those in memory are copied.
    pub(super) fn load(&self) -> Result<Vec<R>> {
        match self {
            Sorted::Memory(records) => Ok(records.clone()),
            Sorted::File(file) => {
                let mut records = Vec::new();
                read_into(&file.path, &mut records)?;
                Ok(records)
            }
        }
    }

    /// The same, and they are gone.
    pub(super) fn take(&mut self) -> Result<Vec<R>> {
        match std::mem::replace(self, Sorted::Memory(Vec::new())) {
            Sorted::Memory(records) => Ok(records),
            Sorted::File(file) => {
                let mut records = Vec::new();
                read_into(&file.path, &mut records)?;
                std::fs::remove_file(&file.path).map_err(Error::io("remove", &file.path))?;
                Ok(records)
            }
        }
    }

    /// The record with this hash.
    pub(super) fn find(&self, hash: u64) -> Result<Option<R>> {
        match self {
            Sorted::Memory(records) => {
                let at = records.partition_point(|record| record.hash() < hash);
                Ok(records.get(at).copied().filter(|record| record.hash() == hash))
            }
            Sorted::File(file) => {
                // Hashes are distinct: the group is the last one that begins at or before it.
                let behind = file.firsts.partition_point(|first| *first <= hash);
                let Some(group) = behind.checked_sub(1) else { return Ok(None) };
                Ok(file.group::<R>(group)?.into_iter().find(|record| record.hash() == hash))
            }
        }
    }
}

impl InFile {
    fn group<R: Record>(&self, number: usize) -> Result<Vec<R>> {
        let start = number * GROUP;
        let mut bytes = vec![0; GROUP.min(self.len.saturating_sub(start)) * R::SIZE];
        File::open(&self.path)
            .and_then(|file| file.read_exact_at(&mut bytes, (start * R::SIZE) as u64))
            .map_err(Error::io("read", &self.path))?;
        Ok(bytes.chunks_exact(R::SIZE).filter_map(R::read).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_in_a_file_are_found_like_those_in_memory() {
        let scratch = tempfile::tempdir().unwrap();
        for len in [0, 1, GROUP as u64 - 1, GROUP as u64, 1000] {
            let records: Vec<u64> = (0..len).map(|number| 3 * number + 5).collect();
            let memory = Sorted::new(records.clone(), false, scratch.path(), "none").unwrap();
            let mut file = Sorted::new(records.clone(), true, scratch.path(), "some").unwrap();
            for hash in 0..3 * len + 9 {
                let found = file.find(hash).unwrap();
                assert_eq!(found, memory.find(hash).unwrap(), "{hash} of {len}");
                assert_eq!(found.is_some(), records.contains(&hash));
            }
            assert_eq!((file.len(), file.load().unwrap()), (records.len(), records.clone()));
            assert_eq!(file.take().unwrap(), records);
            assert!(!scratch.path().join("some").exists());
        }
    }
}
