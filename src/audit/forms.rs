//! Texts in other forms: as hex, as base64, as UTF-16, with JSON's escapes, and as constants of the
//! catalogs. What may be one is decoded, and searched like everything else.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

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
/// Fewer digits are no value,
const SHORTEST_HEX: usize = 16;
/// nor are fewer characters of base64,
const SHORTEST_BASE64: usize = 12;
/// units of UTF-16,
const SHORTEST_UTF16: usize = 6;
/// or numbers.
const SHORTEST_CONSTANT: usize = 4;
/// Base64 may be broken into lines that are no shorter.
const SHORTEST_LINE: usize = 60;
/// Of an escape's surroundings so much is looked at before it.
const BEFORE_ESCAPE: usize = 80;

static HEX: LazyLock<Digits> = LazyLock::new(|| Digits::new(is_hex, hex_digit));
static BASE64: LazyLock<Digits> = LazyLock::new(|| Digits::new(is_base64, base64_value));

/// Which bytes are digits of a form, and what they stand for.
struct Digits([Option<u8>; 256]);

impl Digits {
    /// `value` is asked for each digit.
    fn new(is: fn(u8) -> bool, value: fn(u8) -> u8) -> Digits {
        let digit = |byte: usize| Some(byte as u8).filter(|byte| is(*byte)).map(value);
        Digits(std::array::from_fn(digit))
    }

    #[inline]
    fn of(&self, byte: u8) -> Option<u8> {
        self.0.get(usize::from(byte)).copied().flatten()
    }

    #[inline]
    fn value(&self, byte: u8) -> u8 {
        self.of(byte).unwrap_or_default()
    }
}

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
    /// Decodes whatever may be a text in another form. `begins` says whether a value may begin with
    /// these bytes: long runs in which none does are left out.
    pub(super) fn read(&mut self, bytes: &[u8], begins: &impl Fn([u8; 4]) -> bool) {
        self.bytes.clear();
        self.offsets.clear();
        self.forms.clear();
        self.begin(Form::Hex);
        self.runs(bytes, &HEX, SHORTEST_HEX, |this, run, start| {
            for phase in 0..if hex_begins(run, begins) { 2 } else { 0 } {
                this.hex(run, start, phase);
            }
        });
        self.begin(Form::Base64);
        self.runs(bytes, &BASE64, SHORTEST_BASE64, |this, run, start| {
            let rest = bytes.get(start + run.len()..).unwrap_or_default();
            let goes_on = run.len() >= SHORTEST_LINE && line_break(rest).is_some();
            for phase in 0..if goes_on || base64_begins(run, begins) { 4 } else { 0 } {
                this.base64(bytes, run.len(), start, phase);
            }
        });
        self.begin(Form::Utf16);
        self.utf16(bytes);
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
        self.forms.push((self.bytes.len(), form));
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

    /// Runs of at least `shortest` bytes of a kind. Every eighth byte is looked at: a run that is
    /// long enough has one of those among its first eight, and so many behind it.
    fn runs(
        &mut self,
        bytes: &[u8],
        digits: &Digits,
        shortest: usize,
        mut found: impl FnMut(&mut Self, &[u8], usize),
    ) {
        let is = |byte| digits.of(byte).is_some();
        let mut next = 0;
        for at in (0..bytes.len()).step_by(8) {
            let some = bytes.get(at..at + shortest - 7).unwrap_or_default();
            if at < next || some.is_empty() || !some.iter().all(|byte| is(*byte)) {
                continue;
            }
            let (before, after) = bytes.split_at_checked(at).unwrap_or_default();
            let before = before.get(next..).unwrap_or_default();
            let start = at - before.iter().rev().take_while(|byte| is(**byte)).count();
            next = at + after.iter().take_while(|byte| is(**byte)).count();
            if next - start >= shortest {
                found(self, bytes.get(start..next).unwrap_or_default(), start);
            }
        }
    }

    fn hex(&mut self, run: &[u8], start: usize, phase: usize) {
        let digits = &*HEX;
        let pairs = run.get(phase..).unwrap_or_default();
        for (at, [high, low]) in pairs.as_chunks().0.iter().enumerate() {
            let byte = digits.value(*high) << 4 | digits.value(*low);
            self.push(byte, start + phase + 2 * at);
        }
        self.push(0, start);
    }

    /// Decodes base64 from a character on. A line that breaks off is followed by as much of the next
    /// as a value may take that began in it.
    fn base64(&mut self, bytes: &[u8], len: usize, start: usize, phase: usize) {
        let digits = &*BASE64;
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
                let next = behind.iter().take_while(|byte| digits.of(**byte).is_some()).count();
                if line < SHORTEST_LINE || next == 0 {
                    break;
                }
                at += gap;
                end = at + next;
                line = next;
            }
            let value = bytes.get(at).map_or(0, |byte| digits.value(*byte));
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

    fn utf16(&mut self, bytes: &[u8]) {
        // By parity and byte order: where the last run ended.
        let mut done = [0usize; 4];
        for (group, four) in bytes.as_chunks::<4>().0.iter().enumerate() {
            let at = 4 * group;
            let [b0, b1, b2, b3] = *four;
            let even = b0 == b2 && b0 < 0x30 && b1 != 0 && b3 != 0;
            let odd = b1 == b3 && b1 < 0x30 && (b0 != 0 || b2 != 0);
            if !even && !odd {
                continue;
            }
            // The high bytes are at even positions, or at odd ones.
            let tries = [
                (even, at, true, 0),
                (even, at.saturating_sub(1), false, 1),
                (odd, at, false, 2),
                (odd, at + 1, true, 3),
            ];
            for (_, at, big_endian, which) in tries.into_iter().filter(|(wanted, ..)| *wanted) {
                let done = done.get_mut(which);
                if let Some(done) = done.filter(|done| **done <= at) {
                    *done = self.utf16_run(bytes, at, big_endian, *done);
                }
            }
        }
    }

    /// A run of UTF-16 around a unit: where it ends.
    fn utf16_run(&mut self, bytes: &[u8], at: usize, big_endian: bool, done: usize) -> usize {
        let unit = |at: usize| {
            let two = bytes.get(at..)?.first_chunk::<2>()?;
            let unit = if big_endian { u16::from_be_bytes(*two) } else { u16::from_le_bytes(*two) };
            char::from_u32(u32::from(unit)).is_none_or(is_text).then_some(unit)
        };
        let mut start = at;
        while start >= done + 2 && unit(start - 2).is_some() {
            start -= 2;
        }
        let mut end = at;
        while unit(end).is_some() {
            end += 2;
        }
        if end.saturating_sub(start) / 2 >= SHORTEST_UTF16 {
            let mut at = start;
            for c in char::decode_utf16((start..end).step_by(2).filter_map(unit)) {
                let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
                self.push_char(c, at);
                at += 2 * c.len_utf16();
            }
            self.push(0, start);
        }
        end.max(at + 2)
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

/// True if a value may begin somewhere in digits.
fn hex_begins(run: &[u8], begins: &impl Fn([u8; 4]) -> bool) -> bool {
    let digits = &*HEX;
    let mut last = 0u32;
    run.iter().enumerate().any(|(at, digit)| {
        last = last << 4 | u32::from(digits.value(*digit));
        at >= 7 && begins(last.to_be_bytes())
    })
}

/// True if a value may begin somewhere in base64: every second bit may be where a byte begins.
fn base64_begins(run: &[u8], begins: &impl Fn([u8; 4]) -> bool) -> bool {
    let digits = &*BASE64;
    let mut last = 0u64;
    run.iter().enumerate().any(|(at, digit)| {
        last = last << 6 | u64::from(digits.value(*digit));
        at >= 5 && [0, 2, 4].iter().any(|bits| begins(((last >> bits) as u32).to_be_bytes()))
    })
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20).wrapping_sub(b'a' - 10),
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

fn base64_value(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        _ => 63,
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
