//! The block codec: what the bytes of a heap page mean. Performs no I/O, knows no table names.
//!
//! Every reader takes a whole block and proves its bounds before it hands anything out; garbage
//! is a [`PageError`], never a panic. Layouts are those of `storage/bufpage.h`,
//! `storage/itemid.h`, `access/htup_details.h` and `varatt.h`, which are the same in PostgreSQL
//! 13 to 18.

mod attribute;
mod checksum;
mod header;
mod line_pointer;
mod maps;
mod nulled;
mod tuple;
mod varlena;

pub use attribute::{Attribute, Storage, TupleEnd, walk_attributes};
pub use checksum::page_checksum;
pub use header::PageHeader;
pub use line_pointer::{LinePointer, line_pointers};
pub use maps::{
    HEAPBLOCKS_PER_PAGE, SLOTS_PER_FSM_PAGE, clear_free_space_page, clear_visibility_page,
};
pub use nulled::{max_align, nulled_tuple};
pub(crate) use tuple::TransactionId;
pub use tuple::TupleHeader;
pub use varlena::{ToastPointer, Varlena, VarlenaForm};

/// Bytes in a block. thinveil refuses clusters built with another size.
pub const BLCKSZ: usize = 8192;

/// One block.
pub type Block = [u8; BLCKSZ];

/// What is wrong with a page, and where on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct PageError {
    /// What is wrong.
    pub what: &'static str,
    /// The line pointer concerned (1-based).
    pub line_pointer: Option<u16>,
    /// Index of the attribute concerned (0-based).
    pub attribute: Option<usize>,
}

impl PageError {
    /// An error about the page as a whole.
    pub fn new(what: &'static str) -> PageError {
        PageError { what, line_pointer: None, attribute: None }
    }

    /// The same, at an attribute.
    pub fn at_attribute(mut self, index: usize) -> PageError {
        self.attribute = Some(index);
        self
    }

    /// The same, at a line pointer.
    pub fn at_line_pointer(mut self, number: u16) -> PageError {
        self.line_pointer = Some(number);
        self
    }
}

/// `N` bytes at `offset`, or `None` past the end.
fn bytes_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk::<N>().copied()
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes_at(bytes, offset).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes_at(bytes, offset).map(u32::from_le_bytes)
}
