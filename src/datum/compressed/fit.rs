//! A masked value that is too irregular for its place is made more regular: its texts, and if that
//! does not do, its other parts.
//!
//! The end of the text is replaced, from as late a position as will do, byte by byte: lower-case
//! letters by `x`, capitals by `X`, digits by `1`, characters of two, three and four bytes by one
//! of each length. If that does not help even from the start on, all other ASCII goes too.
//!
//! Equal bytes become equal bytes, so a match in a text is one in what it becomes. Hence the text
//! fits wherever some text did whose classes of bytes it has: in particular the one that it masks.
//!
//! Other parts become what is most regular for their types, from the end as well: see
//! [`Regularize`].

use std::ops::Range;

use super::{Method, try_compress_to};
use crate::datum::{Layout, ValueType};

/// More parts than this take too much memory.
const MOST_PARTS: usize = 1 << 20;

/// What may become more regular.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where in the whole value it is.
    pub(crate) range: Range<usize>,
    pub(crate) form: Form,
}

/// What a part is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One text.
    Text,
    /// A decimal number written out.
    Digits,
    /// Values of one type side by side.
    Values(ValueType),
    /// Values of an `enum` side by side, with the label that may stand for all of them.
    Labels(u32),
    /// A range or a multirange, of bounds that have to stay in order.
    Bounds { bound: ValueType, layout: Layout, is_multirange: bool },
    /// A `tsvector`.
    TsVector,
    /// A `tsquery`.
    TsQuery,
}

impl From<ValueType> for Form {
    fn from(value_type: ValueType) -> Form {
        if value_type.is_text() { Form::Text } else { Form::Values(value_type) }
    }
}

impl Form {
    fn is_text(self) -> bool {
        matches!(self, Form::Text | Form::Digits)
    }

    /// Bytes of a value, where all that are side by side are one part.
    fn width(self) -> Option<usize> {
        match self {
            Form::Values(value_type) => value_type.width(),
            Form::Labels(_) => ValueType::Enum.width(),
            _ => None,
        }
    }
}

impl Part {
    /// Takes down one more value. Of a value with very many parts, texts alone.
    pub(crate) fn note(parts: &mut Vec<Part>, form: Form, range: Range<usize>) {
        let is_full = parts.len() >= MOST_PARTS && form != Form::Text;
        match parts.last_mut() {
            Some(last)
                if last.form == form
                    && last.range.end == range.start
                    && form.width() == Some(range.len()) =>
            {
                last.range.end = range.end;
            }
            _ if is_full => {}
            _ => parts.push(Part { range, form }),
        }
    }
}

/// Makes a part regular that is no text, as far as it begins at an offset or behind it.
pub(crate) type Regularize = fn(Form, &mut [u8], usize);

/// What takes the place of something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Regular {
    /// Of a text's bytes: one of their class.
    Class,
    /// One of their length.
    Length,
    /// Of other parts: what their form allows.
    Form,
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
            // Where a number begins, a zero may not stand.
            (b'0'..=b'9', Regular::Class) => b'1',
            // The end of a `name`.
            (0, _) => 0,
            (..0x80, Regular::Class) => byte,
            (..0x80, _) => b'x',
            (0x80..0xC0, _) if is_utf8 => CONTINUATION,
            (0xC0..0xE0, _) if is_utf8 => 0xC3,
            (0xE0..0xF0, _) if is_utf8 => 0xE6,
            (0xF0.., _) if is_utf8 => 0xF0,
            // Shifts to other character sets in EUC, controls elsewhere.
            (0x80..=0xA0, _) => byte,
            _ => HIGH,
        }
    }

    /// True if it is for such parts.
    fn is_for(self, form: Form) -> bool {
        match self {
            Regular::Class => form.is_text(),
            Regular::Length => form == Form::Text,
            Regular::Form => !form.is_text(),
        }
    }

    /// Makes what of a part is at `from` or behind it regular.
    fn apply(
        self,
        part: &Part,
        masked: &mut [u8],
        from: usize,
        is_utf8: bool,
        regularize: Regularize,
    ) {
        let Some(bytes) = masked.get_mut(part.range.clone()) else { return };
        let offset = from.saturating_sub(part.range.start);
        if offset >= bytes.len() || !self.is_for(part.form) {
            return;
        }
        if self == Regular::Form {
            return regularize(part.form, bytes, offset);
        }
        for byte in bytes.get_mut(offset..).unwrap_or_default() {
            *byte = self.byte(*byte, is_utf8);
        }
    }
}

/// Encodes `masked` in exactly `target` bytes, as it is or made more regular in place. Only
/// `parts` may change: ascending, apart, texts each of whole characters. What they become depends
/// on nothing but the arguments. Lengths of texts in bytes and characters stay.
///
/// False if it does not fit; `masked` is then as regular as it gets, and `out` empty.
pub(crate) fn fit_parts(
    method: Method,
    masked: &mut [u8],
    parts: &[Part],
    target: usize,
    is_utf8: bool,
    regularize: Regularize,
    out: &mut Vec<u8>,
) -> bool {
    let mut failed = match try_compress_to(method, masked, target, out) {
        Ok(()) => return true,
        Err(too_large) => too_large.from,
    };
    for regular in [Regular::Class, Regular::Length, Regular::Form] {
        if !parts.iter().any(|part| regular.is_for(part.form)) {
            continue;
        }
        // Nothing from `done` on is irregular. Steps double, so there are few tries.
        let mut done = masked.len();
        let mut step = (masked.len() / 64).max(1);
        while done > 0 {
            let from = failed.min(done.saturating_sub(step));
            let from = character_start(masked, from, is_utf8);
            for part in parts {
                regular.apply(part, masked, from, is_utf8, regularize);
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
        let all = text(0..masked.len());
        fit_parts(method, masked, &[all], target, is_utf8, |_, _, _| {}, out)
    }

    fn text(range: Range<usize>) -> Part {
        Part { range, form: Form::Text }
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
        let mut value = masked(&"abcd".repeat(1000), 5);
        let before = value.clone();
        let mut out = Vec::new();
        let parts = [text(0..1000), text(2000..4000)];
        assert!(fit_parts(Method::Lz4, &mut value, &parts, 2500, true, |_, _, _| {}, &mut out));
        assert_eq!(value[1000..2000], before[1000..2000]);
        assert_eq!(value[..500], before[..500]);
        assert!(value.ends_with(b"xxxxxxxxxxxxxxxx"));
    }

    #[test]
    fn numbers_become_zeros_from_the_end_and_others_stay() {
        let mut value: Vec<u8> = (1..=1000u32)
            .flat_map(|number| number.wrapping_mul(0x9E37_79B9).to_le_bytes())
            .collect();
        let before = value.clone();
        let mut parts = Vec::new();
        // All but the first and the last ten.
        for at in (40..3960).step_by(4) {
            Part::note(&mut parts, ValueType::Int4.into(), at..at + 4);
        }
        assert_eq!(parts, [Part { range: 40..3960, form: Form::Values(ValueType::Int4) }]);
        let zero = |_: Form, part: &mut [u8], from: usize| {
            let first = from.next_multiple_of(4).min(part.len());
            part[first..].fill(0);
        };
        for method in [Method::Pglz, Method::Lz4] {
            let mut out = Vec::new();
            value.copy_from_slice(&before);
            assert!(fit_parts(method, &mut value, &parts, 3000, true, zero, &mut out));
            assert_eq!(out.len(), 3000);
            let kept = value.iter().zip(&before).take_while(|(now, was)| now == was).count();
            assert!((1600..3000).contains(&kept) && kept % 4 == 0, "{kept}");
            assert!(value[kept..3960].iter().all(|byte| *byte == 0));
            assert_eq!(value[3960..], before[3960..]);
        }
        let nothing = &mut Vec::new();
        assert!(!fit_parts(Method::Pglz, &mut value, &[], 60, true, zero, nothing));
    }

    #[test]
    fn nothing_fits_in_too_little() {
        let mut text = b"abcdefghij".repeat(100);
        assert!(!fit_text(Method::Pglz, &mut text, 12, true, &mut Vec::new()));
        assert!(!fit_text(Method::Lz4, &mut text, 5, true, &mut Vec::new()));
    }

    #[test]
    fn replacements_are_characters_of_the_same_length() {
        for (text, expected) in [("Zoé 7日!", "Xxé 1橩!"), ("ß\u{10FFFF}", "é\u{29A69}")] {
            let map = |byte| Regular::Class.byte(byte, true);
            let replaced: Vec<u8> = text.bytes().map(map).collect();
            assert_eq!(std::str::from_utf8(&replaced), Ok(expected));
        }
    }
}
