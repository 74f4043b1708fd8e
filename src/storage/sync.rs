//! Making bytes survive a power failure.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::failpoint::Omission;

/// What is written to a file system from a moment on.
///
/// The kernel tells of a failed write once to each handle that was open then, and to the first one
/// opened later: so whoever opens one only to flush may never hear that what it wrote is lost.
#[derive(Debug)]
pub struct Writes {
    handle: File,
    dir: PathBuf,
}

impl Writes {
    /// Those to the file system that holds `dir`, from now on. What lies in an overlay mount is
    /// written to the file system below it; with ZFS, all datasets of a pool are one.
    pub fn from_now(dir: &Path) -> Result<Writes> {
        let handle = File::open(dir).map_err(Error::io("open", dir))?;
        Ok(Writes { handle, dir: dir.to_path_buf() })
    }

    /// Flushes them, and everything else in the file system. Fails if any failed, in the background
    /// too.
    ///
    /// One call beats one `fsync` per file by far on volumes of thousands of files.
    pub fn flush(&self) -> Result<()> {
        if Omission::Volume.is_made() {
            return Ok(());
        }
        rustix::fs::syncfs(&self.handle)
            .map_err(|error| Error::io("sync", &self.dir)(error.into()))?;
        super::zfs::sync(&self.dir)
    }
}

/// Makes what was created, renamed or removed in a directory durable.
pub fn fsync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|handle| handle.sync_all()).map_err(Error::io("sync", dir))
}
