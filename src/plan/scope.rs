//! One database with its rules, and what the checks look up in it again and again.

use std::collections::{BTreeMap, BTreeSet};

use super::assignment::Assignments;
use super::context::subject_across;
use crate::cluster::catalog::{Column, Database, ForeignKey, Relation, RelationKind};
use crate::error::Refusal;
use crate::ids::Oid;
use crate::rules::{DatabaseRules, LargeObjects, RuleSet, Unlisted};

/// A column within one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ColumnId {
    pub(super) relation: Oid,
    pub(super) attnum: i16,
}

/// The columns that a foreign key joins, the referencing one first.
pub(super) fn joined_columns(key: &ForeignKey) -> impl Iterator<Item = (ColumnId, ColumnId)> {
    let pairs = key.columns.iter().zip(&key.referenced_columns);
    pairs.map(|(&attnum, &referenced)| {
        let id = ColumnId { relation: key.table, attnum };
        (id, ColumnId { relation: key.referenced_table, attnum: referenced })
    })
}

/// One database with its rules.
pub(super) struct Scope<'a> {
    pub(super) database: &'a Database,
    /// `None` if the rule set has no section for the database.
    pub(super) rules: Option<&'a DatabaseRules>,
    pub(super) unlisted: Unlisted,
    pub(super) large_objects: LargeObjects,
    relations: BTreeMap<Oid, &'a Relation>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(rules: &'a RuleSet, database: &'a Database) -> Scope<'a> {
        let unlisted = rules.unlisted_in(&database.info.name);
        let rules = rules.databases.get(&database.info.name);
        let policy = match unlisted {
            Unlisted::Deny => LargeObjects::Deny,
            Unlisted::Keep => LargeObjects::Keep,
        };
        Scope {
            database,
            rules,
            unlisted,
            large_objects: rules.and_then(|rules| rules.large_objects).unwrap_or(policy),
            relations: database.relations.iter().map(|r| (r.oid, r)).collect(),
        }
    }

    pub(super) fn relation(&self, oid: Oid) -> Option<&'a Relation> {
        self.relations.get(&oid).copied()
    }

    pub(super) fn column(&self, id: ColumnId) -> Option<&'a Column> {
        self.relation(id.relation)?.attribute(id.attnum)
    }

    /// Tables that rules are for, partitions and children included.
    pub(super) fn tables(&self) -> impl Iterator<Item = &'a Relation> {
        self.database.relations.iter().filter(|relation| relation.kind.takes_rules())
    }

    /// Columns of the parents that hand `column` of `relation` down to it. A foreign table may be
    /// a parent, too, but takes no rules.
    pub(super) fn inherited_from(&self, relation: &Relation, column: &Column) -> Vec<ColumnId> {
        relation
            .parents
            .iter()
            .filter_map(|&parent| {
                let table = self.relation(parent).filter(|parent| parent.kind.takes_rules())?;
                let attnum = table.column(&column.name)?.attnum;
                Some(ColumnId { relation: parent, attnum })
            })
            .collect()
    }

    /// Columns that foreign keys make `id` refer to, with the keys' names.
    pub(super) fn references(&self, id: ColumnId) -> Vec<(&'a str, ColumnId)> {
        let keys = self.database.foreign_keys.iter();
        keys.flat_map(|key| {
            let own = joined_columns(key).filter(move |(column, _)| *column == id);
            own.map(|(_, referenced)| (key.name.as_str(), referenced))
        })
        .collect()
    }

    /// What a subject of the referenced table is called in the referencing one, where a foreign key
    /// of these columns joins both.
    pub(super) fn subject_across(
        &self,
        id: ColumnId,
        referenced: ColumnId,
        subject: &str,
    ) -> Option<String> {
        let joins = |key: &&ForeignKey| joined_columns(key).any(|pair| pair == (id, referenced));
        let keys = self.database.foreign_keys.iter().filter(joins);
        keys.filter_map(|key| subject_across(self, key, subject)).next()
    }

    /// `columns` of `relation`, with those that generated columns among them are over.
    pub(super) fn stored_columns(
        &self,
        relation: &Relation,
        columns: &BTreeSet<i16>,
    ) -> BTreeSet<i16> {
        let mut stored = columns.clone();
        for &attnum in columns {
            let generated = relation.attribute(attnum).and_then(|c| c.generated.as_ref());
            stored.extend(generated.iter().flat_map(|generated| &generated.columns));
        }
        stored
    }

    /// Stored generated columns over masked ones.
    pub(super) fn computed<'r>(
        &self,
        assignments: &Assignments,
        relation: &'r Relation,
    ) -> Vec<&'r Column> {
        let over_masked = |column: &&Column| {
            column.generated.as_ref().is_some_and(|generated| {
                generated.stored
                    && generated.columns.iter().any(|&over| assignments.is_masked(relation, over))
            })
        };
        relation.live_columns().filter(over_masked).collect()
    }

    /// True if the rules allow the table, or one above it, to be rebuilt through SQL.
    pub(super) fn allows_relayout(&self, relation: &Relation) -> bool {
        let Some(rules) = self.rules else { return false };
        let mut above = vec![relation];
        let mut seen = BTreeSet::new();
        while let Some(relation) = above.pop() {
            if rules.allow_relayout.contains(&relation.full_name()) {
                return true;
            }
            if seen.insert(relation.oid) {
                above.extend(relation.parents.iter().filter_map(|&parent| self.relation(parent)));
            }
        }
        false
    }

    /// `schema.table.column`, for messages.
    pub(super) fn name(&self, id: ColumnId) -> String {
        match (self.relation(id.relation), self.column(id)) {
            (Some(relation), Some(column)) => format!("{}.{}", relation.full_name(), column.name),
            _ => format!("{}.{}", id.relation, id.attnum),
        }
    }

    /// A refusal within this database.
    pub(super) fn refusal(
        &self,
        code: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Refusal {
        Refusal::new(code, message, remedy).database(&self.database.info.name)
    }

    /// A refusal that a table is the reason of.
    pub(super) fn table_refusal(
        &self,
        code: &'static str,
        relation: &Relation,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Refusal {
        self.refusal(code, message, remedy).table(relation.full_name())
    }

    /// A refusal that a column is the reason of.
    pub(super) fn column_refusal(
        &self,
        code: &'static str,
        id: ColumnId,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Refusal {
        let mut refusal = self.refusal(code, message, remedy);
        refusal.table = self.relation(id.relation).map(Relation::full_name);
        refusal.column = self.column(id).map(|column| column.name.clone());
        refusal
    }

    /// True if the database holds rows of a user's.
    pub(super) fn holds_data(&self) -> bool {
        self.database.large_objects > 0
            || self.database.relations.iter().any(|relation| {
                (relation.kind.takes_rules() || relation.kind == RelationKind::MaterializedView)
                    && relation.live_columns().next().is_some()
            })
    }
}
