//! `make demo`: thinveil on a production cluster made for the purpose, from the raw data to clones
//! and back to nothing, with checks that do not take thinveil's word for it.

mod clones;
mod production;
mod proof;
mod summary;
mod words;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::lab::{Owner, Thinveil, Undo, Workplace, bytes, count, seconds};
use production::Production;
use summary::Summary;

const RULES: &str = include_str!("rules.toml");

/// What the caller may change.
#[derive(Clone, Debug)]
pub struct Options {
    customers: u64,
    keep: bool,
}

impl Options {
    /// From the arguments after `demo`.
    pub fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options { customers: 1_000_000, keep: false };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--keep" => options.keep = true,
                "--customers" => {
                    let number = arguments.next().context("--customers takes a number")?;
                    options.customers = number.parse().context("--customers takes a number")?;
                    ensure!(options.customers >= 20_000, "--customers: 20000 or more");
                }
                _ => bail!("demo has no option {argument}"),
            }
        }
        Ok(options)
    }

    /// Bytes that cluster, snapshot and clones take at most, without any sharing.
    fn space(&self) -> u64 {
        self.customers * 5_000 + 1_000_000_000
    }
}

/// The chore.
pub fn run(root: &Path, options: &Options) -> ExitCode {
    match demonstrate(root, options) {
        Ok(summary) => {
            print!("{summary}");
            if summary.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate(root: &Path, options: &Options) -> Result<Summary> {
    let undo = Undo::on_signals()?;
    step("building thinveil");
    let thinveil = Thinveil::build(root, Path::new(""), &undo)?;

    let begin = Instant::now();
    let place = Workplace::create(&root.join(".demo"), Owner::here(), options.space(), &undo)?;
    let thinveil = thinveil.with_pool(&place.path().join("pool"));
    let mut summary = Summary::new(place.file_system());

    step(&format!("making a production cluster of {} customers", count(options.customers)));
    let production = Production::make(&place.path().join("production"), options.customers, &undo)?;
    done(production.seconds);
    summary.production(&production);

    let rules = place.path().join("rules.toml");
    fs::write(&rules, RULES).with_context(|| format!("write {}", rules.display()))?;
    let pool = thinveil.json(&["pool", "init", "--driver", "auto"], None)?;
    let driver = pool.json.get("driver").and_then(|driver| driver.as_str()).unwrap_or("?");
    step(&format!("taking a masked snapshot (driver: {driver})"));
    let snapshot = thinveil.json(
        &[
            "snapshot",
            "create",
            "--source",
            &production.data.to_string_lossy(),
            "--rules",
            &rules.to_string_lossy(),
            "--ephemeral-key",
            "--name",
            "shop",
        ],
        None,
    )?;
    done(snapshot.elapsed);
    summary.snapshot(&snapshot)?;
    let snapshot = snapshot.text("id")?.to_owned();

    clones::show(&thinveil, &snapshot, &production, &mut summary)?;

    step("destroying the snapshot");
    let destroyed = thinveil.json(&["snapshot", "destroy", &snapshot], None)?;
    done(destroyed.elapsed);
    if options.keep {
        println!("kept: {}", place.keep().display());
    }
    summary.total(begin.elapsed());
    Ok(summary)
}

/// Says what begins; [`done`] says when it ended.
fn step(what: &str) {
    println!("▸ {what}");
}

fn done(elapsed: Duration) {
    println!("  {}", seconds(elapsed));
}

fn said_bytes(number: Option<u64>) -> String {
    number.map_or_else(|| "not told".to_owned(), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options> {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        Options::parse(&arguments)
    }

    #[test]
    fn takes_its_options_and_no_others() {
        assert_eq!(parse(&[]).expect("none are needed").customers, 1_000_000);
        let options = parse(&["--keep", "--customers", "50000"]).expect("both exist");
        assert!(options.keep && options.customers == 50_000);
        for wrong in
            [&["--customers"][..], &["--customers", "many"], &["--customers", "1"], &["-x"]]
        {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
