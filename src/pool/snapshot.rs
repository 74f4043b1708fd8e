//! Sealed snapshots.

use std::fs;
use std::path::{Path, PathBuf};

use super::lock::Lock;
use super::{Care, Manifest, Pool, ThinClone, id, record, staging, subdirs};
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::storage::{Usage, fsync_dir};

/// A sealed snapshot: the only thing that clones are made of.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pool: Pool,
    dir: PathBuf,
    name: String,
    manifest: Manifest,
}

/// What went with a snapshot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Destroyed {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Its clones' ids.
    pub clones: Vec<String>,
}

impl Snapshot {
    /// Only sealing and reading a manifest make one.
    pub(super) fn new(pool: &Pool, dir: PathBuf, manifest: Manifest) -> Snapshot {
        Snapshot { pool: pool.clone(), dir, name: manifest.name.clone(), manifest }
    }

    /// The same under another name: the manifest keeps the one that it was sealed with.
    pub(super) fn named(self, name: Option<String>) -> Snapshot {
        Snapshot { name: name.unwrap_or_else(|| self.name.clone()), ..self }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.manifest.id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The pool that holds it.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Its directory: manifest, signature, list of files, volume.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its volume; nobody may write there.
    pub fn volume(&self) -> PathBuf {
        self.dir.join("volume")
    }

    /// The data directory in its volume.
    pub fn data_dir(&self) -> PathBuf {
        self.volume().join("data")
    }

    /// Bytes it holds now: clones may have come to share some.
    pub fn usage(&self) -> Result<Usage> {
        self.pool.driver.usage(&self.volume())
    }
}

impl Pool {
    /// Every snapshot, oldest first.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let mut snapshots = Vec::new();
        for id in subdirs(&self.snapshots_dir())? {
            snapshots.extend(read(self, &self.snapshots_dir().join(id))?);
        }
        snapshots.sort_by(|left, right| {
            let key =
                |snapshot: &Snapshot| (snapshot.manifest.created_at, snapshot.id().to_owned());
            key(left).cmp(&key(right))
        });
        Ok(snapshots)
    }

    /// The snapshot of an id, or of a name.
    pub fn snapshot(&self, wanted: &str) -> Result<Snapshot> {
        let mut by_name = None;
        for snapshot in self.snapshots()? {
            if snapshot.id() == wanted {
                return Ok(snapshot);
            }
            if snapshot.name() == wanted {
                by_name = Some(snapshot);
            }
        }
        by_name.ok_or_else(|| Error::NotFound { what: "snapshot", name: wanted.to_owned() })
    }

    /// Refuses an id that is there already, and a name that a new snapshot can't have.
    pub(super) fn check_new_snapshot(&self, id: &str, name: &str) -> Result<()> {
        if self.snapshots_dir().join(id).symlink_metadata().is_ok() {
            return Err(Error::invalid(format!("snapshot {id} is in the pool already")));
        }
        self.check_new_snapshot_name(name)
    }

    /// Refuses a name that a new snapshot can't have, before any work is done for it.
    pub(super) fn check_new_snapshot_name(&self, name: &str) -> Result<()> {
        id::check_name("snapshot", name)?;
        match self.snapshot(name) {
            Ok(other) => {
                Err(Error::invalid(format!("a snapshot named {name:?} exists ({})", other.id())))
            }
            Err(_) => Ok(()),
        }
    }

    /// Removes a snapshot. Refuses while clones of it exist, or while it is protected. A crash in the
    /// middle leaves no snapshot, and remains that the next open removes.
    pub fn destroy_snapshot(&self, wanted: &str) -> Result<Snapshot> {
        self.logged("snapshot destroy", wanted, || self.remove_snapshot(wanted))
    }

    /// Removes a snapshot and its clones, these first. Refuses before anything is done, with every
    /// reason, if one of them is protected. A crash in the middle leaves the snapshot with fewer
    /// clones, or none of them.
    pub fn destroy_snapshot_and_clones(&self, wanted: &str) -> Result<Destroyed> {
        self.logged("snapshot destroy", wanted, || {
            let snapshot = self.snapshot(wanted)?;
            let clones = self.clones_of(&snapshot)?;
            let mut refusals =
                Vec::from_iter(snapshot.care()?.refusal("snapshot", snapshot.name()));
            for clone in &clones {
                refusals.extend(clone.care()?.refusal("clone", clone.name()));
            }
            if !refusals.is_empty() {
                return Err(Error::Refused(refusals));
            }
            let mut gone = Vec::new();
            for clone in clones {
                let id = clone.id().to_owned();
                clone.destroy()?;
                gone.push(id);
            }
            Ok(Destroyed { snapshot: self.remove_snapshot(snapshot.id())?, clones: gone })
        })
    }

    fn clones_of(&self, snapshot: &Snapshot) -> Result<Vec<ThinClone>> {
        let mut clones = self.clones()?;
        clones.retain(|clone| clone.snapshot_id() == snapshot.id());
        Ok(clones)
    }

    fn remove_snapshot(&self, wanted: &str) -> Result<Snapshot> {
        let (snapshot, gone, _lock) = {
            let _guard = self.lock()?;
            let snapshot = self.snapshot(wanted)?;
            snapshot.kept().check_unprotected()?;
            let clones = self.clones_that_need(snapshot.id())?;
            if !clones.is_empty() {
                return Err(Error::Busy {
                    what: format!(
                        "snapshot {} has clones: {}; destroy them first (thinveil clone destroy {}), \
                         or with it (--cascade)",
                        snapshot.name(),
                        clones.join(", "),
                        clones.join(" ")
                    ),
                });
            }
            self.driver.detach(&snapshot.volume())?;
            let gone = self.staging_dir().join(snapshot.id());
            let lock = Lock::wait(&snapshot.dir.join("lock"), "the snapshot")?;
            fs::rename(&snapshot.dir, &gone).map_err(Error::io("rename", &snapshot.dir))?;
            (snapshot, gone, lock)
        };
        Failpoint::SnapshotAway.reach()?;
        fsync_dir(&self.snapshots_dir())?;
        self.audit("snapshot destroy", snapshot.id(), &[("name", snapshot.name())])?;
        Failpoint::SnapshotAwayTold.reach()?;
        staging::sweep(self.driver.as_ref(), &gone)?;
        Ok(snapshot)
    }
}

/// A directory without a manifest is no snapshot.
fn read(pool: &Pool, dir: &Path) -> Result<Option<Snapshot>> {
    let manifest: Option<Manifest> = record::read(&dir.join("manifest.json"))?;
    let Some(manifest) = manifest else { return Ok(None) };
    let name = Care::read(dir)?.name;
    Ok(Some(Snapshot::new(pool, dir.to_path_buf(), manifest).named(name)))
}
