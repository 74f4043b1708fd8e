//! Names read from the catalogs' files, against those that the server tells.

use std::collections::BTreeMap;

use super::*;
use crate::cluster::RelationNames;

#[test]
fn every_relations_file_has_the_name_that_the_server_has_for_it() {
    if !is_root() {
        return;
    }
    let source = Source::get();
    let home = Home::new(DriverKind::Copy);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Copy)).unwrap();
    let staging = stage(&pool, source.path());
    let server = PrivateServer::start(options(&staging, "boss y")).unwrap();
    let mut client = server.connect("postgres").unwrap();
    let changes =
        "SET search_path = public;
                   CREATE TABLE fresh AS SELECT repeat('x', 9) AS t; ALTER TABLE fresh RENAME TO stale;
                   CREATE SCHEMA \"a.b\"; ALTER TABLE t SET SCHEMA \"a.b\"; VACUUM FULL pg_class;
                   VACUUM FULL \"a.b\".t; CHECKPOINT";
    for statement in changes.split(';') {
        client.batch_execute(statement).unwrap();
    }
    let rows = client
        .query(
            "SELECT pg_relation_filepath(c.oid),
                    CASE WHEN c.relisshared THEN '' ELSE 'postgres.' END
                    || n.nspname || '.' || c.relname
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE pg_relation_filepath(c.oid) IS NOT NULL",
            &[],
        )
        .unwrap();
    let told: BTreeMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(told.keys().any(|path| path.starts_with("pg_tblspc/")), "{:?}", told.keys());
    assert!(told.keys().any(|path| path.starts_with("global/")));
    let names = RelationNames::read(&staging.volume(), major()).unwrap();
    let name = |path: &str| {
        let name = names.get(Path::new(path)).unwrap_or_default();
        name.split(" (of ").next().unwrap_or_default().to_owned()
    };
    let read: BTreeMap<String, String> =
        told.keys().map(|path| (path.clone(), name(path))).collect();
    assert_eq!(read, told);
}
