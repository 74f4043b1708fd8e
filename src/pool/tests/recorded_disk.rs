//! A disk that notes, in their order, what is written to it and when it is told to flush, and that
//! fails when it is told to: a file in a file system of its own, under a loop device.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation,
    INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry,
    ReplyWrite, Request, WriteFlags,
};

const BLOCK: usize = 4096;
/// XFS makes no smaller ones than 300 MB.
const SIZE: u64 = 384 << 20;
const DISK: INodeNo = INodeNo(2);
const NOTES: INodeNo = INodeNo(3);
/// How long the kernel may remember what a file is.
const LONG: Duration = Duration::from_secs(3600);

/// What a disk holds. Copies share their blocks.
#[derive(Clone, Default)]
pub(super) struct Content(BTreeMap<u64, Arc<[u8; BLOCK]>>);

impl Content {
    fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        each_block(offset, len, |block, within, range| {
            if let Some(bytes) = self.0.get(&block) {
                out[range].copy_from_slice(&bytes[within]);
            }
        });
        out
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        each_block(offset, data.len(), |block, within, range| {
            let bytes = self.0.entry(block).or_insert_with(|| Arc::new([0; BLOCK]));
            Arc::make_mut(bytes)[within].copy_from_slice(&data[range]);
        });
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} blocks", self.0.len())
    }
}

/// Numbers of blocks, with the part of each and where that is in the data.
fn each_block(
    offset: u64,
    len: usize,
    mut part: impl FnMut(u64, std::ops::Range<usize>, std::ops::Range<usize>),
) {
    let mut done = 0;
    while done < len {
        let at = offset + done as u64;
        let within = (at % BLOCK as u64) as usize;
        let size = (BLOCK - within).min(len - done);
        part(at / BLOCK as u64, within..within + size, done..done + size);
        done += size;
    }
}

/// What happened to a disk.
#[derive(Debug)]
pub(super) enum Event {
    Write {
        offset: u64,
        data: Vec<u8>,
    },
    Flush,
    /// Somebody noted something beside it.
    Note,
}

/// One state in which the power may fail.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) content: Content,
    /// Notes made before the flush that made it durable, and before the next one that changes it.
    pub(super) notes: (usize, usize),
}

/// The content after each flush, from the content before all events on.
pub(super) fn moments(mut content: Content, events: &[Event]) -> Vec<Moment> {
    let mut moments = vec![Moment { content: content.clone(), notes: (0, 0) }];
    let (mut notes, mut changed) = (0, false);
    for event in events {
        match event {
            Event::Write { offset, data } => {
                content.write(*offset, data);
                changed = true;
            }
            Event::Note => notes += 1,
            Event::Flush if !changed => {}
            Event::Flush => {
                if let Some(last) = moments.last_mut() {
                    last.notes.1 = notes;
                }
                moments.push(Moment { content: content.clone(), notes: (notes, notes) });
                changed = false;
            }
        }
    }
    if let Some(last) = moments.last_mut() {
        last.notes.1 = notes;
    }
    moments
}

/// Writes that fail, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failing {
    Only(usize),
    From(usize),
}

#[derive(Debug, Default)]
struct State {
    content: Content,
    events: Vec<Event>,
    /// Since it was told to fail.
    writes: usize,
    notes: usize,
    failing: Option<Failing>,
}

/// A disk, and a file beside it in which notes are made.
pub(super) struct Disk {
    state: Arc<Mutex<State>>,
    // Dropped before the directory that it is mounted on.
    _session: BackgroundSession,
    dir: tempfile::TempDir,
}

impl Disk {
    pub(super) fn new(content: Content) -> Disk {
        let state = Arc::new(Mutex::new(State { content, ..State::default() }));
        let dir = tempfile::Builder::new().prefix("thinveil-disk-").tempdir().unwrap();
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("thinveil-disk".to_owned())];
        let session = fuser::spawn_mount(Files(Arc::clone(&state)), dir.path(), &config).unwrap();
        Disk { state, dir, _session: session }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    pub(super) fn notes(&self) -> PathBuf {
        self.dir.path().join("notes")
    }

    /// Mounts the file system that is on it.
    pub(super) fn mount<'a>(
        &'a self,
        place: &'a Path,
        options: &str,
    ) -> Result<Mounted<'a>, String> {
        let device = told(Command::new("losetup").args(["--find", "--show"]).arg(self.path()))?;
        // Dropped, it lets go of the device.
        let mounted = Mounted { place, device: PathBuf::from(device) };
        mounted.ask_for_one_block_at_a_time().map_err(|error| error.to_string())?;
        let mount =
            told(Command::new("mount").args(["-o", options]).arg(&mounted.device).arg(place));
        mount.map(|_| mounted).map_err(|error| {
            let log = told(&mut Command::new("dmesg")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(5).collect();
            format!("{error}: {last:?}")
        })
    }

    pub(super) fn content(&self) -> Content {
        self.lock().content.clone()
    }

    /// Has writes fail, from now on.
    pub(super) fn fail(&self, failing: Failing) {
        let mut state = self.lock();
        (state.writes, state.failing) = (0, Some(failing));
    }

    /// Notes made beside it.
    pub(super) fn notes_made(&self) -> usize {
        self.lock().notes
    }

    /// What happened since it was there, or since this was asked last.
    pub(super) fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.lock().events)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a program prints, or why it failed.
fn told(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A mounted file system. Dropping it unmounts it.
pub(super) struct Mounted<'a> {
    place: &'a Path,
    device: PathBuf,
}

impl Mounted<'_> {
    /// Of a larger request, FUSE may write a part and fail at the rest, which the loop device takes
    /// for a success: a disk that lies.
    fn ask_for_one_block_at_a_time(&self) -> std::io::Result<()> {
        let name = self.device.file_name().unwrap_or_default();
        let limit = Path::new("/sys/block").join(name).join("queue/max_sectors_kb");
        std::fs::write(limit, (BLOCK >> 10).to_string())
    }

    fn is_mounted(&self) -> bool {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        mounts.lines().any(|line| line.starts_with(&format!("{} ", self.device.display())))
    }

    fn is_attached(&self) -> bool {
        let name = self.device.file_name().unwrap_or_default();
        Path::new("/sys/block").join(name).join("loop/backing_file").exists()
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // A process that was just killed may still be letting go of its files.
        let patience = |is_there: &dyn Fn() -> bool, command: &dyn Fn() -> Command| {
            for _ in 0..200 {
                if !is_there() || (told(&mut command()).is_ok() && !is_there()) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            eprintln!("{} stays: {:?}", self.place.display(), told(&mut command()));
        };
        patience(&|| self.is_mounted(), &|| {
            let mut command = Command::new("umount");
            command.arg(self.place);
            command
        });
        patience(&|| self.is_attached(), &|| {
            let mut command = Command::new("losetup");
            command.arg("--detach").arg(&self.device);
            command
        });
    }
}

/// The file system that serves both files.
struct Files(Arc<Mutex<State>>);

impl Files {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn attributes(ino: INodeNo) -> FileAttr {
    let is_dir = ino == INodeNo::ROOT;
    FileAttr {
        ino,
        size: if ino == DISK { SIZE } else { 0 },
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: if is_dir { FileType::Directory } else { FileType::RegularFile },
        perm: if is_dir { 0o700 } else { 0o600 },
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        flags: 0,
        blksize: BLOCK as u32,
    }
}

impl Filesystem for Files {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match name.to_str() {
            Some("disk") => reply.entry(&LONG, &attributes(DISK), Generation(0)),
            Some("notes") => reply.entry(&LONG, &attributes(NOTES), Generation(0)),
            _ => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&LONG, &attributes(ino));
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let len = if ino == DISK { SIZE.saturating_sub(offset).min(size.into()) } else { 0 };
        reply.data(&self.lock().content.read(offset, len as usize));
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut state = self.lock();
        if ino == DISK {
            state.writes += 1;
            let fails = match state.failing {
                None => false,
                Some(Failing::Only(number)) => state.writes == number,
                Some(Failing::From(number)) => state.writes >= number,
            };
            if fails {
                return reply.error(Errno::EIO);
            }
            state.content.write(offset, data);
            state.events.push(Event::Write { offset, data: data.to_vec() });
        } else {
            state.notes += 1;
            state.events.push(Event::Note);
        }
        reply.written(data.len() as u32);
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        if ino == DISK {
            self.lock().events.push(Event::Flush);
        }
        reply.ok();
    }
}
