//! The layout proof for tuples that were formed anew: attribute by attribute, since their bytes lie
//! elsewhere. Shares nothing with what forms them but the walk over attributes.

use super::super::page::Fault;
use super::Wanted;
use crate::page::{
    BLCKSZ, Block, PageHeader, Storage, TupleHeader, line_pointers, max_align, walk_attributes,
};

/// `t_xmin`, `t_xmax`, `t_cid` and `t_ctid`.
const FIXED: usize = 18;
const T_INFOMASK: usize = 20;
const HEAP_HASNULL: u16 = 0x0001;
/// `HEAP_HASVARWIDTH` and `HEAP_HASEXTERNAL`: what the content has.
const CONTENT: u16 = 0x0006;
const NATTS: u16 = 0x07FF;
/// `pd_upper`
const UPPER: std::ops::Range<usize> = 14..16;

/// Proves that `after` is `before` with the values of `wanted` NULL, and nothing else: every line
/// pointer, transaction, ctid, flag and other value is the same, and what belongs to no tuple is
/// zero. Returns how many tuples lie elsewhere on the page.
pub(super) fn prove(
    before: &Block,
    after: &Block,
    storage: &[Storage],
    wanted: &Wanted,
) -> Result<u64, Fault> {
    let (old, new) = match (PageHeader::read(before)?, PageHeader::read(after)?) {
        (Some(old), Some(new)) => (old, new),
        _ => return Err(Fault::Layout),
    };
    let lower = old.pd_lower;
    let same_header = before.get(..UPPER.start) == after.get(..UPPER.start)
        && before.get(UPPER.end..24) == after.get(UPPER.end..24);
    demand(same_header && new.pd_lower == lower && new.pd_upper <= old.pd_upper)?;
    // Line pointers without storage, and the flags of all.
    let items = |block: &Block| block.get(24..lower).unwrap_or_default().to_vec();
    let (mut old_items, mut new_items) = (items(before), items(after));

    let mut extents = Vec::new();
    let mut moved = 0;
    let mut found = 0;
    let olds = line_pointers(before, &old).collect::<Result<Vec<_>, _>>()?;
    let news = line_pointers(after, &new).collect::<Result<Vec<_>, _>>()?;
    demand(olds.len() == news.len())?;
    for (old_pointer, new_pointer) in olds.iter().zip(&news) {
        demand(old_pointer.number == new_pointer.number)?;
        let tuple = |block: &Block, offset: usize, len: usize| {
            block.get(offset..offset + len).map(<[u8]>::to_vec).ok_or(Fault::Layout)
        };
        let raw = tuple(before, old_pointer.offset, old_pointer.len)?;
        let out = tuple(after, new_pointer.offset, new_pointer.len)?;
        match wanted.get(&old_pointer.number) {
            Some(attributes) => {
                found += 1;
                same_but_for(&raw, &out, storage, attributes)?;
            }
            None => demand(raw == out)?,
        }
        moved += u64::from(old_pointer.offset != new_pointer.offset);
        extents.push((new_pointer.offset, new_pointer.offset + new_pointer.len));
        let at = 4 * (usize::from(old_pointer.number) - 1);
        for items in [&mut old_items, &mut new_items] {
            keep_flags(items.get_mut(at..at + 4).unwrap_or_default());
        }
    }
    demand(found == wanted.len() && old_items == new_items)?;
    demand(moved == 0 || new.pd_upper < old.pd_upper)?;

    extents.sort_unstable();
    let mut position = lower;
    for (start, end) in extents {
        demand(start >= position && start >= new.pd_upper && start.is_multiple_of(8))?;
        demand(is_zero(after, position, start))?;
        position = max_align(end);
        demand(is_zero(after, end, position.min(BLCKSZ)))?;
    }
    demand(is_zero(after, position, BLCKSZ))?;
    Ok(moved)
}

/// Proves that one tuple is another without these attributes.
fn same_but_for(
    raw: &[u8],
    out: &[u8],
    storage: &[Storage],
    nulled: &[usize],
) -> Result<(), Fault> {
    let (old, new) = (TupleHeader::read(raw)?, TupleHeader::read(out)?);
    let number = |tuple: &[u8], at: usize| {
        let bytes = tuple.get(at..).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |bytes| u16::from_le_bytes(*bytes))
    };
    demand(raw.get(..FIXED) == out.get(..FIXED))?;
    demand(number(raw, FIXED) & !NATTS == number(out, FIXED) & !NATTS)?;
    let flags = HEAP_HASNULL | CONTENT;
    let (was, is) = (number(raw, T_INFOMASK), number(out, T_INFOMASK));
    demand(was & !flags == is & !flags && is & CONTENT & !was == 0)?;
    // Shorter by attributes that are NULL at its end, or of as many.
    demand(new.natts <= old.natts && (new.natts..old.natts).all(|index| nulled.contains(&index)))?;
    demand(new.natts == old.natts || !new.has_null_bitmap())?;

    let attributes = |tuple: &[u8]| {
        let mut found = Vec::new();
        let end = walk_attributes(tuple, storage, |attribute| {
            found.push(attribute);
            Ok::<(), Fault>(())
        })?;
        Ok::<_, Fault>((found, end.data_end))
    };
    let (mut olds, _) = attributes(raw)?;
    let (news, data_end) = attributes(out)?;
    let before = olds.len();
    olds.retain(|attribute| !nulled.contains(&attribute.index));
    demand(before - olds.len() == nulled.len() && olds.len() == news.len())?;
    for (old, new) in olds.iter().zip(&news) {
        demand(old.index == new.index)?;
        demand(raw.get(old.start..old.end) == out.get(new.start..new.end))?;
    }
    demand(data_end == out.len())?;
    // Nothing stands between the values.
    let mut position = new.t_hoff;
    for attribute in &news {
        demand(is_zero(out, position, attribute.start))?;
        position = attribute.end;
    }
    let bitmap = if new.has_null_bitmap() { new.natts.div_ceil(8) } else { 0 };
    demand(!new.has_null_bitmap() || is_zero(out, 23 + bitmap, new.t_hoff))
}

/// Leaves of a line pointer what is neither offset nor length.
fn keep_flags(item: &mut [u8]) {
    if let Some(item) = item.first_chunk_mut::<4>() {
        *item = (u32::from_le_bytes(*item) & (3 << 15)).to_le_bytes();
    }
}

fn is_zero(bytes: &[u8], start: usize, end: usize) -> bool {
    bytes.get(start..end).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0))
}

fn demand(holds: bool) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::Layout) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSET: usize = 8128;

    fn storage() -> Vec<Storage> {
        [(4, 4), (4, 4), (4, 4)].map(|(len, align)| Storage::new(len, align).unwrap()).to_vec()
    }

    fn page(tuple: &[u8]) -> Block {
        let mut block = [0; BLCKSZ];
        block[12..14].copy_from_slice(&32u16.to_le_bytes());
        block[14..16].copy_from_slice(&(OFFSET as u16).to_le_bytes());
        block[16..18].copy_from_slice(&8192u16.to_le_bytes());
        block[18..20].copy_from_slice(&(8192u16 | 4).to_le_bytes());
        let item = OFFSET as u32 | 1 << 15 | (tuple.len() as u32) << 17;
        block[24..28].copy_from_slice(&item.to_le_bytes());
        // A redirect, which has no storage.
        block[28..32].copy_from_slice(&(1u32 | 2 << 15).to_le_bytes());
        block[OFFSET..OFFSET + tuple.len()].copy_from_slice(tuple);
        block
    }

    fn tuple(infomask: u16, bits: u8, values: &[u32]) -> Vec<u8> {
        let mut tuple = vec![7; 18];
        tuple.extend([3, 0xC0]);
        tuple.extend(infomask.to_le_bytes());
        tuple.extend([24, bits]);
        tuple.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        tuple
    }

    fn outcome(after: &Block) -> Result<u64, Fault> {
        let before = page(&tuple(0x0902, 0, &[1, 2, 3]));
        prove(&before, after, &storage(), &Wanted::from([(1, vec![1])]))
    }

    #[test]
    fn passes_a_tuple_without_the_value_that_was_to_go() {
        assert_eq!(outcome(&page(&tuple(0x0901, 0b101, &[1, 3]))), Ok(0));
    }

    #[test]
    fn catches_every_other_change() {
        let good = page(&tuple(0x0901, 0b101, &[1, 3]));
        for (what, after) in [
            ("nothing done", page(&tuple(0x0902, 0, &[1, 2, 3]))),
            ("another value", page(&tuple(0x0901, 0b101, &[1, 4]))),
            ("a value too few", page(&tuple(0x0901, 0b001, &[1]))),
            ("the wrong value", page(&tuple(0x0901, 0b110, &[2, 3]))),
            ("a flag gone", page(&tuple(0x0801, 0b101, &[1, 3]))),
            ("a flag too many", page(&tuple(0x0905, 0b101, &[1, 3]))),
        ] {
            assert_eq!(outcome(&after), Err(Fault::Layout), "{what}");
        }
        // One byte of the transactions, the line pointers, the slot's rest, the hole, the header.
        for at in [OFFSET, OFFSET + 13, 25, 29, OFFSET + 32, OFFSET + 40, 4000, 3, 14] {
            let mut after = good;
            after[at] ^= 8;
            assert!(outcome(&after).is_err(), "byte {at}");
        }
    }
}
