//! A TOAST table's tuples: chunks of values that no column refers to are zeroed, those of masked
//! values are taken down for [`toast_values`](super::toast_values).

use std::sync::Arc;

use roaring::RoaringBitmap;

use super::page::{Fault, Ranges, TuplePlace, TupleRewriter};
use super::sorter::{Record, Room, Sorter};
use crate::error::Result;
use crate::page::{PageError, Storage, ToastPointer, TupleEnd, walk_attributes};
use crate::removal::Removal;

/// `chunk_id oid`, `chunk_seq int4`, `chunk_data bytea`; `catalog/toasting.c`.
const LAYOUT: [(i16, u8); 3] = [(4, 4), (4, 4), (-1, 4)];
const CHUNK_ID: usize = 0;
const CHUNK_SEQ: usize = 1;
pub(super) const CHUNK_DATA: usize = 2;

/// How the tuples of every TOAST table are laid out.
pub(super) fn layout() -> Vec<Storage> {
    LAYOUT.iter().filter_map(|(len, align)| Storage::new(*len, *align)).collect()
}

/// What the columns of a relation refer to.
pub(super) struct References {
    /// `chunk_id`s that kept columns refer to,
    pub(super) kept: RoaringBitmap,
    /// those that masked columns refer to,
    masked: RoaringBitmap,
    /// and what they say of them.
    pub(super) pointers: Sorter<Reference>,
}

impl References {
    pub(super) fn new(room: &Arc<Room>) -> References {
        References {
            kept: RoaringBitmap::new(),
            masked: RoaringBitmap::new(),
            pointers: Sorter::new(room),
        }
    }

    /// Takes in what masked columns refer to.
    pub(super) fn add_masked(&mut self, found: &mut Vec<Reference>) -> Result<()> {
        self.masked.extend(found.iter().map(|reference| reference.id));
        self.pointers.add(found)
    }
}

/// What a masked column says of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    pub(super) id: u32,
    va_extinfo: u32,
    va_rawsize: u32,
    /// The column's slot.
    pub(super) slot: u16,
}

impl Reference {
    pub(super) fn new(pointer: ToastPointer, slot: usize) -> Reference {
        let ToastPointer { va_rawsize, va_extinfo, va_valueid } = pointer;
        Reference { id: va_valueid, va_extinfo, va_rawsize, slot: slot as u16 }
    }

    pub(super) fn pointer(&self) -> ToastPointer {
        let Reference { id, va_extinfo, va_rawsize, .. } = *self;
        ToastPointer { va_rawsize, va_extinfo, va_valueid: id }
    }
}

impl Record for Reference {
    const SIZE: usize = 14;

    fn write(&self, out: &mut Vec<u8>) {
        write_words(&[self.id, self.va_extinfo, self.va_rawsize], self.slot, out);
    }

    fn read(bytes: &[u8]) -> Option<Reference> {
        let ([id, va_extinfo, va_rawsize], slot) = read_words(bytes)?;
        Some(Reference { id, va_extinfo, va_rawsize, slot })
    }
}

/// Where a chunk of a masked value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Chunk {
    pub(super) id: u32,
    /// The transaction that wrote it: tells values apart where a `chunk_id` was used again.
    pub(super) xmin: u32,
    pub(super) seq: u32,
    pub(super) block: u32,
    pub(super) line_pointer: u16,
}

impl Record for Chunk {
    const SIZE: usize = 18;

    fn write(&self, out: &mut Vec<u8>) {
        write_words(&[self.id, self.xmin, self.seq, self.block], self.line_pointer, out);
    }

    fn read(bytes: &[u8]) -> Option<Chunk> {
        let ([id, xmin, seq, block], line_pointer) = read_words(bytes)?;
        Some(Chunk { id, xmin, seq, block, line_pointer })
    }
}

fn write_words(words: &[u32], last: u16, out: &mut Vec<u8>) {
    words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    out.extend_from_slice(&last.to_le_bytes());
}

fn read_words<const N: usize>(bytes: &[u8]) -> Option<([u32; N], u16)> {
    let (words, last) = bytes.as_chunks::<4>();
    let words = words.first_chunk::<N>()?.map(u32::from_le_bytes);
    Some((words, u16::from_le_bytes(last.try_into().ok()?)))
}

/// Rewrites the tuples of a TOAST table.
pub(super) struct ToastRewriter<'a> {
    storage: Vec<Storage>,
    references: &'a References,
    /// Chunks of masked values; they stay as they are for now.
    pub(super) chunks: Vec<Chunk>,
    /// Blocks that have some.
    pub(super) blocks: RoaringBitmap,
}

impl<'a> ToastRewriter<'a> {
    /// Keeps the chunks that `references` name.
    pub(super) fn new(references: &'a References) -> ToastRewriter<'a> {
        ToastRewriter {
            storage: layout(),
            references,
            chunks: Vec::new(),
            blocks: RoaringBitmap::new(),
        }
    }
}

impl TupleRewriter for ToastRewriter<'_> {
    fn tuple(
        &mut self,
        raw: &[u8],
        out: &mut [u8],
        place: TuplePlace,
        ranges: &mut Ranges,
    ) -> std::result::Result<TupleEnd, Fault> {
        let TuplePlace { block, line_pointer, offset } = place;
        let number = |start: usize| {
            let bytes = raw.get(start..).and_then(|bytes| bytes.first_chunk());
            bytes.map(|bytes| u32::from_le_bytes(*bytes))
        };
        let xmin = number(0).unwrap_or_default();
        let (mut id, mut seq) = (None, None);
        walk_attributes(raw, &self.storage, |attribute| {
            match attribute.index {
                CHUNK_ID => id = number(attribute.start),
                CHUNK_SEQ => seq = number(attribute.start),
                CHUNK_DATA => {
                    let (Some(id), Some(seq)) = (id, seq) else {
                        return Err(PageError::new("a chunk has no chunk_id or chunk_seq").into());
                    };
                    if self.references.kept.contains(id) {
                        return Ok(());
                    }
                    if self.references.masked.contains(id) {
                        self.blocks.insert(block.0);
                        self.chunks.push(Chunk { id, xmin, seq, block: block.0, line_pointer });
                        return Ok(());
                    }
                    if Removal::OrphanedToast.is_off() {
                        return Ok(());
                    }
                    let header_len = attribute.varlena.map_or(0, |varlena| varlena.header_len);
                    let start = attribute.start + header_len;
                    if let Some(data) = out.get_mut(start..attribute.end) {
                        data.fill(0);
                    }
                    ranges.allow(offset + start, offset + attribute.end);
                }
                _ => {}
            }
            Ok::<(), Fault>(())
        })
    }
}
