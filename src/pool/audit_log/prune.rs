//! Removing old lines.
//!
//! What stays hangs on an anchor with the number and hash of the last line removed. The line that
//! tells of the pruning holds the anchor's hash, so that the chain vouches for its own beginning.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};

use jiff::Timestamp;
use serde::Serialize;

use super::verify::{ANCHOR, Anchor, PRUNE};
use super::{AuditEntry, AuditLog, Told, hash, json, lines};
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::storage::fsync_dir;

/// Which lines stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// The last so many, besides the line that tells of the pruning.
    Last(u64),
    /// Those written since.
    Since(Timestamp),
}

/// What was pruned.
#[derive(Clone, Debug, Serialize)]
pub struct Pruned {
    /// Lines removed.
    pub removed: u64,
    /// Lines that stayed, the one that tells of the pruning included.
    pub kept: u64,
    /// What they hang on; `None` if nothing was removed, ever.
    pub anchor: Option<Anchor>,
}

impl AuditLog {
    /// Removes the lines that need not stay. Refuses to touch a log whose chain is broken.
    ///
    /// A crash leaves the old log or the new one; in the old one a line may then tell of a pruning
    /// that did not come to be.
    pub(in crate::pool) fn prune(&self, retention: Retention) -> Result<Pruned> {
        let verified = self.verify(None)?;
        let entries = self.entries()?;
        let kept = match retention {
            Retention::Last(count) => usize::try_from(count).unwrap_or(usize::MAX),
            // Clocks go back now and then: from the first line on that is young enough, all stay.
            Retention::Since(time) => {
                let old = entries.iter().take_while(|entry| entry.at < time).count();
                entries.len() - old
            }
        };
        let removed = entries.len().saturating_sub(kept);
        let Some(last) = removed.checked_sub(1).and_then(|index| entries.get(index)) else {
            let told = Told::done(&[("removed", "0")]);
            self.append(PRUNE, "", &told)?;
            return Ok(Pruned { removed: 0, kept: verified.entries + 1, anchor: verified.anchor });
        };
        let anchor = self.anchor(last)?;
        let line = json(&anchor, &self.path)?;
        let details = [
            ("removed", removed.to_string()),
            ("through", anchor.pruned_through.to_string()),
            (ANCHOR, hash(&line)),
        ];
        self.append(PRUNE, "", &Told { outcome: "done", details: details.into() })?;
        Failpoint::PruneTold.reach()?;
        let kept = self.replace(&line, anchor.pruned_through)?;
        Ok(Pruned { removed: removed as u64, kept, anchor: Some(anchor) })
    }

    fn anchor(&self, last: &AuditEntry) -> Result<Anchor> {
        let text = fs::read(&self.path).map_err(Error::io("read", &self.path))?;
        let is_last = |line: &&[u8]| {
            serde_json::from_slice::<AuditEntry>(line)
                .is_ok_and(|entry| entry.sequence == last.sequence)
        };
        let line = lines(&text).find(is_last).unwrap_or_default();
        Ok(Anchor { pruned_through: last.sequence, written_at: last.at, hash: hash(line) })
    }

    /// Writes the log anew: the anchor, then every line after it. Whoever else appends meanwhile
    /// waits; the number of lines kept.
    fn replace(&self, anchor: &[u8], through: u64) -> Result<u64> {
        let lock = self.lock()?;
        let text = fs::read(&self.path).map_err(Error::io("read", &self.path))?;
        let mut new = [anchor, b"\n"].concat();
        let mut kept = 0;
        for line in lines(&text) {
            let stays = serde_json::from_slice::<AuditEntry>(line)
                .is_ok_and(|entry| entry.sequence > through);
            if stays {
                new.extend_from_slice(line);
                new.push(b'\n');
                kept += 1;
            }
        }
        let temporary = self.path.with_extension("log.new");
        let before = lock.file().metadata().map_err(Error::io("look at", &self.path))?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(before.mode() & 0o777)
            .open(&temporary)
            .map_err(Error::io("create", &temporary))?;
        // Root prunes for whoever owns the log.
        let _ = fchown(&file, Some(before.uid()), Some(before.gid()));
        file.write_all(&new)
            .and_then(|()| file.sync_all())
            .map_err(Error::io("write", &temporary))?;
        Failpoint::PrunedBeside.reach()?;
        fs::rename(&temporary, &self.path).map_err(Error::io("rename", &temporary))?;
        self.path.parent().map_or(Ok(()), fsync_dir)?;
        Ok(kept)
    }
}
