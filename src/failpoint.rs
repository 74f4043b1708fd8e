//! Places at which tests end a verb, by a crash or by an error: after every step that something else
//! may see. And what they have it forget.
//!
//! Outside of this crate's own tests there are none; every look here is a constant.

use crate::error::Result;

/// What has just been done when a verb ends there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failpoint {
    /// `pool init`: the directories are there.
    PoolDirectories,
    /// `snapshot create`: the staging directory is there, and locked.
    StagingMade,
    /// The source is in the staging volume.
    Ingested,
    /// The private server has recovered it, and runs.
    Recovered,
    /// The rules are checked, the server has stopped.
    Planned,
    /// The heaps are masked.
    Rewritten,
    /// Masked heaps are aside, the second private server runs.
    FinishServer,
    /// Everything is rebuilt and purged.
    Finished,
    /// The audit found nothing.
    Audited,
    /// What is no part of the snapshot has gone, its files are hashed.
    SealHashed,
    /// The manifest is there, beside the volume.
    SealRecorded,
    /// The snapshot has its place.
    SealRenamed,
    /// That is on disk, the log does not tell of it yet.
    SealSettled,
    /// `snapshot destroy`: it has lost its place.
    SnapshotAway,
    /// The log tells of that.
    SnapshotAwayTold,
    /// `clone create`: name and port are taken.
    CloneReserved,
    /// The clone's volume, of its first generation or of a reset's, is there.
    VolumeCloned,
    /// The clone's role is in it.
    RoleInstalled,
    /// The clone's server has answered, its record does not say so yet.
    CloneLaunched,
    /// The clone is finished, the log does not tell of it yet.
    CloneFinished,
    /// `clone start`, or a reset's: the server runs, the record does not say so yet.
    CloneStarted,
    /// `clone stop`, or a reset's: the server has stopped.
    CloneHalted,
    /// `clone reset`: the next generation is there, whole.
    GenerationBuilt,
    /// The record names it.
    GenerationTurned,
    /// `clone destroy`: the record says that it is being destroyed.
    CloneDestroying,
    /// Its generations have gone, its directory has not.
    GenerationsGone,
    /// Recovery: an abandoned staging directory is gone.
    StagingSwept,
    /// Recovery: a clone that nobody finished, or half destroyed, is gone.
    CloneSwept,
    /// Recovery: a clone's other generations are gone.
    CloneTidied,
    /// Any record: the new one is beside the old one.
    RecordBeside,
    /// The audit log: the line is there, the record of its head is not.
    LogLine,
    /// `snapshot export`: the archive is whole, beside its place.
    #[cfg_attr(not(feature = "archive"), expect(dead_code, reason = "a verb of that feature"))]
    ArchiveBeside,
    /// `snapshot import`: everything is unpacked, and what its manifest says.
    #[cfg_attr(not(feature = "archive"), expect(dead_code, reason = "a verb of that feature"))]
    Unpacked,
    /// `audit prune`: the log tells of it, the lines are still there.
    PruneTold,
    /// The shorter log is beside the longer one.
    PrunedBeside,
}

#[cfg(test)]
impl Failpoint {
    /// All of them.
    pub(crate) const ALL: [Failpoint; 35] = [
        Failpoint::PoolDirectories,
        Failpoint::StagingMade,
        Failpoint::Ingested,
        Failpoint::Recovered,
        Failpoint::Planned,
        Failpoint::Rewritten,
        Failpoint::FinishServer,
        Failpoint::Finished,
        Failpoint::Audited,
        Failpoint::SealHashed,
        Failpoint::SealRecorded,
        Failpoint::SealRenamed,
        Failpoint::SealSettled,
        Failpoint::SnapshotAway,
        Failpoint::SnapshotAwayTold,
        Failpoint::CloneReserved,
        Failpoint::VolumeCloned,
        Failpoint::RoleInstalled,
        Failpoint::CloneLaunched,
        Failpoint::CloneFinished,
        Failpoint::CloneStarted,
        Failpoint::CloneHalted,
        Failpoint::GenerationBuilt,
        Failpoint::GenerationTurned,
        Failpoint::CloneDestroying,
        Failpoint::GenerationsGone,
        Failpoint::StagingSwept,
        Failpoint::CloneSwept,
        Failpoint::CloneTidied,
        Failpoint::RecordBeside,
        Failpoint::LogLine,
        Failpoint::ArchiveBeside,
        Failpoint::Unpacked,
        Failpoint::PruneTold,
        Failpoint::PrunedBeside,
    ];

    /// The environment variable that names one for a test's process, how it ends there, and at
    /// which pass: `SealRenamed:abort:1`.
    pub(crate) const VARIABLE: &str = "THINVEIL_TEST_FAILPOINT";

    /// Ends the verb, if this process is to.
    pub(crate) fn reach(self) -> Result<()> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static PASSES: AtomicU32 = AtomicU32::new(0);
        let Ok(wanted) = std::env::var(Failpoint::VARIABLE) else { return Ok(()) };
        let [name, how, pass] = wanted.split(':').collect::<Vec<_>>()[..] else {
            panic!("{wanted}: no failpoint");
        };
        if name != format!("{self:?}")
            || PASSES.fetch_add(1, Ordering::Relaxed) + 1 != pass.parse::<u32>().unwrap()
        {
            return Ok(());
        }
        if how == "abort" {
            std::process::abort();
        }
        Err(crate::error::Error::Io {
            action: "go on from",
            path: name.into(),
            source: std::io::Error::other("a test's error"),
        })
    }
}

#[cfg(not(test))]
impl Failpoint {
    /// Goes on.
    #[inline]
    pub(crate) fn reach(self) -> Result<()> {
        Ok(())
    }
}

/// What a test's process forgets, so that it is seen to be missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Omission {
    /// To flush the file system that holds a volume.
    Volume,
    /// To flush a record before it takes the old one's place.
    Record,
    /// To note that a clone is not finished, until it is.
    Unfinished,
}

#[cfg(test)]
impl Omission {
    /// The environment variable that names one.
    pub(crate) const VARIABLE: &str = "THINVEIL_TEST_OMISSION";

    /// True in a process that is to forget this.
    pub(crate) fn is_made(self) -> bool {
        std::env::var(Omission::VARIABLE).is_ok_and(|name| name == format!("{self:?}"))
    }
}

#[cfg(not(test))]
impl Omission {
    /// Nothing is forgotten.
    #[inline]
    pub(crate) fn is_made(self) -> bool {
        false
    }
}
