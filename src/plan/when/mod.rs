//! Conditions on a row: from an SQL expression to what the rewrite evaluates.
//!
//! PostgreSQL's own parser (feature `sql`) reads them. What can't be evaluated over stored values
//! exactly as PostgreSQL would is refused here.

#[cfg(feature = "sql")]
mod literal;
#[cfg(feature = "sql")]
mod parsed;
#[cfg(all(test, feature = "sql"))]
mod tests;
#[cfg(feature = "sql")]
mod tree;

use super::ConditionPlan;
use super::assignment::{Assignment, Assignments, Origin};
use super::problems::Problems;
use super::scope::{ColumnId, Scope, joined_columns};
use super::structured::{Misfit, column_mask};
use crate::cluster::catalog::{Column, Relation, RelationKind};
use crate::error::Refusal;
use crate::mask::ColumnMask;
use crate::rules::{MaskName, When};

/// A condition without what happens where it does not hold, or why there is none.
fn condition(
    scope: &Scope<'_>,
    relation: &Relation,
    text: &str,
) -> Result<ConditionPlan, (String, String)> {
    #[cfg(feature = "sql")]
    return parsed::condition(scope, relation, text);
    #[cfg(not(feature = "sql"))]
    {
        let _ = (scope, relation, text);
        Err((
            "this thinveil was built without feature `sql`, and can't read conditions".to_owned(),
            "build it with default features, or leave `when` and `else` out".to_owned(),
        ))
    }
}

pub(super) fn check(scope: &Scope<'_>, assignments: &Assignments, problems: &mut Problems) {
    for (id, assignment) in assignments.masked() {
        let (Some(relation), Some(column)) = (scope.relation(id.relation), scope.column(id)) else {
            continue;
        };
        let Some(when) = &assignment.when else { continue };
        // A child's condition is its parent's, but its columns are its own.
        let of_parent = assignment.origin != Origin::Rule;
        match condition(scope, relation, &when.condition) {
            Err((message, remedy)) if !of_parent => {
                problems.push(scope.column_refusal("condition", id, message, remedy));
            }
            Err((message, remedy)) => {
                let (table, parents) = (relation.full_name(), "of its parent's rule");
                let message = format!("{parents}, for {table}: {message}");
                problems.push(scope.column_refusal("condition", id, message, remedy));
            }
            Ok(_) => {}
        }
        if let (Some(otherwise), false) = (otherwise(assignment, when), of_parent) {
            for misfit in column_mask(scope, column, &otherwise).err().into_iter().flatten() {
                let Misfit { code, message, remedy } = misfit;
                let message = format!("else: {message}");
                problems.push(scope.column_refusal(code, id, message, remedy));
            }
        }
        if column.has_missing && relation.kind == RelationKind::Table {
            problems.push(missing_value_by_row(scope, relation, id));
        }
    }
    for key in &scope.database.foreign_keys {
        for (id, referenced) in joined_columns(key) {
            let conditional =
                |id| assignments.mask(id).is_some_and(|assignment| assignment.when.is_some());
            let own = assignments.mask(id);
            let is_null = own.is_some_and(|own| own.is_null_beside(assignments.get(referenced)));
            if is_null || !conditional(id) && !conditional(referenced) {
                continue;
            }
            problems.push(scope.column_refusal(
                "foreign_key_condition",
                id,
                format!(
                    "foreign key {:?} joins it to {}: under a condition one side may be masked and \
                     the other not",
                    key.name,
                    scope.name(referenced)
                ),
                "leave `when` and `else` out, or keep both columns",
            ));
        }
    }
}

/// Rows that share a value can't be told apart by it.
pub(super) fn missing_value_by_row(
    scope: &Scope<'_>,
    relation: &Relation,
    id: ColumnId,
) -> Refusal {
    scope.column_refusal(
        "missing_value_by_row",
        id,
        "what happens to it depends on other columns of the row, and rows written before ADD COLUMN \
         have one value of it for all of them",
        format!("on the source, VACUUM FULL {} writes it into each row", relation.quoted()),
    )
}

/// What happens where the condition is not true; `None`: the value stays.
fn otherwise(assignment: &Assignment, when: &When) -> Option<Assignment> {
    let otherwise = Assignment::of_rule(&when.otherwise);
    (otherwise.mask != MaskName::Keep)
        .then_some(Assignment { origin: assignment.origin, ..otherwise })
}

/// The plan for a column's condition, which has been checked.
pub(super) fn condition_plan(
    scope: &Scope<'_>,
    relation: &Relation,
    column: &Column,
    assignment: &Assignment,
) -> Option<ConditionPlan> {
    let when = assignment.when.as_ref()?;
    let plan = condition(scope, relation, &when.condition).ok()?;
    let otherwise = otherwise(assignment, when);
    let mask = otherwise.and_then(|otherwise| column_mask(scope, column, &otherwise).ok());
    Some(ConditionPlan { otherwise: mask.map(Box::new), ..plan })
}

/// True if nothing happens to what the condition leaves out, or a mask does of which `suits` is
/// true.
pub(super) fn else_is(
    scope: &Scope<'_>,
    column: &Column,
    assignment: &Assignment,
    suits: &dyn Fn(&ColumnMask) -> bool,
) -> bool {
    let Some(when) = &assignment.when else { return true };
    match otherwise(assignment, when) {
        None => true,
        Some(otherwise) => column_mask(scope, column, &otherwise).is_ok_and(|mask| suits(&mask)),
    }
}
