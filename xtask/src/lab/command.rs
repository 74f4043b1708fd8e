//! Child processes: run, checked, as another user if need be.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Who owns clusters and runs servers: PostgreSQL refuses to run as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The user `postgres`; this process is root.
    Postgres,
    /// Whoever runs this process.
    Myself,
}

impl Owner {
    /// Who can own clusters here.
    pub fn here() -> Owner {
        if rustix::process::geteuid().is_root() { Owner::Postgres } else { Owner::Myself }
    }

    /// A command that runs as the owner, with no output of its own but errors.
    pub fn command(self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self {
            Owner::Myself => Command::new(program),
            Owner::Postgres => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(program);
                command
            }
        };
        // The owner may not be allowed to see the directory that this process is in.
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// True if the owner can reach and use the directory.
    pub fn can_use(self, directory: &Path) -> bool {
        let test = |flag: &str| {
            self.command("test").arg(flag).arg(directory).status().is_ok_and(|s| s.success())
        };
        test("-d") && test("-x")
    }

    /// Makes a directory that the owner alone can use.
    pub fn private_directory(self, path: &Path) -> Result<()> {
        let mut install = Command::new("install");
        install.args(["-d", "-m", "700"]);
        if self == Owner::Postgres {
            install.args(["-o", "postgres", "-g", "postgres"]);
        }
        run(install.arg(path)).map(drop)
    }
}

/// Runs a command; an error carries what it said on standard error. Returns its standard output.
pub fn run(command: &mut Command) -> Result<String> {
    let output = run_output(command)?;
    ensure!(
        output.status.success(),
        "{} failed ({}): {}",
        name_of(command),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command whatever its exit status.
pub fn run_output(command: &mut Command) -> Result<Output> {
    command.output().with_context(|| format!("run {}", name_of(command)))
}

fn name_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args().take(6));
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_command_and_what_it_said() {
        let error = run(Command::new("ls").arg("/nowhere/at/all")).expect_err("there is none");
        let text = error.to_string();
        assert!(text.contains("ls /nowhere/at/all") && text.contains("No such file"), "{text}");
    }
}
