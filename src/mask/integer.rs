//! Whole numbers: permuted among those with as many digits.
//!
//! A class is the numbers of one sign and digit count that the same types can hold: those of 10
//! digits are two classes, since `integer` ends within them at 2147483647. So a number masks to
//! the same number in a `smallint`, an `integer` and a `bigint` column, and a foreign key between
//! them holds.

use super::permutation::Permuter;
use super::prf::Prf;

/// Largest magnitude of each type above zero; below, one more.
const LIMITS: [u64; 3] = [i16::MAX as u64, i32::MAX as u64, i64::MAX as u64];

/// Magnitudes of a class, both ends included.
struct Class {
    low: u64,
    high: u64,
}

/// The class of a magnitude, which is not 0.
fn class(magnitude: u64, negative: bool) -> Class {
    let digits = magnitude.max(1).ilog10();
    let mut low = 10u64.pow(digits);
    let mut high = low.checked_mul(10).map_or(u64::MAX, |end| end - 1);
    for limit in LIMITS {
        let limit = limit + u64::from(negative);
        if magnitude > limit {
            low = low.max(limit + 1);
        } else {
            high = high.min(limit);
            break;
        }
    }
    Class { low, high }
}

/// Permutes a number within its class. Zero is a class of its own.
pub(crate) fn permute(number: i64, prf: &Prf, permuter: &mut Permuter) -> i64 {
    signed(
        permute_magnitude(number.unsigned_abs(), number < 0, u64::MAX, prf, permuter),
        number < 0,
    )
}

/// Permutes a number without sign, at most `most`, within its class.
pub(crate) fn permute_unsigned(number: u64, most: u64, prf: &Prf, permuter: &mut Permuter) -> u64 {
    permute_magnitude(number, false, most, prf, permuter)
}

fn permute_magnitude(
    magnitude: u64,
    negative: bool,
    most: u64,
    prf: &Prf,
    permuter: &mut Permuter,
) -> u64 {
    if magnitude == 0 {
        return 0;
    }
    let Class { low, high } = class(magnitude, negative);
    let high = high.min(most);
    let mut tweak = [0; 9];
    for (to, from) in tweak.iter_mut().zip(low.to_le_bytes()) {
        *to = from;
    }
    if let Some(sign) = tweak.last_mut() {
        *sign = u8::from(negative);
    }
    low + permuter.permute_number(prf, &tweak, high - low + 1, magnitude - low)
}

fn signed(magnitude: u64, negative: bool) -> i64 {
    let number = magnitude as i64;
    if negative { number.wrapping_neg() } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;

    fn prf() -> Prf {
        Prf::new(&MaskKey::from_bytes([4; 32]), MaskName::Integer, "test")
    }

    #[test]
    fn classes_end_where_types_do() {
        let ends = |magnitude, negative| {
            let class = class(magnitude, negative);
            (class.low, class.high)
        };
        assert_eq!(ends(7, false), (1, 9));
        assert_eq!(ends(12_345, false), (10_000, 32_767));
        assert_eq!(ends(32_768, false), (32_768, 99_999));
        assert_eq!(ends(32_768, true), (10_000, 32_768));
        assert_eq!(ends(2_147_483_648, false), (2_147_483_648, 9_999_999_999));
        assert_eq!(ends(1 << 63, true), (1_000_000_000_000_000_000, 1 << 63));
    }

    #[test]
    fn every_number_up_to_a_hundred_thousand_has_its_own_image() {
        let (prf, mut permuter) = (prf(), Permuter::new());
        let mut seen = std::collections::BTreeSet::new();
        for number in -100_000..=100_000i64 {
            let to = permute(number, &prf, &mut permuter);
            assert_eq!(to.signum(), number.signum());
            assert_eq!(to.to_string().len(), number.to_string().len());
            assert_eq!(i16::try_from(to).is_ok(), i16::try_from(number).is_ok());
            assert!(seen.insert(to));
        }
    }

    #[test]
    fn the_ends_of_the_range_are_no_trouble() {
        let (prf, mut permuter) = (prf(), Permuter::new());
        for number in [i64::MIN, i64::MAX, i64::from(i32::MIN), i64::from(i32::MAX)] {
            let to = permute(number, &prf, &mut permuter);
            assert_eq!(to.signum(), number.signum());
            assert_ne!(to, number);
        }
    }

    #[test]
    fn numbers_without_sign_stay_within_their_width() {
        let (prf, mut permuter) = (prf(), Permuter::new());
        let ends = [u32::MAX.into(), 1 << 63, 10_000_000_000_000_000_000 - 1, u64::MAX];
        for number in ends.into_iter().chain(4_294_960_000..4_294_967_296) {
            let most = if number <= u32::MAX.into() { u32::MAX.into() } else { u64::MAX };
            let to = permute_unsigned(number, most, &prf, &mut permuter);
            assert!(to <= most && to.to_string().len() == number.to_string().len());
        }
        assert_eq!(permute_unsigned(4711, 9999, &prf, &mut permuter), {
            u64::try_from(permute(4711, &prf, &mut permuter)).unwrap()
        });
    }
}
