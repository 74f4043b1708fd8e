//! `numeric`.
#![no_main]

use thinveil::datum::{Encoding, ValueType};
use thinveil_fuzz::Masks;

thinveil_fuzz::fuzz_masks!(Masks::of(&[ValueType::Numeric], &[Encoding::Utf8]));
