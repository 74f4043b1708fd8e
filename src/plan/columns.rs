//! Columns whose values decide where rows lie or what other columns hold: not for masks.

use std::collections::BTreeSet;

use super::assignment::Assignments;
use super::problems::Problems;
use super::scope::{ColumnId, Scope};
use crate::cluster::catalog::Relation;
use crate::rules::{ColumnRule, MaskName, rule_line, table_header};

pub(super) fn check(scope: &Scope<'_>, assignments: &Assignments, problems: &mut Problems) {
    for relation in scope.tables() {
        if let Some(key) = &relation.partition_key {
            for &attnum in &key.columns {
                let id = ColumnId { relation: relation.oid, attnum };
                let (Some(_), Some(column)) = (assignments.mask(id), scope.column(id)) else {
                    continue;
                };
                problems.push(scope.column_refusal(
                    "partition_key",
                    id,
                    format!(
                        "the table is partitioned by {}: masked rows would lie in the wrong \
                         partitions",
                        key.definition
                    ),
                    rule_line(&column.name, &ColumnRule::new(MaskName::Keep)),
                ));
            }
        }
        if scope.allows_relayout(relation) {
            check_keys(scope, assignments, relation, problems);
            continue;
        }
        for column in relation.live_columns() {
            let Some(generated) = column.generated.as_ref().filter(|g| g.stored) else { continue };
            // What a child has from its parent is reported there, but it may have its own expression.
            let over = names(relation, &generated.columns);
            let same_as_parents = |parent: ColumnId| {
                let parent_relation = scope.relation(parent.relation)?;
                let theirs = scope.column(parent)?.generated.as_ref()?;
                Some(names(parent_relation, &theirs.columns) == over)
            };
            let parents = scope.inherited_from(relation, column);
            if parents.iter().any(|&parent| same_as_parents(parent) == Some(true)) {
                continue;
            }
            for &attnum in &generated.columns {
                let id = ColumnId { relation: relation.oid, attnum };
                if assignments.mask(id).is_none() {
                    continue;
                }
                problems.push(scope.column_refusal(
                    "generated_stored",
                    id,
                    format!(
                        "the stored generated column {:?} is over it and would hold originals",
                        column.name
                    ),
                    format!(
                        "have the table rebuilt through SQL, which changes its layout; or keep \
                         the column, or drop {:?} on the source:\n{}\nallow_relayout = true",
                        column.name,
                        table_header(&scope.database.info.name, &relation.full_name())
                    ),
                ));
            }
        }
    }
}

/// What is computed anew on one side of a foreign key is not on the other.
fn check_keys(
    scope: &Scope<'_>,
    assignments: &Assignments,
    relation: &Relation,
    problems: &mut Problems,
) {
    for column in scope.computed(assignments, relation) {
        let id = ColumnId { relation: relation.oid, attnum: column.attnum };
        for key in &scope.database.foreign_keys {
            let refers = key.table == id.relation && key.columns.contains(&id.attnum);
            let is_referred_to =
                key.referenced_table == id.relation && key.referenced_columns.contains(&id.attnum);
            if refers || is_referred_to {
                problems.push(scope.column_refusal(
                    "generated_foreign_key",
                    id,
                    format!(
                        "foreign key {:?} is over this generated column, which masked values would \
                         change on one side alone",
                        key.name
                    ),
                    "keep the columns that it is over, or drop the foreign key on the source",
                ));
            }
        }
    }
}

fn names<'a>(relation: &'a Relation, columns: &BTreeSet<i16>) -> BTreeSet<&'a str> {
    columns.iter().filter_map(|&attnum| Some(relation.attribute(attnum)?.name.as_str())).collect()
}
