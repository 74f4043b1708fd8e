//! Masks: keyed, deterministic functions from a stored value to a value of the same stored length.
//!
//! Sees no page and no table: a value goes in as its stored bytes without varlena header, and is
//! changed in place.

mod key;
mod spec;

pub use key::{KeyId, MaskKey};
pub use spec::MaskSpec;
