//! `LIKE`.

use serde::{Deserialize, Serialize};

/// A pattern of `LIKE`, with `\` as its escape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// `_`: one character of UTF-8.
    One,
    /// `%`: anything.
    Any,
}

impl Pattern {
    /// Reads a pattern; `None` if it ends in an escape, which PostgreSQL refuses.
    pub fn parse(text: &str) -> Option<Pattern> {
        let mut pieces = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '%' if pieces.last() == Some(&Piece::Any) => {}
                '%' => pieces.push(Piece::Any),
                '_' => pieces.push(Piece::One),
                c => {
                    let c = if c == '\\' { chars.next()? } else { c };
                    let mut bytes = [0; 4];
                    let bytes = c.encode_utf8(&mut bytes).as_bytes();
                    match pieces.last_mut() {
                        Some(Piece::Bytes(piece)) => piece.extend_from_slice(bytes),
                        _ => pieces.push(Piece::Bytes(bytes.to_vec())),
                    }
                }
            }
        }
        Some(Pattern(pieces))
    }

    /// True if it counts characters, which are those of UTF-8.
    pub fn counts_characters(&self) -> bool {
        self.0.contains(&Piece::One)
    }

    /// True if the whole text matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        // Where the last `%` was met: what follows it, and how far it reaches so far. An earlier
        // one never has to reach further.
        let mut last: Option<(&[Piece], &[u8])> = None;
        let (mut pieces, mut rest) = (self.0.as_slice(), text);
        loop {
            let next = match pieces.split_first() {
                None if rest.is_empty() => return true,
                None => None,
                Some((Piece::Any, after)) => {
                    if after.is_empty() {
                        return true;
                    }
                    last = Some((after, rest));
                    Some((after, rest))
                }
                Some((Piece::Bytes(bytes), after)) => {
                    rest.strip_prefix(bytes.as_slice()).map(|rest| (after, rest))
                }
                Some((Piece::One, after)) => skip_character(rest).map(|rest| (after, rest)),
            };
            (pieces, rest) = match next {
                Some(next) => next,
                None => {
                    let Some((after, reached)) = last else { return false };
                    let Some(further) = skip_character(reached) else { return false };
                    last = Some((after, further));
                    (after, further)
                }
            };
        }
    }
}

/// What follows the first character; a byte that begins none counts as one.
fn skip_character(text: &[u8]) -> Option<&[u8]> {
    let (_, rest) = text.split_first()?;
    let inner = rest.iter().take_while(|&&byte| byte & 0xC0 == 0x80).count();
    rest.get(inner..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_like_postgres() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("%", "", true),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a%", "abc", true),
            ("%c", "abc", true),
            ("%b%", "abc", true),
            ("a%b%c", "a-b-b-c", true),
            ("a%b%c", "a-c-b", false),
            ("%ab%ab", "ab-aab", true),
            ("%%a", "a", true),
            ("_", "\u{e9}", true),
            ("_", "e\u{301}", false),
            ("__%", "\u{6771}", false),
            ("a_c%", "a\u{6771}cd", true),
            ("100\\%", "100%", true),
            ("100\\%", "1000", false),
            ("a\\_", "a_", true),
            ("a\\_", "ab", false),
            ("\\\\", "\\", true),
        ] {
            let found = Pattern::parse(pattern).unwrap().matches(text.as_bytes());
            assert_eq!(found, expected, "{text} LIKE {pattern}");
        }
        assert_eq!(Pattern::parse("a\\"), None);
        assert!(Pattern::parse("%a_").unwrap().counts_characters());
        assert!(!Pattern::parse("%a\\_").unwrap().counts_characters());
    }
}
