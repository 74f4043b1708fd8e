//! A real server, and its catalog as thinveil reads it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use postgres::{Client, Config, NoTls};
use thinveil::cluster::catalog::{Catalog, read_cluster, read_database};

/// A server of this test's own: no TCP, socket in a temporary directory.
pub(crate) struct Server {
    bin: PathBuf,
    pub(crate) dir: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Server {
        let dir = tempfile::Builder::new().prefix("tv-plan-").tempdir().unwrap();
        if am_root() {
            let status = Command::new("chown").arg("postgres").arg(dir.path()).status().unwrap();
            assert!(status.success());
        }
        let server = Server { bin: newest_bin(), dir };
        let initdb = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale", "C", "-N"];
        server.run("initdb", &initdb);
        let options = format!(
            "-c listen_addresses='' -c fsync=off -c unix_socket_directories='{}'",
            server.dir.path().display()
        );
        server.run("pg_ctl", &["-w", "-l", &server.path("log"), "-o", &options, "start"]);
        server
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.bin.join(program);
        let mut command = if am_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        let status = command
            .args(["-D", &self.path("data")])
            .args(arguments)
            .current_dir(self.dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{}: {status}", program.display());
    }

    fn connect(&self, database: &str) -> Client {
        let mut config = Config::new();
        config.host_path(self.dir.path()).user("postgres").dbname(database);
        config.connect(NoTls).unwrap()
    }

    pub(crate) fn sql(&self, database: &str, statements: &str) {
        self.connect(database).batch_execute(statements).unwrap();
    }

    pub(crate) fn catalog(&self) -> Catalog {
        let cluster = read_cluster(&mut self.connect("postgres")).unwrap();
        let open = cluster.databases.iter().filter(|database| database.allows_connections);
        let databases =
            open.map(|info| read_database(&mut self.connect(&info.name), info).unwrap()).collect();
        Catalog { cluster, databases }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run("pg_ctl", &["-w", "-m", "immediate", "stop"]);
    }
}

fn am_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn newest_bin() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL's server programs are in /usr/lib/postgresql/MAJOR/bin")
        .map(|entry| entry.unwrap().path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("a PostgreSQL server is installed")
}
