//! What databases share and hold, relations and their columns aside.

use std::collections::{BTreeMap, BTreeSet};

use super::relation::Relation;
use crate::ids::{Oid, PgMajor};

/// Everything the planner looks at.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// What all databases share.
    pub cluster: ClusterInfo,
    /// The databases that could be read, in name order.
    pub databases: Vec<Database>,
}

/// What all databases of a cluster share.
#[derive(Clone, Debug)]
pub struct ClusterInfo {
    /// The server's major version.
    pub major: PgMajor,
    /// Every database, those that allow no connections too, in name order.
    pub databases: Vec<DatabaseInfo>,
    /// Tablespaces, in name order.
    pub tablespaces: Vec<Tablespace>,
    /// Roles, in name order.
    pub roles: Vec<Role>,
}

/// A row of `pg_database`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseInfo {
    /// `pg_database.oid`.
    pub oid: Oid,
    /// `datname`.
    pub name: String,
    /// `encoding` by name: `UTF8`, `LATIN1`, `SQL_ASCII`.
    pub encoding: String,
    /// `datallowconn`, and thinveil can connect.
    pub allows_connections: bool,
    /// `datistemplate`.
    pub is_template: bool,
}

/// A row of `pg_tablespace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tablespace {
    /// `pg_tablespace.oid`.
    pub oid: Oid,
    /// `spcname`.
    pub name: String,
}

/// A row of `pg_roles`: no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// `pg_authid.oid`.
    pub oid: Oid,
    /// `rolname`.
    pub name: String,
    /// `rolcanlogin`.
    pub can_login: bool,
    /// `rolsuper`.
    pub is_superuser: bool,
}

/// What one database holds besides PostgreSQL's own catalogs.
#[derive(Clone, Debug)]
pub struct Database {
    /// Which database.
    pub info: DatabaseInfo,
    /// Tables, views, sequences, foreign tables, in `schema.name` order.
    pub relations: Vec<Relation>,
    /// Indexes on those, in `schema.name` order.
    pub indexes: Vec<Index>,
    /// Foreign keys, in order of their table and name. Those that partitions have from their
    /// parents are left out.
    pub foreign_keys: Vec<ForeignKey>,
    /// CHECK constraints of tables, in order of their table and name.
    pub checks: Vec<CheckConstraint>,
    /// Domains, by oid.
    pub domains: BTreeMap<Oid, Domain>,
    /// What views and materialized views read.
    pub derivations: Vec<Derivation>,
    /// `CREATE STATISTICS` objects.
    pub statistics: Vec<ExtendedStatistics>,
    /// Objects of users' making that hold code, by kind and identity: `view public.vip`.
    pub code: std::collections::BTreeSet<String>,
    /// Large objects (`pg_largeobject_metadata`).
    pub large_objects: i64,
    /// Where their bytes are, those of removed ones too: the first segment of `pg_largeobject`,
    /// relative to the data directory; `None` if it is empty.
    pub pg_largeobject: Option<std::path::PathBuf>,
    /// `pg_attribute` itself: its rows hold the missing values of columns.
    pub pg_attribute: CatalogTable,
}

/// How a catalog of PostgreSQL's own is stored.
#[derive(Clone, Debug, Default)]
pub struct CatalogTable {
    /// First segment of its main fork, relative to the data directory.
    pub path: std::path::PathBuf,
    /// Its columns in `attnum` order: name, `attlen`, alignment in bytes.
    pub columns: Vec<(String, i16, u8)>,
}

/// An index, partitioned ones too.
#[derive(Clone, Debug)]
pub struct Index {
    /// `pg_class.oid`.
    pub oid: Oid,
    /// Its table.
    pub table: Oid,
    /// `nspname`.
    pub schema: String,
    /// `relname`.
    pub name: String,
    /// `amname`.
    pub access_method: String,
    /// `indisunique`.
    pub unique: bool,
    /// `indisprimary`.
    pub primary: bool,
    /// Of an exclusion constraint: the operator of each key column.
    pub exclusion_operators: Option<Vec<String>>,
    /// `indisvalid`.
    pub valid: bool,
    /// Relkind `I`: has no storage, its partitions' indexes have.
    pub partitioned: bool,
    /// The partitioned index that it belongs to.
    pub parent: Option<Oid>,
    /// `indkey` without the included columns: 0 stands for an expression.
    pub keys: Vec<i16>,
    /// Columns that are key columns by themselves.
    pub key_columns: BTreeSet<i16>,
    /// `INCLUDE`.
    pub include_columns: BTreeSet<i16>,
    /// Columns in key expressions.
    pub expression_columns: BTreeSet<i16>,
    /// Columns in the predicate.
    pub predicate_columns: BTreeSet<i16>,
    /// `WHERE`, without the word.
    pub predicate: Option<String>,
    /// Columns that only `pg_depend` knows of.
    pub other_columns: BTreeSet<i16>,
    /// A key column's collation holds different strings to be equal.
    pub nondeterministic_collation: bool,
    /// `NULLS NOT DISTINCT`: two NULLs are equal to it.
    pub nulls_not_distinct: bool,
    /// `pg_get_indexdef`.
    pub definition: String,
}

impl Index {
    /// Every column that the index's content depends on.
    pub fn columns(&self) -> BTreeSet<i16> {
        [
            &self.key_columns,
            &self.include_columns,
            &self.expression_columns,
            &self.predicate_columns,
            &self.other_columns,
        ]
        .into_iter()
        .flatten()
        .copied()
        .collect()
    }

    /// True if it refuses rows for what other rows hold.
    pub fn enforces(&self) -> bool {
        self.unique || self.exclusion_operators.is_some()
    }
}

/// A foreign key.
#[derive(Clone, Debug)]
pub struct ForeignKey {
    /// `conname`.
    pub name: String,
    /// The referencing table.
    pub table: Oid,
    /// Its columns.
    pub columns: Vec<i16>,
    /// The referenced table.
    pub referenced_table: Oid,
    /// Its columns, in the same order.
    pub referenced_columns: Vec<i16>,
    /// `MATCH FULL`: of several columns all are NULL, or none.
    pub match_full: bool,
}

/// A CHECK constraint.
#[derive(Clone, Debug)]
pub struct CheckConstraint {
    /// `conname`.
    pub name: String,
    /// Its table; `None` for a domain's.
    pub table: Option<Oid>,
    /// Columns in it; none for a domain's.
    pub columns: BTreeSet<i16>,
    /// True if a parent has it too.
    pub inherited: bool,
    /// The condition, without `CHECK`.
    pub expression: String,
}

/// A domain.
#[derive(Clone, Debug)]
pub struct Domain {
    /// `schema.name`.
    pub name: String,
    /// Its CHECK constraints.
    pub checks: Vec<CheckConstraint>,
}

/// What one view or materialized view reads.
#[derive(Clone, Debug)]
pub struct Derivation {
    /// The view.
    pub view: Oid,
    /// Relations it reads.
    pub reads: BTreeSet<Oid>,
    /// It calls a function whose body PostgreSQL does not look into: it may read anything.
    pub opaque: bool,
}

/// A `CREATE STATISTICS` object.
#[derive(Clone, Debug)]
pub struct ExtendedStatistics {
    /// `pg_statistic_ext.oid`.
    pub oid: Oid,
    /// Its table.
    pub table: Oid,
    /// `nspname`.
    pub schema: String,
    /// `stxname`.
    pub name: String,
    /// Columns in it, those in expressions too.
    pub columns: BTreeSet<i16>,
}
