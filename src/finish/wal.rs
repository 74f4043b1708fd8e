//! The write-ahead log of a cleanly stopped cluster, cut down to the one record that a start reads.
//!
//! Layouts: `access/xlog_internal.h` (page headers) and `access/xlogrecord.h`.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::cluster::{ClusterState, ControlFile};
use crate::error::{Error, Result};

/// `XLOG_BLCKSZ`.
const XLOG_BLCKSZ: u64 = 8192;
/// `SizeOfXLogLongPHD`: the header of a segment's first page.
const LONG_PAGE_HEADER: u64 = 40;
/// `SizeOfXLogShortPHD`: the header of every other page.
const SHORT_PAGE_HEADER: u64 = 24;
/// No checkpoint record is anywhere near as long.
const LONGEST_RECORD: u64 = 4096;

/// Zeroes all of the checkpoint's WAL segment but page headers and the checkpoint record itself,
/// and removes every other segment. The cluster must have been shut down cleanly.
pub(super) fn keep_only_the_checkpoint(pgdata: &Path, control: &ControlFile) -> Result<u64> {
    if control.state != ClusterState::ShutDown {
        return Err(Error::invalid("the private server left the cluster without a clean shutdown"));
    }
    let segment = control.checkpoint_segment(pgdata);
    let removed = remove_others(&pgdata.join("pg_wal"), &segment)?;
    let offset = control.checkpoint.0 % u64::from(control.wal_segment_size.max(1));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&segment)
        .map_err(Error::io("open", &segment))?;
    let kept = reduce(&file, offset).map_err(Error::io("reduce", &segment))?;
    if !kept {
        return Err(Error::invalid(format!(
            "{}: no checkpoint record where pg_control says",
            segment.display()
        )));
    }
    Ok(removed)
}

/// Zeroes a segment but for what reading the record at `offset` takes. False, and nothing is
/// changed, if there is no such record.
///
/// What is zeroed becomes a hole: no clone has to copy it.
fn reduce(segment: &File, offset: u64) -> std::io::Result<bool> {
    let length = segment.metadata()?.len();
    let Some(total) = record_length(segment, offset, length)? else { return Ok(false) };
    let mut kept = Vec::new();
    for range in needed(offset, total) {
        if range.end > length {
            return Ok(false);
        }
        let mut bytes = vec![0; (range.end - range.start) as usize];
        segment.read_exact_at(&mut bytes, range.start)?;
        kept.push((range.start, bytes));
    }
    segment.set_len(0)?;
    segment.set_len(length)?;
    for (start, bytes) in kept {
        segment.write_all_at(&bytes, start)?;
    }
    Ok(true)
}

/// `xl_tot_len` of the record at `offset`, if it can be that of a checkpoint.
fn record_length(segment: &File, offset: u64, length: u64) -> std::io::Result<Option<u64>> {
    let mut total = [0; 4];
    if offset + total.len() as u64 > length {
        return Ok(None);
    }
    segment.read_exact_at(&mut total, offset)?;
    let total = u64::from(u32::from_le_bytes(total));
    Ok((SHORT_PAGE_HEADER..=LONGEST_RECORD).contains(&total).then_some(total))
}

/// Page headers, and the record's bytes, which go on behind the next page's header where they cross
/// it. Ranges may overlap.
fn needed(offset: u64, total: u64) -> Vec<Range<u64>> {
    let page = offset - offset % XLOG_BLCKSZ;
    let mut ranges = vec![0..LONG_PAGE_HEADER, page..page + SHORT_PAGE_HEADER];
    let (mut position, mut left) = (offset, total);
    loop {
        let page_end = position - position % XLOG_BLCKSZ + XLOG_BLCKSZ;
        let here = left.min(page_end - position);
        ranges.push(position..position + here);
        left -= here;
        if left == 0 {
            return ranges;
        }
        ranges.push(page_end..page_end + SHORT_PAGE_HEADER);
        position = page_end + SHORT_PAGE_HEADER;
    }
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

    /// Four pages without a zero byte, with a record's length at `offset`.
    fn segment_with_record(offset: usize, total: u32) -> Vec<u8> {
        let mut segment = vec![0xAA; 4 * XLOG_BLCKSZ as usize];
        segment[offset..offset + 4].copy_from_slice(&total.to_le_bytes());
        segment
    }

    /// What becomes of a segment; `None` if it is refused, which must leave it as it is.
    fn reduced(segment: &[u8], offset: u64) -> Option<Vec<u8>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), segment).unwrap();
        let open = OpenOptions::new().read(true).write(true).open(file.path()).unwrap();
        let kept = reduce(&open, offset).unwrap();
        let after = std::fs::read(file.path()).unwrap();
        assert!(kept || after == segment);
        kept.then_some(after)
    }

    /// Runs of kept bytes, those of the record's length taken for kept.
    fn kept(segment: &[u8], offset: usize) -> Vec<(usize, usize)> {
        let mut segment = reduced(segment, offset as u64).unwrap();
        segment[offset..offset + 4].fill(1);
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
        let segment = segment_with_record(9000, 0x72);
        assert_eq!(kept(&segment, 9000), [(0, 40), (8192, 8216), (9000, 9114)]);
        let after = reduced(&segment, 9000).unwrap();
        assert_eq!(after.len(), segment.len());
        assert_eq!(after[9000..9114], segment[9000..9114]);
    }

    #[test]
    fn follows_a_record_over_a_page_border() {
        let segment = segment_with_record(16384 - 8, 0x72);
        let expected = [(0, 40), (8192, 8216), (16376, 16384 + 24 + 114 - 8)];
        assert_eq!(kept(&segment, 16384 - 8), expected);
    }

    #[test]
    fn refuses_what_is_no_record() {
        assert_eq!(reduced(&segment_with_record(9000, 0), 9000), None);
        assert_eq!(reduced(&segment_with_record(9000, 1 << 20), 9000), None);
        assert_eq!(reduced(&[0; 100], 9000), None);
        let cut = segment_with_record(9000, 4000);
        assert_eq!(reduced(&cut[..9100], 9000), None, "a record past the file's end");
    }
}
