//! Programs that can write only where they are told, and read little else.
//!
//! A server on a copy of production data is as curious as its superusers. Landlock keeps it inside
//! its volume, whatever WAL record, extension or `COPY` asks for.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
};
use serde::Serialize;

use crate::error::{Error, Result};

/// Rights are asked for as of Linux 6.12; older kernels enforce what they know.
const KNOWN: ABI = ABI::V6;

/// Programs, libraries, locales, time zones and what the C library asks for.
const READABLE: [&str; 12] = [
    "/usr",
    "/lib",
    "/lib64",
    "/lib32",
    "/bin",
    "/sbin",
    "/etc",
    "/opt",
    "/nix/store",
    "/proc",
    "/sys",
    "/run/systemd/resolve",
];

/// What a confined program may reach.
#[derive(Clone, Debug, Default)]
pub struct Sandbox {
    readable: Vec<PathBuf>,
    writable: Vec<PathBuf>,
    offline: bool,
}

/// How far the kernel went along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confinement {
    /// Everything asked for is in force.
    Full,
    /// An older kernel: files are confined, signals or networking may not be.
    Partial,
    /// No Landlock here; the operating system's permissions are all there is.
    None,
}

impl Confinement {
    /// How far this kernel would go along. Asking restricts nothing.
    pub fn offered() -> Confinement {
        let strict = || Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        let full = strict()
            .handle_access(AccessFs::from_all(KNOWN))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(KNOWN)))
            .and_then(|ruleset| ruleset.scope(Scope::from_all(KNOWN)))
            .and_then(Ruleset::create);
        if full.is_ok() {
            return Confinement::Full;
        }
        let files = strict().handle_access(AccessFs::from_all(ABI::V1)).and_then(Ruleset::create);
        if files.is_ok() { Confinement::Partial } else { Confinement::None }
    }
}

impl Sandbox {
    /// Nothing but the system's programs and libraries, read-only.
    pub fn new() -> Sandbox {
        Sandbox::default()
    }

    /// May also read and execute below `path`.
    pub fn readable(mut self, path: impl Into<PathBuf>) -> Sandbox {
        self.readable.push(path.into());
        self
    }

    /// May also read and write below `path`.
    pub fn writable(mut self, path: impl Into<PathBuf>) -> Sandbox {
        self.writable.push(path.into());
        self
    }

    /// May not open or accept TCP connections.
    pub fn offline(mut self) -> Sandbox {
        self.offline = true;
        self
    }

    /// Starts the program as `owner`, confined. Where the kernel has no Landlock, it is started all
    /// the same, and the result says so.
    pub fn spawn(&self, mut command: Command, owner: Owner) -> Result<(Child, Confinement)> {
        owner.apply(&mut command)?;
        let sandbox = self.clone();
        let program = PathBuf::from(command.get_program());
        // The confinement is the thread's, and its children's: it ends with the thread.
        std::thread::Builder::new()
            .name("thinveil-spawn".to_owned())
            .spawn(move || {
                let confinement = sandbox.restrict_this_thread().unwrap_or(Confinement::None);
                let child = command.spawn().map_err(Error::io("start", &program))?;
                Ok((child, confinement))
            })
            .and_then(|thread| {
                thread.join().map_err(|_| std::io::Error::other("the starting thread died"))
            })
            .map_err(Error::io("start", "postgres"))?
    }

    fn restrict_this_thread(&self) -> Result<Confinement, landlock::RulesetError> {
        let all = AccessFs::from_all(KNOWN);
        let read = AccessFs::from_read(KNOWN);
        let mut ruleset = Ruleset::default().handle_access(all)?;
        if self.offline {
            ruleset = ruleset.handle_access(AccessNet::from_all(KNOWN))?;
        }
        let readable =
            READABLE.iter().map(Path::new).chain(self.readable.iter().map(PathBuf::as_path));
        let writable =
            [Path::new("/dev")].into_iter().chain(self.writable.iter().map(PathBuf::as_path));
        let status = ruleset
            .scope(Scope::from_all(KNOWN))?
            .create()?
            .add_rules(path_beneath_rules(readable, read))?
            .add_rules(path_beneath_rules(writable, all))?
            .restrict_self()?;
        Ok(match status.ruleset {
            RulesetStatus::FullyEnforced => Confinement::Full,
            RulesetStatus::PartiallyEnforced => Confinement::Partial,
            RulesetStatus::NotEnforced => Confinement::None,
        })
    }
}

/// The operating system user that owns a data directory, and that servers on it run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Owner {
    /// The owner of a data directory.
    ///
    /// Refuses one that belongs to root, and one that belongs to somebody else than the caller
    /// unless the caller is root.
    pub fn of(data_dir: &Path) -> Result<Owner> {
        let meta = data_dir.metadata().map_err(Error::io("read", data_dir))?;
        let owner = Owner { uid: meta.uid(), gid: meta.gid() };
        let me = rustix::process::geteuid().as_raw();
        if owner.uid == 0 {
            return Err(Error::invalid(format!(
                "{} belongs to root, and PostgreSQL does not run as root: give the source to the \
                 user that ran it (chown -R postgres:postgres {0})",
                data_dir.display()
            )));
        }
        if me != 0 && owner.uid != me {
            return Err(Error::invalid(format!(
                "{} belongs to user id {}, and you are {me}: run thinveil as that user or as root",
                data_dir.display(),
                owner.uid
            )));
        }
        Ok(owner)
    }

    /// Gives a path to this user.
    pub fn give(self, path: &Path) -> Result<()> {
        std::os::unix::fs::lchown(path, Some(self.uid), Some(self.gid))
            .map_err(Error::io("chown", path))
    }

    /// An error that says what to open if this user can't get to `path` through its parents.
    pub fn check_way_to(self, path: &Path) -> Result<()> {
        for dir in path.ancestors().skip(1) {
            let meta = dir.metadata().map_err(Error::io("read", dir))?;
            let needed = if meta.uid() == self.uid {
                0o100
            } else if meta.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            if meta.mode() & needed == 0 {
                return Err(Error::invalid(format!(
                    "PostgreSQL runs as user id {}, which can't pass through {}: chmod a+x {1}, or \
                     keep the pool elsewhere",
                    self.uid,
                    dir.display()
                )));
            }
        }
        Ok(())
    }

    fn apply(self, command: &mut Command) -> Result<()> {
        if rustix::process::geteuid().is_root() {
            command.uid(self.uid).gid(self.gid);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_confined_program_reads_and_writes_only_where_it_may() {
        let base = tempfile::tempdir().unwrap();
        let owner = Owner { uid: 65534, gid: 65534 };
        for name in ["inside", "outside"] {
            let dir = base.path().join(name);
            std::fs::create_dir(&dir).unwrap();
            std::fs::write(dir.join("file"), "x").unwrap();
            std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o777))
                .unwrap();
        }
        std::fs::set_permissions(base.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let run = |script: &str, sandbox: &Sandbox| {
            let mut command = Command::new("/bin/sh");
            command.arg("-c").arg(script).current_dir(base.path()).stderr(Stdio::null());
            let (mut child, confinement) = sandbox.spawn(command, owner).unwrap();
            (child.wait().unwrap().success(), confinement)
        };
        let open = Sandbox::new().writable(base.path());
        let shut = Sandbox::new().writable(base.path().join("inside"));
        assert!(run("echo y > outside/new && cat outside/file", &open).0);
        let (inside, confinement) = run("echo y > inside/new && cat inside/file", &shut);
        assert!(inside);
        assert_ne!(confinement, Confinement::None, "this kernel has no Landlock");
        assert_ne!(Confinement::offered(), Confinement::None);
        assert!(!run("cat outside/file", &shut).0);
        assert!(!run("echo y > outside/other", &shut).0);
        assert!(!run("mv inside/file outside/moved", &shut).0);
    }

    #[test]
    fn a_data_directory_of_root_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let error = Owner::of(dir.path()).unwrap_err().to_string();
        assert!(error.contains("chown"), "{error}");
    }
}
