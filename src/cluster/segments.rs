//! The segment files of a relation's main fork.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::page::BLCKSZ;

/// One segment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The file.
    pub path: PathBuf,
    /// Number of its first block within the fork.
    pub first_block: u32,
    /// Whole blocks in it.
    pub blocks: u32,
    /// Bytes behind the last whole block, left by a torn extension.
    pub tail: u64,
}

impl Segment {
    /// The block behind its last whole one, by number within the fork.
    pub(crate) fn end(&self) -> u32 {
        self.first_block + self.blocks
    }
}

/// The file of a fork's segment, by that of the first one.
pub(crate) fn segment_path(first: &Path, number: u32) -> PathBuf {
    let mut path = first.as_os_str().to_owned();
    if number > 0 {
        path.push(format!(".{number}"));
    }
    path.into()
}

/// The segments of the main fork whose first segment is `first`: `16384`, `16384.1`, …
/// A relation without storage yet (an unlogged one after a crash, say) has none.
pub fn segments(first: &Path, relseg_size: u32) -> Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for number in 0u32.. {
        let path = segment_path(first, number);
        let len = match std::fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
            Err(source) => return Err(Error::Io { action: "look at", path, source }),
        };
        let blocks = u32::try_from(len / BLCKSZ as u64)
            .ok()
            .filter(|blocks| *blocks <= relseg_size)
            .ok_or_else(|| {
                Error::invalid(format!("{}: longer than a segment can be", path.display()))
            })?;
        let first_block = number.checked_mul(relseg_size).ok_or_else(|| {
            Error::invalid(format!("{}: more segments than a relation can have", path.display()))
        })?;
        segments.push(Segment { path, first_block, blocks, tail: len % BLCKSZ as u64 });
    }
    Ok(segments)
}
