//! The values of shuffled columns between the pass that gathers them and the one that hands them
//! out: in memory up to a bound, above that in a temporary file.
//!
//! They are originals, side by side in the order of the rows that they are taken from. So the file
//! has no name that could outlive the process, and what is in it is encrypted under a key that only
//! this process ever has: its blocks mean nothing to whoever finds them later.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Result};
use crate::rewrite::sorter::nameless_file;

/// Bytes that are appended and read by position. `Debug` prints counts.
pub(super) struct Store {
    directory: PathBuf,
    /// Bytes to hold in memory.
    bound: usize,
    memory: Vec<u8>,
    file: Option<Spilled>,
    len: u64,
}

/// A file without a name, and what its bytes are encrypted with.
struct Spilled {
    file: File,
    key: Zeroizing<[u8; 32]>,
}

impl Store {
    /// Holds `bound` bytes in memory; the file for more is made in `directory`.
    pub(super) fn new(directory: &Path, bound: usize) -> Store {
        Store { directory: directory.to_path_buf(), bound, memory: Vec::new(), file: None, len: 0 }
    }

    /// Appends bytes, and says where they are.
    pub(super) fn append(&mut self, bytes: &mut [u8]) -> Result<u64> {
        let position = self.len;
        self.len += bytes.len() as u64;
        if self.file.is_none() && self.memory.len() + bytes.len() > self.bound {
            self.spill()?;
        }
        match &self.file {
            Some(spilled) => spilled.write(bytes, position).map_err(self.error("write"))?,
            None => {
                // Grown here, so that no copy of what it holds is left behind.
                if self.memory.capacity() < self.memory.len() + bytes.len() {
                    let room = (2 * self.memory.capacity()).max(1 << 20).min(self.bound);
                    let mut memory = Vec::with_capacity(room.max(self.memory.len() + bytes.len()));
                    memory.extend_from_slice(&self.memory);
                    std::mem::replace(&mut self.memory, memory).zeroize();
                }
                self.memory.extend_from_slice(bytes);
            }
        }
        bytes.zeroize();
        Ok(position)
    }

    /// Reads what was appended.
    pub(super) fn read(&self, position: u64, bytes: &mut [u8]) -> Result<()> {
        if let Some(spilled) = &self.file {
            return spilled.read(bytes, position).map_err(self.error("read"));
        }
        let start = usize::try_from(position).unwrap_or(usize::MAX);
        let held = self.memory.get(start..).and_then(|held| held.get(..bytes.len()));
        bytes.copy_from_slice(held.ok_or_else(|| {
            Error::invalid("a shuffled value is not where it was put: a defect of this program")
        })?);
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        let file = nameless_file(&self.directory).map_err(self.error("make"))?;
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut()).map_err(|error| Error::Io {
            action: "draw random bytes from",
            path: "the operating system".into(),
            source: error.into(),
        })?;
        let spilled = Spilled { file, key };
        let mut memory = std::mem::take(&mut self.memory);
        spilled.write(&mut memory, 0).map_err(self.error("write"))?;
        self.file = Some(spilled);
        Ok(())
    }

    fn error(&self, action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let path = self.directory.join("a temporary file for shuffled values");
        move |source| Error::Io { action, path, source }
    }
}

impl Spilled {
    fn write(&self, bytes: &mut [u8], position: u64) -> std::io::Result<()> {
        self.encrypt(bytes, position);
        self.file.write_all_at(bytes, position)
    }

    fn read(&self, bytes: &mut [u8], position: u64) -> std::io::Result<()> {
        self.file.read_exact_at(bytes, position)?;
        self.encrypt(bytes, position);
        Ok(())
    }

    /// Keyed blake3 in its extended form is a stream to add; each place of it is used once.
    fn encrypt(&self, bytes: &mut [u8], position: u64) {
        let mut stream = blake3::Hasher::new_keyed(&self.key).finalize_xof();
        stream.set_position(position);
        let mut pad = [0; 1024];
        for part in bytes.chunks_mut(pad.len()) {
            let (pad, _) = pad.split_at_mut(part.len());
            stream.fill(pad);
            part.iter_mut().zip(pad).for_each(|(byte, pad)| *byte ^= *pad);
        }
    }
}

impl Default for Store {
    fn default() -> Store {
        Store::new(Path::new(""), 0)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.memory.zeroize();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({} bytes, {} in memory)", self.len, self.memory.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Vec<Vec<u8>> {
        (0..200u32)
            .map(|i| format!("original value {i}").repeat(1 + i as usize % 90).into())
            .collect()
    }

    fn filled(directory: &Path, bound: usize) -> (Store, Vec<u64>) {
        let mut store = Store::new(directory, bound);
        let positions = values().iter_mut().map(|value| store.append(value).unwrap()).collect();
        (store, positions)
    }

    #[test]
    fn gives_back_what_it_got_in_memory_and_out_of_it() {
        let directory = tempfile::tempdir().unwrap();
        for bound in [usize::MAX >> 1, 10_000, 0] {
            let (store, positions) = filled(directory.path(), bound);
            assert_eq!(store.file.is_some(), bound <= 10_000);
            for (value, position) in values().iter().zip(positions).rev() {
                let mut read = vec![0; value.len()];
                store.read(position, &mut read).unwrap();
                assert_eq!(read, *value);
            }
            assert!(store.read(store.len, &mut [0]).is_err());
        }
    }

    #[test]
    fn the_file_has_no_name_and_its_bytes_say_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = filled(directory.path(), 10_000);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let mut bytes = vec![0; store.len as usize];
        store.file.as_ref().unwrap().file.read_exact_at(&mut bytes, 0).unwrap();
        assert!(!bytes.windows(8).any(|bytes| bytes == b"original"));
        assert!(store.memory.is_empty() && !format!("{store:?}").contains("original"));
    }

    #[test]
    fn what_was_appended_is_not_left_with_the_caller() {
        let mut value = b"original".to_vec();
        Store::new(Path::new("/"), 100).append(&mut value).unwrap();
        assert_eq!(value, [0; 8]);
    }
}
