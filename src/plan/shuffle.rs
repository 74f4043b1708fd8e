//! Columns that are shuffled: what holds of their values afterwards, and where they can't be.

use std::collections::BTreeSet;

use super::assignment::{Assignment, Assignments};
use super::problems::Problems;
use super::scope::{ColumnId, Scope, joined_columns};
use crate::cluster::catalog::{ForeignKey, Relation, RelationKind};
use crate::datum::{Part, Structure};
use crate::mask::Alone;
use crate::rules::{ColumnRule, MaskName, rule_line};

pub(super) fn check(scope: &Scope<'_>, assignments: &Assignments, problems: &mut Problems) {
    let shuffled = assignments.masked().filter(|(_, it)| it.mask == MaskName::Shuffle);
    for (id, assignment) in shuffled {
        let (Some(relation), Some(column)) = (scope.relation(id.relation), scope.column(id)) else {
            continue;
        };
        // Where a condition is, it is refused for that.
        if column.has_missing && relation.kind == RelationKind::Table && assignment.when.is_none() {
            problems.push(scope.column_refusal(
                "missing_value_by_row",
                id,
                "rows written before ADD COLUMN have one value of it for all of them, in the \
                 catalog: there is none in the row that could change places",
                format!("on the source, VACUUM FULL {} writes it into each row", relation.quoted()),
            ));
        }
    }
    for key in &scope.database.foreign_keys {
        for (id, referenced) in joined_columns(key) {
            check_key(scope, assignments, key, (id, referenced), problems);
        }
    }
}

/// The referenced column says which row is meant: that is no place for another row's value.
fn check_key(
    scope: &Scope<'_>,
    assignments: &Assignments,
    key: &ForeignKey,
    (id, referenced): (ColumnId, ColumnId),
    problems: &mut Problems,
) {
    let shuffles = |id| assignments.mask(id).filter(|it| it.mask == MaskName::Shuffle);
    let keep = |id| {
        let column = scope.column(id);
        column.map_or_else(String::new, |column| {
            rule_line(&column.name, &ColumnRule::new(MaskName::Keep))
        })
    };
    if shuffles(referenced).is_some() {
        problems.push(scope.column_refusal(
            "shuffle_referenced",
            referenced,
            format!(
                "foreign key {:?} of {} refers to it: its rows would belong to others",
                key.name,
                scope.name(id)
            ),
            format!("a mask that is a permutation of values, or\n{}", keep(referenced)),
        ));
    } else if shuffles(id).is_some_and(|own| !may_refer(key, own)) {
        problems.push(scope.column_refusal(
            "shuffle_foreign_key",
            id,
            format!(
                "foreign key {:?} refers to {}: shuffled values refer to rows that are there only \
                 where the key is of one column, and where all of them are shuffled or stay",
                key.name,
                scope.name(referenced)
            ),
            format!("leave `alone`, `when` and `else` out, or\n{}", keep(id)),
        ));
    }
}

fn may_refer(key: &ForeignKey, own: &Assignment) -> bool {
    key.columns.len() == 1 && keeps_values(own) && own.when.is_none()
}

/// True if a foreign key's column is shuffled, or what it refers to: [`check`] has the say then.
pub(super) fn is_of_key(own: Option<&Assignment>, theirs: Option<&Assignment>) -> bool {
    let shuffles =
        |of: Option<&Assignment>| of.is_some_and(|assignment| assignment.mask == MaskName::Shuffle);
    // Shuffled originals don't refer to masked values.
    let theirs_stay = theirs.is_none_or(|theirs| theirs.mask == MaskName::Keep);
    shuffles(theirs) || shuffles(own) && theirs_stay
}

/// True if the live rows of a table end up with just the values that they had, each as often: what
/// is said of all of them taken together holds if it held before.
fn keeps_values(assignment: &Assignment) -> bool {
    let alone = Alone::named(assignment.options.alone.as_deref());
    assignment.mask == MaskName::Shuffle
        && matches!(alone, Ok(Alone::Deny | Alone::Keep))
        && assignment.when.as_ref().is_none_or(|when| when.otherwise.mask == MaskName::Keep)
}

/// True if a constraint over `columns` holds as before: it sees the values of this column alone,
/// and these are the same.
pub(super) fn holds_over(
    scope: &Scope<'_>,
    relation: &Relation,
    attnum: i16,
    assignment: &Assignment,
    columns: &BTreeSet<i16>,
) -> bool {
    let stored = scope.stored_columns(relation, columns);
    let own = |&other: &i16| {
        other == attnum || relation.attribute(other).is_some_and(|it| it.generated.is_some())
    };
    keeps_values(assignment) && stored.contains(&attnum) && stored.iter().all(own)
}

/// True if all of a type is known: those of unknown extensions are refused as such.
pub(super) fn knows(structure: &Structure) -> bool {
    let part = |part: &Part| knows(&part.structure);
    match structure {
        Structure::Unknown => false,
        Structure::Array(element) => part(element),
        Structure::Range(bound) | Structure::Multirange(bound) => part(bound),
        Structure::Composite(fields) => {
            fields.iter().all(|field| field.dropped || part(&field.part))
        }
        _ => true,
    }
}
