//! Telephone numbers in the form of the original that, as far as can be, ring nowhere.
//!
//! Numbers in the form of the North American plan get 555-0100 to 555-0199 behind any area code,
//! which are set aside for fiction. Other international numbers get the country code 999, which is
//! assigned to nobody. Other national numbers are other digits, behind the same leading zeros: a
//! plan that isn't known can't be avoided.

use super::letters;
use super::overlay;
use super::prf::Stream;
use crate::datum::text::{Unit, units};

/// Words that stay in a telephone number.
const KEPT_WORDS: [&[u8]; 7] = [b"x", b"ext", b"tel", b"fax", b"mob", b"home", b"work"];

/// Replaces a value that is not empty.
pub(crate) fn mask(value: &mut [u8], stream: &mut Stream, buffer: &mut Vec<u8>) {
    let mut fresh = [0; MOST_DIGITS];
    for _ in 0..6 {
        let planned = plan(value, &mut fresh, stream);
        let mut digits = fresh.get(..planned).unwrap_or_default().iter();
        buffer.clear();
        if value.is_ascii() {
            let mut rest = &*value;
            while let Some(&byte) = rest.first() {
                let len = word_len(rest);
                let (word, behind) = rest.split_at_checked(len.max(1)).unwrap_or((rest, &[]));
                if byte.is_ascii_digit() {
                    buffer.push(digits.next().copied().unwrap_or_else(|| stream.digit()));
                } else if len > 0 && !is_kept_word(word) {
                    buffer.extend(word.iter().map(|&byte| letter_like(byte, stream)));
                } else {
                    buffer.extend_from_slice(word);
                }
                rest = behind;
            }
        } else {
            for unit in units(value) {
                match unit {
                    Unit::Ascii(byte) if byte.is_ascii_digit() => {
                        buffer.push(digits.next().copied().unwrap_or_else(|| stream.digit()));
                    }
                    Unit::Ascii(byte) => buffer.push(letter_like(byte, stream)),
                    Unit::Raw(_) => buffer.push(stream.digit()),
                    Unit::Char(c) => {
                        let other = letters::other(c, stream);
                        buffer.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
            }
        }
        if buffer != value {
            break;
        }
    }
    overlay::write_back(value, buffer);
}

/// Digits of a number that are planned; later ones are drawn one by one.
const MOST_DIGITS: usize = 24;

/// Chooses the digits; returns how many.
fn plan(value: &[u8], fresh: &mut [u8; MOST_DIGITS], stream: &mut Stream) -> usize {
    // An extension, behind a letter, is not part of the number.
    let number = || {
        let plain = |byte: &&u8| !byte.is_ascii_alphabetic();
        value.iter().take_while(plain).filter(|byte| byte.is_ascii_digit()).copied()
    };
    let count = number().count().min(MOST_DIGITS);
    let plus = value.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'+');
    let zeros = number().take_while(|&digit| digit == b'0').count().min(count);
    let prefix = if !plus && zeros >= 2 && count >= 11 { 2 } else { 0 };
    let international = plus || prefix == 2;
    let one = number().nth(prefix) == Some(b'1');
    for digit in fresh.iter_mut() {
        *digit = stream.digit();
    }
    let (zeros_kept, area, country) = match (international, count - prefix) {
        (true, 11) if one => (prefix, Some(prefix + 1), false),
        (true, rest) if rest >= 7 => (prefix, None, true),
        (false, 11) if one => (0, Some(1), false),
        (false, 10) if zeros == 0 => (0, Some(0), false),
        _ => (zeros, None, false),
    };
    let mut put = |at: usize, digits: &[u8]| {
        for (slot, &digit) in fresh.iter_mut().skip(at).zip(digits) {
            *slot = digit;
        }
    };
    (0..zeros_kept).for_each(|at| put(at, b"0"));
    if let Some(area) = area {
        if area > 0 {
            put(area - 1, b"1");
        }
        // No area code ends in 11, and none has 9 in the middle.
        let (a, b, c) = (2 + stream.below(8), stream.below(9), stream.below(10));
        let c = if b == 1 && c == 1 { 2 } else { c };
        put(area, &[b'0' + a as u8, b'0' + b as u8, b'0' + c as u8]);
        put(area + 3, b"55501");
    } else if country {
        put(prefix, b"999");
    } else if zeros_kept < count && zeros_kept > 0 {
        put(zeros_kept, &[b'1' + stream.below(9) as u8]);
    }
    count
}

fn word_len(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count()
}

fn is_kept_word(word: &[u8]) -> bool {
    KEPT_WORDS.iter().any(|kept| kept.eq_ignore_ascii_case(word))
}

fn letter_like(byte: u8, stream: &mut Stream) -> u8 {
    match byte {
        b'a'..=b'z' => stream.letter(),
        b'A'..=b'Z' => stream.letter().to_ascii_uppercase(),
        kept => kept,
    }
}
