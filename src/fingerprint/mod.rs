//! Fingerprints of values: what the leak audit knows of originals and of masked output.
//!
//! All values of all masked columns, and no value: a fingerprint is a keyed hash. They are collected
//! while values are masked, gathered into sets of distinct ones, searched for in bytes, and sealed
//! beside the snapshot for later audits.

mod beginnings;
mod bucket;
mod collect;
mod gathered;
mod hash;
mod lookup;
mod seal;
mod sealed;
mod search;
mod set;
mod sorted;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use beginnings::Beginnings;
pub use collect::{Collector, Limits, Notes};
pub use gathered::{ColumnName, Gathered};
pub use lookup::Original;
pub use seal::SealKey;
pub(crate) use search::{Candidates, Match};
pub(crate) use set::FingerprintSet;
pub(crate) use value::Class;
