//! A pool: a directory with snapshots, the clones made of them, and staging.
//!
//! ```text
//! pool.json  lock  audit.log  audit-head.json
//! snapshots/<id>/{manifest.json,manifest.json.sig,signer.pem,files.b3,care.json,volume/}
//! staging/<id>/{lock,volume/,private/}
//! clones/<id>/{clone.json,care.json,lock,gen-<n>/volume/,postgresql.conf,pg_hba.conf,pg_ident.conf,server.log,run/}
//! ```
//!
//! There is no daemon. Records are replaced by rename; `flock` keeps processes apart: the pool's
//! lock for what exists, a clone's or a staging's own lock for what happens to it. A crash anywhere
//! leaves what [`Pool::recover`], run by every [`Pool::open`], puts right.

#[cfg(feature = "archive")]
mod archive;
mod audit_log;
mod care;
mod evidence;
mod id;
mod image;
mod leak_audit;
mod lock;
mod manifest;
pub mod pipeline;
mod record;
mod recover;
mod report;
mod retention;
mod snapshot;
mod staging;
#[cfg(test)]
mod tests;
mod thin_clone;
mod tree;

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::cluster::sandbox::Confinement;
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::storage::{Capabilities, Driver, DriverChoice, DriverKind, Probe, TRIAL, Usage, probe};
use audit_log::{AuditLog, Told};
use lock::Lock;

#[cfg(feature = "archive")]
pub use archive::{Exported, MoveOptions};
pub use audit_log::{Anchor, AuditEntry, Pruned, Retention, Verified};
pub use care::Care;
pub use evidence::{ContentCheck, PublicKey, SignatureState, SigningKey, Verification};
pub use manifest::{Ancestor, Lineage, Manifest, StageTimes};
pub(crate) use pipeline::inspect_directory;
pub use pipeline::{Audited, Finished, Planned, Rewritten, SnapshotOptions, Source, Staged};
pub use recover::Recovery;
pub use retention::{GcItem, GcPolicy, GcReport};
pub use snapshot::{Destroyed, Snapshot};
pub(crate) use staging::Staging;
pub use thin_clone::{
    Change, CloneDiff, CloneRequest, CloneState, CloneView, Created, FilesDiff, PortRange,
    RelationDiff, ThinClone,
};
pub use tree::{Branch, Twig};

/// The format of a pool directory.
const VERSION: u32 = 1;

/// An open pool.
#[derive(Clone, Debug)]
pub struct Pool {
    dir: PathBuf,
    id: String,
    driver: Arc<dyn Driver>,
    recovered: Recovery,
}

/// `pool.json`.
#[derive(Debug, Serialize, Deserialize)]
struct PoolRecord {
    version: u32,
    id: String,
    driver: DriverKind,
}

/// What is in a pool.
#[derive(Clone, Debug, Serialize)]
pub struct PoolStatus {
    /// The pool's id.
    pub id: String,
    /// Its directory.
    pub dir: PathBuf,
    /// Its driver.
    pub driver: DriverKind,
    /// What that needs and gives.
    pub capabilities: Capabilities,
    /// How far this kernel confines servers to their volumes.
    pub confinement: Confinement,
    /// Sealed snapshots.
    pub snapshots: usize,
    /// Clones, running or not.
    pub clones: usize,
    /// Snapshots being made, by living processes.
    pub staging: usize,
    /// Bytes free in the file system.
    pub free_bytes: u64,
    /// Bytes of all snapshots and clones; what several share may be counted in each.
    pub usage: Usage,
    /// What opening the pool had to put right.
    pub recovered: Recovery,
}

impl Pool {
    /// Makes a pool of an empty or missing directory; tries drivers there and says how that went.
    pub fn init(dir: &Path, choice: DriverChoice) -> Result<(Pool, Probe)> {
        let check_new = || match dir.join("pool.json").exists() {
            true => Err(Error::invalid(format!("{}: is a pool already", dir.display()))),
            false => Ok(()),
        };
        check_new()?;
        let existed = dir.exists();
        make_dir(dir)?;
        if existed {
            check_vacant(dir)?;
        }
        let dir = &dir.canonicalize().map_err(Error::io("open", dir))?;
        let _lock = Lock::wait(&dir.join("lock"), "the pool")?;
        // Another may have been faster.
        check_new()?;
        let probe = probe(dir, choice)?;
        for name in ["snapshots", "staging", "clones"] {
            make_dir(&dir.join(name))?;
        }
        Failpoint::PoolDirectories.reach()?;
        let record = PoolRecord { version: VERSION, id: id::fresh("p"), driver: probe.chosen };
        // Last: a directory without it is no pool.
        record::write(&dir.join("pool.json"), &record)?;
        let driver: Arc<dyn Driver> = Arc::from(record.driver.driver());
        let pool = Pool { dir: dir.clone(), id: record.id, driver, recovered: Recovery::default() };
        pool.audit("pool init", &pool.id, &[("driver", pool.driver.kind().name())])?;
        Ok((pool, probe))
    }

    /// Opens a pool, and puts right what crashes left (see [`Pool::recover`]).
    pub fn open(dir: &Path) -> Result<Pool> {
        let path = dir.join("pool.json");
        let mounted = image::mount(dir)?;
        let record: PoolRecord = match record::read(&path)? {
            Some(record) => record,
            None => {
                return Err(Error::NotFound { what: "pool", name: dir.display().to_string() });
            }
        };
        if record.version != VERSION {
            return Err(Error::invalid(format!(
                "{}: a pool of version {}; this thinveil knows version {VERSION}",
                dir.display(),
                record.version
            )));
        }
        let dir = dir.canonicalize().map_err(Error::io("open", dir))?;
        let driver: Arc<dyn Driver> = Arc::from(record.driver.driver());
        let mut pool = Pool { dir, id: record.id, driver, recovered: Recovery::default() };
        pool.recovered = pool.recover()?;
        if mounted {
            pool.recovered.attached.insert(0, image::NAME.to_owned());
        }
        Ok(pool)
    }

    /// The pool's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The pool's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How the pool shares blocks.
    pub fn driver(&self) -> &dyn Driver {
        self.driver.as_ref()
    }

    /// What opening the pool had to put right.
    pub fn recovered(&self) -> &Recovery {
        &self.recovered
    }

    /// Counts and bytes.
    pub fn status(&self) -> Result<PoolStatus> {
        let (snapshots, clones) = (self.snapshots()?, self.clones()?);
        let mut usage = Usage::default();
        for snapshot in &snapshots {
            add(&mut usage, snapshot.usage()?);
        }
        for clone in &clones {
            add(&mut usage, clone.usage()?);
        }
        let stat = rustix::fs::statvfs(&self.dir)
            .map_err(|error| Error::io("read", &self.dir)(error.into()))?;
        Ok(PoolStatus {
            id: self.id.clone(),
            dir: self.dir.clone(),
            driver: self.driver.kind(),
            capabilities: self.driver.capabilities(),
            confinement: Confinement::offered(),
            snapshots: snapshots.len(),
            clones: clones.len(),
            staging: subdirs(&self.staging_dir())?.len(),
            free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            usage,
            recovered: self.recovered.clone(),
        })
    }

    /// Appends to the pool's audit log. Values must not be secrets.
    pub fn audit(&self, verb: &str, object: &str, details: &[(&str, &str)]) -> Result<()> {
        self.audit_log().append(verb, object, &Told::done(details))
    }

    /// Runs a verb. If it fails or is refused, the audit log tells how, without the error's words.
    pub fn logged<T>(
        &self,
        verb: &str,
        object: &str,
        run: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        run().inspect_err(|error| {
            // What went wrong matters more than that it could not be noted.
            let _ = self.audit_log().append(verb, object, &Told::not_done(error));
        })
    }

    /// Runs a verb that reads. The audit log tells of it, however it ends; what can't be told of is
    /// not read.
    pub fn reading<T>(
        &self,
        verb: &str,
        object: &str,
        read: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let result = self.logged(verb, object, read)?;
        self.audit(verb, object, &[])?;
        Ok(result)
    }

    /// The audit log's lines, oldest first.
    pub fn audit_entries(&self) -> Result<Vec<AuditEntry>> {
        self.audit_log().entries()
    }

    /// Follows the audit log's chain from end to end.
    ///
    /// # Errors
    /// [`Error::AuditLogBroken`] names the first link that does not hold.
    pub fn verify_audit_log(&self) -> Result<Verified> {
        self.audit_log().verify(None)
    }

    /// The same, and the line of this hash, which an earlier run told, has to be in it.
    pub fn verify_audit_log_with(&self, seen: &str) -> Result<Verified> {
        self.audit_log().verify(Some(seen))
    }

    /// Removes old lines of the audit log; what stays can still be verified.
    pub fn prune_audit_log(&self, retention: Retention) -> Result<Pruned> {
        self.logged("audit prune", "", || self.audit_log().prune(retention))
    }

    fn audit_log(&self) -> AuditLog {
        AuditLog::of_pool(&self.dir)
    }

    /// Held while what exists changes: names, ports, directories.
    fn lock(&self) -> Result<Lock> {
        Lock::wait(&self.dir.join("lock"), "the pool")
    }

    fn staging_dir(&self) -> PathBuf {
        self.dir.join("staging")
    }

    fn snapshots_dir(&self) -> PathBuf {
        self.dir.join("snapshots")
    }

    fn clones_dir(&self) -> PathBuf {
        self.dir.join("clones")
    }
}

fn add(total: &mut Usage, part: Usage) {
    total.own_bytes += part.own_bytes;
    total.shared_bytes += part.shared_bytes;
}

/// Removes a directory with the lock that is held in it. Others may look meanwhile whether it is
/// held, which puts a lock of theirs there, and remove what they find abandoned.
fn remove_locked(dir: &Path) -> Result<()> {
    loop {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => return result.map_err(Error::io("remove", dir)),
        }
    }
}

/// A directory that servers' users can pass through and not list.
fn make_dir(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(path)
        .map_err(Error::io("create", path))?;
    // The umask may have taken the passage away.
    let meta = path.metadata().map_err(Error::io("read", path))?;
    let mode = meta.permissions().mode();
    if mode & 0o111 != 0o111 {
        fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o111))
            .map_err(Error::io("chmod", path))?;
    }
    Ok(())
}

/// Refuses a directory that can't become a pool.
fn check_vacant(dir: &Path) -> Result<()> {
    if is_vacant(dir)? {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{}: is not empty; a pool wants a directory of its own",
        dir.display()
    )))
}

/// True for an empty directory, and for one in which the making of a pool was cut short.
fn is_vacant(dir: &Path) -> Result<bool> {
    for entry in fs::read_dir(dir).map_err(Error::io("read", dir))? {
        let entry = entry.map_err(Error::io("read", dir))?;
        let vacant = match entry.file_name().to_str() {
            Some("lost+found") => true,
            Some("lock" | "pool.json.new" | image::PART) => {
                entry.file_type().is_ok_and(|kind| kind.is_file())
            }
            Some("snapshots" | "staging" | "clones") => {
                fs::read_dir(entry.path()).is_ok_and(|mut inside| inside.next().is_none())
            }
            Some(name) => name.starts_with(TRIAL),
            None => false,
        };
        if !vacant {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The names of the directories in a directory, sorted.
fn subdirs(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("read", dir))? {
        let entry = entry.map_err(Error::io("read", dir))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
