//! `postgres --single`: statements on a stopped cluster, without a port or a password.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use zeroize::Zeroizing;

use super::binaries::Binaries;
use super::launch::{bare_command, said};
use super::sandbox::{Owner, Sandbox};
use super::settings;
use crate::error::{Error, Result};

/// A single-user session to be.
#[derive(Debug)]
pub struct SingleUser<'a> {
    /// The server's programs.
    pub binaries: &'a Binaries,
    /// The data directory; no server runs on it.
    pub data_dir: &'a Path,
    /// What the session may write: the volume that holds the data directory.
    pub volume: &'a Path,
    /// Settings on top of the safe ones.
    pub settings: Vec<(String, String)>,
}

impl SingleUser<'_> {
    /// Runs statements in `database` and returns what PostgreSQL printed.
    ///
    /// Statements go through standard input alone: no argument list, no log. A failing statement
    /// does not stop the ones after it; see [`Printed::error`].
    pub fn run(&self, database: &str, statements: &[Zeroizing<String>]) -> Result<Printed> {
        let owner = Owner::of(self.data_dir)?;
        let mut command = bare_command(self.binaries, self.data_dir);
        command.arg("--single").arg("-D").arg(self.data_dir);
        let config = self.volume.join(".thinveil-single.conf");
        std::fs::write(&config, "").map_err(Error::io("write", &config))?;
        owner.give(&config)?;
        let _config = RemoveOnDrop(config.clone());
        command.arg("-c").arg({
            let mut argument = std::ffi::OsString::from("config_file=");
            argument.push(&config);
            argument
        });
        let safe = settings::private(self.binaries.major());
        for (name, value) in safe {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        for (name, value) in [("shared_buffers", "4MB"), ("max_connections", "10")] {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let sandbox =
            Sandbox::new().writable(self.volume).readable(self.binaries.prefix()).offline();
        let (mut child, _) = sandbox.spawn(command, owner)?;

        let mut input = Zeroizing::new(String::new());
        for statement in statements {
            // A line is a statement.
            input.push_str(&Zeroizing::new(statement.replace(['\n', '\r'], " ")));
            input.push('\n');
        }
        if let Some(mut pipe) = child.stdin.take() {
            // A server that died early says why on its standard error.
            let _ = pipe.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().map_err(Error::io("wait for", "postgres"))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || errors.contains("FATAL:  ") || errors.contains("PANIC:  ") {
            return Err(Error::Server {
                what: format!(
                    "PostgreSQL failed in single-user mode ({}){}",
                    output.status,
                    said(&errors)
                ),
            });
        }
        let error = errors
            .lines()
            .find_map(|line| line.find("ERROR:  ").and_then(|at| line.get(at + 8..)))
            .map(str::to_owned);
        let text = Zeroizing::new(String::from_utf8_lossy(&output.stdout).into_owned());
        Ok(Printed { text, error })
    }
}

struct RemoveOnDrop(PathBuf);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a single-user session printed.
pub struct Printed {
    text: Zeroizing<String>,
    error: Option<String>,
}

impl Printed {
    /// Every value of a column, in the order of rows.
    pub fn values(&self, column: &str) -> Vec<Zeroizing<String>> {
        // `\t 1: rolname = "postgres"\t(typeid = 19, …`
        let name = format!(": {column} = \"");
        self.text
            .lines()
            .filter_map(|line| {
                let (_, rest) = line.split_once(&name)?;
                let (value, _) = rest.rsplit_once("\"\t(typeid")?;
                Some(Zeroizing::new(value.to_owned()))
            })
            .collect()
    }

    /// The first error that a statement met.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

impl std::fmt::Debug for Printed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Printed").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}
