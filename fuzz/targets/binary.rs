//! Varlenas with a form of their own.
#![no_main]

use thinveil::datum::{Encoding, ValueType};
use thinveil_fuzz::Masks;

thinveil_fuzz::fuzz_masks!(Masks::of(
    &[
        ValueType::Inet,
        ValueType::Cidr,
        ValueType::Bytea,
        ValueType::Bit,
        ValueType::Ltree,
        ValueType::Jsonpath,
        ValueType::Snapshot,
    ],
    &[Encoding::Utf8]
));
