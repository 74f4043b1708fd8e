//! Where PostgreSQL's programs are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};
use crate::ids::PgMajor;

/// Names a directory of server programs, like `--pg-bin`.
pub const PG_BIN_VARIABLE: &str = "THINVEIL_PG_BIN";

/// The server programs of one major version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    major: PgMajor,
    dir: PathBuf,
}

impl Binaries {
    /// Finds `postgres` of a major version: in `explicit` if given, else in `THINVEIL_PG_BIN`, else
    /// where packages put it, else where `pg_config` says, else on `PATH`.
    ///
    /// A directory that was named but does not hold the right version is an error; it is not
    /// passed over.
    pub fn find(major: PgMajor, explicit: Option<&Path>) -> Result<Binaries> {
        let named = explicit.map(|dir| (dir.to_path_buf(), "--pg-bin")).or_else(|| {
            std::env::var_os(PG_BIN_VARIABLE)
                .filter(|value| !value.is_empty())
                .map(|value| (PathBuf::from(value), PG_BIN_VARIABLE))
        });
        if let Some((dir, origin)) = named {
            return match look(major, &dir) {
                Ok(()) => Ok(Binaries { major, dir }),
                Err(why) => Err(Error::invalid(format!(
                    "{origin}: {}: {why}; PostgreSQL {major} is needed",
                    dir.display()
                ))),
            };
        }

        let mut searched = String::new();
        for dir in places(major) {
            match look(major, &dir) {
                Ok(()) => return Ok(Binaries { major, dir }),
                Err(why) => searched.push_str(&format!("\n  {}: {why}", dir.display())),
            }
        }
        Err(Error::invalid(format!(
            "no PostgreSQL {major} server found; install it (Debian: apt install postgresql-{major}) \
             or name its directory with --pg-bin or {PG_BIN_VARIABLE}; searched:{searched}"
        )))
    }

    /// The major version.
    pub fn major(&self) -> PgMajor {
        self.major
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the programs are installed under: their libraries and shared files are there too.
    pub fn prefix(&self) -> &Path {
        self.dir.parent().unwrap_or(&self.dir)
    }

    /// The server itself.
    pub fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    /// Another program from the same directory, `pg_basebackup` say; an error that names the place
    /// if it is not there.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        if path.is_file() {
            return Ok(path);
        }
        // Client programs may be installed apart from the server's.
        std::env::var_os("PATH")
            .iter()
            .flat_map(std::env::split_paths)
            .map(|dir| dir.join(name))
            .find(|path| path.is_file())
            .ok_or_else(|| {
                Error::invalid(format!(
                    "{name} is neither in {} nor on PATH; install PostgreSQL {}'s client programs",
                    self.dir.display(),
                    self.major
                ))
            })
    }
}

fn places(major: PgMajor) -> Vec<PathBuf> {
    let mut places = vec![
        PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")),
        PathBuf::from(format!("/usr/pgsql-{major}/bin")),
        PathBuf::from("/usr/local/pgsql/bin"),
    ];
    if let Some(dir) = output_of(Path::new("pg_config"), "--bindir") {
        places.push(PathBuf::from(dir));
    }
    for dir in std::env::var_os("PATH").iter().flat_map(std::env::split_paths) {
        if dir.is_absolute() {
            places.push(dir);
        }
    }
    let mut seen = std::collections::HashSet::new();
    places.retain(|dir| seen.insert(dir.clone()));
    places
}

/// Says why not, if not.
fn look(major: PgMajor, dir: &Path) -> Result<(), String> {
    let program = dir.join("postgres");
    if !program.is_file() {
        return Err("no postgres there".to_owned());
    }
    let Some(said) = output_of(&program, "--version") else {
        return Err("its postgres does not run".to_owned());
    };
    match major_of(&said) {
        Some(number) if number == major.number() => Ok(()),
        Some(number) => Err(format!("is PostgreSQL {number}")),
        None => Err(format!("its postgres --version is not understood: {said:?}")),
    }
}

fn output_of(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(AsRef::<OsStr>::as_ref(program))
        .arg(argument)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `postgres (PostgreSQL) 15.3 (Debian …)`, `… 18beta1`, `… 19devel`.
fn major_of(version: &str) -> Option<u16> {
    let (_, rest) = version.split_once("(PostgreSQL)")?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_postgres_prints() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.3 (Debian 15.3-0+deb12u1)"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_of("something else"), None);
    }

    #[test]
    fn a_missing_server_names_every_place_searched() {
        let none = Binaries::find(PgMajor::OLDEST, None);
        let text = none.unwrap_err().to_string();
        assert!(text.contains("/usr/lib/postgresql/13/bin"), "{text}");
        assert!(text.contains("/usr/pgsql-13/bin"), "{text}");
        assert!(text.contains("/usr/local/pgsql/bin"), "{text}");
    }

    #[test]
    fn a_named_directory_of_another_major_is_refused() {
        let dir = Path::new("/usr/lib/postgresql/15/bin");
        let error = Binaries::find(PgMajor::NEWEST, Some(dir)).unwrap_err().to_string();
        assert!(error.contains("is PostgreSQL 15"), "{error}");
    }
}
