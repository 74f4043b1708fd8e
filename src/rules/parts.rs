//! Rules for the parts of a structured value.

use std::collections::BTreeMap;

use super::{ColumnRule, JsonPath};

/// Rules for the parts of a value; for those of each element, where the column is an array.
#[derive(Clone, Debug, PartialEq)]
pub enum Parts {
    /// `paths`: scalars of a `json` or `jsonb`, by path.
    Paths(BTreeMap<JsonPath, ColumnRule>, PartDefault),
    /// `keys`: values of an `hstore`, by key.
    Keys(BTreeMap<String, ColumnRule>, PartDefault),
    /// `fields`: fields of a composite, by name. Each of them has a rule.
    Fields(BTreeMap<String, ColumnRule>),
}

/// What happens to a part that no rule names.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum PartDefault {
    /// The snapshot is refused.
    #[default]
    Deny,
    /// It has this rule.
    Rule(Box<ColumnRule>),
}
