//! The places, as SQL and as files.
//!
//! In SQL, `{text}` is one canary of each domain in one string, `{labels}` the same as strings of
//! their own, `{one}` a canary of the first domain alone, `{database}` the database's quoted name.
//! Expressions get one: catalogs keep them as trees, which they compress when they are long.

/// A place in catalogs: its name and how to get there.
pub(super) type Statement = (&'static str, &'static str);

/// In what all databases share.
pub(super) const CLUSTER: [Statement; 8] = [
    (
        "subscription",
        "CREATE SUBSCRIPTION thinveil_canary CONNECTION 'host=nowhere password={text}'
         PUBLICATION nowhere WITH (connect = false)",
    ),
    ("role_setting", "ALTER ROLE thinveil_canary SET app.token = '{text}'"),
    ("database_setting", "ALTER DATABASE {database} SET app.tenant = '{text}'"),
    ("role_comment", "COMMENT ON ROLE thinveil_canary IS '{text}'"),
    ("database_comment", "COMMENT ON DATABASE {database} IS '{text}'"),
    ("dead_database_comment", "COMMENT ON DATABASE {database} IS NULL"),
    (
        "shared_security_label",
        "INSERT INTO pg_shseclabel VALUES
         ((SELECT oid FROM pg_roles WHERE rolname = 'thinveil_canary'), 'pg_authid'::regclass,
          'mac', '{text}')",
    ),
    ("dead_role_setting", "ALTER ROLE thinveil_canary SET app.token = 'other'"),
];

/// In the catalogs of a database.
pub(super) const CATALOGS: [Statement; 18] = [
    ("wrapper_option", "CREATE FOREIGN DATA WRAPPER canary_w OPTIONS (o '{text}')"),
    ("server_option", "CREATE SERVER canary_s FOREIGN DATA WRAPPER canary_w OPTIONS (o '{text}')"),
    (
        "foreign_table_option",
        "CREATE FOREIGN TABLE thinveil_canary.f (id int) SERVER canary_s OPTIONS (o '{text}')",
    ),
    (
        "foreign_column_option",
        "ALTER FOREIGN TABLE thinveil_canary.f ALTER COLUMN id OPTIONS (ADD o '{text}')",
    ),
    (
        "user_mapping",
        "CREATE USER MAPPING FOR thinveil_canary SERVER canary_s OPTIONS (password '{text}')",
    ),
    (
        "security_label",
        "INSERT INTO pg_seclabel VALUES
         ('thinveil_canary.rows'::regclass, 'pg_class'::regclass, 0, 'mac', '{text}')",
    ),
    (
        "dead_comment",
        "COMMENT ON TABLE thinveil_canary.rows IS '{text}';
         COMMENT ON TABLE thinveil_canary.rows IS NULL",
    ),
    (
        "dead_function",
        "CREATE FUNCTION thinveil_canary.g() RETURNS text LANGUAGE sql AS $$ SELECT '{text}'::text $$;
         DROP FUNCTION thinveil_canary.g()",
    ),
    (
        "dead_default",
        "ALTER TABLE thinveil_canary.rows ALTER d1 SET DEFAULT '{one}';
         ALTER TABLE thinveil_canary.rows ALTER d1 DROP DEFAULT",
    ),
    (
        "dead_check",
        "ALTER TABLE thinveil_canary.rows ADD CONSTRAINT c CHECK (d1 <> '{one}') NOT VALID;
         ALTER TABLE thinveil_canary.rows DROP CONSTRAINT c",
    ),
    (
        "dead_index_predicate",
        "CREATE INDEX i ON thinveil_canary.rows (id) WHERE d1 = '{one}';
         DROP INDEX thinveil_canary.i",
    ),
    (
        "dead_policy",
        "CREATE POLICY y ON thinveil_canary.rows USING (d1 <> '{one}');
         DROP POLICY y ON thinveil_canary.rows",
    ),
    (
        "dead_trigger",
        "CREATE TRIGGER t BEFORE UPDATE ON thinveil_canary.holes
         FOR EACH ROW WHEN (old.d1 <> '{one}')
         EXECUTE FUNCTION suppress_redundant_updates_trigger();
         DROP TRIGGER t ON thinveil_canary.holes",
    ),
    ("dead_enum_label", "CREATE TYPE thinveil_canary.e AS ENUM ({labels}); DROP TYPE thinveil_canary.e"),
    (
        "dead_partition_bound",
        "CREATE TABLE thinveil_canary.l (k text) PARTITION BY LIST (k);
         CREATE TABLE thinveil_canary.l1 PARTITION OF thinveil_canary.l FOR VALUES IN ('{one}');
         DROP TABLE thinveil_canary.l",
    ),
    (
        "dead_domain_default",
        "CREATE DOMAIN thinveil_canary.d AS text DEFAULT '{text}'; DROP DOMAIN thinveil_canary.d",
    ),
    (
        "dead_publication_filter",
        "CREATE PUBLICATION canary_p FOR TABLE thinveil_canary.rows WHERE (d1 <> '{one}');
         DROP PUBLICATION canary_p",
    ),
    (
        "statistics_of_a_catalog",
        "COMMENT ON COLUMN thinveil_canary.rows.id IS '{text}'; ANALYZE pg_description",
    ),
];

/// Comments, unless the rule set keeps them.
pub(super) const COMMENTS: [Statement; 3] = [
    ("table_comment", "COMMENT ON TABLE thinveil_canary.long IS '{text}'"),
    ("column_comment", "COMMENT ON COLUMN thinveil_canary.long.d1 IS '{text}'"),
    ("schema_comment", "COMMENT ON SCHEMA thinveil_canary IS '{text}'"),
];

/// The first major version whose VACUUM can leave a TOAST table alone.
pub(super) const KEEPS_TOAST: u16 = 14;
/// The first major version that has publications with row filters.
pub(super) const ROW_FILTERS: u16 = 15;

/// Files that a server never reads, or not any more. `{database}` is a database's number,
/// `{relation}` that of a relation in it, `{free}` one that nothing has.
pub(super) const FILES: [&str; 38] = [
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
    "base/{free}/1259",
    "base/{database}/{free}",
    "base/{database}/{free}.1",
    "base/{database}/{free}_init",
    "base/{database}/{free}_fsm",
    "base/{database}/t9_{free}",
    "base/{database}/people.csv",
    "base/{database}/{relation}.7",
    "global/{free}",
    "pg_wal/0000000100000000000000FE",
    "pg_wal/archive_status/0000000100000000000000FE.ready",
    "pg_wal/00000001.history",
    "pg_stat/pgss_query_texts.stat",
    "pg_stat_tmp/pgss_query_texts.stat",
    "pg_subtrans/0FFF",
    "pg_replslot/gone/state",
    "pg_logical/snapshots/0-1.snap",
];

/// Forks with a map of the heap's blocks.
pub(super) const MAPS: [&str; 2] = ["_vm", "_fsm"];

/// Configuration files; canaries go into a comment at their end.
pub(super) const CONFIGURATION: [&str; 4] =
    ["postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"];
