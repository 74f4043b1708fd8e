//! A PostgreSQL data directory: its control file and segments.

mod control;
mod segments;

pub use control::{ClusterState, ControlFile, ServerLimits};
pub use segments::{Segment, segments};
