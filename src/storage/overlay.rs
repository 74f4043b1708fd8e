//! Overlay mounts: thin on any file system, for root.
//!
//! Beside the mount point `volume` lies `volume.overlay/` with the layer that takes writes and a
//! list of the layers below it, as relative paths, so that a pool can be moved as a whole.
//!
//! A file is copied whole when it is first opened for writing, and PostgreSQL opens every relation
//! so: a clone comes to own the tables it reads. It still starts empty, in milliseconds.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use rustix::mount::{MountFlags, mount};

use super::file::Method;
use super::mounts::{is_mounted, unmount};
use super::reflink::clone_tree;
use super::tree::remove_tree;
use super::usage::allocated;
use super::{Capabilities, Driver, DriverKind, Usage, Watch};
use crate::error::{Error, Result};

/// Mounts an overlay per clone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overlay;

/// The layers file: one relative path per line, topmost first.
const LAYERS: &str = "layers";

impl Driver for Overlay {
    fn kind(&self) -> DriverKind {
        DriverKind::Overlay
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            shares_blocks: true,
            mounts: true,
            copies_whole_files: true,
            needs_root: true,
            ..Capabilities::default()
        }
    }

    fn clone_volume(&self, from: &Path, to: &Path, watch: &Watch<'_>) -> Result<()> {
        watch.cancel.check()?;
        let side = side(to);
        fs::create_dir(&side).map_err(Error::io("create", &side))?;
        let side = side.canonicalize().map_err(Error::io("open", &side))?;

        let mut lines: Vec<u8> = Vec::new();
        for layer in layers_of(from)? {
            lines.extend_from_slice(relative(&side, &layer).as_os_str().as_bytes());
            lines.push(b'\n');
        }
        // The merged root takes its owner and mode from the upper layer's root.
        let meta = from.metadata().map_err(Error::io("read", from))?;
        for (name, mode) in [("upper", meta.mode() & 0o7777), ("work", 0o700)] {
            let path = side.join(name);
            fs::create_dir(&path).map_err(Error::io("create", &path))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))
                .map_err(Error::io("chmod", &path))?;
            std::os::unix::fs::chown(&path, Some(meta.uid()), Some(meta.gid()))
                .map_err(Error::io("chown", &path))?;
        }
        fs::DirBuilder::new().mode(0o711).create(to).map_err(Error::io("create", to))?;
        fs::write(side.join(LAYERS), lines).map_err(Error::io("write", side.join(LAYERS)))?;
        self.attach(to)?;
        Ok(())
    }

    /// A copy of all files: layers below a mount must never change.
    fn branch_volume(&self, from: &Path, to: &Path, watch: &Watch<'_>) -> Result<()> {
        clone_tree(from, to, Method::ReflinkOrCopy, watch)
    }

    fn attach(&self, volume: &Path) -> Result<bool> {
        let side = side(volume);
        if !side.join(LAYERS).exists() || is_mounted(volume)? {
            return Ok(false);
        }
        let side = side.canonicalize().map_err(Error::io("open", &side))?;
        let mut options = OsString::from("lowerdir=");
        for (index, layer) in read_layers(&side)?.iter().enumerate() {
            if index > 0 {
                options.push(":");
            }
            options.push(escaped(layer));
        }
        options.push(",upperdir=");
        options.push(escaped(&side.join("upper")));
        options.push(",workdir=");
        options.push(escaped(&side.join("work")));
        let options = CString::new(options.into_vec())
            .map_err(|_| Error::invalid("a path with a NUL byte"))?;
        mount(
            "thinveil",
            volume,
            "overlay",
            MountFlags::NOSUID | MountFlags::NODEV,
            options.as_c_str(),
        )
        .map_err(|error| Error::io("mount an overlay at", volume)(error.into()))?;
        Ok(true)
    }

    fn detach(&self, volume: &Path) -> Result<()> {
        unmount(volume)
    }

    fn destroy(&self, volume: &Path) -> Result<()> {
        self.detach(volume)?;
        remove_tree(&side(volume))?;
        remove_tree(volume)
    }

    fn usage(&self, volume: &Path) -> Result<Usage> {
        let side = side(volume);
        if !side.exists() {
            return Ok(Usage { own_bytes: allocated(volume)?, shared_bytes: 0 });
        }
        let own_bytes = allocated(&side.join("upper"))?;
        let total = if is_mounted(volume)? {
            allocated(volume)?
        } else {
            read_layers(&side)?.iter().map(|layer| allocated(layer)).sum::<Result<u64>>()?
        };
        Ok(Usage { own_bytes, shared_bytes: total.saturating_sub(own_bytes) })
    }

    fn own_bytes(&self, volume: &Path, file: &Path) -> Result<Option<u64>> {
        let side = side(volume);
        let path = if side.exists() { side.join("upper").join(file) } else { volume.join(file) };
        match path.symlink_metadata() {
            Ok(meta) => Ok(Some(meta.blocks() * 512)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(0)),
            Err(error) => Err(Error::io("look at", path)(error)),
        }
    }

    /// A written file is copied whole.
    fn is_shared(&self, volume: &Path, _of: &Path, file: &Path) -> bool {
        let side = side(volume);
        side.exists() && !side.join("upper").join(file).exists()
    }
}

/// `volume.overlay`, beside `volume`.
fn side(volume: &Path) -> PathBuf {
    let mut name = volume.file_name().map_or_else(OsString::new, OsStr::to_os_string);
    name.push(".overlay");
    volume.with_file_name(name)
}

/// The directories that make up a volume, topmost first.
fn layers_of(volume: &Path) -> Result<Vec<PathBuf>> {
    let side = side(volume);
    if side.join(LAYERS).exists() {
        let side = side.canonicalize().map_err(Error::io("open", &side))?;
        let mut layers = vec![side.join("upper")];
        layers.extend(read_layers(&side)?);
        Ok(layers)
    } else {
        Ok(vec![volume.canonicalize().map_err(Error::io("open", volume))?])
    }
}

fn read_layers(side: &Path) -> Result<Vec<PathBuf>> {
    let path = side.join(LAYERS);
    let lines = fs::read(&path).map_err(Error::io("read", &path))?;
    lines
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            let layer = side.join(OsStr::from_bytes(line));
            layer.canonicalize().map_err(Error::io("open the layer", &layer))
        })
        .collect()
}

/// Overlay options take `:` and `,` as separators unless a backslash stands before them.
fn escaped(path: &Path) -> OsString {
    let mut out = Vec::new();
    for &byte in path.as_os_str().as_bytes() {
        if matches!(byte, b':' | b',' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    OsString::from_vec(out)
}

/// The way from the directory `from` to `to`; both absolute and canonical.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(left, right)| left == right).count();
    let mut path: PathBuf = from.iter().skip(common).map(|_| Component::ParentDir).collect();
    path.extend(to.iter().skip(common));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_named_by_the_way_to_it() {
        let path = |text: &str| PathBuf::from(text);
        assert_eq!(
            relative(&path("/p/clones/c-1/gen-1/volume.overlay"), &path("/p/snapshots/s-1/volume")),
            path("../../../../snapshots/s-1/volume")
        );
    }

    #[test]
    fn separators_in_paths_are_escaped() {
        assert_eq!(escaped(Path::new("/a:b,c\\d")), OsString::from("/a\\:b\\,c\\\\d"));
    }
}
