//! The `thinveil` command.
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod args;
mod commands;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;
use thinveil::Error;

use args::Arguments;
use output::Output;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json);
    match commands::run(arguments, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::from(exit_status(&error))
        }
    }
}

/// The exit statuses that `--help` promises.
fn exit_status(error: &Error) -> u8 {
    match error {
        Error::Refused(_) => 3,
        Error::NotFound { .. } => 4,
        Error::Busy { .. } => 5,
        _ => 1,
    }
}
