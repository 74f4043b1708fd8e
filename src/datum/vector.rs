//! `vector` and `halfvec` of pgvector: a count of dimensions, then single or half floats.

use super::{DatumError, ValueType};

/// The elements of a value, as bytes, and the width of each.
pub(crate) fn elements(
    value: &mut [u8],
    value_type: ValueType,
) -> Result<(&mut [u8], usize), DatumError> {
    let width = if value_type == ValueType::Halfvec { 2 } else { 4 };
    let short = DatumError("a vector is shorter than its header");
    // `dim`, and two bytes that are not used.
    let ([low, high, _, _], elements) = value.split_first_chunk_mut::<4>().ok_or(short)?;
    let count = usize::try_from(i16::from_le_bytes([*low, *high])).unwrap_or(0);
    if count == 0 || elements.len() != count * width {
        return Err(DatumError("a vector has another number of dimensions than it says"));
    }
    Ok((elements, width))
}

/// Largest finite half float.
const HALF_MAX: u16 = 0x7BFF;

/// A finite half float; IEEE 754 binary16. `None` for infinities and NaN.
pub(crate) fn read_half(bits: u16) -> Option<f64> {
    let magnitude = bits & 0x7FFF;
    if magnitude > HALF_MAX {
        return None;
    }
    let (exponent, fraction) = (magnitude >> 10, f64::from(magnitude & 0x3FF));
    let scaled = |value: f64, exponent: u16| value * f64::from(1u32 << exponent);
    // Units of 2^-24, of which every half float is a multiple.
    let units = match exponent {
        0 => fraction,
        _ => scaled(1024.0 + fraction, exponent - 1),
    };
    let value = units / f64::from(1u32 << 24);
    Some(if bits & 0x8000 == 0 { value } else { -value })
}

/// The half float with the largest magnitude that is not above that of `value`.
pub(crate) fn write_half(value: f64) -> u16 {
    let (mut low, mut high) = (0, HALF_MAX);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if read_half(middle).is_some_and(|half| half <= value.abs()) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low | if value.is_sign_negative() { 0x8000 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_float_is_written_as_it_was_read() {
        for bits in (0..=HALF_MAX).chain(0x8000..=0x8000 | HALF_MAX) {
            assert_eq!(write_half(read_half(bits).unwrap()), bits);
        }
        assert_eq!(read_half(0x3C00), Some(1.0));
        assert_eq!(read_half(0xC248), Some(-3.140625));
        assert_eq!(read_half(0x0001), Some(2f64.powi(-24)));
        assert_eq!(read_half(HALF_MAX), Some(65504.0));
        assert_eq!(read_half(0x7C00), None);
        assert_eq!(write_half(1e9), HALF_MAX);
    }

    #[test]
    fn rejects_counts_that_do_not_fit() {
        let count = |value_type, mut value: Vec<u8>| {
            elements(&mut value, value_type).map(|(bytes, width)| bytes.len() / width).ok()
        };
        assert_eq!(count(ValueType::Vector, vec![1, 0, 0, 0, 9, 9, 9, 9]), Some(1));
        assert_eq!(count(ValueType::Halfvec, vec![2, 0, 0, 0, 9, 9, 9, 9]), Some(2));
        for value in [vec![], vec![1, 0, 0], vec![2, 0, 0, 0, 9, 9, 9, 9], vec![0xFF; 8]] {
            assert_eq!(count(ValueType::Vector, value), None);
        }
        assert_eq!(count(ValueType::Vector, vec![0; 4]), None);
    }
}
