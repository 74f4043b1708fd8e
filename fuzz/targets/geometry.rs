//! Types made of floating-point numbers.
#![no_main]

thinveil_fuzz::fuzz_masks!(
    [
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
    [Encoding::Utf8]
);
