//! A volume on which a snapshot is being made. It can be sealed or it goes away.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::lock::Lock;
use super::{Manifest, Pool, Snapshot, id, make_dir, record};
use crate::cluster::{end_all, find_postmaster};
use crate::error::{Error, Result};
use crate::storage::{Driver, fsync_dir, sync_volume};

/// A staging volume. Dropping it destroys it, with whatever server still runs on it.
#[derive(Debug)]
pub(crate) struct Staging {
    pool: Pool,
    id: String,
    dir: PathBuf,
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
        Ok(Staging { pool: self.clone(), id, dir, sealed: false, _lock: lock })
    }
}

impl Staging {
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
    /// Sets the manifest's id, driver, time and own bytes. Success: the snapshot survives a power
    /// failure. Failure: there is none, and the volume is gone.
    pub(crate) fn seal(mut self, mut manifest: Manifest) -> Result<Snapshot> {
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
        match fs::remove_dir_all(&private) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &private)(error));
            }
            _ => (),
        }
        let driver = Arc::clone(&self.pool.driver);
        let volume = self.volume();
        sync_volume(&volume)?;
        manifest.driver = driver.kind();
        manifest.created_at = jiff::Timestamp::now();
        manifest.own_bytes = driver.usage(&volume)?.own_bytes;
        driver.detach(&volume)?;
        // What is left is this record, one more sync of little, and a rename.
        manifest.stages.0.push(("seal".to_owned(), begun.elapsed().as_secs_f64()));
        record::write(&self.dir.join("manifest.json"), &manifest)?;
        // After a detach, what lies below the volume is in this file system.
        sync_volume(&self.dir)?;

        let sealed = self.pool.snapshots_dir().join(&self.id);
        {
            let _guard = self.pool.lock()?;
            self.pool.check_new_snapshot_name(&manifest.name)?;
            fs::rename(&self.dir, &sealed).map_err(Error::io("rename", &self.dir))?;
            self.sealed = true;
        }
        fsync_dir(&self.pool.snapshots_dir())?;
        fsync_dir(&self.pool.staging_dir())?;
        let _ = fs::remove_file(sealed.join("lock"));
        driver.attach(&sealed.join("volume"))?;
        self.pool.audit(
            "snapshot create",
            &manifest.id,
            &[
                ("name", &manifest.name),
                ("source", &manifest.source),
                ("key_id", &manifest.key_id),
                ("rules_hash", &manifest.rules_hash),
            ],
        )?;
        Ok(Snapshot::new(&self.pool, sealed, manifest))
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
    driver.destroy(&volume)?;
    fs::remove_dir_all(dir).map_err(Error::io("remove", dir))
}
