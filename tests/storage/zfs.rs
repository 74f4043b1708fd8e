//! The driver `zfs`, in a kernel that has it: `make test-zfs` boots one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use thinveil::progress::Cancel;
use thinveil::storage::{Driver, DriverChoice, DriverKind, Watch, probe};

use crate::contract::keeps_the_contract;
use crate::run;

/// A pool of ZFS in a file, with a file system `pg`; gone when dropped.
struct Zpool {
    name: String,
    home: tempfile::TempDir,
}

impl Zpool {
    fn new(name: &str) -> Zpool {
        // Whatever `zpool` is in PATH would be driven otherwise.
        assert!(Path::new("/sys/module/zfs").exists(), "no ZFS in this kernel");
        let home = tempfile::tempdir().unwrap();
        let image = home.path().join("image");
        fs::File::create(&image).unwrap().set_len(600 << 20).unwrap();
        let zpool = Zpool { name: name.to_owned(), home };
        let mount_point = format!("mountpoint={}", zpool.dir().display());
        run(Command::new("zpool").args(["create", "-O", &mount_point, name]).arg(&image));
        zpool
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("mnt")
    }

    /// All file systems and snapshots below the pool's own.
    fn datasets(&self) -> Vec<String> {
        let mut command = Command::new("zfs");
        command.args(["list", "-H", "-r", "-t", "filesystem,snapshot", "-o", "name", &self.name]);
        let output = command.output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| *line != self.name).map(str::to_owned).collect()
    }

    fn property(&self, dataset: &str, name: &str) -> String {
        let output = Command::new("zfs").args(["get", "-H", "-o", "value", name, dataset]).output();
        String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Zpool {
    fn drop(&mut self) {
        let _ = Command::new("zpool").args(["destroy", "-f", &self.name]).status();
    }
}

fn volume_with(driver: &dyn Driver, volume: &Path, text: &str) {
    driver.create_volume(volume).unwrap();
    fs::write(volume.join("file"), text).unwrap();
}

#[test]
#[ignore = "needs a kernel with ZFS: make test-zfs"]
fn zfs_keeps_the_contract() {
    let zpool = Zpool::new("contract");
    assert_eq!(probe(&zpool.dir(), DriverChoice::Auto).unwrap().chosen, DriverKind::Zfs);
    assert_eq!(fs::read_dir(zpool.dir()).unwrap().count(), 0, "probing leaves nothing");
    keeps_the_contract(DriverKind::Zfs.driver().as_ref(), &zpool.dir());
    assert_eq!(zpool.datasets(), Vec::<String>::new());
}

#[test]
#[ignore = "needs a kernel with ZFS: make test-zfs"]
fn zfs_volumes_outlive_what_they_were_made_of() {
    let zpool = Zpool::new("lineage");
    let driver = DriverKind::Zfs.driver();
    let place = |name: &str| zpool.dir().join(name);
    let cancel = Cancel::new();
    let watch = Watch::silent(&cancel);

    volume_with(driver.as_ref(), &place("first"), "first");
    driver.clone_volume(&place("first"), &place("second"), &watch).unwrap();
    fs::write(place("first/file"), "later").unwrap();
    driver.branch_volume(&place("first"), &place("third"), &watch).unwrap();
    driver.clone_volume(&place("second"), &place("fourth"), &watch).unwrap();
    fs::write(place("second/file"), "second").unwrap();

    driver.destroy(&place("first")).unwrap();
    assert!(!place("first").exists());
    assert_eq!(fs::read(place("second/file")).unwrap(), b"second");
    assert_eq!(fs::read(place("third/file")).unwrap(), b"later");
    driver.destroy(&place("second")).unwrap();
    assert_eq!(fs::read(place("fourth/file")).unwrap(), b"first");
    assert_eq!(zpool.datasets().iter().filter(|name| !name.contains('@')).count(), 2);
    driver.destroy(&place("fourth")).unwrap();
    let left = zpool.datasets();
    assert_eq!(left.len(), 1, "no snapshot is left: {left:?}");
    assert_eq!(fs::read(place("third/file")).unwrap(), b"later");
    for (name, value) in
        [("recordsize", "8K"), ("compression", "lz4"), ("atime", "off"), ("mountpoint", "legacy")]
    {
        assert_eq!(zpool.property(&left[0], name), value);
    }
    driver.destroy(&place("third")).unwrap();
    assert_eq!(zpool.datasets(), Vec::<String>::new());
}

#[test]
#[ignore = "needs a kernel with ZFS: make test-zfs"]
fn zfs_leaves_nothing_of_a_clone_that_was_cut_short() {
    let zpool = Zpool::new("crashes");
    let driver = DriverKind::Zfs.driver();
    let from = zpool.dir().join("from");
    volume_with(driver.as_ref(), &from, "text");
    let before = zpool.datasets();
    let [dataset] = before.as_slice() else { panic!("{before:?}") };
    let origin = dataset.rsplit('/').next().unwrap();

    let to = zpool.dir().join("to");
    let record = format!(r#"{{"volume":{{"name":"thinveil-to","from":"{origin}"}}}}"#);
    let steps: [&dyn Fn(); 5] = [
        &|| fs::write(zpool.dir().join("to.zfs.new"), "{").unwrap(),
        &|| fs::write(zpool.dir().join("to.zfs"), &record).unwrap(),
        &|| run(Command::new("zfs").args(["snapshot", &format!("{dataset}@thinveil-to")])),
        &|| {
            let (from, to) = (format!("{dataset}@thinveil-to"), "crashes/thinveil-to");
            run(Command::new("zfs").args(["clone", "-o", "mountpoint=legacy", &from, to]));
        },
        &|| fs::create_dir(&to).unwrap(),
    ];
    for done in 1..=steps.len() {
        for step in &steps[..done] {
            step();
        }
        driver.destroy(&to).unwrap();
        assert_eq!(zpool.datasets(), before, "after {done} steps");
        assert!(!to.exists());
        for left in ["to.zfs", "to.zfs.new"] {
            assert!(!zpool.dir().join(left).exists(), "{left} is left");
        }
    }
    assert_eq!(fs::read(from.join("file")).unwrap(), b"text");
}

#[test]
#[ignore = "needs a kernel with ZFS: make test-zfs"]
fn zfs_sees_a_source_as_it_was() {
    let zpool = Zpool::new("freezing");
    let driver = DriverKind::Zfs.driver();
    run(Command::new("zfs").args(["create", "freezing/pg"]));
    let (pg, view) = (zpool.dir().join("pg"), zpool.dir().join("view"));
    fs::create_dir_all(pg.join("15/main")).unwrap();
    fs::write(pg.join("15/main/file"), "before").unwrap();

    let frozen = driver.freeze(&pg.join("15/main"), &view).unwrap().unwrap();
    fs::write(pg.join("15/main/file"), "after").unwrap();
    let seen = frozen.view_of(&pg.join("15/main")).unwrap().join("file");
    assert_eq!(fs::read(&seen).unwrap(), b"before");
    assert!(fs::write(&seen, "late").is_err());
    driver.destroy(&frozen.at).unwrap();
    assert!(!view.exists());
    assert_eq!(fs::read(pg.join("15/main/file")).unwrap(), b"after");
    assert_eq!(zpool.datasets(), ["freezing/pg"]);

    // One snapshot does not hold a dataset below, and none sees another file system.
    run(Command::new("zfs").args(["create", "freezing/pg/base"]));
    let error = driver.freeze(&pg, &view).unwrap_err().to_string();
    assert!(error.contains("base"), "{error}");
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(driver.freeze(elsewhere.path(), &view).unwrap().is_none());
}

/// What is written to volumes is on disk once the pool's own file system was flushed: a copy of the
/// device, imported, has it.
#[test]
#[ignore = "needs a kernel with ZFS: make test-zfs"]
fn zfs_volumes_survive_a_power_failure_once_flushed() {
    let zpool = Zpool::new("power");
    let driver = DriverKind::Zfs.driver();
    let volume = zpool.dir().join("volume");
    driver.create_volume(&volume).unwrap();
    let writes = thinveil::storage::Writes::from_now(&zpool.dir()).unwrap();
    fs::write(volume.join("file"), "flushed").unwrap();
    writes.flush().unwrap();
    let copy = tempfile::tempdir().unwrap();
    fs::copy(zpool.home.path().join("image"), copy.path().join("image")).unwrap();
    drop(writes);
    driver.detach(&volume).unwrap();
    drop(zpool);

    let mut import = Command::new("zpool");
    import.args(["import", "-f", "-N", "-d"]).arg(copy.path()).args(["power", "after"]);
    run(&mut import);
    let zpool = Zpool { name: "after".to_owned(), home: copy };
    let datasets = zpool.datasets();
    let mount = zpool.home.path().join("mnt");
    fs::create_dir(&mount).unwrap();
    run(Command::new("mount").args(["-t", "zfs", &datasets[0]]).arg(&mount));
    assert_eq!(fs::read(mount.join("file")).unwrap(), b"flushed");
    run(Command::new("umount").arg(&mount));
}
