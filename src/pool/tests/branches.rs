//! Snapshots of clones, and clones that move to them.

use walkdir::WalkDir;

use super::*;
use crate::error::Error;
use crate::pool::lock::Lock;
use crate::pool::{Branch, Twig};

const USER: &str = "de'v \"1";
const PASSWORD: &str = "pass\u{a0}wörd";

fn named(name: &str) -> SnapshotOptions {
    SnapshotOptions { name: Some(name.to_owned()), ..SnapshotOptions::default() }
}

/// Files that hold a text.
fn files_with(dir: &Path, text: &str) -> Vec<PathBuf> {
    let files = WalkDir::new(dir).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        memchr::memmem::find(&bytes, text.as_bytes()).is_some()
    };
    files.filter(holds).collect()
}

/// Branches, from the first clone to the last, on one driver.
fn branches(kind: DriverKind) {
    let source = Source::get();
    let home = Home::new(kind);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Only(kind)).unwrap();
    let mut made = manifest("base", "boss y");
    made.key_id = "the key".to_owned();
    let base = stage(&pool, source.path()).seal(made, None, &Cancel::new()).unwrap();
    let one = base.create_clone(request("one")).unwrap().clone;
    let mut client = connect(&one, USER, PASSWORD).unwrap();
    client
        .batch_execute(
            "update t set note = 'fixture ' || id; insert into in_space values (43);
             create role tester login password 'hush'; comment on table t is 'said in the clone'",
        )
        .unwrap();
    assert_eq!(files_with(&one.data_dir().join("global"), "SCRAM-SHA-256$").len(), 1);

    // A clone that runs is taken as it is, and runs on; a session ends where it has to be stopped.
    let child = pool.snapshot_of_clone("one", None, named("child")).unwrap();
    let again = client.simple_query("select 1");
    assert_eq!(again.is_ok(), pool.driver.capabilities().atomic, "{kind}");
    assert_eq!(one.state().unwrap(), CloneState::Running);
    query(&one, "with gone as (delete from t returning 1) select count(*)::text from gone");

    let manifest = child.manifest();
    assert_eq!((manifest.key_id.as_str(), manifest.name.as_str()), ("the key", "child"));
    assert_eq!(manifest.source, "clone one of snapshot base");
    let lineage = manifest.lineage.as_ref().unwrap();
    assert_eq!((lineage.clone.as_str(), lineage.clone_name.as_str()), (one.id(), "one"));
    assert_eq!(lineage.ancestors.len(), 1);
    assert_eq!(lineage.ancestors[0].content_hash, base.manifest().content_hash);
    assert!(pool.verify_snapshot("child", None, &Cancel::new()).unwrap().verified);
    assert_eq!(files_with(&child.volume(), "SCRAM-SHA-256$"), Vec::<PathBuf>::new());
    let wal = fs::read_dir(child.data_dir().join("pg_wal")).unwrap();
    let segments = wal.filter(|entry| entry.as_ref().unwrap().path().is_file()).count();
    assert_eq!(segments, 1);
    if pool.driver.capabilities().shares_blocks && !pool.driver.capabilities().copies_whole_files {
        let usage = child.usage().unwrap();
        assert!(usage.own_bytes < usage.shared_bytes, "{kind}: {usage:?}");
    }

    let two = child.create_clone(request("two")).unwrap().clone;
    assert_eq!(query(&two, "select min(note) || count(*) from t"), "fixture 15000");
    assert_eq!(query(&two, "select sum(id)::text from in_space"), "85");
    assert_eq!(query(&two, "select obj_description('t'::regclass)"), "said in the clone");
    assert_eq!(
        query(
            &two,
            "select rolname || coalesce(rolpassword, ' without') from pg_authid \
                     where rolname = 'tester'"
        ),
        "tester without"
    );

    // A grandchild of a clone that does not run.
    query(&two, "with more as (insert into in_space values (44) returning 1) select 'x'");
    let two = two.stop().unwrap();
    let grandchild = pool.snapshot_of_clone("two", None, named("grandchild")).unwrap();
    assert_eq!(two.state().unwrap(), CloneState::Stopped);
    let ancestors = &grandchild.manifest().lineage.as_ref().unwrap().ancestors;
    let names: Vec<&str> = ancestors.iter().map(|ancestor| ancestor.name.as_str()).collect();
    assert_eq!(names, ["child", "base"]);

    let twig = |clone: &ThinClone, state| Twig {
        id: clone.id().to_owned(),
        name: clone.name().to_owned(),
        state,
    };
    let shape = |branch: &Branch| (branch.name.clone(), branch.clones.clone());
    let tree = pool.tree().unwrap();
    assert_eq!(tree.len(), 1);
    assert_eq!(shape(&tree[0]), ("base".to_owned(), vec![twig(&one, CloneState::Running)]));
    let child_branch = &tree[0].snapshots[0];
    assert_eq!(shape(child_branch), ("child".to_owned(), vec![twig(&two, CloneState::Stopped)]));
    assert_eq!(shape(&child_branch.snapshots[0]), ("grandchild".to_owned(), Vec::new()));

    // To another snapshot, and what that needs meanwhile.
    let missing = one.reset_to("nothing", None, &Cancel::new()).unwrap_err();
    assert!(matches!(missing, Error::NotFound { what: "snapshot", .. }), "{missing}");
    assert_eq!(query(&one, "select count(*)::text from t"), "0");
    let one = one.reset_to("grandchild", None, &Cancel::new()).unwrap();
    assert_eq!(one.snapshot_id(), grandchild.id());
    assert_eq!(query(&one, "select sum(id)::text from in_space"), "129");
    {
        let _lock = Lock::wait(&one.dir.join("lock"), "the clone").unwrap();
        let mut half = one.record.clone();
        half.next_snapshot = Some(base.id().to_owned());
        record::write(&one.dir.join("clone.json"), &half).unwrap();
        let error = pool.destroy_snapshot("base").unwrap_err();
        assert!(error.to_string().contains("has clones: one"), "{error}");
    }
    assert_eq!(Pool::open(&home.pool()).unwrap().recovered().clones_tidied, [one.id()]);

    // What was made of it needs no parent.
    pool.destroy_snapshot("base").unwrap();
    let in_use = pool.destroy_snapshot("child").unwrap_err();
    assert!(matches!(in_use, Error::Busy { .. }), "{in_use}");
    two.destroy().unwrap();
    pool.destroy_snapshot("child").unwrap();
    assert_eq!(pool.tree().unwrap().len(), 1);
    assert_eq!(shape(&pool.tree().unwrap()[0]).0, "grandchild");
    let one = one.reset(None, &Cancel::new()).unwrap();
    assert_eq!(query(&one, "select min(note) from t"), "fixture 1");
    one.destroy().unwrap();
    pool.destroy_snapshot("grandchild").unwrap();
    assert!(Pool::open(&home.pool()).unwrap().recovered().is_empty());
}

#[test]
#[cfg(feature = "zfs")]
#[ignore = "needs a kernel with ZFS: make test-zfs"]
fn clones_become_snapshots_on_zfs() {
    branches(DriverKind::Zfs);
}

#[test]
fn clones_become_snapshots_on_btrfs() {
    if is_root() {
        branches(DriverKind::Btrfs);
    }
}

#[test]
fn clones_become_snapshots_on_reflink() {
    if is_root() {
        branches(DriverKind::Reflink);
    }
}

#[test]
fn clones_become_snapshots_on_overlay() {
    if is_root() {
        branches(DriverKind::Overlay);
    }
}

#[test]
fn clones_become_snapshots_on_copy() {
    if is_root() {
        branches(DriverKind::Copy);
    }
}

#[test]
fn a_snapshot_is_kept_for_a_clone_that_is_being_made() {
    if !is_root() {
        return;
    }
    let source = Source::get();
    let home = Home::new(DriverKind::Copy);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Copy)).unwrap();
    let base =
        stage(&pool, source.path()).seal(manifest("base", "boss y"), None, &Cancel::new()).unwrap();
    let one = base.create_clone(request("one")).unwrap().clone.stop().unwrap();
    let _lock = Lock::wait(&one.dir.join("lock"), "the clone").unwrap();
    let mut record = one.record.clone();
    record.phase = Phase::Creating;
    record::write(&one.dir.join("clone.json"), &record).unwrap();
    let error = pool.destroy_snapshot("base").unwrap_err();
    assert!(error.to_string().contains("has clones: one"), "{error}");
}
