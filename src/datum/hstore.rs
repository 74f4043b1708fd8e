//! `hstore`: entries with the ends of keys and values, then their characters;
//! contrib/hstore/hstore.h.

use std::ops::Range;

use super::DatumError;
use super::structure::u32_at;

const NEW_VERSION: u32 = 0x8000_0000;
const COUNT_MASK: u32 = 0x0FFF_FFFF;
const ENTRY_IS_NULL: u32 = 0x4000_0000;
const ENTRY_END: u32 = 0x3FFF_FFFF;

/// Calls `visit` with each key and its value, if that is not null. `key` is working memory.
pub(crate) fn values(
    hstore: &mut [u8],
    key: &mut Vec<u8>,
    mut visit: impl FnMut(&[u8], &mut [u8]) -> Result<(), DatumError>,
) -> Result<(), DatumError> {
    let header = u32_at(hstore, 0).ok_or(DatumError("an hstore has no header"))?;
    let count = (header & COUNT_MASK) as usize;
    if header & NEW_VERSION == 0 && count > 0 {
        return Err(DatumError("an hstore is in the form that PostgreSQL 9.0 gave up"));
    }
    let base = 4 + 8 * count;
    let mut start = base;
    for pair in 0..count {
        let (key_range, _) = entry(hstore, 2 * pair, base, &mut start)?;
        let (value_range, is_null) = entry(hstore, 2 * pair + 1, base, &mut start)?;
        if is_null {
            continue;
        }
        key.clear();
        key.extend_from_slice(hstore.get(key_range).unwrap_or_default());
        visit(key, hstore.get_mut(value_range).unwrap_or_default())?;
    }
    Ok(())
}

/// The characters of an entry, which begin at `start`, and whether it is null.
fn entry(
    hstore: &[u8],
    index: usize,
    base: usize,
    start: &mut usize,
) -> Result<(Range<usize>, bool), DatumError> {
    let word = u32_at(hstore, 4 + 4 * index).ok_or(DatumError("an hstore ends in its entries"))?;
    let end = base + (word & ENTRY_END) as usize;
    if end < *start || end > hstore.len() {
        return Err(DatumError("an hstore's entry reaches past its end"));
    }
    let range = *start..end;
    *start = end;
    Ok((range, word & ENTRY_IS_NULL != 0))
}
