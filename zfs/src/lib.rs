//! What thinveil asks of OpenZFS: libzetta's safe calls, channel programs, and `lzc_clone`, which
//! libzetta has no call for.
//!
//! A dataset is named in full, `pool/parent/name`; a snapshot `pool/parent/name@snapshot`. All calls
//! are on disk when they return: each waits for its transaction group. They need root.

use std::collections::HashMap;
use std::ffi::CString;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use libnv::nvpair::{NvList, Value};
use libzetta::zfs::{
    Compression, CreateDatasetRequest, DatasetKind, DestroyTiming, Error, ZfsEngine, ZfsLzc,
};

/// A page of PostgreSQL's: a clone that changes one comes to own no more, and reads nothing for it.
const RECORD_SIZE: u64 = 8192;

/// The kernel's own limits, `ZCP_DEFAULT_INSTRLIMIT` and `ZCP_DEFAULT_MEMLIMIT`.
const INSTRUCTIONS: u64 = 10_000_000;
const MEMORY: u64 = 10 << 20;

/// Bytes on disk, compressed as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What the dataset holds alone.
    pub own: u64,
    /// All that it refers to.
    pub referenced: u64,
}

/// The kernel's ZFS.
#[derive(Clone, Debug)]
pub struct Zfs {
    engine: ZfsLzc,
}

impl Zfs {
    /// Fails where the kernel has none.
    pub fn open() -> io::Result<Zfs> {
        ZfsLzc::new().map(|engine| Zfs { engine }).map_err(told)
    }

    /// Makes an empty file system that is mounted by nobody but who asks for it.
    pub fn create(&self, dataset: &str) -> io::Result<()> {
        let request = CreateDatasetRequest::builder()
            .name(dataset)
            .kind(DatasetKind::Filesystem)
            .record_size(Some(RECORD_SIZE))
            .compression(Some(Compression::LZ4))
            .atime(Some(false))
            .devices(Some(false))
            .setuid(Some(false))
            // libzetta keeps its own setting for mount points to itself.
            .user_properties(Some(HashMap::from([("mountpoint".into(), "legacy".into())])))
            .build()
            .map_err(io::Error::other)?;
        self.engine.create(request).map_err(told)
    }

    /// Makes `to` a writable copy of what `from` holds now.
    ///
    /// The snapshot between them has the name of `to` and goes away with it. Failure: the snapshot
    /// may be there ([`Zfs::forget_snapshot`]).
    pub fn clone_dataset(&self, from: &str, to: &str) -> io::Result<()> {
        let between = snapshot_between(from, to);
        self.snapshot(&between)?;
        clone_snapshot(&between, to)?;
        self.forget_snapshot(&between)
    }

    /// Keeps what a file system holds now.
    pub fn snapshot(&self, snapshot: &str) -> io::Result<()> {
        match self.engine.snapshot(&[PathBuf::from(snapshot)], None).map_err(told) {
            // A transaction group has room for one snapshot of a dataset. Of two callers at once,
            // the kernel takes the second into the next group by itself, but still tells of the
            // first try.
            Err(error) if error.kind() == ErrorKind::WouldBlock && self.has(snapshot)? => Ok(()),
            outcome => outcome,
        }
    }

    fn has(&self, dataset: &str) -> io::Result<bool> {
        self.engine.exists(dataset).map_err(told)
    }

    /// Removes a snapshot, at once or when its last clone is gone. One that is not there is a
    /// success.
    pub fn forget_snapshot(&self, snapshot: &str) -> io::Result<()> {
        let snapshots = [PathBuf::from(snapshot)];
        self.engine.destroy_snapshots(&snapshots, DestroyTiming::Defer).map_err(told)
    }

    /// Removes a file system that is not mounted. Clones of it stay as they are. One that is not
    /// there is a success.
    pub fn destroy(&self, dataset: &str) -> io::Result<()> {
        let answer = self.run(dataset, include_str!("destroy.lua"))?;
        match answer.get_i64("return").map_err(io::Error::other)? {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(i32::try_from(errno).unwrap_or(i32::MAX))),
        }
    }

    /// What a file system takes, all writes so far counted.
    pub fn space(&self, dataset: &str) -> io::Result<Space> {
        let answer = self.run(dataset, include_str!("space.lua"))?;
        let text = answer.get_cstr("return").map_err(io::Error::other)?.to_string_lossy();
        let mut numbers = text.split(' ').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(own)), Some(Ok(referenced))) => Ok(Space { own, referenced }),
            _ => Err(io::Error::other(format!("ZFS says that {dataset} takes {text:?}"))),
        }
    }

    /// Makes everything written to the dataset's pool so far survive a power failure.
    pub fn sync(&self, dataset: &str) -> io::Result<()> {
        self.run(dataset, "return 0").map(drop)
    }

    /// Runs a channel program in one transaction group, with the dataset as `args.volume`.
    fn run(&self, dataset: &str, program: &str) -> io::Result<NvList> {
        let pool = dataset.split('/').next().unwrap_or(dataset);
        let mut args = NvList::default();
        args.insert_string("volume", dataset).map_err(io::Error::other)?;
        self.engine
            .run_channel_program(pool, program, INSTRUCTIONS, MEMORY, true, args)
            .map_err(told)
    }
}

/// The snapshot by which a clone hangs on what it was made of.
pub fn snapshot_between(from: &str, to: &str) -> String {
    let name = to.rsplit('/').next().unwrap_or(to);
    format!("{from}@{name}")
}

/// With the properties that [`Zfs::create`] gives: a clone takes none from its origin.
fn clone_snapshot(snapshot: &str, dataset: &str) -> io::Result<()> {
    let mut properties = NvList::default();
    for (name, value) in [
        ("recordsize", RECORD_SIZE),
        ("compression", Compression::LZ4 as u64),
        ("atime", 0),
        ("devices", 0),
        ("setuid", 0),
    ] {
        properties.insert_u64(name, value).map_err(io::Error::other)?;
    }
    properties.insert_string("mountpoint", "legacy").map_err(io::Error::other)?;
    let (dataset, snapshot) = (CString::new(dataset)?, CString::new(snapshot)?);
    // SAFETY: both names end with NUL and, like the list, outlive the call, which keeps no pointer;
    // whoever has a `Zfs` has opened the library.
    let errno = unsafe {
        libzetta_zfs_core_sys::lzc_clone(dataset.as_ptr(), snapshot.as_ptr(), properties.as_ptr())
    };
    match errno {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

fn told(error: Error) -> io::Error {
    match error {
        Error::Io(error) | Error::LZCInitializationFailed(error) => error,
        // One snapshot was asked for: its errno is the call's.
        Error::MultiOpError(errors) => match errors.into_values().next() {
            Some(Value::Int32(errno)) => io::Error::from_raw_os_error(errno),
            other => io::Error::other(format!("ZFS says {other:?}")),
        },
        other => io::Error::other(format!("ZFS says {other:?}")),
    }
}
