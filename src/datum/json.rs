//! `json`: text that PostgreSQL stores as it came, white space and all; scanned in place.

use std::ops::Range;

use super::DatumError;
use super::document::{MAX_DEPTH, Scalar, Trail, Visitor};

/// Walks over all scalars of a stored `json`. What a visitor writes into a string or a number has
/// to be valid there. A boolean turned over becomes or stays `true`: `false` has no room.
pub(crate) fn walk<V: Visitor>(
    json: &mut [u8],
    root: V::Place,
    visitor: &mut V,
) -> Result<(), DatumError> {
    let mut scanner = Scanner { text: json, at: 0 };
    scanner.value(root, &Trail::Root, 0, visitor)?;
    match scanner.next() {
        None => Ok(()),
        Some(_) => Err(DatumError("a json goes on behind its end")),
    }
}

struct Scanner<'j> {
    text: &'j mut [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The next byte that is not white space; it is not consumed.
    fn next(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    fn value<V: Visitor>(
        &mut self,
        place: V::Place,
        trail: &Trail<'_>,
        depth: usize,
        visitor: &mut V,
    ) -> Result<(), DatumError> {
        if depth > MAX_DEPTH {
            return Err(DatumError("json containers are nested too deep"));
        }
        match self.next() {
            Some(b'{') => self.object(place, trail, depth, visitor),
            Some(b'[') => self.array(place, trail, depth, visitor),
            Some(b'"') => {
                let content = self.string()?;
                let text = self.text.get_mut(content).unwrap_or_default();
                visitor.scalar(place, trail, Scalar::Text(text))
            }
            Some(b'-' | b'0'..=b'9') => {
                let digits = self.number()?;
                let number = self.text.get_mut(digits).unwrap_or_default();
                visitor.scalar(place, trail, Scalar::Number(number))
            }
            Some(b't') => {
                self.word(b"true")?;
                visitor.scalar(place, trail, Scalar::Boolean(&mut true))
            }
            Some(b'f') => {
                let word = self.word(b"false")?;
                let mut truth = false;
                visitor.scalar(place, trail, Scalar::Boolean(&mut truth))?;
                if truth && let Some(word) = self.text.get_mut(word) {
                    word.copy_from_slice(b"true ");
                }
                Ok(())
            }
            Some(b'n') => self.word(b"null").map(|_| ()),
            _ => Err(DatumError("a json has no value where there should be one")),
        }
    }

    fn object<V: Visitor>(
        &mut self,
        place: V::Place,
        trail: &Trail<'_>,
        depth: usize,
        visitor: &mut V,
    ) -> Result<(), DatumError> {
        self.at += 1;
        if self.next() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let mut key = Vec::new();
        loop {
            self.next();
            let content = self.string()?;
            unescape(self.text.get(content).unwrap_or_default(), &mut key);
            if self.next() != Some(b':') {
                return Err(DatumError("a json object has a key without value"));
            }
            self.at += 1;
            let member = visitor.member(place, &key);
            self.value(member, &Trail::Member(trail, &key), depth + 1, visitor)?;
            if self.goes_on(b'}')? {
                return Ok(());
            }
        }
    }

    fn array<V: Visitor>(
        &mut self,
        place: V::Place,
        trail: &Trail<'_>,
        depth: usize,
        visitor: &mut V,
    ) -> Result<(), DatumError> {
        self.at += 1;
        if self.next() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        for index in 0.. {
            let element = visitor.element(place, index);
            self.value(element, &Trail::Element(trail, index), depth + 1, visitor)?;
            if self.goes_on(b']')? {
                break;
            }
        }
        Ok(())
    }

    /// Passes a comma, or the end of a container: then true.
    fn goes_on(&mut self, end: u8) -> Result<bool, DatumError> {
        let next = self.next();
        self.at += 1;
        match next {
            Some(b',') => Ok(false),
            Some(byte) if byte == end => Ok(true),
            _ => Err(DatumError("a json container does not end")),
        }
    }

    /// What stands between the quotes of the string here.
    fn string(&mut self) -> Result<Range<usize>, DatumError> {
        let broken = Err(DatumError("a json string is broken"));
        if self.peek() != Some(b'"') {
            return broken;
        }
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(start..self.at - 1);
                }
                Some(b'\\') => match self.text.get(self.at + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
                    Some(b'u') if hex4(self.text, self.at + 2).is_some() => self.at += 6,
                    _ => return broken,
                },
                Some(0x20..) => self.at += 1,
                _ => return broken,
            }
        }
    }

    fn number(&mut self) -> Result<Range<usize>, DatumError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits();
        let mut good = whole > 0 && !(leading_zero && whole > 1);
        if self.peek() == Some(b'.') {
            self.at += 1;
            good &= self.digits() > 0;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            good &= self.digits() > 0;
        }
        if good { Ok(start..self.at) } else { Err(DatumError("a json number is broken")) }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn word(&mut self, word: &[u8]) -> Result<Range<usize>, DatumError> {
        let range = self.at..self.at + word.len();
        if self.text.get(range.clone()) != Some(word) {
            return Err(DatumError("a json has a word of no meaning"));
        }
        self.at = range.end;
        Ok(range)
    }
}

/// The four hexadecimal digits at `at`.
fn hex4(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    digits.iter().try_fold(0, |sum, byte| Some(sum * 16 + char::from(*byte).to_digit(16)?))
}

/// Writes what a valid string's content means into `plain`, which is emptied first.
pub(crate) fn unescape(content: &[u8], plain: &mut Vec<u8>) {
    plain.clear();
    let mut at = 0;
    while let Some(&byte) = content.get(at) {
        let escape = content.get(at + 1).filter(|_| byte == b'\\');
        let Some(&escape) = escape else {
            plain.push(byte);
            at += 1;
            continue;
        };
        at += 2;
        plain.push(match escape {
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (c, len) = unicode(content, at);
                at += len;
                plain.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            other => other,
        });
    }
}

/// The character of the digits behind `\u`, with as many bytes as they and a second half take.
fn unicode(content: &[u8], at: usize) -> (char, usize) {
    let first = hex4(content, at).unwrap_or_default();
    if (0xD800..0xDC00).contains(&first)
        && content.get(at + 4..at + 6) == Some(b"\\u")
        && let Some(second @ 0xDC00..0xE000) = hex4(content, at + 6)
    {
        let c = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return (char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER), 10);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 4)
}

/// Writes plain characters over the escapes in a string's content: as many bytes as each has.
pub(crate) fn flatten_escapes(content: &mut [u8]) {
    let mut escaped = false;
    for byte in content {
        if escaped {
            escaped = false;
            if !byte.is_ascii_alphanumeric() {
                *byte = b'x';
            }
        } else if *byte == b'\\' {
            escaped = true;
            *byte = b'x';
        }
    }
}

/// Writes plain characters over those that would need an escape.
pub(crate) fn without_escapes(content: &mut [u8]) {
    for byte in content {
        if matches!(*byte, b'"' | b'\\' | ..0x20) {
            *byte = b'x';
        }
    }
}
