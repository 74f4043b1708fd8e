//! thinveil against what a user would do instead, in one run on one cluster. See README.md.

mod clones;
mod copying;
mod dataset;
mod peers;
mod report;
mod snapshot;
mod sql_masking;
mod toast;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use dataset::{Dataset, RULES};
use peers::Peers;
use report::Report;
use xtask::lab::{Owner, Thinveil, Undo, Workplace, count};

const USAGE: &str = "\
usage: make bench [ARGS=\"OPTIONS\"]

  --rows N         rows of the table (3000000)
  --runs N         how often cp, and the clones, are timed (5)
  --linear N,N,…   rows of the runs that show growth (1000000,2000000,4000000; none: 0)
  --only LIST      of: sql, snapshot, cp, clones, linear (all of them)
  --toast          nothing of that, but the memory that a TOAST table of 4 GB takes
  --peers          nothing of that, but thinveil beside its peers; then these count:
    --rows N,N,…   rows of the table, a run for each (1000000,3000000,10000000)
    --cold         with nothing in the page cache, too (as root)
    --only LIST    of the peers' names
    --clones N,N,… how many clones are made at once (1,10,100; none: 0)
    --peer N=CMD   a peer by the name N: CMD masks the database that PGHOST, PGUSER and PGDATABASE
                   name
  --dir DIR        where cluster and pool are made (.bench in the checkout)";

struct Options {
    /// One, but for peers.
    rows: Option<Vec<u64>>,
    runs: usize,
    linear: Vec<u64>,
    only: Option<Vec<String>>,
    toast: bool,
    peers: bool,
    cold: bool,
    commands: Vec<(String, String)>,
    clones: Vec<u64>,
    directory: Option<PathBuf>,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Options> {
        let mut options = Options {
            rows: None,
            runs: 5,
            linear: vec![1_000_000, 2_000_000, 4_000_000],
            only: None,
            toast: false,
            peers: false,
            cold: false,
            commands: Vec::new(),
            clones: vec![1, 10, 100],
            directory: None,
        };
        let mut arguments = arguments;
        while let Some(option) = arguments.next() {
            let flag = match option.as_str() {
                "--toast" => Some(&mut options.toast),
                "--peers" => Some(&mut options.peers),
                "--cold" => Some(&mut options.cold),
                _ => None,
            };
            if let Some(flag) = flag {
                *flag = true;
                continue;
            }
            let mut value =
                || arguments.next().with_context(|| format!("{option} takes an argument"));
            match option.as_str() {
                "--rows" => options.rows = Some(numbers("--rows", &value()?)?),
                "--runs" => options.runs = value()?.parse().context("--runs takes a number")?,
                "--linear" => {
                    options.linear = numbers("--linear", &value()?)?;
                    options.linear.retain(|rows| *rows > 0);
                }
                "--clones" => {
                    options.clones = numbers("--clones", &value()?)?;
                    options.clones.retain(|count| *count > 0);
                }
                "--peer" => {
                    let peer = value()?;
                    let (name, command) = peer.split_once('=').context("--peer takes N=CMD")?;
                    options.commands.push((name.to_owned(), command.to_owned()));
                }
                "--only" => {
                    options.only = Some(value()?.split(',').map(str::to_owned).collect());
                }
                "--dir" => options.directory = Some(value()?.into()),
                _ => bail!("no option {option}"),
            }
        }
        const PARTS: [&str; 5] = ["sql", "snapshot", "cp", "clones", "linear"];
        for part in options.only.iter().flatten().filter(|_| !options.peers) {
            ensure!(PARTS.contains(&part.as_str()), "--only: one of {}", PARTS.join(", "));
        }
        let rows = options.rows.as_deref().unwrap_or(&[1]);
        let enough = !rows.is_empty() && rows.iter().all(|rows| *rows > 0);
        ensure!(options.runs > 0 && enough, "--rows and --runs: one or more");
        ensure!(options.peers || rows.len() == 1, "--rows: one number, but with --peers");
        let of_peers = options.cold || !options.commands.is_empty();
        ensure!(options.peers || !of_peers, "--cold and --peer go with --peers");
        Ok(options)
    }

    fn rows(&self) -> u64 {
        self.rows.as_ref().and_then(|rows| rows.first().copied()).unwrap_or(3_000_000)
    }

    fn peers(&self) -> Peers {
        Peers {
            rows: self.rows.clone().unwrap_or_else(|| vec![1_000_000, 3_000_000, 10_000_000]),
            cold: self.cold,
            commands: self.commands.clone(),
            clones: self.clones.clone(),
            only: self.only.clone().unwrap_or_default(),
        }
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|wanted| wanted == part))
    }

    /// Data, the copy that SQL rewrites, snapshot and clones, and room for indexes.
    fn space(&self) -> u64 {
        let most = self.linear.iter().copied().max().unwrap_or(0).max(self.rows());
        most * 2_500 + 2_000_000_000
    }
}

fn numbers(option: &str, list: &str) -> Result<Vec<u64>> {
    let numbers: Result<Vec<u64>, _> = list.split(',').map(str::parse).collect();
    numbers.with_context(|| format!("{option} takes numbers"))
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("compare: {error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match compare(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).context("the package is two levels down")?;
    let undo = Undo::on_signals()?;
    let preferred = options.directory.clone().unwrap_or_else(|| root.join(".bench"));
    if options.toast {
        return toast::measure(root, &preferred, &here.join("results"), &undo);
    }
    if options.peers {
        return peers::compare(&options.peers(), root, &preferred, &here.join("results"), &undo);
    }
    let with_thinveil = ["snapshot", "clones", "linear"].iter().any(|part| options.wants(part));
    let thinveil =
        if with_thinveil { Some(Thinveil::build(root, Path::new(""), &undo)?) } else { None };

    let place = Workplace::create(&preferred, Owner::here(), options.space(), &undo)?;
    let mut report = Report::new(options.rows(), &place.file_system());

    println!("making {} rows", count(options.rows()));
    let dataset = Dataset::make(&place.path().join("source"), options.rows(), &undo)?;
    report.dataset(&dataset);

    if options.wants("cp") {
        println!("cp of the heap, {} times", options.runs);
        report.copying(copying::time(&dataset, place.path(), options.runs)?);
    }
    if let Some(thinveil) = &thinveil {
        if options.wants("snapshot") {
            println!("thinveil snapshot create");
            let pool = place.path().join("pool");
            report.snapshot(snapshot::time(
                &thinveil.with_pool(&pool),
                &dataset.data,
                RULES,
                &pool,
            )?);
        }
        if options.wants("clones") {
            match Owner::here() {
                Owner::Myself => println!("clones on XFS need root: left out"),
                Owner::Postgres => {
                    println!("clones on XFS with reflinks, {} times", options.runs);
                    let clones =
                        clones::time(thinveil, &dataset, place.path(), options.runs, &undo)?;
                    report.clones(clones);
                }
            }
        }
    }
    if options.wants("sql") {
        println!("SQL UPDATE and VACUUM FULL");
        report.sql(sql_masking::time(&dataset, place.path(), &undo)?);
    }
    drop(dataset);
    if let (Some(thinveil), true) = (&thinveil, options.wants("linear")) {
        for rows in &options.linear {
            println!("thinveil snapshot create, {} rows", count(*rows));
            let data = place.path().join(format!("source-{rows}"));
            let dataset = Dataset::make(&data, *rows, &undo)?;
            let pool = place.path().join(format!("pool-{rows}"));
            report.linear(
                *rows,
                snapshot::time(&thinveil.with_pool(&pool), &dataset.data, RULES, &pool)?,
            );
        }
    }
    println!("\n{}", report.markdown());
    report.write(&here.join("results"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options> {
        Options::parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn takes_its_options_and_no_others() {
        let options = parse("--rows 300000 --linear 0 --only sql,cp").expect("all exist");
        assert!(options.rows() == 300_000 && options.linear.is_empty());
        assert!(options.wants("cp") && !options.wants("clones"));
        let options = parse("--peers --rows 5,7 --cold --only tea --peer tea=brew=2");
        let peers = options.expect("all exist").peers();
        assert_eq!((peers.rows, peers.cold), (vec![5, 7], true));
        assert_eq!(peers.commands, [("tea".to_owned(), "brew=2".to_owned())]);
        for wrong in [
            "--rows",
            "--rows x",
            "--rows 5,7",
            "--only tea",
            "--runs 0",
            "--tea",
            "--cold",
            "--peers --peer tea",
            "--peers --rows 5,0",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
