//! Made-up text in the place of a value: as many characters, in as many bytes.

use super::letters;
use super::prf::Stream;
use crate::datum::text::{Style, Unit, style, units};

/// Draws so often before a replacement that equals the original is changed by hand.
const DRAWS: usize = 6;

/// A longer text is replaced piece by piece, so that a buffer holds a piece and not all of it.
const PIECE: usize = 64 << 10;

/// Replaces `value` by text that `write` draws. Where the value holds characters of several
/// bytes, the drawn text gives the rest, and these get another letter of their class.
#[inline]
pub(crate) fn replace(
    value: &mut [u8],
    stream: &mut Stream,
    buffer: &mut Vec<u8>,
    write: impl Fn(&mut Stream, &mut [u8]),
) {
    let style = style(value);
    let mut rest = value;
    while rest.len() > PIECE {
        // A piece ends where a character does.
        let start = |byte: &u8| *byte & 0xC0 != 0x80;
        let end = PIECE + rest.iter().skip(PIECE).position(start).unwrap_or_default();
        let (piece, behind) = std::mem::take(&mut rest).split_at_mut(end);
        replace_piece(piece, style, stream, buffer, &write);
        rest = behind;
    }
    replace_piece(rest, style, stream, buffer, &write);
}

#[inline]
fn replace_piece(
    value: &mut [u8],
    style: Style,
    stream: &mut Stream,
    buffer: &mut Vec<u8>,
    write: impl Fn(&mut Stream, &mut [u8]),
) {
    if value.is_ascii() {
        buffer.resize(value.len(), 0);
        for _ in 0..DRAWS {
            write(stream, buffer);
            restyle(buffer, style);
            if buffer != value {
                break;
            }
        }
        if buffer == value {
            nudge(buffer);
        }
        value.copy_from_slice(buffer);
        return;
    }
    let places = units(value).count();
    let letters = units(value).filter(|unit| matches!(unit, Unit::Char(_))).count();
    // Mostly another script: the words stay where they are, or letters would stand in the gaps.
    let keeps_gaps = 2 * letters > places;
    let mut drawn = vec![0; places];
    for _ in 0..DRAWS {
        write(stream, &mut drawn);
        restyle(&mut drawn, style);
        buffer.clear();
        for (unit, &byte) in units(value).zip(&drawn) {
            match unit {
                Unit::Ascii(gap) if keeps_gaps && !gap.is_ascii_alphanumeric() => buffer.push(gap),
                _ if keeps_gaps && byte == b' ' => {
                    let letter = stream.letter();
                    put(buffer, unit, letter, stream);
                }
                _ => put(buffer, unit, byte, stream),
            }
        }
        if buffer != value {
            break;
        }
    }
    write_back(value, buffer);
}

/// Puts a drawn byte in the place of a one-byte unit, another letter in that of a longer one.
pub(crate) fn put(buffer: &mut Vec<u8>, unit: Unit, byte: u8, stream: &mut Stream) {
    match unit {
        Unit::Ascii(_) | Unit::Raw(_) => buffer.push(byte),
        Unit::Char(c) => {
            let other = letters::other(c, stream);
            buffer.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// Puts another character of its class in the place of a unit: a digit for a digit, a small letter
/// for a small one. Punctuation stays.
pub(crate) fn put_other(buffer: &mut Vec<u8>, unit: Unit, stream: &mut Stream) {
    let mut other = |byte: u8, first: u8, count: u8| {
        let drawn = first + stream.below(u32::from(count) - 1) as u8;
        if drawn >= byte { drawn + 1 } else { drawn }
    };
    match unit {
        Unit::Ascii(byte @ b'0'..=b'9') => buffer.push(other(byte, b'0', 10)),
        Unit::Ascii(byte @ b'a'..=b'z') => buffer.push(other(byte, b'a', 26)),
        Unit::Ascii(byte @ b'A'..=b'Z') => buffer.push(other(byte, b'A', 26)),
        Unit::Ascii(byte) => buffer.push(byte),
        Unit::Raw(_) => buffer.push(stream.letter()),
        Unit::Char(_) => put(buffer, unit, b'x', stream),
    }
}

/// Copies a replacement over its value. They have one length; if ever they had not, nothing of the
/// value would stay.
pub(crate) fn write_back(value: &mut [u8], replacement: &[u8]) {
    debug_assert_eq!(value.len(), replacement.len());
    if value.len() == replacement.len() {
        value.copy_from_slice(replacement);
    } else {
        value.fill(b'x');
    }
}

/// Writes all letters large, or small, where the original was written so.
#[inline]
pub(crate) fn restyle(text: &mut [u8], style: Style) {
    match style {
        Style::Upper => text.make_ascii_uppercase(),
        Style::Lower => text.make_ascii_lowercase(),
        Style::Mixed => {}
    }
}

/// Changes the last byte of a text that would stay what it was.
fn nudge(text: &mut [u8]) {
    if let Some(last) = text.last_mut() {
        *last = match *last {
            b'z' => b'a',
            b'Z' => b'A',
            b'9' => b'0',
            letter if letter.is_ascii_alphanumeric() => letter + 1,
            _ => b'x',
        };
    }
}
