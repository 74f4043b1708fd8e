//! Files that share extents: XFS and btrfs.

use std::path::Path;

use super::file::Method;
use super::tree::{Links, copy_trees};
use super::{Capabilities, Driver, DriverKind, Root, Watch};
use crate::error::Result;

/// One `FICLONE` per file. A clone costs its directories and inodes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reflink;

impl Driver for Reflink {
    fn kind(&self) -> DriverKind {
        DriverKind::Reflink
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { shares_blocks: true, ..Capabilities::default() }
    }

    fn clone_volume(&self, from: &Path, to: &Path, watch: &Watch<'_>) -> Result<()> {
        clone_tree(from, to, Method::Reflink, watch)
    }
}

/// Copies the volume `from` to the new volume `to`, links inside it included.
pub(super) fn clone_tree(from: &Path, to: &Path, method: Method, watch: &Watch<'_>) -> Result<()> {
    if to.symlink_metadata().is_ok() {
        return Err(crate::Error::invalid(format!("{}: is there already", to.display())));
    }
    copy_trees(&[Root::new(from, "")], to, method, Links::Inside, watch)?;
    Ok(())
}
