//! Types made of floating-point numbers.
#![no_main]

use thinveil::datum::{Encoding, ValueType};
use thinveil_fuzz::Masks;

thinveil_fuzz::fuzz_masks!(Masks::of(
    &[
        ValueType::Point,
        ValueType::Lseg,
        ValueType::Box,
        ValueType::Line,
        ValueType::Path,
        ValueType::Polygon,
        ValueType::Circle,
        ValueType::Cube,
        ValueType::Vector,
        ValueType::Halfvec,
    ],
    &[Encoding::Utf8]
));
