//! Every failpoint by a crash and by an error, those of records and of the log at every pass, and some
//! in the recovery from another: what is there afterwards is what was before the verb, or what it makes.

use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::Signal;

use super::verbs::{
    self, Child, STEPS, State, check, empty, is_torture, outcome, plain_source, run_as_child, seal,
    steps_done,
};
use super::*;
use crate::failpoint::{Failpoint, Omission};

/// Passes of one failpoint in one run, at most.
const PASSES: u32 = 40;

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
    driver: DriverKind,
    /// A directory on a file system for the driver.
    home: PathBuf,
    source: PathBuf,
    /// A pool with a snapshot, to be copied: most failpoints lie behind that.
    prepared: PathBuf,
    port: AtomicU16,
    omission: Option<Omission>,
}

impl Bench {
    /// With ports from `port` on.
    fn new(driver: DriverKind, home: &Home, port: u16, omission: Option<Omission>) -> Bench {
        let home = home.dir.clone();
        let source = plain_source(&home);
        let prepared = home.join("prepared");
        let (pool, _) = Pool::init(&prepared, DriverChoice::Only(driver)).unwrap();
        seal(&pool, &source).unwrap();
        let test = std::thread::current().name().unwrap().to_owned();
        Bench { test, driver, home, source, prepared, port: AtomicU16::new(port), omission }
    }

    /// A copy of a pool is one, unless its volumes are no plain directories.
    fn copies_pools(&self) -> bool {
        self.driver != DriverKind::Btrfs
    }

    fn child(&self, home: &Path, port: u16, trial: Trial) -> std::process::Output {
        let Trial { point, how, pass, .. } = trial;
        let notes = &home.join("done");
        let child = Child {
            test: &self.test,
            home,
            source: &self.source,
            port,
            driver: self.driver,
            notes,
            steps: &STEPS,
            omission: self.omission,
        };
        let point = format!("{point:?}:{how}:{pass}");
        child.command().env(Failpoint::VARIABLE, point).output().unwrap()
    }

    /// Runs it, and says what was not as it should be; `None` if the failpoint was not passed.
    fn run(&self, trial: Trial) -> Option<Result<(), String>> {
        let home = tempfile::Builder::new().prefix("run-").tempdir_in(&self.home).unwrap();
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
            let recovered = check(&pool, self.driver, &possible, port);
            if let Some(failed) = &failed {
                assert!(failed.contains("a test's error"), "another error: {failed}");
                let later = trial.point.destroys() || trial.point.is_everywhere();
                assert!(later || recovered.is_empty(), "an error left: {recovered:?}");
            }
        });
        empty(&pool);
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

impl Bench {
    /// Every trial. Later ones are tried first.
    fn trials(&self) -> Vec<Trial> {
        let mut trials = Vec::new();
        let mut add = |point, pass, fresh, after: Option<Failpoint>| {
            for how in ["abort", "error"] {
                // An error in recovery is a problem that it tells of, and goes on.
                if how == "abort" || after.is_none() {
                    trials.push(Trial { point, how, pass, fresh, after });
                }
            }
        };
        for point in Failpoint::ALL.into_iter().filter(|point| !point.is_of_recovery()) {
            let fresh = point.makes_snapshots() || !self.copies_pools();
            if point.is_everywhere() && self.copies_pools() {
                (1..=PASSES).rev().for_each(|pass| add(point, pass, false, None));
            }
            // Those before there is a snapshot.
            let first = if point.is_everywhere() { 6 } else { 1 };
            (1..=first)
                .filter(|_| fresh || first > 1)
                .for_each(|pass| add(point, pass, true, None));
            if !fresh && !point.is_everywhere() {
                add(point, 1, false, None);
            }
        }
        if self.copies_pools() {
            for (point, pass) in [
                // A snapshot of a clone.
                (Failpoint::StagingMade, 1),
                (Failpoint::Ingested, 1),
                (Failpoint::Recovered, 1),
                (Failpoint::FinishServer, 1),
                (Failpoint::Finished, 1),
                (Failpoint::SealHashed, 1),
                (Failpoint::SealRecorded, 1),
                (Failpoint::SealRenamed, 1),
                (Failpoint::SealSettled, 1),
                // A reset to another snapshot.
                (Failpoint::GenerationBuilt, 2),
                (Failpoint::GenerationTurned, 2),
            ] {
                add(point, pass, false, None);
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
            add(point, 1, fresh || !self.copies_pools(), Some(after));
        }
        trials
    }

    /// Tries them all; says what is wrong.
    fn faults(&self) -> Vec<String> {
        let trials = Mutex::new(self.trials());
        let beyond = Mutex::new(Vec::new());
        let wrong = Mutex::new(Vec::new());
        let fault = |trial: Trial, what: &str| {
            wrong.lock().unwrap().push(format!("{}, {trial:?}: {what}", self.driver));
        };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(trial) = { trials.lock().unwrap().pop() } {
                        let others = |other: &Trial| {
                            (other.point, other.how) != (trial.point, trial.how)
                                || other.fresh
                                || other.after.is_some()
                        };
                        match self.run(trial) {
                            Some(Ok(())) => (),
                            Some(Err(what)) => fault(trial, &what),
                            None if trial.fresh && trial.pass > 1 => (),
                            None if trial.point.is_everywhere() && trial.pass > 1 => {
                                // There are no more passes of this one.
                                trials.lock().unwrap().retain(others);
                                beyond.lock().unwrap().push((trial.point, trial.how));
                            }
                            None => fault(trial, "not passed"),
                        }
                    }
                });
            }
        });
        let beyond = beyond.into_inner().unwrap();
        let mut wrong = wrong.into_inner().unwrap();
        for point in Failpoint::ALL.into_iter().filter(|point| point.is_everywhere()) {
            for how in ["abort", "error"] {
                if self.copies_pools() && !beyond.contains(&(point, how)) {
                    wrong.push(format!("{PASSES} passes of {point:?} are not enough"));
                }
            }
        }
        wrong
    }
}

#[test]
fn a_verb_that_ends_anywhere_is_done_or_undone() {
    if run_as_child() || !is_root() {
        return;
    }
    let drivers: &[DriverKind] = match is_torture() {
        true => &[DriverKind::Overlay, DriverKind::Reflink, DriverKind::Btrfs],
        false => &[DriverKind::Overlay],
    };
    let mut wrong = Vec::new();
    for &driver in drivers {
        let home = Home::new(driver);
        let bench = Bench::new(driver, &home, 18_000, None);
        eprintln!("{driver}: {} trials at most", bench.trials().len());
        wrong.extend(bench.faults());
        empty(&bench.prepared);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_clone_that_is_not_marked_as_unfinished_is_seen_after_a_crash() {
    if run_as_child() || !is_root() {
        return;
    }
    let home = Home::new(DriverKind::Overlay);
    let bench = Bench::new(DriverKind::Overlay, &home, 17_000, Some(Omission::Unfinished));
    let (point, how) = (Failpoint::CloneReserved, "abort");
    let seen = bench.run(Trial { point, how, pass: 1, fresh: false, after: None });
    assert!(matches!(seen, Some(Err(_))), "{seen:?}");
}
