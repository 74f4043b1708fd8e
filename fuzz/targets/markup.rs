//! Texts with a syntax: `json` and `xml`.
#![no_main]

use thinveil::datum::ValueType;
use thinveil::mask::ColumnMask;
use thinveil::rules::MaskName;
use thinveil_fuzz::{Masks, paths, spec};

thinveil_fuzz::fuzz_masks!(Masks::new([
    ColumnMask::Json(paths()),
    ColumnMask::Xml(spec(MaskName::Text, ValueType::Text)),
]));
