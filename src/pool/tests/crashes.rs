//! What is left of what was dropped, or killed.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use super::super::lock::Lock;
use super::super::{make_dir, thin_clone};
use super::*;

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
fn who_comes_while_a_server_goes_down_is_told_why() {
    if !is_root() {
        return;
    }
    let source = Source::get();
    let home = Home::new(DriverKind::Copy);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Copy)).unwrap();
    let staging = stage(&pool, source.path());
    let server = PrivateServer::start(options(&staging, "boss y")).unwrap();
    let mut sessions = [(); 2].map(|()| server.connect("postgres").unwrap());
    let [stopped, killed] = sessions.each_mut().map(|session| {
        let row = session.query_one("select pg_backend_pid()", &[]).unwrap();
        Pid::from_raw(row.get(0)).unwrap()
    });
    // The postmaster waits for its children; one that can't end holds it in between.
    kill_process(stopped, Signal::STOP).unwrap();
    kill_process(killed, Signal::KILL).unwrap();
    let not_now =
        |error: &Error| matches!(error, Error::Sql { sqlstate, .. } if sqlstate == "57P03");
    let error = (0..1000)
        .filter_map(|_| server.connect("postgres").err())
        .find(not_now)
        .expect("a postmaster that waits for its children");
    let text = server.explain(error).to_string();
    assert!(text.contains("terminated by signal 9"), "{text}");
}

#[test]
fn clones_that_go_while_others_open_the_pool_are_nobodys_error() {
    let home = Home::new(DriverKind::Copy);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Copy)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let problems = Pool::open(&home.pool()).unwrap().recovered().problems.clone();
                    assert_eq!(problems, Vec::<String>::new());
                }
            });
        }
        for number in 0..1000 {
            let dir = pool.clones_dir().join(format!("c-{number}"));
            let lock = {
                let _guard = pool.lock().unwrap();
                make_dir(&dir).unwrap();
                Lock::wait(&dir.join("lock"), "the clone").unwrap()
            };
            thin_clone::sweep(pool.driver.as_ref(), &dir).unwrap();
            drop(lock);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_dir(pool.clones_dir()).unwrap().count(), 0);
}

#[test]
fn what_a_killed_process_leaves_is_gone_after_the_next_open() {
    if !is_root() {
        return;
    }
    let source = Source::get();
    let home = Home::new(DriverKind::Overlay);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Overlay)).unwrap();
    let snapshot =
        stage(&pool, source.path()).seal(manifest("base", "boss y"), None, &Cancel::new()).unwrap();

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

#[test]
fn what_the_log_can_not_tell_of_does_not_come_to_be() {
    if !is_root() {
        return;
    }
    let source = Source::get();
    let home = Home::new(DriverKind::Overlay);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Overlay)).unwrap();
    let (log, away) = (home.pool().join("audit.log"), home.pool().join("audit.away"));
    let without_log = |work: &dyn Fn()| {
        fs::rename(&log, &away).unwrap();
        fs::create_dir(&log).unwrap();
        work();
        fs::remove_dir(&log).unwrap();
        fs::rename(&away, &log).unwrap();
    };
    without_log(&|| {
        let staging = stage(&pool, source.path());
        assert!(staging.seal(manifest("base", "boss y"), None, &Cancel::new()).is_err());
        assert_eq!(pool.snapshots().unwrap().len(), 0);
    });
    for dir in [pool.snapshots_dir(), pool.staging_dir()] {
        assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
    }

    // The name is free again.
    let snapshot =
        stage(&pool, source.path()).seal(manifest("base", "boss y"), None, &Cancel::new()).unwrap();
    without_log(&|| assert!(snapshot.create_clone(request("gone")).is_err()));
    assert_eq!(fs::read_dir(pool.clones_dir()).unwrap().count(), 0);

    let clone = snapshot.create_clone(request("kept")).unwrap().clone;
    let mut client = connect(&clone, "de'v \"1", "pass\u{a0}wörd").unwrap();
    client.batch_execute("delete from t").unwrap();
    drop(client);
    without_log(&|| assert!(clone.reset(None, &Cancel::new()).is_err()));
    assert_eq!(query(&clone, "select count(*)::text from t"), "0", "it was not reset, and runs");
    without_log(&|| assert!(clone.clone().destroy().is_err()));
    assert_eq!(query(&clone, "select count(*)::text from t"), "0");
    assert!(Pool::open(&home.pool()).unwrap().recovered().is_empty());
    assert!(pool.verify_audit_log().is_ok());
}
