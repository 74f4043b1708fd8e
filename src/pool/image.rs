//! A pool in a file: an XFS that shares blocks, for a machine whose file systems don't.
//!
//! The file lies in the pool's directory and is mounted over that: so the directory is the whole
//! pool, and the file is seen where it is only while it is not mounted.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Pool, make_dir};
use crate::error::{Error, Result};
use crate::storage::{DriverChoice, Probe, fsync_dir};

/// The file's name.
pub(super) const NAME: &str = "pool.xfs";
/// Its name until there is a file system in it.
pub(super) const PART: &str = "pool.xfs.part";
/// `mkfs.xfs` makes no smaller ones.
const SMALLEST: u64 = 300 << 20;

impl Pool {
    /// Makes a pool of an empty or missing directory, in a sparse file of this size: it takes the
    /// room that it needs, and gives back what it needs no more. Needs root.
    ///
    /// After a reboot, [`Pool::open`] by root mounts it again. A crash in the middle leaves no pool,
    /// and what is no obstacle to another try.
    pub fn init_in_file(dir: &Path, size: u64, choice: DriverChoice) -> Result<(Pool, Probe)> {
        if size < SMALLEST {
            return Err(Error::invalid(format!(
                "a pool's file has {} MB at least",
                SMALLEST >> 20
            )));
        }
        make_dir(dir)?;
        // One that was cut short may have come as far as the file, or the mount.
        if !mount(dir)? && !is_mounted(dir)? {
            super::check_vacant(dir)?;
            make(dir, size)?;
            mount(dir)?;
        }
        Pool::init(dir, choice)
    }
}

/// Makes the file, whole or not at all.
fn make(dir: &Path, size: u64) -> Result<()> {
    let (part, image) = (dir.join(PART), dir.join(NAME));
    let file = File::create(&part).map_err(Error::io("create", &part))?;
    file.set_len(size).map_err(Error::io("enlarge", &part))?;
    let mut mkfs = Command::new("mkfs.xfs");
    run(mkfs.args(["-q", "-f", "-m", "reflink=1"]).arg(&part), "xfsprogs")?;
    file.sync_all().map_err(Error::io("sync", &part))?;
    fs::rename(&part, &image).map_err(Error::io("rename", &part))?;
    fsync_dir(dir)
}

/// Mounts the file over its directory, if there is one that is not. True if it was mounted.
pub(super) fn mount(dir: &Path) -> Result<bool> {
    let Ok(dir) = dir.canonicalize() else { return Ok(false) };
    let image = dir.join(NAME);
    if !image.exists() {
        return Ok(false);
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Error::invalid(format!(
            "{} is not mounted; root mounts it: thinveil --pool {} pool recover",
            image.display(),
            dir.display()
        )));
    }
    check_owner(&dir, &image)?;
    let file = File::open(&image).map_err(Error::io("open", &image))?;
    // One process mounts it: the others, when it is their turn, no longer see the file.
    file.lock().map_err(Error::io("lock", &image))?;
    if !image.exists() {
        return Ok(false);
    }
    let mut mount = Command::new("mount");
    mount.args(["-t", "xfs", "-o", "loop,nosuid,nodev,noatime,discard"]);
    run(mount.arg(&image).arg(&dir), "mount")?;
    // Servers' users pass through it.
    make_dir(&dir)?;
    Ok(true)
}

/// Refuses a file that somebody else may have made: the kernel trusts what it mounts.
fn check_owner(dir: &Path, image: &Path) -> Result<()> {
    for path in [dir, image] {
        let meta = path.symlink_metadata().map_err(Error::io("look at", path))?;
        if meta.uid() != 0 || meta.mode() & 0o022 != 0 || meta.is_symlink() {
            return Err(Error::invalid(format!(
                "{}: others than root may write it; a pool's file is root's alone",
                path.display()
            )));
        }
    }
    Ok(())
}

/// True if it is the file's file system that is seen in its directory.
fn is_mounted(dir: &Path) -> Result<bool> {
    let dir = dir.canonicalize().map_err(Error::io("open", dir))?;
    let device = dir.metadata().map_err(Error::io("look at", &dir))?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let file = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/loop/backing_file"));
    Ok(file.is_ok_and(|file| Path::new(file.trim_end()) == dir.join(NAME)))
}

fn run(command: &mut Command, package: &str) -> Result<()> {
    let program = PathBuf::from(command.get_program());
    let output = match command.env("LC_ALL", "C").output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::invalid(format!(
                "the program {} is not in PATH; it is in the package {package}",
                program.display()
            )));
        }
        output => output.map_err(Error::io("run", &program))?,
    };
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let source = std::io::Error::other(said.trim().to_owned());
    Err(Error::Io { action: "run", path: program, source })
}
