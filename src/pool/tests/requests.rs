//! What callers ask for, and what they can't have.

use super::*;

#[test]
fn many_callers_at_once_get_ports_and_names_of_their_own() {
    if !is_root() {
        return;
    }
    let source = Source::get();
    let home = Home::new(DriverKind::Overlay);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Auto).unwrap();
    let snapshot =
        stage(&pool, source.path()).seal(manifest("base", "boss y"), None, &Cancel::new()).unwrap();
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
    let snapshot =
        stage(&pool, source.path()).seal(manifest("base", "boss y"), None, &Cancel::new()).unwrap();
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
