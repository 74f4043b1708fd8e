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
    let tell = |line: &Value| {
        let outcome = line["details"]["outcome"].as_str().unwrap_or("done");
        format!("{} {outcome}", text(line, "verb"))
    };
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
