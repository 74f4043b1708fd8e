//! A canary in every place that PostgreSQL keeps something in besides live rows: each is in the raw
//! copy, none is in the sealed snapshot.

use std::fs;

use crate::common::{Base, Needles, Pool, Queries, Rules, Sandbox, files_under};

/// Places in catalogs: how to put a canary (`%`) there.
const CATALOGS: [(&str, &str); 28] = [
    ("wrapper_option", "CREATE FOREIGN DATA WRAPPER w OPTIONS (o '%')"),
    ("server_option", "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (o '%')"),
    ("foreign_table_option", "CREATE FOREIGN TABLE f (a int) SERVER s OPTIONS (o '%')"),
    ("foreign_column_option", "ALTER FOREIGN TABLE f ALTER COLUMN a OPTIONS (ADD o '%')"),
    ("user_mapping", "CREATE USER MAPPING FOR postgres SERVER s OPTIONS (password '%')"),
    (
        "subscription",
        "CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere password=%' PUBLICATION p
         WITH (connect = false)",
    ),
    ("role_setting", "ALTER ROLE postgres SET app.token = '%'"),
    ("database_setting", "ALTER DATABASE postgres SET app.tenant = '%'"),
    ("table_comment", "COMMENT ON TABLE people IS '%'"),
    ("column_comment", "COMMENT ON COLUMN people.email IS '%'"),
    ("schema_comment", "COMMENT ON SCHEMA public IS '%'"),
    ("role_comment", "COMMENT ON ROLE postgres IS '%'"),
    ("database_comment", "COMMENT ON DATABASE postgres IS '%'"),
    (
        "security_label",
        "INSERT INTO pg_seclabel VALUES ('people'::regclass, 'pg_class'::regclass, 0, 'mac', '%')",
    ),
    (
        "shared_security_label",
        "INSERT INTO pg_shseclabel VALUES (10, 'pg_authid'::regclass, 'mac', '%')",
    ),
    ("dead_comment", "COMMENT ON TABLE people IS '%'; COMMENT ON TABLE people IS NULL"),
    (
        "dead_function",
        "CREATE FUNCTION g() RETURNS text LANGUAGE sql AS $$ SELECT '%'::text $$; DROP FUNCTION g()",
    ),
    ("dead_view", "CREATE VIEW v AS SELECT '%'::text AS c; DROP VIEW v"),
    (
        "dead_default",
        "ALTER TABLE people ALTER email SET DEFAULT '%'; ALTER TABLE people ALTER email DROP DEFAULT",
    ),
    (
        "dead_check",
        "ALTER TABLE people ADD CONSTRAINT c CHECK (email <> '%');
         ALTER TABLE people DROP CONSTRAINT c",
    ),
    ("dead_index_predicate", "CREATE INDEX i ON people (id) WHERE email = '%'; DROP INDEX i"),
    ("dead_policy", "CREATE POLICY y ON people USING (email <> '%'); DROP POLICY y ON people"),
    (
        "dead_trigger",
        "CREATE TRIGGER t BEFORE UPDATE ON people FOR EACH ROW WHEN (OLD.email <> '%')
         EXECUTE FUNCTION suppress_redundant_updates_trigger(); DROP TRIGGER t ON people",
    ),
    ("dead_enum_label", "CREATE TYPE e AS ENUM ('%'); DROP TYPE e"),
    (
        "dead_partition_bound",
        "CREATE TABLE l (k text) PARTITION BY LIST (k);
         CREATE TABLE l1 PARTITION OF l FOR VALUES IN ('%'); DROP TABLE l",
    ),
    ("dead_domain_default", "CREATE DOMAIN d AS text DEFAULT '%'; DROP DOMAIN d"),
    (
        "dead_publication_filter",
        "CREATE PUBLICATION q FOR TABLE people WHERE (email <> '%'); DROP PUBLICATION q",
    ),
    ("statistics_of_a_catalog", "COMMENT ON COLUMN people.id IS '%'; ANALYZE pg_description"),
];

/// Files that a server never reads, or not any more.
const FILES: [&str; 37] = [
    "core",
    "core.4711",
    "server.key",
    "server.crt",
    "root.crt",
    ".pgpass",
    ".psql_history",
    "backup_label.old",
    "backup_manifest",
    "tablespace_map.old",
    "recovery.done",
    "postmaster.opts",
    "postgresql.conf~",
    ".postgresql.conf.swp",
    "pg_hba.conf.orig",
    "conf.d/local.conf",
    "log/postgresql.log",
    "pg_log/postgresql.csv",
    "log/postgresql.json",
    "dump.sql",
    "base/pgsql_tmp/pgsql_tmp4711.0",
    "base/99999/1259",
    "base/%/77777",
    "base/%/77777.1",
    "base/%/77777_init",
    "base/%/t9_77778",
    "base/%/people.csv",
    "base/%/@.7",
    "global/77779",
    "pg_wal/0000000100000000000000FE",
    "pg_wal/archive_status/0000000100000000000000FE.ready",
    "pg_wal/00000001.history",
    "pg_stat/pgss_query_texts.stat",
    "pg_stat_tmp/pgss_query_texts.stat",
    "pg_subtrans/0FFF",
    "pg_replslot/gone/state",
    "pg_logical/snapshots/0-1.snap",
];

#[test]
fn canaries_are_in_the_raw_copy_and_not_in_the_snapshot() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    let canary = |place: &str| format!("zqcanary_{place}_zq");
    raw.start();
    raw.exec(
        "postgres",
        "CREATE TABLE people (id integer PRIMARY KEY, email text);
         INSERT INTO people SELECT i, md5(i::text) || '@example.org' FROM generate_series(1, 500) AS i",
    );
    let mut client = raw.client("postgres");
    client.batch_execute("SET allow_system_table_mods = on; SET wal_compression = off").unwrap();
    let mut needles = Needles::new();
    for (place, sql) in CATALOGS {
        let text = canary(place);
        client
            .batch_execute(&sql.replace('%', &text))
            .unwrap_or_else(|error| panic!("{place}: {error:?}"));
        // A canary of its own beginning is told from the others.
        assert!(needles.add(place, format!("_{place}_zq").as_bytes()));
    }
    drop(client);
    let database = raw.value("postgres", "SELECT oid FROM pg_database WHERE datname = 'postgres'");
    let relation =
        raw.value("postgres", "SELECT relfilenode FROM pg_class WHERE relname = 'people'");
    raw.stop();
    for (number, file) in FILES.iter().enumerate() {
        let path = file.replace('%', &database).replace('@', &relation);
        let text = format!("zq{number:03} canary in a file");
        assert!(needles.add(file, text.as_bytes()));
        fs::create_dir_all(raw.data().join(&path).parent().unwrap()).unwrap();
        raw.plant(&path, text.as_bytes());
    }
    for file in ["postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"] {
        let text = format!("zqconf {file}");
        assert!(needles.add(file, text.as_bytes()));
        let path = raw.data().join(file);
        let before = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{before}\n# {text}\n")).unwrap();
    }

    // Each is there: catalogs' in the catalogs' own files, not in WAL alone.
    let mut found = Vec::new();
    for file in files_under(raw.data()) {
        let wal_of_ours = file.starts_with("pg_wal") && !FILES.contains(&file.to_str().unwrap());
        if !wal_of_ours {
            found.extend(needles.find_in(&fs::read(raw.data().join(&file)).unwrap()));
        }
    }
    let places = CATALOGS.iter().map(|(place, _)| *place).chain(FILES);
    for place in places {
        let there = found.iter().any(|hit| hit.starts_with(&format!("{place} at ")));
        assert!(there, "{place} is not in the raw copy: {found:#?}");
    }

    let pool = Pool::new(&sandbox);
    let people = ("public.people", "id = \"keep\"\nemail = \"email\"");
    let rules = Rules::for_tables(&sandbox, "rules.toml", "postgres", &[people]);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    assert_eq!(needles.find_below(&snapshot.volume), Vec::<String>::new());

    // What was removed is counted, and files that PostgreSQL does not know are named.
    let removed = &snapshot.json["removed"];
    for key in ["subscriptions", "settings", "foreign_options", "comments", "security_labels"] {
        assert!(removed[key].as_u64().unwrap() > 0, "{key}: {removed}");
    }
    let unknown: Vec<&str> = removed["unknown_files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    for file in ["core.4711", ".psql_history", "dump.sql", "pg_hba.conf.orig"] {
        assert!(unknown.contains(&file), "{unknown:?}");
    }
    assert!(unknown.contains(&format!("base/{database}/people.csv").as_str()), "{unknown:?}");

    // It starts, and the subscription does not.
    let clone = pool.clone_of(&snapshot.id, &[]);
    assert_eq!(clone.value("postgres", "SELECT count(*) FROM people"), "500");
    assert_eq!(clone.value("postgres", "SELECT bool_or(subenabled) FROM pg_subscription"), "f");
}

#[test]
fn comments_that_the_rules_keep_stay() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    raw.exec(
        "postgres",
        "CREATE TABLE people (id integer, email text); COMMENT ON TABLE people IS 'who they are'",
    );
    raw.stop();
    let pool = Pool::new(&sandbox);
    for (name, line, expected) in
        [("keep", "comments = \"keep\"\n", "who they are"), ("not", "", "")]
    {
        let rules = format!(
            "version = 1\nunlisted = \"keep\"\n[databases.postgres]\n{line}\
             [databases.postgres.tables.\"public.people\"]\nemail = \"email\"\n"
        );
        let rules = Rules::write(&sandbox, &format!("{name}.toml"), &rules);
        let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
        let clone = pool.clone_of(&snapshot.id, &[]);
        let query = "SELECT coalesce(obj_description('people'::regclass), '')";
        assert_eq!(clone.value("postgres", query), expected);
    }
}
