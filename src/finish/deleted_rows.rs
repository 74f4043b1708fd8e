//! The proof that catalogs which were written anew are without the rows deleted before.
//!
//! Secrets and text of a catalog are no column's originals, and so the audit does not know them.
//! `VACUUM FULL` carries a deleted row over without a word wherever anything at all may still see
//! it; here the files are read afterwards.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::catalogs;
use super::session::Session;
use crate::cluster::{ControlFile, FileMap, segments};
use crate::error::{Error, Result};
use crate::page::{BLCKSZ, PageError, PageHeader, TransactionId, TupleHeader, line_pointers};
use crate::removal::Removal;

/// A point in time: what was deleted before must not be left.
#[derive(Clone, Copy)]
pub(super) struct Horizon(TransactionId);

impl Horizon {
    /// Now.
    pub(super) fn now(session: &mut Session) -> Result<Horizon> {
        let rows = session.query(
            "read the next transaction id",
            "SELECT (pg_snapshot_xmax(pg_current_snapshot())::text::bigint & 4294967295)::oid",
            &[],
        )?;
        let next = rows.first().map_or(0, |row| row.get(0));
        Ok(Horizon(TransactionId(next)))
    }

    /// Looks through the files of a stopped cluster.
    pub(super) fn prove(self, pgdata: &Path, control: &ControlFile, files: &FileMap) -> Result<()> {
        if Removal::DeadCatalogRows.is_off() {
            return Ok(());
        }
        for (path, owner) in files.owners() {
            let catalog = owner.schema == "pg_catalog" && owner.relkind == 'r';
            if !catalog || !catalogs::is_written_anew(&owner.name) {
                continue;
            }
            let left = self.deleted_rows(&pgdata.join(path), control.relseg_size)?;
            if left > 0 {
                return Err(Error::invalid(format!(
                    "{} still holds {left} rows that were deleted before it was written anew: \
                     some transaction kept them alive; nothing is sealed, try again",
                    owner.display_name()
                )));
            }
        }
        Ok(())
    }

    fn deleted_rows(self, path: &Path, relseg_size: u32) -> Result<usize> {
        let mut left = 0;
        let mut page = [0; BLCKSZ];
        for segment in segments(path, relseg_size)? {
            let file = File::open(&segment.path).map_err(Error::io("open", &segment.path))?;
            for block in 0..u64::from(segment.blocks) {
                file.read_exact_at(&mut page, block * BLCKSZ as u64)
                    .map_err(Error::io("read", &segment.path))?;
                left += self.deleted_rows_of(&page).map_err(|error| {
                    Error::invalid(format!("{}, block {block}: {error}", segment.path.display()))
                })?;
            }
        }
        Ok(left)
    }

    fn deleted_rows_of(self, page: &[u8; BLCKSZ]) -> Result<usize, PageError> {
        let Some(header) = PageHeader::read(page)? else { return Ok(0) };
        let mut left = 0;
        for line_pointer in line_pointers(page, &header) {
            let line_pointer = line_pointer?;
            let end = line_pointer.offset + line_pointer.len;
            let tuple = page.get(line_pointer.offset..end).unwrap_or_default();
            let deleter = TupleHeader::deleter(tuple);
            left += usize::from(deleter.is_some_and(|xid| xid.precedes(self.0)));
        }
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page with one tuple of this `t_xmax` and `t_infomask`.
    fn page(t_xmax: u32, t_infomask: u16) -> [u8; BLCKSZ] {
        let mut page = [0; BLCKSZ];
        for (at, value) in [(12, 28u16), (14, 8160), (16, 8192), (18, 8196)] {
            page[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        page[24..28].copy_from_slice(&(8160u32 | 1 << 15 | 32 << 17).to_le_bytes());
        page[8164..8168].copy_from_slice(&t_xmax.to_le_bytes());
        page[8180..8182].copy_from_slice(&t_infomask.to_le_bytes());
        page
    }

    #[test]
    fn a_row_deleted_before_counts_and_no_other() {
        const XMAX_INVALID: u16 = 0x0800;
        const XMAX_LOCK_ONLY: u16 = 0x0080;
        const XMAX_IS_MULTI: u16 = 0x1000;
        let left = |horizon, t_xmax, t_infomask| {
            Horizon(TransactionId(horizon)).deleted_rows_of(&page(t_xmax, t_infomask)).unwrap()
        };
        assert_eq!(left(1000, 999, 0), 1);
        assert_eq!(left(1000, 1000, 0), 0, "deleted afterwards");
        assert_eq!(left(1000, 0, 0), 0, "never deleted");
        assert_eq!(left(1000, 999, XMAX_INVALID), 0, "not deleted after all");
        assert_eq!(left(1000, 999, XMAX_LOCK_ONLY), 0, "locked");
        assert_eq!(left(1000, 1200, XMAX_IS_MULTI), 1, "deleted, and locked by others");
        assert_eq!(left(5, u32::MAX - 5, 0), 1, "before the counter began anew");
        assert_eq!(left(u32::MAX - 5, 5, 0), 0, "after it");
    }
}
