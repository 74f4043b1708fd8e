//! Every driver keeps the contract of `Driver`, on the file systems it is for. Needs root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use thinveil::progress::Cancel;
use thinveil::storage::{
    Blocks, Driver, DriverChoice, DriverKind, Root, Watch, probe, sync_volume,
};

/// A file system in a file, mounted for one test.
struct LoopMount {
    home: tempfile::TempDir,
}

impl LoopMount {
    fn new(mkfs: &[&str]) -> LoopMount {
        let home = tempfile::tempdir_in("/tmp").unwrap();
        let image = home.path().join("image");
        fs::File::create(&image).unwrap().set_len(600 << 20).unwrap();
        let dir = home.path().join("mnt");
        fs::create_dir(&dir).unwrap();
        run(Command::new(mkfs[0]).args(&mkfs[1..]).arg(&image));
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&dir));
        LoopMount { home }
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("mnt")
    }
}

impl Drop for LoopMount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.dir()).status();
    }
}

fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}");
}

/// A tree with everything that a source may have in it.
fn source(dir: &Path) -> PathBuf {
    let source = dir.join("source");
    fs::create_dir_all(source.join("data/base/1")).unwrap();
    fs::create_dir_all(dir.join("space/PG_15")).unwrap();
    for number in 0..20_u8 {
        fs::write(source.join(format!("data/base/1/{number}")), vec![number; 100_000]).unwrap();
    }
    fs::write(source.join("data/empty"), "").unwrap();
    let sparse = fs::File::create(source.join("data/sparse")).unwrap();
    sparse.set_len(50 << 20).unwrap();
    std::os::unix::fs::FileExt::write_at(&sparse, b"end", 40 << 20).unwrap();
    fs::write(dir.join("space/PG_15/1"), "tablespace").unwrap();
    symlink("/etc/passwd", source.join("data/outward")).unwrap();
    run(Command::new("mkfifo").arg(source.join("data/pipe")));
    fs::set_permissions(source.join("data"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(source.join("data/empty"), fs::Permissions::from_mode(0o640)).unwrap();
    for path in ["data", "data/empty", "data/base/1/3"] {
        std::os::unix::fs::chown(source.join(path), Some(65534), Some(65534)).unwrap();
    }
    source
}

fn keeps_the_contract(kind: DriverKind, dir: &Path, shares: bool) {
    let source = source(dir);
    let driver: Box<dyn Driver> = kind.driver();
    let cancel = Cancel::new();
    let watch = Watch::silent(&cancel);
    fs::create_dir_all(dir.join("s")).unwrap();
    fs::create_dir_all(dir.join("c")).unwrap();
    let (snapshot, clone) = (dir.join("s/volume"), dir.join("c/volume"));

    let roots =
        [Root::new(source.join("data"), "data"), Root::new(dir.join("space"), "tablespaces/16400")];
    let ingested = driver.ingest(&roots, &snapshot, Blocks::Shared, &watch).unwrap();
    assert_eq!(ingested.files, 23);
    assert_eq!(ingested.links, [(PathBuf::from("data/outward"), PathBuf::from("/etc/passwd"))]);
    assert_eq!(ingested.special, [PathBuf::from("data/pipe")]);
    assert!(snapshot.join("data/outward").symlink_metadata().is_err());
    let meta = snapshot.join("data/empty").metadata().unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o777), (65534, 0o640));
    assert_eq!(meta.mtime(), source.join("data/empty").metadata().unwrap().mtime());
    assert_eq!(snapshot.join("data").metadata().unwrap().mode() & 0o777, 0o700);
    let sparse = snapshot.join("data/sparse").metadata().unwrap();
    assert_eq!(sparse.len(), 50 << 20);
    assert!(sparse.blocks() * 512 < 1 << 20, "holes are kept");
    fs::create_dir(snapshot.join("data/pg_tblspc")).unwrap();
    symlink("../../tablespaces/16400", snapshot.join("data/pg_tblspc/16400")).unwrap();
    sync_volume(&snapshot).unwrap();

    // Set apart, it shares nothing with its source; otherwise it does where that is possible.
    let extents = DriverKind::Reflink.driver();
    if shares && kind == DriverKind::Reflink {
        assert!(extents.usage(&snapshot).unwrap().shared_bytes > 1_500_000);
    }
    fs::create_dir_all(dir.join("a")).unwrap();
    let apart = dir.join("a/volume");
    driver.ingest(&roots, &apart, Blocks::Apart, &watch).unwrap();
    let usage = extents.usage(&apart).unwrap();
    assert!(usage.shared_bytes == 0 && usage.own_bytes > 1_500_000, "{usage:?}");
    assert_eq!(fs::read(apart.join("data/base/1/7")).unwrap(), vec![7; 100_000]);
    assert!(apart.join("data/sparse").metadata().unwrap().blocks() * 512 < 1 << 20);
    driver.destroy(&apart).unwrap();

    driver.clone_volume(&snapshot, &clone, &watch).unwrap();
    assert_eq!(fs::read(clone.join("data/base/1/7")).unwrap(), vec![7; 100_000]);
    assert_eq!(fs::read(clone.join("data/pg_tblspc/16400/PG_15/1")).unwrap(), b"tablespace");
    let meta = clone.join("data/base/1/3").metadata().unwrap();
    assert_eq!(meta.uid(), 65534);
    fs::write(clone.join("data/base/1/7"), "changed").unwrap();
    fs::remove_file(clone.join("data/base/1/8")).unwrap();
    assert_eq!(fs::read(snapshot.join("data/base/1/7")).unwrap(), vec![7; 100_000]);
    sync_volume(&clone).unwrap();
    let usage = driver.usage(&clone).unwrap();
    if shares {
        assert!(usage.shared_bytes > 1_500_000, "{usage:?}");
        assert!(usage.own_bytes < 200_000, "{usage:?}");
    } else {
        assert!(usage.own_bytes + usage.shared_bytes > 1_500_000, "{usage:?}");
    }

    // A second generation of the clone, and a volume that moved.
    let moved = dir.join("moved");
    driver.detach(&clone).unwrap();
    driver.detach(&clone).unwrap();
    fs::rename(dir.join("c"), &moved).unwrap();
    let clone = moved.join("volume");
    assert_eq!(driver.attach(&clone).unwrap(), driver.capabilities().mounts);
    assert!(!driver.attach(&clone).unwrap());
    assert_eq!(fs::read(clone.join("data/base/1/7")).unwrap(), b"changed");
    let second = moved.join("second");
    driver.clone_volume(&clone, &second, &watch).unwrap();
    assert_eq!(fs::read(second.join("data/base/1/7")).unwrap(), b"changed");
    assert!(!second.join("data/base/1/8").exists());

    driver.destroy(&second).unwrap();
    driver.destroy(&clone).unwrap();
    driver.destroy(&clone).unwrap();
    assert_eq!(fs::read_dir(&moved).unwrap().count(), 0);
    assert_eq!(fs::read(snapshot.join("data/base/1/8")).unwrap(), vec![8; 100_000]);

    // A link that climbs out of the volume is not copied.
    if kind != DriverKind::Overlay {
        symlink("../../../../etc", snapshot.join("data/climbing")).unwrap();
        let error = driver.clone_volume(&snapshot, &clone, &watch).unwrap_err().to_string();
        assert!(error.contains("leaves the volume"), "{error}");
        driver.destroy(&clone).unwrap();
    }

    cancel.cancel();
    assert!(driver.clone_volume(&snapshot, &clone, &watch).is_err());
    driver.destroy(&clone).unwrap();
    driver.destroy(&snapshot).unwrap();
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: needs root");
    }
    root
}

#[test]
fn reflink_keeps_the_contract_on_xfs() {
    if is_root() {
        let mount = LoopMount::new(&["mkfs.xfs", "-q", "-m", "reflink=1"]);
        assert_eq!(probe(&mount.dir(), DriverChoice::Auto).unwrap().chosen, DriverKind::Reflink);
        keeps_the_contract(DriverKind::Reflink, &mount.dir(), true);
    }
}

#[test]
fn reflink_keeps_the_contract_on_btrfs() {
    if is_root() {
        let mount = LoopMount::new(&["mkfs.btrfs", "-q"]);
        assert_eq!(probe(&mount.dir(), DriverChoice::Auto).unwrap().chosen, DriverKind::Reflink);
        keeps_the_contract(DriverKind::Reflink, &mount.dir(), true);
    }
}

#[test]
fn overlay_keeps_the_contract_where_nothing_is_shared() {
    if is_root() {
        // A colon and a comma: separators in mount options.
        let home = tempfile::Builder::new().prefix("a:b,c d-").tempdir_in("/tmp").unwrap();
        let probe = probe(home.path(), DriverChoice::Auto).unwrap();
        assert_eq!(probe.chosen, DriverKind::Overlay);
        assert!(probe.tried[0].why_not.is_some(), "says why reflink does not work there");
        keeps_the_contract(DriverKind::Overlay, home.path(), true);
    }
}

#[test]
fn copy_keeps_the_contract_anywhere() {
    if is_root() {
        let home = tempfile::tempdir_in("/tmp").unwrap();
        keeps_the_contract(DriverKind::Copy, home.path(), false);
    }
}

#[test]
fn a_driver_that_does_not_work_there_is_refused_with_the_reason() {
    let home = tempfile::tempdir_in("/dev/shm").unwrap();
    let error = probe(home.path(), DriverChoice::Only(DriverKind::Reflink)).unwrap_err();
    assert!(error.to_string().contains("reflink"), "{error}");
}
