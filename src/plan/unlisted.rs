//! What no rule names.

use super::assignment::Assignments;
use super::problems::Problems;
use super::scope::{ColumnId, Scope};
use super::suggest::suggestion;
use crate::rules::{LargeObjects, Unlisted, database_header, rule_line, table_header};

pub(super) fn check(scope: &Scope<'_>, assignments: &Assignments, problems: &mut Problems) {
    check_large_objects(scope, problems);
    if scope.unlisted == Unlisted::Keep {
        return;
    }
    let database = &scope.database.info.name;
    if scope.rules.is_none() && scope.holds_data() {
        problems.push(scope.refusal(
            "unlisted_database",
            "the rules have no section for this database, which holds tables",
            format!(
                "write rules for its columns (thinveil rules suggest), drop it from the snapshot, or \
                 keep all of it (unlisted = \"keep\"):\n\
                 {}\ndrop = true",
                database_header(database)
            ),
        ));
    }
    for relation in scope.tables() {
        for column in relation.live_columns() {
            let id = ColumnId { relation: relation.oid, attnum: column.attnum };
            let listed = assignments.get(id).is_some()
                || column.generated.is_some()
                || !scope.inherited_from(relation, column).is_empty();
            if listed || !is_root(scope, assignments, id) {
                continue;
            }
            let made_by = match &relation.extension {
                Some(extension) => format!(" (the table belongs to extension {extension})"),
                None => String::new(),
            };
            let suggestion = suggestion(scope.database, relation, column);
            problems.push(scope.column_refusal(
                "unlisted_column",
                id,
                format!("no rule names this column of type {}{made_by}", column.declared_type),
                format!(
                    "{}\n{}",
                    table_header(database, &relation.full_name()),
                    rule_line(&column.name, &suggestion.rule)
                ),
            ));
        }
    }
}

/// Large objects belong to no column.
fn check_large_objects(scope: &Scope<'_>, problems: &mut Problems) {
    if scope.large_objects != LargeObjects::Deny || scope.database.large_objects == 0 {
        return;
    }
    problems.push(scope.refusal(
        "large_objects",
        format!(
            "the database holds {} large objects (pg_largeobject), which no rule can name",
            scope.database.large_objects
        ),
        format!(
            "remove them on the source (lo_unlink), or have their bytes zeroed (or \"keep\" them):\n\
             {}\nlarge_objects = \"blank\"",
            database_header(&scope.database.info.name)
        ),
    ));
}

/// False if a foreign key makes the column follow another unlisted one, which is then the one to
/// list. Of columns that refer to each other in a ring, the first is.
fn is_root(scope: &Scope<'_>, assignments: &Assignments, id: ColumnId) -> bool {
    let mut path = vec![id];
    let mut at = id;
    while let Some(next) = followed(scope, assignments, at) {
        if let Some(start) = path.iter().position(|&passed| passed == next) {
            return path.iter().skip(start).min() == Some(&id);
        }
        path.push(next);
        at = next;
    }
    at == id
}

/// The unlisted column that `id` takes its rule from, once that has one.
fn followed(scope: &Scope<'_>, assignments: &Assignments, id: ColumnId) -> Option<ColumnId> {
    scope.references(id).into_iter().map(|(_, referenced)| referenced).find(|&referenced| {
        referenced != id
            && assignments.get(referenced).is_none()
            && scope.column(referenced).is_some_and(|column| column.generated.is_none())
    })
}
