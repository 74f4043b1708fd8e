//! The record of the log's last line, by which a log that was cut off is told from a short one.
//!
//! It is written after the line. So after a crash the log may be one line ahead of it, never
//! behind.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{AuditEntry, hash};
use crate::error::Result;
use crate::pool::record;

/// The last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// Its number; 0 for none.
    pub(super) sequence: u64,
    /// Its hash.
    pub(super) hash: String,
}

impl Head {
    /// What the first line ever comes after.
    pub(super) fn of_nothing() -> Head {
        Head { sequence: 0, hash: hash(b"") }
    }
}

pub(super) fn read(path: &Path) -> Result<Option<Head>> {
    record::read(path)
}

pub(super) fn write(path: &Path, head: &Head) -> Result<()> {
    record::write(path, head)
}

/// What the next line comes after: the recorded line, or the one that a crash left unrecorded.
///
/// It is not the log's last line where that is another: then lines were cut off or changed, and the
/// next line must not make the chain look whole again.
pub(super) fn before_next(recorded: Option<Head>, last: Option<&[u8]>) -> Head {
    let written = last.and_then(|line| {
        let entry: AuditEntry = serde_json::from_slice(line).ok()?;
        Some((Head { sequence: entry.sequence, hash: hash(line) }, entry.previous))
    });
    match (recorded, written) {
        (Some(recorded), Some((written, previous)))
            if written.sequence == recorded.sequence + 1 && previous == recorded.hash =>
        {
            written
        }
        (Some(recorded), _) => recorded,
        (None, None) => Head::of_nothing(),
        // The crash was at the very first line.
        (None, Some((written, _))) if written.sequence == 1 => written,
        // The record was taken away: nobody knows what else was.
        (None, Some((written, _))) => Head { hash: String::new(), ..written },
    }
}
