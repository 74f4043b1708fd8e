//! Writing an archive.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use walkdir::WalkDir;

use super::{BESIDE, MANIFEST, MoveOptions, VOLUME};
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::pool::lock::Lock;
use crate::pool::{Pool, Snapshot};
use crate::progress::{Cancel, Stage};
use crate::storage::fsync_dir;

/// zstd's own default: faster than most disks on two cores.
const LEVEL: i32 = 3;

/// An archive that was written.
#[derive(Clone, Debug, Serialize)]
pub struct Exported {
    /// The snapshot's id.
    pub id: String,
    /// Where it is.
    pub file: PathBuf,
    /// Bytes that went in.
    pub bytes: u64,
    /// Bytes of the archive.
    pub archive_bytes: u64,
}

impl Pool {
    /// Writes a snapshot to the new file `file`.
    ///
    /// Success: the archive survives a power failure. Failure or crash: there is no such file; beside
    /// it, a crash may leave one that ends in `.part`, which the next export of that name replaces.
    pub fn export_snapshot(
        &self,
        wanted: &str,
        file: &Path,
        options: &MoveOptions,
    ) -> Result<Exported> {
        const VERB: &str = "snapshot export";
        self.logged(VERB, wanted, || {
            let snapshot = self.snapshot(wanted)?;
            if file.symlink_metadata().is_ok() {
                return Err(Error::invalid(format!("{}: is there already", file.display())));
            }
            // Nobody destroys it meanwhile.
            let _lock = Lock::wait(&snapshot.dir().join("lock"), "the snapshot")?;
            let snapshot = self.snapshot(snapshot.id())?;
            self.driver.attach(&snapshot.volume())?;
            let mut part = file.as_os_str().to_owned();
            part.push(".part");
            let part = PathBuf::from(part);
            let written = write(&snapshot, &part, options)
                .and_then(|bytes| {
                    Failpoint::ArchiveBeside.reach()?;
                    fs::rename(&part, file).map_err(Error::io("rename", &part))?;
                    Ok(bytes)
                })
                .inspect_err(|_| {
                    let _ = fs::remove_file(&part);
                });
            let bytes = written?;
            let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
            fsync_dir(parent.unwrap_or(Path::new(".")))?;
            let archive_bytes = file.metadata().map_err(Error::io("read", file))?.len();
            let told = file.to_string_lossy();
            self.audit(VERB, snapshot.id(), &[("name", snapshot.name()), ("file", &told)])?;
            Ok(Exported {
                id: snapshot.id().to_owned(),
                file: file.to_path_buf(),
                bytes,
                archive_bytes,
            })
        })
    }
}

/// Writes and syncs the archive; the bytes that went in.
fn write(snapshot: &Snapshot, part: &Path, options: &MoveOptions) -> Result<u64> {
    let begun = Instant::now();
    options.progress.begin(Stage::Export);
    let failed = |error: io::Error| match options.cancel.is_cancelled() {
        true => Error::Cancelled,
        false => Error::Io { action: "write", path: part.to_path_buf(), source: error },
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(part)
        .map_err(Error::io("create", part))?;
    let mut packer =
        zstd::Encoder::new(BufWriter::with_capacity(1 << 20, file), LEVEL).map_err(failed)?;
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
    packer.include_checksum(true).and_then(|()| packer.multithread(threads)).map_err(failed)?;
    let packer = Watched { inner: packer, bytes: 0, snapshot, options };

    let mut archive = tar::Builder::new(packer);
    archive.follow_symlinks(false);
    let dir = snapshot.dir();
    for name in std::iter::once(MANIFEST).chain(BESIDE) {
        let path = dir.join(name);
        if path.exists() {
            archive.append_path_with_name(&path, name).map_err(failed)?;
        }
    }
    let volume = snapshot.volume();
    for entry in WalkDir::new(&volume).sort_by_file_name() {
        options.cancel.check()?;
        let entry = entry.map_err(|error| failed(error.into()))?;
        let below = entry.path().strip_prefix(&volume).unwrap_or(Path::new(""));
        let name = Path::new(VOLUME).join(below);
        archive.append_path_with_name(entry.path(), name).map_err(failed)?;
    }
    let packer = archive.into_inner().map_err(failed)?;
    let bytes = packer.bytes;
    let buffer = packer.inner.finish().map_err(failed)?;
    let file: File = buffer.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    options.progress.end(Stage::Export, begun.elapsed().as_secs_f64());
    Ok(bytes)
}

/// Counts what goes through, and stops it.
struct Watched<'a, W> {
    inner: W,
    bytes: u64,
    snapshot: &'a Snapshot,
    options: &'a MoveOptions,
}

impl<W: Write> Write for Watched<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        check(&self.options.cancel)?;
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        let total = self.snapshot.manifest().masked_bytes.max(self.bytes);
        self.options.progress.update(Stage::Export, self.bytes, total);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn check(cancel: &Cancel) -> io::Result<()> {
    cancel.check().map_err(|error| io::Error::other(error.to_string()))
}
