//! Whatever stops a run before its seal leaves nothing behind.

use std::os::unix::process::CommandExt;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::clones::small_source;
use crate::common::{
    Base, FileSystem, LoopFs, Pool, Queries, Rules, Sandbox, tree_digest, wait_until,
};

/// `snapshot create` in a process group of its own, as a shell would start it.
fn begin(pool: &Pool, source: &str, rules: &Rules) -> Child {
    let mut command = pool.command(&["snapshot", "create", "--source", source, "--rules"]);
    command.arg(rules.path()).process_group(0);
    command.spawn().expect("the binary starts")
}

/// How long an undisturbed run takes; its snapshot is removed again.
fn undisturbed(pool: &Pool, source: &str, rules: &Rules) -> Duration {
    let start = Instant::now();
    let snapshot = pool.snapshot(source, rules.path(), &[]);
    let whole = start.elapsed();
    pool.json(&["snapshot", "destroy", &snapshot.id]);
    assert_eq!(pool.remains(), Vec::<String>::new());
    whole
}

/// A snapshot that was sealed before the signal came is whole: it can be cloned. Removes it.
fn remove_if_sealed(pool: &Pool) {
    for id in pool.ids("snapshot") {
        let clone = pool.clone_of(&id, &[]);
        assert_eq!(clone.value("postgres", "SELECT count(*) FROM people"), "1000");
        pool.json(&["clone", "destroy", &clone.id]);
        pool.json(&["snapshot", "destroy", &id]);
    }
}

#[test]
fn a_kill_at_any_time_leaves_nothing_once_the_pool_is_opened_again() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let pool = Pool::new(&sandbox);
    let whole = undisturbed(&pool, &source, &rules);
    for step in 0..12 {
        let mut child = begin(&pool, &source, &rules);
        std::thread::sleep(whole * step / 12);
        child.kill().unwrap();
        child.wait().unwrap();
        // Recovery runs by itself when a pool is opened, and by name.
        let verb = if step % 2 == 0 { "recover" } else { "status" };
        pool.json(&["pool", verb]);
        remove_if_sealed(&pool);
        // A child that was forked and not yet another program when its parent died ends by itself.
        wait_until(Duration::from_secs(5), || pool.remains().is_empty());
        assert_eq!(pool.remains(), Vec::<String>::new(), "after a kill at {step}/12");
    }
    pool.snapshot(&source, rules.path(), &[]);
}

#[test]
fn ctrl_c_at_any_time_ends_the_run_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let pool = Pool::new(&sandbox);
    let whole = undisturbed(&pool, &source, &rules);
    for step in 1..10 {
        let signal = if step % 3 == 0 { Signal::TERM } else { Signal::INT };
        let child = begin(&pool, &source, &rules);
        std::thread::sleep(whole * step / 10);
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        // A run that has ended has no group.
        kill_process_group(group, signal).ok();
        let output = child.wait_with_output().unwrap();
        let sealed = pool.entries("snapshots").len();
        assert_eq!(output.status.success(), sealed == 1, "at {step}/10: {output:?}");
        if sealed == 0 {
            assert_eq!(pool.remains(), Vec::<String>::new(), "after {signal:?} at {step}/10");
        }
        remove_if_sealed(&pool);
    }
}

#[test]
fn other_callers_do_not_disturb_a_run() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let pool = Pool::new(&sandbox);
    let done = AtomicBool::new(false);
    let calls = std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut calls = 0;
            while !done.load(Ordering::Relaxed) {
                for verb in ["recover", "status"] {
                    let outcome = pool.run(&["pool", verb]);
                    assert!([0, 5].contains(&outcome.code()), "{outcome:?}");
                    calls += 1;
                }
            }
            calls
        });
        let outcomes: Vec<_> = [begin(&pool, &source, &rules), begin(&pool, &source, &rules)]
            .into_iter()
            .map(|child| child.wait_with_output().unwrap())
            .collect();
        done.store(true, Ordering::Relaxed);
        for output in &outcomes {
            let code = output.status.code();
            assert!([Some(0), Some(5)].contains(&code), "{output:?}");
        }
        let made = outcomes.iter().filter(|output| output.status.success()).count();
        assert!(made >= 1);
        assert_eq!(pool.ids("snapshot").len(), made);
        others.join().unwrap()
    });
    assert!(calls > 2);
    remove_if_sealed(&pool);
    assert_eq!(pool.remains(), Vec::<String>::new());
}

#[test]
fn a_full_disk_leaves_nothing_and_the_source_as_it_was() {
    let sandbox = Sandbox::new();
    let disk = LoopFs::mount(&sandbox, FileSystem::Xfs, "xfs", 500);
    let raw = Base::Shop.copy_into(&sandbox, "raw", disk.path());
    let rules = Rules::shop(&sandbox);
    let before = tree_digest(raw.data());
    let pool = Pool::init(&disk.path().join("pool"), "reflink");
    let mut failures = 0;
    for free_megabytes in [2, 6, 12, 20, 30] {
        disk.fill_until(free_megabytes << 20);
        let outcome = pool.try_snapshot(raw.source(), rules.path(), &[]);
        disk.release();
        if outcome.status.success() {
            let id = outcome.json()["id"].as_str().unwrap().to_owned();
            pool.json(&["snapshot", "destroy", &id]);
        } else {
            failures += 1;
            assert_eq!(outcome.code(), 1, "{outcome:?}");
            let text = outcome.text().to_lowercase();
            assert!(text.contains("space"), "{free_megabytes} MB free: {outcome:?}");
        }
        assert_eq!(pool.remains(), Vec::<String>::new(), "{free_megabytes} MB free");
        assert_eq!(tree_digest(raw.data()), before);
    }
    assert!(failures >= 3, "the disk was full {failures} times only");
    pool.snapshot(raw.source(), rules.path(), &[]);
}

#[test]
fn no_server_outlives_a_killed_run() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let pool = Pool::new(&sandbox);
    let mut child = begin(&pool, &source, &rules);
    // The moment when a private server runs is the one that matters.
    let seen = wait_until(Duration::from_secs(60), || {
        let servers = |line: &String| line.contains("postgres") && line.contains("staging");
        crate::common::leftovers_under(&pool.dir().join("staging")).iter().any(servers)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(seen, "no private server was ever seen");
    pool.json(&["pool", "recover"]);
    assert_eq!(pool.remains(), Vec::<String>::new());
}
