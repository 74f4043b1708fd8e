//! UUIDs: permuted among those of the same version and variant; RFC 9562.

use super::digits::Scratch;
use super::permutation::Permuter;
use super::prf::Prf;
use crate::datum::DatumError;

/// Byte whose high nibble is the version.
const VERSION: usize = 6;
/// Byte whose high bits are the variant: 0, 10, 110 or 111.
const VARIANT: usize = 8;

/// Permutes a UUID; version nibble and variant bits stay.
pub(crate) fn permute(
    value: &mut [u8],
    prf: &Prf,
    permuter: &mut Permuter,
    scratch: &mut Scratch,
) -> Result<(), DatumError> {
    if value.len() != 16 {
        return Err(DatumError("a UUID is not 16 bytes wide"));
    }
    scratch.clear();
    for (at, &byte) in value.iter().enumerate() {
        let kept = byte & kept_bits(at, byte);
        let radix = 256 >> kept_bits(at, byte).count_ones();
        scratch.push(kept, radix, u32::from(byte - kept));
    }
    scratch.permute(permuter, prf);
    for ((byte, &kept), &digit) in value.iter_mut().zip(&scratch.tweak).zip(&scratch.row) {
        *byte = kept | digit as u8;
    }
    Ok(())
}

/// The high bits of a byte that stay.
fn kept_bits(at: usize, byte: u8) -> u8 {
    match (at, byte.leading_ones()) {
        (VERSION, _) => 0xF0,
        (VARIANT, 0) => 0x80,
        (VARIANT, 1) => 0xC0,
        (VARIANT, _) => 0xE0,
        _ => 0,
    }
}
