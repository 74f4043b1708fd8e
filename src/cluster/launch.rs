//! Starting `postgres` and waiting until it answers.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::binaries::Binaries;
use super::process::PidFile;
use super::sandbox::{Confinement, Owner, Sandbox};
use crate::error::{Error, Result};
use crate::progress::Cancel;

/// How long between two looks at a server that is starting or stopping.
const TICK: Duration = Duration::from_millis(2);

/// The longest directory for a Unix socket: `sun_path` holds 107 bytes and `/.s.PGSQL.65535` goes
/// on top.
pub(crate) const SOCKET_DIR_MAX: usize = 107 - 15;

/// What to start, where its log goes.
pub(crate) struct Launch<'a> {
    pub(crate) binaries: &'a Binaries,
    pub(crate) data_dir: &'a Path,
    pub(crate) sandbox: Sandbox,
    pub(crate) log: &'a Path,
    pub(crate) settings: Vec<(String, String)>,
}

/// A server that was started by this process.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) child: Child,
    pub(crate) confinement: Confinement,
    data_dir: PathBuf,
    log: PathBuf,
    /// Where this start's part of the log begins.
    log_start: u64,
}

impl Launch<'_> {
    /// Starts the server; it is not ready yet.
    pub(crate) fn start(self) -> Result<Launched> {
        let owner = Owner::of(self.data_dir)?;
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(self.log)
            .map_err(Error::io("open", self.log))?;
        owner.give(self.log)?;
        let log_start = log.metadata().map_err(Error::io("read", self.log))?.len();
        let copy = log.try_clone().map_err(Error::io("open", self.log))?;

        let mut command = bare_command(self.binaries, self.data_dir);
        command.arg("-D").arg(self.data_dir);
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::null()).stdout(copy).stderr(log).process_group(0);
        let sandbox = self.sandbox.readable(self.binaries.prefix());
        let (child, confinement) = sandbox.spawn(command, owner)?;
        Ok(Launched {
            child,
            confinement,
            data_dir: self.data_dir.to_path_buf(),
            log: self.log.to_path_buf(),
            log_start,
        })
    }
}

impl Launched {
    /// Waits until the server accepts connections: as long as it lives, since recovery may take
    /// long.
    pub(crate) fn wait_ready(&mut self, cancel: &Cancel) -> Result<()> {
        let pid_file = self.data_dir.join("postmaster.pid");
        loop {
            if let Some(status) =
                self.child.try_wait().map_err(Error::io("wait for", "postgres"))?
            {
                return Err(self.failure(&format!("ended while starting ({status})")));
            }
            let text = std::fs::read_to_string(&pid_file).unwrap_or_default();
            if PidFile::parse(&text).is_some_and(|file| {
                file.ready && file.pid == rustix::process::Pid::from_child(&self.child)
            }) {
                return Ok(());
            }
            cancel.check()?;
            std::thread::sleep(TICK);
        }
    }

    /// Shuts down fast and clean; an error if it was not clean.
    pub(crate) fn stop(&mut self, cancel: &Cancel) -> Result<()> {
        self.signal(rustix::process::Signal::INT);
        loop {
            if let Some(status) =
                self.child.try_wait().map_err(Error::io("wait for", "postgres"))?
            {
                return if status.success() {
                    Ok(())
                } else {
                    Err(self.failure(&format!("did not shut down cleanly ({status})")))
                };
            }
            cancel.check()?;
            std::thread::sleep(TICK);
        }
    }

    /// Ends the server without ceremony, by force if it takes too long.
    pub(crate) fn kill(&mut self) {
        self.signal(rustix::process::Signal::QUIT);
        for _ in 0..3000 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(TICK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Lets the server outlive this process; while both live, no zombie stays when it ends.
    pub(crate) fn let_go(mut self) {
        let reaper = std::thread::Builder::new().name("thinveil-reaper".to_owned());
        // Without the thread, the operating system reaps when this process ends.
        let _ = reaper.spawn(move || self.child.wait());
    }

    fn signal(&self, signal: rustix::process::Signal) {
        // Not reaped yet, so the number is still this process's.
        let _ =
            rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal);
    }

    /// True if the server ended because another program has its port.
    pub(crate) fn port_was_taken(&self) -> bool {
        let text = self.log_text();
        text.contains("could not bind") || text.contains("could not create any TCP/IP sockets")
    }

    pub(crate) fn failure(&self, what: &str) -> Error {
        Error::Server { what: format!("PostgreSQL {what}{}", said(&self.log_text())) }
    }

    fn log_text(&self) -> String {
        let mut text = Vec::new();
        let read = File::open(&self.log).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.log_start))?;
            file.take(1 << 20).read_to_end(&mut text)
        });
        if read.is_err() {
            return String::new();
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// `postgres` with an environment of its own.
pub(super) fn bare_command(binaries: &Binaries, data_dir: &Path) -> Command {
    let mut command = Command::new(binaries.postgres());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir(data_dir);
    if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    command
}

/// The last lines of a log that speak about the server itself. Lines that may quote statements or
/// values (STATEMENT, DETAIL, CONTEXT, ERROR) are left out.
pub(super) fn said(log: &str) -> String {
    const KEPT: usize = 8;
    let lines: Vec<&str> = log.lines().filter_map(about_the_server).collect();
    let tail = lines.get(lines.len().saturating_sub(KEPT)..).unwrap_or_default();
    if tail.is_empty() { String::new() } else { format!("; it said:\n  {}", tail.join("\n  ")) }
}

fn about_the_server(line: &str) -> Option<&str> {
    if line.starts_with("postgres:") {
        return Some(line);
    }
    ["FATAL:  ", "PANIC:  ", "LOG:  "]
        .iter()
        .filter_map(|level| line.find(level))
        .min()
        .and_then(|start| line.get(start..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_says_holds_no_statement_and_no_detail() {
        let text = said(
            "LOG:  starting\n2026-01-01 [3] FATAL:  no\nDETAIL:  secret\nSTATEMENT:  secret\n\
             ERROR:  secret\n",
        );
        assert_eq!(text, "; it said:\n  LOG:  starting\n  FATAL:  no");
    }
}
