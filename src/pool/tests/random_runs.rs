//! Runs of random verbs that are killed at a random time, some with their servers: what is there
//! afterwards is what was before the verb, or what it makes.

use super::verbs::{
    Child, STEPS, State, Step, check, empty, is_torture, kill_all_in, outcome, plain_source,
    run_as_child, seal, steps_done,
};
use super::*;
use crate::failpoint::Omission;

const DRIVER: DriverKind = DriverKind::Overlay;
/// What is done before a run.
const BEFORE: [Step; 2] = [Step::Init, Step::Seal];
/// Verbs in one run, with those before it.
const LEN: usize = 12;
/// About as long as they take.
const LONGEST: Duration = Duration::from_secs(4);

/// Numbers that look random, the same ones for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % limit as u64) as usize
    }
}

/// Verbs that can be done one after the other.
fn random_steps(random: &mut Random) -> Vec<Step> {
    let mut steps = BEFORE.to_vec();
    while steps.len() < LEN {
        let state = State::after(&steps, steps.len());
        let allowed: Vec<Step> = STEPS.into_iter().filter(|step| state.allows(*step)).collect();
        steps.push(allowed[random.below(allowed.len())]);
    }
    steps
}

/// What all runs have in common.
struct Bench {
    test: String,
    home: tempfile::TempDir,
    source: PathBuf,
    /// A pool with a snapshot, to be copied.
    prepared: PathBuf,
}

impl Bench {
    fn new() -> Bench {
        let home = tempfile::Builder::new().prefix("thinveil-random-").tempdir().unwrap();
        let source = plain_source(home.path());
        let prepared = home.path().join("prepared");
        let (pool, _) = Pool::init(&prepared, DriverChoice::Only(DRIVER)).unwrap();
        seal(&pool, &source).unwrap();
        Bench { test: std::thread::current().name().unwrap().to_owned(), home, source, prepared }
    }

    /// Kills a run of these verbs at a random time; says what is wrong then.
    fn kill(
        &self,
        random: &mut Random,
        steps: &[Step],
        omission: Option<Omission>,
        port: u16,
    ) -> Result<(), String> {
        let home = &self.home.path().join("run");
        fs::create_dir(home).unwrap();
        let (pool, notes) = (home.join("pool"), &home.join("done"));
        run(Command::new("cp").arg("-a").arg(&self.prepared).arg(&pool));
        fs::write(notes, BEFORE.map(|step| format!("{step:?}\n")).concat()).unwrap();
        let (test, source) = (&self.test, &self.source);
        let child =
            Child { test, home, source, port, driver: DRIVER, notes, steps, omission }.command();
        let mut child = { child }.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(LONGEST.mul_f64(random.below(1000) as f64 / 1000.0));
        child.kill().unwrap();
        child.wait().unwrap();
        if random.below(2) == 0 {
            kill_all_in(&pool);
        }
        let done = steps_done(notes);
        let possible = [done, done + 1].map(|done| State::after(steps, done));
        let checked = outcome(|| check(&pool, DRIVER, &possible, port));
        empty(&pool);
        fs::remove_dir_all(home).unwrap();
        checked.map(drop).map_err(|fault| format!("{done} done of {steps:?}: {fault}"))
    }
}

#[test]
fn random_verbs_that_are_killed_are_done_or_undone() {
    if run_as_child() || !is_root() {
        return;
    }
    let bench = Bench::new();
    let mut faults = Vec::new();
    for seed in 0..if is_torture() { 500 } else { 16 } {
        let mut random = Random(seed);
        let steps = random_steps(&mut random);
        let fault = bench.kill(&mut random, &steps, None, 17_300).err();
        faults.extend(fault.map(|fault| format!("seed {seed}, {fault}")));
    }
    assert!(faults.is_empty(), "{} wrong:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn a_clone_that_is_not_marked_as_unfinished_is_seen_after_a_kill() {
    if run_as_child() || !is_root() {
        return;
    }
    let bench = Bench::new();
    let again = [Step::Clone, Step::Destroy].repeat(LEN);
    let steps = [&BEFORE[..], &again].concat();
    let fault = (0..20).find_map(|seed| {
        bench.kill(&mut Random(seed), &steps, Some(Omission::Unfinished), 17_310).err()
    });
    assert!(fault.is_some(), "it is not missed");
}
