//! Small JSON files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::failpoint::{Failpoint, Omission};
use crate::storage::fsync_dir;

/// Replaces a record: after success the new one survives a power failure; after a failure or crash
/// the old one stands, or the new one.
pub(super) fn write(path: &Path, record: &impl Serialize) -> Result<()> {
    replace(path, record, true)?;
    match path.parent() {
        Some(parent) => fsync_dir(parent),
        None => Ok(()),
    }
}

/// Replaces a record that nobody needs after a power failure: then it may be gone, or empty.
pub(super) fn write_unsynced(path: &Path, record: &impl Serialize) -> Result<()> {
    replace(path, record, false)
}

fn replace(path: &Path, record: &impl Serialize, sync: bool) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(record)
        .map_err(|error| Error::io("write", path)(std::io::Error::other(error.to_string())))?;
    text.push(b'\n');
    let temporary = path.with_extension("json.new");
    let mut file: File = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(Error::io("create", &temporary))?;
    file.write_all(&text)
        .and_then(|()| if sync && !Omission::Record.is_made() { file.sync_all() } else { Ok(()) })
        .map_err(Error::io("write", &temporary))?;
    Failpoint::RecordBeside.reach()?;
    fs::rename(&temporary, path).map_err(Error::io("rename", &temporary))
}

/// `None` if there is none, or an empty one.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    if text.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&text).map(Some).map_err(|error| {
        Error::io("read", path)(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            error.to_string(),
        ))
    })
}
