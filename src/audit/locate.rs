//! Which attribute of a planned relation a position on a page lies in.

use std::ops::Range;

use crate::page::{Block, PageError, PageHeader, Storage, line_pointers, walk_attributes};

/// What a position on a heap page belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// An attribute, by index, of the tuple at a line pointer, and where on the page it is.
    Attribute { index: usize, line_pointer: u16, range: Range<usize> },
    /// No attribute: a header, a hole, a gap.
    None,
}

/// The cell at `position` of `block`.
pub(super) fn locate(
    block: &Block,
    position: usize,
    storage: &[Storage],
) -> Result<Cell, PageError> {
    let Some(header) = PageHeader::read(block)? else { return Ok(Cell::None) };
    for line_pointer in line_pointers(block, &header) {
        let line_pointer = line_pointer?;
        let (start, end) = (line_pointer.offset, line_pointer.offset + line_pointer.len);
        if !(start..end).contains(&position) {
            continue;
        }
        let mut cell = Cell::None;
        walk_attributes(block.get(start..end).unwrap_or_default(), storage, |attribute| {
            let range = start + attribute.start..start + attribute.end;
            if range.contains(&position) {
                let (index, line_pointer) = (attribute.index, line_pointer.number);
                cell = Cell::Attribute { index, line_pointer, range };
            }
            Ok::<_, PageError>(())
        })?;
        return Ok(cell);
    }
    Ok(Cell::None)
}
