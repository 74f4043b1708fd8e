//! A fork's segments, open, and its pages by block number.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::cluster::{Segment, segments};
use crate::error::{Error, Result};
use crate::ids::BlockNumber;
use crate::page::{BLCKSZ, Block};

/// One fork of a relation.
pub(super) struct Fork {
    files: Vec<(File, Segment)>,
    relseg_size: u32,
}

impl Fork {
    /// Opens the fork whose first segment is `first`.
    pub(super) fn open(first: &Path, relseg_size: u32) -> Result<Fork> {
        let open = |segment: Segment| {
            let file = OpenOptions::new().read(true).write(true).open(&segment.path);
            Ok((file.map_err(Error::io("open", &segment.path))?, segment))
        };
        let files = segments(first, relseg_size)?.into_iter().map(open);
        Ok(Fork { files: files.collect::<Result<_>>()?, relseg_size })
    }

    /// Whole blocks in it.
    pub(super) fn blocks(&self) -> u32 {
        self.segments().last().map_or(0, Segment::end)
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.files.iter().map(|(_, segment)| segment)
    }

    pub(super) fn read(&self, block: BlockNumber) -> Result<Block> {
        let (file, segment, position) = self.place(block)?;
        let mut page = [0; BLCKSZ];
        file.read_exact_at(&mut page, position).map_err(Error::io("read", &segment.path))?;
        Ok(page)
    }

    pub(super) fn write(&self, block: BlockNumber, page: &Block) -> Result<()> {
        let (file, segment, position) = self.place(block)?;
        file.write_all_at(page, position).map_err(Error::io("write", &segment.path))
    }

    fn place(&self, block: BlockNumber) -> Result<(&File, &Segment, u64)> {
        let number = (block.0 / self.relseg_size) as usize;
        let (file, segment) =
            self.files.get(number).ok_or_else(|| Error::invalid("a block is in no segment"))?;
        Ok((file, segment, u64::from(block.0 - segment.first_block) * BLCKSZ as u64))
    }
}
