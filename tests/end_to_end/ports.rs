//! Ports: taken by others, searched, and lost to somebody faster.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clones::small;
use crate::common::{Pool, Queries, Sandbox, Snapshot};

#[test]
fn a_taken_port_is_busy_and_a_range_is_searched() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let first: u16 = pool.ports().split("..").next().unwrap().parse().unwrap();
    let clone = pool.clone_of(&snapshot.id, &["--port", &first.to_string()]);
    assert_eq!(clone.port(), first);
    let create =
        |port: &str| pool.run(&["clone", "create", "--snapshot", &snapshot.id, "--port", port]);
    let outcome = create(&first.to_string()).expect_code(5);
    assert!(outcome.text().contains(&first.to_string()), "{outcome:?}");
    let stranger = TcpListener::bind(("127.0.0.1", first + 1)).unwrap();
    create(&(first + 1).to_string()).expect_code(5);
    assert_eq!(pool.ids("clone").len(), 1);
    let next = pool.clone_of(&snapshot.id, &["--ports", &format!("{first}..{}", first + 3)]);
    assert_eq!(next.port(), first + 2);
    let full = format!("{first}..{}", first + 1);
    pool.run(&["clone", "create", "--snapshot", &snapshot.id, "--ports", &full]).expect_code(5);
    drop(stranger);
    // A stopped clone's port stays its own.
    pool.json(&["clone", "stop", &clone.id]);
    create(&first.to_string()).expect_code(5);
    assert_eq!(pool.entries("clones").len(), 2);
}

#[test]
fn callers_at_the_same_time_get_ports_of_their_own() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let children: Vec<_> = (0..4)
        .map(|_| pool.command(&["clone", "create", "--snapshot", &snapshot.id]).spawn().unwrap())
        .collect();
    let mut ports = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let port = json["port"].as_u64().unwrap();
        assert!((6000..6100).contains(&port), "{port}");
        ports.push(port);
    }
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 4, "{ports:?}");
    assert_eq!(pool.ids("clone").len(), 4);
}

/// Makes a clone, and takes its port from it as soon as `file` appears in the clone's directory.
/// True if the port was still to be had. However that went, the clone has to work.
fn takes_the_port_once(file: &str, pool: &Pool, snapshot: &Snapshot) -> bool {
    let clones = pool.dir().join("clones");
    let before = pool.entries("clones");
    let ended = AtomicBool::new(false);
    let (clone, stranger) = std::thread::scope(|scope| {
        let thief = scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let new = pool.entries("clones").into_iter().find(|id| !before.contains(id));
                let Some(dir) = new.map(|id| clones.join(id)) else { continue };
                if !dir.join(file).exists() {
                    continue;
                }
                // The record is replaced by rename: it is there whole.
                if let Some(port) = recorded_port(&dir) {
                    return TcpListener::bind(("127.0.0.1", port)).ok();
                }
            }
            None
        });
        let clone = pool.clone_of(&snapshot.id, &[]);
        ended.store(true, Ordering::Relaxed);
        (clone, thief.join().unwrap())
    });
    if let Some(stranger) = &stranger {
        assert_ne!(stranger.local_addr().unwrap().port(), clone.port());
    }
    assert_eq!(clone.value("postgres", "SELECT count(*) FROM people"), "1000");
    let shown = pool.json(&["clone", "show", &clone.id]);
    assert_eq!(shown["port"], clone.port());
    assert_eq!(recorded_port(&clones.join(&clone.id)), Some(clone.port()));
    pool.json(&["clone", "destroy", &clone.id]);
    stranger.is_some()
}

fn recorded_port(dir: &Path) -> Option<u16> {
    let record: PathBuf = dir.join("clone.json");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(record).ok()?).ok()?;
    json["port"].as_u64()?.try_into().ok()
}

#[test]
fn a_port_taken_between_the_choice_and_the_start_is_given_up_for_another() {
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    // The record is written when the port is chosen, the configuration when it was looked at again,
    // a moment before the server's own bind: that race is not won every time.
    for file in ["clone.json", "postgresql.conf"] {
        let won = (0..20).any(|_| takes_the_port_once(file, &pool, &snapshot));
        assert!(won, "nobody was faster than the server after {file}");
    }
    assert_eq!(pool.entries("clones"), Vec::<String>::new());
}
