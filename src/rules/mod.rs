//! What the user wrote: which column gets which mask, what is kept, what happens to the rest.
//!
//! Knows no catalog: whether a table exists is the planner's business.

mod rule_set;

pub use rule_set::{
    ColumnRule, DatabaseRules, MaskName, MaskOptions, RuleSet, TableRules, Unlisted,
};
