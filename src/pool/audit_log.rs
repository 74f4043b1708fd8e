//! Who did what to the pool: one JSON line per verb, each with the hash of the line before. Verbs
//! that were refused or failed have theirs too, with an `outcome`.
//!
//! A changed, removed or inserted line breaks the chain. Lines cut off at the end don't: keep
//! [`Verified::head`] elsewhere to notice that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The longest value that a line takes whole, in characters: a line must fit the window in which
/// the next one looks for it.
const LONGEST_VALUE: usize = 1000;

/// A line of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditEntry {
    /// 1 for the first line.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// The operating system user who ran thinveil.
    pub uid: u32,
    /// `clone create`, …
    pub verb: String,
    /// The id or name of what it was done to; empty if that is the whole pool.
    pub object: String,
    /// More, without secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
    /// blake3 of the line before, without its newline; of nothing for the first line.
    pub previous: String,
}

/// An unbroken chain.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// How many lines.
    pub entries: u64,
    /// The hash of the last one.
    pub head: String,
}

/// Appends a line and syncs it.
pub(super) fn append(
    path: &Path,
    verb: &str,
    object: &str,
    details: &[(&str, &str)],
) -> Result<()> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(Error::io("open", path))?;
    file.lock().map_err(Error::io("lock", path))?;

    let (last, end) = last_line(&mut file).map_err(Error::io("read", path))?;
    let sequence = match &last {
        Some(line) => serde_json::from_slice::<AuditEntry>(line).map_or(0, |entry| entry.sequence),
        None => 0,
    };
    let entry = AuditEntry {
        sequence: sequence + 1,
        at: Timestamp::now(),
        uid: rustix::process::getuid().as_raw(),
        verb: verb.to_owned(),
        object: shortened(object),
        details: details.iter().map(|(k, v)| ((*k).to_owned(), shortened(v))).collect(),
        previous: hash(last.as_deref().unwrap_or_default()),
    };
    let mut line = serde_json::to_vec(&entry)
        .map_err(|error| Error::io("write", path)(std::io::Error::other(error.to_string())))?;
    line.push(b'\n');
    // A line that a crash cut short was never reported as written.
    file.set_len(end)
        .and_then(|()| file.seek(SeekFrom::Start(end)))
        .and_then(|_| file.write_all(&line))
        .and_then(|()| file.sync_data())
        .map_err(Error::io("write", path))
}

/// How a verb ended that did not do what it was asked for: never the error's own words.
pub(super) fn outcome(error: &Error) -> Vec<(&'static str, String)> {
    let outcome = match error {
        Error::Refused(_) => "refused",
        Error::Cancelled => "cancelled",
        Error::Busy { .. } => "busy",
        Error::NotFound { .. } => "not found",
        _ => "failed",
    };
    let mut details = vec![("outcome", outcome.to_owned())];
    if let Error::Refused(refusals) = error {
        let codes: BTreeSet<&str> = refusals.iter().map(|refusal| refusal.code).collect();
        details.push(("reasons", refusals.len().to_string()));
        details.push(("codes", codes.into_iter().collect::<Vec<_>>().join(" ")));
    }
    details
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Reads the whole log and follows the chain.
pub(super) fn verify(path: &Path) -> Result<Verified> {
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut head = hash(b"");
    let mut entries = 0;
    for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        entries += 1;
        let fits = serde_json::from_slice::<AuditEntry>(line)
            .is_ok_and(|entry| entry.sequence == entries && entry.previous == head);
        if !fits {
            return Err(Error::invalid(format!(
                "{}: line {entries} does not follow from the lines before it: the log was changed",
                path.display()
            )));
        }
        head = hash(line);
    }
    Ok(Verified { entries, head })
}

fn hash(line: &[u8]) -> String {
    blake3::hash(line).to_hex().to_string()
}

/// The last complete line, and where the next one goes.
fn last_line(file: &mut File) -> std::io::Result<(Option<Vec<u8>>, u64)> {
    /// No line is longer.
    const WINDOW: u64 = 1 << 16;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(WINDOW);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let Some(end) = tail.iter().rposition(|&byte| byte == b'\n') else { return Ok((None, start)) };
    let lines = tail.get(..end).unwrap_or_default();
    let line = lines.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    Ok((Some(line.to_vec()), start + end as u64 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Refusal;

    fn log() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        for object in ["c-1", "c-2", "c-3"] {
            append(&path, "clone create", object, &[("port", "6000")]).unwrap();
        }
        (dir, path)
    }

    #[test]
    fn an_untouched_log_verifies() {
        let (_dir, path) = log();
        assert_eq!(verify(&path).unwrap().entries, 3);
    }

    #[test]
    fn changed_removed_and_swapped_lines_are_found() {
        let (_dir, path) = log();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for bad in [
            text.replace("c-1", "c-9"),
            format!("{}\n{}\n", lines[0], lines[2]),
            format!("{}\n{}\n{}\n", lines[1], lines[0], lines[2]),
        ] {
            std::fs::write(&path, bad).unwrap();
            assert!(verify(&path).is_err());
        }
    }

    #[test]
    fn a_line_cut_short_by_a_crash_is_dropped_by_the_next_append() {
        let (_dir, path) = log();
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"sequence\":4,\"at");
        std::fs::write(&path, text).unwrap();
        append(&path, "clone stop", "c-1", &[]).unwrap();
        assert_eq!(verify(&path).unwrap().entries, 4);
    }

    #[test]
    fn a_long_value_does_not_break_the_chain() {
        let (_dir, path) = log();
        for _ in 0..3 {
            append(&path, "stage", &"ü".repeat(99_999), &[("source", &"x".repeat(200_000))])
                .unwrap();
        }
        assert_eq!(verify(&path).unwrap().entries, 6);
    }

    #[test]
    fn a_refusal_is_told_by_its_codes() {
        let codes = ["unlisted_column", "partition_key", "unlisted_column"];
        let error = Error::Refused(codes.map(|code| Refusal::new(code, "", "")).to_vec());
        let told: Vec<String> = outcome(&error).into_iter().map(|(_, text)| text).collect();
        assert_eq!(told, ["refused", "3", "partition_key unlisted_column"]);
        assert_eq!(outcome(&Error::Cancelled), [("outcome", "cancelled".to_owned())]);
    }
}
