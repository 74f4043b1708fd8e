//! Masked text that is too irregular for its place is made more regular.
//!
//! The end of the text is replaced, from as late a position as will do, byte by byte: lower-case
//! letters by `x`, capitals by `X`, digits by `0`, characters of two, three and four bytes by one
//! of each length. If that does not help even from the start on, all other ASCII goes too.
//!
//! Equal bytes become equal bytes, so a match in a text is one in what it becomes. Hence the text
//! fits wherever some text did whose classes of bytes it has: in particular the one that it masks.

use std::ops::Range;

use super::{Method, try_compress_to};

/// What takes the place of bytes.
#[derive(Clone, Copy)]
enum Regular {
    Class,
    Length,
}

/// Continuation bytes; with each of the first bytes below a letter, so that one byte stands for
/// all of them.
const CONTINUATION: u8 = 0xA9;
/// A letter in every single-byte encoding; twice, a character of the EUC encodings.
const HIGH: u8 = 0xC5;

impl Regular {
    fn byte(self, byte: u8, is_utf8: bool) -> u8 {
        match (byte, self) {
            (b'a'..=b'z', _) => b'x',
            (b'A'..=b'Z', Regular::Class) => b'X',
            (b'0'..=b'9', Regular::Class) => b'0',
            (..0x80, Regular::Class) => byte,
            (..0x80, Regular::Length) => b'x',
            (0x80..0xC0, _) if is_utf8 => CONTINUATION,
            (0xC0..0xE0, _) if is_utf8 => 0xC3,
            (0xE0..0xF0, _) if is_utf8 => 0xE6,
            (0xF0.., _) if is_utf8 => 0xF0,
            // Shifts to other character sets in EUC, controls elsewhere.
            (0x80..=0xA0, _) => byte,
            _ => HIGH,
        }
    }
}

/// Encodes `masked` in exactly `target` bytes, as it is or made more regular in place. Only
/// `parts` may change: ascending, apart, each whole characters. What they become depends on
/// nothing but the arguments. Lengths in bytes and characters stay.
///
/// False if it does not fit; `masked` is then as regular as it gets, and `out` empty.
pub(crate) fn fit_parts(
    method: Method,
    masked: &mut [u8],
    parts: &[Range<usize>],
    target: usize,
    is_utf8: bool,
    out: &mut Vec<u8>,
) -> bool {
    let mut failed = match try_compress_to(method, masked, target, out) {
        Ok(()) => return true,
        Err(too_large) => too_large.from,
    };
    for regular in [Regular::Class, Regular::Length] {
        // Nothing from `done` on is irregular. Steps double, so there are few tries.
        let mut done = masked.len();
        let mut step = (masked.len() / 64).max(1);
        while done > 0 {
            let from = failed.min(done.saturating_sub(step));
            let from = character_start(masked, from, is_utf8);
            for part in parts {
                let range = part.start.max(from)..part.end.min(done);
                for byte in masked.get_mut(range).unwrap_or_default() {
                    *byte = regular.byte(*byte, is_utf8);
                }
            }
            failed = match try_compress_to(method, masked, target, out) {
                Ok(()) => return true,
                Err(too_large) => too_large.from,
            };
            done = from;
            step *= 2;
        }
        failed = masked.len();
    }
    false
}

/// The last position up to `from` that is surely not within a character.
fn character_start(text: &[u8], from: usize, is_utf8: bool) -> usize {
    let within = |byte: &u8| if is_utf8 { byte & 0xC0 == 0x80 } else { *byte >= 0x80 };
    let before = text.get(..=from).unwrap_or(text);
    before.iter().rposition(|byte| !within(byte)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::decompress;
    use super::*;

    fn fit_text(
        method: Method,
        masked: &mut [u8],
        target: usize,
        is_utf8: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        let all = 0..masked.len();
        fit_parts(method, masked, std::slice::from_ref(&all), target, is_utf8, out)
    }

    /// Another text with the same classes of bytes, as masks make them.
    fn masked(text: &str, seed: u32) -> Vec<u8> {
        let mut state = seed;
        let mut random = |n: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % n
        };
        let other = text.chars().map(|c| match c {
            'a'..='z' => char::from(b'a' + random(26) as u8),
            'A'..='Z' => char::from(b'A' + random(26) as u8),
            '0'..='9' => char::from(b'0' + random(10) as u8),
            'à'..='þ' => char::from_u32(0x3B1 + random(20)).unwrap(),
            '一'..='鿿' => char::from_u32(0x4E00 + random(5000)).unwrap(),
            _ => c,
        });
        other.collect::<String>().into_bytes()
    }

    fn smallest(method: Method, text: &[u8]) -> usize {
        let hits = |&target: &usize| try_compress_to(method, text, target, &mut Vec::new()).is_ok();
        (0..).find(hits).unwrap()
    }

    fn shape(text: &str) -> Vec<(usize, bool)> {
        text.chars().map(|c| (c.len_utf8(), c.is_ascii_punctuation())).collect()
    }

    proptest! {
        #[test]
        fn fits_where_text_of_the_same_classes_did(
            words in prop::collection::vec(
                prop::sample::select(
                    &["Anna ", "Müller, ", "tel. 0151-2345 ", "東京都", "über 40 ", "\n", "𠀋"][..],
                ),
                1..200,
            ),
            seed in any::<u32>(),
        ) {
            let text = words.concat();
            for method in [Method::Pglz, Method::Lz4] {
                let target = smallest(method, text.as_bytes());
                let mut out = Vec::new();
                let mut value = masked(&text, seed);
                let before = String::from_utf8(value.clone()).unwrap();
                prop_assert!(fit_text(method, &mut value, target, true, &mut out));
                prop_assert_eq!(out.len(), target);
                let mut back = Vec::new();
                decompress(method, &out, value.len(), &mut back).unwrap();
                prop_assert_eq!(&back, &value);
                prop_assert_eq!(shape(std::str::from_utf8(&value).unwrap()), shape(&before));

                let mut again = before.into_bytes();
                prop_assert!(fit_text(method, &mut again, target, true, &mut out));
                prop_assert_eq!(again, value);
            }
        }
    }

    #[test]
    fn text_that_fits_stays() {
        let mut text = "one two three one two three one two three".repeat(3).into_bytes();
        let before = text.clone();
        assert!(fit_text(Method::Pglz, &mut text, 60, true, &mut Vec::new()));
        assert_eq!(text, before);
    }

    #[test]
    fn keeps_a_start_and_what_is_not_part() {
        let mut text = masked(&"abcd".repeat(1000), 5);
        let before = text.clone();
        let mut out = Vec::new();
        let parts = [0..1000, 2000..4000];
        assert!(fit_parts(Method::Lz4, &mut text, &parts, 2500, true, &mut out));
        assert_eq!(text[1000..2000], before[1000..2000]);
        assert_eq!(text[..500], before[..500]);
        assert!(text.ends_with(b"xxxxxxxxxxxxxxxx"));
    }

    #[test]
    fn nothing_fits_in_too_little() {
        let mut text = b"abcdefghij".repeat(100);
        assert!(!fit_text(Method::Pglz, &mut text, 12, true, &mut Vec::new()));
        assert!(!fit_text(Method::Lz4, &mut text, 5, true, &mut Vec::new()));
    }

    #[test]
    fn replacements_are_characters_of_the_same_length() {
        for (text, expected) in [("Zoé 7日!", "Xxé 0橩!"), ("ß\u{10FFFF}", "é\u{29A69}")] {
            let map = |byte| Regular::Class.byte(byte, true);
            let replaced: Vec<u8> = text.bytes().map(map).collect();
            assert_eq!(std::str::from_utf8(&replaced), Ok(expected));
        }
    }
}
