//! Everything without root: the user that owns the data has a pool of its own.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::clones::small_source;
use crate::common::{
    Base, Cluster, FileSystem, LoopFs, Pool, Queries, Rules, Sandbox, Servers, must,
};
use crate::masking::assert_masked_well;

/// A pool whose every verb runs as the user `postgres`, without any capability.
fn pool_of_postgres(sandbox: &Sandbox) -> Pool {
    pool_of_postgres_in(sandbox, &sandbox.postgres_dir("home"))
}

fn pool_of_postgres_in(sandbox: &Sandbox, home: &Path) -> Pool {
    // The build's own directory may be out of that user's reach.
    let program = sandbox.join("thinveil");
    fs::copy(env!("CARGO_BIN_EXE_thinveil"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let program = program.to_str().unwrap();
    let pool = home.join("pool");
    let setpriv = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
    let command = [&setpriv[..], &["--inh-caps=-all", "--no-new-privs", program]].concat();
    Pool::init_with(&pool, "auto", &command)
}

/// Paths below the pool that belong to somebody else.
fn owned_by_others(pool: &Pool) -> Vec<String> {
    let owner = pool.dir().metadata().unwrap().uid();
    walkdir::WalkDir::new(pool.dir())
        .into_iter()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.metadata().unwrap().uid() != owner)
        .map(|entry| entry.path().display().to_string())
        .collect()
}

#[test]
fn the_owner_of_the_data_masks_and_clones_without_root() {
    let sandbox = Sandbox::new();
    let raw = Base::ShopWithChecksums.copy(&sandbox, "raw");
    let pool = pool_of_postgres(&sandbox);
    all_is_done_without_root(&sandbox, raw, &pool);
}

#[test]
fn subvolumes_need_no_root() {
    let sandbox = Sandbox::new();
    let disk = LoopFs::mount(&sandbox, FileSystem::Btrfs, "btrfs", 1200);
    must(std::process::Command::new("chown").arg("postgres:").arg(disk.path()));
    let raw = Base::ShopWithChecksums.copy_into(&sandbox, "raw", disk.path());
    let pool = pool_of_postgres_in(&sandbox, disk.path());
    assert_eq!(pool.json(&["pool", "status"])["driver"], "btrfs");
    all_is_done_without_root(&sandbox, raw, &pool);
}

fn all_is_done_without_root(sandbox: &Sandbox, mut raw: Cluster, pool: &Pool) {
    let rules = Rules::shop(sandbox);
    let status = pool.json(&["pool", "status"]);
    assert_ne!(status["driver"], "overlay", "mounts need root");
    let snapshot = pool.snapshot(raw.source(), rules.path(), &["--name", "mine"]);
    raw.start();
    assert_masked_well(pool, &raw, &rules, &snapshot);

    let clone = pool.clone_of("mine", &["--name", "own"]);
    assert_eq!(owned_by_others(pool), Vec::<String>::new());
    assert_eq!(clone.value("shop", "SELECT count(*) FROM customers"), "8000");
    clone.exec("shop", "DELETE FROM orders");
    pool.json(&["clone", "stop", "own"]);
    pool.json(&["clone", "start", "own"]);
    assert_eq!(clone.value("shop", "SELECT count(*) FROM orders"), "0");
    pool.json(&["clone", "reset", "own"]);
    assert_ne!(clone.value("shop", "SELECT count(*) FROM orders"), "0");
    pool.json(&["clone", "destroy", "own"]);
    pool.json(&["snapshot", "destroy", "mine"]);
    assert_eq!(pool.remains(), Vec::<String>::new());
}

#[test]
fn an_ordinary_user_takes_base_backups_of_a_live_server() {
    if !Servers::tested().known_to_clients() {
        return;
    }
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = Base::Shop.copy(&sandbox, "raw");
    raw.start();
    raw.exec("shop", "TRUNCATE session_cache");
    let pool = pool_of_postgres(&sandbox);
    let snapshot = pool.snapshot(&raw.connection_string(), rules.path(), &[]);
    assert_masked_well(&pool, &raw, &rules, &snapshot);
}

#[test]
fn somebody_elses_data_is_refused() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let owner = "daemon:daemon";
    let mut chown = std::process::Command::new("chown");
    assert!(chown.args(["-R", owner, &source]).status().unwrap().success());
    let mut open_up = std::process::Command::new("chmod");
    assert!(open_up.args(["-R", "a+rX", &source]).status().unwrap().success());
    let pool = pool_of_postgres(&sandbox);
    let outcome = pool.try_snapshot(&source, rules.path(), &[]).expect_code(1);
    assert!(outcome.text().contains("as root"), "{outcome:?}");
    assert_eq!(pool.remains(), Vec::<String>::new());
}
