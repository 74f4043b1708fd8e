//! A snapshot carried from pool to pool, whatever their drivers.

use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::clones::small_source;
use crate::common::{FileSystem, LoopFs, Pool, Queries, Sandbox, must, tree_digest};

#[test]
fn a_snapshot_is_the_same_in_every_pool_and_clones_start_there() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let xfs = LoopFs::mount(&sandbox, FileSystem::Xfs, "xfs", 700);
    let btrfs = LoopFs::mount(&sandbox, FileSystem::Btrfs, "btrfs", 700);
    let key = sandbox.join("sign.pem");
    must(
        Command::new(env!("CARGO_BIN_EXE_thinveil"))
            .args(["key", "new", "--signing", "--file"])
            .arg(&key),
    );
    let first = Pool::init(&xfs.path().join("pool"), "reflink");
    let signed = ["--name", "monday", "--signing-key-file", key.to_str().unwrap()];
    let snapshot = first.snapshot(&source, rules.path(), &signed);
    let digest = tree_digest(&snapshot.data());
    let file = sandbox.join("monday.tar.zst");
    let file = file.to_str().unwrap();
    let told = first.json(&["snapshot", "export", "monday", "--file", file]);
    assert!(told["archive_bytes"].as_u64() < told["bytes"].as_u64());
    first.run(&["snapshot", "export", "monday", "--file", file]).expect_code(1);
    let listed = must(Command::new("tar").args(["--zstd", "-tf", file]));
    assert!(listed.lines().any(|line| line == "volume/data/PG_VERSION"), "{listed}");

    let public = snapshot.json["signed_by"].as_str().unwrap();
    for (place, driver) in
        [(btrfs.path(), "btrfs"), (sandbox.path(), "overlay"), (sandbox.path(), "copy")]
    {
        let pool = Pool::init(&place.join(format!("{driver}-pool")), driver);
        let import = ["snapshot", "import", file, "--name", "friday"];
        let imported = pool.json(&import);
        assert_eq!(imported["id"], snapshot.json["id"]);
        assert_eq!(imported["name"], "friday");
        assert_eq!(imported["signed_by"], public);
        let data = pool.dir().join("snapshots").join(&snapshot.id).join("volume/data");
        assert_eq!(tree_digest(&data), digest, "{driver}");
        let verified = pool.json(&["snapshot", "verify", "friday"]);
        assert_eq!(
            (&verified["verified"], &verified["signature"]),
            (&true.into(), &"valid".into())
        );
        let clone = pool.clone_of("friday", &[]);
        assert_eq!(clone.value("postgres", "SELECT count(*) FROM people"), "1000");
        pool.run(&import).expect_code(1);
        let audited = pool.json(&["snapshot", "audit", "friday"]);
        assert_eq!(
            audited["values_searched"],
            first.json(&["snapshot", "audit", "monday"])["values_searched"]
        );
        pool.json(&["snapshot", "destroy", "friday", "--cascade"]);
        assert_eq!(pool.remains(), Vec::<String>::new());
    }
}

#[test]
fn an_export_or_import_that_is_killed_leaves_nothing_that_looks_whole() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let pool = Pool::new(&sandbox);
    pool.snapshot(&source, rules.path(), &["--name", "monday"]);
    let file = sandbox.join("archive");
    let path = file.to_str().unwrap();
    let other = Pool::init(&sandbox.join("other"), "copy");
    let killed = |pool: &Pool, arguments: &[&str], delay: u64| {
        let mut child = pool.command(arguments).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(delay));
        let _ = kill_process(Pid::from_child(&child), Signal::KILL);
        child.wait().unwrap().success()
    };
    let mut interrupted = 0;
    for delay in (0..400).step_by(40) {
        let whole = killed(&pool, &["snapshot", "export", "monday", "--file", path], delay);
        assert!(!whole || file.exists());
        interrupted += usize::from(!whole);
        let _ = std::fs::remove_file(&file);
    }
    assert!(interrupted > 0, "none was killed in time");
    pool.json(&["snapshot", "export", "monday", "--file", path]);
    let mut interrupted = 0;
    for delay in (0..600).step_by(60) {
        let whole = killed(&other, &["snapshot", "import", path], delay);
        let status = other.json(&["pool", "status"]);
        assert_eq!(status["staging"], 0);
        // The kill may come when the snapshot has its place already.
        let there = status["snapshots"] == 1;
        assert!(there || !whole, "after {delay} ms");
        interrupted += usize::from(!whole);
        if there {
            assert_eq!(other.json(&["snapshot", "verify", "monday"])["verified"], true);
            other.json(&["snapshot", "destroy", "monday"]);
        }
    }
    assert!(interrupted > 0, "none was killed in time");
    other.json(&["snapshot", "import", path]);
    assert_eq!(other.json(&["snapshot", "verify", "monday"])["verified"], true);
}
