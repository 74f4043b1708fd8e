//! Datasets of ZFS: a clone is one atomic step, however many files there are.
//!
//! A pool lies in some file system of ZFS; its volumes are children of that. Beside the mount point
//! `volume` lies `volume.zfs`, which names the child, so that the directories around it can be renamed.
//!
//! A clone hangs on a snapshot of what it was made of, which is to go away with it. A volume with
//! clones can be destroyed all the same: the first of them takes its place, as `zfs promote` does.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount};
use serde::{Deserialize, Serialize};
use thinveil_zfs::{Zfs as Kernel, snapshot_between};

use super::mounts::{Mount, is_mounted, mounts, unmount};
use super::sync::fsync_dir;
use super::tree::{check_whole, remove_tree};
use super::{Capabilities, Driver, DriverKind, Frozen, Usage, Watch};
use crate::error::{Error, Result};

/// Datasets and their clones.
#[derive(Clone, Copy, Debug, Default)]
pub struct Zfs;

/// `ZFS_SUPER_MAGIC`, `sys/fs/zfs.h`.
const SUPER_MAGIC: u64 = 0x2FC1_2FC1;

/// What lies beside a mount point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record {
    /// A dataset of its own.
    Volume {
        /// Its name in the file system that the record lies in.
        name: String,
        /// The name there of what it was made of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// Nobody writes there any more.
        #[serde(default)]
        sealed: bool,
    },
    /// A snapshot of somebody else's, named in full.
    View { snapshot: String },
}

impl Driver for Zfs {
    fn kind(&self) -> DriverKind {
        DriverKind::Zfs
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            shares_blocks: true,
            mounts: true,
            atomic: true,
            copies_whole_files: false,
            freezes: true,
            seals: true,
            needs_root: true,
        }
    }

    fn create_volume(&self, volume: &Path) -> Result<()> {
        let record = Record::Volume { name: fresh()?, from: None, sealed: false };
        let dataset = dataset_of(&record, volume)?;
        record.write_new(volume)?;
        kernel()?.create(&dataset).map_err(Error::io("make a dataset for", volume))?;
        attach(&record, volume)?;
        fs::set_permissions(volume, fs::Permissions::from_mode(0o711))
            .map_err(Error::io("chmod", volume))
    }

    fn clone_volume(&self, from: &Path, to: &Path, watch: &Watch<'_>) -> Result<()> {
        watch.cancel.check()?;
        let origin = Record::of(from)?;
        let Some(Record::Volume { name: from_name, .. }) = &origin else {
            return Err(Error::invalid(format!("{}: is no volume of ZFS", from.display())));
        };
        let name = fresh()?;
        let record = Record::Volume { name, from: Some(from_name.clone()), sealed: false };
        let (source, target) = (child_of(from_name, from)?, dataset_of(&record, to)?);
        record.write_new(to)?;
        kernel()?.clone_dataset(&source, &target).map_err(Error::io("clone to", to))?;
        attach(&record, to)
    }

    fn freeze(&self, directory: &Path, to: &Path) -> Result<Option<Frozen>> {
        let directory = directory.canonicalize().map_err(Error::io("open", directory))?;
        let Some(mount) = file_system_of(&directory)? else { return Ok(None) };
        // What is seen in part is no directory's whole.
        let Ok(source) = mount.source.into_string() else { return Ok(None) };
        if mount.root != Path::new("/") || source.contains('@') {
            return Ok(None);
        }
        check_whole(&directory)?;
        let record = Record::View { snapshot: format!("{source}@{}", fresh()?) };
        let snapshot = dataset_of(&record, to)?;
        record.write_new(to)?;
        kernel()?.snapshot(&snapshot).map_err(Error::io("make a snapshot of", &directory))?;
        attach(&record, to)?;
        Ok(Some(Frozen { of: mount.point, at: to.to_path_buf() }))
    }

    fn seal(&self, volume: &Path) -> Result<()> {
        let record = match Record::of(volume)? {
            Some(Record::Volume { name, from, .. }) => Record::Volume { name, from, sealed: true },
            _ => return Err(Error::invalid(format!("{}: is no volume of ZFS", volume.display()))),
        };
        record.write(volume)?;
        if is_mounted(volume)? {
            unmount(volume)?;
            attach(&record, volume)?;
        }
        Ok(())
    }

    fn attach(&self, volume: &Path) -> Result<bool> {
        match Record::of(volume)? {
            Some(record) if !is_mounted(volume)? => attach(&record, volume).map(|()| true),
            _ => Ok(false),
        }
    }

    fn detach(&self, volume: &Path) -> Result<()> {
        unmount(volume)
    }

    fn destroy(&self, volume: &Path) -> Result<()> {
        unmount(volume)?;
        remove_file(&unfinished(volume))?;
        let Some(record) = Record::of(volume)? else { return remove_tree(volume) };
        let (kernel, dataset) = (kernel()?, dataset_of(&record, volume)?);
        let failed = Error::io("destroy the dataset of", volume);
        match &record {
            Record::View { .. } => kernel.forget_snapshot(&dataset).map_err(failed)?,
            Record::Volume { from: None, .. } => kernel.destroy(&dataset).map_err(failed)?,
            Record::Volume { from: Some(from), .. } => {
                // A crash may have left the snapshot without its clone.
                let between = snapshot_between(&child_of(from, volume)?, &dataset);
                kernel
                    .destroy(&dataset)
                    .and_then(|()| kernel.forget_snapshot(&between))
                    .map_err(failed)?;
            }
        }
        remove_tree(volume)?;
        remove_file(&beside(volume))
    }

    fn usage(&self, volume: &Path) -> Result<Usage> {
        let Some(record) = Record::of(volume)? else { return super::usage::extents(volume) };
        let dataset = dataset_of(&record, volume)?;
        let space = kernel()?.space(&dataset).map_err(Error::io("look at", volume))?;
        Ok(Usage { own_bytes: space.own, shared_bytes: space.referenced.saturating_sub(space.own) })
    }

    fn own_bytes(&self, volume: &Path, file: &Path) -> Result<Option<u64>> {
        if Record::of(volume)?.is_some() {
            return Ok(None);
        }
        let path = volume.join(file);
        Ok(Some(super::usage::of_file(&path).map_err(Error::io("look at", path))?.own_bytes))
    }
}

impl Zfs {
    /// True if a volume is one of its own.
    pub(super) fn has(volume: &Path) -> bool {
        beside(volume).exists()
    }
}

/// Makes everything written to the pool of ZFS that `dir` lies in survive a power failure: the
/// volumes in it are file systems of their own. Only root has such volumes.
pub(super) fn sync(dir: &Path) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    match file_system_of(dir)?.map(|mount| mount.source.into_string()) {
        Some(Ok(dataset)) => kernel()?.sync(&dataset).map_err(Error::io("sync", dir)),
        _ => Ok(()),
    }
}

impl Record {
    fn of(volume: &Path) -> Result<Option<Record>> {
        let path = beside(volume);
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| Error::invalid(format!("{}: {error}", path.display()))),
        }
    }

    /// Before there is a dataset, so that a crash leaves none that nothing names.
    fn write_new(&self, volume: &Path) -> Result<()> {
        if [volume, &beside(volume)].iter().any(|path| path.symlink_metadata().is_ok()) {
            return Err(Error::invalid(format!("{}: is there already", volume.display())));
        }
        self.write(volume)?;
        match volume.parent() {
            Some(parent) => fsync_dir(parent),
            None => Ok(()),
        }
    }

    /// Half of it is never seen.
    fn write(&self, volume: &Path) -> Result<()> {
        let (new, path) = (unfinished(volume), beside(volume));
        let text = serde_json::to_vec(self).map_err(|error| Error::invalid(error.to_string()))?;
        File::create(&new)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .map_err(Error::io("write", &new))?;
        fs::rename(&new, &path).map_err(Error::io("rename", &new))
    }
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// `volume.zfs`, beside `volume`.
fn beside(volume: &Path) -> PathBuf {
    with_suffix(volume, ".zfs")
}

/// What becomes that.
fn unfinished(volume: &Path) -> PathBuf {
    with_suffix(volume, ".zfs.new")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(suffix);
    path.with_file_name(name)
}

fn kernel() -> Result<Kernel> {
    Kernel::open().map_err(Error::io("open", "/dev/zfs"))
}

/// A name that no dataset has.
fn fresh() -> Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|error| Error::invalid(format!("no random numbers: {error}")))?;
    Ok(format!("thinveil-{:016x}", u64::from_le_bytes(random)))
}

/// What a record beside `volume` is about, in full.
fn dataset_of(record: &Record, volume: &Path) -> Result<String> {
    match record {
        Record::Volume { name, .. } => child_of(name, volume),
        Record::View { snapshot } => Ok(snapshot.clone()),
    }
}

/// The child of that name of the file system in which `volume` has its place.
fn child_of(name: &str, volume: &Path) -> Result<String> {
    let place = volume.parent().unwrap_or(volume);
    let parent = file_system_of(place)?.and_then(|mount| mount.source.into_string().ok());
    match parent {
        Some(parent) => Ok(format!("{parent}/{name}")),
        None => Err(Error::invalid(format!("{}: is no file system of ZFS", place.display()))),
    }
}

/// The file system of ZFS that holds `dir`; `None` if another does.
fn file_system_of(dir: &Path) -> Result<Option<Mount>> {
    let looked = |error: rustix::io::Errno| Error::io("look at", dir)(error.into());
    if rustix::fs::statfs(dir).map_err(looked)?.f_type as u64 != SUPER_MAGIC {
        return Ok(None);
    }
    let device = dir.metadata().map_err(Error::io("look at", dir))?.dev();
    let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    Ok(mounts()?.into_iter().find(|mount| mount.device == device && mount.kind == "zfs"))
}

fn attach(record: &Record, volume: &Path) -> Result<()> {
    let dataset = dataset_of(record, volume)?;
    match DirBuilder::new().mode(0o711).create(volume) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(Error::io("create", volume)(error));
        }
        _ => (),
    }
    let mut flags = MountFlags::NOSUID | MountFlags::NODEV;
    if !matches!(record, Record::Volume { sealed: false, .. }) {
        flags |= MountFlags::RDONLY;
    }
    mount(dataset.as_str(), volume, "zfs", flags, None)
        .map_err(|error| Error::io("mount a dataset at", volume)(error.into()))
}
