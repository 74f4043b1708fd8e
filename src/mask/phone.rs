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

/// Digits of a number that are planned; later ones are drawn one by one.
const MOST_DIGITS: usize = 24;

/// Replaces a value that is not empty.
pub(crate) fn mask(value: &mut [u8], stream: &mut Stream, buffer: &mut Vec<u8>) {
    let shape = Shape::of(value);
    for _ in 0..6 {
        let mut planned = [0; MOST_DIGITS];
        shape.plan(&mut planned, stream);
        let mut planned = planned.iter().take(shape.count);
        buffer.clear();
        if value.is_ascii() && !value.iter().any(u8::is_ascii_alphabetic) {
            buffer.extend_from_slice(value);
            for digit in buffer.iter_mut().filter(|byte| byte.is_ascii_digit()) {
                *digit = planned.next().copied().unwrap_or_else(|| stream.digit());
            }
        } else if value.is_ascii() {
            ascii(value, shape.count > 0, &mut planned, stream, buffer);
        } else {
            for unit in units(value) {
                match unit {
                    Unit::Ascii(byte) if byte.is_ascii_digit() => {
                        buffer.push(planned.next().copied().unwrap_or_else(|| stream.digit()));
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

/// An ASCII number: words are looked at as a whole. Where there are no digits before them, they
/// are no labels.
fn ascii<'p>(
    value: &[u8],
    keeps_words: bool,
    planned: &mut impl Iterator<Item = &'p u8>,
    stream: &mut Stream,
    buffer: &mut Vec<u8>,
) {
    let mut rest = value;
    while let Some((&byte, behind)) = rest.split_first() {
        if byte.is_ascii_digit() {
            buffer.push(planned.next().copied().unwrap_or_else(|| stream.digit()));
        } else if byte.is_ascii_alphabetic() {
            let (word, behind) = rest.split_at_checked(word_len(rest)).unwrap_or((rest, &[]));
            if keeps_words && is_kept_word(word) {
                buffer.extend_from_slice(word);
            } else {
                buffer.extend(word.iter().map(|&byte| letter_like(byte, stream)));
            }
            rest = behind;
            continue;
        } else {
            buffer.push(byte);
        }
        rest = behind;
    }
}

/// What a number looks like. An extension, behind a letter, is not part of it.
struct Shape {
    /// Digits, at most [`MOST_DIGITS`].
    count: usize,
    /// A `+` stands before them.
    plus: bool,
    /// The first three of them; 0 where there are fewer.
    head: [u8; 3],
}

impl Shape {
    fn of(value: &[u8]) -> Shape {
        let plus = value.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'+');
        let mut shape = Shape { count: 0, plus, head: [0; 3] };
        for byte in value.iter().take_while(|byte| !byte.is_ascii_alphabetic()) {
            if byte.is_ascii_digit() && shape.count < MOST_DIGITS {
                if let Some(digit) = shape.head.get_mut(shape.count) {
                    *digit = *byte;
                }
                shape.count += 1;
            }
        }
        shape
    }

    /// Chooses the digits.
    fn plan(&self, planned: &mut [u8; MOST_DIGITS], stream: &mut Stream) {
        let Shape { count, plus, head } = *self;
        stream.digits(planned.get_mut(..count).unwrap_or_default());
        let mut put = |at: usize, digits: &[u8]| {
            for (slot, &digit) in planned.iter_mut().skip(at).zip(digits) {
                *slot = digit;
            }
        };
        let zeros = head.iter().take_while(|&&digit| digit == b'0').count();
        // 00 stands for + where it is dialled.
        let prefix = if !plus && zeros == 2 && count >= 11 { 2 } else { 0 };
        let one = head.get(prefix) == Some(&b'1');
        put(0, b"000".get(..zeros).unwrap_or_default());
        match (plus || prefix == 2, count - prefix) {
            (true, 11) if one => fictional(prefix, &mut put, stream),
            (true, rest) if rest >= 7 => put(prefix, b"999"),
            (false, 11) if one => fictional(0, &mut put, stream),
            (false, 10) if zeros == 0 => fictional_national(0, &mut put, stream),
            (_, rest) if zeros > 0 && rest > zeros => put(zeros, &[b'1' + stream.below(9) as u8]),
            _ => {}
        }
    }
}

/// A 1 and a number set aside for fiction.
fn fictional(at: usize, put: &mut impl FnMut(usize, &[u8]), stream: &mut Stream) {
    put(at, b"1");
    fictional_national(at + 1, put, stream);
}

/// An area code, 555, 01; two digits are drawn already.
fn fictional_national(at: usize, put: &mut impl FnMut(usize, &[u8]), stream: &mut Stream) {
    // No area code has 9 in the middle, and none ends in 11.
    let (a, b, c) = (2 + stream.below(8), stream.below(9), stream.below(10));
    let c = if b == 1 && c == 1 { 2 } else { c };
    put(at, &[b'0' + a as u8, b'0' + b as u8, b'0' + c as u8]);
    put(at + 3, b"55501");
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
