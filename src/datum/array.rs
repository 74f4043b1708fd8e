//! `ArrayType`: dimensions, null bitmap, elements one behind the other; utils/array.h.

use super::DatumError;
use super::structure::{Layout, VARHDRSZ, aligned, stored_at, u32_at};

/// `MAXDIM`.
const MAXDIM: u32 = 6;
/// `ndim`, `dataoffset` and `elemtype`, behind the varlena header.
const HEADER: usize = 12;
/// What PostgreSQL aligns the first element to.
const MAXALIGN: u8 = 8;

/// Calls `visit` with the bytes of each element that is not null, in storage order.
pub(crate) fn elements(
    array: &mut [u8],
    layout: Layout,
    visit: &mut dyn FnMut(&mut [u8]) -> Result<(), DatumError>,
) -> Result<(), DatumError> {
    let cut = DatumError("an array is shorter than its header");
    let ndim = u32_at(array, 0).ok_or(cut)?;
    let dataoffset = u32_at(array, 4).ok_or(cut)? as usize;
    if ndim > MAXDIM {
        return Err(DatumError("an array has more than six dimensions"));
    }
    if ndim == 0 {
        return Ok(());
    }
    let dims = 0..ndim as usize;
    let count = dims
        .map(|dim| u32_at(array, HEADER + 4 * dim))
        .try_fold(1usize, |count, dim| count.checked_mul(dim? as usize))
        .ok_or(DatumError("an array is shorter than its dimensions"))?;
    let bitmap_start = HEADER + 8 * ndim as usize;
    let (bitmap, mut position) = if dataoffset == 0 {
        (None, aligned(bitmap_start, MAXALIGN))
    } else {
        let bitmap = array
            .get(bitmap_start..bitmap_start.saturating_add(count.div_ceil(8)))
            .ok_or(DatumError("an array is shorter than its null bitmap"))?;
        let data = dataoffset
            .checked_sub(VARHDRSZ)
            .filter(|start| *start >= bitmap_start + bitmap.len())
            .ok_or(DatumError("an array's elements lie in its null bitmap"))?;
        (Some(bitmap.to_vec()), data)
    };
    // An element of no bytes would make a short array endless.
    if layout.len == 0 || (bitmap.is_none() && count > array.len()) {
        return Err(DatumError("an array has more elements than bytes"));
    }
    for index in 0..count {
        let bit = |bitmap: &Vec<u8>| {
            bitmap.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
        };
        if bitmap.as_ref().is_some_and(|bitmap| !bit(bitmap)) {
            continue;
        }
        let element = stored_at(array, position, layout)?;
        position = element.data.end;
        visit(array.get_mut(element.data).unwrap_or_default())?;
    }
    Ok(())
}
