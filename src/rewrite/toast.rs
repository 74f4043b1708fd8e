//! A TOAST table's tuples: chunks of values that no column refers to are zeroed, those of masked
//! values are taken down for [`toast_values`](super::toast_values).

use std::collections::HashSet;

use super::page::{Fault, Ranges, TuplePlace, TupleRewriter};
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
#[derive(Default)]
pub(super) struct References {
    /// `chunk_id`s that kept columns refer to.
    pub(super) kept: HashSet<u32>,
    /// What masked columns refer to, with the column's slot, by `chunk_id` and each once.
    pub(super) masked: Vec<(ToastPointer, u16)>,
}

impl References {
    /// Takes in what one thread found.
    pub(super) fn absorb(&mut self, kept: HashSet<u32>, masked: Vec<(ToastPointer, u16)>) {
        self.kept.extend(kept);
        self.masked.extend(masked);
    }

    /// To be called when all is taken in.
    pub(super) fn sort(&mut self) {
        self.masked.sort_unstable_by_key(|(pointer, column)| {
            (pointer.va_valueid, pointer.va_extinfo, pointer.va_rawsize, *column)
        });
        self.masked.dedup();
    }

    /// The references to one value; several where its `chunk_id` has been used again.
    pub(super) fn to(&self, id: u32) -> &[(ToastPointer, u16)] {
        let start = self.masked.partition_point(|(pointer, _)| pointer.va_valueid < id);
        let rest = self.masked.get(start..).unwrap_or_default();
        let len = rest.partition_point(|(pointer, _)| pointer.va_valueid == id);
        rest.get(..len).unwrap_or_default()
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

/// Rewrites the tuples of a TOAST table.
pub(super) struct ToastRewriter<'a> {
    storage: Vec<Storage>,
    references: &'a References,
    /// Chunks of masked values; they stay as they are for now.
    pub(super) chunks: Vec<Chunk>,
}

impl<'a> ToastRewriter<'a> {
    /// Keeps the chunks that `references` name.
    pub(super) fn new(references: &'a References) -> ToastRewriter<'a> {
        ToastRewriter { storage: layout(), references, chunks: Vec::new() }
    }
}

impl TupleRewriter for ToastRewriter<'_> {
    fn tuple(
        &mut self,
        raw: &[u8],
        out: &mut [u8],
        place: TuplePlace,
        ranges: &mut Ranges,
    ) -> Result<TupleEnd, Fault> {
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
                    if self.references.kept.contains(&id) {
                        return Ok(());
                    }
                    if !self.references.to(id).is_empty() {
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
