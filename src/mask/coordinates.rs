//! Noise on values of several floats, each moved by itself; what follows from them is made anew.

use super::noise::{Noise, beside};
use super::prf::Prf;
use crate::datum::{DatumError, ValueType, cube, geometry, vector};

/// Moves every float of a value, as [`Noise::float`] does.
pub(crate) fn noise(
    value: &mut [u8],
    value_type: ValueType,
    noise: &Noise,
    prf: &Prf,
) -> Result<(), DatumError> {
    match value_type {
        ValueType::Float4 | ValueType::Float8 => noise.float(value, prf),
        ValueType::Cube => {
            let mut cube = cube::open(value)?;
            for coordinate in cube.coordinates.iter_mut() {
                noise.float(coordinate, prf)?;
            }
            cube.mend();
            Ok(())
        }
        ValueType::Vector => {
            let (elements, width) = vector::elements(value, value_type)?;
            elements.chunks_exact_mut(width).try_for_each(|single| noise.float(single, prf))
        }
        ValueType::Halfvec => {
            let (elements, _) = vector::elements(value, value_type)?;
            for half in elements.as_chunks_mut().0 {
                *half = half_noise(u16::from_le_bytes(*half), noise, prf).to_le_bytes();
            }
            Ok(())
        }
        _ => {
            for double in geometry::doubles(value, value_type)? {
                noise.float(double, prf)?;
            }
            geometry::mend(value, value_type);
            Ok(())
        }
    }
}

/// Moves a half float.
fn half_noise(bits: u16, noise: &Noise, prf: &Prf) -> u16 {
    let moved = vector::read_half(bits).and_then(|half| noise.magnitude(half, prf));
    match moved.map(vector::write_half) {
        Some(moved) => beside(moved.into(), (bits & 0x7FFF).into()) as u16 | bits & 0x8000,
        None => bits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::mask::noise::{Distribution, Scale};
    use crate::rules::MaskName;

    fn prf() -> Prf {
        Prf::new(&MaskKey::from_bytes([4; 32]), MaskName::Noise, "test")
    }

    const TENTH: Noise = Noise {
        distribution: Distribution::Uniform,
        scale: Scale::Share(0.1),
        limit: f64::INFINITY,
    };

    #[test]
    fn every_half_float_moves_and_keeps_its_sign() {
        let prf = prf();
        for bits in (1..=0x7BFFu16).step_by(7) {
            for bits in [bits, bits | 0x8000] {
                let to = half_noise(bits, &TENTH, &prf);
                assert!(to != bits && to & 0x7FFF != 0 && to & 0x8000 == bits & 0x8000);
                assert!(vector::read_half(to).is_some(), "{bits:#x} {to:#x}");
            }
        }
        for bits in [0, 0x8000, 0x7C00, 0xFC00, 0x7E00] {
            assert_eq!(half_noise(bits, &TENTH, &prf), bits);
        }
    }

    #[test]
    fn one_coordinate_moves_alike_wherever_it_stands() {
        let prf = prf();
        let stored = |doubles: &[f64]| -> Vec<u8> {
            doubles.iter().flat_map(|double| double.to_le_bytes()).collect()
        };
        let mut point = stored(&[13.4, 52.5]);
        noise(&mut point, ValueType::Point, &TENTH, &prf).unwrap();
        let mut segment = stored(&[52.5, 13.4, 0.0, f64::NAN]);
        noise(&mut segment, ValueType::Lseg, &TENTH, &prf).unwrap();
        assert_eq!([&segment[8..16], &segment[..8]].concat(), point);
        assert_eq!(segment[16..], stored(&[0.0, f64::NAN]));
        assert_ne!(point, stored(&[13.4, 52.5]));
    }
}
