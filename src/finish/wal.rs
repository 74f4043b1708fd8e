//! The write-ahead log of a cleanly stopped cluster, cut down to the one record that a start reads.
//!
//! Layouts: `access/xlog_internal.h` (page headers) and `access/xlogrecord.h`.

use std::path::Path;

use crate::cluster::{ClusterState, ControlFile};
use crate::error::{Error, Result};

/// `XLOG_BLCKSZ`.
const XLOG_BLCKSZ: usize = 8192;
/// `SizeOfXLogLongPHD`: the header of a segment's first page.
const LONG_PAGE_HEADER: usize = 40;
/// `SizeOfXLogShortPHD`: the header of every other page.
const SHORT_PAGE_HEADER: usize = 24;
/// No checkpoint record is anywhere near as long.
const LONGEST_RECORD: usize = 4096;

/// Zeroes all of the checkpoint's WAL segment but page headers and the checkpoint record itself,
/// and removes every other segment. The cluster must have been shut down cleanly.
pub(super) fn keep_only_the_checkpoint(pgdata: &Path, control: &ControlFile) -> Result<u64> {
    if control.state != ClusterState::ShutDown {
        return Err(Error::invalid("the private server left the cluster without a clean shutdown"));
    }
    let segment = control.checkpoint_segment(pgdata);
    let removed = remove_others(&pgdata.join("pg_wal"), &segment)?;
    let mut bytes = std::fs::read(&segment).map_err(Error::io("read", &segment))?;
    let offset = (control.checkpoint.0 % u64::from(control.wal_segment_size.max(1))) as usize;
    reduce(&mut bytes, offset).ok_or_else(|| {
        Error::invalid(format!("{}: no checkpoint record where pg_control says", segment.display()))
    })?;
    std::fs::write(&segment, &bytes).map_err(Error::io("write", &segment))?;
    Ok(removed)
}

/// Zeroes `segment` but for what reading the record at `offset` takes.
fn reduce(segment: &mut [u8], offset: usize) -> Option<()> {
    let total = segment.get(offset..)?.first_chunk::<4>()?;
    let total = u32::from_le_bytes(*total) as usize;
    if !(SHORT_PAGE_HEADER..=LONGEST_RECORD).contains(&total) {
        return None;
    }
    // The record's bytes, which go on behind the next page's header where they cross it.
    let mut keep = vec![(0, LONG_PAGE_HEADER)];
    let page = offset - offset % XLOG_BLCKSZ;
    keep.push((page, page + SHORT_PAGE_HEADER));
    let (mut position, mut left) = (offset, total);
    loop {
        let page_end = position - position % XLOG_BLCKSZ + XLOG_BLCKSZ;
        let here = left.min(page_end - position);
        keep.push((position, position + here));
        left -= here;
        if left == 0 {
            break;
        }
        keep.push((page_end, page_end + SHORT_PAGE_HEADER));
        position = page_end + SHORT_PAGE_HEADER;
    }
    keep.sort_unstable();
    let mut zero_from = 0;
    for (start, end) in keep {
        if start > zero_from {
            segment.get_mut(zero_from..start)?.fill(0);
        }
        zero_from = zero_from.max(end);
    }
    segment.get_mut(zero_from..)?.fill(0);
    Some(())
}

/// Removes all of `pg_wal` but one segment and the directories that PostgreSQL expects there.
fn remove_others(pg_wal: &Path, segment: &Path) -> Result<u64> {
    let mut removed = 0;
    for entry in walkdir::WalkDir::new(pg_wal).min_depth(1).contents_first(true) {
        let entry = entry.map_err(|error| Error::Io {
            action: "read",
            path: pg_wal.to_path_buf(),
            source: error.into(),
        })?;
        let path = entry.path();
        if path != segment && !entry.file_type().is_dir() {
            std::fs::remove_file(path).map_err(Error::io("remove", path))?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment_with_record(offset: usize, total: u32) -> Vec<u8> {
        let mut segment = vec![0xAA; 4 * XLOG_BLCKSZ];
        segment[offset..offset + 4].copy_from_slice(&total.to_le_bytes());
        segment
    }

    fn kept(segment: &[u8]) -> Vec<(usize, usize)> {
        let mut runs = Vec::new();
        let mut start = 0;
        for run in segment.chunk_by(|a, b| (*a == 0) == (*b == 0)) {
            if run[0] != 0 {
                runs.push((start, start + run.len()));
            }
            start += run.len();
        }
        runs
    }

    #[test]
    fn keeps_page_headers_and_the_record() {
        // A total without zero bytes, so that runs of kept bytes have no holes.
        let mut segment = segment_with_record(9000, 0x72);
        segment[9001..9004].fill(0);
        reduce(&mut segment, 9000).unwrap();
        segment[9001..9004].fill(1);
        assert_eq!(kept(&segment), [(0, 40), (8192, 8216), (9000, 9114)]);
    }

    #[test]
    fn follows_a_record_over_a_page_border() {
        let mut segment = segment_with_record(16384 - 8, 0x72);
        reduce(&mut segment, 16384 - 8).unwrap();
        segment[16384 - 7..16384 - 4].fill(1);
        let expected = [(0, 40), (8192, 8216), (16376, 16384 + 24 + 114 - 8)];
        assert_eq!(kept(&segment), expected);
    }

    #[test]
    fn refuses_what_is_no_record() {
        assert_eq!(reduce(&mut segment_with_record(9000, 0), 9000), None);
        assert_eq!(reduce(&mut segment_with_record(9000, 1 << 20), 9000), None);
        assert_eq!(reduce(&mut [0; 100], 9000), None);
    }
}
