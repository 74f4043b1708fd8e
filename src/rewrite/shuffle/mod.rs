//! Columns whose values change places among their rows.
//!
//! A first pass over the heap gathers the values of live rows by class: those stored in the same
//! form and as many bytes can stand in for each other without moving anything else on a page. In
//! each class a keyed cycle says which row gets whose value ([`Shuffler`](crate::mask::Shuffler)).
//! The pass that masks everything else then writes them. What counts is a row's number in its class,
//! in the order of the heap: threads have no say in it.
//!
//! The column's live rows end up with the values that they began with, each as often as before.
//! Other row versions are no part of that, and hold none of their own values afterwards.

mod class;
mod column;
mod gather;
mod report;
mod store;

pub(super) use column::{Fate, ShuffledColumn, given_pointer};
pub(super) use gather::{Shuffles, gather, is_shuffled};
pub use report::ShuffleReport;
pub(super) use report::{refuse_alone, reports};
