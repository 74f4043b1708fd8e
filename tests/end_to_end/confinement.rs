//! Landlock, and what is said and refused where a kernel has none.

use std::process::Command;

use crate::clones::{small, small_source};
use crate::common::{Base, Pool, Queries, Rules, Sandbox};

const NONE: &str = "this kernel has no Landlock";

/// A pool whose every verb runs as if the kernel had no Landlock.
fn pool_without_landlock(sandbox: &Sandbox) -> Pool {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/without_landlock.c");
    let program = sandbox.join("without-landlock");
    let built = Command::new("cc").args(["-Wall", "-o"]).arg(&program).arg(source).status();
    assert!(built.expect("cc").success());
    let command = [program.to_str().unwrap(), env!("CARGO_BIN_EXE_thinveil")];
    Pool::init_with(&sandbox.join("pool"), "auto", &command)
}

#[test]
fn a_kernel_without_landlock_is_told_of() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let pool = pool_without_landlock(&sandbox);
    assert_eq!(pool.json(&["pool", "status"])["confinement"], "none");
    let create = pool.try_snapshot(&source, rules.path(), &[]).expect_code(0);
    assert!(create.stderr.contains(NONE), "{create:?}");
    assert_eq!(create.json()["confinement"], "none");
    let id = crate::common::text(&create.json(), "id");
    let clone = pool.run(&["clone", "create", "--snapshot", &id, "--name", "one"]).expect_code(0);
    assert!(clone.stderr.contains(NONE), "{clone:?}");
    pool.json(&["clone", "stop", "one"]);
    for verb in ["start", "reset"] {
        let outcome = pool.run(&["clone", verb, "one"]).expect_code(0);
        assert!(outcome.stderr.contains(NONE), "{verb}: {outcome:?}");
    }
    let list = pool.run(&["clone", "list"]).expect_code(0);
    assert!(!list.stderr.contains(NONE), "said where no server starts: {list:?}");
}

#[test]
fn a_kernel_with_landlock_confines_and_says_so() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let offered = pool.json(&["pool", "status"])["confinement"].clone();
    assert!(["full", "partial"].map(Into::into).contains(&offered), "{offered}");
    assert!(["full", "partial"].map(Into::into).contains(&snapshot.json["confinement"]));
}

#[test]
fn wal_is_not_replayed_unconfined_where_there_are_tablespaces() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    let place = sandbox.postgres_dir("space");
    raw.start();
    raw.exec("postgres", &format!("CREATE TABLESPACE fast LOCATION '{}'", place.display()));
    raw.exec("postgres", "CREATE TABLE t (id integer) TABLESPACE fast; INSERT INTO t VALUES (1)");
    raw.crash();
    let before = crate::common::tree_digest(&place);
    let rules = Rules::write(&sandbox, "rules.toml", "version = 1\nunlisted = \"keep\"");
    let pool = pool_without_landlock(&sandbox);
    let refusals = pool.try_snapshot(raw.source(), rules.path(), &[]).refusals();
    assert_eq!(refusals[0]["code"], "unconfined_recovery");
    assert_eq!(before, crate::common::tree_digest(&place), "production was written to");
    assert_eq!(pool.remains(), Vec::<String>::new());
    raw.start();
    raw.stop();
    pool.snapshot(raw.source(), rules.path(), &[]);
}
