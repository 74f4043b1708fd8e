//! The catalog's structs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::datum::ValueType;
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
    /// `datallowconn`.
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
    /// Large objects (`pg_largeobject_metadata`).
    pub large_objects: i64,
}

/// `pg_class.relkind` of what holds columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelationKind {
    /// `r`: an ordinary table, a leaf partition too.
    Table,
    /// `p`: a partitioned table; has no storage.
    PartitionedTable,
    /// `m`
    MaterializedView,
    /// `v`
    View,
    /// `f`: its rows are elsewhere.
    ForeignTable,
    /// `S`
    Sequence,
}

impl RelationKind {
    /// For messages: `materialized view`.
    pub fn noun(self) -> &'static str {
        match self {
            RelationKind::Table => "table",
            RelationKind::PartitionedTable => "partitioned table",
            RelationKind::MaterializedView => "materialized view",
            RelationKind::View => "view",
            RelationKind::ForeignTable => "foreign table",
            RelationKind::Sequence => "sequence",
        }
    }

    /// True for what rules are written for.
    pub fn takes_rules(self) -> bool {
        matches!(self, RelationKind::Table | RelationKind::PartitionedTable)
    }
}

/// `pg_class.relpersistence`; temporary relations are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// `p`
    Permanent,
    /// `u`
    Unlogged,
}

/// A relation that holds columns.
#[derive(Clone, Debug)]
pub struct Relation {
    /// `pg_class.oid`.
    pub oid: Oid,
    /// `nspname`.
    pub schema: String,
    /// `relname`.
    pub name: String,
    /// `relkind`.
    pub kind: RelationKind,
    /// `relpersistence`.
    pub persistence: Persistence,
    /// `amname`, for what has storage or hands it down.
    pub access_method: Option<String>,
    /// `pg_relation_filepath`: first segment of the main fork, relative to the data directory.
    pub path: Option<PathBuf>,
    /// TOAST table.
    pub toast: Option<Toast>,
    /// Every attribute in `attnum` order, dropped ones included, system columns not.
    pub columns: Vec<Column>,
    /// What it inherits from or is a partition of.
    pub parents: Vec<Oid>,
    /// `relispartition`.
    pub is_partition: bool,
    /// Of a partitioned table.
    pub partition_key: Option<PartitionKey>,
    /// False for a materialized view made `WITH NO DATA`.
    pub is_populated: bool,
    /// `reltuples`; negative if never counted.
    pub estimated_rows: f64,
    /// The extension that made it.
    pub extension: Option<String>,
}

impl Relation {
    /// `schema.name`, as rule files write it.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// `"schema"."name"`, as SQL takes it.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quote_ident(&self.schema), quote_ident(&self.name))
    }

    /// Columns that are not dropped.
    pub fn live_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.dropped)
    }

    /// The live column with this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.live_columns().find(|column| column.name == name)
    }

    /// The column with this `attnum`.
    pub fn attribute(&self, attnum: i16) -> Option<&Column> {
        self.columns.iter().find(|column| column.attnum == attnum)
    }
}

/// A TOAST table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// `pg_class.oid`.
    pub oid: Oid,
    /// First segment of its main fork, relative to the data directory.
    pub path: PathBuf,
}

/// A row of `pg_attribute`.
#[derive(Clone, Debug)]
pub struct Column {
    /// `attnum`, from 1.
    pub attnum: i16,
    /// `attname`.
    pub name: String,
    /// `attisdropped`.
    pub dropped: bool,
    /// `attlen`.
    pub attlen: i16,
    /// `attalign` in bytes.
    pub align: u8,
    /// What the values are stored as: domains are resolved to what they are over. Dropped columns
    /// have none.
    pub base_type: Option<TypeName>,
    /// Domains between the column and its base type, outermost first.
    pub domains: Vec<Oid>,
    /// `format_type`: the declared type, for messages.
    pub declared_type: String,
    /// `attnotnull`.
    pub not_null: bool,
    /// `attidentity` is set.
    pub is_identity: bool,
    /// `GENERATED ALWAYS AS (…)`.
    pub generated: Option<Generated>,
    /// `atthasmissing`.
    pub has_missing: bool,
}

impl Column {
    /// The stored type, if masks know it.
    pub fn value_type(&self) -> Option<ValueType> {
        let base = self.base_type.as_ref()?;
        (base.schema == "pg_catalog").then(|| ValueType::from_typname(&base.name)).flatten()
    }
}

/// A type's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName {
    /// Schema.
    pub schema: String,
    /// `typname`.
    pub name: String,
}

/// A generated column's expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// True if the result is stored; PostgreSQL 18 also computes it on reading.
    pub stored: bool,
    /// Columns it is over.
    pub columns: BTreeSet<i16>,
}

/// `PARTITION BY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionKey {
    /// Columns in it, those in expressions too.
    pub columns: BTreeSet<i16>,
    /// `RANGE (created_at)`.
    pub definition: String,
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

/// A name as SQL takes it, always quoted.
fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
