//! A source cluster.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};

use postgres::{Client, Config, NoTls, SimpleQueryMessage};

use super::sandbox::{Sandbox, must, postgres_gid, postgres_uid};
use super::servers::{Servers, append};

/// One row, every value as text.
pub(crate) type Row = Vec<Option<String>>;

/// Anything that answers SQL.
pub(crate) trait Queries {
    /// A connection to one of its databases.
    fn client(&self, database: &str) -> Client;

    /// All rows of a query.
    fn rows(&self, database: &str, sql: &str) -> Vec<Row> {
        let messages = self
            .client(database)
            .simple_query(sql)
            .unwrap_or_else(|error| panic!("{database}: {sql}: {error:?}"));
        messages
            .into_iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
                }
                _ => None,
            })
            .collect()
    }

    /// The only value of a query's only row.
    fn value(&self, database: &str, sql: &str) -> String {
        let rows = self.rows(database, sql);
        match rows.as_slice() {
            [row] if row.len() == 1 => row[0].clone().unwrap_or_default(),
            _ => panic!("{sql}: one value expected, {} rows came", rows.len()),
        }
    }

    /// The first column of a query's rows, without nulls.
    fn column(&self, database: &str, sql: &str) -> Vec<String> {
        self.rows(database, sql).into_iter().filter_map(|row| row.into_iter().next()?).collect()
    }

    /// Statements without result.
    fn exec(&self, database: &str, sql: &str) {
        self.client(database)
            .batch_execute(sql)
            .unwrap_or_else(|error| panic!("{database}: {sql}: {error:?}"));
    }

    /// Databases that are not templates.
    fn databases(&self) -> Vec<String> {
        self.column(
            "postgres",
            "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1",
        )
    }
}

/// A data directory of the user `postgres`, and its server while it runs. Stopped when dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    servers: Servers,
    data: PathBuf,
    config: Option<PathBuf>,
    sockets: PathBuf,
    running: bool,
}

impl Cluster {
    /// A data directory that is there already.
    pub(crate) fn at(servers: Servers, sandbox: &Sandbox, name: &str, data: PathBuf) -> Cluster {
        let sockets = sandbox.postgres_dir(format!("{name}.s"));
        Cluster { servers, data, config: None, sockets, running: false }
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// What `--source` takes for the directory.
    pub(crate) fn source(&self) -> &str {
        self.data.to_str().expect("a path in UTF-8")
    }

    /// What `--source` takes for the running server, as key-value pairs.
    pub(crate) fn connection_string(&self) -> String {
        format!("host={} port=5432 user=postgres", self.sockets.display())
    }

    /// The same as a URL.
    pub(crate) fn connection_url(&self) -> String {
        let host = self.sockets.to_str().expect("a path in UTF-8").replace('/', "%2F");
        format!("postgres://postgres@{host}:5432/postgres")
    }

    /// Starts the server and waits until it answers.
    pub(crate) fn start(&mut self) {
        let log = self.sockets.join("startup.log");
        let mut options = format!("-k {}", self.sockets.display());
        if let Some(config) = &self.config {
            options += &format!(" -c config_file={}/postgresql.conf", config.display());
        }
        let mut command = self.servers.program("pg_ctl");
        command.args(["start", "-w", "-s", "-o", &options, "-l"]).arg(&log);
        command.arg("-D").arg(&self.data);
        let started = command.stdout(std::process::Stdio::null()).status().expect("pg_ctl");
        assert!(started.success(), "{}", fs::read_to_string(&log).unwrap_or_default());
        self.running = true;
    }

    /// A clean shutdown.
    pub(crate) fn stop(&mut self) {
        self.shut_down("fast");
    }

    /// An end without checkpoint: the next start has to recover.
    pub(crate) fn crash(&mut self) {
        self.shut_down("immediate");
    }

    fn shut_down(&mut self, mode: &str) {
        let mut command = self.servers.program("pg_ctl");
        must(command.args(["stop", "-w", "-s", "-m", mode, "-D"]).arg(&self.data));
        self.running = false;
    }

    /// True after a clean shutdown, by `ControlFileData.state`.
    pub(crate) fn was_shut_down(&self) -> bool {
        const DB_SHUTDOWNED: u8 = 1;
        let control = fs::read(self.data.join("global/pg_control")).expect("pg_control");
        control[16] == DB_SHUTDOWNED
    }

    /// `pg_basebackup` of the running server into a cluster of its own.
    pub(crate) fn base_backup(&self, sandbox: &Sandbox, name: &str) -> Cluster {
        let data = sandbox.postgres_dir(format!("{name}.d")).join("data");
        let mut command = self.servers.program("pg_basebackup");
        command.args(["-X", "stream", "-c", "fast", "--no-sync", "-d"]);
        must(command.arg(self.connection_string()).arg("-D").arg(&data));
        Cluster::at(self.servers.clone(), sandbox, name, data)
    }

    /// Makes it a standby. (What `pg_basebackup --write-recovery-conf` writes, older servers do not
    /// always read.)
    pub(crate) fn follow(&self, primary: &Cluster) {
        self.plant("standby.signal", b"");
        let line = format!("primary_conninfo = '{}'\n", primary.connection_string());
        append(&self.data.join("postgresql.auto.conf"), &line);
    }

    /// Debian's layout: configuration outside the data directory.
    pub(crate) fn move_configuration_out(&mut self, sandbox: &Sandbox) {
        let config = sandbox.postgres_dir("etc-postgresql");
        for file in ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"] {
            fs::rename(self.data.join(file), config.join(file)).expect("a move in one file system");
        }
        let settings = format!(
            "data_directory = '{data}'\nhba_file = '{config}/pg_hba.conf'\n\
             ident_file = '{config}/pg_ident.conf'\n",
            data = self.data.display(),
            config = config.display()
        );
        append(&config.join("postgresql.conf"), &settings);
        self.config = Some(config);
    }

    /// Puts a file of the server's owner into the data directory.
    pub(crate) fn plant(&self, relative: &str, bytes: &[u8]) {
        let path = self.data.join(relative);
        fs::write(&path, bytes).expect("a file in the data directory");
        chown(&path, Some(postgres_uid()), Some(postgres_gid())).expect("chown");
    }

    /// Puts a link into the data directory.
    pub(crate) fn plant_link(&self, relative: &str, target: &Path) {
        symlink(target, self.data.join(relative)).expect("a link in the data directory");
    }
}

impl Queries for Cluster {
    fn client(&self, database: &str) -> Client {
        Config::new()
            .host_path(&self.sockets)
            .port(5432)
            .user("postgres")
            .dbname(database)
            .connect(NoTls)
            .unwrap_or_else(|error| panic!("{}: {error:?}", self.data.display()))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.running {
            let mut command = self.servers.program("pg_ctl");
            command.args(["stop", "-w", "-s", "-m", "immediate", "-D"]).arg(&self.data);
            command.status().ok();
        }
    }
}
