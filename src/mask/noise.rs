//! Noise: a number some distance away, drawn from a stated distribution; and the same for degrees
//! of latitude and longitude.
//!
//! The sign stays: a distance past zero is folded back. Where a number ends up on itself it moves
//! by its smallest step.

use super::prf::{Prf, Stream};
use crate::datum::{DatumError, integer};

/// How distances are distributed, each about zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distribution {
    /// Evenly up to the scale, either way.
    Uniform,
    /// Laplace's, the scale its mean distance.
    Laplace,
    /// Normal, the scale its standard deviation.
    Gaussian,
}

/// The distributions, by the names that rules give them.
pub(crate) const DISTRIBUTIONS: [(&str, Distribution); 3] = [
    ("uniform", Distribution::Uniform),
    ("laplace", Distribution::Laplace),
    ("gaussian", Distribution::Gaussian),
];

/// What distances are measured by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scale {
    /// A share of the number.
    Share(f64),
    /// A number.
    Absolute(f64),
}

/// A compiled `noise`, `latitude` or `longitude`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise {
    pub(crate) distribution: Distribution,
    pub(crate) scale: Scale,
    /// The largest magnitude that results may have.
    pub(crate) limit: f64,
}

/// Metres in a degree of the equator or of a meridian.
const METERS_PER_DEGREE: f64 = 111_320.0;

impl Distribution {
    /// The distribution of this name.
    pub(crate) fn find(name: &str) -> Option<Distribution> {
        DISTRIBUTIONS.iter().find(|(known, _)| *known == name).map(|&(_, found)| found)
    }

    /// A distance at scale 1.
    fn draw(self, stream: &mut Stream) -> f64 {
        match self {
            Distribution::Uniform => 2.0 * unit(stream) - 1.0,
            Distribution::Laplace => {
                let sign = if stream.below(2) == 0 { -1.0 } else { 1.0 };
                sign * exponential(stream)
            }
            // Marsaglia's polar method: the first of two.
            Distribution::Gaussian => loop {
                let (x, y) = (2.0 * unit(stream) - 1.0, 2.0 * unit(stream) - 1.0);
                let square = x * x + y * y;
                if square > 0.0 && square < 1.0 {
                    return x * (-2.0 * libm::log(square) / square).sqrt();
                }
            },
        }
    }
}

/// From 0 up to, not including, 1.
fn unit(stream: &mut Stream) -> f64 {
    (stream.next() >> 11) as f64 / (1u64 << 53) as f64
}

/// Exponentially distributed with mean 1.
fn exponential(stream: &mut Stream) -> f64 {
    // The logarithm of a number that is never 0, from one library on every machine.
    -libm::log(1.0 - unit(stream))
}

impl Noise {
    /// Noise on degrees, at most so many metres along a meridian or the equator.
    pub(crate) fn degrees(meters: f64, limit: f64) -> Noise {
        let scale = Scale::Absolute(meters / METERS_PER_DEGREE);
        Noise { distribution: Distribution::Uniform, scale, limit }
    }

    /// A distance for a magnitude; `one` is 1 in its units. Never infinite.
    fn distance(&self, magnitude: f64, one: f64, stream: &mut Stream) -> f64 {
        let scale = match self.scale {
            Scale::Share(share) => magnitude * share,
            Scale::Absolute(scale) => scale * one,
        };
        (scale.min(f64::MAX) * self.distribution.draw(stream)).clamp(f64::MIN, f64::MAX)
    }

    /// Where a whole number of units moves to; `one` is 1 in units. All of its digits count, also
    /// those that a float has no room for.
    pub(crate) fn whole(&self, units: u64, one: f64, stream: &mut Stream) -> u64 {
        let distance = self.distance(units as f64, one, stream).round() as i128;
        let folded = i128::from(units).saturating_add(distance).unsigned_abs();
        // What lies beyond the limit already is no place on the globe, and is not brought there.
        let limit = (self.limit * one) as u128;
        let beyond = if u128::from(units) > limit { 0 } else { folded.saturating_sub(limit) };
        let within = folded.saturating_sub(beyond.saturating_mul(2));
        u64::try_from(within).unwrap_or(u64::MAX)
    }

    /// Where a magnitude moves to.
    fn real(&self, magnitude: f64, stream: &mut Stream) -> f64 {
        let folded = (magnitude + self.distance(magnitude, 1.0, stream)).abs();
        let limit = if magnitude > self.limit { f64::INFINITY } else { self.limit };
        let within = if folded > limit { 2.0 * limit - folded } else { folded };
        within.clamp(0.0, limit.min(f64::MAX))
    }

    /// Moves a whole number of any width.
    pub(crate) fn integer(&self, value: &mut [u8], stream: &mut Stream) -> Result<(), DatumError> {
        let number = integer::read(value)?;
        let bits = 8 * value.len() as u32 - 1;
        let negative = number < 0;
        let magnitude = number.unsigned_abs();
        let highest = (1u64 << bits) - u64::from(!negative);
        if magnitude == 0 && matches!(self.scale, Scale::Share(_)) {
            return Ok(());
        }
        let moved = self.whole(magnitude, 1.0, stream);
        let to = another(moved, magnitude, u64::from(magnitude > 0), highest, stream);
        integer::write(value, if negative { (to as i64).wrapping_neg() } else { to as i64 });
        Ok(())
    }

    /// Moves a number without sign of any width.
    pub(crate) fn unsigned(&self, value: &mut [u8], stream: &mut Stream) -> Result<(), DatumError> {
        let (number, most) = integer::read_unsigned(value)?;
        if number == 0 && matches!(self.scale, Scale::Share(_)) {
            return Ok(());
        }
        let moved = self.whole(number, 1.0, stream);
        let to = another(moved, number, u64::from(number > 0), most, stream);
        integer::write(value, to as i64);
        Ok(())
    }

    /// Where the magnitude of a float moves to; `None` if the float stays: NaN and infinities.
    pub(crate) fn magnitude(&self, float: f64, prf: &Prf) -> Option<f64> {
        let stays = float == 0.0 && matches!(self.scale, Scale::Share(_));
        let moves = float.is_finite() && !stays;
        moves.then(|| self.real(float.abs(), &mut prf.stream(&float.to_le_bytes())))
    }

    /// Moves a `real` or `double precision`.
    pub(crate) fn float(&self, value: &mut [u8], prf: &Prf) -> Result<(), DatumError> {
        let Some(moved) = self.magnitude(integer::read_float(value)?, prf) else { return Ok(()) };
        if let Ok(bytes) = <&mut [u8; 4]>::try_from(&mut *value) {
            let narrow = (moved as f32).min(f32::MAX).to_bits();
            let was = u32::from_le_bytes(*bytes);
            let to = beside(narrow.into(), (was & !(1 << 31)).into()) as u32;
            *bytes = (to | was & 1 << 31).to_le_bytes();
        } else if let Ok(bytes) = <&mut [u8; 8]>::try_from(&mut *value) {
            let was = u64::from_le_bytes(*bytes);
            let to = beside(moved.to_bits(), was & !(1 << 63));
            *bytes = (to | was & 1 << 63).to_le_bytes();
        }
        Ok(())
    }
}

/// `moved` within its bounds; a neighbour of the original's where it is the original.
pub(crate) fn another(moved: u64, original: u64, low: u64, high: u64, stream: &mut Stream) -> u64 {
    let to = moved.clamp(low, high.max(low));
    if to != original {
        return to;
    }
    let up = (original < high).then(|| original + 1);
    let down = original.checked_sub(1).filter(|&down| down >= low);
    let first = if stream.below(2) == 0 { up.or(down) } else { down.or(up) };
    first.unwrap_or(original)
}

/// The bits of a magnitude, or those of a neighbour where they are the original's or a zero's.
pub(crate) fn beside(bits: u64, original: u64) -> u64 {
    match bits {
        same if same == original && same > 1 => same - 1,
        0 | 1 if original == 1 => 2,
        0 => 1,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;

    fn prf() -> Prf {
        Prf::new(&MaskKey::from_bytes([4; 32]), MaskName::Noise, "test")
    }

    fn noise(distribution: Distribution, scale: Scale) -> Noise {
        Noise { distribution, scale, limit: f64::INFINITY }
    }

    #[test]
    fn distances_are_distributed_as_stated() {
        let mut stream = Stream::from_seed([5; 32]);
        // Mean, mean distance and variance of each at scale 1.
        for (name, mean_distance, variance) in [
            (Distribution::Uniform, 0.5, 1.0 / 3.0),
            (Distribution::Laplace, 1.0, 2.0),
            (Distribution::Gaussian, 0.797_884_56, 1.0),
        ] {
            let drawn: Vec<f64> = (0..200_000).map(|_| name.draw(&mut stream)).collect();
            let mean = |f: fn(f64) -> f64| drawn.iter().map(|x| f(*x)).sum::<f64>() / 2e5;
            assert!(mean(|x| x).abs() < 0.02, "{name:?}");
            assert!((mean(f64::abs) - mean_distance).abs() < 0.02, "{name:?}");
            assert!((mean(|x| x * x) - variance).abs() < 0.05, "{name:?}");
        }
    }

    #[test]
    fn whole_numbers_move_keep_their_sign_and_stay_near() {
        let uniform = noise(Distribution::Uniform, Scale::Share(0.1));
        for number in [1, 10, 99, 1000, 54_321, -700, i64::from(i32::MAX), i64::from(i32::MIN)] {
            let mut value = (number as i32).to_le_bytes();
            uniform.integer(&mut value, &mut prf().stream(&number.to_le_bytes())).unwrap();
            let to = i64::from(i32::from_le_bytes(value));
            assert!(to != number && to.signum() == number.signum(), "{number} {to}");
            assert!((to - number).abs() <= (number.abs() / 10 + 1).max(1), "{number} {to}");
        }
        let narrow = noise(Distribution::Uniform, Scale::Absolute(2.5));
        for number in (1i64 << 60)..(1 << 60) + 200 {
            let mut value = number.to_le_bytes();
            narrow.integer(&mut value, &mut prf().stream(&number.to_le_bytes())).unwrap();
            assert!((1..=3).contains(&i64::from_le_bytes(value).abs_diff(number)));
        }
        for number in [0u64, 1, u32::MAX.into(), 1 << 63, u64::MAX] {
            let mut value = number.to_le_bytes();
            uniform.unsigned(&mut value, &mut prf().stream(&number.to_le_bytes())).unwrap();
            let to = u64::from_le_bytes(value);
            assert_eq!(to == number, number == 0);
            assert!(to.abs_diff(number) <= number / 10 + 1);
            let Ok(narrow) = u32::try_from(number) else { continue };
            let mut value = narrow.to_le_bytes();
            uniform.unsigned(&mut value, &mut prf().stream(&number.to_le_bytes())).unwrap();
            assert_eq!(u32::from_le_bytes(value) == narrow, narrow == 0);
        }
        for number in [i64::MIN, i64::MAX, 0, 3] {
            let mut value = number.to_le_bytes();
            let wide = noise(Distribution::Laplace, Scale::Absolute(1e30));
            wide.integer(&mut value, &mut prf().stream(&number.to_le_bytes())).unwrap();
            let to = i64::from_le_bytes(value);
            assert!(to != number && (to < 0) == (number < 0));
        }
    }

    #[test]
    fn floats_move_keep_their_sign_and_stay_finite() {
        for distribution in DISTRIBUTIONS.map(|(_, distribution)| distribution) {
            for scale in [Scale::Share(0.1), Scale::Absolute(3.0), Scale::Absolute(f64::MAX)] {
                let noise = noise(distribution, scale);
                for float in [1.0, -1.0, 9.99, 1e308, f64::MAX, 5e-324, 1e-310, -123_456.75] {
                    let mut value = f64::to_le_bytes(float);
                    noise.float(&mut value, &prf()).unwrap();
                    let to = f64::from_le_bytes(value);
                    assert!(to.is_finite() && to != 0.0 && to != float, "{float} {to}");
                    assert_eq!(to.signum(), float.signum());
                }
                for float in [f32::MAX, f32::from_bits(1), f32::from_bits(2), 1.5, -2.0e-40] {
                    let mut value = float.to_le_bytes();
                    noise.float(&mut value, &prf()).unwrap();
                    let to = f32::from_le_bytes(value);
                    assert!(to.is_finite() && to != float, "{float} {to}");
                    assert_eq!(to.signum(), float.signum());
                }
            }
        }
        for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0] {
            let mut value = float.to_le_bytes();
            noise(Distribution::Uniform, Scale::Share(1.0)).float(&mut value, &prf()).unwrap();
            assert_eq!(value, float.to_le_bytes());
        }
    }

    #[test]
    fn degrees_stay_on_the_globe() {
        let latitude = Noise::degrees(50_000.0, 90.0);
        for step in -900..=900 {
            let degrees = f64::from(step) / 10.0;
            let mut value = degrees.to_le_bytes();
            latitude.float(&mut value, &prf()).unwrap();
            let to = f64::from_le_bytes(value);
            assert!(to.abs() <= 90.0 && to != degrees);
            assert!((to - degrees).abs() <= 50_000.0 / METERS_PER_DEGREE + 1e-9, "{degrees} {to}");
        }
        let mut value = (-273.15f64).to_le_bytes();
        latitude.float(&mut value, &prf()).unwrap();
        assert!((f64::from_le_bytes(value) + 273.15).abs() < 0.5);
    }
}
