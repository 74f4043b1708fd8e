//! LZ4 blocks; lz4_Block_format.md of liblz4.
//!
//! A block is a row of sequences: a token, literals, a distance of two bytes, and a match of at
//! least four bytes. Both lengths have four bits in the token, and more bytes if those are all
//! ones. The last sequence is literals alone.

use super::{copy_back, reserve};
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

/// Encodes `raw` in exactly `target` bytes.
pub(super) fn compress_to(raw: &[u8], target: usize, out: &mut Vec<u8>) -> bool {
    out.push((raw.len().min(LONG) << 4) as u8);
    if let Some(mut more) = raw.len().checked_sub(LONG) {
        while more >= 255 {
            out.push(255);
            more -= 255;
        }
        out.push(more as u8);
    }
    out.extend_from_slice(raw);
    out.len() == target
}
