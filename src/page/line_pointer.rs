//! `ItemIdData`; `storage/itemid.h`.

use super::header::SIZE_OF_PAGE_HEADER;
use super::{Block, PageError, PageHeader};

/// `LP_REDIRECT`: `lp_off` is another line pointer's number.
const LP_REDIRECT: u32 = 2;
/// Bytes of a tuple header before its null bitmap.
const SIZE_OF_HEAP_TUPLE_HEADER: usize = 23;

/// A line pointer that has storage: a tuple, dead or alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinePointer {
    /// Its number on the page, from 1 (`OffsetNumber`).
    pub number: u16,
    /// `lp_off`: where the tuple starts.
    pub offset: usize,
    /// `lp_len`: how long it is.
    pub len: usize,
}

impl LinePointer {
    /// Writes `lp_off` and `lp_len`; the flags stay.
    pub fn write(&self, block: &mut Block) {
        let start = SIZE_OF_PAGE_HEADER + 4 * (usize::from(self.number).saturating_sub(1));
        if let Some(item) = block.get_mut(start..).and_then(|bytes| bytes.first_chunk_mut::<4>()) {
            let flags = u32::from_le_bytes(*item) & (3 << 15);
            let bits = |number: usize| number as u32 & 0x7FFF;
            *item = (bits(self.offset) | flags | bits(self.len) << 17).to_le_bytes();
        }
    }
}

/// The line pointers that have storage, each proven to lie between `pd_upper` and the page's end
/// and to hold at least a tuple header.
pub fn line_pointers<'a>(
    block: &'a Block,
    header: &PageHeader,
) -> impl Iterator<Item = Result<LinePointer, PageError>> + 'a {
    let pd_upper = header.pd_upper;
    let array = block.get(SIZE_OF_PAGE_HEADER..header.pd_lower).unwrap_or_default();
    (1u16..).zip(array.as_chunks::<4>().0).filter_map(move |(number, item)| {
        let item = u32::from_le_bytes(*item);
        let (offset, flags, len) =
            ((item & 0x7FFF) as usize, (item >> 15) & 3, (item >> 17) as usize);
        if len == 0 || flags == LP_REDIRECT {
            return None;
        }
        let what = if offset < pd_upper || offset + len > block.len() {
            "line pointer reaches outside of the tuples' part of the page"
        } else if !offset.is_multiple_of(8) {
            "line pointer's tuple is not aligned"
        } else if len <= SIZE_OF_HEAP_TUPLE_HEADER {
            "line pointer's tuple is shorter than a tuple header"
        } else {
            return Some(Ok(LinePointer { number, offset, len }));
        };
        Some(Err(PageError::new(what).at_line_pointer(number)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::BLCKSZ;
    use super::*;

    fn block_with(items: &[(u32, u32, u32)]) -> (Block, PageHeader) {
        let mut block = [0; BLCKSZ];
        for (index, (off, flags, len)) in items.iter().enumerate() {
            let item = off | flags << 15 | len << 17;
            block[24 + 4 * index..28 + 4 * index].copy_from_slice(&item.to_le_bytes());
        }
        let pd_lower = 24 + 4 * items.len();
        (block, PageHeader { pd_lower, pd_upper: 8000, pd_checksum: 0 })
    }

    #[test]
    fn yields_what_has_storage_alone() {
        // Normal, unused, redirect to 7, dead without storage, dead with storage.
        let (block, header) =
            block_with(&[(8160, 1, 32), (0, 0, 0), (7, 2, 0), (0, 3, 0), (8128, 3, 32)]);
        let found: Vec<_> = line_pointers(&block, &header).map(Result::unwrap).collect();
        assert_eq!(
            found,
            [
                LinePointer { number: 1, offset: 8160, len: 32 },
                LinePointer { number: 5, offset: 8128, len: 32 }
            ]
        );
    }

    #[test]
    fn rejects_storage_outside_of_the_tuples() {
        for item in [(7992, 1, 32), (8168, 1, 32), (8004, 1, 32), (8160, 1, 23)] {
            let (block, header) = block_with(&[(0, 0, 0), item]);
            let error = line_pointers(&block, &header).next().unwrap().unwrap_err();
            assert_eq!(error.line_pointer, Some(2), "{item:?}");
        }
    }
}
