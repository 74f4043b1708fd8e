//! Which attribute of a heap tuple a position on a page lies in, and what is stored there.

use std::ops::Range;

use crate::datum::compressed::{Method, decompress};
use crate::page::{
    Attribute, Block, PageError, PageHeader, Storage, ToastPointer, VarlenaForm, line_pointers,
    walk_attributes,
};

/// An attribute of a tuple on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// Its index.
    pub(super) attribute: usize,
    /// The tuple's line pointer.
    pub(super) line_pointer: u16,
    /// Where on the page its value is, varlena header aside.
    pub(super) value: Range<usize>,
    /// How it is stored; `None` if it is no varlena.
    pub(super) form: Option<VarlenaForm>,
}

impl Cell {
    fn new(start: usize, line_pointer: u16, attribute: &Attribute) -> Cell {
        let header_len = attribute.varlena.map_or(0, |varlena| varlena.header_len);
        Cell {
            attribute: attribute.index,
            line_pointer,
            value: start + attribute.start + header_len..start + attribute.end,
            form: attribute.varlena.map(|varlena| varlena.form),
        }
    }

    /// The value's bytes as they are stored.
    pub(super) fn stored<'b>(&self, block: &'b Block) -> &'b [u8] {
        block.get(self.value.clone()).unwrap_or_default()
    }

    /// The value, unpacked into `raw` if it is compressed; `None` if it is elsewhere, or damaged.
    pub(super) fn value<'b>(&self, block: &'b Block, raw: &'b mut Vec<u8>) -> Option<&'b [u8]> {
        let stored = self.stored(block);
        match self.form {
            None | Some(VarlenaForm::Short | VarlenaForm::Plain) => Some(stored),
            Some(VarlenaForm::OnDisk) => None,
            Some(VarlenaForm::Compressed) => {
                let tcinfo = self.value.start.checked_sub(4)?..self.value.start;
                let tcinfo = block.get(tcinfo)?.first_chunk()?;
                unpack(u32::from_le_bytes(*tcinfo), stored, raw).then_some(raw.as_slice())
            }
        }
    }

    /// The pointer to where the value is, if it is out of line.
    pub(super) fn pointer(&self, block: &Block) -> Option<ToastPointer> {
        let on_disk = self.form == Some(VarlenaForm::OnDisk);
        on_disk.then(|| ToastPointer::read(self.stored(block)).ok()).flatten()
    }
}

/// Unpacks what follows a `va_tcinfo`; false if that is no compressed value.
pub(super) fn unpack(tcinfo: u32, stream: &[u8], raw: &mut Vec<u8>) -> bool {
    let len = (tcinfo & 0x3FFF_FFFF) as usize;
    let method = Method::from_id(tcinfo >> 30);
    method.and_then(|method| decompress(method, stream, len, raw)).is_ok()
}

/// Calls `visit` for every attribute of every tuple, dead or alive, up to the first damage.
pub(super) fn each_cell(
    block: &Block,
    storage: &[Storage],
    mut visit: impl FnMut(Cell),
) -> Result<(), PageError> {
    let Some(header) = PageHeader::read(block)? else { return Ok(()) };
    for line_pointer in line_pointers(block, &header) {
        let line_pointer = line_pointer?;
        let start = line_pointer.offset;
        let tuple = block.get(start..start + line_pointer.len).unwrap_or_default();
        walk_attributes(tuple, storage, |attribute| {
            visit(Cell::new(start, line_pointer.number, &attribute));
            Ok::<_, PageError>(())
        })?;
    }
    Ok(())
}

/// The cell at `position`, its header included; `None` in a header, a hole, a gap.
pub(super) fn locate(
    block: &Block,
    position: usize,
    storage: &[Storage],
) -> Result<Option<Cell>, PageError> {
    let Some(header) = PageHeader::read(block)? else { return Ok(None) };
    for line_pointer in line_pointers(block, &header) {
        let line_pointer = line_pointer?;
        let (start, end) = (line_pointer.offset, line_pointer.offset + line_pointer.len);
        if !(start..end).contains(&position) {
            continue;
        }
        let mut cell = None;
        walk_attributes(block.get(start..end).unwrap_or_default(), storage, |attribute| {
            if (start + attribute.start..start + attribute.end).contains(&position) {
                cell = Some(Cell::new(start, line_pointer.number, &attribute));
            }
            Ok::<_, PageError>(())
        })?;
        return Ok(cell);
    }
    Ok(None)
}
