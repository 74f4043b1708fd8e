//! Staging a live server: `pg_basebackup` into the staging volume.
//!
//! libpq's own programs do the talking, so that every connection option works; the password goes
//! through the environment, never through an argument list.

use std::fs::File;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::directory::tree_bytes;
use super::source::ConnectionString;
use super::{Manifest, SnapshotOptions, Staging};
use crate::cluster::binaries::Binaries;
use crate::cluster::config;
use crate::cluster::sandbox::Owner;
use crate::error::{Error, Result};
use crate::ids::{Oid, PgMajor};
use crate::progress::Stage;

const TICK: Duration = Duration::from_millis(100);

/// What must be known of the server before the backup starts.
pub(super) struct LiveServer {
    pub(super) major: PgMajor,
    /// Tablespaces with their locations on the server.
    tablespaces: Vec<(Oid, String)>,
    /// Bytes of all databases, for progress.
    bytes: u64,
}

const ABOUT: &str = "
    SELECT 'version', current_setting('server_version_num'), ''
    UNION ALL SELECT 'bytes', sum(pg_tablespace_size(oid))::text, '' FROM pg_tablespace
    UNION ALL SELECT 'tablespace', oid::text, pg_tablespace_location(oid)
              FROM pg_tablespace WHERE pg_tablespace_location(oid) <> ''";

/// Asks the server through `psql`.
pub(super) fn inspect(
    connection: &ConnectionString,
    options: &SnapshotOptions,
) -> Result<LiveServer> {
    let psql = options.binaries.as_ref().map(|dir| dir.join("psql")).filter(|path| path.exists());
    let mut command = Command::new(psql.unwrap_or_else(|| PathBuf::from("psql")));
    command.args(["-X", "-w", "-A", "-t", "-F", "\t", "-c", ABOUT, "-d"]);
    command.arg(with_database(&connection.public));
    let output = as_user(&mut command, connection, options)?
        .output()
        .map_err(|error| needs_client("psql", error))?;
    if !output.status.success() {
        return Err(Error::Server {
            what: format!(
                "can't connect to {}: {}",
                connection.public,
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        });
    }
    parse_about(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| Error::Server { what: "psql's answer makes no sense".to_owned() })?
}

/// `psql` needs a database; the maintenance database is there unless the user names one.
fn with_database(public: &str) -> String {
    if public.contains("://") || public.contains("dbname=") || public.contains("service=") {
        public.to_owned()
    } else {
        format!("{public} dbname=postgres")
    }
}

fn parse_about(text: &str) -> Option<Result<LiveServer>> {
    let (mut major, mut bytes, mut tablespaces) = (None, 0, Vec::new());
    for line in text.lines() {
        let mut fields = line.splitn(3, '\t');
        match (fields.next()?, fields.next()?, fields.next()?) {
            ("version", number, _) => {
                let number = number.parse::<u32>().ok()? / 10_000;
                match u16::try_from(number).ok().and_then(PgMajor::new) {
                    Some(known) => major = Some(known),
                    None => {
                        return Some(Err(Error::invalid(format!(
                            "the server is PostgreSQL {number}; thinveil knows {} to {}",
                            PgMajor::OLDEST,
                            PgMajor::NEWEST
                        ))));
                    }
                }
            }
            ("bytes", number, _) => bytes = number.parse().ok()?,
            ("tablespace", oid, location) => {
                tablespaces.push((Oid(oid.parse().ok()?), location.to_owned()));
            }
            _ => return None,
        }
    }
    Some(Ok(LiveServer { major: major?, tablespaces, bytes }))
}

/// Runs `pg_basebackup` into the staging volume.
pub(super) fn ingest(
    connection: &ConnectionString,
    server: &LiveServer,
    binaries: &Binaries,
    staging: &Staging,
    options: &SnapshotOptions,
    manifest: &mut Manifest,
) -> Result<()> {
    let owner = backup_owner(options)?;
    let volume = staging.volume();
    let data = staging.data_dir();
    staging.driver().create_volume(&volume)?;
    for directory in [data.clone(), volume.join("tablespaces")] {
        make_private(&directory, owner)?;
    }
    let mut command = Command::new(binaries.program("pg_basebackup")?);
    command.args(["--format=plain", "--wal-method=stream", "--checkpoint=fast", "--no-sync"]);
    command.args(["--no-password", "--no-manifest", "--pgdata"]).arg(&data);
    command.arg("--dbname").arg(&connection.public);
    for (oid, location) in &server.tablespaces {
        let home = volume.join("tablespaces").join(oid.to_string());
        make_private(&home, owner)?;
        let escape = |path: &str| path.replace('=', "\\=");
        command.arg(format!(
            "--tablespace-mapping={}={}",
            escape(location),
            escape(&home.to_string_lossy())
        ));
    }
    let log = staging.volume().with_file_name("basebackup.log");
    let errors = File::create(&log).map_err(Error::io("create", &log))?;
    let mut child = as_user(&mut command, connection, options)?
        .stderr(errors)
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| needs_client("pg_basebackup", error))?;
    let result = wait(&mut child, &volume, server.bytes, options);
    let mut said = String::new();
    if let Ok(mut log) = File::open(&log) {
        let _ = log.read_to_string(&mut said);
    }
    let _ = std::fs::remove_file(&log);
    if !result? {
        return Err(Error::Server { what: format!("pg_basebackup failed: {}", said.trim()) });
    }

    // pg_basebackup wrote absolute links; ours are relative, so that the volume can move.
    for (oid, _) in &server.tablespaces {
        let link = data.join("pg_tblspc").join(oid.to_string());
        std::fs::remove_file(&link).map_err(Error::io("remove", &link))?;
    }
    let oids: Vec<Oid> = server.tablespaces.iter().map(|(oid, _)| *oid).collect();
    staging.link_tablespaces(&oids)?;
    manifest.planner_settings = config::planner_settings(&data);
    manifest.raw_bytes = tree_bytes(&volume);
    Ok(())
}

/// Waits for the backup; true if it succeeded. A cancelled one is ended.
fn wait(child: &mut Child, volume: &Path, total: u64, options: &SnapshotOptions) -> Result<bool> {
    loop {
        if let Some(status) = child.try_wait().map_err(Error::io("wait for", "pg_basebackup"))? {
            return Ok(status.success());
        }
        if options.cancel.is_cancelled() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::Cancelled);
        }
        options.progress.update(Stage::Stage, tree_bytes(volume).min(total), total);
        std::thread::sleep(TICK);
    }
}

/// Who will own the data: PostgreSQL does not run as root.
fn backup_owner(options: &SnapshotOptions) -> Result<Option<Owner>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd =
        std::fs::read_to_string("/etc/passwd").map_err(Error::io("read", "/etc/passwd"))?;
    let entry = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let (_, uid, gid) = (fields.next()?, fields.next()?, fields.next()?);
        (name == options.os_user)
            .then(|| Some(Owner { uid: uid.parse().ok()?, gid: gid.parse().ok()? }))?
    });
    entry.filter(|owner| owner.uid != 0).map(Some).ok_or_else(|| {
        Error::invalid(format!(
            "no operating system user {:?} to own the copied data (PostgreSQL does not run as \
             root): name one with --os-user",
            options.os_user
        ))
    })
}

fn make_private(directory: &Path, owner: Option<Owner>) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(directory)
        .map_err(Error::io("create", directory))?;
    owner.map_or(Ok(()), |owner| owner.give(directory))
}

/// Runs a libpq program as the data's owner, with the password in its environment.
fn as_user<'c>(
    command: &'c mut Command,
    connection: &ConnectionString,
    options: &SnapshotOptions,
) -> Result<&'c mut Command> {
    if let Some(owner) = backup_owner(options)? {
        command.uid(owner.uid).gid(owner.gid).current_dir("/");
    }
    if let Some(password) = &connection.password {
        command.env("PGPASSWORD", password.as_str());
    }
    Ok(command.env("LC_ALL", "C").stdin(Stdio::null()))
}

fn needs_client(program: &str, error: std::io::Error) -> Error {
    Error::invalid(format!(
        "can't run {program} ({error}): a live source needs PostgreSQL's client programs \
         (postgresql-client), or --pg-bin with the directory that holds them"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_what_the_server_says_of_itself() {
        let text = "version\t150004\t\nbytes\t12345\t\ntablespace\t16400\t/srv/fast\n";
        let server = parse_about(text).unwrap().unwrap();
        assert_eq!((server.major.number(), server.bytes), (15, 12345));
        assert_eq!(server.tablespaces, [(Oid(16400), "/srv/fast".to_owned())]);
    }

    #[test]
    fn refuses_a_version_by_its_number() {
        let error = parse_about("version\t120004\t\n").unwrap().err().unwrap();
        assert!(error.to_string().contains("PostgreSQL 12"), "{error}");
    }
}
