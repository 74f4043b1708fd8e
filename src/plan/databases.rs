//! Databases that the rules name and those that there are.

use super::problems::Problems;
use super::scope::Scope;
use crate::cluster::catalog::{Catalog, DatabaseInfo};
use crate::datum::Encoding;
use crate::error::Refusal;
use crate::rules::{RuleSet, Unlisted, UnlistedDatabases, database_header, did_you_mean};

/// The template that `initdb` makes and nobody can connect to: it holds nothing of a user's.
const PRISTINE: &str = "template0";

/// The template that `CREATE DATABASE` copies and that sessions can always connect to.
const DEFAULT_TEMPLATE: &str = "template1";
/// The database that clients connect to where nobody says which.
const DEFAULT_DATABASE: &str = "postgres";

/// Checks the rules' databases and those of the cluster; returns those to drop, in name order.
pub(super) fn check(rules: &RuleSet, catalog: &Catalog, problems: &mut Problems) -> Vec<String> {
    let all = &catalog.cluster.databases;
    for name in rules.databases.keys() {
        if !all.iter().any(|database| database.name == *name) {
            let names = all.iter().map(|database| database.name.as_str());
            problems.push(
                Refusal::new(
                    "unknown_database",
                    "the rules have a section for a database that the cluster does not have",
                    did_you_mean(name, names.filter(|name| *name != PRISTINE)),
                )
                .database(name),
            );
        }
    }
    let mut dropped = Vec::new();
    for database in all {
        if is_dropped(rules, catalog, database, problems) {
            dropped.push(database.name.clone());
        } else {
            check_one(rules, catalog, database, problems);
        }
    }
    dropped
}

/// True if the rules want the database dropped. Unlisted ones are where something in them could be
/// anybody's; the one that clients take for granted stays if it is empty.
fn is_dropped(
    rules: &RuleSet,
    catalog: &Catalog,
    database: &DatabaseInfo,
    problems: &mut Problems,
) -> bool {
    let name = database.name.as_str();
    let told = match rules.databases.get(name) {
        Some(section) => section.drop,
        None => rules.unlisted_databases == UnlistedDatabases::Drop,
    };
    if !told {
        return false;
    }
    if [PRISTINE, DEFAULT_TEMPLATE].contains(&name) {
        if rules.databases.contains_key(name) {
            problems.push(
                Refusal::new(
                    "template_dropped",
                    "a cluster can't do without this template",
                    "leave `drop` out; drop what the template holds on the source",
                )
                .database(name),
            );
        }
        return false;
    }
    let read = catalog.databases.iter().find(|read| read.info.oid == database.oid);
    let empty = read.is_some_and(|read| !Scope::new(rules, read).holds_data());
    rules.databases.contains_key(name) || !(name == DEFAULT_DATABASE && empty)
}

fn check_one(rules: &RuleSet, catalog: &Catalog, database: &DatabaseInfo, problems: &mut Problems) {
    let name = &database.name;
    if catalog.databases.iter().any(|read| read.info.oid == database.oid) {
        return;
    }
    let has_rules = rules.databases.get(name).is_some_and(|rules| !rules.tables.is_empty());
    let pristine = *name == PRISTINE && !database.allows_connections;
    let kept = pristine || rules.unlisted_in(name) == Unlisted::Keep;
    if kept && !has_rules && !database.allows_connections {
        return;
    }
    let remedy = |on_source: &str| {
        format!(
            "on the source, {on_source}; or drop it from the snapshot, or say that all of it may \
             stay (unlisted = \"keep\"):\n{}\ndrop = true",
            database_header(name)
        )
    };
    let refusal = if Encoding::from_name(&database.encoding).is_none() {
        let encoding = &database.encoding;
        Refusal::new(
            "unsupported_encoding",
            format!("the database is encoded in {encoding}: nothing in it can be looked at"),
            remedy("convert it to UTF8"),
        )
    } else if database.allows_connections {
        Refusal::new(
            "database_unread",
            "the database's catalog was not read",
            "start again; if this stays, report it",
        )
    } else {
        Refusal::new(
            "database_not_connectable",
            "the database allows no connections: nothing in it can be looked at or masked",
            remedy("ALTER DATABASE … ALLOW_CONNECTIONS true"),
        )
    };
    problems.push(refusal.database(name));
}
