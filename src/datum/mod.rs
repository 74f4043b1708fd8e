//! Stored values by type: what their bytes mean, and which bytes are a valid value.
//!
//! Knows no key and no page. Bytes are those after a varlena header, or the fixed-width value,
//! little-endian as on every platform that thinveil runs on.

pub(crate) mod compressed;
pub(crate) mod integer;
mod literal;
pub(crate) mod numeric;
pub(crate) mod temporal;
pub(crate) mod text;

use serde::{Deserialize, Serialize};

pub(crate) use literal::Literal;

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
            _ => return None,
        })
    }
}

impl ValueType {
    /// Every type there is, in the order of the declaration.
    pub const ALL: [ValueType; 14] = [
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
    ];

    /// The width of a stored value in bytes; `None` for a varlena.
    pub fn width(self) -> Option<usize> {
        match self {
            ValueType::Text | ValueType::Bpchar | ValueType::Numeric => None,
            ValueType::Bool => Some(1),
            ValueType::Int2 => Some(2),
            ValueType::Int4 | ValueType::Float4 | ValueType::Date => Some(4),
            ValueType::Int8
            | ValueType::Float8
            | ValueType::Time
            | ValueType::Timestamp
            | ValueType::TimestampTz => Some(8),
            ValueType::Uuid => Some(16),
        }
    }
}
