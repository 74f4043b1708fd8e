//! What the kernel has mounted where.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::mount::UnmountFlags;

use crate::error::{Error, Result};

/// A line of `/proc/self/mountinfo`, as far as anybody here asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// The device number that its files have, `major:minor`.
    pub(super) device: String,
    /// The directory of the file system that is seen at the mount point; `/` is all of it.
    pub(super) root: PathBuf,
    pub(super) point: PathBuf,
    /// The file system's type, and what it was mounted from.
    pub(super) kind: OsString,
    pub(super) source: OsString,
}

/// All that is mounted, in the order in which it was.
pub(super) fn mounts() -> Result<Vec<Mount>> {
    let table = Path::new("/proc/self/mountinfo");
    let text = fs::read(table).map_err(Error::io("read", table))?;
    Ok(text.split(|&byte| byte == b'\n').filter_map(parse).collect())
}

/// True if `dir` is a mount point. One that is not there is none.
pub(super) fn is_mounted(dir: &Path) -> Result<bool> {
    let Ok(dir) = dir.canonicalize() else { return Ok(false) };
    Ok(mounts()?.iter().any(|mount| mount.point == dir))
}

/// Unmounts whatever is mounted at `dir`. Fails while a process works there.
pub(super) fn unmount(dir: &Path) -> Result<()> {
    let mut patience = 200;
    while is_mounted(dir)? {
        match rustix::mount::unmount(dir, UnmountFlags::NOFOLLOW) {
            Ok(()) => (),
            // A process that was just ended may still be letting go of its files.
            Err(rustix::io::Errno::BUSY) if patience > 0 => {
                patience -= 1;
                sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(Error::io("unmount", dir)(error.into())),
        }
    }
    Ok(())
}

/// Its optional fields end with a lone `-`.
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ').map(unescaped).skip(2);
    let (device, root, point) = (fields.next()?, fields.next()?, fields.next()?);
    let mut fields = fields.skip_while(|field| field != OsStr::new("-")).skip(1);
    Some(Mount {
        device: device.into_string().ok()?,
        root: root.into(),
        point: point.into(),
        kind: fields.next()?,
        source: fields.next()?,
    })
}

/// The kernel writes blanks, tabs, newlines and backslashes in octal.
fn unescaped(field: &[u8]) -> OsString {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) if byte == b'\\' => {
                out.push(code);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    OsString::from_vec(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whatever_its_path() {
        let line = b"36 35 0:52 / /mnt/a\\040b\\134c rw,noatime shared:1 - zfs tank/pg\\040one rw";
        let mount = parse(line).unwrap();
        assert_eq!(mount.device, "0:52");
        assert_eq!(mount.root, Path::new("/"));
        assert_eq!(mount.point, Path::new("/mnt/a b\\c"));
        assert_eq!((mount.kind, mount.source), ("zfs".into(), "tank/pg one".into()));
        assert_eq!(parse(b"36 35 0:52 /"), None);
    }

    #[test]
    fn what_the_kernel_has_mounted_is_found() {
        assert!(is_mounted(Path::new("/proc")).unwrap());
        assert!(!is_mounted(Path::new("/proc/self")).unwrap());
        assert!(!is_mounted(Path::new("/not/there")).unwrap());
    }
}
