//! What stands in for the driver `zfs` in a build that has none.

use std::path::Path;

use super::{Capabilities, Driver, DriverKind, Frozen, Usage, Watch};
use crate::error::{Error, Result};

/// Fails with what to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Zfs;

impl Zfs {
    /// No volume is one of its own.
    pub(super) fn has(_volume: &Path) -> bool {
        false
    }
}

/// Volumes that are plain directories are flushed with the file system that they lie in.
pub(super) fn sync(_dir: &Path) -> Result<()> {
    Ok(())
}

fn missing<T>() -> Result<T> {
    Err(Error::invalid(
        "this thinveil was built without the driver zfs: build it with the feature zfs, which needs \
         OpenZFS's libraries",
    ))
}

impl Driver for Zfs {
    fn kind(&self) -> DriverKind {
        DriverKind::Zfs
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn create_volume(&self, _volume: &Path) -> Result<()> {
        missing()
    }

    fn clone_volume(&self, _from: &Path, _to: &Path, _watch: &Watch<'_>) -> Result<()> {
        missing()
    }

    fn freeze(&self, _directory: &Path, _to: &Path) -> Result<Option<Frozen>> {
        missing()
    }

    fn seal(&self, _volume: &Path) -> Result<()> {
        missing()
    }

    fn attach(&self, _volume: &Path) -> Result<bool> {
        missing()
    }

    fn detach(&self, _volume: &Path) -> Result<()> {
        missing()
    }

    fn destroy(&self, _volume: &Path) -> Result<()> {
        missing()
    }

    fn usage(&self, _volume: &Path) -> Result<Usage> {
        missing()
    }
}
