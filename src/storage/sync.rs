//! Making bytes survive a power failure.

use std::fs::File;
use std::path::Path;

use crate::error::{Error, Result};
use crate::failpoint::Omission;

/// Flushes everything in the file system that holds `volume`.
///
/// One call beats one `fsync` per file by far on volumes of thousands of files.
pub fn sync_volume(volume: &Path) -> Result<()> {
    if Omission::Volume.is_made() {
        return Ok(());
    }
    let handle = File::open(volume).map_err(Error::io("open", volume))?;
    rustix::fs::syncfs(&handle).map_err(|error| Error::io("sync", volume)(error.into()))
}

/// Makes what was created, renamed or removed in a directory durable.
pub fn fsync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|handle| handle.sync_all()).map_err(Error::io("sync", dir))
}
