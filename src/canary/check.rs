//! The search: every byte of every file, for the mark that all canaries carry. Constants in trees
//! are lists of decimal numbers there, so these are read, too.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use memchr::memmem;
use serde::Serialize;

use super::{CanaryList, LEN, MARKER, Place};
use crate::error::{Error, Result};
use crate::progress::Cancel;

/// Bytes read at once.
const WINDOW: usize = 4 << 20;

/// Where to look for which canaries.
pub struct CheckJob<'a> {
    /// A directory; links are not followed.
    pub dir: &'a Path,
    /// What was planted.
    pub list: &'a CanaryList,
    /// Stops the work.
    pub cancel: &'a Cancel,
    /// Watches the work: bytes done, and bytes in all.
    pub progress: &'a dyn Fn(u64, u64),
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Found {
    /// Files searched.
    pub files: u64,
    /// Bytes searched.
    pub bytes: u64,
    /// By place, in the list's order.
    pub places: Vec<PlaceFound>,
    /// Each canary that is there.
    pub hits: Vec<Hit>,
}

impl Found {
    /// True if no canary is there.
    pub fn is_clean(&self) -> bool {
        self.hits.is_empty()
    }

    /// Places of which a canary is missing: what a raw copy must not have.
    pub fn missing(&self) -> impl Iterator<Item = &PlaceFound> {
        self.places.iter().filter(|place| place.found < place.planted)
    }
}

/// How much of a place was found.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct PlaceFound {
    /// [`Place::name`].
    pub place: String,
    /// [`Place::database`].
    pub database: Option<String>,
    /// Canaries planted there.
    pub planted: usize,
    /// Of these, how many are still there.
    pub found: usize,
}

/// A canary, found.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// The first place on the list that it was planted in.
    pub place: String,
    /// The file, relative to the directory.
    pub file: PathBuf,
    /// Where in the file.
    pub offset: u64,
}

impl CheckJob<'_> {
    /// Searches every file.
    pub fn run(&self) -> Result<Found> {
        let mut known: HashMap<&[u8], &Place> = HashMap::new();
        for place in &self.list.places {
            for canary in &place.canaries {
                known.entry(canary.0.as_bytes()).or_insert(place);
            }
        }
        let mut files = Vec::new();
        let mut total = 0;
        for entry in walkdir::WalkDir::new(self.dir).sort_by_file_name() {
            let entry = entry.map_err(|error| Error::io("read", self.dir)(error.into()))?;
            if entry.file_type().is_file() {
                let len =
                    entry.metadata().map_err(|e| Error::io("read", self.dir)(e.into()))?.len();
                total += len;
                files.push(entry.into_path());
            }
        }
        let mut bytes = 0;
        let mut hits = Vec::new();
        // Files by canary, for the places that one file alone counts for.
        let mut seen: BTreeMap<&[u8], Vec<PathBuf>> = BTreeMap::new();
        for path in &files {
            let file = path.strip_prefix(self.dir).unwrap_or(path);
            let before = bytes;
            bytes += search(
                path,
                self.cancel,
                |done| (self.progress)(before + done, total),
                |offset, canary| {
                    if let Some((canary, place)) = known.get_key_value(canary) {
                        seen.entry(canary).or_default().push(file.to_path_buf());
                        hits.push(Hit {
                            place: place.name.clone(),
                            file: file.to_path_buf(),
                            offset,
                        });
                    }
                },
            )?;
        }
        let places = self.list.places.iter().map(|place| {
            let found = place.canaries.iter().filter(|canary| {
                let files = seen.get(canary.0.as_bytes()).map(Vec::as_slice).unwrap_or_default();
                let mut files = files.iter().filter(|file| !self.is_copy(file));
                files.any(|file| is_there(place, file))
            });
            PlaceFound {
                place: place.name.clone(),
                database: place.database.clone(),
                planted: place.canaries.len(),
                found: found.count(),
            }
        });
        Ok(Found { files: files.len() as u64, bytes, places: places.collect(), hits })
    }
}

impl CheckJob<'_> {
    /// True for a file that says nothing of where else a canary is.
    fn is_copy(&self, file: &Path) -> bool {
        self.list.copies.iter().any(|copy| file == copy || is_part_of(file, copy))
    }
}

/// True if a canary in `file` is where the place is. The log has a copy of nearly everything: it
/// counts for itself alone.
fn is_there(place: &Place, file: &Path) -> bool {
    match &place.file {
        Some(at) => file.starts_with(at) || is_part_of(file, at),
        None => !file.starts_with("pg_wal"),
    }
}

/// True for a segment or a fork of the relation whose first file is `first`.
fn is_part_of(file: &Path, first: &Path) -> bool {
    let (file, first) = (file.to_string_lossy(), first.to_string_lossy());
    file.strip_prefix(&*first).is_some_and(|rest| rest.starts_with(['.', '_']))
}

/// Calls `hit` with each thing that looks like a canary, and `done` with the bytes behind it now
/// and then; the file's length.
fn search(
    path: &Path,
    cancel: &Cancel,
    done: impl Fn(u64),
    mut hit: impl FnMut(u64, &[u8]),
) -> Result<u64> {
    let finder = memmem::Finder::new(MARKER);
    let numbers = memmem::Finder::new(MARKER_IN_TREES);
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut window = Vec::with_capacity(WINDOW + LEN_IN_TREES);
    // Where the window starts in the file.
    let mut start = 0;
    loop {
        cancel.check()?;
        let before = window.len();
        let read = (&mut file).take(WINDOW as u64).read_to_end(&mut window);
        let at_end = read.map_err(Error::io("read", path))? == 0;
        let mut next = 0;
        for at in finder.find_iter(&window) {
            if let Some(canary) = window.get(at..at + LEN) {
                hit(start + at as u64, canary);
                next = at + LEN;
            }
        }
        for at in numbers.find_iter(&window) {
            if let Some((canary, len)) = window.get(at..).and_then(of_numbers) {
                hit(start + at as u64, &canary);
                next = next.max(at + len);
            }
        }
        if at_end {
            return Ok(start + before as u64);
        }
        // What may be the beginning of one that the next window completes.
        let keep = window.len().saturating_sub(LEN_IN_TREES - 1).max(next);
        window.drain(..keep);
        start += keep as u64;
        done(start);
    }
}

/// [`MARKER`] as `outDatum` writes it.
const MARKER_IN_TREES: &[u8] = b"122 113 99 97 110 97 114 121 ";
/// Most bytes of a canary there.
const LEN_IN_TREES: usize = 4 * LEN;

/// A canary that is written in decimal numbers, and how many bytes these take.
fn of_numbers(bytes: &[u8]) -> Option<([u8; LEN], usize)> {
    let mut canary = [0; LEN];
    let mut len = 0;
    for byte in &mut canary {
        let rest = bytes.get(len..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        *byte = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
        // The number, and the blank or bracket behind it.
        rest.get(digits)?;
        len += digits + 1;
    }
    Some((canary, len))
}

#[cfg(test)]
mod tests {
    use super::super::Canary;
    use super::*;

    fn list(places: &[(&str, Option<&str>, &Canary)]) -> CanaryList {
        let places = places.iter().map(|(name, file, canary)| Place {
            name: (*name).to_owned(),
            database: None,
            file: file.map(PathBuf::from),
            canaries: vec![(*canary).clone()],
        });
        CanaryList { version: CanaryList::VERSION, places: places.collect(), copies: Vec::new() }
    }

    fn check(dir: &Path, list: &CanaryList) -> Found {
        CheckJob { dir, list, cancel: &Cancel::new(), progress: &|_, _| {} }.run().unwrap()
    }

    #[test]
    fn canaries_are_found_across_windows_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let canary = Canary::draw().unwrap();
        let other = Canary::draw().unwrap();
        for offset in [0, WINDOW - LEN, WINDOW - LEN + 1, WINDOW - 3, WINDOW, 2 * WINDOW + 5] {
            let mut bytes = vec![b'z'; 2 * WINDOW + 100];
            bytes[offset..offset + LEN].copy_from_slice(canary.0.as_bytes());
            bytes[WINDOW + 500..WINDOW + 500 + LEN].copy_from_slice(other.0.as_bytes());
            std::fs::write(dir.path().join("file"), &bytes).unwrap();
            let found = check(dir.path(), &list(&[("here", None, &canary)]));
            let hits: Vec<u64> = found.hits.iter().map(|hit| hit.offset).collect();
            assert_eq!((hits, found.bytes), (vec![offset as u64], bytes.len() as u64));
        }
    }

    #[test]
    fn canaries_are_found_in_trees() {
        let dir = tempfile::tempdir().unwrap();
        let canary = Canary::draw().unwrap();
        let numbers: Vec<String> = canary.0.bytes().map(|byte| byte.to_string()).collect();
        for before in [0, WINDOW - 40, WINDOW - 1] {
            let tree = format!("{} 0 0 {} ] 122", " ".repeat(before), numbers.join(" "));
            std::fs::write(dir.path().join("tree"), tree).unwrap();
            let found = check(dir.path(), &list(&[("here", None, &canary)]));
            assert_eq!(found.hits.len(), 1, "{found:?}");
        }
    }

    #[test]
    fn a_place_is_its_own_file_and_the_log_counts_for_itself() {
        let dir = tempfile::tempdir().unwrap();
        let canary = Canary::draw().unwrap();
        std::fs::create_dir(dir.path().join("pg_wal")).unwrap();
        std::fs::write(dir.path().join("pg_wal/1"), canary.to_string()).unwrap();
        std::fs::write(dir.path().join("77.1"), canary.to_string()).unwrap();
        let list = list(&[
            ("table", Some("77"), &canary),
            ("index", Some("78"), &canary),
            ("log", Some("pg_wal"), &canary),
        ]);
        let found = check(dir.path(), &list);
        let counts: Vec<usize> = found.places.iter().map(|place| place.found).collect();
        assert_eq!(counts, [1, 0, 1]);
        assert_eq!(found.hits.len(), 2);
        std::fs::remove_file(dir.path().join("77.1")).unwrap();
        let found = check(
            dir.path(),
            &CanaryList { places: vec![Place { file: None, ..list.places[0].clone() }], ..list },
        );
        assert_eq!((found.places[0].found, found.is_clean()), (0, false));
    }
}
