//! Fixed-size records in their order: what memory has room for is sorted there, the rest in runs in
//! a temporary file, which are merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};

/// A record of one size, whatever it holds.
pub(super) trait Record: Copy + Ord {
    /// Bytes when written.
    const SIZE: usize;

    fn write(&self, out: &mut Vec<u8>);
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// Bytes that are read and written at once, of each run.
const BUFFER: usize = 64 << 10;
/// Fewer records than this are not worth a run.
const WORTH_WRITING: usize = 256;

/// The memory that all sorters of a job share, and the file for what it does not hold. The file has
/// no name, so that nothing is left of it whatever happens.
#[derive(Debug)]
pub(super) struct Room {
    directory: PathBuf,
    /// Bytes of records in memory, and how many there may be.
    held: AtomicUsize,
    limit: usize,
    file: OnceLock<File>,
    /// Bytes in the file.
    len: AtomicU64,
}

impl Room {
    /// `limit` bytes in memory; the file for more is made in `directory`.
    pub(super) fn new(directory: &Path, limit: usize) -> Arc<Room> {
        Arc::new(Room {
            directory: directory.to_path_buf(),
            held: AtomicUsize::new(0),
            limit,
            file: OnceLock::new(),
            len: AtomicU64::new(0),
        })
    }

    fn file(&self) -> Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let file = nameless_file(&self.directory).map_err(self.error("make"))?;
        Ok(self.file.get_or_init(|| file))
    }

    fn error(&self, action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let path = self.directory.join("a temporary file for what TOAST tables hold");
        move |source| Error::Io { action, path, source }
    }
}

/// A temporary file of which nothing is left when it is closed, in a directory that is made if need
/// be.
pub(super) fn nameless_file(directory: &Path) -> std::io::Result<File> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    tempfile::tempfile_in(directory)
}

/// Takes in records in any order.
#[derive(Debug)]
pub(super) struct Sorter<R> {
    records: Vec<R>,
    runs: Vec<Run>,
    held: Held,
}

/// Sorted records in the file: where the next one is, and where they end.
#[derive(Clone, Copy, Debug)]
struct Run {
    next: u64,
    end: u64,
}

/// How much of the room one sorter takes.
#[derive(Debug)]
struct Held {
    room: Arc<Room>,
    bytes: usize,
}

impl Held {
    /// True if there is no room for so much more.
    fn add(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        self.room.held.fetch_add(bytes, Ordering::Relaxed) + bytes > self.room.limit
    }

    fn clear(&mut self) {
        self.room.held.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<R: Record> Sorter<R> {
    pub(super) fn new(room: &Arc<Room>) -> Sorter<R> {
        let held = Held { room: Arc::clone(room), bytes: 0 };
        Sorter { records: Vec::new(), runs: Vec::new(), held }
    }

    /// Takes the records out of `records`.
    pub(super) fn add(&mut self, records: &mut Vec<R>) -> Result<()> {
        let is_full = self.held.add(records.len() * size_of::<R>());
        self.records.append(records);
        if is_full && self.records.len() >= WORTH_WRITING {
            self.write_run()?;
        }
        Ok(())
    }

    fn write_run(&mut self) -> Result<()> {
        let room = &self.held.room;
        let file = room.file()?;
        self.records.sort_unstable();
        self.records.dedup();
        let start = room.len.fetch_add((self.records.len() * R::SIZE) as u64, Ordering::Relaxed);
        let mut position = start;
        for part in self.records.chunks(BUFFER / R::SIZE) {
            let mut bytes = Vec::with_capacity(BUFFER);
            part.iter().for_each(|record| record.write(&mut bytes));
            file.write_all_at(&bytes, position).map_err(room.error("write"))?;
            position += bytes.len() as u64;
        }
        self.runs.push(Run { next: start, end: position });
        self.records = Vec::new();
        self.held.clear();
        Ok(())
    }

    /// All of them in their order, each once.
    pub(super) fn into_sorted(self) -> Result<Sorted<R>> {
        let Sorter { mut records, runs, held } = self;
        records.sort_unstable();
        let buffer = (held.room.limit / runs.len().max(1)).clamp(BUFFER / 16, BUFFER);
        let in_memory = Source { run: Run { next: 0, end: 0 }, records: records.into_iter() };
        let in_file = runs.into_iter().map(|run| Source { run, records: Vec::new().into_iter() });
        let mut sorted = Sorted {
            sources: std::iter::once(in_memory).chain(in_file).collect(),
            heads: BinaryHeap::new(),
            buffer,
            held,
        };
        for number in 0..sorted.sources.len() {
            sorted.refill(number)?;
        }
        Ok(sorted)
    }
}

/// Records in their order.
#[derive(Debug)]
pub(super) struct Sorted<R: Ord> {
    sources: Vec<Source<R>>,
    /// The next record of each source that has any.
    heads: BinaryHeap<Reverse<(R, usize)>>,
    /// Bytes to read at once.
    buffer: usize,
    held: Held,
}

/// A run, and those of its records that have been read.
#[derive(Debug)]
struct Source<R> {
    run: Run,
    records: std::vec::IntoIter<R>,
}

impl<R: Record> Source<R> {
    fn next(&mut self, room: &Room, buffer: usize) -> Result<Option<R>> {
        let left = self.run.end - self.run.next;
        if self.records.len() == 0 && left > 0 {
            let whole = (buffer / R::SIZE * R::SIZE) as u64;
            let mut bytes = vec![0; left.min(whole) as usize];
            room.file()?.read_exact_at(&mut bytes, self.run.next).map_err(room.error("read"))?;
            self.run.next += bytes.len() as u64;
            let records: Vec<R> = bytes.chunks_exact(R::SIZE).filter_map(R::read).collect();
            self.records = records.into_iter();
        }
        Ok(self.records.next())
    }
}

impl<R: Record> Sorted<R> {
    /// The next record, which stays.
    pub(super) fn peek(&self) -> Option<&R> {
        self.heads.peek().map(|Reverse((record, _))| record)
    }

    /// The next record.
    pub(super) fn next(&mut self) -> Result<Option<R>> {
        let Some(Reverse((record, source))) = self.heads.pop() else { return Ok(None) };
        self.refill(source)?;
        while let Some(&Reverse((same, source))) = self.heads.peek()
            && same == record
        {
            self.heads.pop();
            self.refill(source)?;
        }
        Ok(Some(record))
    }

    fn refill(&mut self, number: usize) -> Result<()> {
        let Sorted { sources, heads, buffer, held } = self;
        if let Some(source) = sources.get_mut(number)
            && let Some(record) = source.next(&held.room, *buffer)?
        {
            heads.push(Reverse((record, number)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Record for (u32, u16) {
        const SIZE: usize = 6;

        fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.0.to_le_bytes());
            out.extend_from_slice(&self.1.to_le_bytes());
        }

        fn read(bytes: &[u8]) -> Option<(u32, u16)> {
            let (first, second) = bytes.split_first_chunk()?;
            Some((u32::from_le_bytes(*first), u16::from_le_bytes(*second.first_chunk()?)))
        }
    }

    /// Many records, most of them twice, in no order.
    fn records() -> Vec<(u32, u16)> {
        let spread = |number: u32| (number.wrapping_mul(0x9E37_79B9) >> 8, number as u16);
        (0..60_000).chain(20_000..80_000).map(spread).collect()
    }

    #[test]
    fn the_order_is_the_same_whatever_is_in_memory() {
        let mut expected = records();
        expected.sort_unstable();
        expected.dedup();
        for limit in [usize::MAX, 100_000, 0] {
            let directory = tempfile::tempdir().unwrap();
            let room = Room::new(&directory.path().join("made"), limit);
            let mut sorter = Sorter::new(&room);
            for part in records().chunks(999) {
                sorter.add(&mut part.to_vec()).unwrap();
            }
            assert_eq!(sorter.runs.is_empty(), limit == usize::MAX);
            let mut sorted = sorter.into_sorted().unwrap();
            let mut got = Vec::new();
            while let Some(&peeked) = sorted.peek() {
                assert_eq!(sorted.next().unwrap(), Some(peeked));
                got.push(peeked);
            }
            assert_eq!(got, expected, "{limit}");
            drop(sorted);
            assert_eq!(room.held.load(Ordering::Relaxed), 0);
            let made = std::fs::read_dir(directory.path().join("made"));
            assert_eq!(made.map_or(0, Iterator::count), 0, "the file has a name");
        }
    }

    #[test]
    fn sorters_share_the_room_and_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let room = Room::new(directory.path(), 4000);
        let mut sorters: Vec<_> = (0..3).map(|_| Sorter::new(&room)).collect();
        for part in records().chunks(500) {
            for sorter in &mut sorters {
                sorter.add(&mut part.to_vec()).unwrap();
                assert!(room.held.load(Ordering::Relaxed) < 4000 + 2 * 500 * 8);
            }
        }
        let all: Vec<_> = sorters.into_iter().map(|sorter| sorter.into_sorted().unwrap()).collect();
        let lists = all.into_iter().map(|mut sorted| {
            std::iter::from_fn(|| sorted.next().unwrap()).collect::<Vec<(u32, u16)>>()
        });
        let lists: Vec<_> = lists.collect();
        assert!(lists.iter().all(|list| list == &lists[0] && list.len() == 80_000));
    }
}
