//! Where raw data may come from.

use std::fs;
use std::path::Path;

use crate::common::{Base, Pool, Queries, Rules, Sandbox, Servers};
use crate::masking::assert_masked_well;

#[test]
fn a_crashed_cluster_is_recovered_and_masked() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = Base::ShopWithChecksums.copy(&sandbox, "raw");
    raw.start();
    raw.exec(
        "shop",
        "CREATE UNLOGGED TABLE gone_after_crash (id integer);
         UPDATE customers SET note = 'zqdeadrow before the crash' WHERE id % 3 = 0;
         UPDATE customers SET note = md5(id::text) WHERE id % 3 = 0",
    );
    let mut open = raw.client("shop");
    open.batch_execute("BEGIN; UPDATE customers SET email = 'zqaborted@example.org'").unwrap();
    raw.crash();
    drop(open);
    assert!(!raw.was_shut_down());
    let pool = Pool::new(&sandbox);
    let rules_text =
        Rules::shop_text() + "[databases.shop.tables.\"public.gone_after_crash\"]\nid = \"keep\"\n";
    let with_new_table = Rules::write(&sandbox, "crashed.toml", &rules_text);
    let snapshot = pool.snapshot(raw.source(), with_new_table.path(), &[]);
    raw.start();
    // Recovery empties unlogged tables, in the raw cluster as well.
    assert_eq!(raw.value("shop", "SELECT count(*) FROM session_cache"), "0");
    assert_masked_well(&pool, &raw, &with_new_table, &snapshot);
    drop(rules);
}

#[test]
fn a_standbys_directory_is_masked() {
    if !Servers::tested().known_to_clients() {
        return;
    }
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = Base::Shop.copy(&sandbox, "raw");
    raw.start();
    let mut standby = raw.base_backup(&sandbox, "standby");
    standby.follow(&raw);
    standby.start();
    assert_eq!(standby.value("postgres", "SELECT pg_is_in_recovery()"), "t");
    raw.exec("shop", "UPDATE customers SET note = md5(note) WHERE id % 10 = 0");
    let position = raw.value("shop", "SELECT pg_current_wal_lsn()");
    let caught_up = crate::common::wait_until(std::time::Duration::from_secs(60), || {
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'");
        standby.value("postgres", &sql) == "t"
    });
    assert!(caught_up);
    standby.stop();
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(standby.source(), rules.path(), &[]);
    // Nothing was replicated for unlogged tables.
    raw.exec("shop", "TRUNCATE session_cache");
    assert_masked_well(&pool, &raw, &rules, &snapshot);
    assert!(!snapshot.data().join("standby.signal").exists());
    let clone = pool.clone_of(&snapshot.id, &[]);
    assert_eq!(clone.value("postgres", "SELECT pg_is_in_recovery()"), "f");
    assert_eq!(clone.value("postgres", "SHOW primary_conninfo"), "");
}

#[test]
fn a_base_backup_directory_is_masked() {
    if !Servers::tested().known_to_clients() {
        return;
    }
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = Base::ShopWithChecksums.copy(&sandbox, "raw");
    raw.start();
    let backup = raw.base_backup(&sandbox, "backup");
    assert!(backup.data().join("backup_label").exists());
    raw.exec("shop", "TRUNCATE session_cache");
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(backup.source(), rules.path(), &[]);
    assert_masked_well(&pool, &raw, &rules, &snapshot);
    for file in ["backup_label", "backup_manifest", "backup_label.old", "tablespace_map"] {
        assert!(!snapshot.data().join(file).exists(), "{file}");
    }
}

#[test]
fn a_live_server_is_masked_by_connection_string_and_by_url() {
    if !Servers::tested().known_to_clients() {
        return;
    }
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = Base::Shop.copy(&sandbox, "raw");
    raw.start();
    raw.exec("shop", "TRUNCATE session_cache");
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(&raw.connection_string(), rules.path(), &[]);
    assert_masked_well(&pool, &raw, &rules, &snapshot);
    pool.snapshot(&raw.connection_url(), rules.path(), &[]);
    assert_eq!(pool.ids("snapshot").len(), 2);
    assert_eq!(raw.value("postgres", "SELECT count(*) FROM pg_stat_replication"), "0");
}

#[test]
fn a_password_in_a_connection_string_is_shown_nowhere() {
    if !Servers::tested().known_to_clients() {
        return;
    }
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = Base::Shop.copy(&sandbox, "raw");
    raw.start();
    let pool = Pool::new(&sandbox);
    let source = format!("{} password=zqsourcepassword", raw.connection_string());
    let outcome = pool.try_snapshot(&source, rules.path(), &[]).expect_code(0);
    assert!(!outcome.text().contains("zqsourcepassword"), "{outcome:?}");
    let mut needles = crate::common::Needles::new();
    needles.add("password", b"zqsourcepassword");
    assert_eq!(needles.find_below(pool.dir()), Vec::<String>::new());
}

#[test]
fn debians_layout_with_configuration_elsewhere_is_masked() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = Base::Shop.copy(&sandbox, "raw");
    raw.move_configuration_out(&sandbox);
    raw.start();
    raw.stop();
    assert!(!raw.data().join("postgresql.conf").exists());
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    raw.start();
    assert_masked_well(&pool, &raw, &rules, &snapshot);
}

#[test]
fn tablespaces_are_carried_and_every_clone_has_its_own() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    let place = sandbox.postgres_dir("space");
    raw.start();
    raw.exec("postgres", &format!("CREATE TABLESPACE fast LOCATION '{}'", place.display()));
    raw.exec(
        "postgres",
        "CREATE TABLE people (id integer PRIMARY KEY, email text) TABLESPACE fast;
         CREATE INDEX ON people (email) TABLESPACE fast;
         INSERT INTO people SELECT i, md5(i::text) || '@example.org' FROM generate_series(1, 3000) AS i;
         ANALYZE people",
    );
    raw.stop();
    let rules = Rules::for_tables(
        &sandbox,
        "rules.toml",
        "postgres",
        &[("public.people", "id = \"keep\"\nemail = \"email\"")],
    );
    let before = crate::common::tree_digest(&place);
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    assert_eq!(
        before,
        crate::common::tree_digest(&place),
        "the source's tablespace was written to"
    );
    raw.start();
    assert_masked_well(&pool, &raw, &rules, &snapshot);
    let needles = crate::common::originals_of(&raw, &rules);
    assert_eq!(needles.find_below(&snapshot.volume), Vec::<String>::new());

    let [one, two] = [pool.clone_of(&snapshot.id, &[]), pool.clone_of(&snapshot.id, &[])];
    let location = "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'fast'";
    let places = [&one, &two].map(|clone| clone.value("postgres", location));
    assert_ne!(places[0], places[1], "each clone has its own");
    assert!(places.iter().all(|place| Path::new(place).starts_with(pool.dir())), "{places:?}");
    one.exec("postgres", "DELETE FROM people; CHECKPOINT");
    assert_eq!(two.value("postgres", "SELECT count(*) FROM people"), "3000");
    let diff = pool.json(&["clone", "diff", &one.id]);
    let names: Vec<_> =
        diff["relations"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert!(names.contains(&&"postgres.public.people".into()), "{names:?}");
    let third = pool.clone_of(&snapshot.id, &[]);
    assert_eq!(third.value("postgres", "SELECT count(*) FROM people"), "3000");
}

#[test]
fn a_tablespace_that_replayed_wal_creates_stays_within_the_volume() {
    // Without a table in it, nothing but the link tells.
    let table = "CREATE TABLE people (id integer) TABLESPACE fast;
                 INSERT INTO people SELECT * FROM generate_series(1, 3000)";
    for work in ["SELECT 1", table] {
        let sandbox = Sandbox::new();
        let mut raw = Base::Empty.copy(&sandbox, "raw");
        let place = sandbox.postgres_dir("space");
        raw.start();
        raw.exec("postgres", "CHECKPOINT");
        raw.exec("postgres", &format!("CREATE TABLESPACE fast LOCATION '{}'", place.display()));
        raw.exec("postgres", work);
        raw.crash();
        let rules = Rules::write(&sandbox, "rules.toml", "version = 1\nunlisted = \"keep\"");
        let before = crate::common::tree_digest(&place);
        let pool = Pool::new(&sandbox);
        let refusals = pool.try_snapshot(raw.source(), rules.path(), &[]).refusals();
        assert_eq!(before, crate::common::tree_digest(&place), "production was written to");
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert_eq!(refusals[0]["code"], "tablespace_in_wal");
        assert!(refusals[0]["message"].as_str().unwrap().contains(place.to_str().unwrap()));
        assert_eq!(pool.remains(), Vec::<String>::new());
        // What the remedy says.
        raw.start();
        raw.stop();
        pool.snapshot(raw.source(), rules.path(), &[]);
    }
}

#[test]
fn a_link_in_the_data_directory_is_never_followed_out_of_it() {
    let sandbox = Sandbox::new();
    let raw = Base::Empty.copy(&sandbox, "raw");
    let precious = sandbox.postgres_dir("precious");
    fs::write(precious.join("file"), "not thinveil's").unwrap();
    raw.plant_link("base/elsewhere", &precious);
    raw.plant_link("global/elsewhere.log", &precious.join("file"));
    let rules = Rules::for_tables(&sandbox, "rules.toml", "postgres", &[]);
    let pool = Pool::new(&sandbox);
    let outcome = pool.try_snapshot(raw.source(), rules.path(), &[]);
    assert_eq!(fs::read_to_string(precious.join("file")).unwrap(), "not thinveil's");
    if outcome.status.success() {
        let id = outcome.json()["id"].as_str().unwrap().to_owned();
        let volume = pool.dir().join("snapshots").join(id).join("volume");
        for entry in walkdir::WalkDir::new(&volume) {
            let entry = entry.unwrap();
            if entry.path_is_symlink() {
                let target = fs::canonicalize(entry.path()).unwrap();
                assert!(target.starts_with(&volume), "{}", entry.path().display());
            }
        }
    } else {
        assert!(outcome.text().contains("elsewhere"), "{outcome:?}");
        assert_eq!(pool.remains(), Vec::<String>::new());
    }
}

#[test]
fn a_wal_directory_elsewhere_is_taken_along() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    let wal = sandbox.postgres_dir("wal").join("pg_wal");
    crate::common::copy_tree(&raw.data().join("pg_wal"), &wal);
    fs::remove_dir_all(raw.data().join("pg_wal")).unwrap();
    raw.plant_link("pg_wal", &wal);
    raw.start();
    raw.exec("postgres", "CREATE TABLE t (id integer); INSERT INTO t VALUES (1)");
    raw.crash();
    let before = crate::common::tree_digest(&wal);
    let rules =
        Rules::for_tables(&sandbox, "rules.toml", "postgres", &[("public.t", "id = \"keep\"")]);
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    assert_eq!(before, crate::common::tree_digest(&wal), "the source's WAL was written to");
    assert!(!snapshot.data().join("pg_wal").is_symlink());
    let clone = pool.clone_of(&snapshot.id, &[]);
    assert_eq!(clone.value("postgres", "SELECT id FROM t"), "1");
}

#[test]
fn a_running_postmaster_is_refused_with_the_way_out() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = Base::Shop.copy(&sandbox, "raw");
    raw.start();
    let pool = Pool::new(&sandbox);
    let outcome = pool.try_snapshot(raw.source(), rules.path(), &[]);
    assert!([3, 5].contains(&outcome.code()), "{outcome:?}");
    let text = outcome.text();
    assert!(text.contains("running") && text.contains("pg_basebackup"), "{outcome:?}");
    assert_eq!(pool.remains(), Vec::<String>::new());
}

#[test]
fn majors_out_of_range_are_refused_by_number() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let pool = Pool::new(&sandbox);
    for major in ["12", "19", "9.6"] {
        let raw = Base::Empty.copy(&sandbox, &format!("raw{major}"));
        raw.plant("PG_VERSION", format!("{major}\n").as_bytes());
        let outcome = pool.try_snapshot(raw.source(), rules.path(), &[]);
        assert!([1, 2, 3].contains(&outcome.code()), "{outcome:?}");
        let text = outcome.text();
        assert!(text.contains(major) && text.contains("13") && text.contains("18"), "{outcome:?}");
        assert_eq!(pool.remains(), Vec::<String>::new());
    }
}

#[test]
fn a_missing_server_names_the_places_searched() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let pool = Pool::new(&sandbox);
    let raw = Base::Empty.copy(&sandbox, "raw");
    // Neither Debian's nor the one under test.
    let missing = if Servers::tested().major() == 14 { "13" } else { "14" };
    raw.plant("PG_VERSION", format!("{missing}\n").as_bytes());
    if Servers::tested().are_debians() {
        let outcome = pool.try_snapshot(raw.source(), rules.path(), &[]).expect_code(1);
        let text = outcome.text();
        assert!(text.contains(&format!("/usr/lib/postgresql/{missing}/bin")), "{outcome:?}");
        assert!(text.contains("--pg-bin") || text.contains("THINVEIL_PG_BIN"), "{outcome:?}");
    }
    let servers = Servers::debian();
    let wrong = servers.bin().to_str().unwrap();
    let outcome = pool.try_snapshot(raw.source(), rules.path(), &["--pg-bin", wrong]);
    assert_ne!(outcome.code(), 0, "15's servers for a cluster of {missing}: {outcome:?}");
    assert!(outcome.text().contains(missing) && outcome.text().contains("15"), "{outcome:?}");
    assert_eq!(pool.remains(), Vec::<String>::new());
}

#[test]
fn what_is_no_data_directory_is_refused_by_name() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let pool = Pool::new(&sandbox);
    let empty = sandbox.postgres_dir("empty");
    for source in [empty.clone(), sandbox.join("missing"), rules.path().to_owned()] {
        let source = source.to_str().unwrap();
        let outcome = pool.try_snapshot(source, rules.path(), &[]);
        assert_ne!(outcome.code(), 0, "{outcome:?}");
        assert!(outcome.text().contains(source), "{outcome:?}");
        assert_eq!(pool.remains(), Vec::<String>::new());
    }
}
