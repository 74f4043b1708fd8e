//! Hashes of all files of a volume.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::progress::Cancel;

/// Read at once; large enough to be hashed by several threads.
const BUFFER: usize = 4 << 20;

/// What is in a volume. Paths are relative to it, and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::pool) struct Content {
    /// Hashes of files, in hex.
    pub(super) files: BTreeMap<String, String>,
    /// Where links lead.
    pub(in crate::pool) links: BTreeMap<String, String>,
    /// Bytes of all files.
    pub(in crate::pool) bytes: u64,
}

impl Content {
    /// Reads a volume; on as many threads as there are cores.
    pub(in crate::pool) fn of_volume(volume: &Path, cancel: &Cancel) -> Result<Content> {
        let mut content = Content::default();
        let mut files = Vec::new();
        for entry in walkdir::WalkDir::new(volume) {
            let entry = entry.map_err(|error| Error::Io {
                action: "read",
                path: volume.to_path_buf(),
                source: error.into(),
            })?;
            let kind = entry.file_type();
            if kind.is_file() {
                files.push(entry.into_path());
            } else if kind.is_symlink() {
                let target =
                    std::fs::read_link(entry.path()).map_err(Error::io("read", entry.path()))?;
                content.links.insert(name(volume, entry.path()), escaped(&target));
            }
        }
        let hashed = files.par_iter().with_max_len(1).map(|path| {
            cancel.check()?;
            let (hash, bytes) = hash(path).map_err(Error::io("read", path))?;
            Ok((name(volume, path), hash, bytes))
        });
        for (name, hash, bytes) in hashed.collect::<Result<Vec<_>>>()? {
            content.files.insert(name, hash);
            content.bytes += bytes;
        }
        Ok(content)
    }

    /// As `b3sum` writes it.
    pub(in crate::pool) fn to_text(&self) -> String {
        let mut text = String::new();
        for (path, hash) in &self.files {
            // b3sum's mark of a name with escapes in it.
            let mark = if path.contains('\\') { "\\" } else { "" };
            // Writing to a String can't fail.
            let _ = writeln!(text, "{mark}{hash}  {path}");
        }
        text
    }

    /// Reads what [`Content::to_text`] wrote; lines that it did not write are left out.
    pub(super) fn files_of_text(text: &str) -> BTreeMap<String, String> {
        let line = |line: &str| {
            let (hash, path) = line.trim_start_matches('\\').split_once("  ")?;
            Some((path.to_owned(), hash.to_owned()))
        };
        text.lines().filter_map(line).collect()
    }

    /// The hash of the list, and so of everything in it.
    pub(in crate::pool) fn hash_of_text(text: &str) -> String {
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }

    pub(in crate::pool) fn count(&self) -> usize {
        self.files.len()
    }
}

fn name(volume: &Path, path: &Path) -> String {
    escaped(path.strip_prefix(volume).unwrap_or(path))
}

/// A path in one line of text: PostgreSQL makes none that has to be escaped.
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\").replace('\n', "\\n"));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

fn hash(path: &PathBuf) -> std::io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER.min(length as usize + 1)];
    let mut bytes = 0;
    loop {
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read(buffer.get_mut(filled..).unwrap_or_default())? {
                0 => break,
                read => filled += read,
            }
        }
        hasher.update_rayon(buffer.get(..filled).unwrap_or_default());
        bytes += filled as u64;
        if filled < buffer.len() {
            return Ok((hasher.finalize().to_hex().to_string(), bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_every_file_with_the_hash_of_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let long: Vec<u8> = (0..BUFFER * 2 + 77).map(|n| n as u8).collect();
        std::fs::create_dir_all(dir.path().join("data/base")).unwrap();
        for (name, bytes) in [("data/b", &b""[..]), ("data/a\nb", b"x"), ("data/base/1", &long)] {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        std::os::unix::fs::symlink("../t/5", dir.path().join("data/l")).unwrap();
        let content = Content::of_volume(dir.path(), &Cancel::new()).unwrap();
        assert_eq!(content.bytes, long.len() as u64 + 1);
        assert_eq!(content.links["data/l"], "../t/5");
        let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
        let expected = format!(
            "\\{}  data/a\\nb\n{}  data/b\n{}  data/base/1\n",
            hash(b"x"),
            hash(b""),
            hash(&long)
        );
        assert_eq!(content.to_text(), expected);
        assert_eq!(Content::files_of_text(&expected), content.files);
    }
}
