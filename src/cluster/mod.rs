//! A PostgreSQL data directory: its control file and segments.

mod control;
mod file_map;
mod segments;

pub use control::{ClusterState, ControlFile, ServerLimits};
pub use file_map::{FileAttribute, FileMap, FileOwner};
pub use segments::{Segment, segments};
