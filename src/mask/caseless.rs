//! `citext`: values that differ in case alone are equal, and so must their masks be.
//!
//! What is masked is the text in small letters. The original's capitals come back afterwards, where
//! they change nothing under the type's `=`.

use super::masker::Kind;
use crate::datum::text::{Style, Unit, style, units};

/// How a masked text gets its capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capitals {
    /// Where the original had them.
    InPlace,
    /// At the head of each word, or throughout, as the original began or was.
    OfWords,
    /// None.
    None,
}

impl Kind {
    /// How a text whose case does not count gets its capitals back.
    pub(super) fn capitals(&self) -> Capitals {
        match self {
            Kind::Digits
            | Kind::Alphanumeric
            | Kind::UniqueEmail
            | Kind::UniqueUsername
            | Kind::Phone
            | Kind::Iban
            | Kind::CardText
            | Kind::NationalId(_)
            | Kind::Partial(..) => Capitals::InPlace,
            Kind::Email(_)
            | Kind::Url
            | Kind::Hash
            | Kind::Ip(_)
            | Kind::Mac
            | Kind::BlankText
            | Kind::RedactText
            | Kind::ConstantText(_) => Capitals::None,
            _ => Capitals::OfWords,
        }
    }
}

/// A letter in its small form, if that is as long.
fn small(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) if lower.len_utf8() == c.len_utf8() => lower,
        _ => c,
    }
}

/// A letter in its large form, if that is as long and leads back.
fn large(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) if small(upper) == c => upper,
        _ => c,
    }
}

/// Writes every unit of `value` that `to` gives another character of the same length for.
fn rewrite(value: &mut [u8], mut to: impl FnMut(char) -> char) {
    let all: Vec<Unit> = units(value).collect();
    let mut rest = value;
    for unit in all {
        let Some((bytes, behind)) = rest.split_at_mut_checked(unit.len()) else { return };
        let c = match unit {
            Unit::Ascii(byte) => Some(char::from(byte)),
            Unit::Char(c) => Some(c),
            Unit::Raw(_) => None,
        };
        match c.map(&mut to) {
            Some(c) if c.len_utf8() == bytes.len() => {
                c.encode_utf8(bytes);
            }
            _ => {}
        }
        rest = behind;
    }
}

/// Puts a text into small letters.
pub(crate) fn fold(value: &mut [u8]) {
    rewrite(value, small);
}

/// Gives a masked text the capitals of its original.
pub(crate) fn restore(value: &mut [u8], original: &[u8], capitals: Capitals) {
    match capitals {
        Capitals::None => {}
        Capitals::InPlace => {
            let mut originals = units(original);
            rewrite(value, |c| match originals.next() {
                Some(Unit::Ascii(byte)) if byte.is_ascii_uppercase() => large(c),
                Some(Unit::Char(was)) if small(was) != was => large(c),
                _ => c,
            });
        }
        Capitals::OfWords => match style(original) {
            Style::Upper => rewrite(value, large),
            Style::Mixed if original.first().is_some_and(u8::is_ascii_uppercase) => {
                let mut at_head = true;
                for byte in value {
                    if at_head {
                        byte.make_ascii_uppercase();
                    }
                    at_head = byte.is_ascii_whitespace() || *byte == b'-';
                }
            }
            _ => {}
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut value = text.as_bytes().to_vec();
        fold(&mut value);
        String::from_utf8(value).unwrap()
    }

    fn restored(masked: &str, original: &str, capitals: Capitals) -> String {
        let mut value = masked.as_bytes().to_vec();
        restore(&mut value, original.as_bytes(), capitals);
        String::from_utf8(value).unwrap()
    }

    #[test]
    fn folds_what_stays_as_long() {
        assert_eq!(folded("ÉMILE Müller ДА"), "émile müller да");
        // The Kelvin sign is longer than a k, a capital sharp s than a small one.
        assert_eq!(folded("\u{212A}\u{1E9E}"), "\u{212A}\u{1E9E}");
        let mut bytes = *b"A\xE9B";
        fold(&mut bytes);
        assert_eq!(bytes, *b"a\xE9b");
    }

    #[test]
    fn capitals_come_back() {
        assert_eq!(restored("xyz", "aBc", Capitals::InPlace), "xYz");
        assert_eq!(restored("xéz", "aÑc", Capitals::InPlace), "xÉz");
        assert_eq!(restored("ann-mary poe", "John Smith d", Capitals::OfWords), "Ann-Mary Poe");
        assert_eq!(restored("andré", "ÉMILE", Capitals::OfWords), "ANDRÉ");
        assert_eq!(restored("ann", "bob", Capitals::OfWords), "ann");
        assert_eq!(restored("ann", "BOB", Capitals::None), "ann");
    }
}
