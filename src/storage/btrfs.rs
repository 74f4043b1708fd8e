//! Subvolumes of btrfs: a clone is one atomic step, however many files there are.
//!
//! The `btrfs` program does it, some milliseconds a call: its ioctls need `unsafe`, and the program is
//! wherever such a file system is.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tree::{check_whole, remove_tree};
use super::{Capabilities, Driver, DriverKind, Frozen, Watch};
use crate::error::{Error, Result};

/// Snapshots of subvolumes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Btrfs;

/// `BTRFS_SUPER_MAGIC`, `linux/magic.h`.
const SUPER_MAGIC: u64 = 0x9123_683E;
/// The inode of every subvolume's root: `BTRFS_FIRST_FREE_OBJECTID`, `linux/btrfs_tree.h`.
const SUBVOLUME_ROOT: u64 = 256;

impl Driver for Btrfs {
    fn kind(&self) -> DriverKind {
        DriverKind::Btrfs
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            shares_blocks: true,
            mounts: false,
            atomic: true,
            copies_whole_files: false,
            freezes: true,
            seals: true,
            needs_root: false,
        }
    }

    fn create_volume(&self, volume: &Path) -> Result<()> {
        subvolume("create", &[], &[volume])?;
        fs::set_permissions(volume, fs::Permissions::from_mode(0o711))
            .map_err(Error::io("chmod", volume))
    }

    fn clone_volume(&self, from: &Path, to: &Path, watch: &Watch<'_>) -> Result<()> {
        watch.cancel.check()?;
        // It would be made in there.
        if to.symlink_metadata().is_ok() {
            return Err(Error::invalid(format!("{}: is there already", to.display())));
        }
        subvolume("snapshot", &[], &[from, to])
    }

    fn freeze(&self, directory: &Path, to: &Path) -> Result<Option<Frozen>> {
        let directory = directory.canonicalize().map_err(Error::io("open", directory))?;
        let Some(of) = root_of(&directory)? else { return Ok(None) };
        check_whole(&directory)?;
        match subvolume("snapshot", &["-r"], &[&of, to]) {
            Ok(()) => Ok(Some(Frozen { of, at: to.to_path_buf() })),
            // `EXDEV`: another file system than the pool's.
            Err(error) if error.to_string().contains("Invalid cross-device link") => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn seal(&self, volume: &Path) -> Result<()> {
        set_read_only(volume, true)
    }

    fn destroy(&self, volume: &Path) -> Result<()> {
        match volume.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Ok(meta) if meta.ino() == SUBVOLUME_ROOT => (),
            _ => return remove_tree(volume),
        }
        subvolume("delete", &[], &[volume]).or_else(|_| {
            // One that others lie in can't be deleted, and only root deletes any; but who owns it
            // can empty it, and an empty one goes like a directory.
            set_read_only(volume, false)?;
            remove_tree(volume)
        })
    }
}

/// Where the directory's subvolume begins; `None` if it is on another file system.
fn root_of(directory: &Path) -> Result<Option<PathBuf>> {
    let stat = rustix::fs::statfs(directory)
        .map_err(|error| Error::io("look at", directory)(error.into()))?;
    if stat.f_type as u64 != SUPER_MAGIC {
        return Ok(None);
    }
    // Each subvolume has a device number of its own.
    let device = |path: &Path| path.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
    let own = device(directory).map(|(device, _)| device);
    let root = directory.ancestors().find(|path| {
        device(path).is_some_and(|(device, inode)| Some(device) == own && inode == SUBVOLUME_ROOT)
    });
    Ok(root.map(Path::to_path_buf))
}

const PROGRAM: &str = "btrfs";

fn subvolume(verb: &str, options: &[&str], paths: &[&Path]) -> Result<()> {
    let about = paths.last().copied().unwrap_or(Path::new(""));
    let mut command = Command::new(PROGRAM);
    run(command.args(["subvolume", verb]).args(options).arg("--").args(paths), about)
}

fn set_read_only(volume: &Path, read_only: bool) -> Result<()> {
    let mut command = Command::new(PROGRAM);
    command.args(["property", "set", "-t", "subvol"]).arg(volume);
    run(command.args(["ro", if read_only { "true" } else { "false" }]), volume)
}

fn run(command: &mut Command, about: &Path) -> Result<()> {
    let output = match command.env("LC_ALL", "C").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::invalid(
                "the program btrfs is not in PATH; it is in the package btrfs-progs",
            ));
        }
        output => output.map_err(Error::io("run btrfs for", about))?,
    };
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::Io {
        action: "run btrfs for",
        path: about.to_path_buf(),
        source: std::io::Error::other(said.trim().to_owned()),
    })
}
