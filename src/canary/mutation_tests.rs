//! For each removal: without it alone, the leak audit refuses the snapshot.
//!
//! A removal is switched off for a whole process, so each run is a process of its own: this test
//! binary again, at this test again, with [`PLANTED`] set.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::{CanaryList, CheckJob, PlantJob};
use crate::cluster::binaries::Binaries;
use crate::cluster::server::{Limits, PrivateServer, ServerOptions};
use crate::error::Error;
use crate::ids::PgMajor;
use crate::mask::MaskKey;
use crate::pool::{Pool, SnapshotOptions, Source};
use crate::progress::Cancel;
use crate::removal::Removal;
use crate::rules::RuleSet;
use crate::storage::DriverChoice;

/// Where a process for one run finds a planted cluster, its rules and its list of canaries,
const PLANTED: &str = "THINVEIL_TEST_PLANTED";
/// and where it writes how the run ended.
const RESULT: &str = "THINVEIL_TEST_RESULT";
const RULES: &str = "version = 1
[databases.postgres]
large_objects = \"blank\"
[databases.postgres.tables.\"public.people\"]
id = \"keep\"
email = \"email\"
name = \"full_name\"
";

#[test]
fn the_audit_refuses_what_any_one_removal_would_have_left() {
    if let Some(home) = std::env::var_os(PLANTED) {
        let result = std::env::var_os(RESULT).unwrap();
        return fs::write(result, one_run(Path::new(&home))).unwrap();
    }
    let this = std::thread::current();
    let this = this.name().unwrap();
    let home = tempfile::Builder::new().prefix("thinveil-mut-").tempdir().unwrap();
    plant(home.path());
    assert_eq!(outcome(this, home.path(), None), "sealed, clean");
    let removals = Mutex::new(Removal::ALL.iter());
    let missed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(removal) = { removals.lock().unwrap().next() } {
                    let outcome = outcome(this, home.path(), Some(*removal));
                    if !outcome.starts_with("refused") || !outcome.contains(trace(*removal)) {
                        missed.lock().unwrap().push(format!("without {removal:?}: {outcome}"));
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What the refusal has to name.
fn trace(removal: Removal) -> &'static str {
    match removal {
        Removal::DeadRows | Removal::DroppedColumns => "thinveil_canary.rows",
        Removal::PageHoles => "thinveil_canary.holes",
        Removal::MissingValues => "pg_attribute",
        Removal::Toast => "thinveil_canary.long",
        Removal::OrphanedToast => "pg_toast",
        Removal::Maps => "_fsm",
        Removal::Indexes => "rows_btree_d1",
        Removal::MaterializedViews => "thinveil_canary.derived",
        Removal::Statistics => "pg_statistic",
        Removal::Credentials => "pg_subscription",
        Removal::FreeText => "pg_description",
        Removal::DeadCatalogRows => "pg_proc",
        Removal::Files => "server.key",
        Removal::State => "pg_stat",
        Removal::OrphanedRelations => "base/",
        Removal::Wal => "pg_wal",
    }
}

/// A cluster with people in it and canaries everywhere, and the rules for both.
fn plant(home: &Path) {
    run(Command::new("chown").arg("postgres:").arg(home));
    let data = home.join("data");
    let binaries = Binaries::find(PgMajor::new(15).unwrap(), None).unwrap();
    let mut initdb = Command::new("runuser");
    initdb.args(["-u", "postgres", "--"]).arg(binaries.dir().join("initdb")).current_dir("/");
    run(initdb.args(["--no-sync", "-A", "trust", "-U", "postgres", "-D"]).arg(&data));
    let server = PrivateServer::start(ServerOptions {
        binaries,
        volume: data.clone(),
        data_dir: data.clone(),
        private_dir: home.join("private"),
        superuser: "postgres".to_owned(),
        limits: Limits::default(),
        settings: Vec::new(),
        cancel: Cancel::new(),
    })
    .unwrap();
    server
        .connect("postgres")
        .unwrap()
        .batch_execute(
            "create table public.people (id integer primary key, email text, name text);
             insert into public.people select i, md5(i::text) || '@example.org', 'Name ' || md5('n' || i)
             from generate_series(1, 300) as i",
        )
        .unwrap();
    server.stop().unwrap();
    let rules = RuleSet::from_toml(RULES).unwrap();
    let job = PlantJob { data_dir: &data, rules: &rules, binaries: None, cancel: &Cancel::new() };
    let planted = job.run().unwrap();
    fs::write(home.join("rules.toml"), planted.rules.to_toml()).unwrap();
    fs::write(home.join("list.json"), planted.list.to_json().unwrap()).unwrap();
}

/// How a snapshot of it ends without a removal. `test` is the test that the process is to run.
fn outcome(test: &str, home: &Path, without: Option<Removal>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let result = home.join(format!("{without:?}"));
    command.args(["--exact", test]).env(PLANTED, home).env(RESULT, &result).stdin(Stdio::null());
    if let Some(removal) = without {
        command.env(Removal::VARIABLE, format!("{removal:?}"));
    }
    let output = command.output().unwrap();
    fs::read_to_string(&result)
        .unwrap_or_else(|_| format!("no result: {}", String::from_utf8_lossy(&output.stdout)))
}

/// A snapshot of the planted cluster, in this process: how it ends.
fn one_run(home: &Path) -> String {
    let rules = RuleSet::from_toml(&fs::read_to_string(home.join("rules.toml")).unwrap()).unwrap();
    let place = tempfile::Builder::new().prefix("thinveil-mut-").tempdir().unwrap();
    run(Command::new("chmod").arg("755").arg(place.path()));
    let pool = Pool::init(&place.path().join("pool"), DriverChoice::Auto).unwrap().0;
    let source = Source::parse(home.join("data").to_str().unwrap());
    let sealed = pool
        .stage(&source, SnapshotOptions::default())
        .and_then(|staged| staged.plan(&rules))
        .and_then(|planned| planned.rewrite(&MaskKey::generate()?))
        .and_then(|rewritten| rewritten.finish())
        .and_then(|finished| finished.audit())
        .and_then(|audited| audited.seal());
    match sealed {
        Ok(snapshot) => {
            let list = fs::read_to_string(home.join("list.json")).unwrap();
            let list = CanaryList::from_json(&list).unwrap();
            let found = CheckJob {
                dir: &snapshot.volume(),
                list: &list,
                cancel: &Cancel::new(),
                progress: &|_, _| {},
            }
            .run()
            .unwrap();
            let places: Vec<&str> = found.hits.iter().map(|hit| hit.place.as_str()).collect();
            if places.is_empty() {
                "sealed, clean".to_owned()
            } else {
                format!("sealed: {places:?}")
            }
        }
        Err(Error::Refused(refusals)) => format!("refused: {refusals:?}"),
        Err(error) => format!("failed: {error}"),
    }
}
