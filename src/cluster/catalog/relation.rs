//! Relations and their columns.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use crate::datum::{EnumLabels, Structure, ValueType};
use crate::ids::Oid;

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
    /// How its values are put together, where they have parts; otherwise unknown.
    pub structure: Structure,
    /// Domains between the column and its base type, outermost first, and those of its parts.
    pub domains: Vec<Oid>,
    /// `format_type`: the declared type, for messages.
    pub declared_type: String,
    /// `attnotnull`.
    pub not_null: bool,
    /// The domain that says NOT NULL, where the column's type is one, or over one.
    pub not_null_domain: Option<String>,
    /// `attidentity` is set.
    pub is_identity: bool,
    /// `GENERATED ALWAYS AS (…)`.
    pub generated: Option<Generated>,
    /// `atthasmissing`.
    pub has_missing: bool,
    /// How its text is compared.
    pub collation: Collation,
    /// `attmissingval`, as text.
    pub missing: Option<MissingValue>,
}

/// What a collation says of two strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collation {
    /// `C`: they are compared byte by byte.
    Bytewise,
    /// They are equal if their bytes are.
    Deterministic,
    /// Different bytes may be equal.
    Nondeterministic,
}

/// The value that rows written before `ADD COLUMN … DEFAULT` have, as text. `Debug` does not show
/// it.
#[derive(Clone, PartialEq, Eq)]
pub struct MissingValue(pub String);

impl fmt::Debug for MissingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MissingValue({} bytes)", self.0.len())
    }
}

impl Column {
    /// The stored type, if masks know it.
    pub fn value_type(&self) -> Option<ValueType> {
        self.base_type.as_ref()?.value_type()
    }
}

/// A type's name, and what else tells it from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeName {
    /// Schema.
    pub schema: String,
    /// `typname`.
    pub name: String,
    /// The extension that it comes with.
    pub extension: Option<String>,
    /// Of an `enum`: its labels.
    pub labels: Option<EnumLabels>,
}

impl TypeName {
    /// The stored type, if masks know it.
    pub fn value_type(&self) -> Option<ValueType> {
        if self.labels.is_some() {
            return Some(ValueType::Enum);
        }
        match &self.extension {
            Some(extension) => ValueType::from_extension(extension, &self.name),
            None if self.schema == "pg_catalog" => ValueType::from_typname(&self.name),
            None => None,
        }
    }
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

/// A name as SQL takes it, always quoted.
fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
