//! What every driver keeps to, verb by verb: after success, after failure, after a crash in the middle,
//! and with two callers at once.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use thinveil::progress::Cancel;
use thinveil::storage::{Blocks, Driver, DriverKind, Root, Watch, Writes};

use crate::run;

/// What a file holds: nothing that a file system could make shorter.
fn content(number: u8) -> Vec<u8> {
    let mut state = u64::from(number) + 1;
    let mut next = || {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..100_000).map(|_| next()).collect()
}

/// A tree with everything that a source may have in it.
fn source(dir: &Path) -> PathBuf {
    let source = dir.join("source");
    fs::create_dir_all(source.join("data/base/1")).unwrap();
    fs::create_dir_all(dir.join("space/PG_15")).unwrap();
    for number in 0..20_u8 {
        fs::write(source.join(format!("data/base/1/{number}")), content(number)).unwrap();
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

/// A driver in an empty directory of its own, which is as empty afterwards.
struct Trial<'a> {
    driver: &'a dyn Driver,
    dir: &'a Path,
    cancel: Cancel,
    roots: [Root; 2],
}

impl Trial<'_> {
    /// Where a volume goes, its parent made.
    fn place(&self, name: &str) -> PathBuf {
        let parent = self.dir.join(name);
        fs::create_dir_all(&parent).unwrap();
        parent.join("volume")
    }

    fn clone_volume(&self, from: &Path, to: &Path) -> thinveil::error::Result<()> {
        self.driver.clone_volume(from, to, &Watch::silent(&self.cancel))
    }

    fn ingest(&self, volume: &Path, blocks: Blocks) -> thinveil::storage::Ingested {
        let watch = Watch::silent(&self.cancel);
        self.driver.ingest(&self.roots, volume, blocks, &watch).unwrap()
    }

    /// Nothing is left of a volume, nor beside it.
    fn is_gone(&self, volume: &Path) -> bool {
        fs::read_dir(volume.parent().unwrap()).unwrap().count() == 0
    }
}

/// Panics if it does not.
pub(crate) fn keeps_the_contract(driver: &dyn Driver, dir: &Path) {
    let source = source(dir);
    let roots =
        [Root::new(source.join("data"), "data"), Root::new(dir.join("space"), "tablespaces/16400")];
    let trial = Trial { driver, dir, cancel: Cancel::new(), roots };
    let snapshot = trial.place("s");
    ingests_what_is_there(&trial, &source, &snapshot);
    sets_apart(&trial);
    makes_empty_volumes(&trial);
    clones_are_apart(&trial, &snapshot);
    volumes_move(&trial, &snapshot);
    parts_of_volumes_go_away(&trial, &snapshot);
    serves_two_callers(&trial, &snapshot);
    climbing_links_are_refused(&trial, &snapshot);
    sealed_volumes_are_cloned_and_destroyed(&trial, &snapshot);
    trial.cancel.cancel();
    let clone = trial.place("c");
    assert!(trial.clone_volume(&snapshot, &clone).is_err());
    driver.destroy(&clone).unwrap();
    assert!(trial.is_gone(&clone));
    driver.destroy(&snapshot).unwrap();
    assert!(trial.is_gone(&snapshot));
}

fn ingests_what_is_there(trial: &Trial<'_>, source: &Path, snapshot: &Path) {
    let ingested = trial.ingest(snapshot, Blocks::Shared);
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
    Writes::from_now(snapshot).unwrap().flush().unwrap();
    if matches!(trial.driver.kind(), DriverKind::Reflink | DriverKind::Btrfs) {
        assert!(extents(snapshot).shared_bytes > 1_500_000);
    }
}

/// What the file system says, whatever the driver.
fn extents(volume: &Path) -> thinveil::storage::Usage {
    DriverKind::Reflink.driver().usage(volume).unwrap()
}

fn sets_apart(trial: &Trial<'_>) {
    let apart = trial.place("a");
    trial.ingest(&apart, Blocks::Apart);
    let usage = extents(&apart);
    assert!(usage.shared_bytes == 0 && usage.own_bytes > 1_500_000, "{usage:?}");
    assert_eq!(fs::read(apart.join("data/base/1/7")).unwrap(), content(7));
    assert!(apart.join("data/sparse").metadata().unwrap().blocks() * 512 < 1 << 20);
    trial.driver.destroy(&apart).unwrap();
    assert!(trial.is_gone(&apart));
}

fn makes_empty_volumes(trial: &Trial<'_>) {
    let volume = trial.place("e");
    trial.driver.create_volume(&volume).unwrap();
    assert_eq!(fs::read_dir(&volume).unwrap().count(), 0);
    assert_eq!(volume.metadata().unwrap().mode() & 0o777, 0o711);
    fs::write(volume.join("file"), "text").unwrap();
    let clone = trial.place("f");
    trial.clone_volume(&volume, &clone).unwrap();
    assert_eq!(fs::read(clone.join("file")).unwrap(), b"text");
    trial.driver.destroy(&clone).unwrap();
    trial.driver.destroy(&volume).unwrap();
    assert!(trial.is_gone(&volume) && trial.is_gone(&clone));
}

fn clones_are_apart(trial: &Trial<'_>, snapshot: &Path) {
    let clone = trial.place("c");
    trial.clone_volume(snapshot, &clone).unwrap();
    assert_eq!(fs::read(clone.join("data/base/1/7")).unwrap(), content(7));
    assert_eq!(fs::read(clone.join("data/pg_tblspc/16400/PG_15/1")).unwrap(), b"tablespace");
    assert_eq!(clone.join("data/base/1/3").metadata().unwrap().uid(), 65534);
    fs::write(clone.join("data/base/1/7"), "changed").unwrap();
    fs::remove_file(clone.join("data/base/1/8")).unwrap();
    assert_eq!(fs::read(snapshot.join("data/base/1/7")).unwrap(), content(7));
    Writes::from_now(&clone).unwrap().flush().unwrap();
    let usage = trial.driver.usage(&clone).unwrap();
    if trial.driver.capabilities().shares_blocks {
        assert!(usage.shared_bytes > 1_500_000, "{usage:?}");
        assert!(usage.own_bytes < 200_000, "{usage:?}");
    } else {
        assert!(usage.own_bytes + usage.shared_bytes > 1_500_000, "{usage:?}");
    }
    let (changed, kept) = (Path::new("data/base/1/7"), Path::new("data/base/1/9"));
    assert!(!trial.driver.is_shared(&clone, snapshot, changed));
    // No driver says of a file that was written that it is shared; some can't tell of others.
    let own = |file| trial.driver.own_bytes(&clone, file).unwrap();
    if trial.driver.is_shared(&clone, snapshot, kept) {
        assert_eq!(own(kept), Some(0));
    }
    assert_ne!(own(changed), Some(0));
    // What is there already stays as it is.
    assert!(trial.clone_volume(snapshot, &clone).is_err());
    assert_eq!(fs::read(clone.join("data/base/1/7")).unwrap(), b"changed");
    assert_eq!(fs::read_dir(&clone).unwrap().count(), 2);
}

/// A second generation of the clone, and a volume that moved.
fn volumes_move(trial: &Trial<'_>, snapshot: &Path) {
    let driver = trial.driver;
    let (clone, moved) = (trial.place("c"), trial.dir.join("moved"));
    driver.detach(&clone).unwrap();
    driver.detach(&clone).unwrap();
    fs::rename(trial.dir.join("c"), &moved).unwrap();
    let clone = moved.join("volume");
    assert_eq!(driver.attach(&clone).unwrap(), driver.capabilities().mounts);
    assert!(!driver.attach(&clone).unwrap());
    assert_eq!(fs::read(clone.join("data/base/1/7")).unwrap(), b"changed");
    let second = moved.join("second");
    trial.clone_volume(&clone, &second).unwrap();
    assert_eq!(fs::read(second.join("data/base/1/7")).unwrap(), b"changed");
    assert!(!second.join("data/base/1/8").exists());
    driver.destroy(&second).unwrap();
    driver.destroy(&clone).unwrap();
    driver.destroy(&clone).unwrap();
    assert!(trial.is_gone(&clone));
    assert_eq!(fs::read(snapshot.join("data/base/1/8")).unwrap(), content(8));
}

/// What a crash may have left of a volume is removed, and its neighbours stay.
fn parts_of_volumes_go_away(trial: &Trial<'_>, snapshot: &Path) {
    let driver = trial.driver;
    let part = trial.place("p");
    let neighbour = trial.place("q");
    trial.clone_volume(snapshot, &neighbour).unwrap();
    driver.destroy(&part).unwrap();
    // A plain directory with some files; an empty volume; a whole one, detached.
    fs::create_dir_all(part.join("data/base")).unwrap();
    fs::write(part.join("data/base/1"), "part").unwrap();
    driver.destroy(&part).unwrap();
    assert!(trial.is_gone(&part));
    driver.create_volume(&part).unwrap();
    driver.destroy(&part).unwrap();
    assert!(trial.is_gone(&part));
    trial.clone_volume(snapshot, &part).unwrap();
    driver.detach(&part).unwrap();
    driver.destroy(&part).unwrap();
    assert!(trial.is_gone(&part));
    assert_eq!(fs::read(neighbour.join("data/base/1/9")).unwrap(), content(9));
    driver.destroy(&neighbour).unwrap();
}

fn serves_two_callers(trial: &Trial<'_>, snapshot: &Path) {
    let places = ["g", "h"].map(|name| trial.place(name));
    std::thread::scope(|scope| {
        for place in &places {
            scope.spawn(move || trial.clone_volume(snapshot, place).unwrap());
        }
    });
    for (place, text) in places.iter().zip(["one", "two"]) {
        fs::write(place.join("data/base/1/1"), text).unwrap();
    }
    assert_eq!(fs::read(places[0].join("data/base/1/1")).unwrap(), b"one");
    // Of two that remove the same, one may have to do it again.
    let gone = &places[0];
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || trial.driver.destroy(gone));
        }
    });
    trial.driver.destroy(gone).unwrap();
    assert!(trial.is_gone(gone));
    assert_eq!(fs::read(places[1].join("data/base/1/1")).unwrap(), b"two");
    trial.driver.destroy(&places[1]).unwrap();
}

/// A clone that is made file by file has no link that climbs out of it; others hold what their
/// snapshot holds.
fn climbing_links_are_refused(trial: &Trial<'_>, snapshot: &Path) {
    let capabilities = trial.driver.capabilities();
    if capabilities.mounts || capabilities.atomic {
        return;
    }
    let (climbing, clone) = (snapshot.join("data/climbing"), trial.place("c"));
    symlink("../../../../etc", &climbing).unwrap();
    let error = trial.clone_volume(snapshot, &clone).unwrap_err().to_string();
    assert!(error.contains("leaves the volume"), "{error}");
    trial.driver.destroy(&clone).unwrap();
    assert!(trial.is_gone(&clone));
    fs::remove_file(climbing).unwrap();
}

fn sealed_volumes_are_cloned_and_destroyed(trial: &Trial<'_>, snapshot: &Path) {
    let (sealed, clone) = (trial.place("t"), trial.place("c"));
    trial.clone_volume(snapshot, &sealed).unwrap();
    trial.driver.seal(&sealed).unwrap();
    trial.driver.seal(&sealed).unwrap();
    let written = fs::write(sealed.join("data/base/1/1"), "late");
    assert_eq!(written.is_err(), trial.driver.capabilities().seals);
    trial.clone_volume(&sealed, &clone).unwrap();
    fs::write(clone.join("data/base/1/1"), "mine").unwrap();
    trial.driver.destroy(&clone).unwrap();
    trial.driver.destroy(&sealed).unwrap();
    assert!(trial.is_gone(&sealed) && trial.is_gone(&clone));
}

#[test]
fn a_subvolume_with_another_in_it_goes_away_sealed_or_not() {
    if !crate::is_root() {
        return;
    }
    let mount = crate::LoopMount::new(&["mkfs.btrfs", "-q"]);
    let driver = DriverKind::Btrfs.driver();
    for sealed in [false, true] {
        let volume = mount.dir().join("volume");
        driver.create_volume(&volume).unwrap();
        driver.create_volume(&volume.join("inner")).unwrap();
        fs::write(volume.join("inner/file"), "text").unwrap();
        if sealed {
            driver.seal(&volume).unwrap();
        }
        driver.destroy(&volume).unwrap();
        assert!(!volume.exists());
    }
}

/// A driver whose clones are the volume itself.
#[derive(Debug)]
struct Leaky(Box<dyn Driver>);

impl Driver for Leaky {
    fn kind(&self) -> DriverKind {
        self.0.kind()
    }

    fn capabilities(&self) -> thinveil::storage::Capabilities {
        self.0.capabilities()
    }

    fn clone_volume(
        &self,
        from: &Path,
        to: &Path,
        watch: &Watch<'_>,
    ) -> thinveil::error::Result<()> {
        self.0.clone_volume(from, to, watch)?;
        let (inner, outer) = (from.join("data/base/1/7"), to.join("data/base/1/7"));
        if inner.exists() {
            fs::remove_file(&outer).unwrap();
            fs::hard_link(inner, outer).unwrap();
        }
        Ok(())
    }
}

#[test]
fn a_driver_whose_clones_write_into_their_snapshot_is_found() {
    if crate::is_root() {
        let home = tempfile::tempdir().unwrap();
        let leaky = Leaky(DriverKind::Copy.driver());
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            keeps_the_contract(&leaky, home.path());
        }));
        assert!(outcome.is_err(), "the suite can fail");
    }
}
