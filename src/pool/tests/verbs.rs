//! A run through every verb that changes a pool, in a process of its own, and the model of what is
//! there when it ended anywhere.

use std::io::Write;

use super::super::lock::Lock;
use super::*;
use crate::error::Error;
use crate::failpoint::Omission;
use crate::mask::MaskKey;
use crate::rules::RuleSet;

/// Set in a run's process: where its pool is and the archive it makes,
const HOME: &str = "THINVEIL_TEST_HOME";
/// the directory of the source,
const SOURCE: &str = "THINVEIL_TEST_SOURCE";
/// the first port,
const PORT: &str = "THINVEIL_TEST_PORT";
/// the driver,
const DRIVER: &str = "THINVEIL_TEST_DRIVER";
/// the file in which it notes each step that is done,
const NOTES: &str = "THINVEIL_TEST_NOTES";
/// and all steps.
const WANTED: &str = "THINVEIL_TEST_STEPS";
const RULES: &str = "version = 1
unlisted = \"keep\"
[databases.postgres.tables.\"public.t\"]
id = \"keep\"
note = \"text\"
";

/// What a run does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Init,
    Seal,
    Clone,
    Mark,
    /// A snapshot of the clone.
    Branch,
    Protect,
    Stop,
    Start,
    Reset,
    /// To the snapshot that was made of it.
    ResetToBranch,
    Prune,
    Export,
    Unprotect,
    Destroy,
    DestroyBranch,
    DestroySnapshot,
    Import,
}

pub(super) const STEPS: [Step; 17] = [
    Step::Init,
    Step::Seal,
    Step::Clone,
    Step::Mark,
    Step::Branch,
    Step::Protect,
    Step::Stop,
    Step::Start,
    Step::Reset,
    Step::ResetToBranch,
    Step::Prune,
    Step::Export,
    Step::Unprotect,
    Step::Destroy,
    Step::DestroyBranch,
    Step::DestroySnapshot,
    Step::Import,
];

/// What there is in a pool, and the archive beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pool: bool,
    snapshot: bool,
    /// A snapshot of the clone, marked or not.
    branch: Option<bool>,
    clone: bool,
    running: bool,
    marked: bool,
    /// The clone is one of the branch.
    moved: bool,
    protected: bool,
    archive: bool,
}

impl State {
    /// What there is after so many of these steps, or after all of them if there are fewer.
    pub(super) fn after(steps: &[Step], done: usize) -> State {
        steps.iter().take(done).fold(State::default(), |state, step| state.with(*step))
    }

    /// True if a step can be done now.
    pub(super) fn allows(self, step: Step) -> bool {
        match step {
            Step::Init => !self.pool,
            Step::Seal => self.pool && !self.snapshot,
            Step::Clone => self.snapshot && !self.clone,
            Step::Mark => self.running && !self.marked,
            Step::Stop | Step::Reset => self.running,
            Step::ResetToBranch => self.running && self.branch.is_some(),
            Step::Start => self.clone && !self.running,
            Step::Branch => self.clone && self.branch.is_none(),
            Step::DestroyBranch => self.branch.is_some() && !(self.clone && self.moved),
            Step::Protect => self.clone && !self.protected,
            Step::Unprotect => self.protected,
            Step::Prune => self.pool,
            Step::Export => self.snapshot && !self.archive,
            Step::Destroy => self.clone && !self.protected,
            Step::DestroySnapshot => self.snapshot && (!self.clone || self.moved),
            Step::Import => self.archive && !self.snapshot,
        }
    }

    /// What there is after a step.
    pub(super) fn with(self, step: Step) -> State {
        match step {
            Step::Init => State { pool: true, ..self },
            Step::Seal | Step::Import => State { snapshot: true, ..self },
            Step::Clone => State { clone: true, running: true, ..self },
            Step::Mark => State { marked: true, ..self },
            Step::Protect => State { protected: true, ..self },
            Step::Unprotect => State { protected: false, ..self },
            Step::Stop => State { running: false, ..self },
            Step::Start => State { running: true, ..self },
            Step::Reset => State { marked: self.moved && self.branch.unwrap_or_default(), ..self },
            Step::ResetToBranch => {
                State { moved: true, marked: self.branch.unwrap_or_default(), ..self }
            }
            Step::Branch => State { branch: Some(self.marked), ..self },
            Step::DestroyBranch => State { branch: None, ..self },
            Step::Prune => self,
            Step::Export => State { archive: true, ..self },
            Step::Destroy => {
                State { clone: false, running: false, marked: false, moved: false, ..self }
            }
            Step::DestroySnapshot => State { snapshot: false, ..self },
        }
    }

    /// The same without what a crash may end, and what is no part of the pool.
    fn at_rest(self) -> State {
        State { running: false, archive: false, ..self }
    }
}

impl Step {
    fn run(self, dir: &Path, driver: DriverChoice, source: &Path, port: u16) -> Result<()> {
        if self == Step::Init {
            return Pool::init(dir, driver).map(drop);
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
            Step::ResetToBranch => clone()?.reset_to(BRANCH, None, &Cancel::new()).map(drop),
            Step::Branch => {
                let options =
                    SnapshotOptions { name: Some(BRANCH.to_owned()), ..SnapshotOptions::default() };
                pool.snapshot_of_clone("one", None, options).map(drop)
            }
            Step::DestroyBranch => pool.destroy_snapshot(BRANCH).map(drop),
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

/// The name of the snapshot that is made of the clone.
const BRANCH: &str = "branch";

pub(super) fn seal(pool: &Pool, source: &Path) -> Result<Snapshot> {
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

/// A run in a process of its own: this test binary again, at the test that calls [`run_as_child`].
pub(super) struct Child<'a> {
    pub(super) test: &'a str,
    pub(super) home: &'a Path,
    pub(super) source: &'a Path,
    pub(super) port: u16,
    pub(super) driver: DriverKind,
    /// A file that is there; steps noted in it are not done again.
    pub(super) notes: &'a Path,
    pub(super) steps: &'a [Step],
    pub(super) omission: Option<Omission>,
}

impl Child<'_> {
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", self.test, "--nocapture"]).stdin(Stdio::null());
        command.env(HOME, self.home).env(SOURCE, self.source).env(PORT, self.port.to_string());
        let steps: Vec<String> = self.steps.iter().map(|step| format!("{step:?}")).collect();
        command.env(DRIVER, self.driver.name()).env(NOTES, self.notes);
        command.env(WANTED, steps.join(" "));
        if let Some(omission) = self.omission {
            command.env(Omission::VARIABLE, format!("{omission:?}"));
        }
        command
    }
}

/// In a run's process: every step that is not done yet, each noted when it is. False elsewhere.
pub(super) fn run_as_child() -> bool {
    let Some(home) = std::env::var_os(HOME).map(PathBuf::from) else { return false };
    let [source, notes] =
        [SOURCE, NOTES].map(|name| PathBuf::from(std::env::var_os(name).unwrap()));
    let [port, driver, steps] = [PORT, DRIVER, WANTED].map(|name| std::env::var(name).unwrap());
    let done = steps_done(&notes);
    let mut notes = fs::OpenOptions::new().append(true).open(notes).unwrap();
    for name in steps.split(' ').skip(done) {
        let step = STEPS.iter().find(|step| format!("{step:?}") == name).unwrap();
        match step.run(&home.join("pool"), driver.parse().unwrap(), &source, port.parse().unwrap())
        {
            Ok(()) => notes.write_all(format!("{step:?}\n").as_bytes()).unwrap(),
            Err(error) => {
                println!("{FAILED}{error}");
                break;
            }
        }
    }
    true
}

/// Behind this the output of a run says why a step failed.
const FAILED: &str = "a step failed: ";

/// Why a run ended before its time, if by an error of a step.
pub(super) fn failure(output: &std::process::Output) -> Option<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_once(FAILED).map(|(_, error)| error.lines().next().unwrap_or_default().to_owned())
}

pub(super) fn steps_done(notes: &Path) -> usize {
    fs::read_to_string(notes).unwrap().lines().count()
}

/// Waits until nobody holds a lock of the pool. A process that crashed while one of its threads was
/// between `fork` and `exec` leaves them to that copy, for a moment.
fn await_locks(pool: &Path) {
    let parents = ["staging", "clones"].map(|name| pool.join(name));
    let dirs = parents.iter().flat_map(|parent| fs::read_dir(parent).into_iter().flatten());
    for lock in dirs.map(|dir| dir.unwrap().path().join("lock")).filter(|lock| lock.exists()) {
        drop(Lock::wait(&lock, "what a crash left").unwrap());
    }
}

/// What is there is one of these states, and nothing else is. Returns what the open put right.
pub(super) fn check(dir: &Path, driver: DriverKind, possible: &[State], port: u16) -> Recovery {
    if !dir.join("pool.json").exists() {
        assert!(possible.contains(&State::default()), "the pool is gone");
        // What was begun is no pool, and is in the way of none.
        let error = Pool::open(dir).map(drop).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
        Step::Init.run(dir, DriverChoice::Only(driver), dir, port).unwrap();
        return Recovery::default();
    }
    await_locks(dir);
    let pool = Pool::open(dir).unwrap();
    let recovered = pool.recovered().clone();
    assert!(recovered.problems.is_empty(), "{recovered:?}");
    assert!(Pool::open(dir).unwrap().recovered().is_empty(), "recovery is done at once");
    assert_eq!(subdirs(&pool.staging_dir()).unwrap(), Vec::<String>::new());
    pool.verify_audit_log().unwrap();

    let snapshots = pool.snapshots().unwrap();
    for snapshot in &snapshots {
        let found = pool.verify_snapshot(snapshot.id(), None, &Cancel::new()).unwrap();
        let content = &found.content;
        let [changed, missing, unknown] =
            [&content.changed, &content.missing, &content.unknown].map(Vec::len);
        assert!(found.verified, "{changed} files changed, {missing} missing, {unknown} unknown");
    }
    let clones = pool.clones().unwrap();
    let branch = snapshots.iter().find(|snapshot| snapshot.name() == BRANCH);
    let found = State {
        pool: true,
        snapshot: snapshots.iter().any(|snapshot| snapshot.name() == "base"),
        branch: branch.map(|branch| {
            let again = branch.create_clone(asked("again", port)).unwrap().clone;
            let marks = query(&again, "select count(*)::text from mark");
            again.destroy().unwrap();
            marks == "1"
        }),
        moved: clones
            .first()
            .is_some_and(|clone| branch.is_some_and(|branch| clone.snapshot_id() == branch.id())),
        clone: clones.len() == 1,
        marked: clones.first().is_some_and(|clone| {
            clone.start().unwrap();
            query(clone, "select count(*)::text from mark") == "1"
        }),
        protected: clones.first().is_some_and(|clone| clone.care().unwrap().protected),
        ..State::default()
    };
    let possible: Vec<State> = possible.iter().map(|state| state.at_rest()).collect();
    assert!(possible.contains(&found), "{found:?}, not {possible:?}");
    nothing_else_is_there(dir, &clones);

    let base = snapshots.iter().find(|snapshot| snapshot.name() == "base");
    if let Some(snapshot) = base {
        let again = snapshot.create_clone(asked("again", port)).unwrap().clone;
        assert_eq!(query(&again, "select count(*)::text from t where note like 'secret%'"), "0");
        again.destroy().unwrap();
    } else {
        pool.check_new_snapshot_name("base").unwrap();
    }
    recovered
}

/// Set for a long run, of tests that are random or exhaustive.
pub(super) fn is_torture() -> bool {
    std::env::var_os("THINVEIL_TORTURE").is_some()
}

/// Kills every process that works in a directory, as a power failure would.
pub(super) fn kill_all_in(dir: &Path) {
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let cwd = fs::read_link(process.path().join("cwd")).unwrap_or_default();
        let pid = process.file_name().to_string_lossy().parse().ok();
        let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) else { continue };
        if cwd.starts_with(dir) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Puts an end to every clone and snapshot of a pool, if it is one.
pub(super) fn empty(dir: &Path) {
    let Ok(pool) = Pool::open(dir) else { return };
    for clone in pool.clones().unwrap_or_default() {
        let _ = clone.unprotect();
        let _ = clone.destroy();
    }
    for snapshot in pool.snapshots().unwrap_or_default() {
        let _ = pool.destroy_snapshot(snapshot.id());
    }
}

/// What `check` says is wrong.
pub(super) fn outcome<T>(check: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default()
    })
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

/// A stopped cluster with a table to mask and one to leave marks in.
pub(super) fn plain_source(home: &Path) -> PathBuf {
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
