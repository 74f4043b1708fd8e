//! Pools with real clusters, servers and mounts. Needs root and PostgreSQL 15.

mod branches;
mod crashes;
mod disk_faults;
mod failpoints;
mod lifecycle;
mod names;
mod random_runs;
mod recorded_disk;
mod requests;
mod segments;
mod spilling;
mod verbs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use postgres::{Client, NoTls};
use zeroize::Zeroizing;

use super::thin_clone::Phase;
use super::*;
use crate::cluster::binaries::Binaries;
use crate::cluster::sandbox::Confinement;
use crate::cluster::server::{Limits, PrivateServer, ServerOptions};
use crate::cluster::{SingleUser, find_postmaster, superuser_names};
use crate::ids::{Oid, PgMajor};
use crate::progress::Cancel;
use crate::storage::{Blocks, Root, Watch};

fn major() -> PgMajor {
    PgMajor::new(15).unwrap()
}

fn binaries() -> Binaries {
    Binaries::find(major(), None).unwrap()
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn as_postgres(program: &str) -> Command {
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(binaries().dir().join(program)).current_dir("/");
    command
}

/// A cluster with a tablespace and odd settings, shut down cleanly; shared by the tests that run at
/// the same time.
struct Source(tempfile::TempDir);

impl Source {
    fn get() -> Arc<Source> {
        static SOURCE: Mutex<Weak<Source>> = Mutex::new(Weak::new());
        let mut shared = SOURCE.lock().unwrap_or_else(|error| error.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let made = Arc::new(Source::make());
            *shared = Arc::downgrade(&made);
            made
        })
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn make() -> Source {
        let home = tempfile::Builder::new().prefix("thinveil-src-").tempdir().unwrap();
        run(Command::new("chown").arg("postgres:").arg(home.path()));
        let data = home.path().join("data");
        let space = home.path().join("space");
        fs::create_dir(&space).unwrap();
        run(Command::new("chown").arg("postgres:").arg(&space));
        run(as_postgres("initdb")
            .args(["--no-sync", "-k", "-A", "trust", "-U", "boss y", "-D"])
            .arg(&data));
        let conf = format!(
            "listen_addresses=''\nunix_socket_directories='{}'\nwork_mem=7MB\n\
                 max_replication_slots=4\nwal_level=logical\nsession_preload_libraries=''\n",
            home.path().display()
        );
        let path = data.join("postgresql.conf");
        fs::write(&path, fs::read_to_string(&path).unwrap() + &conf).unwrap();
        run(as_postgres("pg_ctl")
            .args(["-w", "-s", "-l", "/dev/null", "-D"])
            .arg(&data)
            .arg("start"));
        let mut client = postgres::Config::new()
            .host_path(home.path())
            .user("boss y")
            .dbname("postgres")
            .connect(NoTls)
            .unwrap();
        for sql in [
            "create table t as select g as id, 'secret ' || g as note from generate_series(1,5000) g",
            // Values out of line, some of several versions of a row, some of none.
            "create table long (id int, kept text, note text, packed text)",
            "alter table long alter note set storage external",
            "insert into long select g, case when g % 3 = 0 then d end, d, repeat(d, 2)
             from generate_series(1, 400) g, lateral (select string_agg(md5(g || '/' || i), ' ') d
             from generate_series(1, 150) i) as made",
            "update long set id = id + 1000 where id % 7 = 0",
            "delete from long where id % 11 = 0",
            // Rows that have no value of a column, and take one from the catalog.
            "create table grown (id int)",
            "insert into grown select generate_series(1, 100)",
            "alter table grown add word text default 'what all of them say'",
            "create role app login password 'x'",
            "alter role \"boss y\" set search_path = nowhere",
            "alter role \"boss y\" set default_transaction_read_only = on",
            "alter system set archive_command = 'false'",
            "select pg_create_logical_replication_slot('slot', 'pgoutput')",
        ] {
            client.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        client
            .batch_execute(&format!("create tablespace extra location '{}'", space.display()))
            .unwrap();
        client
            .batch_execute(
                "create table in_space (id int) tablespace extra; insert into in_space values (42)",
            )
            .unwrap();
        drop(client);
        run(as_postgres("pg_ctl").args(["-w", "-s", "-D"]).arg(&data).args(["-m", "fast", "stop"]));
        Source(home)
    }
}

/// A pool of ZFS, there as long as its [`Home`]. Tests that want one run alone.
const ZPOOL: &str = "thinveil-test";

/// A directory for a pool, on a file system for the driver.
struct Home {
    kind: DriverKind,
    dir: PathBuf,
    mounted: bool,
    _home: tempfile::TempDir,
}

impl Home {
    fn new(kind: DriverKind) -> Home {
        let home = tempfile::Builder::new().prefix("thinveil-pool-").tempdir().unwrap();
        run(Command::new("chmod").arg("755").arg(home.path()));
        let dir = home.path().join("mnt");
        fs::create_dir(&dir).unwrap();
        let mkfs: Option<&[&str]> = match kind {
            DriverKind::Reflink => Some(&["mkfs.xfs", "-q", "-m", "reflink=1"]),
            DriverKind::Btrfs => Some(&["mkfs.btrfs", "-q"]),
            _ => None,
        };
        let mounted = mkfs.is_some() || kind == DriverKind::Zfs;
        if let Some([program, options @ ..]) = mkfs {
            let image = home.path().join("image");
            fs::File::create(&image).unwrap().set_len(4 << 30).unwrap();
            run(Command::new(program).args(options).arg(&image));
            run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&dir));
        }
        if kind == DriverKind::Zfs {
            // Whatever `zpool` is in PATH would be driven otherwise.
            assert!(Path::new("/sys/module/zfs").exists(), "no ZFS in this kernel");
            let image = home.path().join("image");
            fs::File::create(&image).unwrap().set_len(4 << 30).unwrap();
            let mount_point = format!("mountpoint={}", dir.display());
            run(Command::new("zpool").args(["create", "-O", &mount_point, ZPOOL]).arg(&image));
        }
        Home { kind, dir, mounted, _home: home }
    }

    fn pool(&self) -> PathBuf {
        self.dir.join("pool")
    }

    fn unmount(&self) -> Command {
        let mut command = Command::new("umount");
        if self.kind == DriverKind::Zfs {
            command = Command::new("zpool");
            command.args(["destroy", ZPOOL]);
        } else {
            command.arg(&self.dir);
        }
        command
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Tests that fail leave servers and mounts: the pool's own sweeping takes them.
        if let Ok(pool) = Pool::open(&self.pool()) {
            for clone in pool.clones().unwrap_or_default() {
                let _ = clone.destroy();
            }
            for snapshot in pool.snapshots().unwrap_or_default() {
                let _ = pool.destroy_snapshot(snapshot.id());
            }
        }
        // Whatever was just ended, or looks at all processes, may still be letting go of it.
        let unmount = || {
            let output = self.unmount().output();
            output.is_ok_and(|output| output.status.success())
        };
        for _ in 0..100 {
            if !self.mounted || unmount() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        run(&mut self.unmount());
    }
}

/// Brings the source into a staging volume and makes its tablespace's link.
fn stage(pool: &Pool, source: &Path) -> Staging {
    let staging = pool.new_staging().unwrap();
    let cancel = Cancel::new();
    let mut roots = vec![Root::new(source.join("data"), "data")];
    let mut oids = Vec::new();
    if let Ok(links) = fs::read_dir(source.join("data/pg_tblspc")) {
        for link in links {
            let path = link.unwrap().path();
            let oid: u32 = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
            oids.push(Oid(oid));
            roots.push(Root::new(fs::read_link(path).unwrap(), format!("tablespaces/{oid}")));
        }
    }
    let ingested = staging
        .driver()
        .ingest(&roots, &staging.volume(), Blocks::Shared, &Watch::silent(&cancel))
        .unwrap();
    assert_eq!(ingested.links.len(), oids.len());
    staging.link_tablespaces(&oids).unwrap();
    staging
}

fn manifest(name: &str, superuser: &str) -> Manifest {
    let mut manifest = Manifest::new(name, "test", major());
    manifest.databases = vec!["postgres".to_owned()];
    manifest.superuser = superuser.to_owned();
    manifest.planner_settings =
        crate::cluster::config::planner_settings(&Source::get().path().join("data"));
    manifest
}

fn options(staging: &Staging, superuser: &str) -> ServerOptions {
    ServerOptions {
        binaries: binaries(),
        volume: staging.volume(),
        data_dir: staging.data_dir(),
        private_dir: staging.private_dir(),
        superuser: superuser.to_owned(),
        limits: Limits::default(),
        settings: Vec::new(),
        cancel: Cancel::new(),
    }
}

/// Each test has ports of its own: a pool knows nothing of another pool's stopped clones.
fn ports() -> PortRange {
    static TESTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let mut tests = TESTS.lock().unwrap_or_else(|error| error.into_inner());
    let number = tests.iter().position(|test| *test == name).unwrap_or_else(|| {
        tests.push(name);
        tests.len() - 1
    });
    let first = 16000 + number as u16 * 20;
    PortRange::new(first, first + 19).unwrap()
}

fn request(name: &str) -> CloneRequest {
    CloneRequest {
        name: Some(name.to_owned()),
        ports: ports(),
        user: "de'v \"1".to_owned(),
        password: Some(Zeroizing::new("pass\u{a0}wörd".to_owned())),
        ..CloneRequest::default()
    }
}

fn connect(clone: &ThinClone, user: &str, password: &str) -> Result<Client, postgres::Error> {
    let view = clone.view().unwrap();
    postgres::Config::new()
        .host(&view.host)
        .port(view.port)
        .user(user)
        .password(password)
        .dbname(&view.database)
        .connect_timeout(Duration::from_secs(5))
        .connect(NoTls)
}

fn query(clone: &ThinClone, sql: &str) -> String {
    let mut client = connect(clone, "de'v \"1", "pass\u{a0}wörd").unwrap();
    client.query_one(sql, &[]).unwrap().get(0)
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: needs root");
    }
    root
}

fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| !text.contains(") Z "))
}
