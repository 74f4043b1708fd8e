//! PostgreSQL's own programs, and clusters made once and copied from then on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use super::cluster::{Cluster, Queries};
use super::sandbox::{Sandbox, as_postgres, copy_tree, must};

const SHOP_SQL: &str = include_str!("../data/shop.sql");
const ARCHIVE_SQL: &str = include_str!("../data/archive.sql");

/// What production might have set, and what tests need: `fsync` off for speed, `autovacuum` off so
/// that dead rows stay, statements logged so that logs hold originals.
const SETTINGS: &str = "
fsync = off
autovacuum = off
listen_addresses = ''
shared_buffers = 32MB
max_connections = 20
wal_level = replica
archive_mode = on
archive_command = '/bin/true'
logging_collector = on
log_directory = 'log'
log_statement = all
";

/// The directory of one major's programs.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    bin: PathBuf,
}

impl Servers {
    /// Debian's.
    pub(crate) fn debian() -> Servers {
        Servers { bin: PathBuf::from("/usr/lib/postgresql/15/bin") }
    }

    /// Another major's, from npm, cached under `target/postgres`, or where the `postgres` user may
    /// go if a checkout is out of its reach.
    pub(crate) fn npm(major: u16) -> Servers {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let in_reach = root.ancestors().all(|dir| {
            std::fs::metadata(dir).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
        });
        let cache = match in_reach {
            true => root.join("target/postgres"),
            false => PathBuf::from("/var/tmp/thinveil-postgres"),
        };
        let dir = cache.join(major.to_string());
        must(Command::new(root.join("tools/postgres-npm")).arg(major.to_string()).arg(&dir));
        Servers { bin: dir.join("bin") }
    }

    pub(crate) fn bin(&self) -> &Path {
        &self.bin
    }

    /// One of the programs, run as `postgres`.
    pub(crate) fn program(&self, name: &str) -> Command {
        as_postgres(self.bin.join(name))
    }

    /// `initdb`, with the tests' settings.
    pub(crate) fn init(&self, sandbox: &Sandbox, name: &str, arguments: &[&str]) -> Cluster {
        let parent = sandbox.postgres_dir(format!("{name}.d"));
        let data = parent.join("data");
        must(
            self.program("initdb")
                .args(["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"])
                .arg(&data)
                .args(arguments),
        );
        append(&data.join("postgresql.conf"), SETTINGS);
        Cluster::at(self.clone(), sandbox, name, data)
    }
}

/// Appends to a file.
pub(crate) fn append(path: &Path, text: &str) {
    use std::io::Write as _;

    let mut file = fs::OpenOptions::new().append(true).open(path).expect("a file to append to");
    file.write_all(text.as_bytes()).expect("a write");
}

/// Clusters that are made once per checkout, kept in Cargo's directory for test data, and copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// No user table.
    Empty,
    /// `tests/data/shop.sql`, and residue of every kind around it.
    Shop,
    /// The same with data checksums.
    ShopWithChecksums,
}

impl Base {
    /// A stopped copy in the sandbox.
    pub(crate) fn copy(self, sandbox: &Sandbox, name: &str) -> Cluster {
        self.copy_into(sandbox, name, &sandbox.postgres_dir(format!("{name}.d")))
    }

    /// A stopped copy as `data` in a directory below the sandbox.
    pub(crate) fn copy_into(self, sandbox: &Sandbox, name: &str, parent: &Path) -> Cluster {
        let data = parent.join("data");
        copy_tree(&self.built(), &data);
        Cluster::at(Servers::debian(), sandbox, name, data)
    }

    fn built(self) -> PathBuf {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.find_or_build()
    }

    fn find_or_build(self) -> PathBuf {
        let version = must(Servers::debian().program("postgres").arg("--version"));
        let recipe = [&version, SETTINGS, SHOP_SQL, ARCHIVE_SQL, include_str!("servers.rs")];
        let digest = blake3::hash(recipe.concat().as_bytes()).to_hex();
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = scratch.join(format!("base-{self:?}-{}", &digest[..16]));
        if path.exists() {
            return path;
        }
        let sandbox = Sandbox::new();
        let cluster = self.build(&sandbox);
        let partial = scratch.join(format!("base-{self:?}-{}", std::process::id()));
        copy_tree(cluster.data(), &partial);
        // Another process may have been faster: its copy is as good.
        if fs::rename(&partial, &path).is_err() {
            fs::remove_dir_all(&partial).ok();
        }
        path
    }

    fn build(self, sandbox: &Sandbox) -> Cluster {
        match self {
            Base::Empty => Servers::debian().init(sandbox, "base", &[]),
            Base::Shop => build_shop(sandbox),
            Base::ShopWithChecksums => {
                let data = sandbox.postgres_dir("sums.d").join("data");
                copy_tree(&Base::Shop.find_or_build(), &data);
                let servers = Servers::debian();
                must(servers.program("pg_checksums").args(["--enable", "-N", "-D"]).arg(&data));
                Cluster::at(servers, sandbox, "sums", data)
            }
        }
    }
}

fn build_shop(sandbox: &Sandbox) -> Cluster {
    let mut cluster = Servers::debian().init(sandbox, "base", &[]);
    append(
        &cluster.data().join("postgresql.conf"),
        "shared_preload_libraries = 'pg_stat_statements'\n",
    );
    cluster.start();
    cluster.exec("postgres", "CREATE DATABASE shop");
    cluster.exec("postgres", "CREATE DATABASE archive");
    cluster.exec("archive", ARCHIVE_SQL);
    for statement in SHOP_SQL.split("\n--\n") {
        cluster.exec("shop", statement);
    }
    // relpages must be current, or ANALYZE in a clone would rightly find other numbers.
    cluster.exec("shop", "ANALYZE");
    cluster.exec("archive", "ANALYZE");
    cluster.stop();
    cluster
}
