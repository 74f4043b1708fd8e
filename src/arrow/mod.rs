//! Masks for Arrow arrays and record batches: the same values become the same as on PostgreSQL's
//! pages, byte for byte.
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow_array::{ArrayRef, RecordBatch, StringArray, cast::AsArray};
//! use thinveil::arrow::TableMask;
//! use thinveil::mask::MaskKey;
//! use thinveil::rules::RuleSet;
//!
//! let names: ArrayRef = Arc::new(StringArray::from(vec![Some("Anna"), None]));
//! let towns: ArrayRef = Arc::new(StringArray::from(vec!["Jena", "Gera"]));
//! let batch = RecordBatch::try_from_iter([("name", names), ("town", towns)])?;
//!
//! let rules = RuleSet::from_toml(
//!     r#"
//!     version = 1
//!     [databases.shop.tables."public.customers"]
//!     name = "first_name"
//!     town = "keep"
//!     "#,
//! )?;
//! let masks = TableMask::new(&rules, None)?.bind(&batch.schema(), &MaskKey::generate()?)?;
//! let masked = masks.mask(&batch)?;
//! let name = masked.column(0).as_string::<i32>();
//! assert_eq!(name.value_length(0), 4);
//! assert!(name.value(0) != "Anna" && name.is_null(1));
//! # use arrow_array::Array;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A mask is for the stored type that an Arrow type stands for: utf8, large utf8 and utf8 view for
//! `text`; binary for `bytea`; int16, int32, int64, uint32 and uint64 for `int2`, `int4`, `int8`,
//! `oid` and `xid8`; float32, float64, bool; date32 and date64 for `date`; time and timestamp of any
//! unit for `time`, `timestamp` and `timestamptz`; decimal128 for `numeric`; 16 bytes of fixed size
//! for `uuid`; dictionaries and lists of these.
//!
//! Nulls, offsets and keys are shared with the input, values are copied once. Nulls stay; what lies
//! under them is zeroed. `arrow-array` and `arrow-schema` are part of this module's API: a new major
//! of theirs is one of thinveil's.

mod array;
mod decimal;
mod error;
mod scalar;
mod table;
mod types;

use arrow_array::{Array, ArrayRef};

pub use self::error::{Cause, MaskError, Result};
pub use self::table::{BoundTable, MaskedReader, TableMask};
use crate::mask::AnyMask;

/// Masks one array. It is checked first, since it may have come from elsewhere.
///
/// # Errors
/// [`Cause::Type`] if the mask is not for values of this type; [`Cause::Malformed`]; a value that
/// has no masked value.
pub fn mask_array(mask: &AnyMask, array: &ArrayRef) -> Result<ArrayRef> {
    array.to_data().validate_full()?;
    array::mask(mask, array)
}

#[cfg(test)]
mod tests;
