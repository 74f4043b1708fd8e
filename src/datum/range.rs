//! `RangeType` and `MultirangeType`: where their bounds are; utils/rangetypes.h,
//! utils/multirangetypes.h.

use super::DatumError;
use super::structure::{Layout, Stored, aligned, stored_at, u32_at};

const EMPTY: u8 = 0x01;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;
const LOWER_NULL: u8 = 0x20;
const UPPER_NULL: u8 = 0x40;

/// A type's oid, behind the varlena header.
const OID: usize = 4;

fn has_lower(flags: u8) -> bool {
    flags & (EMPTY | LOWER_NULL | LOWER_INFINITE) == 0
}

fn has_upper(flags: u8) -> bool {
    flags & (EMPTY | UPPER_NULL | UPPER_INFINITE) == 0
}

/// Appends the bounds of a range that has them, the lower one first. The flags are its last byte.
pub(crate) fn range_bounds(
    range: &[u8],
    layout: Layout,
    bounds: &mut Vec<Stored>,
) -> Result<(), DatumError> {
    let (flags, values) = range.split_last().ok_or(DatumError("a range has no flags"))?;
    take_bounds(values, OID, *flags, layout, bounds).map(|_| ())
}

/// Appends the bounds of a multirange's ranges, in order.
pub(crate) fn multirange_bounds(
    multirange: &[u8],
    layout: Layout,
    bounds: &mut Vec<Stored>,
) -> Result<(), DatumError> {
    let cut = DatumError("a multirange is shorter than its header");
    let count = u32_at(multirange, OID).ok_or(cut)? as usize;
    // An offset or a length for each but the first, then flags for each.
    let flags_start = OID + 4 + 4 * count.saturating_sub(1);
    let flags = multirange.get(flags_start..flags_start.saturating_add(count)).ok_or(cut)?;
    let mut position = aligned(flags_start + count, layout.align);
    for flags in flags {
        position = take_bounds(multirange, position, *flags, layout, bounds)?;
        position = aligned(position, layout.align);
    }
    Ok(())
}

/// Appends the bounds that start at `position`; says where they end.
fn take_bounds(
    bytes: &[u8],
    mut position: usize,
    flags: u8,
    layout: Layout,
    bounds: &mut Vec<Stored>,
) -> Result<usize, DatumError> {
    for _ in 0..usize::from(has_lower(flags)) + usize::from(has_upper(flags)) {
        let bound = stored_at(bytes, position, layout)?;
        position = bound.data.end;
        bounds.push(bound);
    }
    Ok(position)
}
