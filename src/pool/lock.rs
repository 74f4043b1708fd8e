//! `flock`, held by a process and gone with it.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How long a verb waits for another process's verb.
const PATIENCE: Duration = Duration::from_secs(60);

/// A lock on a file; released when dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// The file itself.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Waits for it, up to a minute.
    pub(super) fn wait(path: &Path, what: &str) -> Result<Lock> {
        let start = Instant::now();
        loop {
            if let Some(lock) = Lock::try_take(path)? {
                return Ok(lock);
            }
            if start.elapsed() > PATIENCE {
                return Err(Error::Busy {
                    what: format!(
                        "{what} is in use by another thinveil; try again when it is done"
                    ),
                });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// `None` if somebody else holds it.
    pub(super) fn try_take(path: &Path) -> Result<Option<Lock>> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)
                .map_err(Error::io("open", path))?;
            match file.try_lock() {
                Ok(()) => (),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
            }
            // The directory may have gone, or been replaced, while we waited.
            let held = file.metadata().map_err(Error::io("read", path))?;
            if path.metadata().is_ok_and(|now| now.ino() == held.ino() && now.dev() == held.dev()) {
                return Ok(Some(Lock { file }));
            }
        }
    }
}

impl Drop for Lock {
    /// Unlocks the open file itself: a thread that is between `fork` and `exec` has a copy of the
    /// descriptor, and closing ours would leave the lock to that copy.
    fn drop(&mut self) {
        _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_descriptor_does_not_keep_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = Lock::wait(&path, "it").unwrap();
        let _copy = lock.file().try_clone().unwrap();
        assert!(Lock::try_take(&path).unwrap().is_none());
        drop(lock);
        assert!(Lock::try_take(&path).unwrap().is_some());
    }
}
