//! The scan over all files of a volume.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::prelude::*;

use super::cell::{Cell, each_cell, locate};
use super::digits::InDigits;
use super::findings::{Findings, Spot};
use super::forms::{Decoded, Form, REACH};
use super::target::{Holds, Target};
use crate::error::{Error, Result};
use crate::fingerprint::{Candidates, Class, FingerprintSet, Gathered, Match};
use crate::page::{BLCKSZ, Block, VarlenaForm};
use crate::progress::{Cancel, Progress, Stage};

/// Bytes searched at once; whole blocks.
const CHUNK: u64 = 4 << 20;
/// Bytes before a chunk that serve as context: a varlena header, the beginning of another form.
const BEFORE: u64 = 64;
/// A larger buffer is given back.
pub(super) const KEPT: usize = 4 << 20;
/// The attribute of a TOAST table that holds data.
const CHUNK_DATA: usize = 2;

/// One set of originals on its way through all files.
pub(super) struct Scan<'a> {
    pub(super) targets: &'a [Target<'a>],
    pub(super) set: &'a FingerprintSet,
    pub(super) in_digits: InDigits<'a>,
    pub(super) gathered: &'a Gathered,
    pub(super) findings: &'a Findings,
    /// By value: it has been found where it is by right.
    pub(super) apart: Vec<AtomicBool>,
    pub(super) cancel: &'a Cancel,
    pub(super) progress: &'a dyn Progress,
    pub(super) done: &'a AtomicU64,
    pub(super) total: u64,
}

/// A value found in some bytes.
#[derive(Clone, Copy)]
pub(super) struct Hit {
    pub(super) position: usize,
    /// Where its last byte is.
    last: usize,
    pub(super) value: usize,
    pub(super) form: Form,
}

/// One thread's memory.
#[derive(Default)]
pub(super) struct Searcher {
    candidates: Candidates,
    decoded: Decoded,
    hits: Vec<Hit>,
    buffer: Vec<u8>,
    raw: Vec<u8>,
}

impl Searcher {
    /// Everything that starts at `from..to` of `bytes` and means something, in whatever form.
    pub(super) fn search(
        &mut self,
        scan: &Scan<'_>,
        bytes: &[u8],
        from: usize,
        to: usize,
        form: Form,
    ) -> std::vec::Drain<'_, Hit> {
        let Searcher { candidates, decoded, hits, .. } = self;
        hits.clear();
        scan.set.search(bytes, (from, to), true, candidates, |found| {
            if scan.matters(&found) {
                let Match { position, len, value, .. } = found;
                hits.push(Hit { position, last: position + len - 1, value, form });
            }
        });
        decoded.read(bytes, &scan.in_digits);
        let all = (0, decoded.bytes.len());
        scan.set.search(&decoded.bytes, all, false, candidates, |found| {
            if scan.set.class(found.value) != Class::Number
                && let Some((range, form)) = decoded.origin(found.position, found.len)
                && (from..to).contains(range.start())
                && scan.matters(&found)
            {
                let (position, last) = range.into_inner();
                hits.push(Hit { position, last, value: found.value, form });
            }
        });
        hits.drain(..)
    }

    /// The same for all of a value. As many bytes at once as of a file: what is decoded of them
    /// takes several times their room.
    pub(super) fn search_value(
        &mut self,
        scan: &Scan<'_>,
        value: &[u8],
        form: Form,
        mut found: impl FnMut(Hit) -> Result<()>,
    ) -> Result<()> {
        for start in (0..value.len()).step_by(CHUNK as usize) {
            let begin = start.saturating_sub(BEFORE as usize);
            let end = (start + CHUNK as usize).min(value.len());
            let bytes = value.get(begin..value.len().min(end + REACH)).unwrap_or_default();
            for hit in self.search(scan, bytes, start - begin, end - begin, form) {
                found(Hit { position: begin + hit.position, last: begin + hit.last, ..hit })?;
            }
        }
        Ok(())
    }
}

impl Scan<'_> {
    fn is_apart(&self, value: usize) -> bool {
        self.apart.get(value).is_some_and(|apart| apart.load(Ordering::Relaxed))
    }

    pub(super) fn set_apart(&self, value: usize) {
        if let Some(apart) = self.apart.get(value) {
            apart.store(true, Ordering::Relaxed);
        }
    }

    /// True if it matters where this find is.
    fn matters(&self, found: &Match) -> bool {
        found.counts
            && !self.is_apart(found.value)
            && (self.set.class(found.value) != Class::Number
                || self.findings.number(self.set, found.value, self.gathered))
    }

    /// Decides about a find: a value that is there by right is set apart. `target` is the relation
    /// that `spot` names, and `datum` the value that it lies in.
    pub(super) fn judge(
        &self,
        target: &Target<'_>,
        value: usize,
        spot: Spot,
        datum: Option<&[u8]>,
    ) -> Result<()> {
        let by_right = target.pristine
            || match spot.cell.map(|(attribute, ..)| target.holds(attribute)) {
                Some(Holds::Accepted) => true,
                Some(Holds::Masked(value_type)) => match datum {
                    Some(datum) => self.gathered.is_output(value_type, datum)?,
                    None => false,
                },
                Some(Holds::Kept) | None => false,
            };
        if by_right {
            self.set_apart(value);
        } else {
            self.findings.add(self.set, value, spot, self.gathered);
        }
        Ok(())
    }

    /// Searches the files that `which` names.
    pub(super) fn run(&self, which: impl Fn(&Target<'_>) -> bool) -> Result<()> {
        let targets = self.targets.iter().enumerate().filter(|(_, target)| which(target));
        let chunks: Vec<(usize, u64)> = targets
            .flat_map(|(index, target)| {
                (0..target.len).step_by(CHUNK as usize).map(move |start| (index, start))
            })
            .collect();
        chunks.par_iter().with_max_len(1).try_for_each_init(
            Searcher::default,
            |searcher, (index, start)| {
                self.cancel.check()?;
                let Some(target) = self.targets.get(*index) else { return Ok(()) };
                self.chunk(*index, target, *start, searcher)?;
                self.advance(CHUNK.min(target.len - start));
                Ok(())
            },
        )
    }

    pub(super) fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.progress.update(Stage::Audit, done, self.total.max(done));
    }

    fn chunk(
        &self,
        index: usize,
        target: &Target<'_>,
        start: u64,
        searcher: &mut Searcher,
    ) -> Result<()> {
        let begin = start.saturating_sub(BEFORE);
        let end = (start + CHUNK + REACH as u64).min(target.len);
        let mut buffer = std::mem::take(&mut searcher.buffer);
        buffer.resize((end - begin) as usize, 0);
        let file = File::open(&target.path).map_err(Error::io("open", &target.path))?;
        file.read_exact_at(&mut buffer, begin).map_err(Error::io("read", &target.path))?;
        let from = (start - begin) as usize;
        let to = from + CHUNK.min(target.len - start) as usize;
        let blocks = buffer.get(from..to).unwrap_or_default().as_chunks::<BLCKSZ>().0;
        let first_block = target.first_block + (start / BLCKSZ as u64) as u32;
        let mut raw = std::mem::take(&mut searcher.raw);
        let spot = |position: usize, cell: Option<(usize, u32, u16)>, form| Spot {
            target: index,
            offset: start + position as u64,
            relation: target.first,
            cell,
            form,
        };
        for hit in searcher.search(self, &buffer, from, to, Form::Plain) {
            let position = hit.position - from;
            let number = position / BLCKSZ;
            let block = blocks.get(number).filter(|_| !target.storage.is_empty());
            let cell = block.and_then(|block| {
                let cell = locate(block, position % BLCKSZ, &target.storage).ok().flatten()?;
                Some((cell, block))
            });
            // What begins in a header or goes on behind the value is not in it, and no word either.
            let last = hit.last - from - number * BLCKSZ;
            let is_within = |cell: &Cell| {
                cell.value.contains(&(position % BLCKSZ)) && cell.value.contains(&last)
            };
            let outside = cell.as_ref().is_some_and(|(cell, _)| !is_within(cell));
            if outside && self.set.class(hit.value) == Class::Short {
                continue;
            }
            let Some((cell, block)) = cell.filter(|_| !outside) else {
                self.judge(target, hit.value, spot(position, None, hit.form), None)?;
                continue;
            };
            if target.is_toast() && cell.attribute == CHUNK_DATA {
                // Values out of line are searched as wholes.
                continue;
            }
            let row = (cell.attribute, first_block + number as u32, cell.line_pointer);
            let spot = spot(position, Some(row), hit.form);
            self.judge(target, hit.value, spot, cell.value(block, &mut raw))?;
        }
        if !target.is_toast() && target.storage.iter().any(|it| it.fixed_len().is_none()) {
            for (number, block) in blocks.iter().enumerate() {
                let mut packed: Vec<Cell> = Vec::new();
                // What is behind damage is searched as it is, like any other bytes.
                let _ = each_cell(block, &target.storage, |cell| {
                    packed.extend((cell.form == Some(VarlenaForm::Compressed)).then_some(cell));
                });
                for cell in packed {
                    let row = (cell.attribute, first_block + number as u32, cell.line_pointer);
                    let position = number * BLCKSZ + cell.value.start;
                    let spot = spot(position, Some(row), Form::Compressed);
                    if let Some(value) = cell.value(block, &mut raw) {
                        self.datum(target, value, spot, searcher)?;
                    }
                }
            }
        }
        searcher.raw = raw;
        searcher.buffer = buffer;
        if searcher.raw.capacity() > KEPT {
            searcher.raw = Vec::new();
        }
        Ok(())
    }

    /// Searches a value that is not as it stands on a page.
    pub(super) fn datum(
        &self,
        target: &Target<'_>,
        value: &[u8],
        spot: Spot,
        searcher: &mut Searcher,
    ) -> Result<()> {
        searcher.search_value(self, value, spot.form, |hit| {
            let spot = Spot { form: hit.form, ..spot };
            self.judge(target, hit.value, spot, Some(value))
        })
    }

    /// The block of a file, read anew.
    pub(super) fn read_block(
        &self,
        file: &File,
        target: &Target<'_>,
        number: u32,
    ) -> Result<Block> {
        let mut block = [0; BLCKSZ];
        file.read_exact_at(&mut block, u64::from(number) * BLCKSZ as u64)
            .map_err(Error::io("read", &target.path))?;
        Ok(block)
    }
}
