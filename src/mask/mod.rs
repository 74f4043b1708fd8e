//! Masks: keyed, deterministic functions from a stored value to a value of the same stored length.
//!
//! Sees no page and no table: a value goes in as its stored bytes without varlena header, and is
//! changed in place. What each mask keeps and what it shows is in `docs/masks.md`.
//!
//! ```
//! use thinveil::datum::{Encoding, EnumLabels, ValueType};
//! use thinveil::mask::{Mask, MaskKey, MaskSpec};
//! use thinveil::rules::{MaskName, MaskOptions};
//!
//! let spec = MaskSpec {
//!     mask: MaskName::Email,
//!     domain: "email".into(),
//!     value_type: ValueType::Text,
//!     encoding: Encoding::Utf8,
//!     options: MaskOptions::default(),
//!     labels: EnumLabels::default(),
//! };
//! let mask = Mask::compile(&spec, &MaskKey::from_bytes([7; 32]))?;
//! let mut value = b"jane.doe@production.com".to_vec();
//! mask.masker().apply(&mut value)?;
//! assert_eq!(value.len(), "jane.doe@production.com".len());
//! assert!(value[11..].starts_with(b"@example."));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod any;
mod bucket;
mod bytes;
mod card;
mod caseless;
mod coded_letters;
mod coordinates;
mod custom;
mod decimal;
mod dictionary;
mod digits;
mod email;
#[cfg(test)]
mod encoding_tests;
mod filler;
mod fixed;
mod grammar;
mod hand;
mod iban;
mod integer;
mod ip;
mod ip_text;
mod key;
mod label;
mod letters;
mod lexicon;
mod locale;
mod mac;
mod masker;
mod memo;
mod national_id;
mod noise;
mod overlay;
mod partial;
mod permutation;
mod persona;
mod phone;
mod prf;
mod rounds;
mod shift;
mod shuffle;
mod span;
mod spec;
mod structured;
mod subject;
mod support;
mod unique;
mod url;
mod username;
mod uuid;
mod witness;
mod words;
mod zero;

pub use crate::datum::DatumError;
pub use any::AnyMask;
pub use custom::CustomMask;
use fixed::write_zero;
pub use key::{KeyId, MaskKey};
pub use masker::{Mask, Masker};
pub(crate) use persona::Names;
pub(crate) use shuffle::{Cycle, Shuffler};
pub use spec::MaskSpec;
pub(crate) use structured::regularize;
pub use structured::{
    Alone, ColumnMask, ColumnMasker, FieldMask, PathAction, PathMasks, PathTree, ScalarMask,
    ShuffleMask, UnknownPaths, bounds_need_permutation, takes_bounds,
};
pub(crate) use subject::{
    canonical as canonical_subject, canonical_text as canonical_subject_text,
};
pub use subject::{is_subject_type, shift_is_injective};
pub(crate) use support::is_injective_ignoring_case;
pub use support::{check_options, is_injective, suited_masks, supports};
pub use witness::{NoWitness, Witness};
