//! Every failpoint by a crash and by an error, those of records and of the log at every pass, and some
//! in the recovery from another: what is there afterwards is what was before the verb, or what it makes.

use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::Signal;

use super::verbs::{
    self, Child, STEPS, State, check, destroy_clones, outcome, plain_source, run_as_child, seal,
    steps_done,
};
use super::*;
use crate::failpoint::{Failpoint, Omission};

/// Passes of one failpoint in one run, at most.
const PASSES: u32 = 40;
const DRIVER: DriverKind = DriverKind::Overlay;

/// One failpoint, one way to end, one pass.
#[derive(Clone, Copy, Debug)]
struct Trial {
    point: Failpoint,
    how: &'static str,
    pass: u32,
    /// From an empty directory on, and not from a prepared pool.
    fresh: bool,
    /// A crash before this run, which it has to recover from first.
    after: Option<Failpoint>,
}

/// What all runs have in common.
struct Bench {
    test: String,
    source: PathBuf,
    /// A pool with a snapshot, to be copied: most failpoints lie behind that.
    prepared: PathBuf,
    port: AtomicU16,
    omission: Option<Omission>,
}

impl Bench {
    /// In `home`, with ports from `port` on.
    fn new(home: &Path, port: u16, omission: Option<Omission>) -> Bench {
        let source = plain_source(home);
        let prepared = home.join("prepared");
        let (pool, _) = Pool::init(&prepared, DriverChoice::Only(DRIVER)).unwrap();
        seal(&pool, &source).unwrap();
        let test = std::thread::current().name().unwrap().to_owned();
        Bench { test, source, prepared, port: AtomicU16::new(port), omission }
    }

    fn child(&self, home: &Path, port: u16, trial: Trial) -> std::process::Output {
        let Trial { point, how, pass, .. } = trial;
        let notes = &home.join("done");
        let child = Child {
            test: &self.test,
            home,
            source: &self.source,
            port,
            driver: DRIVER,
            notes,
            steps: &STEPS,
            omission: self.omission,
        };
        let point = format!("{point:?}:{how}:{pass}");
        child.command().env(Failpoint::VARIABLE, point).output().unwrap()
    }

    /// Runs it, and says what was not as it should be; `None` if the failpoint was not passed.
    fn run(&self, trial: Trial) -> Option<Result<(), String>> {
        let home = tempfile::Builder::new().prefix("thinveil-fail-").tempdir_in("/tmp").unwrap();
        run(Command::new("chmod").arg("755").arg(home.path()));
        let (pool, notes) = (home.path().join("pool"), home.path().join("done"));
        fs::write(&notes, if trial.fresh { "" } else { "Init\nSeal\n" }).unwrap();
        if !trial.fresh {
            run(Command::new("cp").arg("-a").arg(&self.prepared).arg(&pool));
        }
        let port = self.port.fetch_add(4, Ordering::Relaxed);
        let crashed =
            |output: &std::process::Output| output.status.signal() == Some(Signal::ABORT.as_raw());
        if let Some(point) = trial.after {
            let before = Trial { point, how: "abort", pass: 1, fresh: trial.fresh, after: None };
            assert!(crashed(&self.child(home.path(), port, before)), "{point:?}: no crash");
        }
        let output = self.child(home.path(), port, trial);
        let (crashed, failed) = (crashed(&output), verbs::failure(&output));
        let checked = outcome(|| {
            let done = steps_done(&notes);
            let possible = [done, done + 1].map(|done| State::after(&STEPS, done));
            let recovered = check(&pool, DRIVER, &possible, port);
            if let Some(failed) = &failed {
                assert!(failed.contains("a test's error"), "another error: {failed}");
                let later = trial.point.destroys() || trial.point.is_everywhere();
                assert!(later || recovered.is_empty(), "an error left: {recovered:?}");
            }
        });
        destroy_clones(&pool);
        // Neither the failpoint nor a verb: the run itself went wrong.
        if !output.status.success() && !crashed {
            return Some(Err("the run panicked".to_owned()));
        }
        (crashed || failed.is_some()).then_some(checked)
    }
}

impl Failpoint {
    /// True for those that are passed before there is a snapshot.
    fn makes_snapshots(self) -> bool {
        (self as u8) <= Failpoint::SealSettled as u8
    }

    /// True for those that each verb passes, some more than once.
    fn is_everywhere(self) -> bool {
        matches!(self, Failpoint::RecordBeside | Failpoint::LogLine)
    }

    /// True for those that are passed only when there is something to put right.
    fn is_of_recovery(self) -> bool {
        matches!(self, Failpoint::StagingSwept | Failpoint::CloneSwept | Failpoint::CloneTidied)
    }

    /// True if what an error leaves there may wait for the next open.
    fn destroys(self) -> bool {
        matches!(
            self,
            Failpoint::SnapshotAway
                | Failpoint::SnapshotAwayTold
                | Failpoint::CloneDestroying
                | Failpoint::GenerationsGone
                | Failpoint::GenerationTurned
        )
    }
}

#[test]
fn a_verb_that_ends_anywhere_is_done_or_undone() {
    if run_as_child() || !is_root() {
        return;
    }
    let home = tempfile::Builder::new().prefix("thinveil-fail-").tempdir_in("/tmp").unwrap();
    let bench = Bench::new(home.path(), 18_000, None);

    let mut trials = Vec::new();
    for point in Failpoint::ALL {
        if point.is_of_recovery() {
            continue;
        }
        let fresh = point.makes_snapshots();
        let passes = if point.is_everywhere() { PASSES } else { 1 };
        for how in ["abort", "error"] {
            for pass in (1..=passes).rev() {
                trials.push(Trial { point, how, pass, fresh, after: None });
            }
            // Those before there is a snapshot.
            for pass in (1..=6).filter(|_| point.is_everywhere()) {
                trials.push(Trial { point, how, pass, fresh: true, after: None });
            }
        }
    }
    for (after, fresh, point) in [
        (Failpoint::Finished, true, Failpoint::StagingSwept),
        (Failpoint::Finished, true, Failpoint::LogLine),
        (Failpoint::CloneLaunched, false, Failpoint::GenerationsGone),
        (Failpoint::CloneLaunched, false, Failpoint::CloneSwept),
        (Failpoint::CloneDestroying, false, Failpoint::GenerationsGone),
        (Failpoint::CloneDestroying, false, Failpoint::CloneSwept),
        (Failpoint::GenerationTurned, false, Failpoint::CloneTidied),
        (Failpoint::SnapshotAway, false, Failpoint::StagingSwept),
    ] {
        // By a crash only: an error there is a problem that the recovery tells of, and goes on.
        trials.push(Trial { point, how: "abort", pass: 1, fresh, after: Some(after) });
    }
    let trials = Mutex::new(trials);
    let beyond = Mutex::new(Vec::new());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(trial) = { trials.lock().unwrap().pop() } {
                    match bench.run(trial) {
                        Some(Ok(())) => (),
                        Some(Err(what)) => wrong.lock().unwrap().push(format!("{trial:?}: {what}")),
                        None if trial.fresh && trial.pass > 1 => (),
                        None if trial.pass > 1 => {
                            // There are no more passes of this one.
                            let others = |other: &Trial| {
                                (other.point, other.how) != (trial.point, trial.how)
                                    || other.fresh
                                    || other.after.is_some()
                            };
                            trials.lock().unwrap().retain(others);
                            beyond.lock().unwrap().push((trial.point, trial.how));
                        }
                        None => wrong.lock().unwrap().push(format!("{trial:?}: not passed")),
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let beyond = beyond.into_inner().unwrap();
    for point in Failpoint::ALL.into_iter().filter(|point| point.is_everywhere()) {
        for how in ["abort", "error"] {
            assert!(beyond.contains(&(point, how)), "{PASSES} passes of {point:?} are not enough");
        }
    }
}

#[test]
fn a_clone_that_is_not_marked_as_unfinished_is_seen_after_a_crash() {
    if run_as_child() || !is_root() {
        return;
    }
    let home = tempfile::Builder::new().prefix("thinveil-fail-").tempdir_in("/tmp").unwrap();
    let bench = Bench::new(home.path(), 17_000, Some(Omission::Unfinished));
    let (point, how) = (Failpoint::CloneReserved, "abort");
    let seen = bench.run(Trial { point, how, pass: 1, fresh: false, after: None });
    assert!(matches!(seen, Some(Err(_))), "{seen:?}");
}
