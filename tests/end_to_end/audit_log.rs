//! The pool's log: every verb, refused ones too, and no secret.

use serde_json::Value;

use crate::clones::{small, small_source};
use crate::common::{Pool, Rules, Sandbox, TEST_KEY, text};

fn lines(pool: &Pool) -> Vec<Value> {
    let log = std::fs::read_to_string(pool.dir().join("audit.log")).unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `verb outcome` of each line from `first` on.
fn told(pool: &Pool, first: usize) -> Vec<String> {
    let tell = |line: &Value| format!("{} {}", text(line, "verb"), text(line, "outcome"));
    lines(pool).iter().skip(first).map(tell).collect()
}

#[test]
fn every_verb_is_in_the_log() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    assert_eq!(told(&pool, 0), ["pool init done", "stage done", "snapshot create done"]);
    let clone = pool.clone_of(&snapshot.id, &["--name", "work"]);
    for arguments in [
        &["pool", "status"][..],
        &["pool", "recover"],
        &["audit", "log"],
        &["audit", "verify"],
        &["snapshot", "list"],
        &["snapshot", "show", &snapshot.id],
        &["snapshot", "audit", &snapshot.id],
        &["clone", "list"],
        &["clone", "show", "work"],
        &["clone", "stop", "work"],
        &["clone", "start", "work"],
        &["clone", "reset", "work"],
    ] {
        let before = lines(&pool).len();
        pool.json(arguments);
        let verb = arguments[..2].join(" ");
        assert_eq!(told(&pool, before), [format!("{verb} done")]);
    }
    for arguments in [["snapshot", "show"], ["snapshot", "destroy"], ["clone", "reset"]] {
        let before = lines(&pool).len();
        pool.run(&[arguments[0], arguments[1], "nobody"]).expect_code(4);
        assert_eq!(told(&pool, before), [format!("{} not found", arguments.join(" "))]);
    }
    let before = lines(&pool).len();
    pool.run(&["snapshot", "destroy", &snapshot.id]).expect_code(5);
    pool.run(&["clone", "create", "--snapshot", &snapshot.id, "--name", "work"]).expect_code(5);
    pool.json(&["clone", "destroy", "work"]);
    pool.json(&["snapshot", "destroy", &snapshot.id]);
    assert_eq!(
        told(&pool, before),
        [
            "snapshot destroy busy",
            "clone create busy",
            "clone destroy done",
            "snapshot destroy done"
        ]
    );
    let log = std::fs::read_to_string(pool.dir().join("audit.log")).unwrap();
    assert!(!log.contains(&clone.password) && !log.contains(TEST_KEY));
}

#[test]
fn refused_snapshots_are_in_the_log_with_their_reasons_codes() {
    let sandbox = Sandbox::new();
    let (source, _) = small_source(&sandbox);
    let pool = Pool::new(&sandbox);
    let people = ("public.people", "id = \"keep\"");
    let unlisted = Rules::for_tables(&sandbox, "unlisted.toml", "postgres", &[people]);
    pool.try_snapshot(&source, unlisted.path(), &[]).expect_code(3);
    let wrong = Rules::write(&sandbox, "wrong.toml", "version = 7");
    pool.try_snapshot(&source, wrong.path(), &["--name", "mine"]);
    let missing = sandbox.join("missing");
    pool.try_snapshot(missing.to_str().unwrap(), unlisted.path(), &[]).expect_code(1);
    let verbs = ["pool init done", "stage done", "plan refused", "snapshot create refused"];
    assert_eq!(told(&pool, 0)[..4], verbs);
    assert_eq!(told(&pool, 4), ["stage failed"]);
    let lines = lines(&pool);
    assert_eq!(lines[2]["object"], lines[1]["object"], "of the volume that was staged");
    assert_eq!(lines[2]["details"]["codes"], "unlisted_column");
    assert_eq!(lines[2]["details"]["reasons"], "1");
    assert_eq!(lines[3]["object"], "mine");
    assert!(text(&lines[4], "object").ends_with("/missing"));
}

#[test]
fn a_snapshots_source_is_in_the_log_without_its_password() {
    let sandbox = Sandbox::new();
    let (_, rules) = small_source(&sandbox);
    let pool = Pool::new(&sandbox);
    let source = "host=/nowhere user=backup password=zqlogpassword";
    pool.try_snapshot(source, rules.path(), &[]).expect_code(1);
    let log = std::fs::read_to_string(pool.dir().join("audit.log")).unwrap();
    assert!(log.contains("host=/nowhere") && !log.contains("zqlogpassword"), "{log}");
}

#[test]
fn the_log_is_listed_by_verb_object_outcome_and_time() {
    let sandbox = Sandbox::new();
    let pool = Pool::new(&sandbox);
    pool.run(&["clone", "show", "nobody"]).expect_code(4);
    pool.json(&["clone", "list"]);
    pool.json(&["snapshot", "list"]);
    let verbs = |filter: &[&str]| -> Vec<String> {
        let log = pool.json(&[&["audit", "log"], filter].concat());
        log.as_array().unwrap().iter().map(|line| text(line, "verb")).collect()
    };
    assert_eq!(verbs(&[]), ["pool init", "clone show", "clone list", "snapshot list"]);
    assert_eq!(verbs(&["--verb", "clone"]), ["clone show", "clone list"]);
    assert_eq!(verbs(&["--verb", "clone list"]), ["clone list"]);
    assert_eq!(verbs(&["--outcome", "not found"]), ["clone show"]);
    assert_eq!(verbs(&["--object", "nobody"]), ["clone show"]);
    assert_eq!(verbs(&["--verb", "snapshot list", "--uid", "4711"]), Vec::<String>::new());
    assert_eq!(verbs(&["--verb", "pool", "--since", "1h"]), ["pool init"]);
    assert_eq!(verbs(&["--until", "2020-01-01"]), Vec::<String>::new());
    assert_eq!(verbs(&["--verb", "audit", "--last", "2"]), ["audit log", "audit log"]);
    pool.run(&["audit", "log", "--since", "sometime"]).expect_code(2);
}

#[test]
fn a_log_that_was_changed_cut_off_or_pruned_is_told_apart() {
    let sandbox = Sandbox::new();
    let pool = Pool::new(&sandbox);
    for _ in 0..8 {
        pool.json(&["clone", "list"]);
    }
    let seen = pool.json(&["audit", "verify"]);
    assert_eq!((&seen["first"], &seen["last"]), (&Value::from(1), &Value::from(9)));
    let head = text(&seen, "head");
    let pruned = pool.json(&["audit", "prune", "--keep", "4"]);
    assert_eq!((&pruned["removed"], &pruned["kept"]), (&Value::from(6), &Value::from(5)));
    let verified = pool.json(&["audit", "verify", "--seen", &head]);
    assert_eq!((&verified["first"], &verified["anchor"]["pruned_through"]), (&7.into(), &6.into()));
    pool.run(&["audit", "verify", "--seen", &"0".repeat(64)]).expect_code(1);
    pool.run(&["audit", "verify", "--seen", &head[1..]]).expect_code(2);
    pool.run(&["audit", "prune"]).expect_code(2);

    let log = pool.dir().join("audit.log");
    let whole = std::fs::read_to_string(&log).unwrap();
    let entries = whole.lines().count();
    let broken = |line: usize| {
        let outcome = pool.run(&["audit", "verify"]).expect_code(1);
        assert_eq!(outcome.json()["broken"]["line"], line, "{outcome:?}");
        pool.run(&["audit", "prune", "--keep", "1"]).expect_code(1);
        std::fs::write(&log, &whole).unwrap();
    };
    std::fs::write(&log, whole.replace("\"clone list\"", "\"clone show\"")).unwrap();
    broken(3);
    let cut: Vec<&str> = whole.lines().take(entries - 2).collect();
    std::fs::write(&log, cut.join("\n") + "\n").unwrap();
    broken(entries - 1);
}
