//! Fixed-width numbers: read as the widest, written back at their width.

use super::DatumError;

/// A `smallint`, `integer` or `bigint`, by the width of its bytes.
pub(crate) fn read(value: &[u8]) -> Result<i64, DatumError> {
    match *value {
        [a, b] => Ok(i64::from(i16::from_le_bytes([a, b]))),
        [a, b, c, d] => Ok(i64::from(i32::from_le_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Ok(i64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => Err(DatumError("an integer is not 2, 4 or 8 bytes wide")),
    }
}

/// An unsigned number of 32 or 64 bits, and the largest of its width.
pub(crate) fn read_unsigned(value: &[u8]) -> Result<(u64, u64), DatumError> {
    match *value {
        [a, b, c, d] => Ok((u32::from_le_bytes([a, b, c, d]).into(), u32::MAX.into())),
        [a, b, c, d, e, f, g, h] => Ok((u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::MAX)),
        _ => Err(DatumError("a number without sign is not 4 or 8 bytes wide")),
    }
}

/// Writes `number` over `value`, which [`read`] accepted. The number must fit its width: the low
/// bytes of its two's complement are the value.
pub(crate) fn write(value: &mut [u8], number: i64) {
    for (to, from) in value.iter_mut().zip(number.to_le_bytes()) {
        *to = from;
    }
}

/// A `real` or `double precision`, by the width of its bytes.
pub(crate) fn read_float(value: &[u8]) -> Result<f64, DatumError> {
    match *value {
        [a, b, c, d] => Ok(f64::from(f32::from_le_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Ok(f64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => Err(DatumError("a float is not 4 or 8 bytes wide")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_at_every_width() {
        for number in [0, 1, -1, 127, -128, 32767, -32768] {
            for width in [2, 4, 8] {
                let mut bytes = vec![0; width];
                write(&mut bytes, number);
                assert_eq!(read(&bytes), Ok(number));
            }
        }
    }

    #[test]
    fn rejects_odd_widths() {
        for width in [0, 1, 3, 5, 7, 9] {
            assert!(read(&vec![0; width]).is_err());
            assert!(read_float(&vec![0; width]).is_err());
        }
    }
}
