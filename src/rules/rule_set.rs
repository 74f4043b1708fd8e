//! The rule set and its TOML form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A checked rule file.
#[derive(Clone, Debug)]
pub struct RuleSet {
    /// What happens to a column that no rule names.
    pub unlisted: Unlisted,
    /// Libraries that a clone may preload.
    pub allow_preload: Vec<String>,
    /// Rules by database name.
    pub databases: BTreeMap<String, DatabaseRules>,
    /// blake3 of the rule file's bytes, in hex: what the manifest names as `rules_hash`.
    pub hash: String,
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

/// Rules of one database, by `schema.table`.
#[derive(Clone, Debug, Default)]
pub struct DatabaseRules {
    /// Rules by `schema.table`.
    pub tables: BTreeMap<String, TableRules>,
}

/// Rules of one table, by column.
pub type TableRules = BTreeMap<String, ColumnRule>;

/// What happens to one column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnRule {
    /// Which mask.
    pub mask: MaskName,
    /// Which domain; the mask's own name where the rule names none.
    pub domain: Option<String>,
    /// The mask's own options.
    pub options: MaskOptions,
    /// The user's word that masked values satisfy the CHECK constraints on this column.
    pub confirm_check: bool,
    /// The user's word that a kept column may hold values that another column masks.
    pub accept_originals: bool,
}

/// The masks there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskName {
    /// Leave the value as it is.
    Keep,
    /// A given name of the same length.
    FirstName,
    /// A family name of the same length.
    LastName,
    /// A given and a family name of the same length.
    FullName,
    /// An address in a reserved domain.
    Email,
    /// Other digits in the same places.
    Phone,
    /// A house number and a street.
    StreetAddress,
    /// A city.
    City,
    /// A company.
    Company,
    /// Word-like filler.
    Text,
    /// One filler character throughout, or the type's zero.
    Redact,
    /// One given value, cut or padded.
    Constant,
    /// A keyed permutation of the digits. Injective.
    Digits,
    /// A keyed permutation of digits and letters, each within its class. Injective.
    Alphanumeric,
    /// A keyed permutation of whole numbers with as many digits, or noise.
    Integer,
    /// A keyed permutation of numbers with as many digits, or noise.
    Numeric,
    /// A date some days away.
    DateShift,
    /// A timestamp or time some seconds away.
    TimestampShift,
    /// A keyed permutation of UUIDs. Injective.
    Uuid,
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
    /// `integer`, `numeric`: noise of at most this share of the value (0.1 is ten per cent)
    /// instead of a permutation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
}
