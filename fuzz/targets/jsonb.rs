//! `jsonb`.
#![no_main]

use thinveil::mask::ColumnMask;
use thinveil_fuzz::{Masks, paths};

thinveil_fuzz::fuzz_masks!(Masks::new([ColumnMask::Jsonb(paths())]));
