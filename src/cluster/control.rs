//! `global/pg_control`; `catalog/pg_control.h`.

use std::path::{Path, PathBuf};

use super::server::Limits;
use crate::error::{Error, Result};
use crate::ids::{Lsn, PgMajor};
use crate::page::BLCKSZ;

/// `DBState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterState {
    /// Shut down cleanly.
    ShutDown,
    /// A standby, shut down cleanly.
    ShutDownInRecovery,
    /// Anything else: it was running, or crashed.
    NotShutDown,
}

/// What thinveil reads of a control file.
#[derive(Clone, Debug)]
pub struct ControlFile {
    /// How the cluster was left.
    pub state: ClusterState,
    /// Where the latest checkpoint record starts.
    pub checkpoint: Lsn,
    /// Timeline of the latest checkpoint.
    pub timeline: u32,
    /// Blocks in a segment of a relation (`RELSEG_SIZE`).
    pub relseg_size: u32,
    /// Bytes in a segment of the write-ahead log.
    pub wal_segment_size: u32,
    /// True if pages carry checksums.
    pub checksums: bool,
    /// `max_connections` and its like when the server last ran: recovery needs as much.
    pub limits: Limits,
}

/// Offsets in `ControlFileData`, where majors differ.
struct Layout {
    pg_control_version: u32,
    crc: usize,
}

fn layout(major: PgMajor) -> Layout {
    match major.number() {
        // 18 added default_char_signedness before the nonce.
        18 => Layout { pg_control_version: 1800, crc: 292 },
        // 17 put wal_level where the latest checkpoint's copy had padding.
        17 => Layout { pg_control_version: 1700, crc: 288 },
        _ => Layout { pg_control_version: 1300, crc: 288 },
    }
}

impl ControlFile {
    /// Reads and checks the control file of the data directory `pgdata`, of the major that its
    /// `PG_VERSION` names.
    pub fn of(pgdata: &Path) -> Result<ControlFile> {
        let path = pgdata.join("PG_VERSION");
        let version = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let major = version
            .trim()
            .parse()
            .map_err(|what: String| Error::invalid(format!("{}: {what}", pgdata.display())))?;
        ControlFile::read(pgdata, major)
    }

    /// Reads and checks the control file of the data directory `pgdata`.
    pub fn read(pgdata: &Path, major: PgMajor) -> Result<ControlFile> {
        let path = pgdata.join("global/pg_control");
        let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
        Self::parse(&bytes, major)
            .map_err(|what| Error::invalid(format!("{}: {what}", path.display())))
    }

    fn parse(bytes: &[u8], major: PgMajor) -> Result<ControlFile, String> {
        let layout = layout(major);
        let cut = || "the file is cut short".to_owned();
        let u32_at = |offset: usize| -> Result<u32, String> {
            let bytes = bytes.get(offset..).and_then(|rest| rest.first_chunk::<4>());
            bytes.copied().map(u32::from_le_bytes).ok_or_else(cut)
        };
        let u64_at = |offset: usize| -> Result<u64, String> {
            Ok(u64::from(u32_at(offset)?) | u64::from(u32_at(offset + 4)?) << 32)
        };
        let version = u32_at(8)?;
        if version != layout.pg_control_version {
            return Err(format!(
                "pg_control_version is {version}, PostgreSQL {major} writes {}",
                layout.pg_control_version
            ));
        }
        let covered = bytes.get(..layout.crc).ok_or_else(cut)?;
        if crc32c::crc32c(covered) != u32_at(layout.crc)? {
            return Err("the CRC does not match: the control file is damaged".to_owned());
        }
        let block_size = u32_at(216)?;
        if block_size as usize != BLCKSZ {
            return Err(format!("blocks are {block_size} bytes; only {BLCKSZ} is supported"));
        }
        Ok(ControlFile {
            state: match u32_at(16)? {
                1 => ClusterState::ShutDown,
                2 => ClusterState::ShutDownInRecovery,
                _ => ClusterState::NotShutDown,
            },
            checkpoint: Lsn(u64_at(32)?),
            timeline: u32_at(48)?,
            relseg_size: u32_at(220)?,
            wal_segment_size: u32_at(228)?,
            checksums: u32_at(252)? != 0,
            limits: Limits {
                max_connections: u32_at(180)?,
                max_worker_processes: u32_at(184)?,
                max_prepared_transactions: u32_at(192)?,
                max_locks_per_transaction: u32_at(196)?,
            },
        })
    }

    /// The WAL segment that holds the latest checkpoint record.
    pub fn checkpoint_segment(&self, pgdata: &Path) -> PathBuf {
        let size = u64::from(self.wal_segment_size.max(1));
        let per_id = 0x1_0000_0000 / size;
        let number = self.checkpoint.0 / size;
        pgdata.join(format!(
            "pg_wal/{:08X}{:08X}{:08X}",
            self.timeline,
            number / per_id,
            number % per_id
        ))
    }
}
