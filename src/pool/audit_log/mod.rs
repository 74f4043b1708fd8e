//! Who did what to the pool: one JSON line per verb, each with the hash of the line before. Verbs
//! that were refused or failed have theirs too.
//!
//! A changed, removed or inserted line breaks the chain. Lines cut off at the end don't; for them
//! there is a record of the last line beside the log ([`head`]). Old lines go by [`prune`], which
//! leaves an anchor that the chain hangs on. Whoever may write both files and takes the trouble can
//! make another history: against that, keep what `audit verify` prints outside of the pool.

mod head;
mod prune;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::head::Head;
use super::lock::Lock;
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;

pub use self::prune::{Pruned, Retention};
pub use self::verify::{Anchor, Verified};

/// The longest value that a line takes whole, in characters: a line must fit the window in which
/// the next one looks for it.
const LONGEST_VALUE: usize = 1000;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// 1 for the first line ever.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// The operating system user who ran thinveil.
    pub uid: u32,
    /// Who logged in, if that is another: root by `sudo` is somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_uid: Option<u32>,
    /// `clone create`, …
    pub verb: String,
    /// The id or name of what it was done to; empty if that is the whole pool.
    pub object: String,
    /// `done`, `refused`, `failed`, `cancelled`, `busy`, `not found`.
    pub outcome: String,
    /// More, without secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
    /// blake3 of the line before, without its newline; of nothing for the first line.
    pub previous: String,
}

/// How a verb ended, and what else its line tells.
pub(super) struct Told<'a> {
    pub(super) outcome: &'static str,
    pub(super) details: Vec<(&'a str, String)>,
}

impl Told<'_> {
    /// It was done.
    pub(super) fn done<'a>(details: &[(&'a str, &str)]) -> Told<'a> {
        let details = details.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Told { outcome: "done", details: details.collect() }
    }

    /// It was not: never the error's own words.
    pub(super) fn not_done(error: &Error) -> Told<'static> {
        let outcome = match error {
            Error::Refused(_) => "refused",
            Error::Cancelled => "cancelled",
            Error::Busy { .. } => "busy",
            Error::NotFound { .. } => "not found",
            _ => "failed",
        };
        let mut details = Vec::new();
        if let Error::Refused(refusals) = error {
            let codes: BTreeSet<&str> = refusals.iter().map(|refusal| refusal.code).collect();
            details.push(("reasons", refusals.len().to_string()));
            details.push(("codes", codes.into_iter().collect::<Vec<_>>().join(" ")));
        }
        Told { outcome, details }
    }
}

/// The log of a pool.
pub(super) struct AuditLog {
    path: PathBuf,
    head: PathBuf,
}

impl AuditLog {
    pub(super) fn of_pool(dir: &Path) -> AuditLog {
        AuditLog { path: dir.join("audit.log"), head: dir.join("audit-head.json") }
    }

    /// Appends a line and syncs it.
    pub(super) fn append(&self, verb: &str, object: &str, told: &Told<'_>) -> Result<()> {
        let lock = self.lock()?;
        let mut file = lock.file();
        let (last, end) = last_line(&mut file).map_err(Error::io("read", &self.path))?;
        let before = head::before_next(head::read(&self.head)?, last.as_deref());
        let entry = AuditEntry {
            sequence: before.sequence + 1,
            at: Timestamp::now(),
            uid: rustix::process::getuid().as_raw(),
            login_uid: login_uid(),
            verb: verb.to_owned(),
            object: shortened(object),
            outcome: told.outcome.to_owned(),
            details: told.details.iter().map(|(k, v)| ((*k).to_owned(), shortened(v))).collect(),
            previous: before.hash,
        };
        let mut line = json(&entry, &self.path)?;
        let head = Head { sequence: entry.sequence, hash: hash(&line) };
        line.push(b'\n');
        // A line that a crash cut short was never reported as written.
        file.set_len(end)
            .and_then(|()| file.seek(SeekFrom::Start(end)))
            .and_then(|_| file.write_all(&line))
            .and_then(|()| file.sync_data())
            .map_err(Error::io("write", &self.path))?;
        Failpoint::LogLine.reach()?;
        head::write(&self.head, &head)
    }

    /// Every line that reads as one, oldest first. Whether they are what was written is for
    /// [`AuditLog::verify`] to say.
    pub(super) fn entries(&self) -> Result<Vec<AuditEntry>> {
        let text = fs::read(&self.path).map_err(Error::io("read", &self.path))?;
        Ok(lines(&text).filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// Held while the log or its head record changes; pruning replaces the log's file.
    fn lock(&self) -> Result<Lock> {
        Lock::wait(&self.path, "the audit log")
    }
}

fn json(value: &impl Serialize, path: &Path) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| Error::io("write", path)(std::io::Error::other(error.to_string())))
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}

/// The kernel's note of who logged in, where that is not who we are.
fn login_uid() -> Option<u32> {
    let text = fs::read_to_string("/proc/self/loginuid").ok()?;
    let uid = text.trim().parse().ok()?;
    (uid != u32::MAX && uid != rustix::process::getuid().as_raw()).then_some(uid)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn hash(line: &[u8]) -> String {
    blake3::hash(line).to_hex().to_string()
}

/// The last complete line, and where the next one goes.
fn last_line(file: &mut &File) -> std::io::Result<(Option<Vec<u8>>, u64)> {
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
