//! PostgreSQL's own programs, and clusters made once and copied from then on.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use super::cluster::{Cluster, Queries};
use super::sandbox::{Sandbox, as_postgres, copy_tree, must, postgres_uid};

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

/// The major that Debian 12 has.
const DEBIAN: u16 = 15;

/// The directory of one major's programs.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    major: u16,
    bin: PathBuf,
}

impl Servers {
    /// Debian's.
    pub(crate) fn debian() -> Servers {
        Servers { major: DEBIAN, bin: PathBuf::from(format!("/usr/lib/postgresql/{DEBIAN}/bin")) }
    }

    /// Those that tests run on: Debian's, or npm's of the major in `THINVEIL_TEST_MAJOR`.
    pub(crate) fn tested() -> Servers {
        static TESTED: LazyLock<Servers> = LazyLock::new(|| {
            std::env::var("THINVEIL_TEST_MAJOR").map_or_else(
                |_| Servers::debian(),
                |major| Servers::npm(major.parse().expect("THINVEIL_TEST_MAJOR: a number")),
            )
        });
        TESTED.clone()
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
        Servers { major, bin: dir.join("bin") }
    }

    pub(crate) fn major(&self) -> u16 {
        self.major
    }

    /// True if thinveil finds them by itself.
    pub(crate) fn are_debians(&self) -> bool {
        self.bin == Servers::debian().bin
    }

    /// True if `pg_checksums`, Debian's for npm's servers, reads their control file: that of 13 to 16.
    /// With others a server checks what `verify_heapam` makes it read.
    pub(crate) fn have_pg_checksums(&self) -> bool {
        self.major <= 16 || self.are_debians()
    }

    /// True if they compress with lz4: npm's are built without.
    pub(crate) fn have_lz4(&self) -> bool {
        self.are_debians()
    }

    /// True if `pg_basebackup` and `pg_dump` know these servers: npm has none, and Debian's know no
    /// newer ones. Says so if not.
    pub(crate) fn known_to_clients(&self) -> bool {
        let yes = self.major <= DEBIAN;
        if !yes {
            eprintln!("skipped: no pg_basebackup and pg_dump for PostgreSQL {}", self.major);
        }
        yes
    }

    pub(crate) fn bin(&self) -> &Path {
        &self.bin
    }

    /// One of the programs, run as `postgres`; Debian's where npm has none.
    pub(crate) fn program(&self, name: &str) -> Command {
        let own = self.bin.join(name);
        as_postgres(if own.exists() { own } else { Servers::debian().bin.join(name) })
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
        Cluster::at(Servers::tested(), sandbox, name, data)
    }

    fn built(self) -> PathBuf {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.find_or_build()
    }

    fn find_or_build(self) -> PathBuf {
        let version = must(Servers::tested().program("postgres").arg("--version"));
        let recipe = [&version, SETTINGS, SHOP_SQL, ARCHIVE_SQL, include_str!("servers.rs")];
        let digest = blake3::hash(recipe.concat().as_bytes()).to_hex();
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = scratch.join(format!("base-{self:?}-{}", &digest[..16]));
        match path.metadata() {
            Ok(meta) if meta.uid() == postgres_uid() => return path,
            // Copied by somebody who left the owners behind.
            Ok(_) => fs::remove_dir_all(&path).expect("a cached cluster is removed"),
            Err(_) => fs::create_dir_all(scratch).expect("a directory for clusters"),
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
            Base::Empty => Servers::tested().init(sandbox, "base", without_checksums()),
            Base::Shop => build_shop(sandbox, without_checksums()),
            Base::ShopWithChecksums => build_shop(sandbox, &["--data-checksums"]),
        }
    }
}

/// `initdb` makes them by itself since 18.
fn without_checksums() -> &'static [&'static str] {
    if Servers::tested().major() >= 18 { &["--no-data-checksums"] } else { &[] }
}

fn build_shop(sandbox: &Sandbox, arguments: &[&str]) -> Cluster {
    let mut cluster = Servers::tested().init(sandbox, "base", arguments);
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
