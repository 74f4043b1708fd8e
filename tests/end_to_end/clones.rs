//! Clones: apart from each other, reset at once, reached by password alone.

use std::os::unix::process::CommandExt;
use std::time::Duration;

use postgres::NoTls;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::common::{
    Base, Clone, Needles, Pool, Queries, Rules, Sandbox, Snapshot, leftovers_under,
    process_secrets, tree_digest, wait_until,
};

const COUNT: &str = "SELECT count(*) FROM people";

/// A pool with a snapshot of one table of a thousand rows.
pub(crate) fn small(sandbox: &Sandbox) -> (Pool, Snapshot) {
    let (source, rules) = small_source(sandbox);
    let pool = Pool::new(sandbox);
    let snapshot = pool.snapshot(&source, rules.path(), &[]);
    (pool, snapshot)
}

/// A stopped cluster with one table of a thousand rows, and rules for it.
pub(crate) fn small_source(sandbox: &Sandbox) -> (String, Rules) {
    let mut raw = Base::Empty.copy(sandbox, "raw");
    raw.start();
    raw.exec(
        "postgres",
        "CREATE TABLE people (id integer PRIMARY KEY, email text);
         CREATE INDEX ON people (email);
         INSERT INTO people SELECT i, md5(i::text) || '@example.org'
         FROM generate_series(1, 1000) AS i",
    );
    raw.stop();
    let people = ("public.people", "id = \"keep\"\nemail = \"email\"");
    (raw.source().to_owned(), Rules::for_tables(sandbox, "rules.toml", "postgres", &[people]))
}

fn count(clone: &Clone) -> String {
    clone.value("postgres", COUNT)
}

fn show(pool: &Pool, clone: &Clone) -> serde_json::Value {
    pool.json(&["clone", "show", &clone.id])
}

#[test]
fn writing_to_one_clone_changes_no_other_and_not_the_snapshot() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let before = tree_digest(&snapshot.data());
    let one = pool.clone_of(&snapshot.id, &["--name", "one"]);
    let two = pool.clone_of(&snapshot.id, &["--name", "two"]);
    assert_ne!(one.port(), two.port());
    assert_ne!(one.password, two.password);
    one.exec("postgres", "DELETE FROM people; CREATE TABLE more (id integer); CHECKPOINT");
    assert_eq!(count(&two), "1000");
    assert_eq!(tree_digest(&snapshot.data()), before);
    let three = pool.clone_of(&snapshot.id, &[]);
    assert_eq!(count(&three), "1000");

    pool.json(&["clone", "reset", &one.id]);
    assert_eq!(count(&one), "1000");
    assert_eq!(one.value("postgres", "SELECT count(*) FROM pg_class WHERE relname = 'more'"), "0");
    assert_eq!(show(&pool, &one)["port"], one.json["port"]);
    for clone in [&one, &two, &three] {
        pool.json(&["clone", "destroy", &clone.id]);
        assert!(clone.try_client("postgres").is_err());
    }
    assert_eq!(pool.entries("clones"), Vec::<String>::new());
    assert_eq!(tree_digest(&snapshot.data()), before);
    pool.json(&["snapshot", "destroy", &snapshot.id]);
    assert_eq!(pool.remains(), Vec::<String>::new());
}

#[test]
fn a_stopped_clone_keeps_its_data_and_starts_again_at_its_port() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let clone = pool.clone_of(&snapshot.id, &["--name", "work"]);
    clone.exec("postgres", "DELETE FROM people WHERE id > 10");
    assert_eq!(show(&pool, &clone)["state"], "running");
    pool.json(&["clone", "stop", "work"]);
    assert!(clone.try_client("postgres").is_err());
    assert_eq!(show(&pool, &clone)["state"], "stopped");
    pool.json(&["clone", "start", "work"]);
    assert_eq!(count(&clone), "10");
    pool.json(&["clone", "reset", "work"]);
    assert_eq!(count(&clone), "1000");
}

#[test]
fn a_clone_survives_its_caller_and_the_callers_group() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let mut create = pool.command(&["clone", "create", "--snapshot", &snapshot.id]);
    create.args(["--ports", pool.ports()]).process_group(0);
    let child = create.spawn().unwrap();
    let group = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The group may have no member any more, which is the point.
    kill_process_group(group, Signal::INT).ok();
    kill_process_group(group, Signal::HUP).ok();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let password = json["password"].as_str().unwrap().to_owned();
    let clone = Clone::new(json, password);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(count(&clone), "1000");
}

#[test]
fn a_clone_that_was_killed_is_seen_and_starts_again() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let clone = pool.clone_of(&snapshot.id, &[]);
    clone.exec("postgres", "DELETE FROM people WHERE id > 10");
    let pid = std::fs::read_to_string(clone.data_dir().join("postmaster.pid")).unwrap();
    let pid = Pid::from_raw(pid.lines().next().unwrap().parse().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    assert!(wait_until(Duration::from_secs(20), || leftovers_under(&clone.data_dir())
        .iter()
        .all(|line| !line.starts_with("process"))));
    assert_ne!(show(&pool, &clone)["state"], "running");
    pool.json(&["clone", "start", &clone.id]);
    assert_eq!(count(&clone), "10");
}

#[test]
fn only_the_password_opens_a_clone() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let clone = pool.clone_of(&snapshot.id, &["--user", "dev"]);
    assert_eq!(clone.user(), "dev");
    assert!(clone.config("postgres").connect(NoTls).is_err(), "without password");
    assert!(clone.config("postgres").password("wrong").connect(NoTls).is_err());
    assert!(clone.config("postgres").user("postgres").connect(NoTls).is_err(), "as owner");
    assert_eq!(count(&clone), "1000");
    assert_eq!(clone.value("postgres", "SELECT usesuper FROM pg_user WHERE usename = 'dev'"), "t");
    let methods = clone.column("postgres", "SELECT DISTINCT auth_method FROM pg_hba_file_rules");
    let by_password = |method: &String| ["scram-sha-256", "reject"].contains(&method.as_str());
    assert!(methods.iter().all(by_password), "{methods:?}");
    let stored = "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'dev'";
    assert_eq!(clone.value("postgres", stored), "t");
    let dsn = clone.json["dsn"].as_str().unwrap();
    assert!(!dsn.contains(&clone.password), "{dsn}");
}

#[test]
fn a_given_password_is_in_no_argument_list_file_or_log() {
    const PASSWORD: &str = "zq-correct-horse-battery";
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let ports = pool.ports().to_owned();
    let arguments =
        ["clone", "create", "--snapshot", &snapshot.id, "--ports", &ports, "--password-stdin"];
    let done = std::sync::atomic::AtomicBool::new(false);
    let (outcome, seen) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut seen = Vec::new();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                seen.extend(process_secrets(&[PASSWORD], true));
            }
            seen
        });
        let outcome = pool.run_with_input(&arguments, &format!("{PASSWORD}\n"));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        (outcome, watch.join().unwrap())
    });
    assert_eq!(seen, Vec::<String>::new());
    let outcome = outcome.expect_code(0);
    assert!(!outcome.text().contains(PASSWORD), "{outcome:?}");
    let clone = Clone::new(outcome.json(), PASSWORD.to_owned());
    assert_eq!(count(&clone), "1000");
    clone.exec("postgres", "CHECKPOINT");
    pool.json(&["clone", "stop", &clone.id]);
    pool.json(&["clone", "start", &clone.id]);
    pool.json(&["clone", "reset", &clone.id]);
    assert_eq!(count(&clone), "1000", "the password outlives a reset");
    let mut needles = Needles::new();
    needles.add("password", PASSWORD.as_bytes());
    assert_eq!(needles.find_below(pool.dir()), Vec::<String>::new());
    let generated = pool.clone_of(&snapshot.id, &[]);
    let mut needles = Needles::new();
    assert!(needles.add("password", generated.password.as_bytes()), "too short a password");
    assert_eq!(needles.find_below(pool.dir()), Vec::<String>::new());
}

#[test]
fn the_watch_for_secrets_sees_an_argument() {
    let mut child = std::process::Command::new("sleep")
        .arg("60")
        .env("NOTE", "zq-planted-secret")
        .spawn()
        .unwrap();
    assert!(wait_until(Duration::from_secs(10), || {
        !process_secrets(&["zq-planted-secret"], true).is_empty()
    }));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_clone_never_archives_replicates_or_preloads_what_production_did() {
    let sandbox = Sandbox::new();
    let raw = Base::Shop.copy(&sandbox, "raw");
    let rules = Rules::shop(&sandbox);
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    let clone = pool.clone_of(&snapshot.id, &[]);
    let setting = |clone: &Clone, name: &str| clone.value("postgres", &format!("SHOW {name}"));
    assert_eq!(setting(&clone, "archive_mode"), "off");
    assert_eq!(setting(&clone, "shared_preload_libraries"), "");
    assert_eq!(setting(&clone, "primary_conninfo"), "");
    assert_eq!(setting(&clone, "max_logical_replication_workers"), "0");
    assert!(["127.0.0.1", "localhost"].contains(&setting(&clone, "listen_addresses").as_str()));

    let allowed = Rules::shop_text().replacen(
        "version  = 1",
        "version = 1\nallow_preload = [\"pg_stat_statements\"]",
        1,
    );
    let allowed = Rules::write(&sandbox, "preload.toml", &allowed);
    let snapshot = pool.snapshot(raw.source(), allowed.path(), &[]);
    let clone = pool.clone_of(&snapshot.id, &[]);
    assert_eq!(setting(&clone, "shared_preload_libraries"), "pg_stat_statements");
}

#[test]
fn a_snapshot_with_clones_is_not_destroyed_and_they_are_named() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let clone = pool.clone_of(&snapshot.id, &["--name", "in-use"]);
    let outcome = pool.run(&["snapshot", "destroy", &snapshot.id]);
    assert!([3, 5].contains(&outcome.code()), "{outcome:?}");
    assert!(outcome.text().contains("in-use"), "{outcome:?}");
    assert_eq!(count(&clone), "1000");
    pool.json(&["clone", "destroy", "in-use"]);
    pool.json(&["snapshot", "destroy", &snapshot.id]);
    assert_eq!(pool.remains(), Vec::<String>::new());
}

#[test]
fn what_is_shown_of_a_clone_is_what_was_promised() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let clone = pool.clone_of(&snapshot.id, &["--name", "shown"]);
    let shown = show(&pool, &clone);
    for key in [
        "id",
        "name",
        "snapshot",
        "state",
        "host",
        "port",
        "user",
        "database",
        "dsn",
        "data_dir",
        "driver",
        "shared_bytes",
        "own_bytes",
        "ready_ms",
    ] {
        assert!(!clone.json[key].is_null(), "{key} is not in {}", clone.json);
        assert!(!shown[key].is_null(), "{key} is not in {shown}");
    }
    assert_eq!(shown["snapshot"], snapshot.id.as_str());
    assert!(shown["password"].is_null());
    assert!(!shown.to_string().contains(&clone.password));
    let list = pool.json(&["clone", "list"]);
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["id"], clone.id.as_str());
    let again = pool.run(&["clone", "create", "--snapshot", &snapshot.id, "--name", "shown"]);
    assert!([2, 3, 5].contains(&again.code()), "two clones of one name: {again:?}");
}

#[test]
fn a_reset_that_is_killed_leaves_the_old_state_or_the_new_one() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let clone = pool.clone_of(&snapshot.id, &[]);
    let begun = std::time::Instant::now();
    pool.json(&["clone", "reset", &clone.id]);
    let whole = begun.elapsed();
    for step in 0..8 {
        clone.exec("postgres", "DELETE FROM people WHERE id > 10");
        let mut child = pool.command(&["clone", "reset", &clone.id]).spawn().unwrap();
        std::thread::sleep(whole * step / 8);
        child.kill().unwrap();
        child.wait().unwrap();
        pool.json(&["pool", "recover"]);
        if show(&pool, &clone)["state"] != "running" {
            pool.json(&["clone", "start", &clone.id]);
        }
        let rows = count(&clone);
        assert!(["10", "1000"].contains(&rows.as_str()), "{rows} rows after a kill at {step}/8");
        let generations = pool.entries(&format!("clones/{}", clone.id));
        let kept = generations.iter().filter(|name| name.starts_with("gen-")).count();
        assert_eq!(kept, 1, "{generations:?}");
    }
    pool.json(&["clone", "destroy", &clone.id]);
    assert_eq!(pool.entries("clones"), Vec::<String>::new());
}

#[test]
fn sixteen_processes_make_and_destroy_clones_at_once() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let pool = &pool;
    let ports = std::sync::Mutex::new(std::collections::BTreeSet::new());
    std::thread::scope(|scope| {
        for number in 0..16 {
            let (ports, snapshot) = (&ports, &snapshot);
            scope.spawn(move || {
                let clone = pool.clone_of(&snapshot.id, &["--name", &format!("c{number}")]);
                assert!(ports.lock().unwrap().insert(clone.port()), "a port was given twice");
                assert_eq!(count(&clone), "1000");
                // Every other one goes before the rest are there.
                if number % 2 == 0 {
                    ports.lock().unwrap().remove(&clone.port());
                    pool.json(&["clone", "destroy", &clone.id]);
                }
            });
        }
    });
    assert_eq!(pool.ids("clone").len(), 8);
    pool.json(&["audit", "verify"]);
    pool.json(&["snapshot", "destroy", &snapshot.id, "--cascade"]);
    assert_eq!(pool.remains(), Vec::<String>::new());
}
