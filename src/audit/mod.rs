//! Leak audit: the search of every byte of a volume for original values.
//!
//! Originals are known by their fingerprints alone; a report says where they were found, never what
//! they are.

mod cell;
mod digits;
mod findings;
mod forms;
mod job;
mod runs;
mod scan;
mod target;
#[cfg(test)]
mod tests;
mod toast;
mod words;

pub use job::{AuditJob, AuditReport};
