//! One pass over segments: chunks read, pages rewritten, what changed written back.

mod read;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::page::{Fault, PageRewriter, TupleRewriter};
use crate::cluster::{ControlFile, Segment, segments};
use crate::error::{Error, Place, Result};
use crate::ids::BlockNumber;
use crate::page::{BLCKSZ, Block, PageError, PageHeader, page_checksum};
use crate::progress::{Cancel, Progress, Stage};

/// Blocks read and written at once: raw and rewritten ones fit in a core's second-level cache.
const CHUNK_BLOCKS: u32 = 32;
/// Blocks in one task: small enough to keep all threads busy until the end.
const TASK_BLOCKS: u32 = 1024;

/// What errors call the relation that a task belongs to.
pub(super) struct Target<'a> {
    pub(super) name: String,
    /// Columns by attribute index.
    pub(super) columns: Vec<&'a str>,
}

/// Part of a segment.
pub(super) struct Task {
    /// Which target it belongs to.
    pub(super) target: usize,
    segment: Segment,
    first: u32,
    blocks: u32,
}

impl Task {
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.blocks) * BLCKSZ as u64
    }
}

/// The tasks of the relation whose main fork starts at `first`.
pub(super) fn tasks(target: usize, first: &Path, control: &ControlFile) -> Result<Vec<Task>> {
    let mut tasks = Vec::new();
    for segment in segments(first, control.relseg_size)? {
        tasks.extend(segment_tasks(target, &segment)?);
    }
    Ok(tasks)
}

/// The tasks of one segment.
pub(super) fn segment_tasks(target: usize, segment: &Segment) -> Result<Vec<Task>> {
    clear_tail(segment)?;
    let firsts = (0..segment.blocks).step_by(TASK_BLOCKS as usize);
    let tasks = firsts.map(|first| {
        let blocks = TASK_BLOCKS.min(segment.blocks - first);
        Task { target, segment: segment.clone(), first, blocks }
    });
    Ok(tasks.collect())
}

/// Runs `tasks` in order on all threads of `pool`, each with one worker of its own.
pub(super) fn in_parallel<T, W>(
    pool: &rayon::ThreadPool,
    tasks: &[T],
    worker: impl Fn() -> W + Sync,
) -> Result<()>
where
    T: Sync,
    W: FnMut(&T) -> Result<()>,
{
    let next = AtomicUsize::new(0);
    share_out(pool, || Ok(tasks.get(next.fetch_add(1, Ordering::Relaxed))), worker)
}

/// The same for tasks of which `next` gives one after the other.
pub(super) fn share_out<T, W>(
    pool: &rayon::ThreadPool,
    next: impl Fn() -> Result<Option<T>> + Sync,
    worker: impl Fn() -> W + Sync,
) -> Result<()>
where
    W: FnMut(T) -> Result<()>,
{
    let failed = AtomicBool::new(false);
    let results = pool.broadcast(|_| {
        let mut work = worker();
        let mut all = || {
            while !failed.load(Ordering::Relaxed)
                && let Some(task) = next()?
            {
                work(task)?;
            }
            Ok(())
        };
        all().inspect_err(|_| failed.store(true, Ordering::Relaxed))
    });
    results.into_iter().collect()
}

/// What all tasks of a job share.
pub(super) struct Pass<'a> {
    pub(super) control: &'a ControlFile,
    pub(super) cancel: &'a Cancel,
    pub(super) progress: &'a dyn Progress,
    /// Bytes of all tasks.
    pub(super) total: u64,
    pub(super) pages_scanned: AtomicU64,
    pub(super) pages_rewritten: AtomicU64,
    /// Bytes done.
    pub(super) done: AtomicU64,
}

/// One thread's buffers.
pub(super) struct Workspace {
    raw: Vec<u8>,
    out: Vec<u8>,
    pub(super) pages: PageRewriter,
}

impl Workspace {
    pub(super) fn new() -> Workspace {
        let buffer = vec![0; CHUNK_BLOCKS as usize * BLCKSZ];
        Workspace { raw: buffer.clone(), out: buffer, pages: PageRewriter::new() }
    }
}

impl Pass<'_> {
    /// Rewrites the pages of `task` in place.
    pub(super) fn run<T: TupleRewriter>(
        &self,
        task: &Task,
        target: Option<&Target<'_>>,
        workspace: &mut Workspace,
        tuples: &mut T,
    ) -> Result<()> {
        let Workspace { raw, out, pages } = workspace;
        let path = &task.segment.path;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(Error::io("open", path))?;
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
                    .map_err(|fault| fault.at(target, block))?;
            }
            write_changed(&file, position, out, &changed).map_err(Error::io("write", path))?;
            let rewritten = changed.iter().filter(|changed| **changed).count() as u64;
            self.pages_rewritten.fetch_add(rewritten, Ordering::Relaxed);
            self.pages_scanned.fetch_add(u64::from(blocks), Ordering::Relaxed);
            self.advance(len as u64);
        }
        Ok(())
    }

    /// So many more bytes are done.
    pub(super) fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.progress.update(Stage::Rewrite, done.min(self.total), self.total);
    }

    /// Rewrites one page; true if it changed.
    pub(super) fn rewrite_page<T: TupleRewriter>(
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
        pages.rewrite(raw, out, block, tuples)?;
        let changed = raw.as_slice() != out.as_slice();
        if changed && self.control.checksums {
            let checksum = page_checksum(out, block.0);
            PageHeader::set_checksum(out, checksum);
        }
        Ok(changed)
    }
}

/// Why a page could not be rewritten, checksum included.
pub(super) enum PageFault {
    Fault(Fault),
    Checksum { expected: u16, got: u16 },
}

impl From<Fault> for PageFault {
    fn from(fault: Fault) -> PageFault {
        PageFault::Fault(fault)
    }
}

impl PageFault {
    /// The error for a block of `target`.
    pub(super) fn at(self, target: Option<&Target<'_>>, block: BlockNumber) -> Error {
        let place = |line_pointer: Option<u16>, attribute: Option<usize>| {
            let column =
                target.zip(attribute).and_then(|(target, index)| target.columns.get(index));
            Box::new(Place {
                relation: target.map(|target| target.name.clone()).unwrap_or_default(),
                block: Some(block),
                line_pointer,
                column: column.map(|column| (*column).to_owned()),
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
            PageFault::Fault(Fault::NoRoom { attribute, line_pointer }) => {
                super::nulls::no_room(&place(Some(line_pointer), Some(attribute)))
            }
            PageFault::Fault(Fault::Layout) => Error::LayoutDeviation { place: place(None, None) },
        }
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
pub(super) fn clear_tail(segment: &Segment) -> Result<()> {
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
