//! A server that only thinveil can reach, on a volume that nobody else uses.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use postgres::{Client, NoTls};

use super::binaries::Binaries;
use super::launch::{Launch, Launched};
use super::process::{await_orphans, find_postmaster};
use super::sandbox::{Confinement, Owner, Sandbox};
use super::{settings, sql_error};
use crate::error::{Error, Result};
use crate::ids::PgMajor;
use crate::progress::Cancel;

pub(crate) use super::launch::SOCKET_DIR_MAX;

/// The port that names the socket; nothing listens on it.
const PORT: u16 = 5432;

/// How to run a [`PrivateServer`].
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The server's programs.
    pub binaries: Binaries,
    /// The volume: all that the server may write, besides its private directory.
    pub volume: PathBuf,
    /// The data directory, inside the volume.
    pub data_dir: PathBuf,
    /// A directory for configuration, log and socket; made if missing, 0700, removed at the end.
    pub private_dir: PathBuf,
    /// A superuser's name: the one that `initdb` made.
    pub superuser: String,
    /// At least what the cluster was run with (`pg_control` knows).
    pub limits: Limits,
    /// Settings on top, `maintenance_work_mem` say.
    pub settings: Vec<(String, String)>,
    /// Ends waiting for recovery, start and stop.
    pub cancel: Cancel,
}

/// Settings that a cluster can't be started below of, after it ran with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `max_connections`
    pub max_connections: u32,
    /// `max_worker_processes`
    pub max_worker_processes: u32,
    /// `max_prepared_transactions`
    pub max_prepared_transactions: u32,
    /// `max_locks_per_transaction`
    pub max_locks_per_transaction: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_connections: 100,
            max_worker_processes: 8,
            max_prepared_transactions: 0,
            max_locks_per_transaction: 64,
        }
    }
}

impl Limits {
    /// As settings, for a command line.
    pub fn settings(self) -> Vec<(String, String)> {
        [
            ("max_connections", self.max_connections),
            ("max_worker_processes", self.max_worker_processes),
            ("max_prepared_transactions", self.max_prepared_transactions),
            ("max_locks_per_transaction", self.max_locks_per_transaction),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_string()))
        .collect()
    }
}

/// A running private server. Dropping it kills it and removes its private directory.
#[derive(Debug)]
pub struct PrivateServer {
    launched: Option<Launched>,
    options: ServerOptions,
    socket_dir: PathBuf,
    /// Held alone while a session begins: see [`PrivateServer::beginnings`].
    beginnings: Arc<RwLock<()>>,
    /// Where the private directory's path is too long for a socket.
    _short: Option<tempfile::TempDir>,
}

impl PrivateServer {
    /// Starts the server and waits until it accepts connections, recovery included.
    ///
    /// First takes from the data directory what would make it follow, replicate or reconfigure
    /// itself (see [`neutralize`]).
    pub fn start(options: ServerOptions) -> Result<PrivateServer> {
        if let Some(running) = find_postmaster(&options.data_dir)? {
            return Err(Error::Busy {
                what: format!(
                    "{}: a server (process {}) runs on it",
                    options.data_dir.display(),
                    running.pid()
                ),
            });
        }
        let owner = Owner::of(&options.data_dir)?;
        owner.check_way_to(&options.data_dir)?;
        neutralize(&options.data_dir)?;
        private_dir(&options.private_dir, owner)?;
        let dir = &options.private_dir;
        for (name, text) in [
            ("postgresql.conf", "# Everything is on the command line.\n"),
            ("pg_hba.conf", "local all all trust\n"),
            ("pg_ident.conf", ""),
        ] {
            write_for(owner, &dir.join(name), text)?;
        }
        let (socket_dir, short) = if dir.as_os_str().len() <= SOCKET_DIR_MAX {
            (dir.clone(), None)
        } else {
            let short = tempfile::Builder::new()
                .prefix("thinveil-")
                .tempdir_in("/tmp")
                .map_err(Error::io("create a directory in", "/tmp"))?;
            owner.give(short.path())?;
            (short.path().to_path_buf(), Some(short))
        };

        let mut server = PrivateServer {
            launched: None,
            options,
            socket_dir,
            beginnings: Arc::default(),
            _short: short,
        };
        let launched = server.launch()?;
        let cancel = server.options.cancel.clone();
        server.launched.insert(launched).wait_ready(&cancel)?;
        Ok(server)
    }

    fn launch(&self) -> Result<Launched> {
        let options = &self.options;
        let dir = &options.private_dir;
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let mut all: Vec<(String, String)> = vec![
            ("config_file".to_owned(), path(&dir.join("postgresql.conf"))),
            ("hba_file".to_owned(), path(&dir.join("pg_hba.conf"))),
            ("ident_file".to_owned(), path(&dir.join("pg_ident.conf"))),
            // The list's separator and quotes.
            (
                "unix_socket_directories".to_owned(),
                format!("\"{}\"", path(&self.socket_dir).replace('"', "\"\"")),
            ),
            ("unix_socket_permissions".to_owned(), "0700".to_owned()),
            ("port".to_owned(), PORT.to_string()),
        ];
        all.extend(
            settings::private(options.binaries.major())
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        // A server that allows fewer prepared transactions than there are does not start.
        let waiting = fs::read_dir(options.data_dir.join("pg_twophase")).map_or(0, Iterator::count);
        let mut limits = options.limits;
        limits.max_prepared_transactions =
            limits.max_prepared_transactions.max(u32::try_from(waiting).unwrap_or(u32::MAX));
        all.extend(limits.settings());
        all.extend(options.settings.iter().cloned());
        Launch {
            binaries: &options.binaries,
            data_dir: &options.data_dir,
            sandbox: Sandbox::new()
                .writable(&options.volume)
                .writable(dir)
                .writable(&self.socket_dir)
                .offline(),
            log: &dir.join("server.log"),
            settings: all,
        }
        .start()
    }

    /// How far the kernel confines this server to its volume.
    pub fn confinement(&self) -> Confinement {
        self.launched.as_ref().map_or(Confinement::None, |launched| launched.confinement)
    }

    /// A connection to a database as the superuser of [`ServerOptions`].
    pub fn connect(&self, database: &str) -> Result<Client> {
        self.connect_as(database, &self.options.superuser)
    }

    /// A connection to a database, whatever settings production gave the role or the database.
    pub fn connect_as(&self, database: &str, user: &str) -> Result<Client> {
        let _alone = self.beginnings.write().unwrap_or_else(PoisonError::into_inner);
        postgres::Config::new()
            .host_path(&self.socket_dir)
            .port(PORT)
            .user(user)
            .dbname(database)
            .application_name("thinveil")
            .connect_timeout(Duration::from_secs(30))
            .options(&session_options(self.options.binaries.major()))
            .connect(NoTls)
            .map_err(|error| sql_error(format!("connect to database {database}"), &error))
    }

    /// Shared by those in whose statements no session may begin: one that does belongs to no
    /// database yet and has a snapshot, for which `VACUUM FULL` carries deleted rows over into the
    /// new file.
    pub fn beginnings(&self) -> Arc<RwLock<()>> {
        Arc::clone(&self.beginnings)
    }

    /// The reason behind an error, where the server went down: its own last words.
    pub fn explain(&self, error: Error) -> Error {
        /// `connection_failure` and its class; `crash_shutdown` and `cannot_connect_now`, which
        /// those get who come while a server that crashed has not ended yet.
        const GOING_DOWN: [&str; 4] = ["08000", "08006", "57P02", "57P03"];
        match (&error, &self.launched) {
            (Error::Sql { action, sqlstate, .. }, Some(launched))
                if GOING_DOWN.contains(&sqlstate.as_str()) =>
            {
                launched.failure(&format!("went down while it was to {action}"))
            }
            _ => error,
        }
    }

    /// Shuts down and waits. Success: the cluster was shut down cleanly and the private directory
    /// is gone. Failure: the server is gone too, but the cluster needs recovery.
    pub fn stop(mut self) -> Result<()> {
        match self.launched.as_mut() {
            Some(launched) => {
                launched.stop(&self.options.cancel)?;
                self.launched = None;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        if let Some(mut launched) = self.launched.take() {
            launched.kill();
        }
        let _ = fs::remove_dir_all(&self.options.private_dir);
    }
}

/// Takes from a copied data directory what would make a server on it follow, replicate,
/// reconfigure itself, or mistake another process for its postmaster: signal files, slots,
/// `postgresql.auto.conf`, `tablespace_map` (the copy's own links stand), pid files.
///
/// Only for a copy that no server runs on.
pub fn neutralize(data_dir: &Path) -> Result<()> {
    for name in
        ["standby.signal", "recovery.signal", "tablespace_map", "postmaster.pid", "postmaster.opts"]
    {
        remove_file(&data_dir.join(name))?;
    }
    let slots = data_dir.join("pg_replslot");
    if let Ok(entries) = fs::read_dir(&slots) {
        for entry in entries {
            let path = entry.map_err(Error::io("read", &slots))?.path();
            fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
        }
    }
    let auto = data_dir.join("postgresql.auto.conf");
    if auto.symlink_metadata().is_ok_and(|meta| meta.is_file() && meta.len() > 0) {
        fs::OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&auto)
            .map_err(Error::io("empty", &auto))?;
    }
    Ok(())
}

/// Removes the traces of a server that no longer runs, so that no other process is mistaken for it.
pub(crate) fn forget_server(data_dir: &Path) -> Result<()> {
    await_orphans(data_dir)?;
    remove_file(&data_dir.join("postmaster.pid"))?;
    remove_file(&data_dir.join("postmaster.opts"))
}

/// The `options` of a connection that nothing which production set for a role or a database can
/// disturb.
pub(crate) fn session_options(major: PgMajor) -> String {
    settings::as_options(&settings::session(major))
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn private_dir(path: &Path, owner: Owner) -> Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(Error::io("create", path)(error));
        }
        _ => (),
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
        .map_err(Error::io("chmod", path))?;
    owner.give(path)
}

/// Writes a small file that only `owner` reads.
fn write_for(owner: Owner, path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::io("write", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .map_err(Error::io("chmod", path))?;
    owner.give(path)
}
