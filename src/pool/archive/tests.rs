//! Archives that somebody made to do harm, or that were damaged on their way.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::MoveOptions;
use crate::error::Error;
use crate::ids::PgMajor;
use crate::pool::{Manifest, Pool};
use crate::progress::Cancel;
use crate::storage::{DriverChoice, DriverKind};

const ID: &str = "s-0123456789";

/// A pool in a directory of its own, and room beside it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> (Place, Pool) {
        let home = tempfile::tempdir().unwrap();
        let driver = DriverChoice::Only(DriverKind::Copy);
        let (pool, _) = Pool::init(&home.path().join("pool"), driver).unwrap();
        (Place(home), pool)
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("archive")
    }

    /// Every path below it that is not the pool's own.
    fn strays(&self) -> Vec<PathBuf> {
        let entries = walkdir::WalkDir::new(self.0.path()).min_depth(1).into_iter();
        let paths = entries.map(|entry| entry.unwrap().into_path());
        let own =
            ["pool.json", "lock", "audit.log", "audit-head.json", "snapshots", "staging", "clones"];
        let pool = self.0.path().join("pool");
        let is_own = |path: &PathBuf| {
            *path == pool || *path == self.file() || own.iter().any(|name| *path == pool.join(name))
        };
        paths.filter(|path| !is_own(path)).collect()
    }
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    let holes = [vec![0; 3 << 20], b"end".to_vec()].concat();
    vec![
        ("data/PG_VERSION", b"15\n".to_vec()),
        ("data/base/1", vec![7; 9000]),
        ("data/holes", holes),
    ]
}

fn manifest() -> Manifest {
    let mut manifest = Manifest::new("monday", "test", PgMajor::new(15).unwrap());
    manifest.id = ID.to_owned();
    manifest.masked_bytes = files().iter().map(|(_, bytes)| bytes.len() as u64).sum();
    manifest.content_hash = blake3::hash(list().as_bytes()).to_hex().to_string();
    manifest.links.insert("data/link".to_owned(), "base/1".to_owned());
    manifest
}

fn list() -> String {
    let mut files = files();
    files.sort();
    let line =
        |(path, bytes): &(&str, Vec<u8>)| format!("{}  {path}\n", blake3::hash(bytes).to_hex());
    files.iter().map(line).collect()
}

/// An archive under way.
struct Maker(Builder<Vec<u8>>);

impl Maker {
    fn new(manifest: &Manifest) -> Maker {
        let mut maker = Maker(Builder::new(Vec::new()));
        maker.file("manifest.json", &serde_json::to_vec(manifest).unwrap());
        maker.file("files.b3", list().as_bytes());
        maker
    }

    fn whole() -> Maker {
        let mut maker = Maker::new(&manifest());
        for dir in ["volume", "volume/data", "volume/data/base"] {
            maker.entry(dir, EntryType::Directory, &[], None);
        }
        for (path, bytes) in files() {
            maker.file(&format!("volume/{path}"), &bytes);
        }
        maker.entry("volume/data/link", EntryType::Symlink, &[], Some("base/1"));
        maker
    }

    fn file(&mut self, path: &str, bytes: &[u8]) {
        self.entry(path, EntryType::Regular, bytes, None);
    }

    /// The path goes into the header as it is, whatever it says.
    fn entry(&mut self, path: &str, kind: EntryType, bytes: &[u8], link: Option<&str>) {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o4755);
        header.set_uid(65534);
        header.set_gid(65534);
        if let Some(link) = link {
            header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        }
        header.set_cksum();
        self.0.append(&header, bytes).unwrap();
    }

    fn packed(self) -> Vec<u8> {
        let mut packer = zstd::Encoder::new(Vec::new(), 1).unwrap();
        packer.include_checksum(true).unwrap();
        packer.write_all(&self.0.into_inner().unwrap()).unwrap();
        packer.finish().unwrap()
    }
}

/// What importing these bytes says; nothing may be left of it.
fn refused(bytes: &[u8]) -> String {
    let (place, pool) = Place::new();
    fs::write(place.file(), bytes).unwrap();
    let error = pool.import_snapshot(&place.file(), &MoveOptions::default()).unwrap_err();
    assert!(!matches!(error, Error::Cancelled));
    assert_eq!(place.strays(), Vec::<PathBuf>::new());
    assert!(pool.snapshots().unwrap().is_empty());
    error.to_string()
}

#[test]
fn a_whole_archive_becomes_the_snapshot_that_it_was() {
    let (place, pool) = Place::new();
    fs::write(place.file(), Maker::whole().packed()).unwrap();
    let options = MoveOptions { name: Some("other".to_owned()), ..MoveOptions::default() };
    let snapshot = pool.import_snapshot(&place.file(), &options).unwrap();
    assert_eq!((snapshot.id(), snapshot.name()), (ID, "other"));
    assert_eq!(pool.snapshot("other").unwrap().manifest().name, "monday");
    assert!(pool.verify_snapshot(ID, None, &Cancel::new()).unwrap().verified);
    let volume = snapshot.volume();
    let meta = volume.join("data/holes").metadata().unwrap();
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    assert!(meta.blocks() * 512 < 1 << 20, "holes are kept");
    assert_eq!(meta.permissions().mode() & 0o7777, 0o755, "nobody becomes somebody else by it");
    // The same id, or the same name, is there already.
    for name in [None, Some("third".to_owned())] {
        let options = MoveOptions { name, ..MoveOptions::default() };
        assert!(pool.import_snapshot(&place.file(), &options).is_err());
    }
    assert_eq!(pool.snapshots().unwrap().len(), 1);

    // And out again: the same files, the same manifest.
    let again = place.0.path().join("again");
    let told = pool.export_snapshot(ID, &again, &MoveOptions::default()).unwrap();
    assert!(told.archive_bytes > 0 && told.bytes > told.archive_bytes);
    assert!(
        pool.export_snapshot(ID, &again, &MoveOptions::default()).is_err(),
        "never over a file"
    );
    let (_second, other) = Place::new();
    let copy = other.import_snapshot(&again, &MoveOptions::default()).unwrap();
    assert_eq!(copy.name(), "monday", "a name in one pool is none in another");
    let bytes = |path: &Path| fs::read(path.join("manifest.json")).unwrap();
    assert_eq!(bytes(copy.dir()), bytes(snapshot.dir()));
    assert_eq!(fs::read(copy.volume().join("data/holes")).unwrap(), files()[2].1);
}

#[test]
fn nothing_is_written_outside_of_the_volume() {
    type Make<'a> = &'a dyn Fn(&mut Maker);
    let cases: [(&str, Make<'_>); 13] = [
        ("leaves the volume", &|it| it.file("volume/../../escaped", b"x")),
        ("belongs to no snapshot", &|it| it.file("/tmp/thinveil-escaped", b"x")),
        ("belongs to no snapshot", &|it| it.file("../escaped", b"x")),
        ("belongs to no snapshot", &|it| it.file("care.json", b"{}")),
        ("leaves the volume", &|it| it.entry("volume/l", EntryType::Symlink, &[], Some("/etc"))),
        ("leaves the volume", &|it| it.entry("volume/l", EntryType::Symlink, &[], Some("../../x"))),
        ("neither file", &|it| it.entry("volume/d", EntryType::Block, &[], None)),
        ("neither file", &|it| it.entry("volume/f", EntryType::Fifo, &[], None)),
        ("neither file", &|it| it.entry("volume/h", EntryType::Link, &[], Some("/etc/passwd"))),
        ("exists", &|it| it.file("volume/data/PG_VERSION", b"")),
        ("second manifest", &|it| it.file("manifest.json", b"{}")),
        ("more bytes than the manifest says", &|it| it.file("volume/data/more", b"x")),
        ("of that kind", &|it| {
            it.entry("signer.pem", EntryType::Symlink, &[], Some("/etc/shadow"))
        }),
    ];
    for (reason, make) in cases {
        let mut maker = Maker::whole();
        make(&mut maker);
        let error = refused(&maker.packed());
        assert!(error.contains(reason), "{error}, not {reason}");
    }
    assert!(!Path::new("/tmp/thinveil-escaped").exists());
    // Through a link that came before: it is not there yet.
    let mut maker = Maker::new(&manifest());
    maker.entry("volume/data", EntryType::Symlink, &[], Some("elsewhere"));
    maker.file("volume/data/x", b"x");
    assert!(refused(&maker.packed()).contains("volume/data/x"));
}

#[test]
fn an_id_that_is_a_path_is_none() {
    for id in ["", "../../../etc", "s-012345678", "s-0123456789a", "c-0123456789", "s-../456789"] {
        let maker = Maker::new(&Manifest { id: id.to_owned(), ..manifest() });
        assert!(refused(&maker.packed()).contains("no id"), "{id}");
    }
}

#[test]
fn what_is_not_what_the_manifest_says_is_no_snapshot() {
    let mut changed = Maker::new(&manifest());
    for dir in ["volume", "volume/data", "volume/data/base"] {
        changed.entry(dir, EntryType::Directory, &[], None);
    }
    for (path, mut bytes) in files() {
        bytes[0] ^= u8::from(path == "data/base/1");
        changed.file(&format!("volume/{path}"), &bytes);
    }
    assert!(refused(&changed.packed()).contains("data/base/1"));
    let later = Maker(Builder::new(Vec::new()));
    assert!(refused(&later.packed()).contains("no manifest"));
    let mut first = Maker(Builder::new(Vec::new()));
    first.file("volume/x", b"x");
    assert!(refused(&first.packed()).contains("does not come first"));

    // Cut off anywhere, or with one bit changed.
    let whole = Maker::whole().packed();
    for length in (0..whole.len()).step_by(whole.len() / 40) {
        refused(&whole[..length]);
    }
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        refused(&bytes);
    }
}
