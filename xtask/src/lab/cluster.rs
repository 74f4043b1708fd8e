//! Throwaway PostgreSQL clusters, reached by a socket in a private directory and by nothing else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use postgres::{Client, NoTls};

use super::{Owner, Undo, UndoGuard, run};

/// A cluster. Stopped, but not deleted, when dropped.
pub struct Cluster {
    owner: Owner,
    programs: PathBuf,
    data: PathBuf,
    sockets: PathBuf,
    undo: Undo,
    running: Option<UndoGuard>,
}

/// How a server is run this time; nothing of it stays in the cluster.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    settings: Vec<(&'static str, String)>,
}

impl ClusterOptions {
    /// As it would run in production, with no setting changed.
    pub fn plain() -> ClusterOptions {
        ClusterOptions::default()
    }

    /// For writing much, fast, with no regard to a crash of the machine.
    pub fn bulk_load() -> ClusterOptions {
        ClusterOptions::plain()
            .set("fsync", "off")
            .set("synchronous_commit", "off")
            .set("full_page_writes", "off")
            .set("wal_level", "minimal")
            .set("max_wal_senders", "0")
            .set("max_wal_size", "16GB")
            .set("checkpoint_timeout", "1h")
            .set("shared_buffers", "1GB")
            .set("work_mem", "128MB")
            .set("maintenance_work_mem", "1GB")
            .set("autovacuum", "off")
            .set("jit", "off")
    }

    /// Adds a setting.
    pub fn set(mut self, name: &'static str, value: impl Into<String>) -> ClusterOptions {
        self.settings.push((name, value.into()));
        self
    }
}

impl Cluster {
    /// `initdb` in a new directory, with data checksums.
    pub fn create(owner: Owner, data: &Path, undo: &Undo) -> Result<Cluster> {
        let cluster = Cluster::open(owner, data, undo)?;
        owner.private_directory(data)?;
        let mut initdb = owner.command(cluster.programs.join("initdb"));
        initdb.args(["--data-checksums", "--no-sync", "--auth=trust", "--username=postgres"]);
        initdb.args(["--encoding=UTF8", "--locale=C.UTF-8", "--pgdata"]).arg(data);
        run(&mut initdb)?;
        Ok(cluster)
    }

    /// A cluster that is there already, stopped.
    pub fn open(owner: Owner, data: &Path, undo: &Undo) -> Result<Cluster> {
        let sockets = data.with_extension("sockets");
        owner.private_directory(&sockets)?;
        Ok(Cluster {
            owner,
            programs: programs()?,
            data: data.to_path_buf(),
            sockets,
            undo: undo.clone(),
            running: None,
        })
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where the server's socket is.
    pub fn sockets(&self) -> &Path {
        &self.sockets
    }

    /// A client program of PostgreSQL's that talks to the server as the superuser.
    pub fn client(&self, program: &str) -> std::process::Command {
        let mut command = std::process::Command::new(self.programs.join(program));
        command.env("PGHOST", &self.sockets).env("PGUSER", "postgres");
        command
    }

    /// Starts the server and waits until it takes connections.
    pub fn start(&mut self, options: &ClusterOptions) -> Result<()> {
        let mut arguments = format!("-c listen_addresses='' -k {}", self.sockets.display());
        for (name, value) in &options.settings {
            arguments.push_str(&format!(" -c {name}={value}"));
        }
        let log = self.sockets.join("server.log");
        let mut start = self.pg_ctl();
        start.args(["--wait", "--timeout=60", "--log"]).arg(&log);
        start.arg("--options").arg(arguments).arg("start");
        // pg_ctl's child inherits its standard output: reading that to its end would never end.
        let status = start
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .context("run pg_ctl start")?;
        if !status.success() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            bail!("the server in {} did not start:\n{said}", self.data.display());
        }
        let mut stop = self.pg_ctl();
        stop.args(["--mode=immediate", "--silent", "stop"]);
        self.running = Some(self.undo.push(move || drop(run(&mut stop))));
        Ok(())
    }

    /// Stops the server cleanly.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(guard) = self.running.take() {
            run(self.pg_ctl().args(["--mode=fast", "--wait", "--timeout=300", "stop"]))?;
            Undo::forget(guard);
        }
        Ok(())
    }

    /// Connects as the superuser.
    pub fn connect(&self, database: &str) -> Result<Client> {
        postgres::Config::new()
            .host_path(&self.sockets)
            .user("postgres")
            .dbname(database)
            .connect_timeout(Duration::from_secs(10))
            .connect(NoTls)
            .with_context(|| format!("connect to {database} in {}", self.data.display()))
    }

    fn pg_ctl(&self) -> std::process::Command {
        let mut command = self.owner.command(self.programs.join("pg_ctl"));
        command.arg("--pgdata").arg(&self.data);
        command
    }
}

/// The directory of the newest server programs installed here, where Debian puts them.
fn programs() -> Result<PathBuf> {
    const PLACE: &str = "/usr/lib/postgresql";
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(PLACE).into_iter().flatten().flatten() {
        let programs = entry.path().join("bin");
        if let Ok(major) = entry.file_name().to_string_lossy().parse()
            && programs.join("initdb").exists()
        {
            found.push((major, programs));
        }
    }
    let newest = found.into_iter().max();
    newest.map(|(_, programs)| programs).with_context(|| {
        format!("no PostgreSQL server under {PLACE}: run tools/install-prerequisites")
    })
}
