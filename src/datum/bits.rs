//! `bit(n)` and `bit varying`: a length in bits, then the bits, first one highest; utils/varbit.h.

use super::DatumError;

/// The bytes that hold the bits, and how many bits of the last one count (1 to 8).
pub(crate) fn open(value: &mut [u8]) -> Result<(&mut [u8], u32), DatumError> {
    let short = DatumError("a bit string is shorter than its header");
    let (header, bytes) = value.split_first_chunk_mut::<4>().ok_or(short)?;
    let bits = usize::try_from(i32::from_le_bytes(*header))
        .map_err(|_| DatumError("a bit string has a negative length"))?;
    if bits.div_ceil(8) != bytes.len() {
        return Err(DatumError("a bit string is not as long as its header says"));
    }
    let last = if bits.is_multiple_of(8) { 8 } else { bits % 8 };
    Ok((bytes, last as u32))
}

/// Zeroes what is behind the last bit.
pub(crate) fn pad(bytes: &mut [u8], last_bits: u32) {
    if let Some(last) = bytes.last_mut() {
        *last &= 0xFFu8.unbounded_shl(8 - last_bits.min(8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_behind_the_last_are_zero() {
        let mut value = [11, 0, 0, 0, 0xFF, 0xFF];
        let (bytes, last) = open(&mut value).unwrap();
        pad(bytes, last);
        assert_eq!(value, [11, 0, 0, 0, 0xFF, 0xE0]);
        let mut whole = [8, 0, 0, 0, 0xFF];
        let (bytes, last) = open(&mut whole).unwrap();
        pad(bytes, last);
        assert_eq!(whole, [8, 0, 0, 0, 0xFF]);
        assert_eq!(open(&mut [0; 4]).map(|(bytes, _)| bytes.len()), Ok(0));
    }

    #[test]
    fn rejects_lengths_that_do_not_fit() {
        for mut value in [vec![], vec![1, 0, 0], vec![9, 0, 0, 0, 0], vec![0xFF; 6]] {
            assert!(open(&mut value).is_err());
        }
    }
}
