//! Mask plan over segments: every page of every planned relation, in parallel and in place.
//!
//! A rewritten page is a pure function of the raw page, the plan and the key. Nothing here opens
//! a table by name or talks to a server.

mod by_row;
mod fork;
mod heap;
mod job;
mod maps;
mod masked;
mod missing;
mod multixact;
mod nulls;
mod packed;
mod page;
mod pass;
mod relation;
mod segments;
mod shuffle;
mod sorter;
mod structured;
mod toast;
mod toast_values;
mod visibility;

pub use job::{RewriteJob, RewriteReport, SmallDomain};
pub use nulls::NullCounts;
pub use segments::{PlannedSegment, SegmentReport, SegmentRewriter, ToastMap};
pub use shuffle::ShuffleReport;
