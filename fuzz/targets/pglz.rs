//! pglz: garbage decoded, and text encoded and decoded again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| thinveil::datum::fuzzing::pglz(data));
