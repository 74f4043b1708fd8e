//! `partial` and `hash`: a value's ends, or digits that stand for it as a whole.

use super::overlay;
use super::prf::{Prf, Stream};
use crate::datum::text::{Unit, units};

/// Keeps the first and the last characters and puts others of their classes between. A value with
/// no characters between them keeps none.
pub(crate) fn partial(
    value: &mut [u8],
    (first, last): (usize, usize),
    stream: &mut Stream,
    buffer: &mut Vec<u8>,
) {
    let count = units(value).count();
    let masked = if first.saturating_add(last) < count { first..count - last } else { 0..count };
    buffer.clear();
    for (at, unit) in units(value).enumerate() {
        match unit {
            _ if masked.contains(&at) => overlay::put_other(buffer, unit, stream),
            Unit::Ascii(byte) | Unit::Raw(byte) => buffer.push(byte),
            Unit::Char(c) => buffer.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    overlay::write_back(value, buffer);
}

/// Hexadecimal digits of the value's keyed hash, as many as it has characters of one byte. Longer
/// characters become others of their class.
pub(crate) fn hash(value: &mut [u8], prf: &Prf, buffer: &mut Vec<u8>) {
    let mut hash = vec![0; value.len() / 2 + 2];
    prf.fill(value, &mut hash);
    let hex: Vec<u8> =
        hash.iter().flat_map(|byte| [byte >> 4, byte & 0xF]).map(hex_digit).collect();
    // Where the digits are those of the value, the next ones are not, or all of them are one.
    for skipped in 0..2 {
        let mut digits = hex.iter().skip(skipped).copied();
        let mut stream = prf.stream(value);
        buffer.clear();
        for unit in units(value) {
            let digit = match unit {
                Unit::Char(_) => 0,
                Unit::Ascii(_) | Unit::Raw(_) => digits.next().unwrap_or(b'0'),
            };
            overlay::put(buffer, unit, digit, &mut stream);
        }
        if buffer != value {
            break;
        }
    }
    overlay::write_back(value, buffer);
}

fn hex_digit(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;

    fn prf() -> Prf {
        Prf::new(&MaskKey::from_bytes([4; 32]), MaskName::Partial, "test")
    }

    fn kept(text: &str, ends: (usize, usize)) -> String {
        let mut value = text.as_bytes().to_vec();
        partial(&mut value, ends, &mut prf().stream(text.as_bytes()), &mut Vec::new());
        String::from_utf8(value).unwrap()
    }

    #[test]
    fn both_ends_stay_and_the_rest_does_not() {
        for text in ["DE89-3704-0044", "Jürgen Müller", "0170 1234567"] {
            let masked = kept(text, (2, 3));
            let (was, is): (Vec<char>, Vec<char>) =
                (text.chars().collect(), masked.chars().collect());
            assert_eq!(was[..2], is[..2]);
            assert_eq!(was[was.len() - 3..], is[is.len() - 3..]);
            for (was, is) in was.iter().zip(&is).take(was.len() - 3).skip(2) {
                assert_eq!(was == is, !was.is_alphanumeric());
                assert_eq!(was.is_numeric(), is.is_numeric());
                assert_eq!(was.is_uppercase(), is.is_uppercase());
            }
        }
    }

    #[test]
    fn a_value_that_would_stay_as_a_whole_keeps_nothing() {
        let masked = kept("abcde", (2, 3));
        assert!(masked.chars().zip("abcde".chars()).all(|(is, was)| is != was));
    }

    #[test]
    fn a_hash_is_hex_of_any_length() {
        let hashed = |text: &str| {
            let mut value = text.as_bytes().to_vec();
            hash(&mut value, &prf(), &mut Vec::new());
            String::from_utf8(value).unwrap()
        };
        for len in [1, 2, 31, 64, 300] {
            let masked = hashed(&"a".repeat(len));
            assert_eq!(masked.len(), len);
            assert!(masked.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()));
            assert_ne!(masked, "a".repeat(len));
        }
        assert_eq!(&hashed("value")[..5], &blake3_hex("value")[..5]);
    }

    fn blake3_hex(text: &str) -> String {
        prf().block(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
