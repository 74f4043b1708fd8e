//! Stored values by type: what their bytes mean, and which bytes are a valid value.

use serde::{Deserialize, Serialize};

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
