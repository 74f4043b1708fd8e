//! The rule set.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{MaskName, Parts};

/// A checked rule file.
#[derive(Clone, Debug)]
pub struct RuleSet {
    /// What happens to a column that no rule names.
    pub unlisted: Unlisted,
    /// What happens to a database that has no section.
    pub unlisted_databases: UnlistedDatabases,
    /// Libraries that a clone may preload.
    pub allow_preload: Vec<String>,
    /// Rules by database name.
    pub databases: BTreeMap<String, DatabaseRules>,
    /// blake3 of the rule file's bytes, in hex: what the manifest names as `rules_hash`.
    pub hash: String,
}

impl RuleSet {
    /// A rule set made by a program. Its hash is that of its [`RuleSet::to_toml`].
    pub fn new(
        unlisted: Unlisted,
        allow_preload: Vec<String>,
        databases: BTreeMap<String, DatabaseRules>,
    ) -> RuleSet {
        let mut rules = RuleSet {
            unlisted,
            unlisted_databases: UnlistedDatabases::Deny,
            allow_preload,
            databases,
            hash: String::new(),
        };
        rules.hash = blake3::hash(rules.to_toml().as_bytes()).to_hex().to_string();
        rules
    }

    /// What happens to an unlisted column of this database.
    pub fn unlisted_in(&self, database: &str) -> Unlisted {
        self.databases.get(database).and_then(|rules| rules.unlisted).unwrap_or(self.unlisted)
    }
}

/// What happens to a column that no rule names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unlisted {
    /// The snapshot is refused.
    #[default]
    Deny,
    /// The column is kept as it is.
    Keep,
}

/// What happens to a database that has no section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnlistedDatabases {
    /// Its columns are unlisted ones.
    #[default]
    Deny,
    /// It is dropped from the snapshot.
    Drop,
}

/// What happens to the large objects of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LargeObjects {
    /// If there are any, the snapshot is refused.
    Deny,
    /// Their bytes are zeroed where they lie.
    Blank,
    /// They stay.
    Keep,
}

/// What happens to a schema object whose code holds originals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectRule {
    /// They stay there, and the audit looks for them nowhere.
    Keep,
    /// They are replaced by what the column's mask makes of them.
    Rewrite,
}

/// Rules of one database, by `schema.table`.
#[derive(Clone, Debug, Default)]
pub struct DatabaseRules {
    /// The database is dropped from the snapshot; there are no other rules then.
    pub drop: bool,
    /// What happens to its large objects, if not what `unlisted` says.
    pub large_objects: Option<LargeObjects>,
    /// Columns that together may tell people apart, by `schema.table`: how well they do is measured.
    pub quasi_identifiers: BTreeMap<String, Vec<String>>,
    /// What happens to objects whose code holds an original value of a masked column, by kind and
    /// identity as `pg_identify_object` gives them: `view public.vip`.
    pub objects: BTreeMap<String, ObjectRule>,
    /// Comments on the database's objects stay; the audit searches them like everything else.
    pub keep_comments: bool,
    /// Tables that may be rebuilt through SQL, as `schema.table`: their layout is not kept then.
    pub allow_relayout: BTreeSet<String>,
    /// What happens to a column of this database that no rule names, if not what
    /// [`RuleSet::unlisted`] says.
    pub unlisted: Option<Unlisted>,
    /// Rules by `schema.table`.
    pub tables: BTreeMap<String, TableRules>,
}

/// Rules of one table, by column.
pub type TableRules = BTreeMap<String, ColumnRule>;

/// What happens to one column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnRule {
    /// Which mask; `Text` where `parts` says it part by part.
    pub mask: MaskName,
    /// Rules for the parts of a structured value.
    pub parts: Option<Box<Parts>>,
    /// Which domain; the mask's own name where the rule names none.
    pub domain: Option<String>,
    /// The column of the same row that says whose the value is: its original value is part of what
    /// the mask depends on.
    pub subject: Option<String>,
    /// Columns of the same row, masked as names, that the value is made of: given name first.
    pub persona: Vec<String>,
    /// In which rows the mask is applied; all of them, if there is no condition.
    pub when: Option<Box<When>>,
    /// The mask's own options.
    pub options: MaskOptions,
    /// The user's word that masked values satisfy the CHECK constraints on this column.
    pub confirm_check: bool,
    /// The user's word that a kept column may hold values that another column masks.
    pub accept_originals: bool,
}

/// A condition on the row, and what happens where it is not true.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// An SQL expression over columns of the row.
    pub condition: String,
    /// The rule for rows in which it is false or null; it has no condition, subject or parts.
    pub otherwise: ColumnRule,
}

impl ColumnRule {
    /// A rule that names a mask and nothing else.
    pub fn new(mask: MaskName) -> ColumnRule {
        ColumnRule {
            mask,
            parts: None,
            domain: None,
            subject: None,
            persona: Vec::new(),
            when: None,
            options: MaskOptions::default(),
            confirm_check: false,
            accept_originals: false,
        }
    }

    /// The domain that the rule's mask belongs to.
    pub fn domain(&self) -> &str {
        self.domain.as_deref().unwrap_or(self.mask.as_str())
    }
}

/// Options of masks. Which mask takes which is checked when the rule file is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskOptions {
    /// Dictionary language: `en`, `fr`, `de`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// `date_shift`: at most so many days away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// `timestamp_shift`: at most so many seconds away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// `constant`: the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `email`, `username`: a permutation, so that no two values mask to one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
    /// `partial`: so many characters at the start stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_first: Option<u32>,
    /// `partial`: so many characters at the end stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_last: Option<u32>,
    /// `national_id`: whose numbers they are: `us`, `gb`, `fr`, `de`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// `noise`: the distance's scale as a share of the value (0.1 is ten per cent).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// `noise`: the distance's scale as a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// `noise`: `uniform`, `laplace` or `gaussian`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// `bucket` on numbers: what they become multiples of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<f64>,
    /// `bucket` on dates and times: `month`, `year`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// `latitude`, `longitude`: at most so many metres away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meters: Option<f64>,
    /// `ip`: so many bits of an address stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_bits: Option<u8>,
    /// `shuffle`: what becomes of values that no other value can take the place of: `deny`, `keep`,
    /// `blank` or `redact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone: Option<String>,
}

impl MaskOptions {
    /// The options that are given, by name.
    pub(crate) fn given(&self) -> serde_json::Map<String, serde_json::Value> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(given)) => given,
            _ => serde_json::Map::new(),
        }
    }
}
