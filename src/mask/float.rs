//! `real` and `double precision`: noise within the decade.

use std::sync::LazyLock;

use super::prf::Prf;
use crate::datum::{DatumError, integer};

/// Powers of ten, as the nearest doubles. Parsed, since `powi` differs between machines.
static POWERS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    (-323..=308).filter_map(|exponent| format!("1e{exponent}").parse().ok()).collect()
});

/// Moves a float by at most `noise` times itself, keeping sign and decade; NaN, infinities and
/// zeros stay.
pub(crate) fn noise(value: &mut [u8], noise: f64, prf: &Prf) -> Result<(), DatumError> {
    let float = integer::read_float(value)?;
    if !float.is_finite() || float == 0.0 {
        return Ok(());
    }
    let moved = moved(float, noise, prf);
    if let Ok(bytes) = <&mut [u8; 4]>::try_from(&mut *value) {
        let narrow = (moved as f32).clamp(f32::MIN, f32::MAX);
        let bits = another(narrow.to_bits().into(), u32::from_le_bytes(*bytes).into());
        *bytes = (bits as u32).to_le_bytes();
    } else if let Ok(bytes) = <&mut [u8; 8]>::try_from(&mut *value) {
        *bytes = another(moved.to_bits(), u64::from_le_bytes(*bytes)).to_le_bytes();
    }
    Ok(())
}

/// A finite number that is not zero, moved by at most `noise` times itself within its decade.
pub(crate) fn moved(float: f64, noise: f64, prf: &Prf) -> f64 {
    let mut stream = prf.stream(&float.to_le_bytes());
    let unit = (stream.next() >> 11) as f64 / (1u64 << 53) as f64;
    clamp(float, float.abs() * (1.0 + noise * (2.0 * unit - 1.0)))
}

/// The magnitude within the decade of `float`, with its sign.
fn clamp(float: f64, magnitude: f64) -> f64 {
    let above = POWERS.partition_point(|&power| power <= float.abs());
    let low = above.checked_sub(1).and_then(|at| POWERS.get(at)).copied();
    let low = low.unwrap_or(f64::MIN_POSITIVE.min(float.abs()));
    let high = POWERS.get(above).map_or(f64::MAX, |power| power.next_down());
    magnitude.clamp(low, high.max(low)).copysign(float)
}

/// `bits`, or the neighbour that is no zero where they are those of the original, or of a zero.
fn another(bits: u64, original: u64) -> u64 {
    match bits {
        same if same == original => match same & 0xFFFF {
            0 | 1 => same + 1,
            _ => same - 1,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;

    #[test]
    fn noise_keeps_sign_and_decade_and_moves() {
        let prf = Prf::new(&MaskKey::from_bytes([4; 32]), MaskName::Numeric, "test");
        for float in [1.0, -1.0, 9.99, 1e308, f64::MAX, 5e-324, 1e-310, 0.1, -123_456.75] {
            let mut value = f64::to_le_bytes(float);
            noise(&mut value, 0.1, &prf).unwrap();
            let to = f64::from_le_bytes(value);
            assert!(to.is_finite() && to != 0.0 && to != float, "{float} {to}");
            assert_eq!(to.signum(), float.signum());
        }
        for float in [f32::MAX, f32::from_bits(1), 1.5, -2.0e-40] {
            let mut value = float.to_le_bytes();
            noise(&mut value, 0.1, &prf).unwrap();
            let to = f32::from_le_bytes(value);
            assert!(to.is_finite() && to != float, "{float} {to}");
        }
    }

    #[test]
    fn what_is_no_number_stays() {
        let prf = Prf::new(&MaskKey::from_bytes([4; 32]), MaskName::Numeric, "test");
        for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0] {
            let mut value = float.to_le_bytes();
            noise(&mut value, 1.0, &prf).unwrap();
            assert_eq!(value, float.to_le_bytes());
        }
    }
}
