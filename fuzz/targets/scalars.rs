//! Types of a fixed width: numbers, dates and times, identifiers.
#![no_main]

use thinveil::datum::{Encoding, ValueType};
use thinveil_fuzz::Masks;

thinveil_fuzz::fuzz_masks!(Masks::of(
    &ValueType::ALL.into_iter().filter(|it| it.width().is_some()).collect::<Vec<_>>(),
    &[Encoding::Utf8]
));
