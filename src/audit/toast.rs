//! Values out of line: put together chunk by chunk, and searched as wholes.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rayon::prelude::*;

use super::cell::{each_cell, unpack};
use super::findings::Spot;
use super::forms::Form;
use super::scan::{KEPT, Scan, Searcher};
use super::target::Target;
use crate::error::{Error, Result};
use crate::page::{BLCKSZ, Block};

/// Blocks of one task.
const TASK_BLOCKS: u32 = 512;
/// Chunks taken down at once, which takes 50 MB: larger tables are gone through several times.
const CHUNKS_AT_ONCE: u64 = 2 << 20;
/// Of values with more bytes than this, one at a time is in memory.
const LARGE: usize = 16 << 20;

/// Where a chunk is. In the order of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Chunk {
    id: u32,
    /// The transaction that wrote it: tells values apart where a `chunk_id` was used again.
    xmin: u32,
    seq: u32,
    target: u32,
    block: u32,
    start: u16,
    end: u16,
}

/// By `chunk_id`: the attribute that refers to a value, and its row.
type Pointers = HashMap<u32, (usize, u32, u16)>;

/// A TOAST table's segments, and what refers to its values.
pub(super) struct ToastTable<'a> {
    scan: &'a Scan<'a>,
    segments: Vec<usize>,
    /// Read when something is found.
    pointers: OnceLock<Pointers>,
    large: Mutex<()>,
}

impl Scan<'_> {
    /// The TOAST tables.
    pub(super) fn toast_tables(&self) -> Vec<ToastTable<'_>> {
        let mut tables: HashMap<usize, Vec<usize>> = HashMap::new();
        for (index, target) in self.targets.iter().enumerate().filter(|(_, it)| it.is_toast()) {
            tables.entry(target.first).or_default().push(index);
        }
        let mut tables: Vec<Vec<usize>> = tables.into_values().collect();
        tables.sort_unstable();
        let table = |segments| ToastTable {
            scan: self,
            segments,
            pointers: OnceLock::new(),
            large: Mutex::new(()),
        };
        tables.into_iter().map(table).collect()
    }
}

impl ToastTable<'_> {
    fn target(&self, number: usize) -> Result<&Target<'_>> {
        let target = self.scan.targets.get(number);
        target.ok_or_else(|| Error::invalid("a TOAST table's segment is no file of the volume"))
    }

    /// Calls `visit` with every value, and where it is first.
    pub(super) fn each_value(
        &self,
        visit: impl Fn(&ToastTable<'_>, &[u8], Spot, u32, &mut Searcher) -> Result<()> + Sync,
    ) -> Result<()> {
        let mut tasks = Vec::new();
        let mut blocks = 0;
        for segment in &self.segments {
            let len = (self.target(*segment)?.len / BLCKSZ as u64) as u32;
            tasks.extend((0..len).step_by(TASK_BLOCKS as usize).map(|first| (*segment, first)));
            blocks += u64::from(len);
        }
        // A page holds four chunks, as a rule.
        let rounds = (4 * blocks).div_ceil(CHUNKS_AT_ONCE) as u32;
        for round in 0..rounds {
            // One list from the first: pieces of it would be in memory twice.
            let chunks = Mutex::new(Vec::new());
            tasks.par_iter().try_for_each(|(segment, first)| {
                let mut found = self.chunks(*segment, *first, round, rounds)?;
                lock(&chunks).append(&mut found);
                Ok::<(), Error>(())
            })?;
            let mut chunks = chunks.into_inner().unwrap_or_else(PoisonError::into_inner);
            chunks.par_sort_unstable();
            let values = chunks.par_chunk_by(|a, b| (a.id, a.xmin) == (b.id, b.xmin));
            values.try_for_each_init(
                || (Searcher::default(), Vec::new(), Vec::new()),
                |(searcher, stored, raw), chunks| self.value(chunks, &visit, searcher, stored, raw),
            )?;
        }
        Ok(())
    }

    /// Of some blocks, the chunks of values that this round is for.
    fn chunks(&self, segment: usize, first: u32, round: u32, rounds: u32) -> Result<Vec<Chunk>> {
        self.scan.cancel.check()?;
        let target = self.target(segment)?;
        let file = File::open(&target.path).map_err(Error::io("open", &target.path))?;
        let last = (target.len / BLCKSZ as u64) as u32;
        let mut chunks = Vec::new();
        for number in first..(first + TASK_BLOCKS).min(last) {
            let block = self.scan.read_block(&file, target, number)?;
            let word = |range: Range<usize>| {
                let bytes = block.get(range).and_then(|bytes| bytes.first_chunk::<4>());
                bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
            };
            let mut row = (0, 0, 0);
            // What is behind damage is searched as it is, like any other bytes.
            let _ = each_cell(&block, &target.storage, |cell| match cell.attribute {
                0 => row = (cell.line_pointer, word(cell.value), 0),
                1 => row.2 = word(cell.value),
                _ if row.0 == cell.line_pointer && row.1 % rounds == round => chunks.push(Chunk {
                    id: row.1,
                    xmin: xmin(&block, cell.line_pointer),
                    seq: row.2,
                    target: segment as u32,
                    block: number,
                    start: cell.value.start as u16,
                    end: cell.value.end as u16,
                }),
                _ => {}
            });
        }
        Ok(chunks)
    }

    /// Puts a value together. It is searched as it is, and unpacked if it can be.
    fn value(
        &self,
        chunks: &[Chunk],
        visit: &(impl Fn(&ToastTable<'_>, &[u8], Spot, u32, &mut Searcher) -> Result<()> + Sync),
        searcher: &mut Searcher,
        stored: &mut Vec<u8>,
        raw: &mut Vec<u8>,
    ) -> Result<()> {
        self.scan.cancel.check()?;
        let Some(first) = chunks.first() else { return Ok(()) };
        stored.clear();
        let len: usize = chunks.iter().map(|chunk| usize::from(chunk.end - chunk.start)).sum();
        let _one_at_a_time = (len > LARGE).then(|| lock(&self.large));
        stored.reserve_exact(len);
        let mut at = None;
        for of_segment in chunks.chunk_by(|a, b| a.target == b.target) {
            let Some(segment) = of_segment.first().map(|chunk| chunk.target as usize) else {
                continue;
            };
            let target = self.target(segment)?;
            let file = File::open(&target.path).map_err(Error::io("open", &target.path))?;
            for of_page in of_segment.chunk_by(|a, b| a.block == b.block) {
                let Some(number) = of_page.first().map(|chunk| chunk.block) else { continue };
                let block = self.scan.read_block(&file, target, number)?;
                for chunk in of_page {
                    let range = usize::from(chunk.start)..usize::from(chunk.end);
                    stored.extend_from_slice(block.get(range).unwrap_or_default());
                }
            }
            at.get_or_insert(segment);
        }
        let spot = Spot {
            target: at.unwrap_or_default(),
            offset: u64::from(first.block) * BLCKSZ as u64 + u64::from(first.start),
            relation: self.target(first.target as usize)?.first,
            cell: None,
            form: Form::Plain,
        };
        visit(self, stored, spot, first.id, searcher)?;
        if let Some((tcinfo, stream)) = stored.split_first_chunk()
            && unpack(u32::from_le_bytes(*tcinfo), stream, raw)
        {
            let spot = Spot { form: Form::Compressed, ..spot };
            visit(self, raw, spot, first.id, searcher)?;
        }
        for buffer in [stored, raw] {
            if buffer.capacity() > KEPT {
                *buffer = Vec::new();
            }
        }
        self.scan.advance(len as u64);
        Ok(())
    }

    /// Searches every value.
    pub(super) fn search(&self) -> Result<()> {
        self.each_value(|table, value, spot, id, searcher| {
            searcher.search_value(table.scan, value, spot.form, |hit| {
                let spot = table.name(Spot { form: hit.form, ..spot }, id)?;
                let target = table.target(spot.relation)?;
                table.scan.judge(target, hit.value, spot, Some(value))
            })
        })
    }

    /// Says whose a value is: an attribute of a row of the table, if one refers to it.
    pub(super) fn name(&self, spot: Spot, id: u32) -> Result<Spot> {
        let first = self.segments.first().copied().unwrap_or_default();
        let Some(main) = self.target(first)?.main else { return Ok(spot) };
        let pointers = match self.pointers.get() {
            Some(pointers) => pointers,
            None => {
                let pointers = self.read_pointers(main)?;
                self.pointers.get_or_init(|| pointers)
            }
        };
        Ok(match pointers.get(&id) {
            Some(row) => Spot { relation: main, cell: Some(*row), ..spot },
            None => spot,
        })
    }

    fn read_pointers(&self, main: usize) -> Result<Pointers> {
        let mut pointers = Pointers::new();
        for target in self.scan.targets.iter().filter(|target| target.first == main) {
            if target.storage.is_empty() {
                continue;
            }
            let file = File::open(&target.path).map_err(Error::io("open", &target.path))?;
            for number in 0..(target.len / BLCKSZ as u64) as u32 {
                let block = self.scan.read_block(&file, target, number)?;
                let _ = each_cell(&block, &target.storage, |cell| {
                    if let Some(pointer) = cell.pointer(&block) {
                        let row = (cell.attribute, target.first_block + number, cell.line_pointer);
                        pointers.entry(pointer.va_valueid).or_insert(row);
                    }
                });
            }
        }
        Ok(pointers)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `t_xmin` of the tuple at a line pointer.
fn xmin(block: &Block, line_pointer: u16) -> u32 {
    let item = 24 + 4 * (usize::from(line_pointer) - 1);
    let word = |at: usize| block.get(at..).and_then(|bytes| bytes.first_chunk::<4>());
    let offset = word(item).map_or(0, |item| u32::from_le_bytes(*item) & 0x7FFF);
    word(offset as usize).map_or(0, |xmin| u32::from_le_bytes(*xmin))
}
