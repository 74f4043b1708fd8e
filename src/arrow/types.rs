//! Which stored type an Arrow type is.

use arrow_schema::{DataType, TimeUnit};

use crate::datum::ValueType;

/// The type that a mask has to be on for a column of this type, dictionaries and lists looked
/// through; the first is what a rule's mask is compiled for.
pub(super) fn stored_types(data_type: &DataType) -> &'static [ValueType] {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            &[ValueType::Text, ValueType::Bpchar, ValueType::Citext]
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => &[ValueType::Bytea],
        DataType::FixedSizeBinary(16) => &[ValueType::Uuid, ValueType::Bytea],
        DataType::FixedSizeBinary(6) => &[ValueType::Bytea, ValueType::Macaddr],
        DataType::FixedSizeBinary(8) => &[ValueType::Bytea, ValueType::Macaddr8],
        DataType::FixedSizeBinary(_) => &[ValueType::Bytea],
        DataType::Int16 => &[ValueType::Int2],
        DataType::Int32 => &[ValueType::Int4],
        DataType::Int64 => &[ValueType::Int8, ValueType::Money],
        DataType::UInt32 => &[ValueType::Oid],
        DataType::UInt64 => &[ValueType::Xid8, ValueType::PgLsn],
        DataType::Float32 => &[ValueType::Float4],
        DataType::Float64 => &[ValueType::Float8],
        DataType::Boolean => &[ValueType::Bool],
        DataType::Date32 | DataType::Date64 => &[ValueType::Date],
        DataType::Time32(TimeUnit::Second | TimeUnit::Millisecond)
        | DataType::Time64(TimeUnit::Microsecond | TimeUnit::Nanosecond) => &[ValueType::Time],
        DataType::Timestamp(_, None) => &[ValueType::Timestamp],
        DataType::Timestamp(_, Some(_)) => &[ValueType::TimestampTz],
        DataType::Decimal128(_, scale) if *scale >= 0 => &[ValueType::Numeric],
        DataType::Dictionary(_, value) => stored_types(value),
        DataType::List(field) | DataType::LargeList(field) => stored_types(field.data_type()),
        _ => &[],
    }
}
