//! A directory tree, copied in parallel.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;
use walkdir::WalkDir;

use super::file::{Method, copy_file, copy_metadata};
use super::usage::extents;
use super::{Blocks, DriverKind, Ingested, Root, Watch};
use crate::error::{Error, Result};

/// What happens to symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// Reported, not copied.
    Report,
    /// Copied word for word if they stay inside the volume; an error otherwise.
    Inside,
}

/// Copies trees from outside as the driver does, unless nothing may be shared.
pub(super) fn ingest(
    roots: &[Root],
    volume: &Path,
    kind: DriverKind,
    blocks: Blocks,
    watch: &Watch<'_>,
) -> Result<Ingested> {
    let method = match kind {
        DriverKind::Copy => Method::Copy,
        DriverKind::Zfs | DriverKind::Btrfs | DriverKind::Reflink | DriverKind::Overlay => {
            Method::ReflinkOrCopy
        }
    };
    if blocks == Blocks::Shared {
        return copy_trees(roots, volume, method, Links::Report, watch);
    }
    let ingested = copy_trees(roots, volume, Method::Apart, Links::Report, watch)?;
    // Extents are laid out when they are written out; a file system that finds equal blocks by
    // itself shows here, too.
    super::Writes::from_now(volume)?.flush()?;
    match extents(volume)?.shared_bytes {
        0 => Ok(ingested),
        shared => Err(Error::invalid(format!(
            "{}: {shared} bytes are shared though nothing was to be; does the file system look for \
             equal blocks?",
            volume.display()
        ))),
    }
}

/// Copies each root's tree into `volume`. Directories first, then files in parallel, then the
/// directories' own metadata (a read-only directory would not take files).
pub(super) fn copy_trees(
    roots: &[Root],
    volume: &Path,
    method: Method,
    links: Links,
    watch: &Watch<'_>,
) -> Result<Ingested> {
    let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut dirs: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut report = Ingested::default();

    for root in roots {
        let relative = inside(&root.target)?;
        // The root may be a link that the caller chose to follow.
        let source = root.source.canonicalize().map_err(Error::io("open", &root.source))?;
        let target = volume.join(relative);
        if let Some(parent) = target.parent() {
            make_dirs(parent)?;
        }
        for entry in WalkDir::new(&source).follow_links(false) {
            watch.cancel.check()?;
            let entry = entry.map_err(walk_error)?;
            let below = entry.path().strip_prefix(&source).unwrap_or(Path::new(""));
            let to = if below.as_os_str().is_empty() { target.clone() } else { target.join(below) };
            let kind = entry.file_type();
            if kind.is_dir() {
                make_dir(&to)?;
                dirs.push((entry.into_path(), to));
            } else if kind.is_file() {
                files.push((entry.into_path(), to));
            } else if kind.is_symlink() {
                let said = std::fs::read_link(entry.path())
                    .map_err(Error::io("read the link", entry.path()))?;
                let place = to.strip_prefix(volume).unwrap_or(&to).to_path_buf();
                match links {
                    Links::Report => report.links.push((place, said)),
                    Links::Inside if stays_inside(&place, &said) => {
                        std::os::unix::fs::symlink(&said, &to)
                            .map_err(Error::io("create the link", &to))?;
                        copy_link_owner(entry.path(), &to)?;
                    }
                    Links::Inside => {
                        return Err(Error::invalid(format!(
                            "{}: link to {} leaves the volume; it is not followed",
                            entry.path().display(),
                            said.display()
                        )));
                    }
                }
            } else {
                report.special.push(to.strip_prefix(volume).unwrap_or(&to).to_path_buf());
            }
        }
    }

    report.files = files.len() as u64;
    report.bytes = files
        .par_iter()
        .map(|(from, to)| copy_file(from, to, method, watch))
        .try_reduce(|| 0, |left, right| Ok(left + right))?;

    // Deepest first: setting a child's metadata changes its parent's times.
    for (from, to) in dirs.iter().rev() {
        let meta = from.symlink_metadata().map_err(Error::io("read", from))?;
        let handle = File::open(to).map_err(Error::io("open", to))?;
        copy_metadata(&handle, to, &meta)?;
    }
    Ok(report)
}

/// Removes a tree; a tree that is not there is a success.
pub(super) fn remove_tree(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// A target path must be relative and plain.
fn inside(target: &Path) -> Result<&Path> {
    if target.components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(target)
    } else {
        Err(Error::invalid(format!(
            "{}: a path inside a volume is relative and has no \"..\"",
            target.display()
        )))
    }
}

/// True if a link at `place` (relative to the volume) that says `said` can't lead out of the
/// volume by itself.
pub(crate) fn stays_inside(place: &Path, said: &Path) -> bool {
    let mut depth = place.components().count().saturating_sub(1);
    for part in said.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => (),
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}

fn copy_link_owner(from: &Path, to: &Path) -> Result<()> {
    let meta = from.symlink_metadata().map_err(Error::io("read", from))?;
    let now = to.symlink_metadata().map_err(Error::io("read", to))?;
    if (now.uid(), now.gid()) != (meta.uid(), meta.gid()) {
        std::os::unix::fs::lchown(to, Some(meta.uid()), Some(meta.gid()))
            .map_err(Error::io("chown", to))?;
    }
    Ok(())
}

/// Directories are private until their own metadata is set.
fn make_dir(path: &Path) -> Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(Error::io("create", path)(error))
        }
        // A root may bring a directory that an earlier root made (a link there would have been
        // reported, not made).
        _ if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) => Ok(()),
        _ => Err(Error::invalid(format!("{}: is in the way", path.display()))),
    }
}

/// The directories above a root, down from the volume: open for passing through, whatever the umask.
pub(super) fn make_dirs(path: &Path) -> Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|dir| !dir.exists()).collect();
    for dir in missing.into_iter().rev() {
        std::fs::create_dir(dir).map_err(Error::io("create", dir))?;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o711))
            .map_err(Error::io("chmod", dir))?;
    }
    Ok(())
}

pub(super) fn walk_error(error: walkdir::Error) -> Error {
    let path = error.path().unwrap_or(Path::new("?")).to_path_buf();
    let source = error
        .into_io_error()
        .unwrap_or_else(|| std::io::Error::other("the directories form a circle"));
    Error::Io { action: "read", path, source }
}

/// Refuses what one snapshot of a file system would not hold: a subvolume or mount below the
/// directory.
pub(super) fn check_whole(directory: &Path) -> Result<()> {
    let device = directory.metadata().map_err(Error::io("look at", directory))?.dev();
    for entry in WalkDir::new(directory).follow_links(false) {
        let entry = match entry {
            Err(error)
                if error.io_error().is_some_and(|error| error.kind() == ErrorKind::NotFound) =>
            {
                continue;
            }
            entry => entry.map_err(walk_error)?,
        };
        if !entry.file_type().is_dir() {
            continue;
        }
        let elsewhere = entry.metadata().is_ok_and(|meta| meta.dev() != device);
        if elsewhere {
            return Err(Error::invalid(format!(
                "{}: is a subvolume or mount of its own, so one snapshot does not hold all of {}",
                entry.path().display(),
                directory.display()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_climb_out_of_the_volume_are_recognized() {
        let inside = |place: &str, said: &str| stays_inside(Path::new(place), Path::new(said));
        assert!(inside("data/pg_tblspc/16400", "../../tablespaces/16400"));
        assert!(!inside("data/pg_tblspc/16400", "../../../tablespaces/16400"));
        assert!(!inside("data/pg_wal", "/wal"));
        assert!(inside("data/a", "b"));
        assert!(!inside("data/a", "../x/../../../etc"));
    }

    #[test]
    fn targets_outside_the_volume_are_refused() {
        assert!(inside(Path::new("data/pg_wal")).is_ok());
        assert!(inside(Path::new("../x")).is_err());
        assert!(inside(Path::new("/x")).is_err());
    }
}
