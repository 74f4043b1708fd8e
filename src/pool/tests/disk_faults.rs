//! The disk fails a run of verbs: by a power failure, after each flush; by a write that does not
//! succeed; by being full. What is then on it is a file system whose pool, once opened, holds what was
//! said to be done.

use std::fmt;
use std::process::Output;

use super::recorded_disk::{Content, Disk, Event, Failing, Moment, moments};
use super::verbs::{
    self, Child, STEPS, State, Step, check, empty, is_torture, kill_all_in, outcome, plain_source,
    run_as_child,
};
use super::{run as run_command, *};
use crate::failpoint::Omission;

/// A file system, and the driver of the pool on it.
struct Ground {
    mkfs: &'static [&'static str],
    /// How it is mounted.
    options: &'static str,
    driver: DriverKind,
    port: u16,
}

fn grounds(port: u16) -> [Ground; 2] {
    let xfs: &[&str] = &["mkfs.xfs", "-q", "-K", "-m", "reflink=1"];
    let btrfs: &[&str] = &["mkfs.btrfs", "-q", "-K"];
    [
        // Copies of a disk have its UUID; one may be let go of while the next one is mounted.
        Ground { mkfs: xfs, options: "nouuid", driver: DriverKind::Reflink, port },
        Ground { mkfs: btrfs, options: "defaults", driver: DriverKind::Btrfs, port: port + 4 },
    ]
}

impl Ground {
    /// A disk with its file system, and nothing in that.
    fn empty(&self) -> Content {
        let disk = Disk::new(Content::default());
        let [program, options @ ..] = self.mkfs else { panic!("no mkfs") };
        run_command(Command::new(program).args(options).arg(disk.path()));
        disk.content()
    }
}

/// What is done there.
#[derive(Clone, Copy)]
struct Run<'a> {
    ground: &'a Ground,
    /// What was done on it before.
    before: &'a [Step],
    steps: &'a [Step],
    omission: Option<Omission>,
}

impl<'a> Run<'a> {
    /// Every verb, from nothing on.
    fn whole(ground: &'a Ground) -> Run<'a> {
        Run { ground, before: &[], steps: &STEPS, omission: None }
    }

    fn state_after(&self, done: usize) -> State {
        let before = self.before.iter();
        let done = before.chain(self.steps.iter().take(done)).copied().collect::<Vec<_>>();
        State::after(&done, done.len())
    }
}

impl fmt::Display for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ground.driver)?;
        if !self.before.is_empty() {
            write!(f, ", {:?}", self.steps)?;
        }
        Ok(())
    }
}

/// Where the disk is mounted, and what is masked on it.
struct Place {
    home: tempfile::TempDir,
    source: PathBuf,
    test: String,
}

impl Place {
    fn new() -> Place {
        let home = tempfile::Builder::new().prefix("thinveil-disk-").tempdir().unwrap();
        let source = plain_source(home.path());
        fs::create_dir(home.path().join("disk")).unwrap();
        Place { home, source, test: std::thread::current().name().unwrap().to_owned() }
    }

    fn mount_point(&self) -> PathBuf {
        self.home.path().join("disk")
    }

    /// Has a process do those of these steps that are not noted, on a mounted disk.
    fn steps(&self, run: &Run<'_>, disk: &Disk) -> Output {
        let child = Child {
            test: &self.test,
            home: &self.mount_point(),
            source: &self.source,
            port: run.ground.port,
            driver: run.ground.driver,
            notes: &disk.notes(),
            steps: run.steps,
            omission: run.omission,
        };
        child.command().output().unwrap()
    }

    /// Runs on a disk with this content; what happened to it, and what is on it then.
    fn record(&self, run: &Run<'_>, before: Content) -> (Vec<Event>, Content) {
        let disk = Disk::new(before);
        let place = self.mount_point();
        let mounted = disk.mount(&place, run.ground.options).unwrap();
        let output = self.steps(run, &disk);
        let failed = verbs::failure(&output);
        assert!(output.status.success() && failed.is_none(), "{failed:?}: {output:?}");
        kill_all_in(&place);
        drop(mounted);
        assert_eq!(disk.notes_made(), run.steps.len());
        (disk.take_events(), disk.content())
    }

    /// Mounts a disk with this content; says what is wrong with the pool there.
    fn look(&self, ground: &Ground, content: Content, possible: &[State]) -> Result<(), String> {
        let disk = Disk::new(content);
        let place = self.mount_point();
        let mounted = disk.mount(&place, ground.options)?;
        let pool = place.join("pool");
        let found = outcome(|| check(&pool, ground.driver, possible, ground.port));
        empty(&pool);
        drop(mounted);
        found.map(drop)
    }

    fn look_at(&self, run: &Run<'_>, moment: &Moment) -> Result<(), String> {
        let (done, begun) = (moment.notes.1, moment.notes.0 + 1);
        if done > begun {
            return Err(format!("{done} steps were said to be done, {begun} may be on disk"));
        }
        let possible: Vec<State> = (done..=begun).map(|done| run.state_after(done)).collect();
        self.look(run.ground, moment.content.clone(), &possible)
    }

    /// What is wrong at each of these moments, looked for one by one.
    fn faults<'a>(
        &'a self,
        run: &'a Run<'_>,
        moments: impl Iterator<Item = &'a Moment> + 'a,
    ) -> impl Iterator<Item = String> + 'a {
        moments.filter_map(move |moment| {
            let fault = self.look_at(run, moment).err()?;
            Some(format!("{run}, {:?} steps done: {fault}", moment.notes))
        })
    }

    /// Runs on a disk that fails; says what is wrong with the pool on it, once it works again.
    fn run_failing(&self, run: &Run<'_>, failing: Failing) -> Result<(), String> {
        let disk = Disk::new(run.ground.empty());
        let place = self.mount_point();
        let mounted = disk.mount(&place, run.ground.options)?;
        disk.fail(failing);
        let output = self.steps(run, &disk);
        kill_all_in(&place);
        drop(mounted);
        self.look_after(run, &disk, &output).map_err(|fault| format!("{failing:?}, {fault}"))
    }

    /// Runs on a disk with so much room; says what is wrong with the pool on it, once it has more.
    fn run_full(&self, run: &Run<'_>, room: u64) -> Result<(), String> {
        let disk = Disk::new(run.ground.empty());
        let place = self.mount_point();
        let mounted = disk.mount(&place, run.ground.options)?;
        let ballast = place.join("ballast");
        fill_but(&ballast, room).map_err(|error| error.to_string())?;
        let output = self.steps(run, &disk);
        kill_all_in(&place);
        // It may or may not succeed where nothing can be written.
        let _ = Pool::open(&place.join("pool"));
        fs::remove_file(&ballast).map_err(|error| error.to_string())?;
        drop(mounted);
        eprintln!("{run}: {} steps in {} MB", disk.notes_made(), room >> 20);
        self.look_after(run, &disk, &output).map_err(|fault| format!("{room} bytes, {fault}"))
    }

    fn look_after(&self, run: &Run<'_>, disk: &Disk, output: &Output) -> Result<(), String> {
        let done = disk.notes_made();
        let possible = [done, done + 1].map(|done| run.state_after(done));
        self.look(run.ground, disk.content(), &possible).map_err(|fault| {
            format!("{run}, {done} steps done, {:?}: {fault}", verbs::failure(output))
        })
    }
}

/// Makes a file that leaves so much room in its file system.
fn fill_but(path: &Path, room: u64) -> std::io::Result<()> {
    const STEP: u64 = 1 << 20;
    let file = fs::File::create(path)?;
    let mut size = 0;
    while rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), size, STEP).is_ok() {
        size += STEP;
    }
    file.set_len(size.saturating_sub(room))
}

/// All moments, or those at which a step has just been done and some between them.
fn chosen(moments: &[Moment], all: bool) -> impl Iterator<Item = &Moment> {
    let every = moments.len() / 12 + 1;
    let numbered = moments.iter().enumerate();
    let chosen = numbered.filter(move |(number, moment)| {
        all || number % every == 0 || moment.notes.0 < moment.notes.1
    });
    chosen.map(|(_, moment)| moment)
}

#[test]
fn what_was_done_outlasts_a_power_failure() {
    if run_as_child() || !is_root() {
        return;
    }
    let place = Place::new();
    let mut faults = Vec::new();
    for ground in &grounds(17_100) {
        let (run, empty) = (Run::whole(ground), ground.empty());
        let (events, _) = place.record(&run, empty.clone());
        let moments = moments(empty, &events);
        let looked = chosen(&moments, is_torture()).count();
        eprintln!("{run}: {looked} of {} moments", moments.len());
        faults.extend(place.faults(&run, chosen(&moments, is_torture())));
    }
    assert!(faults.is_empty(), "{} wrong:\n{}", faults.len(), faults.join("\n"));
}

/// Every sequence of so many steps that can be done after others.
fn sequences(before: &[Step], len: usize) -> Vec<Vec<Step>> {
    if len == 0 {
        return vec![Vec::new()];
    }
    let state = State::after(before, before.len());
    let first = STEPS.into_iter().filter(|step| state.allows(*step));
    let behind = |step| {
        let rest = sequences(&[before, &[step]].concat(), len - 1);
        rest.into_iter().map(move |rest| [&[step], &rest[..]].concat())
    };
    first.flat_map(behind).collect()
}

#[test]
fn every_short_sequence_of_verbs_outlasts_a_power_failure() {
    if run_as_child() || !is_root() {
        return;
    }
    let place = Place::new();
    let before = &[Step::Init, Step::Seal];
    let (lens, looks) = if is_torture() { (1..=3, 3) } else { (1..=1, 2) };
    let mut faults = Vec::new();
    for ground in &grounds(17_110) {
        let first = Run { steps: before, ..Run::whole(ground) };
        let (_, prepared) = place.record(&first, ground.empty());
        let sequences: Vec<_> = lens.clone().flat_map(|len| sequences(before, len)).collect();
        eprintln!("{}: {} sequences", ground.driver, sequences.len());
        for steps in &sequences {
            let run = Run { ground, before, steps, omission: None };
            let (events, _) = place.record(&run, prepared.clone());
            let mut moments = moments(prepared.clone(), &events);
            // Shorter ones show what is there before the last step.
            moments.retain(|moment| moment.notes.1 + 1 >= steps.len());
            let every = moments.len().div_ceil(looks);
            faults.extend(place.faults(&run, moments.iter().rev().step_by(every)));
        }
    }
    assert!(faults.is_empty(), "{} wrong:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn a_forgotten_flush_is_seen_once_the_power_fails() {
    if run_as_child() || !is_root() {
        return;
    }
    let place = Place::new();
    let [ground, _] = &grounds(17_120);
    for omission in [Omission::Volume, Omission::Record] {
        let (run, empty) = (Run { omission: Some(omission), ..Run::whole(ground) }, ground.empty());
        let (events, _) = place.record(&run, empty.clone());
        let fault = place.faults(&run, moments(empty, &events).iter()).next();
        eprintln!("{omission:?}: {}", fault.as_deref().unwrap_or("nothing"));
        assert!(fault.is_some(), "{omission:?} is not missed");
    }
}

/// Numbers spread over the writes of a run.
fn spread(place: &Place, run: &Run<'_>, trials: usize) -> impl Iterator<Item = usize> {
    let (events, _) = place.record(run, run.ground.empty());
    let writes = events.iter().filter(|event| matches!(event, Event::Write { .. })).count();
    (0..trials).map(move |trial| 1 + trial * writes / trials)
}

#[test]
fn a_write_that_fails_loses_nothing_that_was_done() {
    if run_as_child() || !is_root() {
        return;
    }
    let place = Place::new();
    let trials = if is_torture() { 40 } else { 8 };
    let mut faults = Vec::new();
    for ground in &grounds(17_130) {
        let run = Run::whole(ground);
        for number in spread(&place, &run, trials) {
            for failing in [Failing::Only(number), Failing::From(number)] {
                faults.extend(place.run_failing(&run, failing).err());
            }
        }
    }
    assert!(faults.is_empty(), "{} wrong:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn a_flush_whose_failure_nobody_hears_of_is_seen() {
    if run_as_child() || !is_root() {
        return;
    }
    let place = Place::new();
    let [ground, _] = &grounds(17_140);
    let run = Run { omission: Some(Omission::Volume), ..Run::whole(ground) };
    let fault = spread(&place, &run, 24)
        .find_map(|number| place.run_failing(&run, Failing::From(number)).err());
    eprintln!("{}", fault.as_deref().unwrap_or("nothing"));
    assert!(fault.is_some(), "it is not missed");
}

#[test]
fn a_full_disk_loses_nothing_that_was_done() {
    if run_as_child() || !is_root() {
        return;
    }
    let place = Place::new();
    let trials = if is_torture() { 60 } else { 6 };
    let mut faults = Vec::new();
    for ground in &grounds(17_150) {
        for trial in 0..trials {
            // From none to as much as is needed.
            let room = trial * (96 << 20) / trials;
            faults.extend(place.run_full(&Run::whole(ground), room).err());
        }
    }
    assert!(faults.is_empty(), "{} wrong:\n{}", faults.len(), faults.join("\n"));
}
