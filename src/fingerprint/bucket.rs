//! Fixed-size records by the first byte of their hash, in memory and, beyond a limit, in files.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};

/// How many buckets there are.
pub(super) const BUCKETS: usize = 256;
/// A bucket with fewer records than this is not worth a write.
const WORTH_WRITING: usize = 256;

/// A record that is told apart by a hash. Equal records are one.
pub(super) trait Record: Copy + Ord + Send + 'static {
    /// Bytes when written.
    const SIZE: usize;

    /// Decides its bucket, and its place there comes first in the order.
    fn hash(&self) -> u64;
    fn write(&self, out: &mut Vec<u8>);
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// A hash alone.
impl Record for u64 {
    const SIZE: usize = 8;

    fn hash(&self) -> u64 {
        *self
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<u64> {
        bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }
}

/// Makes room for so many more. Lists are many, and grow alike: doubling all of them would take up to
/// twice the memory.
#[inline]
pub(super) fn grow<T>(list: &mut Vec<T>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more.max(list.len() / 8));
    }
}

#[inline]
pub(super) fn bucket_of(hash: u64) -> usize {
    (hash >> 56) as usize
}

/// Records that any number of threads add to.
pub(super) struct Buckets<R> {
    buckets: Vec<Mutex<Bucket<R>>>,
    /// Where files go, and how their names begin.
    scratch: PathBuf,
    name: &'static str,
    /// Records in memory, and how many of them there may be.
    held: AtomicUsize,
    limit: usize,
}

struct Bucket<R> {
    records: Vec<R>,
    /// So many of them are sorted, each once.
    sorted: usize,
    /// Its file has records.
    spilled: bool,
}

impl<R: Record> Bucket<R> {
    fn sort(&mut self) -> usize {
        let before = self.records.len();
        self.records.sort_unstable();
        self.records.dedup();
        self.sorted = self.records.len();
        before - self.sorted
    }
}

impl<R: Record> Buckets<R> {
    pub(super) fn new(scratch: &Path, name: &'static str, limit: usize) -> Buckets<R> {
        let bucket = || Bucket { records: Vec::new(), sorted: 0, spilled: false };
        Buckets {
            buckets: (0..BUCKETS).map(|_| Mutex::new(bucket())).collect(),
            scratch: scratch.to_path_buf(),
            name,
            held: AtomicUsize::new(0),
            limit,
        }
    }

    /// Takes in records. `sorter` is working memory.
    pub(super) fn add(&self, records: &mut Vec<R>, sorter: &mut Vec<R>) -> Result<()> {
        by_bucket(records, sorter);
        for group in sorter.chunk_by(|a, b| bucket_of(a.hash()) == bucket_of(b.hash())) {
            let Some(number) = group.first().map(|first| bucket_of(first.hash())) else { continue };
            let Some(bucket) = self.buckets.get(number) else { continue };
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            grow(&mut bucket.records, group.len());
            bucket.records.extend_from_slice(group);
            let held = self.held.fetch_add(group.len(), Ordering::Relaxed) + group.len();
            if held > self.limit && bucket.records.len() >= WORTH_WRITING {
                self.make_room(&mut bucket, number)?;
            }
        }
        records.clear();
        Ok(())
    }

    /// First by dropping what is there more than once, then by writing.
    fn make_room(&self, bucket: &mut Bucket<R>, number: usize) -> Result<()> {
        if bucket.records.len() > bucket.sorted + bucket.sorted / 2 {
            let dropped = bucket.sort();
            self.held.fetch_sub(dropped, Ordering::Relaxed);
            if dropped > bucket.sorted / 2 {
                return Ok(());
            }
        }
        let mut bytes = Vec::with_capacity(bucket.records.len() * R::SIZE);
        bucket.records.iter().for_each(|record| record.write(&mut bytes));
        append(&self.scratch, &self.path(number), &bytes)?;
        self.held.fetch_sub(bucket.records.len(), Ordering::Relaxed);
        bucket.spilled = true;
        bucket.sorted = 0;
        bucket.records = Vec::new();
        Ok(())
    }

    fn path(&self, number: usize) -> PathBuf {
        self.scratch.join(format!("{}-{number}", self.name))
    }

    /// Takes out a bucket: its records, sorted and each once; true if some were in a file.
    pub(super) fn take(&self, number: usize) -> Result<(Vec<R>, bool)> {
        let Some(bucket) = self.buckets.get(number) else { return Ok((Vec::new(), false)) };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = std::mem::take(&mut bucket.records);
        if bucket.spilled {
            let path = self.path(number);
            read_into(&path, &mut records)?;
            std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
        records.sort_unstable();
        records.dedup();
        Ok((records, bucket.spilled))
    }
}

/// Appends to a file that only its owner can read.
fn append(scratch: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(scratch)
        .map_err(Error::io("create", scratch))?;
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(Error::io("write", path))
}

/// Writes sorted records to a file of their own.
pub(super) fn write_all<R: Record>(scratch: &Path, path: &Path, records: &[R]) -> Result<()> {
    let mut bytes = Vec::with_capacity(records.len() * R::SIZE);
    records.iter().for_each(|record| record.write(&mut bytes));
    append(scratch, path, &bytes)
}

/// Adds the records of a file.
pub(super) fn read_into<R: Record>(path: &Path, records: &mut Vec<R>) -> Result<()> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(Error::io("read", path))?;
    records.reserve_exact(bytes.len() / R::SIZE);
    records.extend(bytes.chunks_exact(R::SIZE).filter_map(R::read));
    Ok(())
}

/// Puts records in the order of their buckets.
fn by_bucket<R: Record>(records: &[R], out: &mut Vec<R>) {
    out.clear();
    let Some(any) = records.first() else { return };
    let mut next = [0usize; BUCKETS + 1];
    for record in records {
        if let Some(count) = next.get_mut(bucket_of(record.hash()) + 1) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for start in &mut next {
        sum += *start;
        *start = sum;
    }
    out.resize(records.len(), *any);
    for record in records {
        if let Some(place) = next.get_mut(bucket_of(record.hash())) {
            if let Some(room) = out.get_mut(*place) {
                *room = *record;
            }
            *place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u64 {
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn all(limit: usize) -> (Vec<u64>, bool) {
        let scratch = tempfile::tempdir().unwrap();
        let buckets = Buckets::new(&scratch.path().join("made"), "test", limit);
        let mut sorter = Vec::new();
        for round in 0..20 {
            let mut records: Vec<u64> = (round * 20_000..(round + 2) * 20_000).map(hash).collect();
            buckets.add(&mut records, &mut sorter).unwrap();
            assert!(records.is_empty());
        }
        let mut all = Vec::new();
        let mut spilled = false;
        for number in 0..BUCKETS {
            let (records, written) = buckets.take(number).unwrap();
            assert!(records.iter().all(|record| bucket_of(*record) == number));
            all.extend(records);
            spilled |= written;
        }
        let left = std::fs::read_dir(scratch.path().join("made"));
        assert_eq!(left.map_or(0, Iterator::count), 0, "files are left");
        (all, spilled)
    }

    #[test]
    fn files_hold_what_memory_does_not_and_nothing_changes() {
        let mut expected: Vec<u64> = (0..21 * 20_000).map(hash).collect();
        expected.sort_unstable();
        assert_eq!(all(usize::MAX), (expected.clone(), false));
        assert_eq!(all(100_000), (expected, true));
    }
}
