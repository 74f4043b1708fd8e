//! Reading an archive. Whoever made it may have meant harm: nothing is written outside of a staging
//! directory, and it becomes a snapshot only if it is what its manifest says.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tar::{Archive, Entry, EntryType};

use super::{BESIDE, MANIFEST, MoveOptions, VOLUME};
use crate::error::{Error, Result};
use crate::pool::evidence::Verification;
use crate::pool::{Manifest, Pool, Snapshot, Staging, id, record};
use crate::progress::Stage;
use crate::storage::link_stays_inside;

/// The largest manifest that is read.
const LARGEST_MANIFEST: u64 = 64 << 20;
/// What lies beside a volume may be so large, and as large as the volume.
const BESIDE_BYTES: u64 = 256 << 20;
/// Read at once.
const BUFFER: usize = 1 << 20;
/// Stretches of zeros so long are left out of files: PostgreSQL's pages.
const HOLE: usize = 8192;

impl Pool {
    /// Makes a snapshot of an archive.
    ///
    /// Success: it is in the pool, with the id that it had, and every file has the hash that its
    /// manifest names. Failure or crash: there is none, and what was unpacked goes with the next open.
    pub fn import_snapshot(&self, file: &Path, options: &MoveOptions) -> Result<Snapshot> {
        const VERB: &str = "snapshot import";
        let told = file.to_string_lossy();
        self.logged(VERB, &told, || {
            let begun = Instant::now();
            options.progress.begin(Stage::Import);
            let staging = self.new_staging()?;
            let manifest = Unpacking::new(&staging, file, options)?.run()?;
            let snapshot = staging.look(&manifest);
            let found = snapshot.verify(options.public_key.as_ref(), &options.cancel)?;
            if !found.verified {
                return Err(not_what_it_says(file, &found));
            }
            let snapshot = staging.adopt(manifest, options.name.as_deref(), &told)?;
            options.progress.end(Stage::Import, begun.elapsed().as_secs_f64());
            Ok(snapshot)
        })
    }
}

fn not_what_it_says(file: &Path, found: &Verification) -> Error {
    let content = &found.content;
    let mut files = [&content.changed, &content.missing, &content.unknown].into_iter().flatten();
    let what = match files.next() {
        Some(first) => {
            let more = files.count();
            format!("{first} and {more} other files are not what the manifest says")
        }
        None if !content.list_intact => {
            "the list of files is not the one that the manifest names".to_owned()
        }
        None => "the signature is not by that key, or there is none".to_owned(),
    };
    Error::invalid(format!("{}: {what}", file.display()))
}

/// An archive on its way into a staging directory.
struct Unpacking<'a> {
    staging: &'a Staging,
    file: &'a Path,
    options: &'a MoveOptions,
    archive: Archive<Box<dyn Read + 'a>>,
    /// Bytes of the volume's files so far,
    unpacked: u64,
    /// and how many there are, by the manifest.
    total: u64,
    /// Made last: nothing is written through a link.
    links: Vec<(PathBuf, PathBuf, Owner)>,
    /// Get their owner, mode and time when everything is in them.
    directories: Vec<(PathBuf, Owner, u32, u64)>,
}

#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl<'a> Unpacking<'a> {
    fn new(staging: &'a Staging, file: &'a Path, options: &'a MoveOptions) -> Result<Self> {
        let opened = File::open(file).map_err(Error::io("open", file))?;
        let unpacker = zstd::Decoder::new(BufReader::with_capacity(BUFFER, opened))
            .map_err(Error::io("read", file))?;
        let archive = Archive::new(Box::new(unpacker) as Box<dyn Read>);
        Ok(Unpacking {
            staging,
            file,
            options,
            archive,
            unpacked: 0,
            total: 0,
            links: Vec::new(),
            directories: Vec::new(),
        })
    }

    /// Unpacks all of it; its manifest.
    fn run(mut self) -> Result<Manifest> {
        let file = self.file;
        let read = |error| Error::io("read", file)(error);
        let no_archive = |error| {
            Error::invalid(format!(
                "{}: is no archive that `snapshot export` wrote: {error}",
                file.display()
            ))
        };
        let mut archive = std::mem::replace(&mut self.archive, Archive::new(Box::new(io::empty())));
        let mut manifest = None;
        for entry in archive.entries().map_err(read)? {
            self.options.cancel.check()?;
            let mut entry =
                entry.map_err(
                    |error| if manifest.is_none() { no_archive(error) } else { read(error) },
                )?;
            let path = entry.path().map_err(read)?.into_owned();
            self.entry(&mut entry, &path, &mut manifest).map_err(|error| match error {
                Error::Cancelled => Error::Cancelled,
                error => Error::invalid(format!(
                    "{}: entry {:?}: {error}",
                    file.display(),
                    path.display().to_string()
                )),
            })?;
        }
        self.settle()?;
        // The stream's own checksum stands at its end.
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(read)?;
        manifest.ok_or_else(|| Error::invalid(format!("{}: holds no manifest", file.display())))
    }

    fn entry(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        path: &Path,
        manifest: &mut Option<Manifest>,
    ) -> Result<()> {
        if path == Path::new(MANIFEST) {
            if manifest.is_some() {
                return Err(Error::invalid("a second manifest"));
            }
            let read = self.manifest(entry)?;
            self.total = read.masked_bytes;
            *manifest = Some(read);
            return self.staging.driver().create_volume(&self.staging.volume());
        }
        if manifest.is_none() {
            return Err(Error::invalid("the manifest does not come first"));
        }
        if let Some(name) = BESIDE.into_iter().find(|name| path == Path::new(name)) {
            let limit = BESIDE_BYTES.saturating_add(self.total.saturating_mul(2));
            if entry.header().entry_type() != EntryType::Regular || entry.size() > limit {
                return Err(Error::invalid("no file of that kind or size belongs there"));
            }
            return self.regular(entry, &self.staging.beside(name)).map(drop);
        }
        let below = below_volume(path)?;
        let to = self.staging.volume().join(&below);
        let header = entry.header();
        let bad = |error| Error::io("read", path)(error);
        let owner = Owner {
            uid: header.uid().map_err(bad)? as u32,
            gid: header.gid().map_err(bad)? as u32,
        };
        let (mode, mtime) = (header.mode().map_err(bad)?, header.mtime().map_err(bad)?);
        match header.entry_type() {
            EntryType::Directory => {
                if !below.as_os_str().is_empty() {
                    let made = fs::DirBuilder::new().mode(0o700).create(&to);
                    made.map_err(Error::io("create", &to))?;
                }
                self.directories.push((to, owner, mode, mtime));
                Ok(())
            }
            EntryType::Regular | EntryType::GNUSparse => {
                self.unpacked = self.unpacked.saturating_add(entry.size());
                if self.unpacked > self.total {
                    return Err(Error::invalid("more bytes than the manifest says"));
                }
                let file = self.regular(entry, &to)?;
                finish(&file, &to, owner, mode, mtime)
            }
            EntryType::Symlink => {
                let target = entry.link_name().map_err(bad)?.unwrap_or_default().into_owned();
                if !link_stays_inside(&below, &target) {
                    return Err(Error::invalid("a link that leaves the volume"));
                }
                self.links.push((to, target, owner));
                Ok(())
            }
            _ => Err(Error::invalid("neither file nor directory nor link")),
        }
    }

    fn manifest(&self, entry: &mut Entry<'_, impl Read>) -> Result<Manifest> {
        if entry.size() > LARGEST_MANIFEST {
            return Err(Error::invalid("too large for a manifest"));
        }
        let path = self.staging.beside(MANIFEST);
        drop(self.regular(entry, &path)?);
        let manifest: Option<Manifest> = record::read(&path)?;
        let manifest = manifest.ok_or_else(|| Error::invalid("an empty manifest"))?;
        // It becomes the name of a directory.
        if !id::is_id("s", &manifest.id) {
            return Err(Error::invalid("no id"));
        }
        let name = self.options.name.as_deref().unwrap_or(&manifest.name);
        let (pool, _) = self.staging.place();
        pool.check_new_snapshot(&manifest.id, name)?;
        Ok(manifest)
    }

    /// Writes a new file, without its stretches of zeros.
    fn regular(&self, entry: &mut Entry<'_, impl Read>, to: &Path) -> Result<File> {
        let write = |error| Error::io("write", to)(error);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(to)
            .map_err(Error::io("create", to))?;
        let mut buffer = vec![0; BUFFER];
        let mut position = 0u64;
        loop {
            self.options.cancel.check()?;
            let filled = fill(entry, &mut buffer).map_err(Error::io("read", self.file))?;
            let bytes = buffer.get(..filled).unwrap_or_default();
            for (number, stretch) in bytes.chunks(HOLE).enumerate() {
                if stretch.iter().any(|byte| *byte != 0) {
                    let at = position + (number * HOLE) as u64;
                    file.write_all_at(stretch, at).map_err(write)?;
                }
            }
            position += filled as u64;
            self.options.progress.update(Stage::Import, self.unpacked, self.total);
            if filled < buffer.len() {
                break;
            }
        }
        file.set_len(position).map_err(write)?;
        Ok(file)
    }

    /// Links, and what directories only get when everything is in them; deepest first.
    fn settle(&mut self) -> Result<()> {
        for (path, target, owner) in self.links.drain(..) {
            std::os::unix::fs::symlink(target, &path).map_err(Error::io("create", &path))?;
            if rustix::process::geteuid().is_root() {
                std::os::unix::fs::lchown(&path, Some(owner.uid), Some(owner.gid))
                    .map_err(Error::io("chown", &path))?;
            }
        }
        for (path, owner, mode, mtime) in self.directories.drain(..).rev() {
            let handle = File::open(&path).map_err(Error::io("open", &path))?;
            finish(&handle, &path, owner, mode, mtime)?;
        }
        Ok(())
    }
}

/// A path below `volume`, of plain names.
fn below_volume(path: &Path) -> Result<PathBuf> {
    let below = path.strip_prefix(VOLUME);
    let below = below.map_err(|_| Error::invalid("belongs to no snapshot"))?;
    if below.components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(below.to_path_buf())
    } else {
        Err(Error::invalid("a path that leaves the volume"))
    }
}

/// Owner, mode and time. Who is not root owns what they unpack.
fn finish(file: &File, path: &Path, owner: Owner, mode: u32, mtime: u64) -> Result<()> {
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::fchown(file, Some(owner.uid), Some(owner.gid))
            .map_err(Error::io("chown", path))?;
    }
    // No file of PostgreSQL's is to be run, nor as somebody else.
    file.set_permissions(fs::Permissions::from_mode(mode & 0o777))
        .map_err(Error::io("chmod", path))?;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(mtime.min(u64::from(u32::MAX)));
    file.set_modified(time).map_err(Error::io("set times of", path))
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match from.read(room)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
