//! How long snapshots and clones live: destroyed together, protected, leased, collected.

use std::fs::File;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::clones::small_source;
use crate::common::{Pool, Queries, Sandbox, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

/// A pool with snapshots of these names, oldest first.
fn snapshots(sandbox: &Sandbox, names: &[&str]) -> Pool {
    let (source, rules) = small_source(sandbox);
    let pool = Pool::new(sandbox);
    for name in names {
        pool.snapshot(&source, rules.path(), &["--name", name]);
    }
    pool
}

/// Names and reasons of what went, or of what stays.
fn told(report: &Value, which: &str) -> Vec<(String, String)> {
    let items = report[which].as_array().expect("a list").iter();
    let text = |item: &Value, key: &str| item[key].as_str().expect("a text").to_owned();
    items.map(|item| (text(item, "name"), text(item, "why"))).collect()
}

fn names(items: &[(String, String)]) -> Vec<&str> {
    items.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_snapshot_goes_with_its_clones_or_nothing_goes() {
    let sandbox = Sandbox::new();
    let pool = snapshots(&sandbox, &["monday"]);
    for name in ["one", "two"] {
        pool.clone_of("monday", &["--name", name]);
    }
    let busy = pool.run(&["snapshot", "destroy", "monday"]).expect_code(5);
    let error = busy.json()["error"].as_str().unwrap().to_owned();
    assert!(error.contains("one, two") && error.contains("--cascade"), "{error}");

    pool.json(&["clone", "protect", "two"]);
    pool.json(&["snapshot", "protect", "monday"]);
    let refused = pool.run(&["snapshot", "destroy", "monday", "--cascade"]).expect_code(3);
    let codes: Vec<Value> = refused.refusals().iter().map(|it| it["code"].clone()).collect();
    assert_eq!(codes, ["protected", "protected"]);
    assert_eq!(pool.ids("clone").len(), 2, "nothing was destroyed");

    pool.json(&["clone", "unprotect", "two"]);
    pool.json(&["snapshot", "unprotect", "monday"]);
    let gone = pool.json(&["snapshot", "destroy", "monday", "--cascade"]);
    assert_eq!(gone["clones"].as_array().unwrap().len(), 2);
    assert_eq!(pool.remains(), Vec::<String>::new());
}

#[test]
fn protection_holds_until_it_ends() {
    let sandbox = Sandbox::new();
    let pool = snapshots(&sandbox, &["monday"]);
    pool.clone_of("monday", &["--name", "alice"]);
    pool.run(&["snapshot", "protect", "monday", "--until", "2020-01-01"]).expect_code(1);
    let shown = pool.json(&["clone", "protect", "alice", "--until", "3s"]);
    assert_eq!(shown["protected"], true);
    let refused = pool.run(&["clone", "destroy", "alice"]).expect_code(3);
    assert!(refused.text().contains("protected until"), "{}", refused.text());
    assert_eq!(pool.json(&["clone", "reset", "alice"])["protected"], true, "a reset leaves it");
    let over = || pool.json(&["clone", "show", "alice"])["protected"] == false;
    assert!(wait_until(PATIENCE, over), "the protection ends");
    pool.json(&["clone", "destroy", "alice"]);

    pool.json(&["snapshot", "protect", "monday"]);
    let refused = pool.run(&["snapshot", "destroy", "monday"]).expect_code(3);
    assert_eq!(refused.refusals()[0]["remedy"], "thinveil snapshot unprotect monday");
    let log = pool.json(&["audit", "log", "--verb", "snapshot destroy"]);
    assert_eq!(log[0]["outcome"], "refused");
    assert_eq!(pool.json(&["snapshot", "verify", "monday"])["verified"], true);
}

#[test]
fn what_was_said_to_be_protected_is_there() {
    let sandbox = Sandbox::new();
    let pool = snapshots(&sandbox, &["monday"]);
    for number in 0..8 {
        pool.clone_of("monday", &["--name", "alice"]);
        let (protected, destroyed) = std::thread::scope(|scope| {
            let destroy = scope.spawn(|| pool.run(&["clone", "destroy", "alice"]).code());
            // At another moment of the other each time.
            std::thread::sleep(Duration::from_millis(number * 4));
            (pool.run(&["clone", "protect", "alice"]).code(), destroy.join().unwrap())
        });
        let there = pool.ids("clone").len() == 1;
        match (protected, destroyed) {
            (0, 3) => assert!(there, "protected, and gone"),
            (4, 0) => assert!(!there, "destroyed, and there"),
            other => panic!("protect and destroy ended with {other:?}"),
        }
        if there {
            pool.json(&["clone", "unprotect", "alice"]);
            pool.json(&["clone", "destroy", "alice"]);
        }
    }
}

#[test]
fn collection_takes_what_may_go_and_says_why_the_rest_stays() {
    let sandbox = Sandbox::new();
    let pool = snapshots(&sandbox, &["cloned", "old", "kept", "newest"]);
    pool.clone_of("cloned", &["--name", "stays"]);
    pool.clone_of("old", &["--name", "expired", "--lease", "2020-01-01"]);
    let used = pool.clone_of("newest", &["--name", "used", "--lease", "2020-01-01"]);
    pool.clone_of("newest", &["--name", "leased", "--lease", "8h"]);
    pool.json(&["snapshot", "protect", "kept", "--until", "30d"]);

    // Without a word about snapshots, leases alone.
    let nothing = pool.json(&["pool", "gc", "--dry-run"]);
    assert_eq!(names(&told(&nothing, "removed")), ["expired", "used"]);
    // All of them are younger than that.
    let young = pool.json(&["pool", "gc", "--dry-run", "--older-than", "1d"]);
    assert_eq!(names(&told(&young, "removed")), ["expired", "used"]);

    let mut session = used.client("postgres");
    let rehearsed = pool.json(&["pool", "gc", "--keep", "1", "--dry-run"]);
    assert_eq!(names(&told(&rehearsed, "removed")), ["expired", "old"]);
    assert_eq!(pool.ids("snapshot").len(), 4, "a rehearsal removes nothing");

    let report = pool.json(&["pool", "gc", "--keep", "1"]);
    assert_eq!(told(&report, "removed"), told(&rehearsed, "removed"));
    let kept = told(&report, "kept");
    let why = |name: &str| {
        let found = kept.iter().find(|(kept, _)| kept == name);
        found.unwrap_or_else(|| panic!("{name} of {kept:?}")).1.clone()
    };
    assert!(why("stays").contains("no lease"));
    assert!(why("used").contains("in use: sessions: 1"), "{}", why("used"));
    assert!(why("leased").contains("lease ends"));
    assert!(why("cloned").contains("has clones: stays"));
    assert!(why("kept").contains("protected until"));
    assert!(why("newest").contains("has clones"));
    assert_eq!(pool.ids("snapshot").len(), 3);
    assert!(report["freed_bytes"].as_u64().unwrap() > 0);

    assert_eq!(session.query_one("SELECT 1", &[]).unwrap().get::<_, i32>(0), 1);
    drop(session);
    let collected = || names(&told(&pool.json(&["pool", "gc"]), "removed")) == ["used"];
    assert!(wait_until(PATIENCE, collected), "the session ends");
    for name in ["stays", "leased"] {
        pool.json(&["clone", "renew", name, "--lease", "2020-01-01"]);
    }
    pool.json(&["clone", "renew", "leased", "--forever"]);
    pool.json(&["snapshot", "unprotect", "kept"]);
    let last = pool.json(&["pool", "gc", "--keep", "1"]);
    assert_eq!(names(&told(&last, "removed")), ["stays", "kept", "cloned"]);
    assert_eq!(pool.ids("snapshot").len(), 1);
}

#[test]
fn clones_that_nobody_uses_go() {
    let sandbox = Sandbox::new();
    let pool = snapshots(&sandbox, &["monday"]);
    let clones = ["forgotten", "leased", "protected", "busy", "fresh"];
    let [forgotten, .., busy, _] = clones.map(|name| pool.clone_of("monday", &["--name", name]));
    pool.json(&["clone", "renew", "leased", "--lease", "8h"]);
    pool.json(&["clone", "protect", "protected"]);
    let session = busy.client("postgres");
    // As if nobody had been there for two days.
    let long_ago = SystemTime::now() - Duration::from_secs(2 * 24 * 60 * 60);
    let forget = |name: &str| {
        let id = pool.json(&["clone", "show", name])["id"].as_str().unwrap().to_owned();
        let log = pool.dir().join("clones").join(id).join("server.log");
        File::options().append(true).open(log).unwrap().set_modified(long_ago).unwrap();
    };
    clones.iter().filter(|name| **name != "fresh").for_each(|name| forget(name));

    let report = pool.json(&["pool", "gc", "--idle", "1d", "--dry-run"]);
    let removed = told(&report, "removed");
    assert_eq!(names(&removed), ["forgotten", "leased"]);
    assert!(removed.iter().all(|(_, why)| why.starts_with("last used ")), "{removed:?}");
    let older = pool.json(&["pool", "gc", "--idle", "3d", "--dry-run"]);
    assert_eq!(names(&told(&older, "removed")), Vec::<&str>::new());

    // A connection is use, of the one that ends it as well.
    drop(forgotten.client("postgres"));
    drop(session);
    let in_use = || {
        let report = pool.json(&["pool", "gc", "--idle", "1d", "--dry-run"]);
        names(&told(&report, "removed")) == ["leased"]
    };
    assert!(wait_until(PATIENCE, in_use));
    forget("busy");
    let report = pool.json(&["pool", "gc", "--idle", "1d"]);
    assert_eq!(names(&told(&report, "removed")), ["leased", "busy"]);
    assert_eq!(pool.ids("clone").len(), 3);
}

#[test]
fn tags_are_changed_beside_a_sealed_manifest() {
    let sandbox = Sandbox::new();
    let pool = snapshots(&sandbox, &["one", "two"]);
    pool.json(&["snapshot", "tag", "one", "release=2.4", "nightly"]);
    let tagged = pool.json(&["snapshot", "tag", "one", "release=2.5", "--remove", "nightly"]);
    assert_eq!(tagged["tags"], serde_json::json!({ "release": "2.5" }));
    let found = |tag: &str| {
        let list = pool.json(&["snapshot", "list", "--tag", tag]);
        list.as_array().unwrap().iter().map(|it| it["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(found("release"), ["one"]);
    assert_eq!(found("release=2.5"), ["one"]);
    assert_eq!(found("release=2.4"), Vec::<Value>::new());
    assert_eq!(found("nightly"), Vec::<Value>::new());
    pool.run(&["snapshot", "tag", "one", "no good=1"]).expect_code(1);
    assert_eq!(pool.json(&["snapshot", "verify", "one"])["verified"], true);
}

#[test]
fn several_clones_are_made_or_none() {
    let sandbox = Sandbox::new();
    let pool = snapshots(&sandbox, &["monday"]);
    let create = |more: &[&str]| {
        let fixed = ["clone", "create", "--snapshot", "monday", "--name", "t", "--count", "3"];
        pool.run(&[&fixed, more].concat())
    };
    let made = create(&["--ports", pool.ports()]).expect_code(0).json();
    let clones = made.as_array().unwrap();
    let all = |key: &str| {
        clones.iter().map(|it| it[key].to_string()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(all("name").into_iter().collect::<Vec<_>>(), ["\"t-1\"", "\"t-2\"", "\"t-3\""]);
    assert_eq!(all("port").len(), 3);
    assert_eq!(all("password").len(), 3);

    // The second name is taken: the first clone goes again.
    pool.json(&["clone", "destroy", "t-1"]);
    create(&["--ports", pool.ports()]).expect_code(5);
    assert_eq!(pool.ids("clone").len(), 2);
    create(&["--port", "6000"]).expect_code(1);
}
