//! What is gone besides the values: passwords, WAL, logs, statistics, slots, strays; and that the
//! audit refuses what it finds.

use std::fs;

use crate::common::{Base, Pool, Queries, Rules, Sandbox, files_under};

#[test]
fn passwords_wal_logs_slots_and_statistics_are_gone() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let raw = Base::ShopWithChecksums.copy(&sandbox, "raw");
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    let data = snapshot.data();
    let wal: Vec<_> = files_under(&data.join("pg_wal"));
    assert_eq!(wal.len(), 1, "{wal:?}");
    assert_eq!(files_under(&data.join("pg_replslot")).len(), 0);
    assert_eq!(files_under(&data.join("pg_stat")).len(), 0);
    assert_eq!(files_under(&data.join("pg_stat_tmp")).len(), 0);
    assert!(!data.join("log").exists() || files_under(&data.join("log")).is_empty());
    assert!(!data.join("postmaster.pid").exists());
    assert!(!data.join("postmaster.opts").exists());

    let clone = pool.clone_of(&snapshot.id, &[]);
    let others = format!(
        "SELECT count(*) FROM pg_authid WHERE rolpassword IS NOT NULL AND rolname <> '{}'",
        clone.user()
    );
    assert_eq!(clone.value("postgres", &others), "0");
    assert_eq!(
        clone.value("postgres", "SELECT count(*) FROM pg_authid WHERE rolname = 'app'"),
        "1"
    );
    assert_eq!(clone.value("postgres", "SELECT count(*) FROM pg_replication_slots"), "0");
}

#[test]
fn strays_and_remains_of_crashes_are_gone() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let raw = Base::Shop.copy(&sandbox, "raw");
    let data = raw.data().to_owned();
    let database = fs::read_dir(data.join("base"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .max_by_key(|name| name.parse::<u32>().unwrap_or(0))
        .unwrap();
    fs::create_dir_all(data.join("base/pgsql_tmp")).unwrap();
    fs::create_dir_all(data.join("base/99999")).unwrap();
    let strays = [
        format!("base/{database}/88888"),
        format!("base/{database}/88888.1"),
        format!("base/{database}/88888_fsm"),
        format!("base/{database}/t3_88889"),
        "base/99999/1259".to_owned(),
        "base/pgsql_tmp/pgsql_tmp123.0".to_owned(),
        "core".to_owned(),
        "pg_hba.conf.bak".to_owned(),
        "dump.sql".to_owned(),
        "pg_wal/000000010000000000000099".to_owned(),
        "pg_logical/replorigin_checkpoint.tmp".to_owned(),
        "postgresql.conf.orig".to_owned(),
    ];
    for stray in &strays {
        raw.plant(stray, b"zqdeadrow in a stray file; zqdropcol as well");
    }
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    let mut needles = crate::common::Needles::new();
    needles.add("stray", b"zqdeadrow in a stray file");
    assert_eq!(needles.find_below(pool.dir()), Vec::<String>::new());
    for stray in &strays {
        assert!(!snapshot.data().join(stray).exists(), "{stray}");
    }
}

/// `VACUUM FULL` keeps deleted rows for the sake of whoever began before they were deleted, in
/// whichever database.
#[test]
fn a_long_rebuild_in_one_database_keeps_nothing_alive_in_another() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    raw.exec(
        "postgres",
        "CREATE TABLE people (id integer PRIMARY KEY, name text);
         INSERT INTO people SELECT i, 'Somebody ' || md5(i::text) FROM generate_series(1, 500) AS i;
         CREATE MATERIALIZED VIEW slow AS
             SELECT name, pg_sleep(3)::text AS nothing FROM people WHERE id = 1",
    );
    raw.exec(
        "template1",
        "CREATE FOREIGN DATA WRAPPER elsewhere OPTIONS (secret 'zqwrapper');
         CREATE SERVER there FOREIGN DATA WRAPPER elsewhere OPTIONS (secret 'zqserver');
         CREATE FOREIGN TABLE far (a text OPTIONS (secret 'zqcolumn')) SERVER there;
         COMMENT ON FOREIGN TABLE far IS 'zqcomment'",
    );
    raw.stop();
    let mut needles = crate::common::Needles::new();
    for secret in ["zqwrapper", "zqserver", "zqcolumn", "zqcomment"] {
        assert!(needles.add(secret, secret.as_bytes()));
    }
    assert!(!needles.find_below(&raw.data().join("base")).is_empty());
    let pool = Pool::new(&sandbox);
    let people = ("public.people", "id = \"keep\"\nname = \"text\"");
    let rules = Rules::for_tables(&sandbox, "rules.toml", "postgres", &[people]);
    pool.snapshot(raw.source(), rules.path(), &[]);
    assert_eq!(needles.find_below(pool.dir()), Vec::<String>::new());
}

#[test]
fn maps_say_what_they_said_and_nothing_else() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    // More blocks than a page of the free space map has slots, with room left in some.
    raw.exec(
        "postgres",
        "CREATE EXTENSION pg_freespacemap;
         CREATE EXTENSION pg_visibility;
         CREATE TABLE people (id integer PRIMARY KEY, name text)
             WITH (fillfactor = 10, autovacuum_enabled = off);
         INSERT INTO people SELECT i, 'Somebody ' || i || repeat(' x', 20)
             FROM generate_series(1, 45000) AS i",
    );
    raw.exec("postgres", "DELETE FROM people WHERE id % 100 BETWEEN 7 AND 45");
    raw.exec("postgres", "VACUUM people");
    raw.exec("postgres", "UPDATE people SET name = name || '!' WHERE id % 1000 = 3");
    const SPACE: &str =
        "SELECT count(*) || md5(string_agg(blkno || ' ' || avail, ',' ORDER BY blkno))
                         FROM pg_freespace('people')";
    const VISIBLE: &str = "SELECT md5(string_agg(blkno || ' ' || all_visible, ',' ORDER BY blkno))
                           FROM pg_visibility_map('people')";
    const BLOCKS: &str = "SELECT pg_relation_size('people') / 8192 > 4069";
    assert_eq!(raw.value("postgres", BLOCKS), "t");
    let said = [SPACE, VISIBLE].map(|query| raw.value("postgres", query));
    let file = raw.value("postgres", "SELECT pg_relation_filepath('people')");
    raw.stop();
    // Into the last page of each; one of them is about no block at all.
    let data = raw.data().to_owned();
    let mut needles = crate::common::Needles::new();
    for (map, at) in [("fsm", 8000), ("fsm", 3000), ("vm", 6000)] {
        let path = data.join(format!("{file}_{map}"));
        let mut bytes = fs::read(&path).unwrap();
        let stray = format!("Somebody {at} x x");
        let start = bytes.len() - 8192 + at;
        bytes[start..start + stray.len()].copy_from_slice(stray.as_bytes());
        fs::write(&path, bytes).unwrap();
        assert!(needles.add("stray", stray.as_bytes()));
    }
    let pool = Pool::new(&sandbox);
    let people = ("public.people", "id = \"keep\"\nname = \"text\"");
    let rules = Rules::for_tables(&sandbox, "rules.toml", "postgres", &[people]);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    assert_eq!(needles.find_below(pool.dir()), Vec::<String>::new());
    let clone = pool.clone_of(&snapshot.id, &[]);
    assert_eq!([SPACE, VISIBLE].map(|query| clone.value("postgres", query)), said);
    for check in ["pg_check_visible('people')", "pg_check_frozen('people')"] {
        assert_eq!(clone.value("postgres", &format!("SELECT count(*) FROM {check}")), "0");
    }
}

#[test]
fn a_length_before_a_text_makes_no_original_of_it() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    // A text of 32 bytes has a C before it, in its heap and in the index; one of 35 an I.
    raw.exec(
        "postgres",
        "CREATE TABLE people (id integer PRIMARY KEY, name text);
         INSERT INTO people VALUES (1, 'Carter'), (2, 'Ingram'), (3, 'Thornton');
         CREATE TABLE notes (id integer PRIMARY KEY, note text);
         INSERT INTO notes VALUES (1, rpad('arter, ', 32, '-')), (2, rpad('ngram, ', 35, '-'));
         CREATE INDEX notes_note ON notes (note)",
    );
    raw.stop();
    let pool = Pool::new(&sandbox);
    let people = ("public.people", "id = \"keep\"\nname = \"last_name\"");
    let notes = ("public.notes", "id = \"keep\"\nnote = \"keep\"");
    let rules = Rules::for_tables(&sandbox, "rules.toml", "postgres", &[people, notes]);
    let mut needles = crate::common::Needles::new();
    assert!(needles.add("Carter", b"Carter, ------------"));
    assert!(needles.add("Ingram", b"Ingram, ------------"));
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    let audit = &snapshot.json["audit"];
    assert_eq!(audit["values_searched"], 3);
    // In the index they look like words, so these two are set apart.
    assert_eq!(audit["values_set_apart"], 2);
    // Each of them in the heap, in the index, and nowhere else.
    assert_eq!(needles.find_below(&snapshot.data()).len(), 4);
}

#[test]
fn an_original_in_a_kept_column_is_refused_by_the_audit_unless_accepted() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    raw.exec(
        "postgres",
        "CREATE TABLE people (id integer PRIMARY KEY, email text);
         INSERT INTO people SELECT i, md5(i::text) || '@example.org' FROM generate_series(1, 5000) AS i;
         CREATE TABLE tickets (id integer PRIMARY KEY, body text);
         INSERT INTO tickets SELECT id, 'please answer to ' || email FROM people WHERE id = 4711",
    );
    raw.stop();
    let pool = Pool::new(&sandbox);
    let people = ("public.people", "id = \"keep\"\nemail = \"email\"");
    let write = |name: &str, body: &str| {
        let tickets = format!("id = \"keep\"\nbody = {body}");
        Rules::for_tables(&sandbox, name, "postgres", &[people, ("public.tickets", &tickets)])
    };
    let careless = write("careless.toml", "\"keep\"");
    let outcome = pool.try_snapshot(raw.source(), careless.path(), &[]);
    let refusals = outcome.refusals();
    let named = refusals.iter().any(|refusal| {
        let text = refusal.to_string();
        text.contains("email") && text.contains("tickets")
    });
    assert!(named, "{refusals:#?}");
    raw.start();
    let value = raw.value("postgres", "SELECT email FROM people WHERE id = 4711");
    raw.stop();
    assert!(!outcome.text().contains(&value), "the audit shows what it found");
    assert_eq!(pool.remains(), Vec::<String>::new());

    let masked = write("masked.toml", "\"text\"");
    pool.snapshot(raw.source(), masked.path(), &[]);
    let accepted = write("accepted.toml", "{ mask = \"keep\", accept_originals = true }");
    pool.snapshot(raw.source(), accepted.path(), &[]);
}

#[test]
fn masked_output_in_an_index_is_no_residue_whatever_stands_beside_it_there() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    // In the heap, the header of the 25 bytes behind a name is a digit: "Jane Farnshaw5".
    raw.exec(
        "postgres",
        "CREATE TABLE people (name text, note text, born integer);
         INSERT INTO people VALUES ('Farnshaw', '', 1);
         INSERT INTO people SELECT 'Abcdefghi Kl' || chr(96 + i), repeat('x', 25), 1
         FROM generate_series(1, 20) AS i;
         CREATE INDEX ON people (name, born);",
    );
    raw.stop();
    let rules = Rules::write(
        &sandbox,
        "rules.toml",
        r#"version = 1
[databases.postgres.tables."public.people"]
name = { mask = "constant", value = "Jane Farnshaw" }
note = "keep"
born = "keep"
"#,
    );
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    assert_eq!(snapshot.json["audit"]["values_set_apart"], 1, "{}", snapshot.json["audit"]);
}

#[test]
fn an_original_in_a_function_a_comment_or_a_name_is_refused_by_the_audit() {
    for planted in [
        "COMMENT ON TABLE people IS 'as agreed with %'",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ''%''::text'",
        "CREATE INDEX ON people (id) WHERE email <> '%'",
        "ALTER TABLE people ALTER COLUMN email SET DEFAULT '%'",
    ] {
        let sandbox = Sandbox::new();
        let mut raw = Base::Empty.copy(&sandbox, "raw");
        raw.start();
        raw.exec(
            "postgres",
            "CREATE TABLE people (id integer PRIMARY KEY, email text);
             INSERT INTO people SELECT i, md5(i::text) || '@example.org' FROM generate_series(1, 500) AS i",
        );
        let value = raw.value("postgres", "SELECT email FROM people WHERE id = 77");
        raw.exec("postgres", &planted.replace('%', &value));
        raw.stop();
        let pool = Pool::new(&sandbox);
        let rules = Rules::for_tables(
            &sandbox,
            "rules.toml",
            "postgres",
            &[("public.people", "id = \"keep\"\nemail = \"email\"")],
        );
        let text = std::fs::read_to_string(rules.path()).unwrap();
        let rules = Rules::write(
            &sandbox,
            "comments.toml",
            &text.replace("[databases", "[databases.postgres]\ncomments = \"keep\"\n[databases"),
        );
        let outcome = pool.try_snapshot(raw.source(), rules.path(), &[]);
        assert!(!outcome.refusals().is_empty(), "{planted}");
        assert!(!outcome.text().contains(&value), "the audit shows what it found");
        assert_eq!(pool.remains(), Vec::<String>::new());
    }
}

#[test]
fn a_snapshot_says_what_was_audited_and_can_be_audited_again() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let raw = Base::Shop.copy(&sandbox, "raw");
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &["--name", "signed"]);
    let shown = pool.json(&["snapshot", "show", &snapshot.id]);
    for key in [
        "id",
        "name",
        "source",
        "major",
        "driver",
        "created_at",
        "key_id",
        "rules_hash",
        "stages",
        "values_masked",
        "pages_scanned",
        "pages_rewritten",
        "layout_deviations",
        "residue",
        "raw_bytes",
        "own_bytes",
    ] {
        assert!(!shown[key].is_null(), "{key} is not in {shown}");
        if key != "own_bytes" {
            assert_eq!(shown[key], snapshot.json[key], "{key}");
        }
    }
    assert_eq!(pool.json(&["snapshot", "show", "signed"])["id"], snapshot.id.as_str());
    pool.run(&["snapshot", "audit", &snapshot.id]).expect_code(0).json();
    let key = crate::common::TEST_KEY;
    let mut needles = crate::common::Needles::new();
    needles.add("key in hex", key.as_bytes());
    let raw_key: Vec<u8> = (0..32)
        .map(|index| u8::from_str_radix(&key[2 * index..2 * index + 2], 16).unwrap())
        .collect();
    needles.add("key", &raw_key);
    assert_eq!(needles.len(), 2);
    assert_eq!(needles.find_below(pool.dir()), Vec::<String>::new());
}
