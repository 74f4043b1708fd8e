//! Leak audit: the search of every byte of the staging volume for original values.
//!
//! Original values are held in memory for as long as the search lasts; a report says where they
//! were found, never what they are.

mod locate;
mod patterns;
mod scan;

pub use scan::{AuditJob, AuditReport};
