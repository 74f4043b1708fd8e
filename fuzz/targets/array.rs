//! Arrays.
#![no_main]

use thinveil::datum::ValueType;
use thinveil::mask::ColumnMask;
use thinveil::rules::MaskName;
use thinveil_fuzz::{Masks, array, composite, spec, text};

thinveil_fuzz::fuzz_masks!(Masks::new([
    array(-1, 4, text()),
    array(4, 4, ColumnMask::Value(spec(MaskName::Integer, ValueType::Int4))),
    array(1, 1, ColumnMask::Value(spec(MaskName::Redact, ValueType::Bool))),
    array(-1, 8, composite()),
]));
