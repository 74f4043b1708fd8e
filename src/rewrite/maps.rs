//! A heap's maps of visibility and of free space: what they hold about blocks that the heap does not
//! have is zeroed.

use std::path::{Path, PathBuf};

use super::fork::Fork;
use super::pass::clear_tail;
use crate::cluster::{ControlFile, Segment, segments};
use crate::error::Result;
use crate::ids::BlockNumber;
use crate::page::{
    Block, HEAPBLOCKS_PER_PAGE, PageHeader, SLOTS_PER_FSM_PAGE, clear_free_space_page,
    clear_visibility_page, page_checksum,
};

/// Pages of the free space map in the subtree of one of its second level.
const SUBTREE: u32 = SLOTS_PER_FSM_PAGE + 1;

/// Clears the maps of the heap whose first segment is `heap`.
pub(super) fn clear(heap: &Path, control: &ControlFile) -> Result<()> {
    let blocks = segments(heap, control.relseg_size)?.last().map_or(0, Segment::end);
    clear_visibility(&Map::open(heap, "_vm", control)?, blocks)?;
    clear_free_space(&Map::open(heap, "_fsm", control)?, blocks)
}

fn clear_visibility(map: &Map, blocks: u32) -> Result<()> {
    for page in 0..map.fork.blocks() {
        let before = page.saturating_mul(HEAPBLOCKS_PER_PAGE);
        let here = blocks.saturating_sub(before);
        map.change(page, |page| clear_visibility_page(page, here))?;
    }
    Ok(())
}

/// The map is a tree of pages: the root, and behind each page of the second level those below it
/// (`fsm_logical_to_physical`, `storage/freespace/freespace.c`). From the bottom up: a slot is the
/// root of the page below it.
fn clear_free_space(map: &Map, blocks: u32) -> Result<()> {
    let pages = map.fork.blocks();
    let mut middle = Vec::new();
    for first in (1..pages).step_by(SUBTREE as usize) {
        let mut bottom = Vec::new();
        for page in first + 1..pages.min(first.saturating_add(SUBTREE)) {
            let number = middle.len() as u32 * SLOTS_PER_FSM_PAGE + bottom.len() as u32;
            let here = blocks.saturating_sub(number.saturating_mul(SLOTS_PER_FSM_PAGE));
            bottom.push(map.change(page, |page| clear_free_space_page(page, here, &[]))?);
        }
        let root = |page: &mut Block| clear_free_space_page(page, bottom.len() as u32, &bottom);
        middle.push(map.change(first, root)?);
    }
    if pages > 0 {
        map.change(0, |page| clear_free_space_page(page, middle.len() as u32, &middle))?;
    }
    Ok(())
}

/// The fork that a map is.
struct Map {
    fork: Fork,
    checksums: bool,
}

impl Map {
    /// One that a heap does not have has no blocks.
    fn open(heap: &Path, suffix: &str, control: &ControlFile) -> Result<Map> {
        let mut first = heap.as_os_str().to_owned();
        first.push(suffix);
        let fork = Fork::open(&PathBuf::from(first), control.relseg_size)?;
        fork.segments().try_for_each(clear_tail)?;
        Ok(Map { fork, checksums: control.checksums })
    }

    /// Writes what `change` makes of a page, if that is another one.
    fn change<T>(&self, number: u32, change: impl FnOnce(&mut Block) -> T) -> Result<T> {
        let raw = self.fork.read(BlockNumber(number))?;
        let mut page = raw;
        // PostgreSQL starts again with a page that it can't trust.
        let trusted = !self.checksums
            || PageHeader::read(&raw).is_ok_and(|header| {
                header.is_none_or(|it| it.pd_checksum == page_checksum(&raw, number))
            });
        if !trusted {
            page.fill(0);
        }
        let result = change(&mut page);
        if page != raw {
            if self.checksums && matches!(PageHeader::read(&page), Ok(Some(_))) {
                let checksum = page_checksum(&page, number);
                PageHeader::set_checksum(&mut page, checksum);
            }
            self.fork.write(BlockNumber(number), &page)?;
        }
        Ok(result)
    }
}
