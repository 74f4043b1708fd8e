//! `numeric`.
#![no_main]

thinveil_fuzz::fuzz_masks!([ValueType::Numeric], [Encoding::Utf8]);
