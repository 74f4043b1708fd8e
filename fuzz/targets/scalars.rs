//! Types of a fixed width: numbers, dates and times, identifiers.
#![no_main]

thinveil_fuzz::fuzz_masks!(
    ValueType::ALL.into_iter().filter(|it| it.width().is_some()).collect::<Vec<_>>(),
    [Encoding::Utf8]
);
