//! Databases that the rules name and those that there are.

use super::problems::Problems;
use crate::cluster::catalog::{Catalog, DatabaseInfo};
use crate::error::Refusal;
use crate::rules::{RuleSet, Unlisted, database_header, did_you_mean};

/// The template that `initdb` makes and nobody can connect to: it holds nothing of a user's.
const PRISTINE: &str = "template0";

pub(super) fn check(rules: &RuleSet, catalog: &Catalog, problems: &mut Problems) {
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
    for database in all {
        check_one(rules, catalog, database, problems);
    }
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
    let refusal = if database.allows_connections {
        Refusal::new(
            "database_unread",
            "the database's catalog was not read",
            "start again; if this stays, report it",
        )
    } else {
        Refusal::new(
            "database_not_connectable",
            "the database allows no connections: nothing in it can be looked at or masked",
            format!(
                "on the source, ALTER DATABASE … ALLOW_CONNECTIONS true, or drop it; or say that \
                 all of it may stay:\n{}\nunlisted = \"keep\"",
                database_header(name)
            ),
        )
    };
    problems.push(refusal.database(name));
}
