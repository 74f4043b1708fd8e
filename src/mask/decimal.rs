//! `numeric`: permuted, with noise, or fixed, always in the stored shape of the original.

use super::digits::Scratch;
use super::noise::{Noise, another};
use super::permutation::Permuter;
use super::prf::Prf;
use crate::datum::DatumError;
use crate::datum::numeric::{
    BASE, Decimal, Header, Shape, header, read_digits, write_digits, write_sign,
};

/// The values that a first or last digit may take.
struct Slot {
    /// Bounds in units.
    low: u32,
    high: u32,
    /// The digit is a multiple of this power of ten …
    unit: u32,
    /// … and of no higher one.
    exact: bool,
}

impl Slot {
    /// How many numbers from 1 to `units` the slot may take.
    fn up_to(&self, units: u32) -> u32 {
        if self.exact { units - units / 10 } else { units }
    }

    fn size(&self) -> u32 {
        self.up_to(self.high) - self.up_to(self.low - 1)
    }

    fn index(&self, digit: u32) -> u32 {
        self.up_to(digit / self.unit) - self.up_to(self.low - 1) - 1
    }

    fn digit(&self, index: u32) -> u32 {
        let nth = index + 1 + self.up_to(self.low - 1);
        let units = if self.exact { nth + (nth - 1) / 9 } else { nth };
        units * self.unit
    }
}

/// A number's shape and digits; `None` where nothing can be masked: NaN, infinities and zero.
fn open(value: &[u8], digits: &mut Vec<u32>) -> Result<Option<Shape>, DatumError> {
    match header(value)? {
        Header::Special => Ok(None),
        Header::Number(shape) => {
            read_digits(value, &shape, digits)?;
            Ok((!digits.is_empty()).then_some(shape))
        }
    }
}

/// The digits a first digit of as many decimal places may take.
pub(super) fn decade(first: u32) -> (u32, u32) {
    let low = 10u32.pow(first.max(1).ilog10());
    (low, 10 * low - 1)
}

/// Permutes a number among those of its sign, weight, digit count and decimal places.
///
/// Depends on the number alone, not on its display scale: 1.5 and 1.50 are equal, and so are what
/// they mask to.
pub(crate) fn permute(
    value: &mut [u8],
    prf: &Prf,
    permuter: &mut Permuter,
    scratch: &mut Scratch,
) -> Result<(), DatumError> {
    scratch.clear();
    let Some(shape) = open(value, &mut scratch.row)? else { return Ok(()) };
    let count = scratch.row.len();
    let first = scratch.row.first().copied().unwrap_or(1);
    let last = scratch.row.last().copied().unwrap_or(1);
    let exact = shape.ends_in_fraction();
    let unit = if exact {
        10u32.pow((0..4).take_while(|n| last % 10u32.pow(n + 1) == 0).count() as u32)
    } else {
        1
    };
    let (low, high) = decade(first);
    let base = u32::from(BASE);
    let (head, tail) = if count == 1 {
        (Slot { low: low / unit, high: high / unit, unit, exact }, None)
    } else {
        let head = Slot { low, high, unit: 1, exact: false };
        (head, Some(Slot { low: 1, high: (base - 1) / unit, unit, exact }))
    };
    scratch.tweak.push(u8::from(shape.negative));
    scratch.tweak.extend(shape.weight.to_le_bytes());
    scratch.tweak.extend((count as u32).to_le_bytes());
    scratch.tweak.extend(low.to_le_bytes());
    scratch.tweak.extend(unit.to_le_bytes());
    scratch.radices.resize(count, base);
    if let Some(digit) = scratch.row.first_mut() {
        *digit = head.index(*digit);
    }
    if let Some(radix) = scratch.radices.first_mut() {
        *radix = head.size();
    }
    if let (Some(tail), Some(digit), Some(radix)) =
        (&tail, scratch.row.last_mut(), scratch.radices.last_mut())
    {
        *digit = tail.index(*digit);
        *radix = tail.size();
    }
    scratch.permute(permuter, prf);
    if let Some(digit) = scratch.row.first_mut() {
        *digit = head.digit(*digit);
    }
    if let (Some(tail), Some(digit)) = (&tail, scratch.row.last_mut()) {
        *digit = tail.digit(*digit);
    }
    write_digits(value, &shape, &scratch.row);
    Ok(())
}

/// Digits that noise reckons with; those behind them are drawn anew.
const LEADING: usize = 4;

/// Moves a number by noise within its shape, and at least by its last place where the shape has
/// another number there.
pub(crate) fn noise(
    value: &mut [u8],
    noise: &Noise,
    prf: &Prf,
    scratch: &mut Scratch,
) -> Result<(), DatumError> {
    scratch.clear();
    let Some(shape) = open(value, &mut scratch.row)? else { return Ok(()) };
    scratch.tweak.push(u8::from(shape.negative));
    scratch.tweak.extend(shape.weight.to_le_bytes());
    scratch.tweak.extend(scratch.row.iter().flat_map(|digit| digit.to_le_bytes()));
    let mut stream = prf.stream(&scratch.tweak);
    let base = u64::from(BASE);
    let step = 10u64.pow(shape.spare_places());
    let (leading, behind) = scratch.row.split_at_mut(LEADING.min(shape.ndigits));
    let number = leading.iter().fold(0, |number, &digit| number * base + u64::from(digit));
    let lowest = leading.iter().skip(1).fold(1, |scale, _| scale * base);
    let highest = lowest * base - 1;
    let grain = if behind.is_empty() { step } else { 1 };
    // What 1 is in units of the last leading digit; 0 or infinite at the far ends.
    let below_one = leading.len() as i32 - 1 - i32::from(shape.weight);
    let one = format!("1e{}", 4 * below_one).parse().unwrap_or(1.0) / grain as f64;
    let (units, lowest, highest) = (number / grain, lowest.div_ceil(grain), highest / grain);
    let moved = noise.whole(units, one, &mut stream);
    let mut moved = another(moved, units, lowest, highest, &mut stream);
    if behind.is_empty() && (moved * grain).is_multiple_of(base) {
        // The last digit must not be zero: the next place that makes it another number.
        let fits = |to: &u64| (lowest..=highest).contains(to) && *to != units;
        moved = [moved + 1, moved - 1, moved + 2].into_iter().find(fits).unwrap_or(units);
    }
    let mut rest = moved * grain;
    for digit in leading.iter_mut().rev() {
        *digit = (rest % base) as u32;
        rest /= base;
    }
    if let Some((last, middle)) = behind.split_last_mut() {
        middle.fill_with(|| stream.below(u32::from(BASE)));
        let grains = (u32::from(BASE) - 1) / step as u32;
        *last = (1 + stream.below(grains)) * step as u32;
    }
    write_digits(value, &shape, &scratch.row);
    Ok(())
}

/// Base-10000 digits that buckets are reckoned with: as many as 128 bits hold.
const COUNTED: i32 = 9;

/// Writes the multiple of `size` next to the number on zero's side. Where that ends in zeros, which
/// are not stored, its last stored place becomes the least one; zero becomes the least number.
pub(crate) fn bucket(
    value: &mut [u8],
    size: &Decimal,
    scratch: &mut Scratch,
) -> Result<(), DatumError> {
    scratch.clear();
    let Some(shape) = open(value, &mut scratch.row)? else { return Ok(()) };
    let digits = &mut scratch.row;
    let (weight, size_weight) = (i32::from(shape.weight), i32::from(size.weight));
    let end = |weight: i32, digits: &[u32]| weight - digits.len() as i32 + 1;
    // The power of the last digit that counts.
    let unit = end(weight, digits).min(end(size_weight, &size.digits)).max(weight + 1 - COUNTED);
    let count = |weight: i32, digits: &[u32]| {
        let places = usize::try_from(weight - unit + 1).unwrap_or(0);
        let digits = digits.iter().copied().chain(std::iter::repeat(0)).take(places);
        digits.fold(0u128, |number, digit| number * u128::from(BASE) + u128::from(digit))
    };
    if size_weight > weight {
        least(&shape, digits);
    } else {
        let (number, size) = (count(weight, digits), count(size_weight, &size.digits).max(1));
        let mut power = u128::from(BASE).pow(u32::try_from(weight - unit).unwrap_or(0));
        let mut rest = number / size * size;
        for digit in digits.iter_mut() {
            *digit = rest.checked_div(power).unwrap_or(0) as u32;
            rest = rest.checked_rem(power).unwrap_or(0);
            power /= u128::from(BASE);
        }
        fill_up(&shape, digits);
    }
    write_digits(value, &shape, digits);
    Ok(())
}

/// Makes digits canonical in their shape.
fn fill_up(shape: &Shape, digits: &mut [u32]) {
    if digits.first() == Some(&0) {
        least(shape, digits);
    } else if let Some(last) = digits.last_mut() {
        let step = 10u32.pow(shape.spare_places());
        *last -= *last % step;
        *last = if *last == 0 { step } else { *last };
    }
}

/// The least number above zero in the shape.
fn least(shape: &Shape, digits: &mut [u32]) {
    digits.fill(0);
    if let Some(first) = digits.first_mut() {
        *first = 1;
    }
    if let Some(last) = digits.last_mut() {
        *last = 10u32.pow(shape.spare_places());
    }
}

/// `constant`, cut to the digits of the shape; where it has another order of magnitude, the least
/// or the greatest number of the shape.
pub(crate) fn constant(
    value: &mut [u8],
    constant: &Decimal,
    scratch: &mut Scratch,
) -> Result<(), DatumError> {
    scratch.clear();
    let Some(shape) = open(value, &mut scratch.row)? else { return Ok(()) };
    let step = 10u32.pow(shape.spare_places());
    let digits = &mut scratch.row;
    if constant.digits.is_empty() || constant.weight < shape.weight {
        least(&shape, digits);
    } else if constant.weight > shape.weight {
        digits.fill(u32::from(BASE) - 1);
        if let Some(last) = digits.last_mut() {
            *last -= *last % step;
        }
    } else {
        let given = constant.digits.iter().copied().chain(std::iter::repeat(0));
        for (digit, given) in digits.iter_mut().zip(given) {
            *digit = given;
        }
        fill_up(&shape, digits);
    }
    write_sign(value, &shape, constant.negative);
    write_digits(value, &shape, digits);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datum::numeric::tests::store;
    use crate::mask::MaskKey;
    use crate::mask::noise::{DISTRIBUTIONS, Distribution, Scale};
    use crate::rules::MaskName;

    fn prf() -> Prf {
        Prf::new(&MaskKey::from_bytes([4; 32]), MaskName::Numeric, "test")
    }

    fn assert_valid(value: &[u8], original: &[u8]) {
        let (Ok(Header::Number(is)), Ok(Header::Number(was))) = (header(value), header(original))
        else {
            panic!("not a number");
        };
        assert_eq!(Shape { negative: was.negative, ..is }, was);
        let mut digits = Vec::new();
        read_digits(value, &is, &mut digits).unwrap();
        if let Some(last) = digits.last() {
            assert_eq!(last % 10u32.pow(is.spare_places()), 0);
        }
    }

    #[test]
    fn every_amount_below_a_thousand_has_its_own_image() {
        let (prf, mut permuter, mut scratch) = (prf(), Permuter::new(), Scratch::new());
        let mut seen = std::collections::BTreeSet::new();
        for cents in 1..100_000 {
            let original = store(&format!("{}.{:02}", cents / 100, cents % 100), false);
            let mut value = original.clone();
            permute(&mut value, &prf, &mut permuter, &mut scratch).unwrap();
            assert_valid(&value, &original);
            assert!(seen.insert(value));
        }
    }

    #[test]
    fn equal_numbers_mask_to_equal_numbers_at_any_scale_and_header() {
        let (prf, mut permuter, mut scratch) = (prf(), Permuter::new(), Scratch::new());
        let mut masked = |text: &str, long: bool| {
            let mut value = store(text, long);
            permute(&mut value, &prf, &mut permuter, &mut scratch).unwrap();
            value.split_off(if long { 4 } else { 2 })
        };
        for text in ["1.5", "12.34", "100.1", "99999.875"] {
            let digits = masked(text, false);
            assert_eq!(digits, masked(&format!("{text}00"), false));
            assert_eq!(digits, masked(text, true));
        }
    }

    #[test]
    fn noise_and_constants_fit_every_shape() {
        let (prf, mut scratch) = (prf(), Scratch::new());
        for text in [
            "1",
            "9",
            "10000",
            "10000.0001",
            "12.34",
            "-0.5",
            "0.0001",
            "123456789012345678901.5",
            "99999999",
            "1000000000000",
            "9999.99",
            "-4711.08",
        ] {
            for long in [false, true] {
                let original = store(text, long);
                for scale in [0.01, 0.5, 1.0]
                    .map(Scale::Share)
                    .into_iter()
                    .chain([0.001, 5.0, 1e40].map(Scale::Absolute))
                {
                    for (_, distribution) in DISTRIBUTIONS {
                        let mut value = original.clone();
                        let kind = Noise { distribution, scale, limit: f64::INFINITY };
                        noise(&mut value, &kind, &prf, &mut scratch).unwrap();
                        assert_valid(&value, &original);
                        assert_ne!(value, original, "{text}");
                    }
                }
                for size in ["1", "10", "250", "0.05", "100000", "12345678901234567890123.5"] {
                    let mut value = original.clone();
                    bucket(&mut value, &Decimal::parse(size).unwrap(), &mut scratch).unwrap();
                    assert_valid(&value, &original);
                }
                for given in ["0", "-12.5", "123456", "0.01", "10000"] {
                    let mut value = original.clone();
                    constant(&mut value, &Decimal::parse(given).unwrap(), &mut scratch).unwrap();
                    assert_valid(&value, &original);
                }
            }
        }
    }

    #[test]
    fn buckets_are_multiples_as_far_as_the_shape_allows() {
        for (number, size, bucket_of) in [
            ("1234.56", "100", "1200.01"),
            ("1234.56", "0.5", "1234.50"),
            ("-1299", "250", "-1250"),
            ("34.5", "100", "1.1"),
            ("34", "100", "1"),
            ("123456789", "1000", "123456000"),
            ("20000001", "1000000", "20000001"),
            ("0.0789", "0.01", "0.0700"),
            ("5", "0.3", "4"),
        ] {
            let mut value = store(number, false);
            bucket(&mut value, &Decimal::parse(size).unwrap(), &mut Scratch::new()).unwrap();
            assert_eq!(value, store(bucket_of, false), "{number} by {size}");
        }
    }

    #[test]
    fn noise_of_a_share_stays_within_it() {
        let (prf, mut scratch) = (prf(), Scratch::new());
        let kind = Noise {
            distribution: Distribution::Uniform,
            scale: Scale::Share(0.1),
            limit: f64::INFINITY,
        };
        for cents in (100..100_000u32).step_by(7).filter(|cents| cents % 100 != 0) {
            let mut value = store(&format!("{}.{:02}", cents / 100, cents % 100), false);
            noise(&mut value, &kind, &prf, &mut scratch).unwrap();
            let Ok(Header::Number(shape)) = header(&value) else { panic!("no number") };
            let mut digits = Vec::new();
            read_digits(&value, &shape, &mut digits).unwrap();
            let to = digits[0] * 100 + digits.get(1).map_or(0, |digit| digit / 100);
            assert!(to.abs_diff(cents) <= cents / 10 + 2, "{cents} {to}");
        }
    }

    #[test]
    fn a_constant_stays_itself_where_it_fits() {
        let mut value = store("99.87", false);
        let given = Decimal::parse("12.5").unwrap();
        constant(&mut value, &given, &mut Scratch::new()).unwrap();
        assert_eq!(value, store("12.50", false));
    }
}
