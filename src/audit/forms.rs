//! Texts in other forms: as hex, as base64, as UTF-16, with JSON's escapes, and as constants of the
//! catalogs. What may be one is decoded, and searched like everything else.

use std::ops::RangeInclusive;

use super::digits::{BASE64, HEX, InDigits, hex_runs};
use super::runs::Groups;

/// How a value stood where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// As it is stored.
    Plain,
    /// In a compressed value.
    Compressed,
    /// As UTF-16, of either byte order.
    Utf16,
    /// As hexadecimal digits.
    Hex,
    /// As base64, with either alphabet.
    Base64,
    /// With escapes of JSON's.
    Json,
    /// As a constant in an expression of the catalogs: signed decimal numbers between blanks;
    /// `_outDatum`, `nodes/outfuncs.c`.
    NodeTree,
}

impl Form {
    /// For messages: how a value stands there.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Form::Plain => "",
            Form::Compressed => ", compressed",
            Form::Utf16 => ", in UTF-16",
            Form::Hex => ", in hex",
            Form::Base64 => ", in base64",
            Form::Json => ", with JSON escapes",
            Form::NodeTree => ", in an expression",
        }
    }
}

/// Bytes behind a position that the longest value may take there in any of these forms: 64 bytes,
/// each as `\u00ab`, or base64 with line breaks.
pub(super) const REACH: usize = 400;
/// Fewer digits are no value (nor are fewer than twelve of base64),
const SHORTEST_HEX: usize = 16;
/// nor are fewer units of UTF-16,
const SHORTEST_UTF16: usize = 6;
/// or numbers.
const SHORTEST_CONSTANT: usize = 4;
/// Base64 may be broken into lines that are no shorter.
const SHORTEST_LINE: usize = 60;
/// Of an escape's surroundings so much is looked at before it.
const BEFORE_ESCAPE: usize = 80;

/// What was decoded of some bytes.
#[derive(Default)]
pub(super) struct Decoded {
    /// Pieces with a zero between them.
    pub(super) bytes: Vec<u8>,
    /// Where each byte stood.
    offsets: Vec<u32>,
    /// Where a form begins.
    forms: Vec<(usize, Form)>,
}

impl Decoded {
    /// Decodes whatever may be a text in another form.
    pub(super) fn read(&mut self, bytes: &[u8], begins: &InDigits<'_>) {
        self.bytes.clear();
        self.offsets.clear();
        self.forms.clear();
        // Where the last run of digits ended, and of UTF-16, by parity and byte order.
        let mut digits = 0;
        let mut units = [0; 4];
        for group in Groups::of(bytes) {
            for start in group.twelve_digits() {
                if start >= digits {
                    digits = self.digits(bytes, start, group.digits_from(start), begins);
                }
            }
            for (big_endian, starts) in group.six_units() {
                for start in starts {
                    let which = 2 * (start % 2) + usize::from(big_endian);
                    if let Some(end) = units.get_mut(which).filter(|end| start >= **end) {
                        *end = self.utf16(bytes, start, big_endian);
                    }
                }
            }
        }
        self.marked(bytes);
    }

    /// Where a match stood, first byte to last, and in which form; `None` if it is not in one that
    /// changes anything.
    pub(super) fn origin(
        &self,
        position: usize,
        len: usize,
    ) -> Option<(RangeInclusive<usize>, Form)> {
        let after = self.forms.partition_point(|(start, _)| *start <= position);
        let (_, form) = *self.forms.get(after.checked_sub(1)?)?;
        let first = *self.offsets.get(position)?;
        let last = *self.offsets.get(position + len - 1)?;
        let escaped = (last - first) as usize != len - 1;
        (form != Form::Json || escaped).then_some((first as usize..=last as usize, form))
    }

    fn begin(&mut self, form: Form) {
        if self.forms.last().is_none_or(|(_, last)| *last != form) {
            self.forms.push((self.bytes.len(), form));
        }
    }

    fn push(&mut self, byte: u8, offset: usize) {
        self.bytes.push(byte);
        self.offsets.push(offset as u32);
    }

    fn push_char(&mut self, c: char, offset: usize) {
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            self.push(byte, offset);
        }
    }

    /// A run of digits of base64, of which so many are known, and those of hexadecimal ones in it:
    /// where it ends.
    fn digits(&mut self, bytes: &[u8], start: usize, known: usize, begins: &InDigits<'_>) -> usize {
        let unknown = bytes.get(start + known..).unwrap_or_default();
        let len = known + unknown.iter().take_while(|byte| BASE64.is(**byte)).count();
        let (_, behind) = bytes.split_at_checked(start).unwrap_or_default();
        let (run, rest) = behind.split_at_checked(len).unwrap_or_default();
        for (at, hex) in hex_runs::<SHORTEST_HEX>(run) {
            if begins.hex(hex) {
                self.begin(Form::Hex);
                self.hex(hex, start + at, 0);
                self.hex(hex, start + at, 1);
            }
        }
        let goes_on = len >= SHORTEST_LINE && line_break(rest).is_some();
        if goes_on || begins.base64(run) {
            self.begin(Form::Base64);
            for phase in 0..4 {
                self.base64(bytes, len, start, phase);
            }
        }
        start + len
    }

    fn hex(&mut self, run: &[u8], start: usize, phase: usize) {
        let pairs = run.get(phase..).unwrap_or_default();
        for (at, [high, low]) in pairs.as_chunks().0.iter().enumerate() {
            let byte = HEX.value(*high) << 4 | HEX.value(*low);
            self.push(byte, start + phase + 2 * at);
        }
        self.push(0, start);
    }

    /// Decodes base64 from a character on. A line that breaks off is followed by as much of the next
    /// as a value may take that began in it.
    fn base64(&mut self, bytes: &[u8], len: usize, start: usize, phase: usize) {
        let mut bits = 0u32;
        let mut held = 0;
        let (mut at, mut end, mut line) = (start + phase, start + len, len);
        let mut first = at;
        let reach = end + REACH;
        while at < reach {
            if at >= end {
                let rest = bytes.get(at..).unwrap_or_default();
                let Some(gap) = line_break(rest) else { break };
                let behind = rest.get(gap..).unwrap_or_default();
                let next = behind.iter().take_while(|byte| BASE64.is(**byte)).count();
                if line < SHORTEST_LINE || next == 0 {
                    break;
                }
                at += gap;
                end = at + next;
                line = next;
            }
            let value = bytes.get(at).map_or(0, |byte| BASE64.value(*byte));
            if held == 0 {
                first = at;
            }
            bits = bits << 6 | u32::from(value);
            held += 6;
            if held >= 8 {
                held -= 8;
                self.push((bits >> held) as u8, first);
                first = at;
            }
            at += 1;
        }
        self.push(0, start);
    }

    /// A run of UTF-16 from its first unit on: where it ends.
    fn utf16(&mut self, bytes: &[u8], start: usize, big_endian: bool) -> usize {
        let unit = |at: usize| {
            let two = bytes.get(at..)?.first_chunk::<2>()?;
            let unit = if big_endian { u16::from_be_bytes(*two) } else { u16::from_le_bytes(*two) };
            char::from_u32(u32::from(unit)).is_none_or(is_text).then_some(unit)
        };
        let mut end = start;
        while unit(end).is_some() {
            end += 2;
        }
        if (end - start) / 2 >= SHORTEST_UTF16 {
            self.begin(Form::Utf16);
            let mut at = start;
            for c in char::decode_utf16((start..end).step_by(2).filter_map(unit)) {
                let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
                self.push_char(c, at);
                at += 2 * c.len_utf16();
            }
            self.push(0, start);
        }
        end.max(start + 2)
    }

    /// What begins with a mark of its own: escapes and constants.
    fn marked(&mut self, bytes: &[u8]) {
        self.begin(Form::Json);
        let mut next = 0;
        let mut constants = Vec::new();
        for at in memchr::memchr2_iter(b'\\', b'[', bytes) {
            let behind = bytes.get(at + 1).copied().unwrap_or_default();
            match bytes.get(at) {
                Some(b'[') if behind == b' ' => constants.push(at + 2),
                Some(b'\\') if at >= next && is_escape(behind) => {
                    next = self.json(bytes, at, next);
                }
                _ => {}
            }
        }
        self.begin(Form::NodeTree);
        for start in constants {
            self.constant(bytes, start);
        }
    }

    /// Takes escapes out of a text around one of them: where it ends.
    fn json(&mut self, bytes: &[u8], escape: usize, done: usize) -> usize {
        let mut at = escape.saturating_sub(BEFORE_ESCAPE).max(done);
        let mut end = escape + REACH;
        while let Some(byte) = bytes.get(at).filter(|_| at < end) {
            let behind = bytes.get(at + 1).copied().unwrap_or_default();
            if *byte != b'\\' || !is_escape(behind) {
                self.push(*byte, at);
                at += 1;
                continue;
            }
            end = at + REACH;
            let plain = match behind {
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'u' => {
                    let (c, len) = unicode_escape(bytes.get(at..).unwrap_or_default());
                    self.push_char(c, at);
                    at += len;
                    continue;
                }
                other => other,
            };
            self.push(plain, at);
            at += 2;
        }
        self.push(0, escape);
        at
    }

    fn constant(&mut self, bytes: &[u8], start: usize) {
        let before = self.bytes.len();
        let mut at = start;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let len = rest.iter().take(5).take_while(|byte| **byte != b' ').count();
            let number = rest.get(..len).and_then(|digits| str::from_utf8(digits).ok());
            let Some(number) = number.and_then(|digits| digits.parse::<i16>().ok()) else { break };
            if !(-128..256).contains(&number) {
                break;
            }
            self.push(number as u8, at);
            at += len + 1;
        }
        if self.bytes.len() - before < SHORTEST_CONSTANT {
            self.bytes.truncate(before);
            self.offsets.truncate(before);
        } else {
            self.push(0, start);
        }
    }
}

/// The length of a line break that is next.
fn line_break(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'\r', b'\n', ..] => Some(2),
        [b'\n', ..] => Some(1),
        _ => None,
    }
}

/// Characters of scripts that are written with letters.
fn is_text(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a0}'..='\u{2fff}')
}

fn is_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u')
}

/// The character of `\u00e9`, or of a surrogate pair, and the length of that.
fn unicode_escape(bytes: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
    };
    match unit(0) {
        None => ('u', 2),
        Some(high @ 0xD800..0xDC00) => {
            let pair = char::decode_utf16([Some(high), unit(6)].into_iter().flatten()).next();
            pair.and_then(Result::ok).map_or((char::REPLACEMENT_CHARACTER, 6), |c| (c, 12))
        }
        Some(unit) => (char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
    }
}

#[cfg(test)]
mod tests;
