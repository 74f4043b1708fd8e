//! From staging to the last clone's end, on every driver.

use super::*;

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

    let snapshot = staging.seal(manifest("first", &name), None, &Cancel::new()).unwrap();
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
#[cfg(feature = "zfs")]
#[ignore = "needs a kernel with ZFS: make test-zfs"]
fn snapshots_and_clones_live_on_zfs() {
    lives(DriverKind::Zfs);
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
