//! `numeric`: PostgreSQL's base-10000 numbers; utils/adt/numeric.c.
//!
//! A stored value is a header of two bytes (short) or four (long), then digits of base 10000, most
//! significant first. Canonical: no leading and no trailing zero digit; zero has no digits.

use super::DatumError;

const SIGN_MASK: u16 = 0xC000;
const SHORT: u16 = 0x8000;
const SPECIAL: u16 = 0xC000;
const LONG_NEGATIVE: u16 = 0x4000;
const LONG_DSCALE_MASK: u16 = 0x3FFF;
const SHORT_NEGATIVE: u16 = 0x2000;
const SHORT_DSCALE_MASK: u16 = 0x1F80;
const SHORT_DSCALE_SHIFT: u32 = 7;
const SHORT_WEIGHT_NEGATIVE: u16 = 0x0040;
const SHORT_WEIGHT_MASK: u16 = 0x003F;

/// Base of the stored digits.
pub(crate) const BASE: u16 = 10_000;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Bytes before the first digit.
    pub(crate) header: usize,
    /// True for numbers below zero.
    pub(crate) negative: bool,
    /// Decimal places shown.
    pub(crate) dscale: u16,
    /// The first digit stands for `BASE` to this power.
    pub(crate) weight: i16,
    /// Stored digits.
    pub(crate) ndigits: usize,
}

/// A stored numeric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// NaN or an infinity: all in the header.
    Special,
    /// A number.
    Number(Shape),
}

impl Shape {
    /// How many decimal places of the last digit lie beyond the display scale: that digit is a
    /// multiple of ten to this power (at most 3; 0 where the scale says nothing).
    pub(crate) fn spare_places(&self) -> u32 {
        let last = i64::try_from(self.ndigits).unwrap_or(i64::MAX) - 1 - i64::from(self.weight);
        let places = 4 * last - i64::from(self.dscale);
        if last >= 1 && (1..=3).contains(&places) { places as u32 } else { 0 }
    }

    /// True if the last digit lies behind the decimal point.
    pub(crate) fn ends_in_fraction(&self) -> bool {
        i64::try_from(self.ndigits).unwrap_or(i64::MAX) - 1 > i64::from(self.weight)
    }
}

/// Reads a header.
pub(crate) fn header(value: &[u8]) -> Result<Header, DatumError> {
    let (&[low, high], rest) =
        value.split_first_chunk::<2>().ok_or(DatumError("a numeric is shorter than its header"))?;
    let word = u16::from_le_bytes([low, high]);
    let (header, negative, dscale, weight, digits) = match word & SIGN_MASK {
        SPECIAL => {
            return if rest.is_empty() {
                Ok(Header::Special)
            } else {
                Err(DatumError("a numeric that is not a number has digits"))
            };
        }
        SHORT => {
            let magnitude = (word & SHORT_WEIGHT_MASK) as i16;
            let weight = if word & SHORT_WEIGHT_NEGATIVE != 0 {
                magnitude - (SHORT_WEIGHT_MASK as i16 + 1)
            } else {
                magnitude
            };
            let dscale = (word & SHORT_DSCALE_MASK) >> SHORT_DSCALE_SHIFT;
            (2, word & SHORT_NEGATIVE != 0, dscale, weight, rest)
        }
        sign => {
            let (&[low, high], rest) = rest
                .split_first_chunk::<2>()
                .ok_or(DatumError("a numeric is shorter than its long header"))?;
            let weight = i16::from_le_bytes([low, high]);
            (4, sign == LONG_NEGATIVE, word & LONG_DSCALE_MASK, weight, rest)
        }
    };
    if digits.len() % 2 != 0 {
        return Err(DatumError("a numeric ends within a digit"));
    }
    Ok(Header::Number(Shape { header, negative, dscale, weight, ndigits: digits.len() / 2 }))
}

/// Reads the digits of a number into `digits`, which is emptied first. They are canonical.
pub(crate) fn read_digits(
    value: &[u8],
    shape: &Shape,
    digits: &mut Vec<u32>,
) -> Result<(), DatumError> {
    digits.clear();
    for pair in value.get(shape.header..).unwrap_or_default().chunks_exact(2) {
        let &[low, high] = pair else { continue };
        let digit = u16::from_le_bytes([low, high]);
        if digit >= BASE {
            return Err(DatumError("a numeric has a digit above 9999"));
        }
        digits.push(u32::from(digit));
    }
    if digits.first() == Some(&0) || digits.last() == Some(&0) {
        return Err(DatumError("a numeric begins or ends with a zero digit"));
    }
    Ok(())
}

/// Writes digits over those of a number of the same shape.
pub(crate) fn write_digits(value: &mut [u8], shape: &Shape, digits: &[u32]) {
    let stored = value.get_mut(shape.header..).unwrap_or_default();
    for (pair, &digit) in stored.chunks_exact_mut(2).zip(digits) {
        pair.copy_from_slice(&(digit as u16).to_le_bytes());
    }
}

/// Sets the sign of a number, in either form of header.
pub(crate) fn write_sign(value: &mut [u8], shape: &Shape, negative: bool) {
    if let Some(word) = value.first_chunk_mut::<2>() {
        let bit = if shape.header == 2 { SHORT_NEGATIVE } else { LONG_NEGATIVE };
        let kept = u16::from_le_bytes(*word) & !bit;
        *word = (if negative { kept | bit } else { kept }).to_le_bytes();
    }
}

/// True if `a` is above `b`; never where one of them is NaN or infinite.
pub(crate) fn is_greater(a: &[u8], b: &[u8]) -> Result<bool, DatumError> {
    let key = |value: &[u8]| -> Result<Option<_>, DatumError> {
        let Header::Number(shape) = header(value)? else { return Ok(None) };
        let mut digits = Vec::new();
        read_digits(value, &shape, &mut digits)?;
        let magnitude = (!digits.is_empty()).then_some((shape.weight, digits));
        Ok(Some((shape.negative, magnitude)))
    };
    let (Some((a_negative, a)), Some((b_negative, b))) = (key(a)?, key(b)?) else {
        return Ok(false);
    };
    Ok(match (a_negative, b_negative) {
        (false, false) => a > b,
        (true, true) => a < b,
        (a_negative, _) => !a_negative,
    })
}

/// Stores a number with so many decimal places shown, in the short form where it fits.
pub(crate) fn encode(decimal: &Decimal, dscale: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + 2 * decimal.digits.len());
    if dscale <= 63 && (-64..=63).contains(&decimal.weight) {
        let mut word = SHORT | dscale << SHORT_DSCALE_SHIFT;
        word |= if decimal.negative { SHORT_NEGATIVE } else { 0 };
        word |= decimal.weight as u16 & (SHORT_WEIGHT_MASK | SHORT_WEIGHT_NEGATIVE);
        bytes.extend(word.to_le_bytes());
    } else {
        let sign = if decimal.negative { LONG_NEGATIVE } else { 0 };
        bytes.extend((sign | (dscale & LONG_DSCALE_MASK)).to_le_bytes());
        bytes.extend(decimal.weight.to_le_bytes());
    }
    for digit in &decimal.digits {
        bytes.extend((*digit as u16).to_le_bytes());
    }
    bytes
}

/// A number as written by a person, in base-10000 digits.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Decimal {
    pub(crate) negative: bool,
    pub(crate) weight: i16,
    pub(crate) digits: Vec<u32>,
}

impl Decimal {
    /// Reads `-12.5`; no exponents.
    pub(crate) fn parse(text: &str) -> Option<Decimal> {
        let text = text.trim();
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let plain = |part: &str| part.len() <= 1000 && part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !plain(whole) || !plain(fraction) {
            return None;
        }
        let pad_left = (4 - whole.len() % 4) % 4;
        let pad_right = (4 - fraction.len() % 4) % 4;
        let decimals: Vec<u32> = std::iter::repeat_n(b'0', pad_left)
            .chain(whole.bytes())
            .chain(fraction.bytes())
            .chain(std::iter::repeat_n(b'0', pad_right))
            .map(|byte| u32::from(byte - b'0'))
            .collect();
        let mut digits: Vec<u32> =
            decimals.chunks(4).map(|four| four.iter().fold(0, |sum, d| sum * 10 + d)).collect();
        let mut weight = (whole.len() + pad_left) as i16 / 4 - 1;
        let leading = digits.iter().take_while(|&&digit| digit == 0).count();
        digits.drain(..leading);
        weight -= leading as i16;
        while digits.last() == Some(&0) {
            digits.pop();
        }
        if digits.is_empty() {
            weight = 0;
        }
        Some(Decimal { negative: negative && !digits.is_empty(), weight, digits })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Stores a number as PostgreSQL would, in the short form where it fits.
    pub(crate) fn store(text: &str, long: bool) -> Vec<u8> {
        let decimal = Decimal::parse(text).unwrap();
        let dscale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len()) as u16;
        let mut bytes = Vec::new();
        if long {
            let sign = if decimal.negative { LONG_NEGATIVE } else { 0 };
            bytes.extend((sign | dscale).to_le_bytes());
            bytes.extend(decimal.weight.to_le_bytes());
        } else {
            let mut word = SHORT | dscale << SHORT_DSCALE_SHIFT;
            word |= if decimal.negative { SHORT_NEGATIVE } else { 0 };
            word |= decimal.weight as u16 & (SHORT_WEIGHT_MASK | SHORT_WEIGHT_NEGATIVE);
            bytes.extend(word.to_le_bytes());
        }
        for digit in decimal.digits {
            bytes.extend((digit as u16).to_le_bytes());
        }
        bytes
    }

    #[test]
    fn reads_both_headers_alike() {
        for text in ["12.34", "-0.0056", "123456789.5", "10000", "-1"] {
            let (short, long) = (store(text, false), store(text, true));
            let (Ok(Header::Number(a)), Ok(Header::Number(b))) = (header(&short), header(&long))
            else {
                panic!("{text} was not read");
            };
            assert_eq!(
                (a.negative, a.dscale, a.weight, a.ndigits),
                (b.negative, b.dscale, b.weight, b.ndigits)
            );
            assert_eq!((a.header, b.header), (2, 4));
        }
    }

    #[test]
    fn rejects_what_is_not_canonical() {
        let shape = |bytes: &[u8]| match header(bytes) {
            Ok(Header::Number(shape)) => shape,
            other => panic!("{other:?}"),
        };
        let mut digits = Vec::new();
        for bad in [[0x00, 0x80, 0x00, 0x00], [0x00, 0x80, 0x10, 0x27], [0x00, 0x80, 0xff, 0xff]] {
            assert!(read_digits(&bad, &shape(&bad), &mut digits).is_err());
        }
        assert!(header(&[]).is_err());
        assert!(header(&[0x00, 0x80, 0x01]).is_err());
        assert!(header(&[0x00, 0x00, 0x01]).is_err());
        assert!(header(&[0x00, 0xC0, 0x01]).is_err());
        assert_eq!(header(&[0x00, 0xC0]), Ok(Header::Special));
    }

    #[test]
    fn decimal_splits_at_the_point() {
        assert_eq!(
            Decimal::parse("-12345.678"),
            Some(Decimal { negative: true, weight: 1, digits: vec![1, 2345, 6780] })
        );
        assert_eq!(
            Decimal::parse("0.00005"),
            Some(Decimal { negative: false, weight: -2, digits: vec![5000] })
        );
        assert_eq!(Decimal::parse("-0.0").unwrap().digits, Vec::<u32>::new());
        for bad in ["", ".", "1e5", "twelve", "1.2.3", "--1"] {
            assert_eq!(Decimal::parse(bad), None);
        }
    }

    #[test]
    fn spare_places_follow_the_scale() {
        let spare = |text: &str| match header(&store(text, false)) {
            Ok(Header::Number(shape)) => shape.spare_places(),
            other => panic!("{other:?}"),
        };
        assert_eq!(spare("12.34"), 2);
        assert_eq!(spare("12.3400"), 0);
        assert_eq!(spare("1200"), 0);
        assert_eq!(spare("1.5"), 3);
    }
}
