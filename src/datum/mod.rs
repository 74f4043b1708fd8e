//! Stored values by type: what their bytes mean, and which bytes are a valid value.
//!
//! Knows no key and no page. Bytes are those after a varlena header, or the fixed-width value,
//! little-endian as on every platform that thinveil runs on.

pub(crate) mod array;
pub(crate) mod bits;
pub(crate) mod composite;
pub(crate) mod compressed;
pub mod condition;
mod constant;
pub(crate) mod cube;
pub(crate) mod document;
pub(crate) mod encoding;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod geometry;
pub(crate) mod hstore;
pub(crate) mod integer;
pub(crate) mod interval;
pub(crate) mod json;
pub(crate) mod jsonb;
pub(crate) mod jsonpath;
mod labels;
pub(crate) mod letter_order;
mod literal;
pub(crate) mod ltree;
pub(crate) mod network;
pub(crate) mod numeric;
pub(crate) mod range;
pub(crate) mod snapshot;
pub(crate) mod structure;
pub(crate) mod temporal;
pub(crate) mod text;
pub(crate) mod tsquery;
pub(crate) mod tsvector;
pub(crate) mod vector;
pub(crate) mod xml;

use serde::{Deserialize, Serialize};

pub(crate) use constant::Constant;
pub use encoding::Encoding;
pub use labels::EnumLabels;
pub(crate) use literal::Literal;
#[cfg(feature = "sql")]
pub(crate) use literal::instant;
pub use structure::{Field, Layout, Part, Structure};

/// Bytes that are no value of their type. Says what is wrong with them, never what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DatumError(pub &'static str);

/// A type whose stored values masks know, domains already resolved to what they are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// `text` and `varchar`.
    Text,
    /// `char(n)`: padded with blanks, which are not part of the value.
    Bpchar,
    /// `smallint`.
    Int2,
    /// `integer`.
    Int4,
    /// `bigint`.
    Int8,
    /// `numeric`.
    Numeric,
    /// `real`.
    Float4,
    /// `double precision`.
    Float8,
    /// `boolean`.
    Bool,
    /// `date`: days since 2000-01-01.
    Date,
    /// `time`: microseconds since midnight.
    Time,
    /// `timestamp`: microseconds since 2000-01-01.
    Timestamp,
    /// `timestamptz`: microseconds since 2000-01-01 UTC.
    TimestampTz,
    /// `uuid`.
    Uuid,
    /// `citext`: text whose `=` ignores case.
    Citext,
    /// `name`: at most 63 bytes in 64, NULs behind them.
    Name,
    /// `"char"`: one byte.
    Char,
    /// `oid`.
    Oid,
    /// `xid8`.
    Xid8,
    /// `pg_lsn`.
    PgLsn,
    /// `pg_snapshot` and `txid_snapshot`.
    Snapshot,
    /// `money`: the smallest units of the currency.
    Money,
    /// `timetz`: microseconds since midnight, seconds west of Greenwich.
    TimeTz,
    /// `interval`: microseconds, days, months.
    Interval,
    /// `inet`.
    Inet,
    /// `cidr`: an `inet` without host bits.
    Cidr,
    /// `macaddr`.
    Macaddr,
    /// `macaddr8`.
    Macaddr8,
    /// `bytea`.
    Bytea,
    /// `bit(n)` and `bit varying`.
    Bit,
    /// Every `CREATE TYPE … AS ENUM`: the oid of a label.
    Enum,
    /// `jsonpath`.
    Jsonpath,
    /// `point`.
    Point,
    /// `lseg`.
    Lseg,
    /// `box`.
    Box,
    /// `line`.
    Line,
    /// `path`.
    Path,
    /// `polygon`.
    Polygon,
    /// `circle`.
    Circle,
    /// `cube`.
    Cube,
    /// `ltree`.
    Ltree,
    /// `vector` of pgvector.
    Vector,
    /// `halfvec` of pgvector.
    Halfvec,
}

impl ValueType {
    /// The type with this name in `pg_type.typname` (schema `pg_catalog`).
    pub fn from_typname(name: &str) -> Option<ValueType> {
        Some(match name {
            "text" | "varchar" => ValueType::Text,
            "bpchar" => ValueType::Bpchar,
            "int2" => ValueType::Int2,
            "int4" => ValueType::Int4,
            "int8" => ValueType::Int8,
            "numeric" => ValueType::Numeric,
            "float4" => ValueType::Float4,
            "float8" => ValueType::Float8,
            "bool" => ValueType::Bool,
            "date" => ValueType::Date,
            "time" => ValueType::Time,
            "timestamp" => ValueType::Timestamp,
            "timestamptz" => ValueType::TimestampTz,
            "uuid" => ValueType::Uuid,
            "name" => ValueType::Name,
            "char" => ValueType::Char,
            "oid" => ValueType::Oid,
            "xid8" => ValueType::Xid8,
            "pg_lsn" => ValueType::PgLsn,
            "pg_snapshot" | "txid_snapshot" => ValueType::Snapshot,
            "money" => ValueType::Money,
            "timetz" => ValueType::TimeTz,
            "interval" => ValueType::Interval,
            "inet" => ValueType::Inet,
            "cidr" => ValueType::Cidr,
            "macaddr" => ValueType::Macaddr,
            "macaddr8" => ValueType::Macaddr8,
            "bytea" => ValueType::Bytea,
            "bit" | "varbit" => ValueType::Bit,
            "jsonpath" => ValueType::Jsonpath,
            "point" => ValueType::Point,
            "lseg" => ValueType::Lseg,
            "box" => ValueType::Box,
            "line" => ValueType::Line,
            "path" => ValueType::Path,
            "polygon" => ValueType::Polygon,
            "circle" => ValueType::Circle,
            _ => return None,
        })
    }

    /// The type with this name that comes with this extension, in whatever schema.
    pub fn from_extension(extension: &str, name: &str) -> Option<ValueType> {
        Some(match (extension, name) {
            ("citext", "citext") => ValueType::Citext,
            ("cube", "cube") => ValueType::Cube,
            ("ltree", "ltree") => ValueType::Ltree,
            ("vector", "vector") => ValueType::Vector,
            ("vector", "halfvec") => ValueType::Halfvec,
            _ => return None,
        })
    }
}

impl ValueType {
    /// Every type there is, in the order of the declaration.
    pub const ALL: [ValueType; 43] = [
        ValueType::Text,
        ValueType::Bpchar,
        ValueType::Int2,
        ValueType::Int4,
        ValueType::Int8,
        ValueType::Numeric,
        ValueType::Float4,
        ValueType::Float8,
        ValueType::Bool,
        ValueType::Date,
        ValueType::Time,
        ValueType::Timestamp,
        ValueType::TimestampTz,
        ValueType::Uuid,
        ValueType::Citext,
        ValueType::Name,
        ValueType::Char,
        ValueType::Oid,
        ValueType::Xid8,
        ValueType::PgLsn,
        ValueType::Snapshot,
        ValueType::Money,
        ValueType::TimeTz,
        ValueType::Interval,
        ValueType::Inet,
        ValueType::Cidr,
        ValueType::Macaddr,
        ValueType::Macaddr8,
        ValueType::Bytea,
        ValueType::Bit,
        ValueType::Enum,
        ValueType::Jsonpath,
        ValueType::Point,
        ValueType::Lseg,
        ValueType::Box,
        ValueType::Line,
        ValueType::Path,
        ValueType::Polygon,
        ValueType::Circle,
        ValueType::Cube,
        ValueType::Ltree,
        ValueType::Vector,
        ValueType::Halfvec,
    ];

    /// True for what text masks go with: characters, and nothing but them and padding.
    pub fn is_text(self) -> bool {
        matches!(self, ValueType::Text | ValueType::Bpchar | ValueType::Citext | ValueType::Name)
    }

    /// True for whole numbers, those without a sign among them.
    pub(crate) fn is_whole(self) -> bool {
        self.is_unsigned()
            || matches!(
                self,
                ValueType::Int2 | ValueType::Int4 | ValueType::Int8 | ValueType::Money
            )
    }

    /// True for whole numbers without a sign.
    pub(crate) fn is_unsigned(self) -> bool {
        matches!(self, ValueType::Oid | ValueType::Xid8 | ValueType::PgLsn)
    }

    /// True if a stored value may have no bytes at all.
    pub(crate) fn may_be_empty(self) -> bool {
        matches!(self, ValueType::Text | ValueType::Bpchar | ValueType::Citext | ValueType::Bytea)
    }

    /// The width of a stored value in bytes; `None` for a varlena.
    pub fn width(self) -> Option<usize> {
        match self {
            ValueType::Text
            | ValueType::Bpchar
            | ValueType::Citext
            | ValueType::Numeric
            | ValueType::Snapshot
            | ValueType::Inet
            | ValueType::Cidr
            | ValueType::Bytea
            | ValueType::Bit
            | ValueType::Jsonpath
            | ValueType::Path
            | ValueType::Polygon
            | ValueType::Cube
            | ValueType::Ltree
            | ValueType::Vector
            | ValueType::Halfvec => None,
            ValueType::Bool | ValueType::Char => Some(1),
            ValueType::Int2 => Some(2),
            ValueType::Int4
            | ValueType::Float4
            | ValueType::Date
            | ValueType::Oid
            | ValueType::Enum => Some(4),
            ValueType::Macaddr => Some(6),
            ValueType::Int8
            | ValueType::Float8
            | ValueType::Time
            | ValueType::Timestamp
            | ValueType::TimestampTz
            | ValueType::Xid8
            | ValueType::PgLsn
            | ValueType::Money
            | ValueType::Macaddr8 => Some(8),
            ValueType::TimeTz => Some(12),
            ValueType::Uuid | ValueType::Interval | ValueType::Point => Some(16),
            ValueType::Line | ValueType::Circle => Some(24),
            ValueType::Lseg | ValueType::Box => Some(32),
            ValueType::Name => Some(64),
        }
    }
}
