//! CHECK constraints, of tables and of domains, that masked values could break.

use std::collections::BTreeSet;

use super::assignment::{Assignments, Nulling};
use super::check_expression::{Operand, is_invariant};
use super::check_nulls;
use super::problems::Problems;
use super::scope::{ColumnId, Scope};
use super::shuffle;
use crate::cluster::catalog::CheckConstraint;
use crate::rules::rule_line;

pub(super) fn check(scope: &Scope<'_>, assignments: &Assignments, problems: &mut Problems) {
    for constraint in scope.database.checks.iter().filter(|constraint| !constraint.inherited) {
        let Some(relation) = constraint.table.and_then(|table| scope.relation(table)) else {
            continue;
        };
        if !relation.kind.takes_rules()
            || is_invariant(&constraint.expression, &|name| {
                Operand::of(relation, assignments, name)
            })
            || check_nulls::holds(constraint, relation, assignments)
        {
            continue;
        }
        for attnum in scope.stored_columns(relation, &constraint.columns) {
            let id = ColumnId { relation: relation.oid, attnum };
            let columns = &constraint.columns;
            if assignments
                .mask(id)
                .is_some_and(|it| shuffle::holds_over(scope, relation, attnum, it, columns))
            {
                continue;
            }
            let what = format!("CHECK constraint {:?}", constraint.name);
            refuse(scope, assignments, id, &what, constraint, problems);
        }
    }
    for (id, assignment) in assignments.masked() {
        let (Some(relation), Some(column)) = (scope.relation(id.relation), scope.column(id)) else {
            continue;
        };
        // A child's column has its parent's type.
        let own = BTreeSet::from([column.attnum]);
        if shuffle::holds_over(scope, relation, column.attnum, assignment, &own)
            || !scope.inherited_from(relation, column).is_empty()
        {
            continue;
        }
        for domain in column.domains.iter().filter_map(|oid| scope.database.domains.get(oid)) {
            for constraint in &domain.checks {
                let value = Operand::masked(column);
                let expression = condition(&constraint.expression);
                let harmless = match assignment.nulling() {
                    Nulling::Never => is_invariant(expression, &|_| value),
                    _ => check_nulls::holds_of(expression, column, assignment),
                };
                if !harmless {
                    let what = format!("CHECK {:?} of domain {}", constraint.name, domain.name);
                    refuse(scope, assignments, id, &what, constraint, problems);
                }
            }
        }
    }
}

fn refuse(
    scope: &Scope<'_>,
    assignments: &Assignments,
    id: ColumnId,
    what: &str,
    constraint: &CheckConstraint,
    problems: &mut Problems,
) {
    let (Some(assignment), Some(column)) = (assignments.mask(id), scope.column(id)) else { return };
    if assignment.confirm_check {
        return;
    }
    let mut rule = assignment.rule();
    rule.confirm_check = true;
    problems.push(scope.column_refusal(
        "check_constraint",
        id,
        format!("masked values could break {what}: {}", condition(&constraint.expression)),
        format!("say that they do not, or keep the column:\n{}", rule_line(&column.name, &rule)),
    ));
}

/// PostgreSQL prints a domain's constraint whole: `CHECK ((VALUE > 0)) NOT VALID`.
fn condition(expression: &str) -> &str {
    let Some(rest) = expression.strip_prefix("CHECK ") else { return expression };
    rest.strip_suffix(" NOT VALID").unwrap_or(rest)
}
