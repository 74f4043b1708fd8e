//! Varlenas with a form of their own.
#![no_main]

thinveil_fuzz::fuzz_masks!(
    [
        ValueType::Inet,
        ValueType::Cidr,
        ValueType::Bytea,
        ValueType::Bit,
        ValueType::Ltree,
        ValueType::Jsonpath,
        ValueType::Snapshot,
    ],
    [Encoding::Utf8]
);
