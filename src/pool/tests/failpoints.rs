//! Every failpoint by a crash and by an error, those of records and of the log at every pass, and some
//! in the recovery from another: what is there afterwards is what was before the verb, or what it makes.
//!
//! Each run is a process of its own: this test binary again, at this test again, with [`HOME`] set.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::Signal;

use super::*;
use crate::error::Error;
use crate::failpoint::Failpoint;
use crate::mask::MaskKey;
use crate::rules::RuleSet;

/// Where a run finds its pool, the source and its ports, and leaves what it did,
const HOME: &str = "THINVEIL_TEST_HOME";
/// the directory of the source,
const SOURCE: &str = "THINVEIL_TEST_SOURCE";
/// and the first port.
const PORT: &str = "THINVEIL_TEST_PORT";
const RULES: &str = "version = 1
unlisted = \"keep\"
[databases.postgres.tables.\"public.t\"]
id = \"keep\"
note = \"text\"
";
/// Passes of one failpoint in one run, at most.
const PASSES: u32 = 40;

/// What a run does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Init,
    Seal,
    Clone,
    Mark,
    Protect,
    Stop,
    Start,
    Reset,
    Prune,
    Export,
    Unprotect,
    Destroy,
    DestroySnapshot,
    Import,
}

const STEPS: [Step; 14] = [
    Step::Init,
    Step::Seal,
    Step::Clone,
    Step::Mark,
    Step::Protect,
    Step::Stop,
    Step::Start,
    Step::Reset,
    Step::Prune,
    Step::Export,
    Step::Unprotect,
    Step::Destroy,
    Step::DestroySnapshot,
    Step::Import,
];

/// What there is in a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    pool: bool,
    snapshot: bool,
    clone: bool,
    marked: bool,
    protected: bool,
}

impl State {
    /// What there is after so many steps.
    fn after(steps: usize) -> State {
        let done = |step: Step| STEPS.iter().take(steps).any(|done| *done == step);
        State {
            pool: done(Step::Init),
            snapshot: done(Step::Seal) && !done(Step::DestroySnapshot) || done(Step::Import),
            clone: done(Step::Clone) && !done(Step::Destroy),
            marked: done(Step::Mark) && !done(Step::Reset),
            protected: done(Step::Protect) && !done(Step::Unprotect),
        }
    }
}

impl Step {
    fn run(self, dir: &Path, source: &Path, port: u16) -> Result<()> {
        if self == Step::Init {
            return Pool::init(dir, DriverChoice::Only(DriverKind::Overlay)).map(drop);
        }
        let pool = Pool::open(dir)?;
        let archive = dir.with_file_name("archive");
        let clone = || pool.find_clone("one");
        match self {
            Step::Init => Ok(()),
            Step::Seal => seal(&pool, source).map(drop),
            Step::Clone => pool.snapshot("base")?.create_clone(asked("one", port)).map(drop),
            Step::Mark => {
                query(
                    &clone()?,
                    "with made as (insert into mark values (1) returning 1) select 'x'::text",
                );
                Ok(())
            }
            Step::Protect => clone()?.protect(None).map(drop),
            Step::Stop => clone()?.stop().map(drop),
            Step::Start => clone()?.start().map(drop),
            Step::Reset => clone()?.reset(None, &Cancel::new()).map(drop),
            Step::Prune => pool.prune_audit_log(Retention::Last(3)).map(drop),
            Step::Export => {
                pool.export_snapshot("base", &archive, &MoveOptions::default()).map(drop)
            }
            Step::Import => pool.import_snapshot(&archive, &MoveOptions::default()).map(drop),
            Step::Unprotect => clone()?.unprotect().map(drop),
            Step::Destroy => clone()?.destroy(),
            Step::DestroySnapshot => pool.destroy_snapshot("base").map(drop),
        }
    }
}

fn seal(pool: &Pool, source: &Path) -> Result<Snapshot> {
    let options = SnapshotOptions { name: Some("base".to_owned()), ..SnapshotOptions::default() };
    pool.stage(&super::super::Source::Directory(source.to_path_buf()), options)?
        .plan(&RuleSet::from_toml(RULES)?)?
        .rewrite(&MaskKey::from_bytes([9; 32]))?
        .finish()?
        .audit()?
        .seal()
}

fn asked(name: &str, port: u16) -> CloneRequest {
    let ports = PortRange::new(port, port + 3).unwrap();
    CloneRequest { name: Some(name.to_owned()), ports, ..request(name) }
}

/// In a process of its own: every step that is not done yet, each noted when it is.
fn go(home: &Path) {
    let source = PathBuf::from(std::env::var_os(SOURCE).unwrap());
    let port = std::env::var(PORT).unwrap().parse().unwrap();
    let done = steps_done(home);
    let mut notes =
        fs::OpenOptions::new().append(true).create(true).open(home.join("done")).unwrap();
    for step in STEPS.iter().skip(done) {
        match step.run(&home.join("pool"), &source, port) {
            Ok(()) => writeln!(notes, "{step:?}").unwrap(),
            Err(error) => {
                fs::write(home.join("failed"), error.to_string()).unwrap();
                return;
            }
        }
    }
}

fn steps_done(home: &Path) -> usize {
    fs::read_to_string(home.join("done")).unwrap_or_default().lines().count()
}

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
}

impl Bench {
    /// The signal that ended it, if one did, and whether it ended well.
    fn child(&self, home: &Path, port: u16, trial: Trial) -> (Option<i32>, bool) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &self.test]).stdin(Stdio::null());
        command.env(HOME, home).env(SOURCE, &self.source).env(PORT, port.to_string());
        let Trial { point, how, pass, .. } = trial;
        command.env(Failpoint::VARIABLE, format!("{point:?}:{how}:{pass}"));
        let status = command.output().unwrap().status;
        (status.signal(), status.success())
    }

    /// Runs it, and says what was not as it should be; `None` if the failpoint was not passed.
    fn run(&self, trial: Trial) -> Option<Result<(), String>> {
        let home = tempfile::Builder::new().prefix("thinveil-fail-").tempdir_in("/tmp").unwrap();
        run(Command::new("chmod").arg("755").arg(home.path()));
        let pool = home.path().join("pool");
        if !trial.fresh {
            run(Command::new("cp").arg("-a").arg(&self.prepared).arg(&pool));
            fs::write(home.path().join("done"), "Init\nSeal\n").unwrap();
        }
        let port = self.port.fetch_add(4, Ordering::Relaxed);
        if let Some(point) = trial.after {
            let before = Trial { point, how: "abort", pass: 1, fresh: trial.fresh, after: None };
            assert!(self.child(home.path(), port, before).0.is_some(), "{point:?}: no crash");
        }
        let (signal, ended_well) = self.child(home.path(), port, trial);
        let failed = fs::read_to_string(home.path().join("failed")).ok();
        let crashed = signal == Some(Signal::ABORT.as_raw());
        let hit = crashed || failed.is_some();
        // Neither the failpoint nor a verb: the run itself went wrong.
        let astray = !ended_well && !crashed;
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            check(home.path(), &trial, failed.as_deref(), port);
        }));
        if let Ok(pool) = Pool::open(&pool) {
            for clone in pool.clones().unwrap_or_default() {
                let _ = clone.unprotect();
                let _ = clone.destroy();
            }
        }
        if astray {
            return Some(Err("the run panicked".to_owned()));
        }
        if !hit {
            return None;
        }
        Some(checked.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_default()
        }))
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

/// What is there is what was before the step that did not end, or what is after it; nothing else is.
fn check(home: &Path, trial: &Trial, failed: Option<&str>, port: u16) {
    let (dir, done) = (home.join("pool"), steps_done(home));
    if let Some(failed) = failed {
        assert!(failed.contains("a test's error"), "another error: {failed}");
    }
    let possible = [State::after(done), State::after(done + 1)];
    if !dir.join("pool.json").exists() {
        assert!(possible.contains(&State::after(0)), "the pool is gone");
        // What was begun is no pool, and is in the way of none.
        let error = Pool::open(&dir).map(drop).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
        Step::Init.run(&dir, &dir, port).unwrap();
        return;
    }
    let pool = Pool::open(&dir).unwrap();
    let recovered = pool.recovered().clone();
    assert!(recovered.problems.is_empty(), "{recovered:?}");
    let anywhere = trial.point.destroys() || trial.point.is_everywhere() || trial.after.is_some();
    assert!(failed.is_none() || anywhere || recovered.is_empty(), "an error left: {recovered:?}");
    assert!(Pool::open(&dir).unwrap().recovered().is_empty(), "recovery is done at once");
    assert_eq!(subdirs(&pool.staging_dir()).unwrap(), Vec::<String>::new());
    pool.verify_audit_log().unwrap();

    let snapshots = pool.snapshots().unwrap();
    for snapshot in &snapshots {
        let found = pool.verify_snapshot(snapshot.id(), None, &Cancel::new()).unwrap();
        assert!(found.verified, "{found:?}");
    }
    let clones = pool.clones().unwrap();
    let found = State {
        pool: true,
        snapshot: snapshots.len() == 1,
        clone: clones.len() == 1,
        marked: clones.first().is_some_and(|clone| {
            clone.start().unwrap();
            query(clone, "select count(*)::text from mark") == "1"
        }),
        protected: clones.first().is_some_and(|clone| clone.care().unwrap().protected),
    };
    // A clone that is there is the one that it was.
    let alike = |state: &State| State { marked: state.marked && state.clone, ..*state };
    assert!(possible.iter().any(|state| alike(state) == found), "{found:?}, not {possible:?}");
    nothing_else_is_there(&dir, &clones);

    if let Some(snapshot) = snapshots.first() {
        let again = snapshot.create_clone(asked("again", port)).unwrap().clone;
        assert_eq!(query(&again, "select count(*)::text from t where note like 'secret%'"), "0");
        again.destroy().unwrap();
    } else {
        pool.check_new_snapshot_name("base").unwrap();
    }
}

/// No server and no mount but those of these clones.
fn nothing_else_is_there(dir: &Path, clones: &[ThinClone]) {
    let volumes: Vec<PathBuf> = clones.iter().map(ThinClone::volume).collect();
    let is_known = |path: &Path| volumes.iter().any(|volume| path.starts_with(volume));
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let cwd = fs::read_link(process.path().join("cwd")).unwrap_or_default();
        assert!(!cwd.starts_with(dir) || is_known(&cwd), "a process works in {}", cwd.display());
    }
    for line in fs::read_to_string("/proc/self/mountinfo").unwrap().lines() {
        let point = PathBuf::from(line.split(' ').nth(4).unwrap());
        assert!(!point.starts_with(dir) || is_known(&point), "{} is mounted", point.display());
    }
}

#[test]
fn a_verb_that_ends_anywhere_is_done_or_undone() {
    if let Some(home) = std::env::var_os(HOME) {
        return go(Path::new(&home));
    }
    if !is_root() {
        return;
    }
    let home = tempfile::Builder::new().prefix("thinveil-fail-").tempdir_in("/tmp").unwrap();
    let plain = plain_source(home.path());
    let prepared = home.path().join("prepared");
    let (pool, _) = Pool::init(&prepared, DriverChoice::Only(DriverKind::Overlay)).unwrap();
    seal(&pool, &plain).unwrap();
    let test = std::thread::current().name().unwrap().to_owned();
    let bench = Bench { test, source: plain, prepared, port: AtomicU16::new(18_000) };

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

/// A stopped cluster with a table to mask and one to leave marks in.
fn plain_source(home: &Path) -> PathBuf {
    run(Command::new("chmod").arg("755").arg(home));
    let parent = home.join("source");
    fs::create_dir(&parent).unwrap();
    run(Command::new("chown").arg("postgres:").arg(&parent));
    let data = parent.join("data");
    run(as_postgres("initdb").args(["--no-sync", "-A", "trust", "-U", "boss", "-D"]).arg(&data));
    let server = PrivateServer::start(ServerOptions {
        binaries: binaries(),
        volume: data.clone(),
        data_dir: data.clone(),
        private_dir: home.join("private"),
        superuser: "boss".to_owned(),
        limits: Limits::default(),
        settings: Vec::new(),
        cancel: Cancel::new(),
    })
    .unwrap();
    let tables = "create table public.mark (id int);
        create table public.t as select g as id, 'secret ' || g as note from generate_series(1, 200) g";
    server.connect("postgres").unwrap().batch_execute(tables).unwrap();
    server.stop().unwrap();
    data
}
