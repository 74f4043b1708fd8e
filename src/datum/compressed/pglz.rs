//! `pglz`; common/pg_lzcompress.c.
//!
//! A control byte announces eight items, lowest bit first. 0: a literal byte. 1: a tag of two bytes
//! with a distance of 1 to 4095 and a length of 3 to 17, or of three bytes with one of 18 to 273.

use super::{copy_back, reserve};
use crate::datum::DatumError;

const MIN_MATCH: usize = 3;
/// Lengths from here on take a third byte.
const LONG_MATCH: usize = 18;
const MAX_MATCH: usize = LONG_MATCH + 255;

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

/// Encodes `raw` in exactly `target` bytes.
pub(super) fn compress_to(raw: &[u8], target: usize, out: &mut Vec<u8>) -> bool {
    for eight in raw.chunks(8) {
        out.push(0);
        out.extend_from_slice(eight);
    }
    out.len() == target
}
