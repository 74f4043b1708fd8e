//! `pglz`; common/pg_lzcompress.c.
//!
//! A control byte announces eight items, lowest bit first. 0: a literal byte. 1: a tag of two bytes
//! with a distance of 1 to 4095 and a length of 3 to 17, or of three bytes with one of 18 to 273.

use super::parse::{Format, Step, parse};
use super::{TooLarge, copy_back, reserve};
use crate::datum::DatumError;

const MIN_MATCH: usize = 3;
/// Lengths from here on take a third byte.
const LONG_MATCH: usize = 18;
const MAX_MATCH: usize = LONG_MATCH + 255;
const WINDOW: usize = 4096;

/// Accepts what PostgreSQL's decoder accepts when asked for a whole value: in particular a last
/// tag may be longer than what is left of the value.
pub(super) fn decompress(data: &[u8], raw_len: usize, out: &mut Vec<u8>) -> Result<(), DatumError> {
    const TRUNCATED: DatumError = DatumError("a pglz value ends within a tag");
    reserve(data, MAX_MATCH, raw_len, out)?;
    let mut bytes = data.iter().map(|&byte| usize::from(byte));
    while out.len() < raw_len {
        let Some(control) = bytes.next() else { break };
        for bit in 0..8 {
            if out.len() >= raw_len {
                break;
            }
            let Some(first) = bytes.next() else { break };
            if control >> bit & 1 == 0 {
                out.push(first as u8);
                continue;
            }
            let mut len = (first & 0x0F) + MIN_MATCH;
            let distance = (first & 0xF0) << 4 | bytes.next().ok_or(TRUNCATED)?;
            if len == LONG_MATCH {
                len += bytes.next().ok_or(TRUNCATED)?;
            }
            if distance == 0 || distance > out.len() {
                return Err(DatumError("a pglz tag points before the value"));
            }
            copy_back(out, distance, len.min(raw_len - out.len()));
        }
    }
    if out.len() != raw_len || bytes.len() != 0 {
        return Err(DatumError("a pglz value is not as long as its header says"));
    }
    Ok(())
}

struct Pglz;

/// Costs are bits: an item has one in a control byte.
impl Format for Pglz {
    const MIN_MATCH: usize = MIN_MATCH;
    const WINDOW: usize = WINDOW;
    const ENDLESS: bool = false;
    const LAST_LITERALS: usize = 0;
    const LAST_STARTS: usize = MIN_MATCH;

    fn literal_cost(_run: u32) -> u32 {
        9
    }

    fn match_cost(len: usize) -> u32 {
        1 + 8 * tag_size(len) as u32
    }

    /// Of each tag size the greatest length, and that less one, since two literals are dearer than
    /// a match of three. Nothing else is ever better: what follows on a match can be shortened from
    /// its front.
    fn lengths(longest: usize) -> impl Iterator<Item = usize> {
        let short = if longest >= LONG_MATCH { LONG_MATCH - 1 } else { 0 };
        [longest, longest - 1, short, short.saturating_sub(1)]
            .into_iter()
            .filter(|&len| len >= MIN_MATCH)
    }
}

fn tag_size(len: usize) -> usize {
    if len < LONG_MATCH { 2 } else { 3 }
}

/// Encodes `raw` in exactly `target` bytes, if there is a way.
///
/// The best encoding is made first. Then everything up to a position is spelled out, so far that
/// the size is right. Each byte more of that adds one item, and no byte or one besides control
/// bytes, so sizes are left out only where a control byte comes along with a literal. There the end
/// is written a little larger than it need be, with another ratio of bytes to items.
///
/// Sizes that remain out of reach, now and then: the best one plus one, and those within a few
/// bytes of the text without any match.
pub(super) fn compress_to(raw: &[u8], target: usize, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    let mut writer = Writer::default();
    let mut last = (writer, Step::default());
    let mut last_match = last;
    let fits = parse::<Pglz>(raw, &mut |step| {
        last = (writer, step);
        if step.distance > 0 {
            last_match = last;
        }
        writer.step(out, raw, step);
        out.len() <= target
    });
    if !fits {
        return Err(TooLarge { from: last.0.position });
    }
    let mut free = writer.items;
    for larger_end in [None, Some((widen as LargerEnd, last)), Some((divide, last_match))] {
        if let Some((larger_end, (before, step))) = larger_end {
            writer = before;
            writer.resume(out);
            free = larger_end(&mut writer, step, raw, out);
            while writer.position < raw.len() {
                writer.step(out, raw, Step { len: 1, distance: 0 });
            }
        }
        if let Some(end) = position_to_spell_out_to(out, writer.items, free, target) {
            spell_out(out, raw, end, target);
            return Ok(());
        }
    }
    Err(TooLarge { from: raw.len() })
}

/// Writes a step with more bytes than it needs. Returns how many items, from the first, may be
/// spelled out.
type LargerEnd = fn(&mut Writer, Step, &[u8], &mut Vec<u8>) -> usize;

/// The last item as a tag that reaches past the end of the value.
fn widen(writer: &mut Writer, last: Step, raw: &[u8], out: &mut Vec<u8>) -> usize {
    let free = writer.items;
    if last.distance == 0 {
        let earlier = raw.split_last().and_then(|(byte, before)| {
            before.iter().rev().take(WINDOW - 1).position(|other| other == byte)
        });
        match earlier {
            Some(between) => writer.tag(out, MIN_MATCH, between + 1),
            None => writer.step(out, raw, last),
        }
    } else if last.len < LONG_MATCH {
        writer.tag(out, LONG_MATCH, last.distance);
    } else {
        writer.tag(out, last.len - 1, last.distance);
        writer.tag(out, MIN_MATCH, last.distance);
    }
    free
}

/// The last match as two; the shortest ones, and those that could then do without a third byte,
/// with literals.
fn divide(writer: &mut Writer, last: Step, _raw: &[u8], out: &mut Vec<u8>) -> usize {
    let free = writer.items;
    match last.len {
        0..6 => return free,
        18..21 => writer.tag(out, LONG_MATCH - 1, last.distance),
        _ => {
            writer.tag(out, last.len - MIN_MATCH, last.distance);
            writer.tag(out, MIN_MATCH, last.distance);
        }
    }
    free + 1
}

/// The position up to which `encoded`, which has `items` items, has to be spelled out to be
/// `target` bytes long, by spelling out some of its first `free` items.
fn position_to_spell_out_to(
    encoded: &[u8],
    items: usize,
    free: usize,
    target: usize,
) -> Option<usize> {
    if encoded.len() == target {
        return Some(0);
    }
    let mut reader = Reader::default();
    let mut position = 0;
    // Of all items but one; control bytes are not among the bytes.
    let mut bytes = encoded.len() - items.div_ceil(8);
    let mut items = items;
    for _ in 0..free {
        let step = reader.next(encoded)?;
        if step.distance > 0 {
            let others = bytes - tag_size(step.len);
            for spelled in 1..=step.len {
                let left = step.len - spelled;
                let (tag, tags) = match left {
                    0 => (0, 0),
                    1 | 2 => continue,
                    _ => (tag_size(left), 1),
                };
                let size = others + spelled + tag + (items - 1 + spelled + tags).div_ceil(8);
                if size >= target {
                    return (size == target).then_some(position + spelled);
                }
            }
            bytes = others + step.len;
            items += step.len - 1;
        }
        position += step.len;
    }
    None
}

/// Spells out everything before `end`, which makes `target` bytes of it. In place: the encoding is
/// moved to the end of the buffer, read there, and written from the start. What is left to write
/// is at most a control byte shorter than what is left to read, so a small gap keeps them apart.
fn spell_out(encoded: &mut Vec<u8>, raw: &[u8], end: usize, target: usize) {
    const GAP: usize = 8;
    let len = encoded.len();
    let start = target + GAP - len;
    encoded.resize(target + GAP, 0);
    encoded.copy_within(..len, start);
    let mut reader = Reader { at: start, ..Reader::default() };
    let mut writer = Writer::default();
    while let Some(step) = reader.next(encoded) {
        let spelled = end.saturating_sub(writer.position).min(step.len);
        for _ in 0..spelled {
            writer.step(encoded, raw, Step { len: 1, distance: 0 });
        }
        if spelled < step.len {
            writer.step(encoded, raw, Step { len: step.len - spelled, ..step });
        }
    }
    encoded.truncate(writer.at);
}

/// Reads items one by one.
#[derive(Default)]
struct Reader {
    at: usize,
    items: usize,
    control: u8,
}

impl Reader {
    /// The next item; the length is that in the tag, even if it leads past the end of the value.
    fn next(&mut self, encoded: &[u8]) -> Option<Step> {
        if self.items.is_multiple_of(8) {
            self.control = self.byte(encoded)?;
        }
        let is_tag = self.control >> (self.items % 8) & 1 == 1;
        self.items += 1;
        let first = usize::from(self.byte(encoded)?);
        if !is_tag {
            return Some(Step { len: 1, distance: 0 });
        }
        let distance = (first & 0xF0) << 4 | usize::from(self.byte(encoded)?);
        let mut len = (first & 0x0F) + MIN_MATCH;
        if len == LONG_MATCH {
            len += usize::from(self.byte(encoded)?);
        }
        Some(Step { len, distance })
    }

    fn byte(&mut self, encoded: &[u8]) -> Option<u8> {
        let byte = *encoded.get(self.at)?;
        self.at += 1;
        Some(byte)
    }
}

/// Writes items, over what the buffer holds and beyond.
#[derive(Clone, Copy, Default)]
struct Writer {
    at: usize,
    items: usize,
    /// Where the control byte is.
    control: usize,
    /// In the value.
    position: usize,
}

impl Writer {
    /// Takes back what was written since.
    fn resume(&self, out: &mut Vec<u8>) {
        out.truncate(self.at);
        if !self.items.is_multiple_of(8)
            && let Some(control) = out.get_mut(self.control)
        {
            *control &= (1 << (self.items % 8)) - 1;
        }
    }

    fn step(&mut self, out: &mut Vec<u8>, raw: &[u8], step: Step) {
        if step.distance > 0 {
            self.tag(out, step.len, step.distance);
        } else if let Some(&byte) = raw.get(self.position) {
            self.item(out, 0);
            self.put(out, byte);
            self.position += 1;
        }
    }

    fn tag(&mut self, out: &mut Vec<u8>, len: usize, distance: usize) {
        self.item(out, 1);
        let nibble = len.min(LONG_MATCH) - MIN_MATCH;
        self.put(out, (distance >> 4 & 0xF0 | nibble) as u8);
        self.put(out, distance as u8);
        if len >= LONG_MATCH {
            self.put(out, (len - LONG_MATCH) as u8);
        }
        self.position += len;
    }

    fn item(&mut self, out: &mut Vec<u8>, bit: u8) {
        if self.items.is_multiple_of(8) {
            self.control = self.at;
            self.put(out, 0);
        }
        if let Some(control) = out.get_mut(self.control) {
            *control |= bit << (self.items % 8);
        }
        self.items += 1;
    }

    fn put(&mut self, out: &mut Vec<u8>, byte: u8) {
        match out.get_mut(self.at) {
            Some(place) => *place = byte,
            None => out.push(byte),
        }
        self.at += 1;
    }
}
