//! thinveil against its peers: each masks the same five columns of the same cluster, as fast as it
//! can be made to. See README.md.

mod clones;
mod dump;
mod facts;
mod in_place;
mod plot;
mod table;
mod thinveil;
mod tools;
mod watch;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use xtask::lab::{Cluster, ClusterOptions, Owner, Thinveil, Undo, Workplace, count, run, seconds};

use crate::dataset::{DATABASE, Dataset};
use facts::{Facts, originals_left};
use watch::{Watch, Watched};

/// What to compare.
pub(crate) struct Peers {
    /// Rows of the table, one run for each.
    pub(crate) rows: Vec<u64>,
    /// With nothing in the page cache, too.
    pub(crate) cold: bool,
    /// Further peers: a name, and a command that masks the database that `PGHOST`, `PGUSER` and
    /// `PGDATABASE` name.
    pub(crate) commands: Vec<(String, String)>,
    /// How many clones at once; none, if empty.
    pub(crate) clones: Vec<u64>,
    /// Of these names alone, unless empty.
    pub(crate) only: Vec<String>,
}

/// What every peer works with.
struct Bench<'a> {
    dataset: &'a Dataset,
    place: &'a Path,
    thinveil: &'a Thinveil,
    undo: &'a Undo,
    raw: Facts,
    cold: bool,
}

/// What a peer did.
struct Work {
    /// Its version, or what it is made of.
    version: String,
    stages: Vec<(String, Duration)>,
    watched: Watched,
    facts: Facts,
    /// Original addresses left in the files of the masked cluster.
    originals: u64,
    /// Bytes of those files.
    size: u64,
}

/// A peer's line.
struct Line {
    name: String,
    cold: bool,
    /// Or why there is none.
    outcome: Result<Measured>,
}

struct Measured {
    version: String,
    stages: Vec<(String, Duration)>,
    watched: Watched,
    originals: u64,
    size: u64,
    rows_in_place: u64,
    plans_changed: usize,
}

impl Measured {
    fn total(&self) -> Duration {
        self.stages.iter().map(|(_, took)| *took).sum()
    }
}

type Run = Box<dyn Fn(&Bench<'_>) -> Result<Work>>;

/// All of them, by name.
fn peers(options: &Peers) -> Vec<(String, Run)> {
    let mut peers: Vec<(String, Run)> = vec![
        ("thinveil".to_owned(), Box::new(thinveil::run)),
        ("UPDATE + VACUUM FULL".to_owned(), Box::new(in_place::update)),
        ("CREATE TABLE AS".to_owned(), Box::new(in_place::rewrite)),
        ("pg_dump, filter, restore".to_owned(), Box::new(dump::run)),
        ("pganonymize".to_owned(), Box::new(tools::pganonymize)),
    ];
    for (name, command) in &options.commands {
        let command = command.clone();
        peers.push((name.clone(), Box::new(move |bench| tools::command(bench, &command))));
    }
    peers.retain(|(name, _)| options.only.is_empty() || options.only.contains(name));
    peers
}

/// Compares them, and writes `peers-ROWS.md`, `.json` and `.svg` for each number of rows.
pub(crate) fn compare(
    options: &Peers,
    root: &Path,
    preferred: &Path,
    results: &Path,
    undo: &Undo,
) -> Result<()> {
    let command = Thinveil::build(root, Path::new(""), undo)?;
    for rows in &options.rows {
        let space = rows * 6_000 + 4_000_000_000;
        let place = Workplace::create(preferred, Owner::here(), space, undo)?;
        println!("making {} rows", count(*rows));
        let dataset = Dataset::make(&place.path().join("source"), *rows, undo)?;
        let raw = raw_facts(&dataset, place.path(), undo)?;
        let mut bench = Bench {
            dataset: &dataset,
            place: place.path(),
            thinveil: &command,
            undo,
            raw,
            cold: false,
        };
        let mut lines = Vec::new();
        for cold in if options.cold { vec![false, true] } else { vec![false] } {
            bench.cold = cold;
            for (name, peer) in peers(options) {
                println!("{name}{}", if cold { ", nothing in the page cache" } else { "" });
                let outcome = peer(&bench).and_then(|work| bench.judge(work));
                match &outcome {
                    Ok(measured) => println!("  {}", seconds(measured.total())),
                    Err(error) => println!("  failed: {error:#}"),
                }
                lines.push(Line { name, cold, outcome });
            }
        }
        bench.cold = false;
        let clones = clones::measure(&bench, &options.clones);
        let table = table::Table { rows: *rows, dataset: &dataset, lines: &lines, clones: &clones };
        println!("\n{}", table.markdown(&place.file_system()));
        table.write(results, &place.file_system())?;
    }
    Ok(())
}

fn raw_facts(dataset: &Dataset, place: &Path, undo: &Undo) -> Result<Facts> {
    let mut cluster = Cluster::open(Owner::here(), &dataset.data, undo)?;
    cluster.start(&settings())?;
    let facts = Facts::read(&mut cluster.connect(DATABASE)?, &place.join("raw.ctids"))?;
    cluster.stop()?;
    Ok(facts)
}

/// A server that does nothing else: see README.md.
fn settings() -> ClusterOptions {
    ClusterOptions::bulk_load()
        .set("max_parallel_maintenance_workers", "2")
        .set("wal_compression", "off")
}

/// A copy of the raw cluster that a peer may do to what it likes, with its server.
struct Copy {
    cluster: Cluster,
    data: PathBuf,
}

impl Bench<'_> {
    /// Copies the cluster, which nobody is charged for, and starts its server.
    fn copy(&self) -> Result<Copy> {
        let data = self.place.join("work");
        let mut copy = Command::new("cp");
        run(copy.args(["--archive", "--reflink=auto"]).arg(&self.dataset.data).arg(&data))?;
        let mut cluster = Cluster::open(Owner::here(), &data, self.undo)?;
        cluster.start(&settings())?;
        self.set_cache(&mut cluster)?;
        Ok(Copy { cluster, data })
    }

    /// Puts the table into memory, or all out of it.
    fn set_cache(&self, cluster: &mut Cluster) -> Result<()> {
        if self.cold {
            return drop_caches();
        }
        let mut client = cluster.connect(DATABASE)?;
        client.batch_execute("SELECT count(*) FROM public.people").context("read the table")
    }

    /// Stops the server, looks at what is left, and takes it away.
    fn finish(
        &self,
        mut copy: Copy,
        version: String,
        stages: Vec<(String, Duration)>,
        watched: Watched,
    ) -> Result<Work> {
        let mut client = copy.cluster.connect(DATABASE)?;
        let facts = Facts::read(&mut client, &self.place.join("masked.ctids"))?;
        drop(client);
        copy.cluster.stop()?;
        let work = Work {
            version,
            stages,
            watched,
            facts,
            originals: originals_left(&copy.data)?,
            size: size_of(&copy.data)?,
        };
        remove(&copy.data)?;
        Ok(work)
    }

    fn judge(&self, work: Work) -> Result<Measured> {
        let Work { version, stages, watched, facts, originals, size } = work;
        let rows_in_place = facts.rows_in_place(&self.raw)?;
        let plans_changed = facts.plans_changed(&self.raw);
        Ok(Measured { version, stages, watched, originals, size, rows_in_place, plans_changed })
    }
}

/// Runs a step and says how long it took.
fn timed(name: &str, step: impl FnOnce() -> Result<()>) -> Result<(String, Duration)> {
    let begin = Instant::now();
    step().with_context(|| name.to_owned())?;
    Ok((name.to_owned(), begin.elapsed()))
}

fn drop_caches() -> Result<()> {
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3").context("drop the page cache: wants root")
}

fn remove(directory: &Path) -> Result<()> {
    std::fs::remove_dir_all(directory).with_context(|| format!("remove {}", directory.display()))
}

/// Bytes of the files under a directory, as `du` counts them.
fn size_of(directory: &Path) -> Result<u64> {
    let text = run(Command::new("du").args(["--summarize", "--block-size=1"]).arg(directory))?;
    let bytes = text.split_whitespace().next().and_then(|word| word.parse().ok());
    bytes.context("du says how large a directory is")
}
