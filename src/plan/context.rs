//! Masks that look at another column of the row: which one it is, and whether they may.

use super::assignment::{Assignment, Assignments, Origin};
use super::problems::Problems;
use super::scope::{ColumnId, Scope, joined_columns};
use super::when::missing_value_by_row;
use super::{Secret, SubjectPlan};
use crate::cluster::catalog::{Column, ForeignKey, Relation, RelationKind};
use crate::datum::Encoding;
use crate::mask;
use crate::rules::{MaskName, did_you_mean};

pub(super) fn check(scope: &Scope<'_>, assignments: &Assignments, problems: &mut Problems) {
    for (id, assignment) in assignments.masked() {
        let (Some(relation), Some(column)) = (scope.relation(id.relation), scope.column(id)) else {
            continue;
        };
        if assignment.origin == Origin::Rule {
            let is_text = column.value_type().is_some_and(|value_type| value_type.is_text());
            if !assignment.persona.is_empty() && !is_text {
                problems.push(scope.column_refusal(
                    "persona",
                    id,
                    format!("a value of type {} is not made of names", column.declared_type),
                    "leave `persona` out",
                ));
            }
            for name in &assignment.persona {
                check_name(scope, assignments, relation, (id, name), problems);
            }
        }
        let Some(subject) = &assignment.subject else { continue };
        if assignment.origin == Origin::Rule {
            check_subject(scope, relation, id, subject, problems);
        }
        if column.has_missing && relation.kind == RelationKind::Table {
            problems.push(missing_value_by_row(scope, relation, id));
        }
    }
    for key in &scope.database.foreign_keys {
        for (id, referenced) in joined_columns(key) {
            check_key(scope, assignments, key, (id, referenced), problems);
        }
    }
}

/// What an address is made of has to be masked itself, in every row.
fn check_name(
    scope: &Scope<'_>,
    assignments: &Assignments,
    relation: &Relation,
    (id, name): (ColumnId, &str),
    problems: &mut Problems,
) {
    let Some(column) = relation.column(name) else {
        problems.push(scope.column_refusal(
            "persona",
            id,
            format!("its persona's {name:?} is no column of the table"),
            did_you_mean(name, relation.live_columns().map(|column| column.name.as_str())),
        ));
        return;
    };
    let mask = assignments.mask(ColumnId { relation: relation.oid, attnum: column.attnum });
    let holds_names = mask.is_some_and(|mask| {
        let names = [MaskName::FirstName, MaskName::LastName, MaskName::FullName];
        names.contains(&mask.mask) && mask.parts.is_none()
    });
    if holds_names
        && mask.is_some_and(|mask| mask.when.is_none() && mask.persona.is_empty())
        && column.value_type().is_some_and(|value_type| value_type.is_text())
    {
        return;
    }
    problems.push(scope.column_refusal(
        "persona",
        id,
        format!("its persona's {name:?} is not masked as a name in every row"),
        format!(
            "give {name:?} mask first_name, last_name or full_name, without `when` and `persona`"
        ),
    ));
}

fn check_subject(
    scope: &Scope<'_>,
    relation: &Relation,
    id: ColumnId,
    subject: &str,
    problems: &mut Problems,
) {
    let Some(column) = relation.column(subject) else {
        let others = relation.live_columns().filter(|column| column.attnum != id.attnum);
        problems.push(scope.column_refusal(
            "unknown_subject",
            id,
            format!("its subject {subject:?} is no column of the table"),
            did_you_mean(subject, others.map(|column| column.name.as_str())),
        ));
        return;
    };
    let is_virtual = column.generated.as_ref().is_some_and(|generated| !generated.stored);
    let why = if column.attnum == id.attnum {
        "a column can't be its own subject".to_owned()
    } else if is_virtual {
        format!("its subject {subject:?} is a virtual generated column, which no row holds")
    } else if !column.value_type().is_some_and(mask::is_subject_type) {
        format!("its subject {subject:?} is of type {}", column.declared_type)
    } else {
        return;
    };
    problems.push(scope.column_refusal(
        "subject_type",
        id,
        why,
        "name another column that says whose the row is: of text, of whole numbers, numeric, or uuid",
    ));
}

/// Values at both ends of a foreign key mask alike if their subjects are the same, which they are
/// if the key joins them too.
fn check_key(
    scope: &Scope<'_>,
    assignments: &Assignments,
    key: &ForeignKey,
    (id, referenced): (ColumnId, ColumnId),
    problems: &mut Problems,
) {
    let subject = |id| assignments.mask(id).and_then(|assignment| assignment.subject.clone());
    let (own, theirs) = (subject(id), subject(referenced));
    let mask = assignments.mask(id);
    let is_null = mask.is_some_and(|own| own.is_null_beside(assignments.get(referenced)));
    if is_null || own.is_none() && theirs.is_none() {
        return;
    }
    let joined = theirs.and_then(|theirs| subject_across(scope, key, &theirs));
    if own.is_some() && own == joined {
        return;
    }
    problems.push(scope.column_refusal(
        "foreign_key_subject",
        id,
        format!(
            "foreign key {:?} joins it to {}, and their masks depend on subjects that the key does \
             not join",
            key.name,
            scope.name(referenced)
        ),
        "leave the subject out on both sides, or keep both columns",
    ));
}

/// What a subject of the referenced table is called in the referencing one.
pub(super) fn subject_across(scope: &Scope<'_>, key: &ForeignKey, subject: &str) -> Option<String> {
    let attnum = scope.relation(key.referenced_table)?.column(subject)?.attnum;
    let at = key.referenced_columns.iter().position(|&column| column == attnum)?;
    let own = scope.relation(key.table)?.attribute(*key.columns.get(at)?)?;
    Some(own.name.clone())
}

/// True if the index's own columns say whose each value is, without doubt: then it is enough that
/// values of one subject stay apart.
pub(super) fn has_subject_among(
    scope: &Scope<'_>,
    assignments: &Assignments,
    relation: &Relation,
    keys: &std::collections::BTreeSet<i16>,
    subject: &str,
) -> bool {
    let Some(column) = relation.column(subject) else { return false };
    let id = ColumnId { relation: relation.oid, attnum: column.attnum };
    let stays_apart = match assignments.mask(id) {
        None => true,
        Some(assignment) => {
            assignment.subject.is_none()
                && super::structured::planned_mask(scope, column, assignment)
                    .is_some_and(|mask| mask.is_injective())
        }
    };
    keys.contains(&column.attnum) && column.not_null && stays_apart
}

/// The plan for the subject of a column's mask, which has been checked.
pub(super) fn subject_plan(
    scope: &Scope<'_>,
    relation: &Relation,
    assignment: &Assignment,
) -> Option<SubjectPlan> {
    let column: &Column = relation.column(assignment.subject.as_deref()?)?;
    let value_type = column.value_type()?;
    let missing = column.missing.as_ref();
    Some(SubjectPlan {
        attribute: usize::try_from(column.attnum).ok()?.checked_sub(1)?,
        value_type,
        encoding: Encoding::from_name(&scope.database.info.encoding).unwrap_or_default(),
        missing: missing
            .map(|missing| Secret(mask::canonical_subject_text(value_type, &missing.0))),
    })
}
