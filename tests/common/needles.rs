//! A byte search of its own: many values, every offset of every file.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

const WINDOW: usize = 8;
const BLOOM_BITS: usize = 22;

/// Byte strings to look for. Shorter than eight bytes would meet too many strangers.
#[derive(Default)]
pub(crate) struct Needles {
    by_prefix: HashMap<u64, Vec<(String, Vec<u8>)>>,
    bloom: Vec<u64>,
    count: usize,
}

impl Needles {
    pub(crate) fn new() -> Needles {
        Needles { bloom: vec![0; (1 << BLOOM_BITS) / 64], ..Needles::default() }
    }

    /// Adds a value under the label that a hit will be reported with. Values whose first bytes are
    /// all alike (zeros, blanks) are left out; so are short ones. Returns whether it was taken.
    pub(crate) fn add(&mut self, label: &str, value: &[u8]) -> bool {
        let Some(first) = value.first_chunk::<WINDOW>() else { return false };
        if first.iter().filter(|byte| **byte == first[0]).count() > WINDOW / 2 {
            return false;
        }
        let prefix = u64::from_le_bytes(*first);
        let bucket = self.by_prefix.entry(prefix).or_default();
        if bucket.iter().any(|(_, known)| known == value) {
            return false;
        }
        bucket.push((label.to_owned(), value.to_vec()));
        let slot = slot(prefix);
        self.bloom[slot / 64] |= 1 << (slot % 64);
        self.count += 1;
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Hits in one buffer, as `label at offset`.
    pub(crate) fn find_in(&self, haystack: &[u8]) -> Vec<String> {
        let mut hits = Vec::new();
        for (offset, window) in haystack.windows(WINDOW).enumerate() {
            let prefix = u64::from_le_bytes(window.try_into().expect("eight bytes"));
            let slot = slot(prefix);
            if self.bloom[slot / 64] & (1 << (slot % 64)) == 0 {
                continue;
            }
            for (label, value) in self.by_prefix.get(&prefix).into_iter().flatten() {
                if haystack[offset..].starts_with(value) {
                    hits.push(format!("{label} at {offset}"));
                }
            }
        }
        hits
    }

    /// Hits in every file below `dir`, file names included; at most twenty of each file.
    pub(crate) fn find_below(&self, dir: &Path) -> Vec<String> {
        let mut hits = Vec::new();
        for file in files_under(dir) {
            let bytes = fs::read(dir.join(&file)).expect("a readable file");
            let named = self.find_in(file.to_string_lossy().as_bytes());
            let found = self.find_in(&bytes).into_iter().chain(named).take(20);
            hits.extend(found.map(|hit| format!("{}: {hit}", file.display())));
        }
        hits
    }
}

fn slot(prefix: u64) -> usize {
    let hash = prefix.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BLOOM_BITS);
    usize::try_from(hash).expect("few bits")
}

/// Regular files below `dir`, relative to it, sorted; links are not followed, sockets left out.
pub(crate) fn files_under(dir: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(dir)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.expect("a readable directory"))
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(dir).expect("below").to_path_buf())
        .collect()
}

/// One hash over names and bytes of everything below `dir`.
pub(crate) fn tree_digest(dir: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in files_under(dir) {
        hasher.update(file.to_string_lossy().as_bytes()).update(b"\0");
        let bytes = fs::read(dir.join(&file)).expect("a readable file");
        hasher.update(&bytes.len().to_le_bytes()).update(&bytes);
    }
    hasher.finalize().to_hex().to_string()
}
