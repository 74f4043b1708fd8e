//! A PostgreSQL data directory, and the servers that run on it.

pub mod binaries;
mod bootstrap;
pub mod catalog;
pub mod config;
mod control;
mod file_map;
pub(crate) mod launch;
mod leading;
mod names;
mod process;
pub mod sandbox;
mod segments;
pub mod server;
mod settings;
mod single_user;
mod sql;

pub use bootstrap::superuser_names;
pub use control::{ClusterState, ControlFile};
pub use file_map::{FileAttribute, FileMap, FileOwner, is_relation_file};
pub use names::RelationNames;
pub use process::{Postmaster, end_all, find_postmaster};
pub(crate) use segments::segment_path;
pub use segments::{Segment, segments};
pub use single_user::{Printed, SingleUser};
pub use sql::{quote_ident, quote_literal, sql_error};
