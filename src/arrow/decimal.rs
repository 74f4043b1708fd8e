//! Arrow's decimals as stored `numeric`s: base-10000 digits; utils/adt/numeric.c.
//!
//! A decimal with a scale is what `numeric(p, s)` stores: `dscale` is the scale, zero digits at
//! either end are left out, the header is the short one (its limits are beyond a decimal's).

const SHORT: u16 = 0x8000;
const NEGATIVE: u16 = 0x2000;
const DSCALE_SHIFT: u32 = 7;
const WEIGHT: u16 = 0x007F;
const BASE: u128 = 10_000;

/// Appends the stored form of `number` × 10^-`scale`.
pub(super) fn store(number: i128, scale: u32, out: &mut Vec<u8>) {
    // Digits of base 10000 are counted from the decimal point.
    let pad = (4 - scale % 4) % 4;
    let magnitude = number.unsigned_abs();
    // Up to 38 digits and 3 more do not fit: the last digit is cut off first.
    let cut = 10u128.pow(4 - pad);
    let mut digits = Vec::with_capacity(11);
    let mut rest = magnitude;
    if pad > 0 {
        digits.push((rest % cut * 10u128.pow(pad)) as u16);
        rest /= cut;
    }
    while rest > 0 {
        digits.push((rest % BASE) as u16);
        rest /= BASE;
    }
    let fraction_digits = scale.div_ceil(4) as i32;
    while digits.last() == Some(&0) {
        digits.pop();
    }
    let weight = if digits.is_empty() { 0 } else { digits.len() as i32 - fraction_digits - 1 };
    let trailing = digits.iter().take_while(|&&digit| digit == 0).count();
    let mut header = SHORT | (scale as u16) << DSCALE_SHIFT | weight as u16 & WEIGHT;
    if number < 0 {
        header |= NEGATIVE;
    }
    out.extend(header.to_le_bytes());
    for digit in digits.iter().skip(trailing).rev() {
        out.extend(digit.to_le_bytes());
    }
}

/// The number of a stored form that [`store`] made with this scale, masked since: its weight, scale
/// and number of digits are the same. `None` if it does not fit.
pub(super) fn load(stored: &[u8], scale: u32) -> Option<i128> {
    let (header, digits) = stored.split_first_chunk::<2>()?;
    let header = u16::from_le_bytes(*header);
    let weight = {
        let bits = i32::from(header & WEIGHT);
        if bits >= 64 { bits - 128 } else { bits }
    };
    let mut number: i128 = 0;
    let mut power = weight;
    for digit in digits.as_chunks::<2>().0 {
        let digit = i128::from(u16::from_le_bytes(*digit));
        // The digit's last place, in places behind the point of the decimal.
        let places = 4 * power + scale as i32;
        let part = if places >= 0 {
            digit.checked_mul(10i128.checked_pow(places as u32)?)?
        } else {
            let cut = 10i128.pow(places.unsigned_abs());
            if digit % cut != 0 {
                return None;
            }
            digit / cut
        };
        number = number.checked_add(part)?;
        power -= 1;
    }
    Some(if header & NEGATIVE != 0 { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(number: i128, scale: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        store(number, scale, &mut bytes);
        bytes
    }

    #[test]
    fn stored_forms_are_postgresqls() {
        assert_eq!(stored(0, 0), [0x00, 0x80]);
        assert_eq!(stored(0, 2), [0x00, 0x81]);
        assert_eq!(stored(7, 0), [0x00, 0x80, 7, 0]);
        assert_eq!(stored(1234, 2), [0x00, 0x81, 12, 0, 0x48, 0x0D]);
        assert_eq!(stored(-1234, 2), [0x00, 0xA1, 12, 0, 0x48, 0x0D]);
        assert_eq!(stored(199_995, 1), [0x81, 0x80, 1, 0, 0x0F, 0x27, 0x88, 0x13]);
        // 10000: one digit of weight 1. 0.00005 with five places: weight -2.
        assert_eq!(stored(10_000, 0), [0x01, 0x80, 1, 0]);
        assert_eq!(stored(5, 5), [0xFE, 0x82, 0x88, 0x13]);
    }

    #[test]
    fn what_was_stored_comes_back() {
        let largest = 10i128.pow(38) - 1;
        for scale in 0..=38 {
            for number in [0, 1, -1, 99, 10_000, 12_345_678, -100_000_000, largest, -largest] {
                assert_eq!(load(&stored(number, scale), scale), Some(number), "{number} {scale}");
            }
        }
    }

    #[test]
    fn digits_beyond_the_scale_are_told() {
        // 0.5 read as a whole number.
        assert_eq!(load(&stored(5, 1), 0), None);
    }
}
