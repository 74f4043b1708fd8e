//! Full copies: works on any file system.

use std::path::Path;

use super::file::Method;
use super::reflink::clone_tree;
use super::tree::{ingest, remove_tree};
use super::usage::extents;
use super::{Blocks, Capabilities, Driver, DriverKind, Ingested, Root, Usage, Watch};
use crate::error::Result;

/// A clone costs as many bytes as the snapshot, and the time to copy them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Copy;

impl Driver for Copy {
    fn kind(&self) -> DriverKind {
        DriverKind::Copy
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { shares_blocks: false, mounts: false }
    }

    fn ingest(
        &self,
        roots: &[Root],
        volume: &Path,
        blocks: Blocks,
        watch: &Watch<'_>,
    ) -> Result<Ingested> {
        ingest(roots, volume, Method::Copy, blocks, watch)
    }

    fn clone_volume(&self, from: &Path, to: &Path, watch: &Watch<'_>) -> Result<()> {
        clone_tree(from, to, Method::Copy, watch)
    }

    fn attach(&self, _volume: &Path) -> Result<bool> {
        Ok(false)
    }

    fn detach(&self, _volume: &Path) -> Result<()> {
        Ok(())
    }

    fn destroy(&self, volume: &Path) -> Result<()> {
        remove_tree(volume)
    }

    /// The kernel may share blocks even in a copy (XFS does): the file system is asked.
    fn usage(&self, volume: &Path) -> Result<Usage> {
        extents(volume)
    }
}
