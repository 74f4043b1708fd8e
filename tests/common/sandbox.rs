//! A directory that the `postgres` user can traverse, and that leaves nothing behind.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::processes;

/// A temporary directory. Dropping it ends the servers below it, unmounts what is mounted there
/// and removes it, also when a test panics.
#[derive(Debug)]
pub(crate) struct Sandbox {
    dir: Option<TempDir>,
}

impl Sandbox {
    /// A new directory, short enough for unix sockets inside.
    pub(crate) fn new() -> Sandbox {
        let dir = tempfile::Builder::new()
            .prefix("tv")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary directory");
        Sandbox { dir: Some(dir) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.as_ref().expect("present until dropped").path()
    }

    /// A path in the sandbox; nothing is created.
    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// A new directory in the sandbox that belongs to `postgres`.
    pub(crate) fn postgres_dir(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(&path).expect("a directory");
        chown(&path, Some(postgres_uid()), Some(postgres_gid())).expect("chown");
        path
    }

    /// A new file in the sandbox that all may read.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let Some(dir) = self.dir.take() else { return };
        processes::kill_below(dir.path());
        processes::unmount_below(dir.path());
        // A directory that stays behind fails no test twice over.
        drop(dir.close());
    }
}

/// Copies a directory with owners, modes and links.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    let mut command = Command::new("cp");
    command.args(["-a", "--reflink=auto", "--sparse=never"]).arg(from).arg(to);
    must(&mut command);
}

/// Runs a command that has to succeed; returns its standard output.
pub(crate) fn must(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the command starts");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The command as the user `postgres`.
pub(crate) fn as_postgres(program: impl AsRef<Path>) -> Command {
    use std::os::unix::process::CommandExt;

    let mut command = Command::new(program.as_ref());
    command.uid(postgres_uid()).gid(postgres_gid()).current_dir("/");
    command.env("HOME", "/var/lib/postgresql").env("LC_ALL", "C.UTF-8");
    command
}

pub(crate) fn postgres_uid() -> u32 {
    passwd_field(2)
}

pub(crate) fn postgres_gid() -> u32 {
    passwd_field(3)
}

fn passwd_field(index: usize) -> u32 {
    fs::read_to_string("/etc/passwd")
        .expect("/etc/passwd")
        .lines()
        .find(|line| line.starts_with("postgres:"))
        .and_then(|line| line.split(':').nth(index))
        .and_then(|field| field.parse().ok())
        .expect("a user named postgres: tools/install-prerequisites")
}
