//! Values that become NULL: a step of its own behind the masks, in which tuples are formed anew
//! within their slots, and a proof of its own.
//!
//! What a tuple no longer needs of its slot is zeroed. One that needs more, for a null bitmap, takes
//! it from the page's hole; where there is not enough of that, the snapshot is refused.

mod column;
mod proof;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(super) use self::column::NullColumn;
use super::page::Fault;
use crate::error::{Error, Place, Refusal};
use crate::page::{
    BLCKSZ, Block, LinePointer, PageError, PageHeader, Storage, line_pointers, max_align,
    nulled_tuple,
};

/// What became NULL, in counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NullCounts {
    /// Values that became NULL.
    pub values: u64,
    /// Tuples formed anew for that, each in its slot unless it is among the next.
    pub tuples: u64,
    /// Tuples that lie elsewhere on their page, because one of them needed more room.
    pub moved: u64,
}

impl NullCounts {
    /// Adds others.
    pub(super) fn add(&mut self, other: NullCounts) {
        self.values += other.values;
        self.tuples += other.tuples;
        self.moved += other.moved;
    }
}

/// The refusal where a page has no room for a null bitmap.
pub(super) fn no_room(place: &Place) -> Error {
    let column = place.column.as_deref().unwrap_or_default();
    let refusal = Refusal::new(
        "null_no_room",
        format!(
            "{place}: without the value the row needs a null bitmap, which is larger than the \
             value, and the page has no room for it"
        ),
        format!(
            "give {column:?} another mask (redact, constant, blank), or make room on the source: \
             ALTER TABLE … SET (fillfactor = 80), then VACUUM FULL"
        ),
    );
    Error::Refused(vec![refusal.table(&place.relation).column(column)])
}

/// Attributes that become NULL, by line pointer.
pub(super) type Wanted = BTreeMap<u16, Vec<usize>>;

/// The values of one page that become NULL, and working memory.
#[derive(Debug)]
pub(super) struct Nulls {
    wanted: Wanted,
    before: Box<Block>,
    bytes: Vec<u8>,
    pub(super) counts: NullCounts,
}

/// A tuple with its slot, and the bytes that go there if it changes.
struct Slot {
    line_pointer: LinePointer,
    /// Where the tuple formed anew is in working memory.
    formed: Option<std::ops::Range<usize>>,
    /// How much more than its slot it needs.
    growth: usize,
}

impl Nulls {
    pub(super) fn new() -> Nulls {
        Nulls {
            wanted: Wanted::new(),
            before: Box::new([0; BLCKSZ]),
            bytes: Vec::new(),
            counts: NullCounts::default(),
        }
    }

    /// Says that a value of the page at hand becomes NULL.
    pub(super) fn want(&mut self, line_pointer: u16, attribute: usize) {
        self.wanted.entry(line_pointer).or_default().push(attribute);
    }

    /// Forms the tuples of a page anew whose values become NULL, and proves that nothing else is
    /// another than before.
    pub(super) fn apply(&mut self, page: &mut Block, storage: &[Storage]) -> Result<(), Fault> {
        if self.wanted.is_empty() {
            return Ok(());
        }
        self.before.copy_from_slice(page);
        let wanted = std::mem::take(&mut self.wanted);
        self.form(page, storage, &wanted)?;
        let moved = proof::prove(&self.before, page, storage, &wanted)?;
        self.counts.add(NullCounts {
            values: wanted.values().map(|attributes| attributes.len() as u64).sum(),
            tuples: wanted.len() as u64,
            moved,
        });
        Ok(())
    }

    fn form(
        &mut self,
        page: &mut Block,
        storage: &[Storage],
        wanted: &Wanted,
    ) -> Result<(), Fault> {
        let before = &*self.before;
        let header = PageHeader::read(before)?.ok_or(PageError::new("a new page holds a tuple"))?;
        self.bytes.clear();
        let mut slots = Vec::new();
        for line_pointer in line_pointers(before, &header) {
            let line_pointer = line_pointer?;
            let (start, room) = (line_pointer.offset, max_align(line_pointer.len));
            let mut slot = Slot { line_pointer, formed: None, growth: 0 };
            if let Some(attributes) = wanted.get(&line_pointer.number) {
                let tuple = before.get(start..start + line_pointer.len).unwrap_or_default();
                let is_nulled = |index| attributes.contains(&index);
                let begin = self.bytes.len();
                nulled_tuple(tuple, storage, is_nulled, room, &mut self.bytes)
                    .map_err(|error| error.at_line_pointer(line_pointer.number))?;
                slot.growth = max_align(self.bytes.len() - begin).saturating_sub(room);
                slot.formed = Some(begin..self.bytes.len());
            }
            slots.push(slot);
        }
        let growth: usize = slots.iter().map(|slot| slot.growth).sum();
        if growth > header.pd_upper - header.pd_lower {
            let line_pointer = slots.iter().find(|slot| slot.growth > 0);
            let line_pointer = line_pointer.map_or(0, |slot| slot.line_pointer.number);
            let attribute = wanted.get(&line_pointer).and_then(|attributes| attributes.first());
            return Err(Fault::NoRoom { line_pointer, attribute: attribute.copied().unwrap_or(0) });
        }
        // From the page's end on: a slot that grows shifts those below it.
        slots.sort_unstable_by_key(|slot| std::cmp::Reverse(slot.line_pointer.offset));
        if growth > 0 {
            page.get_mut(header.pd_upper - growth..).unwrap_or_default().fill(0);
            PageHeader::set_upper(page, header.pd_upper - growth);
        }
        let mut shift = 0;
        for Slot { line_pointer, formed, growth: own } in slots {
            shift += own;
            let old = line_pointer.offset..line_pointer.offset + line_pointer.len;
            let tuple = match &formed {
                Some(formed) => self.bytes.get(formed.clone()).unwrap_or_default(),
                None if growth == 0 => continue,
                None => before.get(old.clone()).unwrap_or_default(),
            };
            let offset = line_pointer
                .offset
                .checked_sub(shift)
                .ok_or(PageError::new("tuples reach past the page's start"))?;
            if growth == 0 {
                page.get_mut(old).unwrap_or_default().fill(0);
            }
            match page.get_mut(offset..offset + tuple.len()) {
                Some(place) => place.copy_from_slice(tuple),
                None => return Err(PageError::new("a tuple reaches past the page's end").into()),
            }
            LinePointer { offset, len: tuple.len(), ..line_pointer }.write(page);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [(i16, u8); 10] = [(4, 4); 10];

    fn storage() -> Vec<Storage> {
        KINDS.iter().map(|(len, align)| Storage::new(*len, *align).unwrap()).collect()
    }

    /// Ten integers without a null bitmap: 64 bytes, and no padding behind.
    fn tuple(first: u32) -> Vec<u8> {
        let mut tuple = vec![0; 24];
        (tuple[0], tuple[18], tuple[21], tuple[22]) = (9, 10, 0x09, 24);
        tuple.extend((first..first + 10).flat_map(u32::to_le_bytes));
        tuple
    }

    /// A page of such tuples that leaves a hole of this size.
    fn page(hole: usize) -> Block {
        let mut block = [0; BLCKSZ];
        let count = (BLCKSZ - 24 - hole) / 68;
        let filler = BLCKSZ - 24 - 68 * count - hole;
        let mut upper = BLCKSZ - filler;
        for index in 0..count {
            upper -= 64;
            let item = upper as u32 | 1 << 15 | 64 << 17;
            block[24 + 4 * index..28 + 4 * index].copy_from_slice(&item.to_le_bytes());
            block[upper..upper + 64].copy_from_slice(&tuple(100 * index as u32));
        }
        block[12..14].copy_from_slice(&(24 + 4 * count as u16).to_le_bytes());
        block[14..16].copy_from_slice(&(upper as u16).to_le_bytes());
        block[16..18].copy_from_slice(&8192u16.to_le_bytes());
        block[18..20].copy_from_slice(&(8192u16 | 4).to_le_bytes());
        block
    }

    /// A hole of a multiple of eight bytes, so that slots are where PostgreSQL has them.
    fn hole(at_least: usize) -> usize {
        (at_least..at_least + 68)
            .find(|hole| {
                let count = (BLCKSZ - 24 - hole) / 68;
                (BLCKSZ - 24 - 68 * count - hole).is_multiple_of(8)
            })
            .unwrap()
    }

    fn values(block: &Block, number: u16) -> Vec<Option<u32>> {
        let header = PageHeader::read(block).unwrap().unwrap();
        let found = line_pointers(block, &header).map(Result::unwrap);
        let found = found.into_iter().find(|found| found.number == number).unwrap();
        let mut values = vec![None; 10];
        let tuple = &block[found.offset..found.offset + found.len];
        crate::page::walk_attributes(tuple, &storage(), |attribute| {
            let bytes = tuple[attribute.start..attribute.end].try_into().unwrap();
            values[attribute.index] = Some(u32::from_le_bytes(bytes));
            Ok::<(), PageError>(())
        })
        .unwrap();
        values
    }

    #[test]
    fn two_values_make_room_for_the_bitmap_and_what_is_left_is_zeroed() {
        let raw = page(hole(40));
        let mut out = raw;
        let mut nulls = Nulls::new();
        for attribute in [2, 3, 4] {
            nulls.want(1, attribute);
        }
        nulls.apply(&mut out, &storage()).unwrap();
        assert_eq!(nulls.counts, NullCounts { values: 3, tuples: 1, moved: 0 });
        let mut wanted: Vec<_> = (0..10).map(Some).collect();
        wanted[2..5].fill(None);
        assert_eq!(values(&out, 1), wanted);
        let offset = (u32::from_le_bytes(out[24..28].try_into().unwrap()) & 0x7FFF) as usize;
        assert_eq!(
            (out[offset + 60..offset + 64].to_vec(), out[14..16].to_vec()),
            (vec![0; 4], raw[14..16].to_vec())
        );
        assert_eq!(out[28..offset], raw[28..offset]);
    }

    #[test]
    fn a_tuple_that_grows_takes_of_the_hole_and_others_shift() {
        let raw = page(hole(40));
        let mut out = raw;
        let mut nulls = Nulls::new();
        nulls.want(2, 5);
        nulls.want(4, 0);
        nulls.apply(&mut out, &storage()).unwrap();
        assert_eq!((nulls.counts.values, nulls.counts.tuples), (2, 2));
        assert!(nulls.counts.moved > 100);
        for number in 1..=5u16 {
            let first = 100 * u32::from(number - 1);
            let mut wanted: Vec<_> = (first..first + 10).map(Some).collect();
            match number {
                2 => wanted[5] = None,
                4 => wanted[0] = None,
                _ => {}
            }
            assert_eq!(values(&out, number), wanted);
        }
    }

    #[test]
    fn the_last_value_goes_without_a_bitmap_where_there_is_no_room() {
        let mut out = page(hole(0));
        let mut nulls = Nulls::new();
        nulls.want(3, 9);
        nulls.apply(&mut out, &storage()).unwrap();
        assert_eq!(nulls.counts, NullCounts { values: 1, tuples: 1, moved: 0 });
        assert_eq!(values(&out, 3)[9], None);
        assert_eq!(values(&out, 3)[8], Some(208));
    }

    #[test]
    fn without_room_for_a_bitmap_there_is_a_fault_with_the_place() {
        let size = hole(0);
        let mut out = page(size);
        let mut nulls = Nulls::new();
        for number in 5..=9 + size as u16 / 8 {
            nulls.want(number, 1);
        }
        let result = nulls.apply(&mut out, &storage());
        assert_eq!(result, Err(Fault::NoRoom { line_pointer: 5, attribute: 1 }));
    }
}
