//! Children agree with their parents, and foreign keys with what they refer to.

use super::assignment::{Assignment, Assignments, Origin};
use super::problems::Problems;
use super::scope::{ColumnId, Scope, joined_columns};
use super::shuffle;
use crate::cluster::catalog::{Column, Relation};
use crate::datum::ValueType;
use crate::rules::{MaskName, rule_line};

pub(super) fn check(scope: &Scope<'_>, assignments: &Assignments, problems: &mut Problems) {
    for relation in scope.tables() {
        for column in relation.live_columns() {
            check_parents(scope, assignments, relation, column, problems);
        }
    }
    for key in &scope.database.foreign_keys {
        for (id, referenced) in joined_columns(key) {
            check_reference(scope, assignments, &key.name, id, referenced, problems);
        }
    }
}

/// A parent's rows are its children's rows: one column, one mask.
fn check_parents(
    scope: &Scope<'_>,
    assignments: &Assignments,
    relation: &Relation,
    column: &Column,
    problems: &mut Problems,
) {
    let id = ColumnId { relation: relation.oid, attnum: column.attnum };
    let Some(own) = assignments.get(id) else { return };
    for parent in scope.inherited_from(relation, column) {
        let theirs = assignments.get(parent);
        let agrees = match theirs {
            Some(theirs) => own.agrees_with(theirs) && own.depends_like(theirs),
            None => own.mask == MaskName::Keep,
        };
        if agrees {
            continue;
        }
        let parent_name = scope.name(parent);
        let code =
            if relation.is_partition { "partition_conflict" } else { "inheritance_conflict" };
        let (message, remedy) = match own.origin {
            Origin::Rule => (
                format!(
                    "the rule is another than that of {parent_name}, which the column is part of"
                ),
                format!("leave the line out: the column takes what {parent_name} has"),
            ),
            Origin::Parent | Origin::ForeignKey => (
                format!("its parents have different rules; one of them is {parent_name}"),
                "give the parents' columns one rule".to_owned(),
            ),
        };
        problems.push(scope.column_refusal(code, id, message, remedy));
    }
}

fn check_reference(
    scope: &Scope<'_>,
    assignments: &Assignments,
    key: &str,
    id: ColumnId,
    referenced: ColumnId,
    problems: &mut Problems,
) {
    let Some(column) = scope.column(id) else { return };
    let target = scope.name(referenced);
    let own = assignments.get(id);
    let theirs = assignments.get(referenced);
    if own.is_some_and(|own| own.is_null_beside(theirs)) || shuffle::is_of_key(own, theirs) {
        return;
    }
    let refused = match (own, theirs) {
        (Some(own), Some(theirs)) if own.agrees_with(theirs) => {
            check_types(scope, theirs, key, id, referenced, problems);
            return;
        }
        // Children and generated columns take nothing through a foreign key of their own.
        (None, Some(theirs)) if theirs.mask != MaskName::Keep => Refused::OutOfReach,
        (None, _) => return,
        // An unlisted referenced column is refused as such, or kept.
        (Some(own), None) if own.mask == MaskName::Keep => return,
        (Some(_), None) => Refused::ReferencedKept,
        (Some(_), Some(theirs)) if theirs.mask == MaskName::Keep => Refused::ReferencedKept,
        (Some(_), Some(theirs)) => Refused::Conflict(theirs),
    };
    let refusal = match refused {
        Refused::ReferencedKept => scope.column_refusal(
            "foreign_key_to_kept",
            id,
            format!("foreign key {key:?} refers to {target}, which is kept: masked values would refer to nothing"),
            format!("leave the line out and write the rule for {target}"),
        ),
        Refused::OutOfReach => scope.column_refusal(
            "foreign_key_conflict",
            id,
            format!("foreign key {key:?} refers to {target}, which is masked, and this column takes its mask from elsewhere"),
            match scope.relation(id.relation).map(|table| scope.inherited_from(table, column)) {
                Some(parents) if !parents.is_empty() => format!(
                    "give {} the rule of {target}",
                    parents.iter().map(|&parent| scope.name(parent)).collect::<Vec<_>>().join(", ")
                ),
                _ => format!("keep {target}"),
            },
        ),
        Refused::Conflict(theirs) => scope.column_refusal(
            "foreign_key_conflict",
            id,
            format!("foreign key {key:?} refers to {target}, which has another mask, domain or options"),
            format!(
                "leave the line out, or say the same:\n{}",
                rule_line(&column.name, &theirs.rule())
            ),
        ),
    };
    problems.push(refusal);
}

enum Refused<'a> {
    OutOfReach,
    ReferencedKept,
    Conflict(&'a Assignment),
}

/// One mask makes equal values of equal ones only if it sees them in one form. Whole numbers of
/// different widths are one form to `integer`.
fn check_types(
    scope: &Scope<'_>,
    assignment: &Assignment,
    key: &str,
    id: ColumnId,
    referenced: ColumnId,
    problems: &mut Problems,
) {
    if assignment.mask == MaskName::Keep {
        return;
    }
    let (Some(column), Some(target)) = (scope.column(id), scope.column(referenced)) else { return };
    let (Some(own), Some(theirs)) = (column.value_type(), target.value_type()) else {
        // A type that no mask knows is refused as such.
        return;
    };
    let whole =
        |value_type| matches!(value_type, ValueType::Int2 | ValueType::Int4 | ValueType::Int8);
    if own == theirs || (assignment.mask == MaskName::Integer && whole(own) && whole(theirs)) {
        return;
    }
    problems.push(scope.column_refusal(
        "foreign_key_type",
        id,
        format!(
            "foreign key {key:?} joins {} to {} of {}: mask {} does not make the same of both",
            column.declared_type,
            target.declared_type,
            scope.name(referenced),
            assignment.mask
        ),
        format!("keep {}, or give both columns one type on the source", scope.name(referenced)),
    ));
}
