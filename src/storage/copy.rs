//! Full copies: works on any file system.

use std::path::Path;

use super::file::Method;
use super::reflink::clone_tree;
use super::{Capabilities, Driver, DriverKind, Watch};
use crate::error::Result;

/// A clone costs as many bytes as the snapshot, and the time to copy them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Copy;

impl Driver for Copy {
    fn kind(&self) -> DriverKind {
        DriverKind::Copy
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn clone_volume(&self, from: &Path, to: &Path, watch: &Watch<'_>) -> Result<()> {
        clone_tree(from, to, Method::Copy, watch)
    }
}
