//! The command line's contract: help, exit statuses, one JSON document.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use serde_json::Value;

use crate::clones::{small, small_source};
use crate::common::{Needles, Pool, Rules, Sandbox};

const VERBS: &[&[&str]] = &[
    &["key", "new"],
    &["pool", "init"],
    &["pool", "status"],
    &["pool", "recover"],
    &["rules", "suggest"],
    &["rules", "check"],
    &["rules", "import"],
    &["snapshot", "create"],
    &["snapshot", "list"],
    &["snapshot", "log"],
    &["snapshot", "show"],
    &["snapshot", "audit"],
    &["snapshot", "destroy"],
    &["clone", "create"],
    &["clone", "list"],
    &["clone", "show"],
    &["clone", "start"],
    &["clone", "stop"],
    &["clone", "reset"],
    &["clone", "destroy"],
];

fn thinveil(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thinveil"));
    for name in ["THINVEIL_POOL", "THINVEIL_KEY", "THINVEIL_PG_BIN"] {
        command.env_remove(name);
    }
    command.args(arguments).output().expect("the binary starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn every_verb_has_help_with_an_example() {
    for verb in VERBS {
        let mut arguments = verb.to_vec();
        arguments.push("--help");
        let output = thinveil(&arguments);
        assert_eq!(output.status.code(), Some(0), "{verb:?}");
        let text = stdout(&output);
        assert!(text.to_lowercase().contains("example"), "{verb:?}: {text}");
        let call = format!("thinveil {}", verb.join(" "));
        let example = text.split("xample").skip(1).any(|part| {
            part.lines().any(|line| line.contains("thinveil") && line.contains(&verb.join(" ")))
        });
        assert!(example, "{call} is in no example of {text}");
    }
    let text = stdout(&thinveil(&["--help"]));
    for noun in ["key", "pool", "rules", "snapshot", "clone"] {
        assert!(text.contains(noun), "{noun} is not in {text}");
    }
    assert!(stdout(&thinveil(&["--version"])).starts_with("thinveil "));
}

#[test]
fn wrong_usage_is_two_and_says_what_would_be_right() {
    for (arguments, word) in [
        (&["snapshot", "crate"][..], "create"),
        (&["snapshot", "create", "--no-such-option"], "--no-such-option"),
        (&["clone", "create", "--port", "many"], "many"),
        (&["snapshot", "create"], "--source"),
        (&["snapshot", "show"], "Usage"),
        (&[], "Usage"),
    ] {
        let output = thinveil(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(word), "{arguments:?}: {word:?} is not in {text}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn completions_are_written_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let output = thinveil(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let text = stdout(&output);
        assert!(text.contains("snapshot") && text.contains("thinveil"), "{shell}");
    }
}

#[test]
fn a_key_is_new_each_time_and_opens_as_a_file() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let [one, two] = [thinveil(&["key", "new"]), thinveil(&["key", "new"])];
    assert_ne!(one.stdout, two.stdout);
    let key = stdout(&one).trim().to_owned();
    assert_eq!(key.len(), 64, "a key in hex, and nothing else");
    assert!(key.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let file = sandbox.file("key", &stdout(&one));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut pool = Pool::new(&sandbox);
    pool.env.clear();
    let by_file = ["--key-file", file.to_str().unwrap()];
    let first = pool.snapshot(&source, rules.path(), &by_file);
    pool.env = vec![("THINVEIL_KEY".into(), key.clone())];
    let second = pool.snapshot(&source, rules.path(), &[]);
    assert_eq!(first.json["key_id"], second.json["key_id"]);
    let mut needles = Needles::new();
    needles.add("key", key.as_bytes());
    assert_eq!(needles.find_below(pool.dir()), Vec::<String>::new());
}

#[test]
fn without_a_key_or_with_a_bad_one_nothing_is_made_and_the_ways_are_named() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let mut pool = Pool::new(&sandbox);
    pool.env.clear();
    let outcome = pool.try_snapshot(&source, rules.path(), &[]).expect_code(2);
    for way in ["--key-file", "--ephemeral-key", "THINVEIL_KEY"] {
        assert!(outcome.text().contains(way), "{way} is not in {outcome:?}");
    }
    for bad in ["zz", "12345", &"ab".repeat(31), &"xy".repeat(32)] {
        pool.env = vec![("THINVEIL_KEY".into(), bad.to_owned())];
        let outcome = pool.try_snapshot(&source, rules.path(), &[]);
        assert!([1, 2].contains(&outcome.code()), "{outcome:?}");
        assert!(!outcome.text().contains(bad), "a key is shown: {outcome:?}");
    }
    assert_eq!(pool.remains(), Vec::<String>::new());
}

#[test]
fn what_is_not_there_is_four_and_named() {
    let sandbox = Sandbox::new();
    let pool = Pool::new(&sandbox);
    for arguments in [
        &["snapshot", "show", "nobody"][..],
        &["snapshot", "audit", "nobody"],
        &["snapshot", "destroy", "nobody"],
        &["clone", "create", "--snapshot", "nobody"],
        &["clone", "show", "nobody"],
        &["clone", "start", "nobody"],
        &["clone", "stop", "nobody"],
        &["clone", "reset", "nobody"],
        &["clone", "destroy", "nobody"],
    ] {
        let outcome = pool.run(arguments).expect_code(4);
        assert!(outcome.text().contains("nobody"), "{outcome:?}");
        outcome.json();
    }
    // A name is no path.
    for name in ["..", "../snapshots", "/", "."] {
        pool.run(&["snapshot", "destroy", name]).expect_code(4);
        pool.run(&["clone", "destroy", name]).expect_code(4);
    }
    assert!(pool.dir().exists());
    let nowhere = sandbox.join("no-pool");
    let output = thinveil(&["--pool", nowhere.to_str().unwrap(), "snapshot", "list"]);
    assert!([Some(1), Some(2), Some(4)].contains(&output.status.code()), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("no-pool") && text.contains("pool init"), "{text}");
    assert!(!nowhere.exists());
}

#[test]
fn names_that_would_be_paths_are_not_taken() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    for name in ["../up", "a/b", "", ".", "-x y\n"] {
        let name = format!("--name={name}");
        let outcome = pool.run(&["clone", "create", "--snapshot", &snapshot.id, &name]);
        assert!([1, 2].contains(&outcome.code()), "{name:?}: {outcome:?}");
    }
    assert_eq!(pool.entries("clones"), Vec::<String>::new());
}

#[test]
fn every_answer_is_one_json_document() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let clone = pool.clone_of(&snapshot.id, &[]);
    for arguments in [
        &["pool", "status"][..],
        &["pool", "recover"],
        &["snapshot", "list"],
        &["snapshot", "show", &snapshot.id],
        &["snapshot", "audit", &snapshot.id],
        &["clone", "list"],
        &["clone", "show", &clone.id],
        &["clone", "stop", &clone.id],
        &["clone", "start", &clone.id],
        &["clone", "reset", &clone.id],
        &["clone", "destroy", &clone.id],
        &["snapshot", "destroy", &snapshot.id],
        &["key", "new"],
    ] {
        let json = pool.run(arguments).expect_code(0).json();
        assert!(json.is_object() || json.is_array(), "{arguments:?}: {json}");
    }
    let failed = pool.run(&["snapshot", "show", "gone"]).expect_code(4).json();
    assert!(failed["error"].is_string() || failed["error"].is_object(), "{failed}");
}

#[test]
fn without_json_a_person_reads_text_and_progress_is_on_standard_error() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let pool = Pool::new(&sandbox);
    let mut command = pool.command_for_people(&["snapshot", "create", "--source", &source]);
    command.arg("--rules").arg(rules.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = stdout(&output);
    assert!(serde_json::from_str::<Value>(&text).is_err());
    assert!(!text.contains('\u{1b}'), "colours or bars in a pipe: {text}");
    let progress = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!progress.contains('\u{1b}') && !progress.contains('\r'), "bars in a pipe");
    for stage in ["rewrite", "audit"] {
        assert!(progress.contains(stage) || text.contains(stage), "{stage}: {progress}{text}");
    }
    let mut list = Command::new(env!("CARGO_BIN_EXE_thinveil"));
    let output = list.env("THINVEIL_POOL", pool.dir()).args(["snapshot", "list"]).output().unwrap();
    assert!(stdout(&output).contains(&source), "the pool by its variable: {output:?}");
}

#[test]
fn a_user_without_permission_is_told_where() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let pool = Pool::new(&sandbox);
    let binary = sandbox.join("thinveil");
    std::fs::copy(env!("CARGO_BIN_EXE_thinveil"), &binary).unwrap();
    let as_nobody = |dir: &str, arguments: &[&str]| {
        let mut command = Command::new(&binary);
        command.arg("--pool").arg(dir).args(arguments).current_dir("/");
        command.env("THINVEIL_KEY", crate::common::TEST_KEY).uid(65534).gid(65534);
        command.output().unwrap()
    };
    let pool_dir = pool.dir().to_str().unwrap();
    let rules = rules.path().to_str().unwrap();
    let create = ["snapshot", "create", "--source", &source, "--rules", rules];
    for output in [
        as_nobody(pool_dir, &create),
        as_nobody(sandbox.join("other").to_str().unwrap(), &["pool", "init"]),
    ] {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(sandbox.path().to_str().unwrap()), "no place in {text}");
        assert!(text.to_lowercase().contains("permi"), "{text}");
    }
    assert_eq!(pool.remains(), Vec::<String>::new());
}

#[test]
fn a_pool_is_not_made_over_something_else() {
    let sandbox = Sandbox::new();
    let occupied = sandbox.join("occupied");
    std::fs::create_dir(&occupied).unwrap();
    std::fs::write(occupied.join("precious"), "mine").unwrap();
    let output = thinveil(&["--pool", occupied.to_str().unwrap(), "pool", "init"]);
    assert!(!output.status.success());
    assert_eq!(std::fs::read_dir(&occupied).unwrap().count(), 1);
    let pool = Pool::new(&sandbox);
    let again = pool.run(&["pool", "init"]);
    assert_ne!(again.code(), 0, "{again:?}");
}

#[test]
fn security_labels_are_imported_as_rules() {
    let sandbox = Sandbox::new();
    let labels = sandbox.file(
        "labels.sql",
        "SECURITY LABEL FOR anon ON COLUMN public.people.email IS 'MASKED WITH FUNCTION anon.fake_email()';\n",
    );
    let output = thinveil(&["rules", "import", labels.to_str().unwrap()]);
    // A build without PostgreSQL's parser can't, and says so.
    if cfg!(feature = "sql") {
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let rules = stdout(&output);
        assert!(rules.contains("public.people") && rules.contains("email"), "{rules}");
        Rules::write(&sandbox, "imported.toml", &rules);
    } else {
        assert_ne!(output.status.code(), Some(0), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("sql"), "{output:?}");
    }
}

#[test]
fn without_a_pool_it_is_said_how_to_make_one() {
    let sandbox = Sandbox::new();
    let nothing = sandbox.join("nothing").display().to_string();
    let output = thinveil(&["--pool", &nothing, "snapshot", "list"]);
    assert_eq!(output.status.code(), Some(4));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let wanted =
        format!("{nothing} is no pool: make one with `thinveil --pool {nothing} pool init`");
    assert!(said.contains(&wanted), "{said}");

    let pool = Pool::new(&sandbox);
    let log = pool.command_for_people(&["snapshot", "log"]).output().unwrap();
    assert_eq!(stdout(&log), "no snapshots\n");
}
