//! Snapshots of clones: what was masked stays masked and in its place, what was written is there.

use crate::clones::small;
use crate::common::{
    Base, Pool, Queries, Rules, Sandbox, Snapshot, TEST_KEY, assert_all_judges_pass, originals_of,
};

#[test]
fn a_snapshot_of_a_clone_is_as_good_as_the_one_it_comes_from() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = Base::ShopWithChecksums.copy(&sandbox, "raw");
    let pool = Pool::new(&sandbox);
    let base = pool.snapshot(raw.source(), rules.path(), &["--name", "base"]);
    let dev = pool.clone_of("base", &["--name", "dev"]);
    dev.exec(
        "postgres",
        "CREATE TABLE fixtures AS SELECT 42 AS answer; CREATE ROLE tester LOGIN PASSWORD 'hush'",
    );
    let child = pool.branch("dev", "with-fixtures");
    assert_eq!(child.json["lineage"]["clone_name"], "dev");
    assert_eq!(child.json["lineage"]["ancestors"][0]["id"], base.json["id"]);
    for inherited in ["key_id", "rules_hash", "major", "databases", "columns"] {
        assert_eq!(child.json[inherited], base.json[inherited], "{inherited}");
    }
    assert_eq!(dev.value("postgres", "SELECT answer FROM fixtures"), "42", "it goes on");
    let searched = |snapshot: &Snapshot| snapshot.json["audit"]["values_searched"].clone();
    assert_eq!(searched(&child), searched(&base));
    assert_eq!(pool.json(&["snapshot", "audit", "with-fixtures"])["again"], true);

    let qa = pool.clone_of("with-fixtures", &["--name", "qa"]);
    assert_eq!(qa.value("postgres", "SELECT answer FROM fixtures"), "42");
    raw.start();
    let hits = originals_of(&raw, &rules).find_below(&child.data());
    assert!(hits.is_empty(), "originals in the snapshot: {:#?}", &hits[..hits.len().min(40)]);
    assert_all_judges_pass(&raw, &rules, &child, &qa);
}

#[test]
fn what_people_brought_into_a_clone_is_searched_for_by_whoever_has_the_key() {
    let sandbox = Sandbox::new();
    let (mut pool, base) = small(&sandbox);
    let dev = pool.clone_of(&base.id, &["--name", "dev"]);
    // An original: whoever knows production can bring it along.
    dev.exec("postgres", "CREATE TABLE brought AS SELECT md5('7') || '@example.org' AS email");
    dev.exec("postgres", "VACUUM FULL people");
    let create = ["snapshot", "create", "--from-clone", "dev", "--name", "child"];
    let refused = pool.run(&create).expect_code(3).refusals();
    let told = refused.iter().map(ToString::to_string).collect::<String>();
    assert!(told.contains("public.brought") && !told.contains('@'), "{told}");
    assert_eq!(dev.value("postgres", "SELECT count(*) FROM brought"), "1");
    assert_eq!(pool.ids("snapshot"), std::slice::from_ref(&base.id));
    assert_eq!(pool.entries("staging"), Vec::<String>::new());

    dev.exec("postgres", "DROP TABLE brought");
    let child = pool.branch("dev", "child");
    assert_eq!(child.json["audit_again"], true);
    pool.json(&["snapshot", "audit", "child"]);

    // Without the key nobody can tell, and it is said.
    pool.env.clear();
    let unsearched = pool.branch("dev", "unsearched");
    assert!(unsearched.json["audit"].is_null(), "{}", unsearched.json);
    let shown = pool.command_for_people(&["snapshot", "show", "unsearched"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("not searched for: no key was given"), "{shown}");
    let key = sandbox.file("mask.key", TEST_KEY);
    let audit = ["snapshot", "audit", "unsearched", "--key-file", key.to_str().unwrap()];
    let error = pool.run(&audit).expect_code(1).json().to_string();
    assert!(error.contains("made of a clone, without a key"), "{error}");
}

#[test]
fn the_log_shows_what_was_made_of_what() {
    let sandbox = Sandbox::new();
    let (pool, base) = small(&sandbox);
    let dev = pool.clone_of(&base.id, &["--name", "dev"]);
    let child = pool.branch("dev", "child");
    pool.json(&["clone", "stop", "dev"]);
    pool.clone_of("child", &["--name", "qa"]);
    pool.branch("qa", "grandchild");

    let tree = pool.json(&["snapshot", "log"]);
    assert_eq!(tree.as_array().unwrap().len(), 1);
    assert_eq!(tree[0]["clones"][0]["id"], dev.json["id"]);
    assert_eq!(tree[0]["clones"][0]["state"], "stopped");
    assert_eq!(tree[0]["snapshots"][0]["snapshots"][0]["name"], "grandchild");

    let text = pool.command_for_people(&["snapshot", "log"]).output().unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    let begun: Vec<&str> =
        text.lines().map(|line| line.split("  ").next().unwrap_or_default()).collect();
    assert_eq!(begun[1..2], ["├─ clone dev"], "{text}");
    let child_line = format!("└─ child  {}", child.id);
    assert!(text.contains(&child_line) && text.contains("of clone dev of snapshot"), "{text}");
    assert!(text.contains("\n   ├─ clone qa  running\n   └─ grandchild"), "{text}");
}

#[test]
fn a_clone_moves_to_another_snapshot() {
    let sandbox = Sandbox::new();
    let (pool, base) = small(&sandbox);
    let dev = pool.clone_of(&base.id, &["--name", "dev"]);
    dev.exec("postgres", "DELETE FROM people WHERE id > 10");
    pool.branch("dev", "ten");
    dev.exec("postgres", "DELETE FROM people");

    pool.run(&["clone", "reset", "dev", "--to", "nothing"]).expect_code(4);
    assert_eq!(dev.value("postgres", "SELECT count(*) FROM people"), "0", "it is what it was");
    let moved = pool.json(&["clone", "reset", "dev", "--to", "ten"]);
    assert_eq!(moved["port"], dev.json["port"]);
    assert_eq!(dev.value("postgres", "SELECT count(*) FROM people"), "10");
    // What it no longer needs may go; what it needs may not.
    pool.json(&["snapshot", "destroy", &base.id]);
    pool.run(&["snapshot", "destroy", "ten"]).expect_code(5);
    pool.json(&["clone", "reset", "dev"]);
    assert_eq!(dev.value("postgres", "SELECT count(*) FROM people"), "10");
}

#[test]
fn a_snapshot_has_a_source_or_a_clone() {
    let sandbox = Sandbox::new();
    let (pool, _) = small(&sandbox);
    let create = |arguments: &[&str]| pool.run(&[&["snapshot", "create"], arguments].concat());
    create(&["--from-clone", "nobody"]).expect_code(4);
    create(&["--name", "nothing"]).expect_code(2);
    create(&["--from-clone", "dev", "--source", "/srv/data"]).expect_code(2);
    create(&["--from-clone", "dev", "--rules", "rules.toml"]).expect_code(2);
    create(&["--from-clone", "dev", "--ephemeral-key"]).expect_code(2);
    assert_eq!(pool.entries("staging"), Vec::<String>::new());
}
