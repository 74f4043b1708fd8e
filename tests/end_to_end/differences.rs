//! `clone diff`: what a clone has changed, by relation.

use serde_json::Value;

use crate::clones::small_source;
use crate::common::{Clone, FileSystem, LoopFs, Pool, Queries, Sandbox, must};

/// What `clone diff` says of a relation: change, bytes that differ, own bytes.
fn relation(diff: &Value, name: &str, change: &str) -> Option<(u64, u64)> {
    let relations = diff["relations"].as_array().unwrap().iter();
    let found = relations.filter(|it| it["name"] == name && it["change"] == change);
    let bytes = |it: &Value, key: &str| it[key].as_u64().unwrap();
    let found: Vec<_> =
        found.map(|it| (bytes(it, "changed_bytes"), bytes(it, "own_bytes"))).collect();
    assert!(found.len() < 2, "{diff}");
    found.first().copied()
}

/// Those that differ.
fn names(diff: &Value) -> Vec<&str> {
    let relations = diff["relations"].as_array().unwrap().iter();
    let differ = relations.filter(|it| it["change"] != "copied");
    differ.map(|it| it["name"].as_str().unwrap()).collect()
}

fn size(clone: &Clone, relation: &str) -> u64 {
    clone.value("postgres", &format!("SELECT pg_table_size('{relation}')")).parse().unwrap()
}

/// Returns the bytes that differ in the table, and its own, after one row was changed.
fn check(pool: &Pool, snapshot: &str) -> (u64, u64) {
    let clone = pool.clone_of(snapshot, &["--name", "dev"]);
    let diff = || pool.json(&["clone", "diff", "dev"]);
    let fresh = diff();
    assert_eq!(fresh["snapshot"], snapshot);
    assert!(!names(&fresh).iter().any(|name| name.starts_with("postgres.public.")), "{fresh}");
    // The role was made, and the server has written some.
    assert!(names(&fresh).contains(&"pg_catalog.pg_authid"), "{fresh}");
    assert!(fresh["others"]["files"].as_u64().unwrap() > 0);

    // Whatever the server has opened.
    let copied = fresh["relations"].as_array().unwrap().iter();
    let copied: Vec<_> = copied.filter(|it| it["change"] == "copied").collect();
    let overlay = pool.json(&["pool", "status"])["driver"] == "overlay";
    assert_eq!(!copied.is_empty(), overlay, "{fresh}");
    let own = |it: &&Value| it["changed_bytes"] == 0 && it["own_bytes"].as_u64() > Some(0);
    assert!(copied.iter().all(own), "{fresh}");

    clone.exec("postgres", "UPDATE people SET email = 'new@example.org' WHERE id = 1");
    clone.exec("postgres", "CREATE TABLE fixtures AS SELECT n FROM generate_series(1, 5000) AS n");
    clone.exec("postgres", "CREATE TABLE long AS SELECT 1 AS id, string_agg(md5(n::text), '') AS t FROM generate_series(1, 900) AS n; CHECKPOINT");
    let changed = diff();
    let people = relation(&changed, "postgres.public.people", "changed").expect("people");
    assert!((8192..=4 * 8192).contains(&people.0), "{changed}");
    assert!(names(&changed).contains(&"postgres.public.people_email_idx"), "{changed}");
    let (fixtures, own) = relation(&changed, "postgres.public.fixtures", "new").expect("new");
    assert_eq!(fixtures, size(&clone, "fixtures"));
    assert!(own >= fixtures, "{changed}");
    let of_long = names(&changed).iter().filter(|name| name.ends_with("(of public.long)")).count();
    assert_eq!(of_long, 2, "a TOAST table and its index: {changed}");

    clone.exec("postgres", "DROP TABLE fixtures, long");
    clone.exec("postgres", "VACUUM FULL people");
    clone.exec("postgres", "CHECKPOINT");
    pool.json(&["clone", "stop", "dev"]);
    let moved = diff();
    assert!(!names(&moved).contains(&"postgres.public.fixtures"), "{moved}");
    let (gone, none) = relation(&moved, "postgres.public.people", "gone").expect("the old file");
    assert_eq!(none, 0);
    assert!(gone >= 8192);
    assert!(relation(&moved, "postgres.public.people", "new").expect("another file").0 >= 8192);

    pool.json(&["clone", "reset", "dev"]);
    let again = diff();
    assert!(!names(&again).iter().any(|name| name.starts_with("postgres.public.")), "{again}");
    let shown = pool.command_for_people(&["clone", "diff", "dev"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("RELATION") && shown.contains("pg_catalog.pg_authid"), "{shown}");
    people
}

#[test]
fn what_a_clone_has_changed_is_told_by_relation() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let xfs = LoopFs::mount(&sandbox, FileSystem::Xfs, "xfs", 500);
    let btrfs = LoopFs::mount(&sandbox, FileSystem::Btrfs, "btrfs", 500);
    for (place, driver) in [
        (sandbox.path(), "overlay"),
        (sandbox.path(), "copy"),
        (xfs.path(), "reflink"),
        (btrfs.path(), "btrfs"),
    ] {
        let pool = Pool::init(&place.join(driver), driver);
        let snapshot = pool.snapshot(&source, rules.path(), &[]);
        let (changed, own) = check(&pool, &snapshot.id);
        let whole_files = matches!(driver, "overlay" | "copy");
        assert_eq!(own > 4 * changed, whole_files, "{driver}: {own} own of {changed} changed");
        pool.json(&["clone", "destroy", "dev"]);
    }
}

/// A clone's user is a superuser, who may put what he likes into its directory.
#[test]
fn links_and_pipes_in_a_clone_lead_nowhere() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = crate::clones::small(&sandbox);
    let clone = pool.clone_of(&snapshot.id, &["--name", "dev"]);
    let database =
        clone.value("postgres", "SELECT oid FROM pg_database WHERE datname = 'postgres'");
    let class = clone.value("postgres", "SELECT pg_relation_filepath('pg_class')");
    pool.json(&["clone", "stop", "dev"]);
    let (map, class) = (format!("base/{database}/pg_filenode.map"), clone.data_dir().join(class));
    let map = clone.data_dir().join(map);
    let elsewhere = sandbox.join("elsewhere");
    std::fs::copy(&map, &elsewhere).unwrap();
    std::fs::remove_file(&map).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &map).unwrap();
    let said = pool.run(&["clone", "diff", "dev"]).expect_code(1).json().to_string();
    assert!(said.contains("pg_filenode.map"), "{said}");

    std::fs::remove_file(&map).unwrap();
    std::fs::copy(&elsewhere, &map).unwrap();
    std::fs::remove_file(&class).unwrap();
    must(std::process::Command::new("mkfifo").arg(&class));
    let said = pool.run(&["clone", "diff", "dev"]).expect_code(1).json().to_string();
    assert!(said.contains("no regular file"), "{said}");
}
