//! Pools with real clusters, servers and mounts. Needs root and PostgreSQL 15.

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
use crate::storage::{Root, Watch};

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
        let home = tempfile::Builder::new().prefix("thinveil-src-").tempdir_in("/tmp").unwrap();
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
            "create role app login password 'x'",
            "alter role \"boss y\" set search_path = nowhere",
            "alter role \"boss y\" set default_transaction_read_only = on",
            "alter system set archive_command = 'false'",
            "select pg_create_logical_replication_slot('slot', 'test_decoding')",
        ] {
            // Output plugins may not be installed; the slot is a bonus.
            let done = client.batch_execute(sql);
            assert!(done.is_ok() || sql.contains("slot"), "{sql}");
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

/// A directory for a pool, on a file system for the driver.
struct Home {
    dir: PathBuf,
    mounted: bool,
    _home: tempfile::TempDir,
}

impl Home {
    fn new(kind: DriverKind) -> Home {
        let home = tempfile::Builder::new().prefix("thinveil-pool-").tempdir_in("/tmp").unwrap();
        run(Command::new("chmod").arg("755").arg(home.path()));
        let dir = home.path().join("mnt");
        fs::create_dir(&dir).unwrap();
        let mounted = kind == DriverKind::Reflink;
        if mounted {
            let image = home.path().join("image");
            fs::File::create(&image).unwrap().set_len(4 << 30).unwrap();
            run(Command::new("mkfs.xfs").args(["-q", "-m", "reflink=1"]).arg(&image));
            run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&dir));
        }
        Home { dir, mounted, _home: home }
    }

    fn pool(&self) -> PathBuf {
        self.dir.join("pool")
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
        if self.mounted {
            run(Command::new("umount").arg(&self.dir));
        }
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
    let ingested =
        staging.driver().ingest(&roots, &staging.volume(), &Watch::silent(&cancel)).unwrap();
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
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let first = 16000 + blake3::hash(name.as_bytes()).as_bytes()[0] as u16 * 20;
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

/// The way of a snapshot and its clones, on one driver.
fn lives(kind: DriverKind) {
    let source = Source::get();
    let home = Home::new(kind);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Only(kind)).unwrap();
    let staging = stage(&pool, source.path());

    let name = superuser_names(&staging.data_dir()).unwrap().remove(0);
    assert_eq!(name, "boss y");
    let server = PrivateServer::start(options(&staging, &name)).unwrap();
    assert_ne!(server.confinement(), Confinement::None);
    let mut client = server.connect("postgres").unwrap();
    let path: String = client.query_one("show search_path", &[]).unwrap().get(0);
    assert_eq!(path, "pg_catalog", "settings of roles do not count");
    client.batch_execute("update public.t set note = 'masked'").unwrap();
    let outside = source.path().join("data/PG_VERSION");
    for sql in [
        format!("select pg_read_file('{}')", outside.display()),
        "copy public.t to program 'cat > /tmp/thinveil-escaped'".to_owned(),
        format!("copy public.t to '{}'", source.path().join("written").display()),
    ] {
        assert!(client.batch_execute(&sql).is_err(), "reached out of the volume: {sql}");
    }
    let id: i32 = client.query_one("select id from public.in_space", &[]).unwrap().get(0);
    assert_eq!(id, 42);
    drop(client);
    server.stop().unwrap();
    assert!(!staging.private_dir().exists());
    assert!(find_postmaster(&staging.data_dir()).unwrap().is_none());

    let snapshot = staging.seal(manifest("first", &name)).unwrap();
    assert_eq!(subdirs(&pool.staging_dir()).unwrap().len(), 0);
    assert_eq!(pool.snapshot("first").unwrap().id(), snapshot.id());

    let one = snapshot.create_clone(request("one")).unwrap();
    assert!(one.password.is_none());
    let one = one.clone;
    let two = snapshot.create_clone(request("two")).unwrap().clone;
    eprintln!("{kind}: ready in {:?} and {:?} ms", one.record.ready_ms, two.record.ready_ms);
    assert_ne!(one.record.port, two.record.port);
    assert_eq!(query(&one, "select count(*)::text || min(note) from t"), "5000masked");
    assert_eq!(query(&one, "select id::text from in_space"), "42");
    assert_eq!(query(&one, "show work_mem"), "7MB");
    assert_eq!(query(&one, "show archive_mode"), "off");
    assert_eq!(query(&one, "show archive_command"), "(disabled)");
    assert_eq!(query(&one, "show fsync"), "on");

    // Passwords only, and the right one.
    assert!(connect(&one, "de'v \"1", "wrong").is_err());
    assert!(connect(&one, "app", "").is_err());
    // Not even a superuser gets out of its clone.
    let mut client = connect(&one, "de'v \"1", "pass\u{a0}wörd").unwrap();
    for path in [outside, two.data_dir().join("PG_VERSION"), snapshot.data_dir().join("PG_VERSION")]
    {
        let sql = format!("select pg_read_file('{}')", path.display());
        assert!(client.batch_execute(&sql).is_err(), "{sql}");
    }
    client.batch_execute("delete from t; insert into in_space values (1)").unwrap();
    client.batch_execute("alter system set work_mem = '9MB'").unwrap();
    drop(client);
    assert_eq!(query(&two, "select count(*)::text from t"), "5000");

    // Names and ports are taken.
    assert!(matches!(snapshot.create_clone(request("one")), Err(Error::Busy { .. })));
    let mut same_port = request("three");
    same_port.ports = PortRange::from(one.record.port);
    let error = snapshot.create_clone(same_port.clone()).unwrap_err();
    assert!(error.to_string().contains("belongs to clone one"), "{error}");
    assert!(matches!(pool.destroy_snapshot("first"), Err(Error::Busy { .. })));

    // A stopped clone keeps its port, and comes back with what was written.
    let stopped = one.stop().unwrap();
    assert_eq!(stopped.state().unwrap(), CloneState::Stopped);
    assert!(snapshot.create_clone(same_port).is_err());
    let one = stopped.start().unwrap();
    assert_eq!(query(&one, "select count(*)::text from t"), "0");

    // Reset: the snapshot's state, the same password.
    let one = one.reset(None, &Cancel::new()).unwrap();
    assert_eq!(query(&one, "select count(*)::text from t"), "5000");
    assert_eq!(query(&one, "show work_mem"), "7MB");
    assert_eq!(subdirs(&one.dir).unwrap(), ["gen-2", "run"]);

    // A reset that is stopped half-way leaves the clone as it was, running.
    let mut client = connect(&one, "de'v \"1", "pass\u{a0}wörd").unwrap();
    client.batch_execute("delete from t where id > 10").unwrap();
    drop(client);
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(one.reset(None, &cancel).is_err());
    assert_eq!(query(&one, "select count(*)::text from t"), "10");
    assert_eq!(subdirs(&one.dir).unwrap(), ["gen-2", "run"]);

    // No secret anywhere in the clone's own files.
    for file in ["clone.json", "postgresql.conf", "pg_hba.conf", "server.log"] {
        let text = fs::read_to_string(one.dir.join(file)).unwrap();
        assert!(!text.contains("SCRAM") && !text.contains("pass\u{a0}"), "{file}");
    }

    // A crash of the clone's server is not the end of the clone.
    let server = find_postmaster(&two.data_dir()).unwrap().unwrap();
    let mut kill = Command::new("kill");
    run(kill.arg("-9").arg(server.pid().to_string()));
    while is_alive(server.pid()) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let two = two.start().unwrap();
    assert_eq!(query(&two, "select count(*)::text from t"), "5000");

    one.destroy().unwrap();
    two.destroy().unwrap();
    assert!(matches!(pool.find_clone("one"), Err(Error::NotFound { .. })));
    assert!(Pool::open(&home.pool()).unwrap().recovered().is_empty());
    pool.destroy_snapshot("first").unwrap();
    assert!(pool.verify_audit_log().unwrap().entries > 8);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&format!("{}/", home.pool().display())), "{mounts}");
}

#[test]
fn snapshots_and_clones_live_on_reflink() {
    if is_root() {
        lives(DriverKind::Reflink);
    }
}

#[test]
fn snapshots_and_clones_live_on_overlay() {
    if is_root() {
        lives(DriverKind::Overlay);
    }
}

#[test]
fn snapshots_and_clones_live_on_copy() {
    if is_root() {
        lives(DriverKind::Copy);
    }
}

#[test]
fn a_dropped_staging_leaves_nothing() {
    if !is_root() {
        return;
    }
    let source = Source::get();
    let home = Home::new(DriverKind::Copy);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Copy)).unwrap();
    let staging = stage(&pool, source.path());
    let server = PrivateServer::start(options(&staging, "boss y")).unwrap();
    let pid = find_postmaster(&staging.data_dir()).unwrap().unwrap().pid();
    drop(server);
    drop(staging);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(fs::read_dir(pool.staging_dir()).unwrap().count(), 0);
}

#[test]
fn what_a_killed_process_leaves_is_gone_after_the_next_open() {
    if !is_root() {
        return;
    }
    let source = Source::get();
    let home = Home::new(DriverKind::Overlay);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Overlay)).unwrap();
    let snapshot = stage(&pool, source.path()).seal(manifest("base", "boss y")).unwrap();

    // A staging whose maker died while its server ran: nobody holds the lock, nobody drops.
    let staging = stage(&pool, source.path());
    let server = PrivateServer::start(options(&staging, "boss y")).unwrap();
    let pid = find_postmaster(&staging.data_dir()).unwrap().unwrap().pid();
    let dir = staging.volume().parent().unwrap().to_path_buf();
    assert!(Pool::open(&home.pool()).unwrap().recovered().is_empty(), "a living one is left alone");
    fs::remove_file(dir.join("lock")).unwrap();
    std::mem::forget(server);
    std::mem::forget(staging);

    // A clone whose maker died after its server started; one with a half-made next generation.
    let half = snapshot.create_clone(request("half")).unwrap().clone;
    let mut record = half.record.clone();
    record.phase = Phase::Creating;
    record::write(&half.dir.join("clone.json"), &record).unwrap();
    let kept = snapshot.create_clone(request("kept")).unwrap().clone;
    fs::create_dir_all(kept.dir.join("gen-2")).unwrap();
    pool.driver
        .clone_volume(
            &snapshot.volume(),
            &kept.dir.join("gen-2/volume"),
            &Watch::silent(&Cancel::new()),
        )
        .unwrap();
    // And one that a reboot unmounted.
    let away = snapshot.create_clone(request("away")).unwrap().clone.stop().unwrap();
    pool.driver.detach(&away.volume()).unwrap();

    let recovered = Pool::open(&home.pool()).unwrap().recovered().clone();
    assert_eq!(recovered.staging_removed.len(), 1, "{recovered:?}");
    assert_eq!(recovered.clones_removed, [half.id()]);
    assert_eq!(recovered.clones_tidied, [kept.id()]);
    assert_eq!(recovered.attached, [away.id()]);
    assert!(recovered.problems.is_empty(), "{recovered:?}");
    assert!(!is_alive(pid));
    assert!(!dir.exists());
    assert_eq!(query(&kept, "select count(*)::text from t"), "5000");
    assert_eq!(query(&away.start().unwrap(), "select count(*)::text from t"), "5000");
    assert!(Pool::open(&home.pool()).unwrap().recovered().is_empty());
}

fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| !text.contains(") Z "))
}

#[test]
fn many_callers_at_once_get_ports_and_names_of_their_own() {
    if !is_root() {
        return;
    }
    let source = Source::get();
    let home = Home::new(DriverKind::Overlay);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Auto).unwrap();
    let snapshot = stage(&pool, source.path()).seal(manifest("base", "boss y")).unwrap();
    let ports: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let snapshot = &snapshot;
                scope.spawn(move || {
                    let request = request(&format!("c{number}"));
                    snapshot.create_clone(request).unwrap().clone.record.port
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let distinct: std::collections::HashSet<&u16> = ports.iter().collect();
    assert_eq!(distinct.len(), 4, "{ports:?}");
}

#[test]
fn a_drawn_password_works_and_a_failed_server_says_why() {
    if !is_root() {
        return;
    }
    let source = Source::get();
    let home = Home::new(DriverKind::Copy);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Copy)).unwrap();
    let snapshot = stage(&pool, source.path()).seal(manifest("base", "boss y")).unwrap();
    let plain = CloneRequest { ports: ports(), ..CloneRequest::default() };
    let made = snapshot.create_clone(plain.clone()).unwrap();
    let password = made.password.as_ref().unwrap();
    assert!(connect(&made.clone, "thinveil", password).is_ok());
    assert!(!format!("{made:?}").contains(password.as_str()));

    let bad = CloneRequest {
        settings: vec![("work_mem".to_owned(), "nonsense".to_owned())],
        ..plain.clone()
    };
    let error = snapshot.create_clone(bad).unwrap_err().to_string();
    assert!(error.contains("work_mem"), "{error}");
    let outside = CloneRequest { listen: vec!["0.0.0.0".parse().unwrap()], ..plain };
    assert!(matches!(snapshot.create_clone(outside), Err(Error::Invalid { .. })));
    assert_eq!(pool.clones().unwrap().len(), 1);
    assert_eq!(fs::read_dir(pool.clones_dir()).unwrap().count(), 1);
}

#[test]
fn single_user_statements_do_not_reach_the_argument_list_or_stop_at_an_error() {
    if !is_root() {
        return;
    }
    let source = Source::get();
    let home = Home::new(DriverKind::Copy);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Copy)).unwrap();
    let staging = stage(&pool, source.path());
    crate::cluster::server::neutralize(&staging.data_dir()).unwrap();
    let (binaries, data_dir, volume) = (binaries(), staging.data_dir(), staging.volume());
    let session =
        SingleUser { binaries: &binaries, data_dir: &data_dir, volume: &volume, settings: vec![] };
    let statement = |text: &str| Zeroizing::new(text.to_owned());
    let printed = session
        .run("postgres", &[statement("select nonsense"), statement("select 'a\"b' as\n x")])
        .unwrap();
    assert!(printed.error().unwrap().contains("nonsense"));
    assert_eq!(printed.values("x").first().unwrap().as_str(), "a\"b");
    assert!(session.run("no_such_database", &[]).is_err());
}
