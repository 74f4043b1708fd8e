//! Text of any encoding.
#![no_main]

thinveil_fuzz::fuzz_masks!(
    [ValueType::Text, ValueType::Bpchar, ValueType::Citext, ValueType::Name, ValueType::Char],
    [Encoding::Utf8, Encoding::SqlAscii, Encoding::Latin1, Encoding::EucJp]
);
