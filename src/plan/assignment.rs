//! Which column gets which mask: by a rule, from its parent, or through a foreign key.

use std::collections::BTreeMap;

use super::problems::Problems;
use super::scope::{ColumnId, Scope};
use crate::cluster::catalog::{Relation, RelationKind};
use crate::rules::{ColumnRule, MaskName, MaskOptions, Parts, When, did_you_mean};

/// What a column gets, and from where.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Assignment {
    pub(super) mask: MaskName,
    pub(super) parts: Option<Box<Parts>>,
    pub(super) domain: String,
    /// A column of the same table.
    pub(super) subject: Option<String>,
    /// Columns of the same table.
    pub(super) persona: Vec<String>,
    pub(super) when: Option<Box<When>>,
    pub(super) options: MaskOptions,
    pub(super) confirm_check: bool,
    pub(super) accept_originals: bool,
    pub(super) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A rule names the column.
    Rule,
    /// The parent's column.
    Parent,
    /// The column that a foreign key refers to.
    ForeignKey,
}

/// In which rows the values of a column become NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nulling {
    Never,
    /// Where its condition is true, or where it is not.
    Sometimes,
    Always,
}

fn is_conditional(assignment: Option<&Assignment>) -> bool {
    assignment.is_some_and(|assignment| assignment.when.is_some())
}

impl Assignment {
    pub(super) fn of_rule(rule: &ColumnRule) -> Assignment {
        Assignment {
            mask: rule.mask,
            parts: rule.parts.clone(),
            domain: rule.domain().to_owned(),
            subject: rule.subject.clone(),
            persona: rule.persona.clone(),
            when: rule.when.clone(),
            options: rule.options.clone(),
            confirm_check: rule.confirm_check,
            accept_originals: rule.accept_originals,
            origin: Origin::Rule,
        }
    }

    /// In which rows its values become NULL.
    pub(super) fn nulling(&self) -> Nulling {
        let otherwise = self.when.as_deref().map(|when| when.otherwise.mask);
        match (self.mask == MaskName::Null, otherwise) {
            (true, None | Some(MaskName::Null)) => Nulling::Always,
            (true, _) | (_, Some(MaskName::Null)) => Nulling::Sometimes,
            _ => Nulling::Never,
        }
    }

    /// True if every value becomes NULL, or stays, as `referenced` does: so that a foreign key to it
    /// holds by itself.
    pub(super) fn is_null_beside(&self, referenced: Option<&Assignment>) -> bool {
        let kept = referenced.is_none_or(|referenced| referenced.mask == MaskName::Keep);
        let else_kept =
            self.when.as_deref().is_some_and(|when| when.otherwise.mask == MaskName::Keep);
        match self.nulling() {
            Nulling::Always => self.origin != Origin::ForeignKey || !is_conditional(referenced),
            Nulling::Sometimes => self.mask == MaskName::Null && else_kept && kept,
            Nulling::Never => false,
        }
    }

    /// True if equal values of one subject come out equal under both.
    pub(super) fn agrees_with(&self, other: &Assignment) -> bool {
        self.mask == other.mask
            && (matches!(self.mask, MaskName::Keep | MaskName::Null)
                || (self.domain == other.domain
                    && self.options == other.options
                    && self.parts == other.parts))
    }

    /// True if both depend on the same other columns in the same way.
    pub(super) fn depends_like(&self, other: &Assignment) -> bool {
        (&self.subject, &self.persona, &self.when) == (&other.subject, &other.persona, &other.when)
    }

    /// The rule that says this, for messages.
    pub(super) fn rule(&self) -> ColumnRule {
        ColumnRule {
            mask: self.mask,
            parts: self.parts.clone(),
            domain: (self.domain != self.mask.as_str()).then(|| self.domain.clone()),
            subject: self.subject.clone(),
            persona: self.persona.clone(),
            when: self.when.clone(),
            options: self.options.clone(),
            confirm_check: self.confirm_check,
            accept_originals: self.accept_originals,
        }
    }
}

/// Every column that a rule reaches. Columns that none reaches are absent.
#[derive(Debug, Default)]
pub(super) struct Assignments(BTreeMap<ColumnId, Assignment>);

impl Assignments {
    pub(super) fn get(&self, id: ColumnId) -> Option<&Assignment> {
        self.0.get(&id)
    }

    /// The column's mask, if it has one that changes values.
    pub(super) fn mask(&self, id: ColumnId) -> Option<&Assignment> {
        self.0.get(&id).filter(|assignment| assignment.mask != MaskName::Keep)
    }

    pub(super) fn is_masked(&self, relation: &Relation, attnum: i16) -> bool {
        self.mask(ColumnId { relation: relation.oid, attnum }).is_some()
    }

    /// Columns whose values change, in order.
    pub(super) fn masked(&self) -> impl Iterator<Item = (ColumnId, &Assignment)> {
        let masked = |(_, assignment): &(&ColumnId, &Assignment)| assignment.mask != MaskName::Keep;
        self.0.iter().filter(masked).map(|(&id, assignment)| (id, assignment))
    }

    /// Every column that a rule reaches, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ColumnId, &Assignment)> {
        self.0.iter().map(|(&id, assignment)| (id, assignment))
    }

    /// Reads the rules, then hands masks down to children and along foreign keys until nothing
    /// changes: chains, and keys that refer to their own table, come out by themselves.
    pub(super) fn resolve(scope: &Scope<'_>, problems: &mut Problems) -> Assignments {
        let mut assignments = Assignments::default();
        for (table, rules) in scope.rules.iter().flat_map(|rules| &rules.tables) {
            let Some(relation) = find_table(scope, table, problems) else { continue };
            for (name, rule) in rules {
                if let Some(id) = find_column(scope, relation, name, rule, problems) {
                    assignments.0.insert(id, Assignment::of_rule(rule));
                }
            }
        }
        while assignments.spread(scope) {}
        assignments
    }

    /// One round of handing on. True if a column got something.
    fn spread(&mut self, scope: &Scope<'_>) -> bool {
        let mut found = Vec::new();
        for relation in scope.tables() {
            for column in relation.live_columns().filter(|column| column.generated.is_none()) {
                let id = ColumnId { relation: relation.oid, attnum: column.attnum };
                if self.0.contains_key(&id) {
                    continue;
                }
                let parents = scope.inherited_from(relation, column);
                let parent = parents.iter().find_map(|parent| self.0.get(parent));
                let referenced =
                    || {
                        // A column with a parent waits for it: the parent's mask comes first.
                        scope.references(id).into_iter().filter(|_| parents.is_empty()).find_map(
                            |(_, referenced)| Some((referenced, self.0.get(&referenced)?)),
                        )
                    };
                let next = match parent {
                    Some(parent) => Assignment { origin: Origin::Parent, ..parent.clone() },
                    None => match referenced() {
                        Some((on, referenced)) => Assignment {
                            // What is refused for one side need not be for the other.
                            when: None,
                            subject: referenced
                                .subject
                                .as_ref()
                                .and_then(|subject| scope.subject_across(id, on, subject)),
                            origin: Origin::ForeignKey,
                            confirm_check: false,
                            accept_originals: false,
                            ..referenced.clone()
                        },
                        None => continue,
                    },
                };
                found.push((id, next));
            }
        }
        let changed = !found.is_empty();
        self.0.extend(found);
        changed
    }
}

fn find_table<'a>(scope: &Scope<'a>, table: &str, problems: &mut Problems) -> Option<&'a Relation> {
    let Some(relation) = scope.database.relations.iter().find(|r| r.full_name() == table) else {
        let names: Vec<String> = scope.tables().map(Relation::full_name).collect();
        problems.push(
            scope
                .refusal(
                    "unknown_table",
                    "the rules name a table that the database does not have",
                    did_you_mean(table, names.iter().map(String::as_str)),
                )
                .table(table),
        );
        return None;
    };
    if relation.kind.takes_rules() {
        return Some(relation);
    }
    let (why, remedy) = match relation.kind {
        RelationKind::ForeignTable => (
            "its rows are not in this cluster",
            "leave the section out; clones get no user mapping for the server",
        ),
        RelationKind::Sequence => ("a sequence holds no personal data", "leave the section out"),
        _ => (
            "it shows what its tables hold, which are masked themselves",
            "leave the section out and write rules for its tables",
        ),
    };
    problems.push(scope.table_refusal(
        "not_a_table",
        relation,
        format!("rules are for tables, this is a {}: {why}", relation.kind.noun()),
        remedy,
    ));
    None
}

/// `pg_attribute` rows with a negative number.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"];

fn find_column(
    scope: &Scope<'_>,
    relation: &Relation,
    name: &str,
    rule: &ColumnRule,
    problems: &mut Problems,
) -> Option<ColumnId> {
    let Some(column) = relation.column(name) else {
        let refusal = if SYSTEM_COLUMNS.contains(&name) {
            scope.table_refusal(
                "system_column",
                relation,
                "rules are for columns of the table's own, not for PostgreSQL's",
                "leave the line out",
            )
        } else {
            scope.table_refusal(
                "unknown_column",
                relation,
                "the rules name a column that the table does not have",
                did_you_mean(name, relation.live_columns().map(|column| column.name.as_str())),
            )
        };
        problems.push(refusal.column(name));
        return None;
    };
    let id = ColumnId { relation: relation.oid, attnum: column.attnum };
    if column.generated.is_some() && rule.mask != MaskName::Keep {
        problems.push(scope.column_refusal(
            "generated_column",
            id,
            "a generated column is what its expression makes of other columns: it can't be masked \
             by itself",
            "leave the line out and write rules for the columns it is over",
        ));
        return None;
    }
    Some(id)
}
