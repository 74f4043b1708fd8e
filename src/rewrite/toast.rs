//! A TOAST table's tuples: chunks of values that no kept attribute refers to are zeroed.

use std::collections::HashSet;

use super::page::{Fault, Ranges, TuplePlace, TupleRewriter};
use crate::page::{PageError, Storage, TupleEnd, walk_attributes};

/// `chunk_id oid`, `chunk_seq int4`, `chunk_data bytea`; `catalog/toasting.c`.
const LAYOUT: [(i16, u8); 3] = [(4, 4), (4, 4), (-1, 4)];
const CHUNK_ID: usize = 0;
const CHUNK_DATA: usize = 2;

/// Rewrites the tuples of a TOAST table.
pub(super) struct ToastRewriter<'a> {
    storage: Vec<Storage>,
    kept: &'a HashSet<u32>,
}

impl<'a> ToastRewriter<'a> {
    /// Keeps the chunks of the values in `kept`.
    pub(super) fn new(kept: &'a HashSet<u32>) -> ToastRewriter<'a> {
        let storage = LAYOUT.iter().filter_map(|(len, align)| Storage::new(*len, *align)).collect();
        ToastRewriter { storage, kept }
    }
}

impl TupleRewriter for ToastRewriter<'_> {
    fn tuple(
        &mut self,
        raw: &[u8],
        out: &mut [u8],
        TuplePlace { offset, .. }: TuplePlace,
        ranges: &mut Ranges,
    ) -> Result<TupleEnd, Fault> {
        let mut keep = false;
        walk_attributes(raw, &self.storage, |attribute| {
            match attribute.index {
                CHUNK_ID => {
                    let id = raw.get(attribute.start..).and_then(|bytes| bytes.first_chunk());
                    let id = id.ok_or(PageError::new("chunk_id reaches past its tuple"))?;
                    keep = self.kept.contains(&u32::from_le_bytes(*id));
                }
                CHUNK_DATA if !keep => {
                    let header_len = attribute.varlena.map_or(0, |varlena| varlena.header_len);
                    let start = attribute.start + header_len;
                    if let Some(data) = out.get_mut(start..attribute.end) {
                        data.fill(0);
                    }
                    ranges.allow(offset + start, offset + attribute.end);
                }
                _ => {}
            }
            Ok(())
        })
    }
}
