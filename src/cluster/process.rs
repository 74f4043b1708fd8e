//! The postmaster that a data directory's `postmaster.pid` names, if it is really that one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::error::{Error, Result};

/// A process that works in a data directory: a postmaster, or a single-user backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Postmaster {
    pid: Pid,
    ready: bool,
}

/// Looks for a living server on a data directory.
///
/// A stale `postmaster.pid`, even one whose number another process has by now, is not a server:
/// the process must work in that very directory.
pub fn find_postmaster(data_dir: &Path) -> Result<Option<Postmaster>> {
    let path = data_dir.join("postmaster.pid");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    let Some(file) = PidFile::parse(&text) else {
        return Ok(None);
    };
    let works_there = works_in(file.pid, data_dir);
    Ok(works_there.then_some(Postmaster { pid: file.pid, ready: file.ready }))
}

/// Ends whatever PostgreSQL process works in a data directory, backends without a postmaster too.
/// Only for a directory that is about to be removed.
pub fn end_all(data_dir: &Path) -> Result<()> {
    if let Some(server) = find_postmaster(data_dir)? {
        server.kill();
    }
    for pid in orphans(data_dir) {
        let _ = kill_process(pid, Signal::KILL);
    }
    await_orphans(data_dir)
}

/// Waits for the backends of a postmaster that was killed: they notice, and end. While one lives, no
/// other server may touch the directory.
pub(crate) fn await_orphans(data_dir: &Path) -> Result<()> {
    let start = Instant::now();
    loop {
        let Some(pid) = orphans(data_dir).first().copied() else { return Ok(()) };
        if start.elapsed() > Duration::from_secs(20) {
            return Err(Error::Busy {
                what: format!(
                    "{}: process {} of a server that is gone still works there; end it and try again",
                    data_dir.display(),
                    pid.as_raw_nonzero()
                ),
            });
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// PostgreSQL processes that work in a data directory.
fn orphans(data_dir: &Path) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
        .filter(|&pid| {
            let comm = std::fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero()));
            comm.is_ok_and(|name| name.trim_end() == "postgres") && works_in(pid, data_dir)
        })
        .collect()
}

impl Postmaster {
    /// Process id.
    pub fn pid(self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// True once it accepts connections.
    pub fn is_ready(self) -> bool {
        self.ready
    }

    /// How many sessions clients have on it. Backends say whom they are for in their titles, behind
    /// `cluster_name`: `user database [local] idle`, `user database 10.0.0.1(40312) idle`.
    pub fn sessions(self, cluster_name: &str) -> usize {
        let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
        let pids = processes.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        pids.filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))
            .filter(|pid| parent_of(pid) == Some(self.pid()))
            .filter_map(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok())
            .filter(|title| is_session(&String::from_utf8_lossy(title), cluster_name))
            .count()
    }

    /// Asks it to shut down (fast), waits, and ends it by force when `patience` is over.
    ///
    /// True if it went by itself.
    pub fn stop(self, patience: Duration) -> bool {
        let _ = kill_process(self.pid, Signal::INT);
        if self.wait(patience) {
            return true;
        }
        self.kill();
        false
    }

    /// Ends it: quickly, then by force. Its backends end themselves when it is gone.
    pub fn kill(self) {
        let _ = kill_process(self.pid, Signal::QUIT);
        if !self.wait(Duration::from_secs(6)) {
            let _ = kill_process(self.pid, Signal::KILL);
            self.wait(Duration::from_secs(5));
        }
    }

    fn wait(self, patience: Duration) -> bool {
        let start = Instant::now();
        while is_alive(self.pid) {
            if start.elapsed() > patience {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

/// The fourth field of `/proc/<pid>/stat`; the second, a name in parentheses, may hold anything.
fn parent_of(pid: &str) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_whitespace().nth(1)?.parse().ok()
}

fn is_session(title: &str, cluster_name: &str) -> bool {
    let Some(title) = title.strip_prefix("postgres: ") else { return false };
    let title = title.strip_prefix(cluster_name).unwrap_or(title);
    title.split_whitespace().any(|word| {
        let port = word.strip_suffix(')').and_then(|word| word.rsplit_once('('));
        word == "[local]"
            || port.is_some_and(|(_, port)| {
                !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
            })
    })
}

/// The lines of `postmaster.pid` that matter; `utils/pidfile.h`.
pub(super) struct PidFile {
    pub(super) pid: Pid,
    pub(super) ready: bool,
}

impl PidFile {
    pub(super) fn parse(text: &str) -> Option<PidFile> {
        let mut lines = text.lines();
        // A single-user backend writes its number with a minus sign.
        let number: i32 = lines.next()?.trim().parse().ok()?;
        let pid = Pid::from_raw(number.checked_abs()?)?;
        let ready = lines.nth(6).is_some_and(|status| status.trim() == "ready");
        Some(PidFile { pid, ready })
    }
}

/// True if a process lives; one that has ended and awaits its parent does not.
fn is_alive(pid: Pid) -> bool {
    if test_kill_process(pid).is_err_and(|error| error == rustix::io::Errno::SRCH) {
        return false;
    }
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    // The name is in parentheses and may hold anything; the state follows the last one.
    stat.is_ok_and(|text| {
        text.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
    })
}

fn works_in(pid: Pid, data_dir: &Path) -> bool {
    let cwd = std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero()));
    let wanted: Option<PathBuf> = data_dir.canonicalize().ok();
    is_alive(pid) && cwd.ok().is_some_and(|cwd| Some(cwd) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_line_tells_readiness() {
        let text = "42\n/data\n1700000000\n5432\n/run\n127.0.0.1\n  5 6\nready   \n";
        let file = PidFile::parse(text).unwrap();
        assert_eq!(file.pid.as_raw_nonzero().get(), 42);
        assert!(file.ready);
        assert!(!PidFile::parse("42\n/data\n1\n1\n\n\n\nstarting\n").unwrap().ready);
        assert_eq!(PidFile::parse("-42\n").unwrap().pid.as_raw_nonzero().get(), 42);
        assert!(PidFile::parse("").is_none());
        assert!(PidFile::parse("0\n").is_none());
    }

    #[test]
    fn a_foreign_process_with_the_number_is_no_server() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("postmaster.pid"), format!("{}\n", std::process::id()))
            .unwrap();
        assert!(find_postmaster(dir.path()).unwrap().is_none());
    }
}
