//! One conformance test for every way of sharing blocks.

use std::path::Path;

use serde_json::Value;

use crate::common::{
    Base, FileSystem, LoopFs, Pool, Queries, Rules, Sandbox, assert_all_judges_pass, files_under,
    must, tree_digest,
};

const COUNT: &str = "SELECT count(*) FROM customers";

fn bytes(json: &Value, key: &str) -> u64 {
    json[key].as_u64().unwrap_or_else(|| panic!("no {key} in {json}"))
}

fn size_of(volume: &Path) -> u64 {
    let files = files_under(volume).into_iter();
    files.map(|file| volume.join(file).metadata().expect("metadata").len()).sum()
}

/// Create, write, reset, stop, start, destroy; everything apart, everything gone in the end.
fn conforms(sandbox: &Sandbox, place: &Path, driver: &str, thin: bool) {
    let rules = Rules::shop(sandbox);
    let mut raw = Base::ShopWithChecksums.copy_into(sandbox, "raw", place);
    let before_all = tree_digest(raw.data());
    let pool = Pool::init(&place.join("pool"), driver);
    assert_eq!(pool.json(&["pool", "status"])["driver"], driver);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    assert_eq!(snapshot.json["driver"], driver);
    assert_eq!(tree_digest(raw.data()), before_all, "the source was written to");
    let whole = size_of(&snapshot.data());
    let sealed = tree_digest(&snapshot.data());

    let one = pool.clone_of(&snapshot.id, &["--name", "one"]);
    let two = pool.clone_of(&snapshot.id, &["--name", "two"]);
    for clone in [&one, &two] {
        assert_eq!(clone.json["driver"], driver);
        let (own, shared) = (bytes(&clone.json, "own_bytes"), bytes(&clone.json, "shared_bytes"));
        if thin {
            assert!(own < whole / 2, "{own} of {whole} bytes are the clone's own");
            // ZFS tells of bytes as they lie on disk, compressed.
            let least = if driver == "zfs" { whole / 8 } else { whole / 3 };
            assert!(shared > least, "{shared} of {whole} bytes are shared");
            assert!(own < 2_000_000 || driver == "overlay", "an idle clone owns {own} bytes");
        } else {
            assert!(own > whole / 2, "{own} of {whole} bytes are the clone's own");
            assert_eq!(shared, 0);
        }
    }
    let full = clone_judged(&pool, &mut raw, &rules, &snapshot);
    assert!(full, "the judges were asked");

    one.exec("shop", "TRUNCATE orders; DELETE FROM visits; CHECKPOINT");
    one.exec(
        "shop",
        // Nothing that a file system could make shorter.
        "CREATE TABLE ballast AS SELECT string_agg(decode(md5(random()::text), 'hex'), ''::bytea)
         FROM generate_series(1, 20000) n, generate_series(1, 56) GROUP BY n",
    );
    one.exec("shop", "CHECKPOINT");
    let grown = pool.json(&["clone", "show", "one"]);
    let growth = bytes(&grown, "own_bytes").saturating_sub(bytes(&one.json, "own_bytes"));
    assert!(growth > 15_000_000, "18 MB were written, {growth} bytes are told");
    assert_eq!(two.value("shop", "SELECT count(*) > 17000 FROM orders"), "t");
    assert_eq!(tree_digest(&snapshot.data()), sealed, "a clone wrote into its snapshot");

    pool.json(&["clone", "stop", "two"]);
    pool.json(&["clone", "start", "two"]);
    assert_eq!(two.value("shop", COUNT), "8000");
    pool.json(&["clone", "reset", "one"]);
    assert_eq!(one.value("shop", "SELECT count(*) > 17000 FROM orders"), "t");
    assert_eq!(one.value("shop", "SELECT count(*) FROM pg_class WHERE relname = 'ballast'"), "0");
    assert_eq!(tree_digest(&snapshot.data()), sealed, "a reset wrote into its snapshot");

    pool.json(&["clone", "destroy", "one"]);
    assert_eq!(two.value("shop", COUNT), "8000");
    pool.json(&["clone", "destroy", "two"]);
    pool.json(&["snapshot", "destroy", &snapshot.id]);
    assert_eq!(pool.remains(), Vec::<String>::new());
    assert!(size_of(pool.dir()) < 1_000_000, "{:?}", files_under(pool.dir()));
}

/// Judges a clone of its own, since judging writes.
fn clone_judged(
    pool: &Pool,
    raw: &mut crate::common::Cluster,
    rules: &Rules,
    snapshot: &crate::common::Snapshot,
) -> bool {
    let clone = pool.clone_of(&snapshot.id, &["--name", "judged"]);
    raw.start();
    assert_all_judges_pass(raw, rules, snapshot, &clone);
    raw.stop();
    pool.json(&["clone", "destroy", "judged"]);
    true
}

#[test]
fn reflink_on_xfs_conforms() {
    let sandbox = Sandbox::new();
    let disk = LoopFs::mount(&sandbox, FileSystem::Xfs, "xfs", 1200);
    conforms(&sandbox, disk.path(), "reflink", true);
}

#[test]
fn reflink_on_btrfs_conforms() {
    let sandbox = Sandbox::new();
    let disk = LoopFs::mount(&sandbox, FileSystem::Btrfs, "btrfs", 1200);
    conforms(&sandbox, disk.path(), "reflink", true);
}

#[test]
fn btrfs_conforms() {
    let sandbox = Sandbox::new();
    let disk = LoopFs::mount(&sandbox, FileSystem::Btrfs, "btrfs", 1200);
    conforms(&sandbox, disk.path(), "btrfs", true);
}

#[test]
#[cfg(feature = "zfs")]
#[ignore = "needs a kernel with ZFS: make test-zfs"]
fn zfs_conforms() {
    let sandbox = Sandbox::new();
    let disk = LoopFs::mount(&sandbox, FileSystem::Zfs, "zfs", 1200);
    conforms(&sandbox, disk.path(), "zfs", true);
}

#[test]
fn overlay_conforms() {
    let sandbox = Sandbox::new();
    let place = sandbox.join("place");
    std::fs::create_dir(&place).unwrap();
    conforms(&sandbox, &place, "overlay", true);
}

#[test]
fn copy_conforms() {
    let sandbox = Sandbox::new();
    let place = sandbox.join("place");
    std::fs::create_dir(&place).unwrap();
    conforms(&sandbox, &place, "copy", false);
}

#[test]
fn auto_picks_the_thinnest_that_works_and_says_which() {
    let sandbox = Sandbox::new();
    let xfs = LoopFs::mount(&sandbox, FileSystem::Xfs, "xfs", 300);
    let btrfs = LoopFs::mount(&sandbox, FileSystem::Btrfs, "btrfs", 300);
    let driver = |place: &Path| {
        let pool = Pool::init(&place.join("auto"), "auto");
        pool.json(&["pool", "status"])["driver"].as_str().unwrap().to_owned()
    };
    assert_eq!(driver(xfs.path()), "reflink");
    assert_eq!(driver(btrfs.path()), "btrfs");
    assert!(["overlay", "reflink"].contains(&driver(sandbox.path()).as_str()));
    let sparse = sandbox.join("memory");
    std::fs::create_dir(&sparse).unwrap();
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(&sparse);
    assert!(mount.status().unwrap().success());
    assert!(["overlay", "copy"].contains(&driver(&sparse).as_str()));
}

#[test]
fn a_driver_that_can_not_work_there_is_refused_with_what_could() {
    let sandbox = Sandbox::new();
    let memory = sandbox.join("memory");
    std::fs::create_dir(&memory).unwrap();
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(&memory);
    assert!(mount.status().unwrap().success());
    let dir = memory.join("pool");
    let mut init = std::process::Command::new(env!("CARGO_BIN_EXE_thinveil"));
    init.arg("--pool").arg(&dir).args(["pool", "init", "--driver", "reflink"]);
    let output = init.output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("reflink"), "{text}");
    assert!(text.contains("overlay") || text.contains("copy") || text.contains("auto"), "{text}");
    Pool::init(&dir, "copy");
}

#[test]
#[cfg(not(feature = "zfs"))]
fn a_build_without_zfs_says_so() {
    let sandbox = Sandbox::new();
    let mut init = std::process::Command::new(env!("CARGO_BIN_EXE_thinveil"));
    init.arg("--pool").arg(sandbox.join("pool")).args(["pool", "init", "--driver", "zfs"]);
    let output = init.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("built without the driver zfs"), "{said}");
}

/// Extents below `dir` that some other file holds too, by the file system's word.
fn shared_extents(dir: &Path) -> usize {
    let files = files_under(dir);
    let mut command = std::process::Command::new("filefrag");
    command.arg("-v").args(files.iter().map(|file| dir.join(file)));
    let told = must(&mut command);
    told.lines().filter(|line| line.contains("shared")).count()
}

#[test]
fn a_detached_snapshot_shares_no_block_with_the_raw_data_and_clones_still_share_with_it() {
    let sandbox = Sandbox::new();
    let disk = LoopFs::mount(&sandbox, FileSystem::Xfs, "xfs", 1200);
    let rules = Rules::shop(&sandbox);
    let raw = Base::ShopWithChecksums.copy_into(&sandbox, "raw", disk.path());
    let pool = Pool::init(&disk.path().join("pool"), "reflink");
    let sharing = pool.snapshot(raw.source(), rules.path(), &[]);
    assert!(shared_extents(&sharing.volume) > 100, "whatever no mask touches is shared");
    assert_eq!(sharing.json["detached"], false);
    pool.json(&["snapshot", "destroy", &sharing.id]);

    let detached = pool.snapshot(raw.source(), rules.path(), &["--detach"]);
    assert_eq!(detached.json["detached"], true);
    assert_eq!(shared_extents(&detached.volume), 0);
    assert_eq!(shared_extents(raw.data()), 0, "nothing shares with the source");
    let clone = pool.clone_of(&detached.id, &[]);
    assert!(bytes(&clone.json, "shared_bytes") > 10_000_000, "{}", clone.json);
}

fn unmount(dir: &Path) {
    must(std::process::Command::new("umount").arg(dir));
}

#[test]
fn a_pool_in_a_file_shares_blocks_where_the_file_system_does_not() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let raw = Base::Shop.copy(&sandbox, "raw");
    let dir = sandbox.join("pool");
    // What a crash left of an earlier try is no obstacle.
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("pool.xfs.part"), "half").unwrap();
    let pool = Pool::init_in_file(&dir, "1G");
    assert_eq!(pool.json(&["pool", "status"])["driver"], "reflink");
    let again = pool.run(&["pool", "init", "--loop", "1G"]).expect_code(1).json().to_string();
    assert!(again.contains("is a pool already"), "{again}");
    let snapshot = pool.snapshot(raw.source(), rules.path(), &["--name", "base"]);
    let clone = pool.clone_of("base", &["--name", "one"]);
    assert!(bytes(&clone.json, "shared_bytes") > 3 * bytes(&clone.json, "own_bytes"));
    clone.exec("shop", "DELETE FROM visits");

    // A reboot: no server, no mount.
    pool.json(&["clone", "stop", "one"]);
    unmount(&dir);
    let only = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(only.collect::<Vec<_>>(), ["pool.xfs"]);
    let recovered = pool.json(&["pool", "recover"]);
    assert!(recovered.to_string().contains("pool.xfs"), "{recovered}");
    assert_eq!(pool.ids("snapshot"), [snapshot.id]);
    pool.json(&["clone", "start", "one"]);
    assert_eq!(clone.value("shop", "SELECT count(*) FROM visits"), "0");

    // Many come at once after the next one: it is mounted once.
    pool.json(&["clone", "stop", "one"]);
    unmount(&dir);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| pool.json(&["pool", "status"]));
        }
    });
    pool.json(&["clone", "destroy", "one"]);
    pool.json(&["snapshot", "destroy", "base"]);
    unmount(&dir);
    assert!(dir.join("pool.xfs").exists(), "it was mounted twice");

    // What others may write is not mounted.
    std::os::unix::fs::chown(dir.join("pool.xfs"), Some(65534), None).unwrap();
    let refused = pool.run(&["pool", "status"]).expect_code(1).json().to_string();
    assert!(refused.contains("others than root"), "{refused}");
}

#[test]
fn a_pool_in_a_file_has_a_size_that_can_be() {
    let sandbox = Sandbox::new();
    let pool = Pool::new(&sandbox);
    for (size, code) in [("10M", 1), ("much", 2)] {
        pool.run(&["pool", "init", "--loop", size]).expect_code(code);
    }
}
