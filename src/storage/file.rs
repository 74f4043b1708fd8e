//! One regular file, copied or shared.

use std::fs::{File, FileTimes, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

use super::Watch;
use crate::error::{Error, Result};

/// Between two looks at the cancel flag.
const CHUNK: u64 = 8 << 20;

/// How a file's bytes get there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// Shared extents; an error where the file system has none.
    Reflink,
    /// Shared extents where the file system allows it, else a copy.
    ReflinkOrCopy,
    /// A copy; the kernel may share extents on its own.
    Copy,
    /// A copy that is written byte by byte, so that nothing is shared.
    Apart,
}

/// Opens a regular file of a volume for reading. Of what people with access to the volume put there,
/// nothing leads out of it, and nothing makes the caller wait: links are errors, pipes too.
pub(crate) fn open_beneath(volume: &Path, file: &Path) -> io::Result<File> {
    let opened = openat2(
        File::open(volume)?,
        file,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )?;
    let opened = File::from(opened);
    match opened.metadata()?.is_file() {
        true => Ok(opened),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file")),
    }
}

/// Makes `to` (which must not exist) the same as `from`: bytes, owner, mode, times. Never follows
/// a link. Returns its length.
pub(super) fn copy_file(from: &Path, to: &Path, method: Method, watch: &Watch<'_>) -> Result<u64> {
    // NONBLOCK: a pipe that took the file's place must not hang us.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let mut source = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(from)
        .map_err(Error::io("open", from))?;
    let meta = source.metadata().map_err(Error::io("read", from))?;
    if !meta.is_file() {
        return Err(Error::invalid(format!(
            "{}: no longer a regular file: it changed while it was copied",
            from.display()
        )));
    }
    let mut target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(Error::io("create", to))?;

    let shares = matches!(method, Method::Reflink | Method::ReflinkOrCopy);
    if meta.len() > 0 && !(shares && reflink(&target, &source, from, to, method)?) {
        let in_kernel = method != Method::Apart;
        let copied = copy_bytes(&mut source, &mut target, meta.len(), in_kernel, watch);
        copied.map_err(|error| match error {
            CopyError::Cancelled => Error::Cancelled,
            CopyError::Read(error) => Error::io("read", from)(error),
            CopyError::Write(error) => Error::io("write", to)(error),
        })?;
    } else {
        watch.cancel.check()?;
        (watch.bytes)(meta.len());
    }
    copy_metadata(&target, to, &meta)?;
    Ok(meta.len())
}

/// Owner (where it differs), mode and times.
pub(super) fn copy_metadata(target: &File, path: &Path, meta: &std::fs::Metadata) -> Result<()> {
    let now = target.metadata().map_err(Error::io("read", path))?;
    if (now.uid(), now.gid()) != (meta.uid(), meta.gid()) {
        fchown(target, Some(meta.uid()), Some(meta.gid())).map_err(Error::io("chown", path))?;
    }
    target
        .set_permissions(std::fs::Permissions::from_mode(meta.mode() & 0o7777))
        .map_err(Error::io("chmod", path))?;
    let mut times = FileTimes::new();
    if let Ok(accessed) = meta.accessed() {
        times = times.set_accessed(accessed);
    }
    if let Ok(modified) = meta.modified() {
        times = times.set_modified(modified);
    }
    target.set_times(times).map_err(Error::io("set times of", path))
}

/// True if the bytes are there now.
fn reflink(target: &File, source: &File, from: &Path, to: &Path, method: Method) -> Result<bool> {
    match rustix::fs::ioctl_ficlone(target, source) {
        Ok(()) => Ok(true),
        Err(_) if method == Method::ReflinkOrCopy => Ok(false),
        Err(error) => Err(Error::Io {
            action: "share the blocks of",
            path: from.to_path_buf(),
            source: io::Error::new(
                io::Error::from(error).kind(),
                format!("with {}: {error}", to.display()),
            ),
        }),
    }
}

enum CopyError {
    Cancelled,
    Read(io::Error),
    Write(io::Error),
}

/// Copies `length` bytes and keeps holes. The target is empty.
fn copy_bytes(
    source: &mut File,
    target: &mut File,
    length: u64,
    mut in_kernel: bool,
    watch: &Watch<'_>,
) -> Result<(), CopyError> {
    let mut position = 0;
    while position < length {
        let (data, end) = next_data(source, position, length);
        (watch.bytes)(data - position);
        position = data;
        while position < end {
            if watch.cancel.is_cancelled() {
                return Err(CopyError::Cancelled);
            }
            let want = CHUNK.min(end - position);
            let mut done = 0;
            if in_kernel {
                match in_kernel_copy(source, target, position, want) {
                    Some(bytes) => done = bytes,
                    None => in_kernel = false,
                }
            }
            if !in_kernel {
                done = plain_copy(source, target, position, want)?;
            }
            if done == 0 {
                // The file shrank under us.
                return Err(CopyError::Read(io::ErrorKind::UnexpectedEof.into()));
            }
            position += done;
            (watch.bytes)(done);
        }
    }
    target.set_len(length).map_err(CopyError::Write)
}

/// The next stretch of data at or after `position`; where the file system can't tell, all of it.
fn next_data(source: &File, position: u64, length: u64) -> (u64, u64) {
    let data = match rustix::fs::seek(source, rustix::fs::SeekFrom::Data(position)) {
        Ok(data) => data.clamp(position, length),
        Err(rustix::io::Errno::NXIO) => return (length, length),
        Err(_) => return (position, length),
    };
    match rustix::fs::seek(source, rustix::fs::SeekFrom::Hole(data)) {
        Ok(hole) if hole > data => (data, hole.min(length)),
        _ => (data, length),
    }
}

/// `None` if the kernel can't copy between these two.
fn in_kernel_copy(source: &File, target: &File, position: u64, want: u64) -> Option<u64> {
    let (mut from, mut to) = (position, position);
    let want = usize::try_from(want).ok()?;
    match rustix::fs::copy_file_range(
        source.as_fd(),
        Some(&mut from),
        target.as_fd(),
        Some(&mut to),
        want,
    ) {
        Ok(0) | Err(_) => None,
        Ok(done) => Some(done as u64),
    }
}

fn plain_copy(
    source: &mut File,
    target: &mut File,
    position: u64,
    want: u64,
) -> Result<u64, CopyError> {
    let mut buffer = vec![0; usize::try_from(want.min(1 << 20)).unwrap_or(1 << 20)];
    source.seek(SeekFrom::Start(position)).map_err(CopyError::Read)?;
    let done = source.read(&mut buffer).map_err(CopyError::Read)?;
    target.seek(SeekFrom::Start(position)).map_err(CopyError::Write)?;
    target.write_all(buffer.get(..done).unwrap_or_default()).map_err(CopyError::Write)?;
    Ok(done as u64)
}
