//! Permutations of the digits and letters of a text; everything else stays in its place.

use super::letters::{self, Rank};
use super::permutation::Permuter;
use super::prf::Prf;
use crate::datum::text::{Unit, units};

/// In a tweak, ahead of a class of letters. No byte of UTF-8.
const CLASS: u8 = 0xFF;
/// In a tweak, for a byte that is not UTF-8; only where the whole text is taken bytewise.
const HIGH: u8 = 0xFE;

/// What is taken apart and put together again for each value.
pub(crate) struct Scratch {
    pub(crate) tweak: Vec<u8>,
    pub(crate) radices: Vec<u32>,
    pub(crate) row: Vec<u32>,
    pub(crate) classes: Vec<u16>,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        Scratch { tweak: Vec::new(), radices: Vec::new(), row: Vec::new(), classes: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.tweak.clear();
        self.radices.clear();
        self.row.clear();
        self.classes.clear();
    }

    /// A digit of the row, standing in the tweak as `mark`.
    pub(crate) fn push(&mut self, mark: u8, radix: u32, digit: u32) {
        self.tweak.push(mark);
        self.radices.push(radix);
        self.row.push(digit);
    }

    /// Puts the bytes of an ASCII text into the row, or into the tweak where they are kept. What
    /// stands there in the tweak is the first of its class's letters or digits, as `mark` has it.
    pub(crate) fn push_ascii(&mut self, text: &[u8], mark: impl Fn(u8) -> u8) {
        let class = |byte: u8| match byte {
            b'0'..=b'9' => (b'0', 10),
            b'a'..=b'z' => (b'a', 26),
            b'A'..=b'Z' => (b'A', 26),
            kept => (kept, 0),
        };
        self.tweak.extend(text.iter().map(|&byte| match class(byte) {
            (kept, 0) => kept,
            (first, _) => mark(first),
        }));
        // Written ahead and cut off: no look at the room for each.
        let mut len = self.row.len();
        self.row.resize(len + text.len(), 0);
        self.radices.resize(len + text.len(), 0);
        for &byte in text {
            let (first, radix) = class(byte);
            if let (Some(digit), Some(room)) = (self.row.get_mut(len), self.radices.get_mut(len)) {
                (*digit, *room) = (u32::from(byte - first), radix);
            }
            len += usize::from(radix > 0);
        }
        self.row.truncate(len);
        self.radices.truncate(len);
    }

    /// Permutes the row.
    pub(crate) fn permute(&mut self, permuter: &mut Permuter, prf: &Prf) {
        permuter.permute(prf, &self.tweak, &self.radices, &mut self.row);
    }
}

/// Permutes the ASCII digits of a text.
pub(crate) fn digits(value: &mut [u8], prf: &Prf, permuter: &mut Permuter, scratch: &mut Scratch) {
    scratch.clear();
    for &byte in value.iter() {
        if byte.is_ascii_digit() {
            scratch.push(b'0', 10, u32::from(byte - b'0'));
        } else {
            scratch.tweak.push(byte);
        }
    }
    scratch.permute(permuter, prf);
    let places = value.iter_mut().filter(|byte| byte.is_ascii_digit());
    for (byte, &digit) in places.zip(&scratch.row) {
        *byte = b'0' + digit as u8;
    }
}

/// Permutes the digits and letters of a text, each within its class.
pub(crate) fn alphanumeric(
    value: &mut [u8],
    prf: &Prf,
    permuter: &mut Permuter,
    scratch: &mut Scratch,
    buffer: &mut Vec<u8>,
) {
    if value.is_ascii() {
        scratch.clear();
        scratch.push_ascii(value, |class| class);
        scratch.permute(permuter, prf);
        let mut row = scratch.row.iter();
        value.iter_mut().for_each(|byte| put_ascii(byte, &mut row));
    } else if str::from_utf8(value).is_ok() {
        characters(value, prf, permuter, scratch, buffer);
    } else {
        high_bytes(value, prf, permuter, scratch);
    }
}

/// Puts an ASCII byte into the row, or into the tweak if it is kept.
pub(crate) fn take_ascii(scratch: &mut Scratch, byte: u8) {
    match byte {
        b'0'..=b'9' => scratch.push(b'0', 10, u32::from(byte - b'0')),
        b'a'..=b'z' => scratch.push(b'a', 26, u32::from(byte - b'a')),
        b'A'..=b'Z' => scratch.push(b'A', 26, u32::from(byte - b'A')),
        kept => scratch.tweak.push(kept),
    }
}

/// Replaces an ASCII byte by the row's next digit, unless it is kept.
pub(crate) fn put_ascii<'r>(byte: &mut u8, row: &mut impl Iterator<Item = &'r u32>) {
    let base = match *byte {
        b'0'..=b'9' => b'0',
        b'a'..=b'z' => b'a',
        b'A'..=b'Z' => b'A',
        _ => return,
    };
    if let Some(&digit) = row.next() {
        *byte = base + digit as u8;
    }
}

/// A text of valid characters, some of them beyond ASCII.
fn characters(
    value: &mut [u8],
    prf: &Prf,
    permuter: &mut Permuter,
    scratch: &mut Scratch,
    buffer: &mut Vec<u8>,
) {
    scratch.clear();
    for unit in units(value) {
        match unit {
            Unit::Ascii(byte) | Unit::Raw(byte) => take_ascii(scratch, byte),
            Unit::Char(c) => match letters::rank(c) {
                Some(Rank { class, index }) => {
                    scratch.push(CLASS, letters::size(class), index);
                    scratch.tweak.extend(class.to_le_bytes());
                    scratch.classes.push(class);
                }
                None => scratch.tweak.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            },
        }
    }
    scratch.permute(permuter, prf);
    let (mut row, mut classes) = (scratch.row.iter(), scratch.classes.iter());
    buffer.clear();
    for unit in units(value) {
        match unit {
            Unit::Ascii(mut byte) | Unit::Raw(mut byte) => {
                put_ascii(&mut byte, &mut row);
                buffer.push(byte);
            }
            Unit::Char(c) => {
                let mut to = c;
                if letters::rank(c).is_some()
                    && let (Some(&class), Some(&index)) = (classes.next(), row.next())
                {
                    to = letters::letter(Rank { class, index }).unwrap_or(c);
                }
                buffer.extend_from_slice(to.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
    super::overlay::write_back(value, buffer);
}

/// A text that is not UTF-8: byte by byte, bytes from 0x80 as a class of their own. Such texts are
/// permuted among themselves: a result that happens to be UTF-8 goes through again, or it could be
/// that of a text that is.
fn high_bytes(value: &mut [u8], prf: &Prf, permuter: &mut Permuter, scratch: &mut Scratch) {
    loop {
        scratch.clear();
        for &byte in value.iter() {
            if byte.is_ascii() {
                take_ascii(scratch, byte);
            } else {
                scratch.push(HIGH, 128, u32::from(byte & 0x7F));
            }
        }
        scratch.permute(permuter, prf);
        let mut row = scratch.row.iter();
        for byte in value.iter_mut() {
            if byte.is_ascii() {
                put_ascii(byte, &mut row);
            } else if let Some(&digit) = row.next() {
                *byte = 0x80 | digit as u8;
            }
        }
        if str::from_utf8(value).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;
    use std::collections::BTreeSet;

    #[test]
    fn texts_of_high_bytes_are_permuted_among_themselves() {
        let prf = Prf::new(&MaskKey::from_bytes([1; 32]), MaskName::Alphanumeric, "test");
        let (mut permuter, mut scratch) = (Permuter::new(), Scratch::new());
        let mut seen = BTreeSet::new();
        for first in 0x80..=0xFF {
            for second in 0x80..=0xFF {
                let mut value = [first, second];
                if str::from_utf8(&value).is_ok() {
                    continue;
                }
                high_bytes(&mut value, &prf, &mut permuter, &mut scratch);
                assert!(str::from_utf8(&value).is_err());
                assert!(seen.insert(value));
            }
        }
    }
}
