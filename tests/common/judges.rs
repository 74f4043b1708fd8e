//! Judges: PostgreSQL's own checkers, and comparisons of a clone with the raw cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::cluster::{Cluster, Queries};
use super::pool::{Clone, Snapshot};
use super::rules::{Rules, quoted};
use super::servers::Servers;

/// Asks every judge. The raw cluster has to be running.
#[track_caller]
pub(crate) fn assert_all_judges_pass(
    raw: &Cluster,
    rules: &Rules,
    snapshot: &Snapshot,
    clone: &Clone,
) {
    assert_same_layout(raw, clone, rules);
    assert_foreign_keys_hold(clone);
    for database in clone.databases() {
        let doubles = duplicates_in_unique_indexes(clone, &database);
        assert!(doubles.is_empty(), "{database}: not unique any more: {doubles:?}");
    }
    assert_checkers_find_nothing(snapshot, clone);
}

/// Asks PostgreSQL's own checkers about a snapshot and a clone of it.
#[track_caller]
pub(crate) fn assert_checkers_find_nothing(snapshot: &Snapshot, clone: &Clone) {
    for database in clone.databases() {
        let findings = verify_heapam_findings(clone, &database);
        assert!(findings.is_empty(), "verify_heapam in {database}: {findings:#?}");
    }
    let servers = Servers::tested();
    if servers.major() >= 14 {
        assert_eq!(pg_amcheck_findings(&servers, clone), None, "pg_amcheck");
    }
    if servers.have_pg_checksums() && clone.value("postgres", "SHOW data_checksums") == "on" {
        assert_eq!(checksum_findings(&servers, &snapshot.data()), None, "pg_checksums");
    }
}

/// What `pg_checksums --check` has against a stopped data directory.
pub(crate) fn checksum_findings(servers: &Servers, data: &Path) -> Option<String> {
    let mut command = servers.program("pg_checksums");
    let output = command.args(["--check", "-D"]).arg(data).output().expect("pg_checksums");
    let text = [output.stdout, output.stderr].concat();
    (!output.status.success()).then(|| String::from_utf8_lossy(&text).into_owned())
}

/// What `pg_amcheck --all --heapallindexed` has against a clone.
fn pg_amcheck_findings(servers: &Servers, clone: &Clone) -> Option<String> {
    let mut command = servers.program("pg_amcheck");
    command.args(["--all", "--heapallindexed", "--install-missing", "--no-strict-names"]);
    command.args(["-h", &clone.host(), "-p", &clone.port().to_string(), "-U", &clone.user()]);
    let output = command.env("PGPASSWORD", &clone.password).output().expect("pg_amcheck");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    // `--install-missing` remarks on an extension that is there already.
    let findings: String = text
        .lines()
        .filter(|line| !line.starts_with("NOTICE:"))
        .map(|l| format!("{l}\n"))
        .collect();
    (!output.status.success() || !findings.is_empty()).then_some(text)
}

/// What `verify_heapam` and `bt_index_check` have against one database. PostgreSQL 13 has only
/// the latter.
pub(crate) fn verify_heapam_findings(server: &impl Queries, database: &str) -> Vec<String> {
    server.exec(database, "CREATE EXTENSION IF NOT EXISTS amcheck");
    let mut findings = Vec::new();
    if server.value(database, "SELECT count(*) FROM pg_proc WHERE proname = 'verify_heapam'") != "0"
    {
        findings = server.column(
            database,
            "SELECT c.oid::regclass || ': ' || v::text FROM pg_class AS c,
                    LATERAL verify_heapam(c.oid, check_toast => true) AS v
             WHERE c.relkind IN ('r', 't', 'm') AND c.relpersistence <> 't'",
        );
    }
    let indexes = server.column(
        database,
        "SELECT c.oid::text FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam
         JOIN pg_index AS i ON i.indexrelid = c.oid
         WHERE a.amname = 'btree' AND c.relkind = 'i' AND i.indisvalid",
    );
    let mut client = server.client(database);
    for index in indexes {
        let check = format!("SELECT bt_index_check({index}::oid::regclass, true)");
        if let Err(error) = client.simple_query(&check) {
            findings.push(format!("index {index}: {error:?}"));
        }
    }
    findings
}

/// Validates every foreign key of every database anew.
#[track_caller]
pub(crate) fn assert_foreign_keys_hold(server: &impl Queries) {
    for database in server.databases() {
        let keys = server.rows(
            &database,
            "SELECT conrelid::regclass, quote_ident(conname), pg_get_constraintdef(oid)
             FROM pg_constraint WHERE contype = 'f' AND conparentid = 0",
        );
        for key in keys {
            let [table, name, definition] =
                <[Option<String>; 3]>::try_from(key).expect("three columns").map(Option::unwrap);
            let definition = definition.trim_end_matches(" NOT VALID");
            let sql = format!(
                "ALTER TABLE {table} DROP CONSTRAINT {name};
                 ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID;
                 ALTER TABLE {table} VALIDATE CONSTRAINT {name}"
            );
            let result = server.client(&database).batch_execute(&sql);
            assert!(result.is_ok(), "{database}: {table} {name}: {:?}", result.err());
        }
    }
}

/// Unique indexes over plain columns whose keys are not unique, read from the heap.
fn duplicates_in_unique_indexes(server: &impl Queries, database: &str) -> Vec<String> {
    let keys = server.rows(
        database,
        "SELECT i.indrelid::regclass, string_agg(quote_ident(a.attname), ',' ORDER BY k.place)
         FROM pg_index AS i,
              LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, place),
              pg_attribute AS a
         WHERE i.indisunique AND i.indrelid >= 16384 AND i.indexprs IS NULL AND i.indpred IS NULL
           AND a.attrelid = i.indrelid AND a.attnum = k.attnum
         GROUP BY i.indexrelid, i.indrelid",
    );
    keys.into_iter()
        .filter_map(|row| Some((row[0].clone()?, row[1].clone()?)))
        .filter(|(table, columns)| {
            let not_null = columns.replace(',', " IS NOT NULL AND ") + " IS NOT NULL";
            let sql = format!(
                "SET enable_indexscan = off; SET enable_indexonlyscan = off;
                 SET enable_bitmapscan = off;
                 SELECT {columns} FROM {table} WHERE {not_null}
                 GROUP BY {columns} HAVING count(*) > 1 LIMIT 1"
            );
            !server.rows(database, &sql).is_empty()
        })
        .map(|(table, columns)| format!("{table} ({columns})"))
        .collect()
}

/// Panics unless every table lies as it did.
#[track_caller]
pub(crate) fn assert_same_layout(raw: &impl Queries, masked: &impl Queries, rules: &Rules) {
    for database in raw.databases() {
        let difference = layout_difference(raw, masked, rules, &database);
        assert_eq!(difference, None, "layout of {database}");
    }
}

/// The first difference between the tables of two clusters: number of pages, size, ctids and
/// transaction ids of rows, kept columns, nulls and stored lengths of masked columns.
pub(crate) fn layout_difference(
    raw: &impl Queries,
    masked: &impl Queries,
    rules: &Rules,
    database: &str,
) -> Option<String> {
    let mut before = raw.client(database);
    let mut after = masked.client(database);
    for (table, columns) in rules.columns(raw, database) {
        let name = quoted(&table);
        // A raw cluster that recovers empties its unlogged tables, and notes that in relpages.
        let sizes = format!(
            "SELECT CASE WHEN relpersistence <> 'u' THEN relpages END, pg_relation_size(oid)
             FROM pg_class WHERE oid = '{name}'::regclass"
        );
        let mut wanted = vec!["ctid::text".to_owned(), "xmin::text".into(), "xmax::text".into()];
        for column in &columns {
            let quoted = quoted(&column.name);
            if !column.masked {
                wanted.push(format!("{quoted}::text"));
                continue;
            }
            wanted.push(format!("pg_column_size({quoted})"));
            if column.type_name.starts_with("char") || column.type_name == "text" {
                wanted.push(format!("octet_length({quoted})"));
                wanted.push(format!("char_length({quoted})"));
            }
        }
        let rows = format!("SELECT {} FROM {name} ORDER BY ctid", wanted.join(", "));
        for sql in [sizes, rows] {
            let (left, right) = (texts(&mut before, &sql), texts(&mut after, &sql));
            if left.len() != right.len() {
                return Some(format!("{table}: {} rows became {}", left.len(), right.len()));
            }
            let differing = left.iter().zip(&right).find(|(left, right)| left != right);
            if let Some((left, right)) = differing {
                return Some(format!("{table}: {sql}\n{left}\nbecame\n{right}"));
            }
        }
    }
    None
}

fn texts(client: &mut postgres::Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    messages
        .iter()
        .filter_map(|message| match message {
            postgres::SimpleQueryMessage::Row(row) => {
                let values: Vec<_> = (0..row.len()).map(|i| row.get(i).unwrap_or("NULL")).collect();
                Some(values.join(" | "))
            }
            _ => None,
        })
        .collect()
}

/// Files of the tables of a database, by table: first segments of main forks, relative to the data
/// directory.
pub(crate) fn heap_files(raw: &impl Queries, database: &str) -> BTreeMap<String, PathBuf> {
    let sql = "SELECT oid::regclass::text, pg_relation_filepath(oid) FROM pg_class
               WHERE relkind = 'r' AND oid >= 16384";
    raw.rows(database, sql)
        .into_iter()
        .filter_map(|row| Some((row[0].clone()?, PathBuf::from(row[1].clone()?))))
        .collect()
}
