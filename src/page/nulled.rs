//! A tuple with some of its values NULL, formed as `heap_form_tuple` does it; `common/heaptuple.c`.

use super::tuple::{
    HEAP_HASEXTERNAL, HEAP_HASNULL, HEAP_HASVARWIDTH, HEAP_NATTS_MASK, T_BITS, T_HOFF, T_INFOMASK,
    T_INFOMASK2,
};
use super::{Attribute, PageError, Storage, TupleHeader, VarlenaForm, u16_at, walk_attributes};

/// `MAXALIGN`: what a tuple occupies on its page.
pub fn max_align(len: usize) -> usize {
    len.next_multiple_of(8)
}

/// Appends to `out` the tuple that `tuple` is once its attributes are NULL that `is_nulled` names by
/// index. All else about it stays: its transactions, its place, every other value's bytes.
///
/// A null bitmap is added where there is none. Where it does not fit into `room` bytes, and every
/// attribute from some number on is one of those, the tuple ends before them instead, as one from
/// before `ADD COLUMN` does; they are NULL unless the catalog has a missing value for them.
pub fn nulled_tuple(
    tuple: &[u8],
    storage: &[Storage],
    is_nulled: impl Fn(usize) -> bool,
    room: usize,
    out: &mut Vec<u8>,
) -> Result<(), PageError> {
    let header = TupleHeader::read(tuple)?;
    let mut kept: Vec<Attribute> = Vec::new();
    walk_attributes(tuple, storage, |attribute| {
        if !is_nulled(attribute.index) {
            kept.push(attribute);
        }
        Ok::<(), PageError>(())
    })?;
    let start = out.len();
    let has_bitmap = header.has_null_bitmap();
    let t_hoff = match has_bitmap {
        true => header.t_hoff,
        false => max_align(T_BITS + header.natts.div_ceil(8)).max(header.t_hoff),
    };
    form(tuple, storage, &kept, header.natts, Some(t_hoff), out)?;
    // Without a bitmap every attribute is there: those kept are the first ones, or not.
    let is_head = kept.last().is_none_or(|last| last.index + 1 == kept.len());
    if max_align(out.len() - start) > room && !has_bitmap && is_head {
        out.truncate(start);
        form(tuple, storage, &kept, kept.len(), None, out)?;
    }
    Ok(())
}

/// Appends a tuple of `natts` attributes, of which those not in `kept` are NULL. With a null bitmap
/// its data begin at `t_hoff`.
fn form(
    tuple: &[u8],
    storage: &[Storage],
    kept: &[Attribute],
    natts: usize,
    t_hoff: Option<usize>,
    out: &mut Vec<u8>,
) -> Result<(), PageError> {
    let cut = PageError::new("tuple ends within its header");
    let begin = out.len();
    let old_hoff = TupleHeader::read(tuple)?.t_hoff;
    out.extend_from_slice(tuple.get(..T_BITS).ok_or(cut)?);
    match t_hoff {
        Some(t_hoff) => {
            let mut bitmap = vec![0; natts.div_ceil(8)];
            for attribute in kept {
                if let Some(byte) = bitmap.get_mut(attribute.index / 8) {
                    *byte |= 1 << (attribute.index % 8);
                }
            }
            out.extend_from_slice(&bitmap);
            out.resize(begin + t_hoff, 0);
        }
        None => out.resize(begin + old_hoff, 0),
    }
    let mut flags = 0;
    for attribute in kept {
        let storage = storage
            .get(attribute.index)
            .ok_or(PageError::new("tuple has more attributes than its table"))?;
        if storage.fixed_len().is_none() {
            flags |= HEAP_HASVARWIDTH;
        }
        if attribute.varlena.is_some_and(|varlena| varlena.form == VarlenaForm::OnDisk) {
            flags |= HEAP_HASEXTERNAL;
        }
        out.resize(begin + storage.place(out.len() - begin, attribute.varlena), 0);
        out.extend_from_slice(tuple.get(attribute.start..attribute.end).unwrap_or_default());
    }
    let infomask2 = u16_at(tuple, T_INFOMASK2).ok_or(cut)? & !HEAP_NATTS_MASK | natts as u16;
    let infomask = u16_at(tuple, T_INFOMASK).ok_or(cut)?;
    let content = HEAP_HASVARWIDTH | HEAP_HASEXTERNAL;
    // What the content has is what is left of what it had.
    let infomask = infomask & !(content & !flags);
    let infomask = if t_hoff.is_some() { infomask | HEAP_HASNULL } else { infomask };
    let mut write = |at: usize, bytes: &[u8]| {
        if let Some(field) = out.get_mut(begin + at..begin + at + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    };
    write(T_INFOMASK2, &infomask2.to_le_bytes());
    write(T_INFOMASK, &infomask.to_le_bytes());
    write(T_HOFF, &[t_hoff.unwrap_or(old_hoff) as u8]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(kinds: &[(i16, u8)]) -> Vec<Storage> {
        kinds.iter().map(|(len, align)| Storage::new(*len, *align).unwrap()).collect()
    }

    /// A tuple of these bytes behind a header without a null bitmap.
    fn tuple(natts: u16, infomask: u16, data: &[u8]) -> Vec<u8> {
        let mut tuple: Vec<u8> = (1..=24).collect();
        tuple[18..20].copy_from_slice(&(0xA000 | natts).to_le_bytes());
        tuple[20..22].copy_from_slice(&infomask.to_le_bytes());
        tuple[22] = 24;
        tuple.extend_from_slice(data);
        tuple
    }

    fn nulled(tuple: &[u8], kinds: &[(i16, u8)], which: &[usize], room: usize) -> Vec<u8> {
        let mut out = vec![0xEE];
        let is_nulled = |index| which.contains(&index);
        nulled_tuple(tuple, &storage(kinds), is_nulled, room, &mut out).unwrap();
        out.split_off(1)
    }

    const INT4: (i16, u8) = (4, 4);
    const INT8: (i16, u8) = (8, 8);
    const TEXT: (i16, u8) = (-1, 4);

    #[test]
    fn a_bitmap_is_added_and_what_follows_moves_to_its_alignment() {
        // int4 7, text 'ab' (short), int8 9
        let raw =
            tuple(3, 0x0902, &[7, 0, 0, 0, 3 << 1 | 1, b'a', b'b', 0, 9, 0, 0, 0, 0, 0, 0, 0]);
        let out = nulled(&raw, &[INT4, TEXT, INT8], &[1], raw.len());
        assert_eq!(out[..18], raw[..18]);
        assert_eq!(out[18..23], [3, 0xA0, 0x01, 0x09, 24]);
        assert_eq!(out[23], 0b101);
        assert_eq!(out[24..], [7, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
        let out = nulled(&raw, &[INT4, TEXT, INT8], &[0, 2], raw.len());
        assert_eq!((out[20], out[23]), (0x03, 0b010));
        assert_eq!(out[24..], [3 << 1 | 1, b'a', b'b']);
        let out = nulled(&raw, &[INT4, TEXT, INT8], &[0, 1, 2], raw.len());
        assert_eq!((out.len(), out[20], out[23]), (24, 0x01, 0));
    }

    #[test]
    fn a_plain_varlena_is_aligned_and_a_toast_pointer_is_not() {
        let mut data = vec![5, 0, 0, 0, 3 << 1 | 1, b'a', b'b', 0, 8 << 2, 0, 0, 0, 1, 2, 3, 4];
        data.extend([1, 18, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8]);
        let raw = tuple(4, 0x0006, &data);
        let kinds = [INT4, TEXT, TEXT, TEXT];
        let out = nulled(&raw, &kinds, &[0], raw.len());
        let plain = [3 << 1 | 1, b'a', b'b', 0, 8 << 2, 0, 0, 0, 1, 2, 3, 4];
        assert_eq!((&out[24..36], &out[36..38], out[20]), (&plain[..], &[1, 18][..], 7));
        let out = nulled(&raw, &kinds, &[2], raw.len());
        assert_eq!((&out[28..31], &out[31..33]), (&plain[..3], &[1, 18][..]));
        assert_eq!(nulled(&raw, &kinds, &[3], raw.len())[20], 3, "nothing is out of line now");
    }

    #[test]
    fn a_longer_header_goes_in_front_or_the_tuple_ends_before_its_last_values() {
        let kinds = [INT4; 9];
        let data: Vec<u8> = (1..=9u32).flat_map(u32::to_le_bytes).collect();
        let raw = tuple(9, 0x0800, &data);
        let out = nulled(&raw, &kinds, &[8], 64);
        assert_eq!((out.len(), out[22], out[20]), (64, 32, 1));
        assert_eq!((&out[23..25], &out[25..32]), (&[0xFF, 0][..], &[0; 7][..]));
        assert_eq!(out[32..], data[..32]);
        let out = nulled(&raw, &kinds, &[8], 60);
        assert_eq!((out.len(), out[22], out[20], out[18]), (56, 24, 0, 8));
        assert_eq!(out[24..], data[..32]);
        // In the middle there is no way around it.
        assert_eq!(nulled(&raw, &kinds, &[3], 60).len(), 64);
    }

    #[test]
    fn a_bitmap_that_is_there_keeps_its_nulls_and_its_size() {
        let mut raw = tuple(3, 0x0803, &[7, 0, 0, 0, 3 << 1 | 1, b'a', b'b']);
        raw[23] = 0b011;
        let out = nulled(&raw, &[INT4, TEXT, INT8], &[0], raw.len());
        assert_eq!((out[20], out[23], &out[24..]), (3, 0b010, &[3 << 1 | 1, b'a', b'b'][..]));
    }

    #[test]
    fn rejects_tuples_that_can_not_be_walked() {
        let out = &mut Vec::new();
        let short = tuple(3, 0x0002, &[7, 0]);
        assert!(nulled_tuple(&short, &storage(&[INT4; 3]), |_| true, 40, out).is_err());
        assert!(nulled_tuple(&[0; 10], &storage(&[INT4]), |_| true, 40, out).is_err());
    }
}
