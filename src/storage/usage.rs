//! Bytes that a tree holds, and which of them others hold too.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fiemap::{Fiemap, FiemapExtentFlags, FiemapFlags};
use rayon::prelude::*;
use walkdir::WalkDir;

use super::Usage;
use super::file::open_beneath;
use super::tree::walk_error;
use crate::error::Result;

/// Asks the file system about every file's extents; where it can't tell, blocks count as own.
///
/// Files that vanish meanwhile (a running clone's) count as nothing.
pub(super) fn extents(tree: &Path) -> Result<Usage> {
    Ok(files(tree)?
        .par_iter()
        .map(|path| of_file(path).unwrap_or_default())
        .reduce(Usage::default, add))
}

/// Allocated bytes of all files, hard links and sharing aside.
pub(super) fn allocated(tree: &Path) -> Result<u64> {
    Ok(files(tree)?
        .par_iter()
        .map(|path| path.symlink_metadata().map_or(0, |meta| meta.blocks() * 512))
        .sum())
}

fn add(left: Usage, right: Usage) -> Usage {
    Usage {
        own_bytes: left.own_bytes + right.own_bytes,
        shared_bytes: left.shared_bytes + right.shared_bytes,
    }
}

fn files(tree: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(tree).follow_links(false) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => found.push(entry.into_path()),
            Ok(_) => (),
            Err(error)
                if error.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound)
                    && error.depth() > 0 => {}
            Err(error) => return Err(walk_error(error)),
        }
    }
    Ok(found)
}

/// Bytes of one file.
pub(super) fn of_file(path: &Path) -> std::io::Result<Usage> {
    let meta = path.symlink_metadata()?;
    let allocated = meta.blocks() * 512;
    if allocated == 0 {
        return Ok(Usage::default());
    }
    let mut usage = Usage::default();
    for extent in Fiemap::new_from_path(path)? {
        let Ok(extent) = extent else {
            return Ok(Usage { own_bytes: allocated, shared_bytes: 0 });
        };
        if extent.fe_flags.contains(FiemapExtentFlags::SHARED) {
            usage.shared_bytes += extent.fe_length;
        } else {
            usage.own_bytes += extent.fe_length;
        }
    }
    Ok(usage)
}

/// True if the file of both volumes, which lie in one file system, is made of the very same blocks. What is in memory
/// only is written first.
pub(super) fn same_blocks(volume: &Path, other: &Path, file: &Path) -> std::io::Result<bool> {
    let (ours, theirs) = (open_beneath(volume, file)?, open_beneath(other, file)?);
    let extents = |file: &File| {
        let map = Fiemap::with_flags(file, FiemapFlags::SYNC);
        map.map(|extent| {
            let extent = extent?;
            // Where a block is not known, or not the bytes themselves, places say nothing.
            let unclear = FiemapExtentFlags::UNKNOWN
                | FiemapExtentFlags::NOT_ALIGNED
                | FiemapExtentFlags::ENCODED;
            if extent.fe_flags.intersects(unclear) {
                return Err(std::io::ErrorKind::Unsupported.into());
            }
            let is_unwritten = extent.fe_flags.contains(FiemapExtentFlags::UNWRITTEN);
            Ok((extent.fe_logical, extent.fe_physical, extent.fe_length, is_unwritten))
        })
        .collect::<std::io::Result<Vec<_>>>()
    };
    Ok(extents(&ours)? == extents(&theirs)? && ours.metadata()?.len() == theirs.metadata()?.len())
}
