//! A volume on which a snapshot is being made. It can be sealed or it goes away.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::evidence::{self, Content, SigningKey};
use super::lock::Lock;
use super::{Manifest, Pool, Snapshot, id, make_dir, record, remove_locked};
use crate::cluster::{end_all, find_postmaster};
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::progress::Cancel;
use crate::storage::{Driver, Writes, fsync_dir};

/// A staging volume. Dropping it destroys it, with whatever server still runs on it.
#[derive(Debug)]
pub(crate) struct Staging {
    pool: Pool,
    id: String,
    dir: PathBuf,
    /// All that is written for it.
    writes: Writes,
    sealed: bool,
    _lock: Lock,
}

impl Pool {
    /// A new staging; its volume does not exist yet, the driver's `ingest` makes it.
    pub(crate) fn new_staging(&self) -> Result<Staging> {
        let guard = self.lock()?;
        let id = id::fresh("s");
        let dir = self.staging_dir().join(&id);
        make_dir(&dir)?;
        let lock = Lock::wait(&dir.join("lock"), "the staging volume")?;
        drop(guard);
        let writes = Writes::from_now(&dir)?;
        let staging = Staging { pool: self.clone(), id, dir, writes, sealed: false, _lock: lock };
        Failpoint::StagingMade.reach()?;
        Ok(staging)
    }
}

impl Staging {
    /// The pool that it is in, and its id there.
    pub(crate) fn place(&self) -> (Pool, String) {
        (self.pool.clone(), self.id.clone())
    }

    /// The volume: `data/`, `tablespaces/<oid>/`.
    pub(crate) fn volume(&self) -> PathBuf {
        self.dir.join("volume")
    }

    /// The data directory in the volume.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.volume().join("data")
    }

    /// Where a private server keeps its configuration, log and socket; not part of the snapshot.
    pub(crate) fn private_dir(&self) -> PathBuf {
        self.dir.join("private")
    }

    /// Where a run keeps what is too much for its memory; not part of the snapshot.
    pub(crate) fn scratch_dir(&self) -> PathBuf {
        self.dir.join("scratch")
    }

    /// Where the source is seen as it was at one moment, until it is in the volume.
    pub(crate) fn frozen_dir(&self) -> PathBuf {
        self.dir.join("frozen")
    }

    /// How the pool shares blocks.
    pub(crate) fn driver(&self) -> &dyn Driver {
        self.pool.driver.as_ref()
    }

    /// Makes a link in the data directory for each tablespace: relative, into the volume.
    pub(crate) fn link_tablespaces(&self, oids: &[crate::ids::Oid]) -> Result<()> {
        for oid in oids {
            let link = self.data_dir().join("pg_tblspc").join(oid.to_string());
            std::os::unix::fs::symlink(format!("../../tablespaces/{oid}"), &link)
                .map_err(Error::io("create the link", &link))?;
        }
        Ok(())
    }

    /// Makes it a snapshot: the one step after which there is one.
    ///
    /// Sets the manifest's id, driver, time, bytes and hashes, and signs it. Success: the snapshot survives a power
    /// failure, and the log tells of it. Failure: there is none, and the volume is gone.
    pub(crate) fn seal(
        mut self,
        mut manifest: Manifest,
        key: Option<&SigningKey>,
        cancel: &Cancel,
    ) -> Result<Snapshot> {
        let begun = Instant::now();
        manifest.id.clone_from(&self.id);
        if manifest.name.is_empty() {
            manifest.name.clone_from(&self.id);
        }
        if let Some(server) = find_postmaster(&self.data_dir())? {
            return Err(Error::Busy {
                what: format!(
                    "process {} still works in the volume that is to be sealed",
                    server.pid()
                ),
            });
        }
        let private = self.private_dir();
        for dir in [private, self.scratch_dir()] {
            match fs::remove_dir_all(&dir) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &dir)(error));
                }
                _ => (),
            }
        }
        let driver = Arc::clone(&self.pool.driver);
        let volume = self.volume();
        self.writes.flush()?;
        let content = Content::of_volume(&volume, cancel)?;
        let files = content.to_text();
        manifest.masked_bytes = content.bytes;
        manifest.content_hash = Content::hash_of_text(&files);
        manifest.links = content.links;
        manifest.signed_by = key.map(|key| key.public().id());
        let list = self.dir.join(evidence::FILES);
        fs::write(&list, files).map_err(Error::io("write", &list))?;
        Failpoint::SealHashed.reach()?;
        manifest.driver = driver.kind();
        manifest.created_at = jiff::Timestamp::now();
        manifest.own_bytes = driver.usage(&volume)?.own_bytes;
        driver.detach(&volume)?;
        driver.seal(&volume)?;
        // What is left is this record, one more sync of little, and a rename.
        manifest.stages.0.push(("seal".to_owned(), begun.elapsed().as_secs_f64()));
        record::write(&self.dir.join("manifest.json"), &manifest)?;
        if let Some(key) = key {
            evidence::sign(&self.dir, key)?;
        }
        self.writes.flush()?;
        Failpoint::SealRecorded.reach()?;

        let told = [
            ("name", manifest.name.as_str()),
            ("source", &manifest.source),
            ("key_id", &manifest.key_id),
            ("rules_hash", &manifest.rules_hash),
            ("content_hash", &manifest.content_hash),
            ("signed_by", manifest.signed_by.as_deref().unwrap_or_default()),
        ];
        let sealed = self.take_place(&manifest.id, &manifest.name, "snapshot create", &told)?;
        Ok(Snapshot::new(&self.pool, sealed, manifest))
    }

    /// A file beside the volume.
    #[cfg(feature = "archive")]
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What was unpacked, as if it were a snapshot: to be looked at alone.
    #[cfg(feature = "archive")]
    pub(super) fn look(&self, manifest: &Manifest) -> Snapshot {
        Snapshot::new(&self.pool, self.dir.clone(), manifest.clone())
    }

    /// Makes what was unpacked of an archive a snapshot; its manifest is sealed already.
    ///
    /// Success and failure as with [`Staging::seal`].
    #[cfg(feature = "archive")]
    pub(super) fn adopt(
        mut self,
        manifest: Manifest,
        name: Option<&str>,
        file: &str,
    ) -> Result<Snapshot> {
        Failpoint::Unpacked.reach()?;
        let volume = self.volume();
        if let Some(name) = name {
            super::Care::write_name(&self.dir, name)?;
        }
        self.writes.flush()?;
        self.driver().detach(&volume)?;
        self.driver().seal(&volume)?;
        self.writes.flush()?;
        let told = [
            ("file", file),
            ("name", name.unwrap_or(&manifest.name)),
            ("content_hash", &manifest.content_hash),
            ("signed_by", manifest.signed_by.as_deref().unwrap_or_default()),
        ];
        let name = name.unwrap_or(&manifest.name).to_owned();
        let sealed = self.take_place(&manifest.id, &name, "snapshot import", &told)?;
        Ok(Snapshot::new(&self.pool, sealed, manifest).named(Some(name)))
    }

    /// Gives it its place among the snapshots; where that is. The log tells of it by this verb.
    fn take_place(
        &mut self,
        id: &str,
        name: &str,
        verb: &str,
        told: &[(&str, &str)],
    ) -> Result<PathBuf> {
        let sealed = self.pool.snapshots_dir().join(id);
        // Under the pool's lock to the end: nobody clones what may yet be taken back.
        let guard = self.pool.lock()?;
        self.pool.check_new_snapshot(id, name)?;
        fs::rename(&self.dir, &sealed).map_err(Error::io("rename", &self.dir))?;
        if let Err(error) = self.settle(&sealed, id, verb, told) {
            let _ = self.driver().detach(&sealed.join("volume"));
            match fs::rename(&sealed, &self.dir) {
                // Dropping this removes it.
                Ok(()) => return Err(error),
                Err(second) => {
                    self.sealed = true;
                    return Err(Error::Io { action: "take back", path: sealed, source: second });
                }
            }
        }
        self.sealed = true;
        drop(guard);
        // Its holder is gone in a moment.
        let _ = fs::remove_file(sealed.join("lock"));
        Ok(sealed)
    }

    /// What has to be true of a snapshot besides being in its place.
    fn settle(&self, sealed: &Path, id: &str, verb: &str, told: &[(&str, &str)]) -> Result<()> {
        Failpoint::SealRenamed.reach()?;
        fsync_dir(&self.pool.snapshots_dir())?;
        fsync_dir(&self.pool.staging_dir())?;
        self.driver().attach(&sealed.join("volume"))?;
        Failpoint::SealSettled.reach()?;
        self.pool.audit(verb, id, told)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.sealed {
            // What can't be removed now, the next open removes.
            let _ = sweep(self.pool.driver.as_ref(), &self.dir);
        }
    }
}

/// Removes a staging directory: its server, its mounts, its files.
pub(super) fn sweep(driver: &dyn Driver, dir: &Path) -> Result<()> {
    let volume = dir.join("volume");
    // Its server may still be there, the mount may not: look through the mount.
    end_all(&volume.join("data"))?;
    driver.destroy(&dir.join("frozen"))?;
    driver.destroy(&volume)?;
    remove_locked(dir)
}
