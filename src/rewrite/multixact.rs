//! Which transaction replaced a row that several have locked; `access/transam/multixact.c`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::page::BLCKSZ;

/// `SLRU_PAGES_PER_SEGMENT`
const PAGES_PER_SEGMENT: u32 = 32;
/// `MULTIXACT_OFFSETS_PER_PAGE`
const OFFSETS_PER_PAGE: u32 = BLCKSZ as u32 / 4;
/// A group of members: four flag bytes, then four transactions.
const MEMBERS_PER_GROUP: u32 = 4;
const GROUP: u32 = 4 + 4 * MEMBERS_PER_GROUP;
const GROUPS_PER_PAGE: u32 = BLCKSZ as u32 / GROUP;
/// `MultiXactStatusNoKeyUpdate`: it and what is above replaced or deleted the row.
const NO_KEY_UPDATE: u8 = 4;
/// No row is locked by more at a time.
const MOST_MEMBERS: u32 = 1 << 16;

/// The members of multixacts.
pub(super) struct MultiXacts {
    directory: PathBuf,
}

impl MultiXacts {
    pub(super) fn new(pgdata: &Path) -> MultiXacts {
        MultiXacts { directory: pgdata.join("pg_multixact") }
    }

    /// The member that replaced or deleted the row: there is one at most. `None` if that can't be
    /// read.
    #[expect(clippy::option_option, reason = "not known, or known to be none")]
    pub(super) fn updater(&self, multi: u32) -> Option<Option<u32>> {
        let first = self.offset(multi)?;
        // The last multixact has no next one yet; its members end where there are none.
        let next = self.offset(multi.checked_add(1).unwrap_or(1)).filter(|next| *next != 0);
        let count = next.map_or(MOST_MEMBERS, |next| next.wrapping_sub(first));
        if first == 0 || count > MOST_MEMBERS {
            return None;
        }
        for offset in (0..count).map(|index| first.wrapping_add(index)) {
            let (status, xid) = match (self.member(offset), next) {
                (Some(member), _) => member,
                (None, Some(_)) => return None,
                (None, None) => break,
            };
            match xid {
                // Offset 0 is never used, and no member is transaction 0.
                0 if offset == 0 => {}
                0 => break,
                _ if status >= NO_KEY_UPDATE => return Some(Some(xid)),
                _ => {}
            }
        }
        Some(None)
    }

    fn offset(&self, multi: u32) -> Option<u32> {
        let at = multi % OFFSETS_PER_PAGE * 4;
        self.number("offsets", multi / OFFSETS_PER_PAGE, at)
    }

    fn member(&self, offset: u32) -> Option<(u8, u32)> {
        let (group, at) = (offset / MEMBERS_PER_GROUP, offset % MEMBERS_PER_GROUP);
        let (page, start) = (group / GROUPS_PER_PAGE, group % GROUPS_PER_PAGE * GROUP);
        let flags = self.number("members", page, start)?.to_le_bytes();
        let status = flags.get(at as usize)?;
        Some((*status, self.number("members", page, start + 4 + 4 * at)?))
    }

    fn number(&self, which: &str, page: u32, at: u32) -> Option<u32> {
        let segment = page / PAGES_PER_SEGMENT;
        let path = self.directory.join(which).join(format!("{segment:04X}"));
        let mut bytes = [0; 4];
        let position = u64::from(page % PAGES_PER_SEGMENT) * BLCKSZ as u64 + u64::from(at);
        File::open(path).ok()?.read_exact_at(&mut bytes, position).ok()?;
        Some(u32::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_one_that_replaced_the_row() {
        let directory = tempfile::tempdir().unwrap();
        let logs = directory.path().join("pg_multixact");
        for which in ["offsets", "members"] {
            std::fs::create_dir_all(logs.join(which)).unwrap();
        }
        // 1: two lockers; 2: one locker and an updater; 3, the last: a locker and a deleter.
        let mut offsets = vec![0; BLCKSZ];
        for (multi, offset) in [(1, 1u32), (2, 3), (3, 5)] {
            offsets[4 * multi..4 * multi + 4].copy_from_slice(&offset.to_le_bytes());
        }
        let mut members = vec![0; BLCKSZ];
        for (offset, status, xid) in
            [(1, 0, 700u32), (2, 1, 701), (3, 0, 702), (4, 4, 703), (5, 1, 704), (6, 5, 705)]
        {
            let (group, at) = (offset / 4 * 20, offset % 4);
            members[group + at] = status;
            let start = group + 4 + 4 * at;
            members[start..start + 4].copy_from_slice(&xid.to_le_bytes());
        }
        std::fs::write(logs.join("offsets/0000"), offsets).unwrap();
        std::fs::write(logs.join("members/0000"), members).unwrap();
        let multis = MultiXacts::new(directory.path());
        let found = [1, 2, 3, 4, 70_000].map(|multi| multis.updater(multi));
        assert_eq!(found, [Some(None), Some(Some(703)), Some(Some(705)), None, None]);
    }
}
