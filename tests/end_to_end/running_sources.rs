//! A running server's data directory in a subvolume beside the pool, taken as it is at one moment.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{Base, Cluster, FileSystem, LoopFs, Pool, Queries, Rules, Sandbox};

/// A running cluster in a subvolume, with two tables of equally many rows at every moment.
fn running(sandbox: &Sandbox, disk: &LoopFs) -> Cluster {
    let home = disk.subvolume("pg");
    let mut raw = Base::Empty.copy_into(sandbox, "raw", &home);
    raw.start();
    raw.exec("postgres", "CREATE DATABASE shop");
    raw.exec("shop", "CREATE TABLE people (id serial, name text); CREATE TABLE seen (id serial)");
    raw
}

fn rules(sandbox: &Sandbox) -> Rules {
    let tables =
        [("public.people", "id = \"keep\"\nname = \"text\""), ("public.seen", "id = \"keep\"")];
    Rules::for_tables(sandbox, "rules.toml", "shop", &tables)
}

fn is_taken_as_it_is_at_one_moment(kind: FileSystem, driver: &str) {
    let sandbox = Sandbox::new();
    let disk = LoopFs::mount(&sandbox, kind, driver, 1500);
    let raw = running(&sandbox, &disk);
    let rules = rules(&sandbox);
    let pool = Pool::init(&disk.path().join("pool"), driver);

    let done = AtomicBool::new(false);
    let snapshot = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = raw.client("shop");
            for _ in 0..2000 {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let both = "BEGIN; INSERT INTO people (name) SELECT 'Quimby Abernathy ' || n \
                            FROM generate_series(1, 500) n; \
                            INSERT INTO seen SELECT FROM generate_series(1, 500); COMMIT";
                client.batch_execute(both).unwrap();
            }
        });
        while raw.value("shop", "SELECT count(*) > 5000 FROM seen") != "t" {}
        let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
        done.store(true, Ordering::Relaxed);
        snapshot
    });
    assert_eq!(snapshot.json["frozen"], true);
    let clone = pool.clone_of(&snapshot.id, &[]);
    let people: u64 = clone.value("shop", "SELECT count(*) FROM people").parse().unwrap();
    assert_eq!(clone.value("shop", "SELECT count(*) FROM seen"), people.to_string());
    assert!(people > 5000 && people.is_multiple_of(500), "{people}");
    assert_eq!(clone.value("shop", "SELECT count(*) FROM people WHERE name LIKE 'Quimby%'"), "0");
    assert_eq!(raw.value("shop", "SELECT count(*) FROM people WHERE name LIKE 'Quimby%'"), {
        raw.value("shop", "SELECT count(*) FROM seen")
    });
    // What it was seen in is gone, and nobody can write to the snapshot.
    assert_eq!(pool.entries("staging"), Vec::<String>::new());
    assert!(std::fs::write(snapshot.data().join("late"), "text").is_err());
}

#[test]
fn a_running_source_is_taken_as_it_is_at_one_moment() {
    is_taken_as_it_is_at_one_moment(FileSystem::Btrfs, "btrfs");
}

#[test]
#[cfg(feature = "zfs")]
#[ignore = "needs a kernel with ZFS: make test-zfs"]
fn a_running_source_on_zfs_is_taken_as_it_is_at_one_moment() {
    is_taken_as_it_is_at_one_moment(FileSystem::Zfs, "zfs");
}

#[test]
fn a_running_source_of_which_one_moment_does_not_hold_all_is_refused() {
    let sandbox = Sandbox::new();
    let disk = LoopFs::mount(&sandbox, FileSystem::Btrfs, "btrfs", 1000);
    let mut raw = running(&sandbox, &disk);
    let rules = rules(&sandbox);
    let code = |pool: &Pool| {
        let outcome = pool.try_snapshot(raw.source(), rules.path(), &[]).expect_code(3);
        let refusals = outcome.refusals();
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        refusals[0]["code"].as_str().unwrap().to_owned()
    };
    // Files one by one are no moment.
    let reflink = Pool::init(&disk.path().join("reflink"), "reflink");
    assert_eq!(code(&reflink), "source_running");
    // Elsewhere than the pool.
    let other = LoopFs::mount(&sandbox, FileSystem::Btrfs, "other", 500);
    assert_eq!(code(&Pool::init(&other.path().join("pool"), "btrfs")), "source_running");

    let space = sandbox.postgres_dir("space");
    raw.exec("postgres", &format!("CREATE TABLESPACE elsewhere LOCATION '{}'", space.display()));
    let pool = Pool::init(&disk.path().join("pool"), "btrfs");
    assert_eq!(code(&pool), "source_not_atomic");
    assert_eq!(pool.remains(), Vec::<String>::new());
    // Nobody writes to a stopped one.
    raw.stop();
    pool.snapshot(raw.source(), rules.path(), &[]);
}
