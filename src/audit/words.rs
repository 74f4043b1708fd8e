//! Short texts that were found somewhere, looked for in masked output.
//!
//! A mask that writes words may write one that is somebody's name. As a whole value it is known by
//! its fingerprint; as a word of a longer one it is not. So what was found elsewhere is looked for
//! in values that are known to be masked output, each by itself: what stands around a value in its
//! heap does not stand around it in an index.
//!
//! An index may be over `lower(…)` or `upper(…)`, and have the word in that case alone.
//!
//! The length that a value is stored with may be a letter, too: C before the 32 bytes of `arter …`.
//! Where that is a word, it is nobody's name.

use std::collections::HashSet;
use std::fs::File;

use rayon::prelude::*;

use super::cell::each_cell;
use super::scan::Scan;
use super::target::{Holds, Target};
use crate::error::{Error, Result};
use crate::page::BLCKSZ;

/// Blocks of one task.
const TASK_BLOCKS: u32 = 512;
/// Lengths of short texts.
const LENGTHS: std::ops::Range<usize> = 4..12;

impl Scan<'_> {
    /// Sets apart those of `wanted`, short texts, that are words of values that are there by right.
    pub(super) fn set_words_apart(&self, wanted: &HashSet<usize>) -> Result<()> {
        let hashes: HashSet<u64> = wanted.iter().map(|value| self.set.hash(*value)).collect();
        let targets = self.targets.iter().filter(|it| !it.storage.is_empty() && !it.is_toast());
        let tasks: Vec<(&Target<'_>, u32)> = targets
            .flat_map(|target| {
                let blocks = (target.len / BLCKSZ as u64) as u32;
                (0..blocks).step_by(TASK_BLOCKS as usize).map(move |first| (target, first))
            })
            .collect();
        tasks.par_iter().try_for_each_init(Vec::new, |raw, (target, first)| {
            self.words_of_blocks(target, *first, &hashes, raw)
        })?;
        for table in self.toast_tables() {
            table.each_value(|table, value, spot, id, _| {
                if !self.has_word(value, true, &hashes) {
                    return Ok(());
                }
                let spot = table.name(spot, id)?;
                let target = self.targets.get(spot.relation);
                match target.zip(spot.cell) {
                    Some((target, (attribute, ..))) => {
                        self.words_of(target, attribute, value, &hashes)
                    }
                    None => Ok(()),
                }
            })?;
        }
        Ok(())
    }

    fn words_of_blocks(
        &self,
        target: &Target<'_>,
        first: u32,
        hashes: &HashSet<u64>,
        raw: &mut Vec<u8>,
    ) -> Result<()> {
        self.cancel.check()?;
        let file = File::open(&target.path).map_err(Error::io("open", &target.path))?;
        let last = (target.len / BLCKSZ as u64) as u32;
        for number in first..(first + TASK_BLOCKS).min(last) {
            let block = self.read_block(&file, target, number)?;
            let mut cells = Vec::new();
            let _ = each_cell(&block, &target.storage, |cell| cells.push(cell));
            for cell in cells {
                if let Some(value) = cell.value(&block, raw) {
                    self.words_of(target, cell.attribute, value, hashes)?;
                }
            }
        }
        Ok(())
    }

    fn words_of(
        &self,
        target: &Target<'_>,
        attribute: usize,
        value: &[u8],
        hashes: &HashSet<u64>,
    ) -> Result<()> {
        let explain = |hash| {
            if let Some(found) = self.set.find(hash).filter(|_| hashes.contains(&hash)) {
                self.set_apart(found);
            }
        };
        self.words_with_header(value, explain);
        let (parts, value_type) = match target.holds(attribute) {
            Holds::Kept if target.pristine => (false, None),
            Holds::Kept => return Ok(()),
            Holds::Accepted => (true, None),
            Holds::Masked(value_type) => (value_type.is_none(), value_type),
        };
        let is_masked = matches!(target.holds(attribute), Holds::Masked(_));
        if !self.has_word(value, parts, hashes)
            || is_masked && !self.gathered.is_output(value_type, value)?
        {
            return Ok(());
        }
        self.each_word(value, parts, explain);
        Ok(())
    }

    /// The hashes of words that begin with a short varlena header.
    fn words_with_header(&self, value: &[u8], mut visit: impl FnMut(u64)) {
        let header = ((value.len() + 1) << 1 | 1).try_into().unwrap_or(0u8);
        if !header.is_ascii_alphabetic() {
            return;
        }
        let mut text = [header; LENGTHS.end];
        let (_, behind) = text.split_at_mut(1);
        for (place, byte) in behind.iter_mut().zip(value) {
            *place = *byte;
        }
        for len in LENGTHS {
            if let Some(word) = text.get(..len)
                && !is_word(value.get(len - 1))
            {
                visit(self.set.hash_of(word));
            }
        }
    }

    fn has_word(&self, value: &[u8], parts: bool, hashes: &HashSet<u64>) -> bool {
        let mut has = false;
        self.each_word(value, parts, |hash| has |= hashes.contains(&hash));
        has
    }

    /// The hashes of all words of a value, in each case. Its parts, if it has any, stand side by side.
    fn each_word(&self, value: &[u8], parts: bool, mut visit: impl FnMut(u64)) {
        let in_word = |byte| !parts && is_word(byte);
        for start in 0..value.len() {
            if start.checked_sub(1).is_some_and(|before| in_word(value.get(before))) {
                continue;
            }
            for len in LENGTHS {
                if let Some(word) = value.get(start..start + len)
                    && !in_word(value.get(start + len))
                {
                    self.in_each_case(word, &mut visit);
                }
            }
        }
    }

    /// The hashes of a word as it is, in small letters, and in large ones.
    fn in_each_case(&self, word: &[u8], visit: &mut impl FnMut(u64)) {
        visit(self.set.hash_of(word));
        for in_case in [<[u8]>::make_ascii_lowercase, <[u8]>::make_ascii_uppercase] {
            let mut letters = [0; LENGTHS.end];
            let Some(folded) = letters.get_mut(..word.len()) else { continue };
            folded.copy_from_slice(word);
            in_case(folded);
            if folded != word {
                visit(self.set.hash_of(folded));
            }
        }
    }
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80)
}
