//! Every driver keeps the contract of `Driver`, on the file systems it is for. Needs root.

mod contract;
mod freezing;
#[cfg(feature = "zfs")]
mod zfs;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use contract::keeps_the_contract;
use thinveil::storage::{DriverChoice, DriverKind, probe};

/// A file system in a file, mounted for one test.
struct LoopMount {
    home: tempfile::TempDir,
}

impl LoopMount {
    fn new(mkfs: &[&str]) -> LoopMount {
        let home = tempfile::tempdir().unwrap();
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
        keeps_the_contract(DriverKind::Reflink.driver().as_ref(), &mount.dir());
    }
}

#[test]
fn reflink_keeps_the_contract_on_btrfs() {
    if is_root() {
        let mount = LoopMount::new(&["mkfs.btrfs", "-q"]);
        keeps_the_contract(DriverKind::Reflink.driver().as_ref(), &mount.dir());
    }
}

#[test]
fn btrfs_keeps_the_contract() {
    if is_root() {
        let mount = LoopMount::new(&["mkfs.btrfs", "-q"]);
        assert_eq!(probe(&mount.dir(), DriverChoice::Auto).unwrap().chosen, DriverKind::Btrfs);
        assert_eq!(fs::read_dir(mount.dir()).unwrap().count(), 0, "probing leaves nothing");
        keeps_the_contract(DriverKind::Btrfs.driver().as_ref(), &mount.dir());
    }
}

#[test]
fn overlay_keeps_the_contract_where_nothing_is_shared() {
    if is_root() {
        // A colon and a comma: separators in mount options.
        let home = tempfile::Builder::new().prefix("a:b,c d-").tempdir().unwrap();
        let probe = probe(home.path(), DriverChoice::Auto).unwrap();
        assert_eq!(probe.chosen, DriverKind::Overlay);
        let mut thinner = probe.tried.iter().filter(|tried| tried.kind != DriverKind::Overlay);
        assert!(thinner.all(|tried| tried.why_not.is_some()), "says why they do not work there");
        keeps_the_contract(DriverKind::Overlay.driver().as_ref(), home.path());
    }
}

#[test]
fn copy_keeps_the_contract_anywhere() {
    if is_root() {
        let home = tempfile::tempdir().unwrap();
        keeps_the_contract(DriverKind::Copy.driver().as_ref(), home.path());
    }
}

#[test]
fn a_driver_that_does_not_work_there_is_refused_with_the_reason() {
    let home = tempfile::tempdir_in("/dev/shm").unwrap();
    let error = probe(home.path(), DriverChoice::Only(DriverKind::Reflink)).unwrap_err();
    assert!(error.to_string().contains("reflink"), "{error}");
}
