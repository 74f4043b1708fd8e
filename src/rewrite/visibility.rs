//! Which row versions are live, by their headers and the commit log; `access/htup_details.h`,
//! `access/transam/clog.c`. Of a cluster that was cleanly stopped: nothing is in progress.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::multixact::MultiXacts;
use crate::page::BLCKSZ;

const T_XMAX: usize = 4;
/// `t_xvac`, of what `VACUUM FULL` moved.
const T_XVAC: usize = 8;
const T_INFOMASK: usize = 20;
const HEAP_XMAX_EXCL_LOCK: u16 = 0x0040;
const HEAP_XMAX_LOCK_ONLY: u16 = 0x0080;
const HEAP_XMAX_KEYSHR_LOCK: u16 = 0x0010;
const HEAP_XMIN_COMMITTED: u16 = 0x0100;
const HEAP_XMIN_INVALID: u16 = 0x0200;
const HEAP_XMAX_COMMITTED: u16 = 0x0400;
const HEAP_XMAX_INVALID: u16 = 0x0800;
const HEAP_XMAX_IS_MULTI: u16 = 0x1000;
/// What `VACUUM FULL` left before 9.0: the version that it moved, and the one that it made.
const HEAP_MOVED_OFF: u16 = 0x4000;
const HEAP_MOVED_IN: u16 = 0x8000;

/// `FirstNormalTransactionId`
const FIRST_NORMAL: u32 = 3;
const XACTS_PER_PAGE: u32 = BLCKSZ as u32 * 4;
/// `SLRU_PAGES_PER_SEGMENT`
const PAGES_PER_SEGMENT: u32 = 32;

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Committed,
    Aborted,
    /// The log does not say.
    Unknown,
}

/// The commit log, a page at a time.
pub(super) struct CommitLog {
    directory: PathBuf,
    page: Option<(u32, Vec<u8>)>,
    multi: MultiXacts,
}

impl CommitLog {
    pub(super) fn new(pgdata: &Path) -> CommitLog {
        CommitLog { directory: pgdata.join("pg_xact"), page: None, multi: MultiXacts::new(pgdata) }
    }

    /// True if a row version is live without doubt: inserted by a transaction that committed, and
    /// neither deleted nor replaced by another that did. Doubt is left by a damaged log alone.
    pub(super) fn is_live(&mut self, tuple: &[u8]) -> bool {
        let number = |at: usize| {
            let bytes = tuple.get(at..).and_then(|bytes| bytes.first_chunk());
            bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
        };
        let infomask = number(T_INFOMASK) as u16;
        let inserted = match infomask & (HEAP_XMIN_COMMITTED | HEAP_XMIN_INVALID) {
            0 if infomask & HEAP_MOVED_OFF != 0 => self.outcome(number(T_XVAC)) == Outcome::Aborted,
            0 if infomask & HEAP_MOVED_IN != 0 => {
                self.outcome(number(T_XVAC)) == Outcome::Committed
            }
            0 => self.outcome(number(0)) == Outcome::Committed,
            HEAP_XMIN_INVALID => false,
            _ => true,
        };
        inserted && self.stays(infomask, number(T_XMAX))
    }

    fn stays(&mut self, infomask: u16, xmax: u32) -> bool {
        let locks = HEAP_XMAX_EXCL_LOCK | HEAP_XMAX_KEYSHR_LOCK;
        let locked_only = infomask & HEAP_XMAX_LOCK_ONLY != 0
            || infomask & (HEAP_XMAX_IS_MULTI | locks) == HEAP_XMAX_EXCL_LOCK;
        if infomask & HEAP_XMAX_INVALID != 0 || locked_only || xmax == 0 {
            return true;
        }
        if infomask & HEAP_XMAX_IS_MULTI != 0 {
            // One of several lockers may have replaced it.
            return match self.multi.updater(xmax) {
                Some(Some(updater)) => self.outcome(updater) == Outcome::Aborted,
                Some(None) => true,
                None => false,
            };
        }
        infomask & HEAP_XMAX_COMMITTED == 0 && self.outcome(xmax) == Outcome::Aborted
    }

    fn outcome(&mut self, xid: u32) -> Outcome {
        if xid < FIRST_NORMAL {
            return if xid == 0 { Outcome::Unknown } else { Outcome::Committed };
        }
        let number = xid / XACTS_PER_PAGE;
        if self.page.as_ref().is_none_or(|(kept, _)| *kept != number) {
            self.page = Some((number, self.read(number).unwrap_or_default()));
        }
        let at = xid % XACTS_PER_PAGE;
        let byte = self.page.as_ref().and_then(|(_, page)| page.get(at as usize / 4));
        // A transaction that was in progress when the server died has no status: it is over. So is
        // one whose part committed in the moment of the crash (`TransactionIdDidCommit`).
        match byte.map(|byte| byte >> (at % 4 * 2) & 3) {
            Some(0 | 2 | 3) => Outcome::Aborted,
            Some(1) => Outcome::Committed,
            _ => Outcome::Unknown,
        }
    }

    fn read(&self, page: u32) -> std::io::Result<Vec<u8>> {
        let segment = page / PAGES_PER_SEGMENT;
        let file = File::open(self.directory.join(format!("{segment:04X}")))?;
        let mut bytes = vec![0; BLCKSZ];
        let start = u64::from(page % PAGES_PER_SEGMENT) * BLCKSZ as u64;
        file.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(xmin: u32, xmax: u32, infomask: u16) -> Vec<u8> {
        let mut tuple = vec![0; 24];
        tuple[..4].copy_from_slice(&xmin.to_le_bytes());
        tuple[4..8].copy_from_slice(&xmax.to_le_bytes());
        tuple[20..22].copy_from_slice(&infomask.to_le_bytes());
        tuple
    }

    #[test]
    fn only_what_is_live_without_doubt_is_live() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("pg_xact")).unwrap();
        // 1000: committed, 1001: aborted, 1002: in progress, 1003: a subtransaction's.
        let mut log = vec![0; BLCKSZ];
        log[250] = 0b11_00_10_01;
        std::fs::write(directory.path().join("pg_xact/0000"), log).unwrap();
        let mut log = CommitLog::new(directory.path());
        let frozen = HEAP_XMIN_COMMITTED | HEAP_XMIN_INVALID;
        for (xmin, xmax, infomask, expected) in [
            (1000, 0, 0, true),
            (1001, 0, 0, false),
            (1002, 0, 0, false),
            (1003, 0, 0, false),
            (2, 0, 0, true),
            (400_000_000, 0, 0, false),
            (400_000_000, 0, frozen, true),
            (1000, 0, HEAP_XMIN_INVALID, false),
            (1000, 1000, 0, false),
            (1000, 1001, 0, true),
            (1000, 1002, 0, true),
            (1000, 1003, 0, true),
            (1000, 400_000_000, 0, false),
            (1000, 1000, HEAP_XMAX_INVALID, true),
            (1000, 1000, HEAP_XMAX_LOCK_ONLY, true),
            (1000, 1000, HEAP_XMAX_EXCL_LOCK, true),
            (1000, 1001, HEAP_XMAX_COMMITTED, false),
            (1000, 7, HEAP_XMAX_IS_MULTI, false),
            (1000, 7, HEAP_XMAX_IS_MULTI | HEAP_XMAX_LOCK_ONLY, true),
            (1000, 0, 0x4000, false),
        ] {
            let found = log.is_live(&tuple(xmin, xmax, infomask));
            assert_eq!(found, expected, "{xmin} {xmax} {infomask:#x}");
        }
        assert!(!log.is_live(&[]));
    }
}
