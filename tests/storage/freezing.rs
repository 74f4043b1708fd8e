//! A source as it is at one moment.

use std::fs;
use std::process::Command;

use thinveil::storage::DriverKind;

use crate::{LoopMount, is_root, run};

#[test]
fn a_subvolume_is_seen_as_it_was() {
    if !is_root() {
        return;
    }
    let mount = LoopMount::new(&["mkfs.btrfs", "-q"]);
    let dir = mount.dir();
    let driver = DriverKind::Btrfs.driver();
    run(Command::new("btrfs").args(["subvolume", "create"]).arg(dir.join("pg")));
    fs::create_dir_all(dir.join("pg/15/main")).unwrap();
    fs::write(dir.join("pg/15/main/file"), "before").unwrap();

    let frozen = driver.freeze(&dir.join("pg/15/main"), &dir.join("view")).unwrap().unwrap();
    fs::write(dir.join("pg/15/main/file"), "after").unwrap();
    let view = frozen.view_of(&dir.join("pg/15/main")).unwrap();
    assert_eq!(fs::read(view.join("file")).unwrap(), b"before");
    assert!(fs::write(view.join("file"), "late").is_err());
    assert_eq!(frozen.view_of(&dir), None);
    driver.destroy(&frozen.at).unwrap();
    assert!(!dir.join("view").exists());
    assert_eq!(fs::read(dir.join("pg/15/main/file")).unwrap(), b"after");

    // One snapshot does not hold a subvolume below.
    run(Command::new("btrfs").args(["subvolume", "create"]).arg(dir.join("pg/15/main/base")));
    let error = driver.freeze(&dir.join("pg"), &dir.join("view")).unwrap_err().to_string();
    assert!(error.contains("base") && error.contains("subvolume"), "{error}");
}

#[test]
fn what_is_elsewhere_is_not_seen() {
    if !is_root() {
        return;
    }
    let mount = LoopMount::new(&["mkfs.btrfs", "-q"]);
    let other = LoopMount::new(&["mkfs.btrfs", "-q"]);
    let plain = tempfile::tempdir().unwrap();
    let view = mount.dir().join("view");
    for elsewhere in [other.dir().as_path(), plain.path()] {
        assert_eq!(DriverKind::Btrfs.driver().freeze(elsewhere, &view).unwrap(), None);
    }
    assert_eq!(DriverKind::Copy.driver().freeze(&mount.dir(), &view).unwrap(), None);
    assert!(!view.exists());
}
