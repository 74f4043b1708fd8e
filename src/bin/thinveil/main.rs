//! The `thinveil` command.
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod args;
mod audit_log;
mod branches;
mod canary;
mod commands;
mod evidence;
mod input;
mod keys;
mod leak_audit;
mod life;
mod moving;
mod output;
mod progress;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use thinveil::Error;

use args::Arguments;
use output::Output;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let output = Output::new(arguments.json);
    match commands::run(arguments, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::Told) {
                output.failure(&failure);
            }
            ExitCode::from(failure.exit_status())
        }
    }
}

/// Help, the version, or a usage error; the latter is a JSON document too if `--json` is there.
fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let failure = Failure::Usage(text.trim_start_matches("error: ").trim_end().to_owned());
        Output::new(true).failure(&failure);
    } else {
        let _ = error.print();
    }
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

/// Why a verb was not done.
enum Failure {
    /// The command line lacks something.
    Usage(String),
    /// There is no pool here.
    NoPool(PathBuf),
    /// The library's word.
    Library(Error),
    /// The result, which is told, is a bad one.
    Told,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Library(error)
    }
}

impl Failure {
    /// The exit statuses that `--help` promises.
    fn exit_status(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::Library(Error::Refused(_)) => 3,
            Failure::NoPool(_) | Failure::Library(Error::NotFound { .. }) => 4,
            Failure::Library(Error::Busy { .. }) => 5,
            Failure::Library(_) | Failure::Told => 1,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Usage(what) => f.write_str(what),
            Failure::NoPool(dir) => {
                let dir = dir.display();
                write!(f, "{dir} is no pool: make one with `thinveil --pool {dir} pool init`")
            }
            Failure::Library(error) => error.fmt(f),
            Failure::Told => Ok(()),
        }
    }
}
