//! What becomes of every column, and by whose word: what a manifest tells its readers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::QuasiIdentifiers;
use super::assignment::{Assignment, Assignments, Origin};
use super::problems::Problems;
use super::scope::{ColumnId, Scope};
use crate::cluster::catalog::{Column, Relation};
use crate::rules::{ColumnRule, Leaks, MaskName, MaskOptions, did_you_mean};

/// What becomes of one column.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ColumnRecord {
    /// `schema.table`.
    pub table: String,
    /// Column.
    pub column: String,
    /// Its type, as it was declared.
    pub column_type: String,
    /// Its mask; `keep` if it stays.
    pub mask: MaskName,
    /// The mask's domain; none if the column stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The mask's options.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
    /// True if the parts of the value have rules of their own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_parts: bool,
    /// The column of the same row that says whose the value is: only within one subject are equal
    /// values masked to equal ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The mask in rows for which the rule's condition is not true, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<MaskName>,
    /// By whose word.
    pub by: Word,
    /// True if the rules say that the column may hold values that another one masks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_originals: bool,
    /// What is still to be learned.
    pub leaks: Leaks,
}

/// Who says what becomes of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// A rule that names it.
    Rule,
    /// The rule of the parent's column.
    Parent,
    /// The rule of the column that a foreign key refers to.
    ForeignKey,
    /// No rule, but `unlisted = "keep"`.
    Unlisted,
    /// Its expression: it is generated from other columns.
    Generated,
}

/// Every column of every table; partitions and children are their parents' business.
pub(super) fn of(scope: &Scope<'_>, assignments: &Assignments) -> Vec<ColumnRecord> {
    let mut records = Vec::new();
    for relation in scope.tables() {
        for column in relation.live_columns() {
            if scope.inherited_from(relation, column).is_empty() {
                records.push(record(assignments, relation, column));
            }
        }
    }
    records.sort_by(|left, right| left.table.cmp(&right.table));
    records
}

/// The quasi-identifiers that the rules declare. A table that they name is known, or was refused.
pub(super) fn quasi_identifiers(
    scope: &Scope<'_>,
    assignments: &Assignments,
    problems: &mut Problems,
) -> Vec<QuasiIdentifiers> {
    let mut declared = Vec::new();
    for (table, names) in scope.rules.iter().flat_map(|rules| &rules.quasi_identifiers) {
        let Some(relation) = scope.tables().find(|relation| relation.full_name() == *table) else {
            continue;
        };
        let mut found = QuasiIdentifiers {
            schema: relation.schema.clone(),
            table: relation.name.clone(),
            columns: Vec::new(),
            masked: Vec::new(),
        };
        for name in names {
            let Some(column) = relation.column(name) else {
                let refusal = scope.table_refusal(
                    "unknown_column",
                    relation,
                    "`quasi_identifiers` names a column that the table does not have",
                    did_you_mean(name, relation.live_columns().map(|column| column.name.as_str())),
                );
                problems.push(refusal.column(name));
                continue;
            };
            let id = ColumnId { relation: relation.oid, attnum: column.attnum };
            let says = |mask: MaskName| matches!(mask, MaskName::Keep | MaskName::Bucket);
            let tells = assignments.mask(id).is_none_or(|found| {
                says(found.mask) || otherwise(found).is_some_and(|rule| says(rule.mask))
            });
            let list = if tells { &mut found.columns } else { &mut found.masked };
            list.push(name.clone());
        }
        declared.push(found);
    }
    declared
}

fn record(assignments: &Assignments, relation: &Relation, column: &Column) -> ColumnRecord {
    let id = ColumnId { relation: relation.oid, attnum: column.attnum };
    let assignment = assignments.get(id);
    let mask = assignment.map_or(MaskName::Keep, |assignment| assignment.mask);
    let masked = assignment.filter(|_| mask != MaskName::Keep);
    let options = masked.map(|assignment| assignment.options.clone()).unwrap_or_default();
    ColumnRecord {
        table: relation.full_name(),
        column: column.name.clone(),
        column_type: column.declared_type.clone(),
        mask,
        domain: masked.map(|assignment| assignment.domain.clone()),
        options: told(&options),
        by_parts: masked.is_some_and(|assignment| assignment.parts.is_some()),
        subject: masked.and_then(|assignment| assignment.subject.clone()),
        otherwise: masked.and_then(otherwise).map(|rule| rule.mask),
        by: match assignment.map(|assignment| assignment.origin) {
            Some(Origin::Rule) => Word::Rule,
            Some(Origin::Parent) => Word::Parent,
            Some(Origin::ForeignKey) => Word::ForeignKey,
            None if column.generated.is_some() => Word::Generated,
            None => Word::Unlisted,
        },
        accept_originals: assignment.is_some_and(|assignment| assignment.accept_originals),
        leaks: match masked.and_then(otherwise) {
            Some(rule) => mask.leaks(&options).or(rule.mask.leaks(&rule.options)),
            None => mask.leaks(&options),
        },
    }
}

/// The rule for rows in which the condition of a rule is not true.
fn otherwise(assignment: &Assignment) -> Option<&ColumnRule> {
    assignment.when.as_deref().map(|when| &when.otherwise)
}

/// The options but for a constant's value, which somebody may have taken from the data.
fn told(options: &MaskOptions) -> Map<String, Value> {
    let mut given = options.given();
    given.remove("value");
    given
}
