//! Programs that others wrote.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use xtask::lab::run;

use super::{Bench, Watch, Work, timed};
use crate::dataset::DATABASE;

/// PyPI's `pganonymize`, then what it leaves to the user: to get rid of the old rows.
pub(super) fn pganonymize(bench: &Bench<'_>) -> Result<Work> {
    let venv = bench.place.join("pganonymize");
    if !venv.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let mut pip = Command::new(venv.join("bin/pip"));
        pip.args(["install", "--quiet", "psycopg2-binary", "faker", "parmap", "pgcopy"]);
        run(pip.args(["pyyaml", "tqdm"]))?;
        // It asks for psycopg2 by another name, which would be compiled.
        let mut pip = Command::new(venv.join("bin/pip"));
        run(pip.args(["install", "--quiet", "--no-deps", "pganonymize"]))?;
    }
    let schema = bench.place.join("pganonymize.yml");
    std::fs::write(&schema, include_str!("pganonymize.yml")).context("write its schema")?;
    let program = venv.join("bin/pganonymize");
    let version = run(Command::new(venv.join("bin/pip")).args(["show", "pganonymize"]))?;
    let version = version.lines().find_map(|line| line.strip_prefix("Version: "));
    let version = format!("pganonymize {}", version.unwrap_or("of unknown version"));
    mask(bench, version, |host| {
        let mut command = Command::new(&program);
        command.args(["--parallel", "--user", "postgres", "--dbname", DATABASE]);
        command.arg("--schema").arg(&schema).arg("--host").arg(host);
        command
    })
}

/// A command that was named on the command line.
pub(super) fn command(bench: &Bench<'_>, shell: &str) -> Result<Work> {
    mask(bench, shell.to_owned(), |host| {
        let mut command = Command::new("sh");
        command.args(["-euc", shell]).env("PGHOST", host);
        command.env("PGUSER", "postgres").env("PGDATABASE", DATABASE);
        command
    })
}

fn mask(
    bench: &Bench<'_>,
    version: String,
    program: impl FnOnce(PathBuf) -> Command,
) -> Result<Work> {
    let copy = bench.copy()?;
    let mut client = copy.cluster.connect(DATABASE)?;
    let mut program = program(copy.cluster.sockets().to_path_buf());
    let watch = Watch::start(bench.place);
    let masking = timed("mask", || {
        let output = program.output().context("run it")?;
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or_default();
        ensure!(output.status.success(), "it failed ({}): {last}", output.status);
        Ok(())
    })?;
    let vacuum = timed("VACUUM FULL", || {
        client.batch_execute("VACUUM (FULL, ANALYZE) public.people").context("vacuum")
    })?;
    let watched = watch.finish();
    drop(client);
    bench.finish(copy, version, vec![masking, vacuum], watched)
}
