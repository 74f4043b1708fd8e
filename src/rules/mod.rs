//! What the user wrote: which column gets which mask, what is kept, what happens to the rest.
//!
//! Knows no catalog: whether a table exists is the planner's business.

mod guess;
mod import;
mod json_path;
mod leaks;
mod mask_name;
mod nearest;
mod parts;
mod read;
mod read_database;
mod read_parts;
mod rule_set;
mod write;

pub use guess::{Guess, guess};
#[cfg(feature = "sql")]
pub use import::import_security_labels;
pub use import::{import, import_greenmask};
pub use json_path::{JsonPath, NoPath, Step};
pub use leaks::{Leaks, Order};
pub use mask_name::{MaskName, UnknownMask};
pub use nearest::{did_you_mean, nearest};
pub use parts::{PartDefault, Parts};
pub use rule_set::{
    ColumnRule, DatabaseRules, LargeObjects, MaskOptions, ObjectRule, RuleSet, TableRules,
    Unlisted, UnlistedDatabases, When,
};
pub use write::{database_header, object_line, objects_header, rule_line, table_header};
