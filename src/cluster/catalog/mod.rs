//! What a cluster holds: databases, relations, columns, indexes, constraints and what derives
//! from what.
//!
//! The structs are plain and public, so that a plan can be tried against a catalog that no server
//! has. [`read_cluster`] and [`read_database`] fill them from a live server; no row of a user's
//! table is ever read.

mod code;
mod model;
mod node_tree;
mod read_cluster;
mod read_database;
mod read_objects;
mod relation;
#[cfg(test)]
pub(crate) mod sample;
mod sql;
mod types;
mod value;

pub(crate) use code::code_with_text;
pub use model::{
    Catalog, CheckConstraint, ClusterInfo, Database, DatabaseInfo, Derivation, Domain,
    ExtendedStatistics, ForeignKey, Index, Role, Tablespace,
};
pub use read_cluster::read_cluster;
pub use read_database::read_database;
pub use relation::{
    Collation, Column, Generated, MissingValue, PartitionKey, Persistence, Relation, RelationKind,
    Toast, TypeName,
};
