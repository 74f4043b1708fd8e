//! Payment card numbers that pass the Luhn check, in ranges that payment services test with.

use super::overlay;
use super::prf::{Prf, Stream};
use crate::datum::text::{Unit, units};
use crate::datum::{DatumError, integer};

/// Digits of a card number.
const CARD: std::ops::RangeInclusive<usize> = 12..=19;

/// What test numbers of a network begin with, by the digits that its cards begin with.
const RANGES: [(&[u8], &[u8]); 9] = [
    (b"34", b"378282"),
    (b"37", b"378282"),
    (b"35", b"353011"),
    (b"3", b"305693"),
    (b"4", b"400000"),
    (b"5", b"555555"),
    (b"2", b"222300"),
    (b"6", b"601111"),
    (b"", b"999999"),
];
/// Draws so often before a replacement may equal the original.
const DRAWS: usize = 6;

/// Replaces the digits of a text; letters become others of their class.
pub(crate) fn text(value: &mut [u8], stream: &mut Stream, buffer: &mut Vec<u8>) {
    let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_digit).collect();
    let drawn = number(&digits, stream);
    let mut drawn = drawn.iter();
    buffer.clear();
    for unit in units(value) {
        match unit {
            Unit::Ascii(byte) if byte.is_ascii_digit() => {
                buffer.push(drawn.next().copied().unwrap_or(byte));
            }
            _ => overlay::put_other(buffer, unit, stream),
        }
    }
    overlay::write_back(value, buffer);
}

/// Replaces a `bigint`. Zero stays.
pub(crate) fn bigint(value: &mut [u8], prf: &Prf) -> Result<(), DatumError> {
    let stored = integer::read(value)?;
    if stored == 0 {
        return Ok(());
    }
    let digits = stored.unsigned_abs().to_string().into_bytes();
    let mut stream = prf.stream(&digits);
    let mut drawn = number(&digits, &mut stream);
    let read = |digits: &[u8]| {
        let digits = digits.iter().map(|digit| u64::from(digit - b'0'));
        digits.fold(0u64, |number, digit| number.saturating_mul(10).saturating_add(digit))
    };
    if drawn.first() == Some(&b'0') || read(&drawn) > i64::MAX as u64 {
        // Another first digit, with which the number has its length and fits, and its check digit.
        drawn.iter_mut().take(1).for_each(|first| *first = b'1' + stream.below(8) as u8);
        close(&mut drawn);
    }
    let number = read(&drawn) as i64;
    integer::write(value, if stored < 0 { -number } else { number });
    Ok(())
}

/// As many digits as `digits` has, with a check digit at the end where there is more than one.
fn number(digits: &[u8], stream: &mut Stream) -> Vec<u8> {
    let mut drawn = vec![0; digits.len()];
    for _ in 0..DRAWS {
        stream.digits(&mut drawn);
        if CARD.contains(&digits.len()) {
            let range = RANGES.iter().find(|(network, _)| digits.starts_with(network));
            let test = range.map_or(&b"999999"[..], |(_, test)| test);
            drawn.iter_mut().zip(test).for_each(|(to, &from)| *to = from);
        }
        close(&mut drawn);
        if drawn != digits {
            break;
        }
    }
    drawn
}

/// Sets the last of several digits to the one that passes the Luhn check.
fn close(digits: &mut [u8]) {
    let Some((last, body @ [_, ..])) = digits.split_last_mut() else { return };
    let sum: u32 = body
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            match at % 2 {
                0 => 2 * digit / 10 + 2 * digit % 10,
                _ => digit,
            }
        })
        .sum();
    *last = b'0' + ((10 - sum % 10) % 10) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;

    fn passes_luhn(digits: &str) -> bool {
        let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(10)).collect();
        let doubled = |d: u32| if d > 4 { 2 * d - 9 } else { 2 * d };
        let sum: u32 = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(at, &d)| if at % 2 == 1 { doubled(d) } else { d })
            .sum();
        sum.is_multiple_of(10)
    }

    #[test]
    fn numbers_pass_the_check_in_test_ranges_and_keep_their_groups() {
        for (card, test) in [
            ("4012 8888 8888 1881", "4000 00"),
            ("5105-1051-0510-5100", "5555-55"),
            ("371449635398431", "378282"),
            ("6221260000000000006", "601111"),
            ("0000 0000 0000", "9999 99"),
        ] {
            let mut value = card.as_bytes().to_vec();
            let mut stream = Stream::from_seed([3; 32]);
            text(&mut value, &mut stream, &mut Vec::new());
            let masked = String::from_utf8(value).unwrap();
            assert!(masked.starts_with(test) && masked.len() == card.len(), "{masked}");
            assert!(passes_luhn(&masked) && masked != card, "{masked}");
        }
    }

    #[test]
    fn bigints_keep_their_digit_count() {
        let prf = Prf::new(&MaskKey::from_bytes([4; 32]), MaskName::CreditCard, "test");
        for number in
            [4_012_888_888_881_881i64, 6_221_260_000_000_000_006, i64::MAX, i64::MIN, 77, -1234]
        {
            let mut value = number.to_le_bytes();
            bigint(&mut value, &prf).unwrap();
            let masked = i64::from_le_bytes(value);
            assert_eq!(masked.to_string().len(), number.to_string().len());
            assert_eq!(masked.signum(), number.signum());
            assert!(passes_luhn(&masked.to_string()), "{masked}");
        }
    }
}
