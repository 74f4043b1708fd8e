//! A pass that only reads.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::{CHUNK_BLOCKS, PageFault, Pass, Target, Task, Workspace};
use crate::error::{Error, Result};
use crate::ids::BlockNumber;
use crate::page::{BLCKSZ, Block, PageHeader, line_pointers, page_checksum};
use crate::rewrite::page::{Fault, TuplePlace};

/// Looks at a raw tuple.
pub(in crate::rewrite) type Visit<'v> = dyn FnMut(&[u8], TuplePlace) -> Result<(), Fault> + 'v;

impl Task {
    /// Its first block, counted from the relation's start.
    pub(in crate::rewrite) fn first_block(&self) -> u32 {
        self.segment.first_block + self.first
    }
}

impl Pass<'_> {
    /// Shows `visit` the tuples of `task`, in their order.
    pub(in crate::rewrite) fn read(
        &self,
        task: &Task,
        target: Option<&Target<'_>>,
        workspace: &mut Workspace,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let path = &task.segment.path;
        let file = File::open(path).map_err(Error::io("open", path))?;
        for first in (task.first..task.first + task.blocks).step_by(CHUNK_BLOCKS as usize) {
            self.cancel.check()?;
            let blocks = CHUNK_BLOCKS.min(task.first + task.blocks - first);
            let Some(pages) = workspace.raw.get_mut(..blocks as usize * BLCKSZ) else {
                return Err(Error::invalid("a chunk is longer than its buffer"));
            };
            let position = u64::from(first) * BLCKSZ as u64;
            file.read_exact_at(pages, position).map_err(Error::io("read", path))?;
            for (index, page) in (0..).zip(pages.as_chunks().0) {
                let block = BlockNumber(task.segment.first_block + first + index);
                self.read_page(page, block, visit).map_err(|fault| fault.at(target, block))?;
            }
            self.advance(pages.len() as u64);
        }
        Ok(())
    }

    fn read_page(
        &self,
        page: &Block,
        block: BlockNumber,
        visit: &mut Visit<'_>,
    ) -> Result<(), PageFault> {
        // A page that is garbage without a header is told of when it is rewritten.
        let Some(header) = PageHeader::read(page).map_err(Fault::from)? else { return Ok(()) };
        if self.control.checksums {
            let expected = page_checksum(page, block.0);
            if header.pd_checksum != expected {
                return Err(PageFault::Checksum { expected, got: header.pd_checksum });
            }
        }
        for pointer in line_pointers(page, &header) {
            let pointer = pointer.map_err(Fault::from)?;
            let tuple = page.get(pointer.offset..pointer.offset + pointer.len).unwrap_or_default();
            let place = TuplePlace { block, line_pointer: pointer.number, offset: pointer.offset };
            visit(tuple, place)?;
        }
        Ok(())
    }
}
