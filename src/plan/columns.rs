//! Columns whose values decide where rows lie or what other columns hold: not for masks.

use std::collections::BTreeSet;

use super::assignment::Assignments;
use super::problems::Problems;
use super::scope::{ColumnId, Scope};
use crate::cluster::catalog::Relation;
use crate::rules::{ColumnRule, MaskName, rule_line};

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
                let (Some(_), Some(over)) = (assignments.mask(id), scope.column(id)) else {
                    continue;
                };
                problems.push(scope.column_refusal(
                    "generated_stored",
                    id,
                    format!(
                        "the stored generated column {:?} is over it and would hold originals",
                        column.name
                    ),
                    format!(
                        "keep the column, or drop {:?} on the source:\n{}",
                        column.name,
                        rule_line(&over.name, &ColumnRule::new(MaskName::Keep))
                    ),
                ));
            }
        }
    }
}

fn names<'a>(relation: &'a Relation, columns: &BTreeSet<i16>) -> BTreeSet<&'a str> {
    columns.iter().filter_map(|&attnum| Some(relation.attribute(attnum)?.name.as_str())).collect()
}
