//! Text of any encoding.
#![no_main]

use thinveil::datum::{Encoding, ValueType};
use thinveil_fuzz::Masks;

thinveil_fuzz::fuzz_masks!(Masks::of(
    &[ValueType::Text, ValueType::Bpchar, ValueType::Citext, ValueType::Name, ValueType::Char],
    &[Encoding::Utf8, Encoding::SqlAscii, Encoding::Latin1, Encoding::EucJp]
));
