//! Writable copies of a snapshot, each with its own server, port, role and configuration.

mod branch;
mod config;
mod create;
mod diff;
mod lifecycle;
mod port;
mod request;
mod reset;
mod role;
pub(super) mod tablespaces;
mod view;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::lock::Lock;
use super::{Pool, Snapshot, record, remove_locked, subdirs};
use crate::cluster::end_all;
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::ids::PgMajor;
use crate::storage::{Driver, Usage};

pub use diff::{Change, CloneDiff, FilesDiff, RelationDiff};
pub use request::{CloneRequest, PortRange};
pub use view::{CloneState, CloneView};

/// A clone and, this once, the password that was drawn for it.
pub struct Created {
    /// The clone, running.
    pub clone: ThinClone,
    /// The password, if the request had none. It is stored nowhere.
    pub password: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for Created {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Created").field("clone", &self.clone).finish_non_exhaustive()
    }
}

/// How far the making or unmaking of a clone has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    Creating,
    Finished,
    Destroying,
}

/// `clone.json`. No password, no verifier.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CloneRecord {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) snapshot: String,
    /// The snapshot that it is being reset to, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next_snapshot: Option<String>,
    pub(super) phase: Phase,
    pub(super) generation: u32,
    pub(super) major: PgMajor,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) listen: Vec<IpAddr>,
    pub(super) tls: Option<Tls>,
    pub(super) pg_bin: Option<PathBuf>,
    pub(super) settings: Vec<(String, String)>,
    pub(super) created_at: jiff::Timestamp,
    #[serde(default)]
    pub(super) storage_ms: Option<u64>,
    pub(super) ready_ms: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tls {
    cert: PathBuf,
    key: PathBuf,
}

/// A clone of a snapshot.
#[derive(Clone, Debug)]
pub struct ThinClone {
    pub(super) pool: Pool,
    pub(super) dir: PathBuf,
    pub(super) record: CloneRecord,
}

impl Pool {
    /// Every clone, oldest first.
    pub fn clones(&self) -> Result<Vec<ThinClone>> {
        let mut clones = Vec::new();
        for id in subdirs(&self.clones_dir())? {
            let clone = ThinClone::read(self, &self.clones_dir().join(id))?;
            clones.extend(clone.filter(ThinClone::is_finished));
        }
        // Ids tell seconds apart.
        clones.sort_by_key(|clone| clone.record.created_at);
        Ok(clones)
    }

    /// The clone of an id or a name.
    pub fn find_clone(&self, wanted: &str) -> Result<ThinClone> {
        self.clones()?
            .into_iter()
            .find(|clone| clone.id() == wanted || clone.name() == wanted)
            .ok_or_else(|| Error::NotFound { what: "clone", name: wanted.to_owned() })
    }

    /// The clones that need a snapshot, those being made of it or reset to it too: their names.
    pub(super) fn clones_that_need(&self, snapshot: &str) -> Result<Vec<String>> {
        let mut records = self.clone_records()?;
        records.retain(|record| {
            record.phase != Phase::Destroying
                && (record.snapshot == snapshot
                    || record.next_snapshot.as_deref() == Some(snapshot))
        });
        records.sort_by_key(|record| record.created_at);
        Ok(records.into_iter().map(|record| record.name).collect())
    }

    /// Every record, of clones being made too: their names and ports are taken.
    fn clone_records(&self) -> Result<Vec<CloneRecord>> {
        let mut records = Vec::new();
        for id in subdirs(&self.clones_dir())? {
            records.extend(record::read(&self.clones_dir().join(id).join("clone.json"))?);
        }
        Ok(records)
    }
}

impl ThinClone {
    pub(super) fn read(pool: &Pool, dir: &Path) -> Result<Option<ThinClone>> {
        let record: Option<CloneRecord> = record::read(&dir.join("clone.json"))?;
        Ok(record.map(|record| ThinClone { pool: pool.clone(), dir: dir.to_path_buf(), record }))
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// The snapshot it was made of.
    pub fn snapshot_id(&self) -> &str {
        &self.record.snapshot
    }

    /// Its volume.
    pub fn volume(&self) -> PathBuf {
        self.generation_dir(self.record.generation).join("volume")
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.volume().join("data")
    }

    /// Bytes it holds now.
    pub fn usage(&self) -> Result<Usage> {
        self.pool.driver.usage(&self.volume())
    }

    pub(super) fn is_finished(&self) -> bool {
        self.record.phase == Phase::Finished
    }

    /// Forgets a reset that did not come to its end. True if there was something to forget.
    pub(super) fn tidy(&mut self) -> Result<bool> {
        let aimed = self.record.next_snapshot.take().is_some();
        if aimed {
            self.save()?;
        }
        Ok(self.remove_other_generations()? || aimed)
    }

    /// Removes generations that the record does not name. True if there were any.
    fn remove_other_generations(&self) -> Result<bool> {
        let current = format!("gen-{}", self.record.generation);
        let mut any = false;
        for name in subdirs(&self.dir)? {
            if name.starts_with("gen-") && name != current {
                remove_generation(self.pool.driver.as_ref(), &self.dir.join(name))?;
                any = true;
            }
        }
        Ok(any)
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot> {
        self.pool.snapshot(&self.record.snapshot)
    }

    fn generation_dir(&self, generation: u32) -> PathBuf {
        self.dir.join(format!("gen-{generation}"))
    }

    fn save(&self) -> Result<()> {
        record::write(&self.dir.join("clone.json"), &self.record)
    }

    /// Waits for this clone's turn, and reads what it has become meanwhile.
    fn locked(&self) -> Result<(ThinClone, Lock)> {
        let gone = || Error::NotFound { what: "clone", name: self.name().to_owned() };
        let lock = Lock::wait(&self.dir.join("lock"), &format!("clone {}", self.name()))
            .map_err(|error| if self.dir.is_dir() { error } else { gone() })?;
        let now = ThinClone::read(&self.pool, &self.dir)?.filter(ThinClone::is_finished);
        Ok((now.ok_or_else(gone)?, lock))
    }
}

/// Removes a clone's directory: its server, its mounts, its files.
pub(super) fn sweep(driver: &dyn Driver, dir: &Path) -> Result<()> {
    for name in subdirs(dir)? {
        if name.starts_with("gen-") {
            remove_generation(driver, &dir.join(name))?;
        }
    }
    Failpoint::GenerationsGone.reach()?;
    remove_locked(dir)
}

fn remove_generation(driver: &dyn Driver, dir: &Path) -> Result<()> {
    let volume = dir.join("volume");
    end_all(&volume.join("data"))?;
    driver.destroy(&volume)?;
    fs::remove_dir_all(dir).map_err(Error::io("remove", dir))
}
