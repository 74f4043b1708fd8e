//! Following the chain.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::head::{self, Head};
use super::{AuditEntry, AuditLog, hash, lines};
use crate::error::{Error, Result};

/// The verb whose line names the anchor.
pub(super) const PRUNE: &str = "audit prune";
/// Under which name it does.
pub(super) const ANCHOR: &str = "anchor";

/// The first line of a log that was pruned: what the chain hangs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The last line that was removed.
    pub pruned_through: u64,
    /// When that line was written.
    pub written_at: Timestamp,
    /// Its hash.
    pub hash: String,
}

/// An unbroken chain.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// Lines there are.
    pub entries: u64,
    /// The number of the first one; more than 1 if older ones were pruned.
    pub first: u64,
    /// The number of the last one.
    pub last: u64,
    /// The hash of the last one. Kept elsewhere, it answers for every line up to this one.
    pub head: String,
    /// What was pruned, if anything was.
    pub anchor: Option<Anchor>,
}

impl AuditLog {
    /// Reads the whole log and follows the chain from end to end. With `seen`, a hash that an
    /// earlier run told, that line has to be in it.
    pub(in crate::pool) fn verify(&self, seen: Option<&str>) -> Result<Verified> {
        let lock = self.lock()?;
        let text = std::fs::read(&self.path).map_err(Error::io("read", &self.path))?;
        let recorded = head::read(&self.head)?;
        drop(lock);
        let lines: Vec<&[u8]> = lines(&text).collect();
        let anchor = lines.first().and_then(|line| serde_json::from_slice::<Anchor>(line).ok());
        let begin = match &anchor {
            Some(anchor) => Head { sequence: anchor.pruned_through, hash: anchor.hash.clone() },
            None => Head::of_nothing(),
        };
        let first = begin.sequence + 1;
        let mut chain = Chain {
            // What an empty chain comes after can't be told, and need not.
            before: begin.clone(),
            seen_there: seen.is_none_or(|seen| seen == begin.hash),
            anchor_named: anchor.is_none(),
            head: begin,
        };
        let anchor_hash = anchor.as_ref().and(lines.first()).map(|line| hash(line));
        for (line, number) in lines.iter().zip(1u64..).skip(usize::from(anchor.is_some())) {
            let entry = chain.follow(line).map_err(|what| broken(number, what))?;
            chain.seen_there |= seen == Some(&chain.head.hash);
            chain.anchor_named |=
                entry.verb == PRUNE && entry.details.get(ANCHOR) == anchor_hash.as_ref();
        }
        chain.check(lines.len() as u64, recorded)?;
        let entries = chain.head.sequence + 1 - first;
        Ok(Verified { entries, first, last: chain.head.sequence, head: chain.head.hash, anchor })
    }
}

/// A chain as far as it was followed.
struct Chain {
    /// Its last line, and the one before that.
    head: Head,
    before: Head,
    seen_there: bool,
    anchor_named: bool,
}

impl Chain {
    /// The next line, or what is wrong with it.
    fn follow(&mut self, line: &[u8]) -> Result<AuditEntry, String> {
        let Ok(entry) = serde_json::from_slice::<AuditEntry>(line) else {
            return Err("it is no line of an audit log".to_owned());
        };
        let due = self.head.sequence + 1;
        if entry.sequence > due {
            return Err(format!("before it {}", missing(due, entry.sequence - 1)));
        }
        if entry.sequence < due {
            let number = entry.sequence;
            return Err(format!("it is entry {number}, where entry {due} belongs"));
        }
        if entry.previous.is_empty() {
            return Err(
                "the record of the last line was gone when it was written: lines before it \
                        may have been cut off"
                    .to_owned(),
            );
        }
        if entry.previous != self.head.hash {
            return Err(
                "it does not follow from the line before it: one of them was changed".to_owned()
            );
        }
        let head = Head { sequence: entry.sequence, hash: hash(line) };
        self.before = std::mem::replace(&mut self.head, head);
        Ok(entry)
    }

    /// What can only be said at the end.
    fn check(&self, lines: u64, recorded: Option<Head>) -> Result<()> {
        let end = lines + 1;
        match recorded {
            // The crash was at the very first line.
            None if self.head.sequence > 1 => {
                let what = "the record of the last line (audit-head.json) is gone";
                return Err(broken(end, what));
            }
            Some(recorded) if recorded.sequence > self.head.sequence => {
                let gone = missing(self.head.sequence + 1, recorded.sequence);
                return Err(broken(end, format!("at the end {gone}")));
            }
            Some(recorded) if recorded != self.head && recorded != self.before => {
                let what = "it is not the last line that was recorded (audit-head.json)";
                return Err(broken(lines, what));
            }
            _ => {}
        }
        if !self.anchor_named {
            let what = "no `audit prune` in the log made it: lines were removed from its beginning";
            return Err(broken(1, what));
        }
        if !self.seen_there {
            let what = "the line that was seen earlier is neither in the log nor the last one that \
                        was pruned";
            return Err(broken(end, what));
        }
        Ok(())
    }
}

fn broken(line: u64, what: impl Into<String>) -> Error {
    Error::AuditLogBroken { line, what: what.into() }
}

fn missing(first: u64, last: u64) -> String {
    match last - first {
        0 => format!("entry {first} is missing"),
        _ => format!("entries {first} to {last} are missing"),
    }
}
