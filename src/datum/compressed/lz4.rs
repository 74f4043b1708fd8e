//! LZ4 blocks; lz4_Block_format.md of liblz4.
//!
//! A block is a row of sequences: a token, literals, a distance of two bytes, and a match of at
//! least four bytes. Both lengths have four bits in the token, and more bytes if those are all
//! ones. The last sequence is literals alone.

use super::parse::{Format, parse};
use super::{TooLarge, copy_back, reserve};
use crate::datum::DatumError;

const MIN_MATCH: usize = 4;
/// A length with this value in the token goes on in the bytes that follow.
const LONG: usize = 15;

/// Accepts what `LZ4_decompress_safe` accepts of this length, and matches that reach into the last
/// bytes, which it wants to be literals.
pub(super) fn decompress(data: &[u8], raw_len: usize, out: &mut Vec<u8>) -> Result<(), DatumError> {
    const TRUNCATED: DatumError = DatumError("an lz4 value ends within a sequence");
    const TOO_LONG: DatumError = DatumError("an lz4 value is longer than its header says");
    reserve(data, 255, raw_len, out)?;
    let mut rest = data;
    loop {
        let (&token, after) = rest.split_first().ok_or(TRUNCATED)?;
        rest = after;
        let literals = length(usize::from(token >> 4), &mut rest).ok_or(TRUNCATED)?;
        let (run, after) = rest.split_at_checked(literals).ok_or(TRUNCATED)?;
        rest = after;
        if literals > raw_len - out.len() {
            return Err(TOO_LONG);
        }
        out.extend_from_slice(run);
        if rest.is_empty() {
            break;
        }
        let (&distance, after) = rest.split_first_chunk::<2>().ok_or(TRUNCATED)?;
        rest = after;
        let distance = usize::from(u16::from_le_bytes(distance));
        if distance == 0 || distance > out.len() {
            return Err(DatumError("an lz4 match points before the value"));
        }
        let len = length(usize::from(token & 0x0F), &mut rest).ok_or(TRUNCATED)?;
        let len = len.saturating_add(MIN_MATCH);
        if len > raw_len - out.len() {
            return Err(TOO_LONG);
        }
        copy_back(out, distance, len);
    }
    if out.len() == raw_len {
        Ok(())
    } else {
        Err(DatumError("an lz4 value is shorter than its header says"))
    }
}

/// The length that starts with `nibble` in a token and may go on in `rest`.
fn length(nibble: usize, rest: &mut &[u8]) -> Option<usize> {
    let mut len = nibble;
    if nibble == LONG {
        loop {
            let (&more, after) = rest.split_first()?;
            *rest = after;
            len = len.saturating_add(usize::from(more));
            if more != u8::MAX {
                break;
            }
        }
    }
    Some(len)
}

struct Lz4;

/// Costs are bytes.
impl Format for Lz4 {
    const MIN_MATCH: usize = MIN_MATCH;
    const WINDOW: usize = 1 << 16;
    const ENDLESS: bool = true;
    const LAST_LITERALS: usize = 5;
    const LAST_STARTS: usize = 12;

    fn literal_cost(run: u32) -> u32 {
        let longer = run + 1;
        1 + u32::from(longer >= LONG as u32 && (longer - LONG as u32).is_multiple_of(255))
    }

    fn match_cost(len: usize) -> u32 {
        3 + more_bytes(len - MIN_MATCH) as u32
    }

    /// The greatest lengths, and the greatest that fits in the token.
    fn lengths(longest: usize) -> impl Iterator<Item = usize> {
        let in_token = if longest >= MIN_MATCH + LONG { MIN_MATCH + LONG - 1 } else { 0 };
        let greatest = longest.saturating_sub(3).max(MIN_MATCH)..=longest;
        greatest.rev().chain((in_token > 0).then_some(in_token))
    }
}

/// Bytes of a length besides the nibble in the token.
fn more_bytes(len: usize) -> usize {
    if len < LONG { 0 } else { 1 + (len - LONG) / 255 }
}

/// A sequence with a match.
#[derive(Clone, Copy, Default)]
struct Sequence {
    literals: usize,
    distance: usize,
    /// Of the match.
    len: usize,
}

impl Sequence {
    fn size(self) -> usize {
        3 + more_bytes(self.literals) + self.literals + more_bytes(self.len - MIN_MATCH)
    }
}

/// The size of a sequence of literals alone.
fn last_size(literals: usize) -> usize {
    1 + more_bytes(literals) + literals
}

/// Encodes `raw` in exactly `target` bytes, if there is a way.
///
/// The best encoding is made first. Then everything up to a position is spelled out, so far that
/// the size is right. A byte more of that adds one byte at most, but for those where the length of
/// a row of literals takes another byte: then bytes of the last match are spelled out as well.
pub(super) fn compress_to(raw: &[u8], target: usize, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    let mut literals = 0;
    let mut position = 0;
    // Where the last match is: its sequence, and the place of that in `out` and in `raw`.
    let mut last = None;
    let fits = parse::<Lz4>(raw, &mut |step| {
        if step.distance == 0 {
            literals += 1;
            position += 1;
            return out.len() + literals < target;
        }
        let sequence = Sequence { literals, distance: step.distance, len: step.len };
        last = Some((sequence, out.len(), position - literals));
        put_sequence(out, raw, position - literals, sequence);
        literals = 0;
        position += step.len;
        out.len() < target
    });
    if !fits || out.len() + last_size(literals) > target {
        return Err(TooLarge { from: position });
    }
    put_last(out, raw, raw.len() - literals);
    if let Some(head) = spelled_out(out, raw.len(), target) {
        replace_head(out, raw, head);
        return Ok(());
    }
    let unreachable = TooLarge { from: raw.len() };
    let Some((sequence, place, start)) = last else { return Err(unreachable) };
    // Of the last match so much is kept, or nothing.
    for kept in (0..sequence.len).rev().take(3).filter(|&len| len >= MIN_MATCH).chain([0]) {
        out.truncate(place);
        let mut literals_from = start;
        if kept > 0 {
            let sequence = Sequence { len: kept, ..sequence };
            put_sequence(out, raw, start, sequence);
            literals_from += sequence.literals + kept;
        }
        put_last(out, raw, literals_from);
        if let Some(head) = spelled_out(out, raw.len(), target) {
            replace_head(out, raw, head);
            return Ok(());
        }
    }
    Err(unreachable)
}

/// What replaces the first sequences of an encoding.
struct Head {
    /// A sequence, all literals if `len` is 0.
    sequence: Sequence,
    /// Bytes of the encoding that it replaces.
    replaces: usize,
}

/// How the start of `encoded` has to be spelled out for the whole to have `target` bytes.
fn spelled_out(encoded: &[u8], raw_len: usize, target: usize) -> Option<Head> {
    let excess = target.checked_sub(encoded.len())?;
    if excess == 0 {
        return Some(Head { sequence: Sequence::default(), replaces: 0 });
    }
    let mut position = 0;
    let mut rest = encoded;
    loop {
        let sequence = next_sequence(&mut rest)?;
        position += sequence.literals;
        let replaces = encoded.len() - rest.len();
        if sequence.len == 0 {
            let sequence = Sequence { literals: raw_len, ..sequence };
            let hit = last_size(raw_len) == replaces + excess;
            return hit.then_some(Head { sequence, replaces });
        }
        for spelled in 0..=sequence.len - MIN_MATCH {
            let literals = position + spelled;
            let sequence = Sequence { literals, len: sequence.len - spelled, ..sequence };
            let size = sequence.size();
            if size >= replaces + excess {
                return (size == replaces + excess).then_some(Head { sequence, replaces });
            }
        }
        position += sequence.len;
    }
}

/// Reads a sequence of an encoding of our own; the last one has a match of length 0.
fn next_sequence(rest: &mut &[u8]) -> Option<Sequence> {
    let (&token, after) = rest.split_first()?;
    *rest = after;
    let literals = length(usize::from(token >> 4), rest)?;
    *rest = rest.get(literals..)?;
    let Some((&distance, after)) = rest.split_first_chunk::<2>() else {
        return Some(Sequence { literals, ..Sequence::default() });
    };
    *rest = after;
    let distance = usize::from(u16::from_le_bytes(distance));
    let len = length(usize::from(token & 0x0F), rest)? + MIN_MATCH;
    Some(Sequence { literals, distance, len })
}

/// Puts `head` in place.
fn replace_head(encoded: &mut Vec<u8>, raw: &[u8], head: Head) {
    let Head { sequence, replaces } = head;
    let spelled = raw.get(..sequence.literals).unwrap_or_default();
    let parts = before_literals(sequence).into_iter().chain(spelled.iter().copied());
    if replaces > 0 {
        encoded.splice(..replaces, parts.chain(after_literals(sequence)));
    }
}

fn put_sequence(out: &mut Vec<u8>, raw: &[u8], start: usize, sequence: Sequence) {
    out.extend(before_literals(sequence));
    out.extend_from_slice(raw.get(start..start + sequence.literals).unwrap_or_default());
    out.extend(after_literals(sequence));
}

fn put_last(out: &mut Vec<u8>, raw: &[u8], start: usize) {
    put_sequence(out, raw, start, Sequence { literals: raw.len() - start, ..Sequence::default() });
}

/// The token, and the rest of the number of literals.
fn before_literals(sequence: Sequence) -> Vec<u8> {
    let match_len = sequence.len.saturating_sub(MIN_MATCH);
    let token = sequence.literals.min(LONG) << 4 | match_len.min(LONG);
    let mut bytes = vec![token as u8];
    put_more(sequence.literals, &mut bytes);
    bytes
}

/// The distance, and the rest of the length of the match; nothing if there is no match.
fn after_literals(sequence: Sequence) -> Vec<u8> {
    let Some(match_len) = sequence.len.checked_sub(MIN_MATCH) else { return Vec::new() };
    let mut bytes = (sequence.distance as u16).to_le_bytes().to_vec();
    put_more(match_len, &mut bytes);
    bytes
}

fn put_more(len: usize, bytes: &mut Vec<u8>) {
    if let Some(more) = len.checked_sub(LONG) {
        bytes.resize(bytes.len() + more / 255, 255);
        bytes.push((more % 255) as u8);
    }
}
