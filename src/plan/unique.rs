//! Unique indexes and exclusion constraints hold under permutations alone.

use super::assignment::{Assignment, Assignments, Nulling};
use super::check_expression;
use super::context;
use super::ignoring_case;
use super::problems::Problems;
use super::scope::{ColumnId, Scope};
use super::shuffle;
use super::structured::planned_mask;
use super::when;
use crate::cluster::catalog::{Column, Index, Relation};
use crate::mask::{self, ColumnMask};
use crate::rules::{ColumnRule, MaskName, rule_line};

pub(super) fn check(scope: &Scope<'_>, assignments: &Assignments, problems: &mut Problems) {
    for index in scope.database.indexes.iter().filter(|index| index.enforces()) {
        // What a partition has from its parent's index is reported there.
        let Some(relation) = scope.relation(index.table) else { continue };
        if index.parent.is_some() || !relation.kind.takes_rules() {
            continue;
        }
        for attnum in scope.stored_columns(relation, &index.columns()) {
            let id = ColumnId { relation: relation.oid, attnum };
            let (Some(assignment), Some(column)) = (assignments.mask(id), scope.column(id)) else {
                continue;
            };
            let found = Found { scope, index, relation, column, id, assignment };
            found.check(assignments, problems);
        }
    }
}

fn is_null(mask: &ColumnMask) -> bool {
    matches!(mask, ColumnMask::Null(_))
}

/// A masked column of an index that enforces something.
struct Found<'a> {
    scope: &'a Scope<'a>,
    index: &'a Index,
    relation: &'a Relation,
    column: &'a Column,
    id: ColumnId,
    assignment: &'a Assignment,
}

impl Found<'_> {
    fn check(&self, assignments: &Assignments, problems: &mut Problems) {
        let index = self.index;
        let attnum = self.column.attnum;
        let injective = planned_mask(self.scope, self.column, self.assignment)
            .is_some_and(|mask| self.keeps_apart(assignments, &mask));
        let nulling = self.assignment.nulling();
        if index.key_columns.contains(&attnum)
            && index.nulls_not_distinct
            && nulling != Nulling::Never
        {
            problems.push(self.refusal(
                "unique_nulls",
                "holds NULLs to be equal (NULLS NOT DISTINCT)",
                self.injective_remedy(),
            ));
        }
        if !index.valid && !index.partitioned {
            problems.push(self.refusal(
                "invalid_unique_index",
                "is invalid: its rows may break it, and then it can't be rebuilt",
                format!("on the source, DROP INDEX {:?} or REINDEX it", self.index_name()),
            ));
        }
        if self.is_over_shuffled_values_alone() {
            return;
        }
        if index.key_columns.contains(&attnum) {
            if !injective && self.assignment.mask == MaskName::Shuffle {
                problems.push(self.refusal(
                    "unique_shuffle",
                    "is not over the values of this column alone: those that change places may \
                     meet equal ones",
                    self.confirm_remedy(),
                ));
            } else if !injective && self.assignment.when.is_some() {
                problems.push(self.refusal(
                    "unique_condition",
                    "holds masked values beside others, by the column's condition: they may be equal",
                    self.confirm_remedy(),
                ));
            } else if nulling == Nulling::Always {
                // No two NULLs are equal to it, or it has been refused.
            } else if !injective {
                problems.push(self.refusal(
                    "unique_needs_injective",
                    format!("needs a permutation, which mask {} is not", self.assignment.mask),
                    self.injective_remedy(),
                ));
            } else if index.nondeterministic_collation {
                problems.push(self.refusal(
                    "unique_collation",
                    "holds different strings to be equal (a nondeterministic collation), which \
                     no mask knows of",
                    format!("keep the column:\n{}", self.keep_line()),
                ));
            } else if !self.excludes_equals_alone() {
                problems.push(self.refusal(
                    "exclusion_operator",
                    "excludes more than equal values, which a permutation does not keep apart",
                    format!("keep the column:\n{}", self.keep_line()),
                ));
            }
        }
        let confirmed = injective && self.assignment.confirm_check;
        // A column that is only reached through a generated one is as good as in an expression.
        let in_expression = index.expression_columns.contains(&attnum)
            || index.other_columns.contains(&attnum)
            || !index.columns().contains(&attnum);
        if in_expression && !confirmed && !self.holds_ignoring_case() {
            problems.push(self.refusal(
                "unique_expression",
                "is over an expression: different values can be equal under it once masked (lower() \
                 of a permutation is none)",
                self.expression_remedy(),
            ));
        }
        if index.predicate_columns.contains(&attnum)
            && !confirmed
            && !self.predicate_is_safe(assignments)
        {
            problems.push(self.refusal(
                "unique_predicate",
                "covers the rows that its predicate picks, and masked values may pick others",
                self.confirm_remedy(),
            ));
        }
    }

    /// True if what the index enforces is enforced on just the values that it was before.
    fn is_over_shuffled_values_alone(&self) -> bool {
        let index = self.index;
        let included = |attnum: &i16| index.include_columns.contains(attnum);
        let columns = index.columns().into_iter().filter(|attnum| {
            !included(attnum)
                || index.key_columns.contains(attnum)
                || index.expression_columns.contains(attnum)
                || index.predicate_columns.contains(attnum)
        });
        let columns = columns.collect();
        let (scope, attnum) = (self.scope, self.column.attnum);
        shuffle::holds_over(scope, self.relation, attnum, self.assignment, &columns)
    }

    /// True if different values of this column, or of this column and others of the index, stay so.
    fn keeps_apart(&self, assignments: &Assignments, mask: &ColumnMask) -> bool {
        if mask.is_shuffle() {
            return self.assignment.confirm_check;
        }
        if self.assignment.nulling() != Nulling::Never {
            // What stays beside NULLs is some of what was there, or its permutation.
            let stays = |mask: &ColumnMask| mask.is_injective() || is_null(mask);
            return self.assignment.subject.is_none()
                && stays(mask)
                && when::else_is(self.scope, self.column, self.assignment, &stays);
        }
        if self.assignment.when.is_some() {
            // What is masked may come out as what is not: only the user knows, and the rebuild.
            return self.assignment.confirm_check
                && mask.is_injective()
                && when::else_is(
                    self.scope,
                    self.column,
                    self.assignment,
                    &ColumnMask::is_injective,
                );
        }
        let Some(subject) = &self.assignment.subject else { return mask.is_injective() };
        let (relation, keys) = (self.relation, &self.index.key_columns);
        (mask.is_injective() || mask.value().is_some_and(mask::shift_is_injective))
            && context::has_subject_among(self.scope, assignments, relation, keys, subject)
    }

    /// True if the index is over the text without its case, and the mask tells texts apart that
    /// differ in more.
    fn holds_ignoring_case(&self) -> bool {
        let assignment = self.assignment;
        let whole = assignment.subject.is_none()
            && assignment.when.is_none()
            && assignment.nulling() == Nulling::Never;
        let mask = planned_mask(self.scope, self.column, assignment);
        whole
            && ignoring_case::is_over(self.index, &self.column.name)
            && mask.and_then(|mask| mask.value().map(mask::is_injective_ignoring_case))
                == Some(true)
    }

    fn predicate_is_safe(&self, assignments: &Assignments) -> bool {
        self.index.predicate.as_deref().is_some_and(|predicate| {
            check_expression::is_invariant(predicate, &|name| {
                check_expression::Operand::of(self.relation, assignments, name)
            })
        })
    }

    fn excludes_equals_alone(&self) -> bool {
        let operators = self.index.exclusion_operators.as_deref().unwrap_or_default();
        let mut own = self.index.keys.iter().zip(operators);
        own.all(|(&key, operator)| key != self.column.attnum || operator == "=")
    }

    fn refusal(
        &self,
        code: &'static str,
        message: impl AsRef<str>,
        remedy: impl Into<String>,
    ) -> crate::error::Refusal {
        let what = match (self.index.primary, self.index.exclusion_operators.is_some()) {
            (true, _) => "primary key",
            (_, true) => "exclusion constraint",
            _ => "unique index",
        };
        let message = format!("{what} {:?} {}", self.index_name(), message.as_ref());
        self.scope.column_refusal(code, self.id, message, remedy)
    }

    fn index_name(&self) -> String {
        format!("{}.{}", self.index.schema, self.index.name)
    }

    fn injective_remedy(&self) -> String {
        let Some(value_type) = self.column.value_type() else { return self.keep_line() };
        let mut like_own = ColumnRule::new(self.assignment.mask);
        like_own.options.unique = true;
        let plain = mask::suited_masks(value_type).iter().copied().map(ColumnRule::new);
        let permutations: Vec<ColumnRule> = std::iter::once(like_own)
            .filter(|rule| rule.mask.options().contains(&"unique"))
            .chain(plain)
            .filter(|rule| mask::is_injective(rule.mask, value_type, &rule.options))
            .collect();
        if permutations.is_empty() {
            return format!("no mask of this type is one; keep the column:\n{}", self.keep_line());
        }
        let lines: Vec<String> =
            permutations.into_iter().map(|rule| rule_line(&self.column.name, &rule)).collect();
        lines.join("\nor ")
    }

    fn confirm_remedy(&self) -> String {
        let mut rule = self.assignment.rule();
        rule.confirm_check = true;
        format!(
            "keep the column, or give it a permutation and say that it holds; a rebuild that fails \
             leaves no snapshot:\n{}",
            rule_line(&self.column.name, &rule)
        )
    }

    fn expression_remedy(&self) -> String {
        if !ignoring_case::is_over(self.index, &self.column.name) {
            return self.confirm_remedy();
        }
        let lines = [MaskName::Email, MaskName::Username].map(|mask| {
            let mut rule = ColumnRule::new(mask);
            rule.options.unique = true;
            rule_line(&self.column.name, &rule)
        });
        format!("{}\nor {}", lines.join("\nor "), self.confirm_remedy())
    }

    fn keep_line(&self) -> String {
        rule_line(&self.column.name, &ColumnRule::new(MaskName::Keep))
    }
}
