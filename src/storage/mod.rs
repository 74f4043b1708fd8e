//! How a pool's volumes share blocks. Blind to PostgreSQL: a volume is a directory tree.
//!
//! Every driver keeps the same promises ([`Driver`]); they differ in what a clone costs.
//! `storage` never follows a symbolic link of a tree it copies.

mod btrfs;
mod copy;
mod file;
mod mounts;
mod overlay;
mod probe;
mod reflink;
mod sync;
mod tree;
mod usage;
#[cfg(feature = "zfs")]
mod zfs;
#[cfg(not(feature = "zfs"))]
#[path = "without_zfs.rs"]
mod zfs;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::progress::Cancel;

pub use btrfs::Btrfs;
pub use copy::Copy;
pub(crate) use file::open_beneath;
pub use overlay::Overlay;
pub(crate) use probe::TRIAL;
pub use probe::{Probe, Tried, probe};
pub use reflink::Reflink;
pub use sync::{Writes, fsync_dir};
#[cfg(feature = "archive")]
pub(crate) use tree::stays_inside as link_stays_inside;
pub use zfs::Zfs;

/// A way to share blocks between volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DriverKind {
    /// Datasets of ZFS and their clones. Needs root, and the feature `zfs`.
    Zfs,
    /// Subvolumes of btrfs and their snapshots.
    Btrfs,
    /// Files share extents (XFS, btrfs).
    Reflink,
    /// An overlay mount on top of the snapshot; a written file is copied whole. Needs root.
    Overlay,
    /// Full copies. Works anywhere.
    Copy,
}

impl DriverKind {
    /// Every kind, thinnest first.
    pub const ALL: [DriverKind; 5] = [
        DriverKind::Zfs,
        DriverKind::Btrfs,
        DriverKind::Reflink,
        DriverKind::Overlay,
        DriverKind::Copy,
    ];

    /// The name, as in `--driver` and in `--json`.
    pub fn name(self) -> &'static str {
        match self {
            DriverKind::Zfs => "zfs",
            DriverKind::Btrfs => "btrfs",
            DriverKind::Reflink => "reflink",
            DriverKind::Overlay => "overlay",
            DriverKind::Copy => "copy",
        }
    }

    /// The driver of this kind.
    pub fn driver(self) -> Box<dyn Driver> {
        match self {
            DriverKind::Zfs => Box::new(Zfs),
            DriverKind::Btrfs => Box::new(Btrfs),
            DriverKind::Reflink => Box::new(Reflink),
            DriverKind::Overlay => Box::new(Overlay),
            DriverKind::Copy => Box::new(Copy),
        }
    }
}

impl fmt::Display for DriverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the user asked for when the pool was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriverChoice {
    /// The thinnest that works there, found by trying.
    #[default]
    Auto,
    /// This one, or an error that says why it does not work there.
    Only(DriverKind),
}

impl FromStr for DriverChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<DriverChoice> {
        match text {
            "auto" => Ok(DriverChoice::Auto),
            other => DriverKind::ALL
                .into_iter()
                .find(|kind| kind.name() == other)
                .map(DriverChoice::Only)
                .ok_or_else(|| {
                    Error::invalid(format!(
                        "no driver named {other:?}: use auto, zfs, btrfs, reflink, overlay or copy"
                    ))
                }),
        }
    }
}

/// Bytes on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes that go away with this volume.
    pub own_bytes: u64,
    /// Bytes that another volume holds as well.
    pub shared_bytes: u64,
}

/// What a driver needs and gives: where drivers differ though they keep one contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// Clones share blocks with what they were cloned from.
    pub shares_blocks: bool,
    /// Volumes are mounts: they need [`Driver::attach`] after a reboot.
    pub mounts: bool,
    /// A clone is there in one step, and takes no longer for more files. Otherwise a crash leaves
    /// part of one.
    pub atomic: bool,
    /// A file becomes the clone's own as a whole when it is first opened for writing, and a branch
    /// shares nothing with what it was made of.
    pub copies_whole_files: bool,
    /// [`Driver::freeze`] can take a source as it is at one moment.
    pub freezes: bool,
    /// After [`Driver::seal`] nobody can write to a volume by mistake.
    pub seals: bool,
    /// Only root can use it.
    pub needs_root: bool,
}

/// How a caller watches a copy and stops it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Checked between chunks; a raised flag ends the copy with [`Error::Cancelled`].
    pub cancel: &'a Cancel,
    /// Called with each number of bytes done, from several threads.
    pub bytes: &'a (dyn Fn(u64) + Sync),
}

impl<'a> Watch<'a> {
    /// Cancellable, unwatched.
    pub fn silent(cancel: &'a Cancel) -> Watch<'a> {
        Watch { cancel, bytes: &|_| () }
    }
}

/// A tree to bring into a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// A directory outside the pool. It may itself be reached through a link; links inside it are
    /// not followed.
    pub source: PathBuf,
    /// Where in the volume it goes; relative, without `..`.
    pub target: PathBuf,
}

impl Root {
    /// `source` goes to `target`.
    pub fn new(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Root {
        Root { source: source.into(), target: target.into() }
    }
}

/// What [`Driver::ingest`] did, and what it left out for the caller to weigh.
#[derive(Clone, Debug, Default)]
pub struct Ingested {
    /// Regular files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Symbolic links: not followed, not copied. `(path in the volume, what it said)`.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Sockets, pipes and devices: not copied. Paths in the volume.
    pub special: Vec<PathBuf>,
}

/// What a directory held at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// Of this directory, canonical: the one that was asked for, or one above it,
    pub of: PathBuf,
    /// this is a view that does not change. To be removed by [`Driver::destroy`].
    pub at: PathBuf,
}

impl Frozen {
    /// Where in the view a directory is; `None` if it is not in it.
    pub fn view_of(&self, directory: &Path) -> Option<PathBuf> {
        let directory = directory.canonicalize().ok()?;
        Some(self.at.join(directory.strip_prefix(&self.of).ok()?))
    }
}

/// Whether a volume may share blocks with what it is made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blocks {
    /// Where the driver and the file system can.
    #[default]
    Shared,
    /// It shares none.
    Apart,
}

/// Makes `to`, which must not exist, the same as the regular file `from`: bytes, owner, mode, times.
/// Shares extents where the file system can. Never follows a link.
pub fn copy_file(from: &Path, to: &Path, watch: &Watch<'_>) -> Result<()> {
    file::copy_file(from, to, file::Method::ReflinkOrCopy, watch).map(drop)
}

/// A way to make, share and remove volumes.
///
/// After a crash in the middle of any method, [`Driver::destroy`] on that volume removes what there
/// is of it; nothing else is touched. No method syncs: [`Writes::flush`] does.
///
/// Methods that are provided are those of volumes that are plain directories.
pub trait Driver: Send + Sync + fmt::Debug {
    /// Which one it is.
    fn kind(&self) -> DriverKind;

    /// What it needs and gives.
    fn capabilities(&self) -> Capabilities;

    /// Makes `volume`, which must not exist, an empty volume that others can pass through and not
    /// list.
    ///
    /// Success: it is attached. Failure: it may be there.
    fn create_volume(&self, volume: &Path) -> Result<()> {
        tree::make_dirs(volume)
    }

    /// Copies trees from outside into the new volume `volume`, with owners, modes and times.
    ///
    /// Success: every regular file and directory of the roots is there; with [`Blocks::Apart`] no
    /// block of theirs is shared, which the file system was asked. Failure: the volume may be there
    /// in part. A file that vanishes while being copied is an error.
    fn ingest(
        &self,
        roots: &[Root],
        volume: &Path,
        blocks: Blocks,
        watch: &Watch<'_>,
    ) -> Result<Ingested> {
        self.create_volume(volume)?;
        tree::ingest(roots, volume, self.kind(), blocks, watch)
    }

    /// Makes `to`, which must not exist, a writable copy of `from`, which nobody may write meanwhile
    /// or, with a driver that mounts, ever again.
    ///
    /// Success: `to` is attached and equal to `from`. Failure: `to` may be there in part.
    fn clone_volume(&self, from: &Path, to: &Path, watch: &Watch<'_>) -> Result<()>;

    /// Makes `to`, which must not exist, a writable copy of `from` that stays what it is whatever
    /// becomes of `from`. Nobody may write to `from` meanwhile, unless the driver is atomic
    /// ([`Capabilities::atomic`]).
    ///
    /// Success and failure as with [`Driver::clone_volume`].
    fn branch_volume(&self, from: &Path, to: &Path, watch: &Watch<'_>) -> Result<()> {
        self.clone_volume(from, to, watch)
    }

    /// A view at `to`, which must not exist, of what `directory` holds at this moment, while others
    /// may write there.
    ///
    /// `None`: the driver can't, at all or where the directory is; nothing was made. Failure: the
    /// view may be there, or the directory reaches beyond what one view holds.
    fn freeze(&self, directory: &Path, to: &Path) -> Result<Option<Frozen>> {
        let _ = (directory, to);
        Ok(None)
    }

    /// Keeps everybody from writing to a volume from now on, where the driver can
    /// ([`Capabilities::seals`]). Clones of it can be written to, and it can be destroyed.
    fn seal(&self, volume: &Path) -> Result<()> {
        let _ = volume;
        Ok(())
    }

    /// Makes a volume usable after a reboot. True if there was something to do.
    fn attach(&self, volume: &Path) -> Result<bool> {
        let _ = volume;
        Ok(false)
    }

    /// Undoes [`Driver::attach`], so that the volume's parent can be renamed. Fails while a process
    /// works in it. A volume that is not attached stays so, with success.
    fn detach(&self, volume: &Path) -> Result<()> {
        let _ = volume;
        Ok(())
    }

    /// Removes a volume, whole or in part, attached or not. A volume that is not there is a success.
    /// Failure: call it again.
    fn destroy(&self, volume: &Path) -> Result<()> {
        tree::remove_tree(volume)
    }

    /// Bytes that the volume holds. The file system is asked: XFS may share blocks of a copy.
    fn usage(&self, volume: &Path) -> Result<Usage> {
        usage::extents(volume)
    }

    /// Of [`Driver::usage`]'s own bytes, those of one file of the volume; `None` where nobody can
    /// tell.
    fn own_bytes(&self, volume: &Path, file: &Path) -> Result<Option<u64>> {
        let path = volume.join(file);
        Ok(Some(usage::of_file(&path).map_err(Error::io("look at", path))?.own_bytes))
    }

    /// True if a file of a volume is, block for block, the one of the volume that it is a clone of;
    /// false where it is not, or nobody can tell without reading both.
    fn is_shared(&self, volume: &Path, of: &Path, file: &Path) -> bool {
        usage::same_blocks(volume, of, file).unwrap_or(false)
    }
}
