//! Rule set × catalog → mask plan, checked before any byte is written.
//!
//! Pure: performs no I/O. Every check runs to its end, so that one refusal names every problem.

mod agreement;
mod assignment;
mod build;
mod check_expression;
mod check_nulls;
mod checks;
mod columns;
mod context;
#[cfg(test)]
mod context_tests;
mod databases;
#[cfg(test)]
mod dependency_tests;
mod derived;
mod ignoring_case;
mod inventory;
mod mask_plan;
mod masks;
#[cfg(test)]
mod null_tests;
mod nulls;
mod objects;
mod problems;
mod scope;
mod shuffle;
mod structured;
mod suggest;
#[cfg(test)]
mod tests;
mod unique;
mod unlisted;
mod when;

use crate::cluster::catalog::Catalog;
use crate::error::Result;
use crate::rules::RuleSet;

use assignment::Assignments;
pub use inventory::{ColumnRecord, Word};
pub use mask_plan::{
    Action, AttributePlan, ConditionColumn, ConditionPlan, DatabasePlan, IndexRef, MaskPlan,
    MissingValuesPlan, QuasiIdentifiers, RelationPlan, Relayout, Secret, StorageKind, SubjectPlan,
};
use problems::Problems;
use scope::Scope;
pub use suggest::suggest;

/// Checks the rules against the catalog of every database and plans what is to be done.
///
/// # Errors
/// [`Error::Refused`](crate::Error::Refused) with every problem there is, in order of database,
/// table and column.
pub fn plan(rules: &RuleSet, catalog: &Catalog) -> Result<MaskPlan> {
    let mut problems = Problems::default();
    let dropped = databases::check(rules, catalog, &mut problems);
    let mut plan = MaskPlan { dropped, ..MaskPlan::default() };
    for database in &catalog.databases {
        if plan.dropped.contains(&database.info.name) {
            continue;
        }
        let scope = Scope::new(rules, database);
        if database.info.is_template && scope.rules.is_none() && !scope.holds_data() {
            continue;
        }
        let assignments = Assignments::resolve(&scope, &mut problems);
        agreement::check(&scope, &assignments, &mut problems);
        unlisted::check(&scope, &assignments, &mut problems);
        masks::check(&scope, &assignments, &mut problems);
        nulls::check(&scope, &assignments, &mut problems);
        unique::check(&scope, &assignments, &mut problems);
        checks::check(&scope, &assignments, &mut problems);
        columns::check(&scope, &assignments, &mut problems);
        when::check(&scope, &assignments, &mut problems);
        context::check(&scope, &assignments, &mut problems);
        shuffle::check(&scope, &assignments, &mut problems);
        objects::check(&scope, &mut problems);
        let views = derived::check(&scope, &assignments, &mut problems);
        plan.databases.push(build::build(&scope, &assignments, &views, &mut problems));
    }
    plan.databases.sort_by(|a, b| a.name.cmp(&b.name));
    problems.or(plan)
}
