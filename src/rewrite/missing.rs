//! `pg_attribute`'s tuples: the missing values of masked columns are masked like the others.
//!
//! A row written before `ADD COLUMN … DEFAULT` has no such attribute; PostgreSQL takes it from
//! `attmissingval`, an array of one element (`StoreAttrMissingVal`, `catalog/heap.c`).

use std::collections::HashMap;

use super::nulls::Nulls;
use super::page::{Fault, Ranges, TuplePlace, TupleRewriter};
use crate::datum::ValueType;
use crate::fingerprint::Notes;
use crate::mask::{ColumnMasker, Witness};
use crate::page::{Block, PageError, Storage, TupleEnd, Varlena, VarlenaForm, walk_attributes};

/// `ArrayType` of one dimension behind its varlena header: `ndim`, `dataoffset`, `elemtype`, the
/// dimension and its lower bound; `utils/array.h`.
const ARRAY_HEADER: usize = 20;

/// A masked column with a missing value, by `attrelid` and `attnum`.
pub(super) struct MissingColumn<'m> {
    pub(super) masker: ColumnMasker<'m>,
    /// Then there is no missing value any more.
    pub(super) becomes_null: bool,
    pub(super) storage: Storage,
    pub(super) notes: Notes<'m>,
}

/// Rewrites the tuples of one database's `pg_attribute`.
pub(super) struct MissingRewriter<'m> {
    pub(super) storage: Vec<Storage>,
    pub(super) attrelid: usize,
    pub(super) attnum: usize,
    pub(super) atthasmissing: usize,
    pub(super) attmissingval: usize,
    pub(super) columns: HashMap<(u32, i16), MissingColumn<'m>>,
    pub(super) values_masked: u64,
    pub(super) nulls: Nulls,
}

impl TupleRewriter for MissingRewriter<'_> {
    fn tuple(
        &mut self,
        raw: &[u8],
        out: &mut [u8],
        TuplePlace { offset, line_pointer, .. }: TuplePlace,
        ranges: &mut Ranges,
    ) -> Result<TupleEnd, Fault> {
        let (mut attrelid, mut attnum) = (None, None);
        walk_attributes(raw, &self.storage, |attribute| {
            let value = raw.get(attribute.start..attribute.end).unwrap_or_default();
            if attribute.index == self.attrelid {
                attrelid = value.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
            } else if attribute.index == self.attnum {
                attnum = value.first_chunk().map(|bytes| i16::from_le_bytes(*bytes));
            } else if attribute.index == self.atthasmissing
                && let Some(place) = attrelid.zip(attnum)
                && self.columns.get(&place).is_some_and(|column| column.becomes_null)
            {
                out.get_mut(attribute.start..attribute.end).unwrap_or_default().fill(0);
                ranges.allow(offset + attribute.start, offset + attribute.end);
            } else if attribute.index == self.attmissingval
                && let Some((attrelid, attnum)) = attrelid.zip(attnum)
                && let Some(column) = self.columns.get_mut(&(attrelid, attnum))
            {
                let unsupported =
                    |what| Fault::Unsupported { what, attribute: attribute.index, line_pointer: 0 };
                if column.becomes_null {
                    self.nulls.want(line_pointer, attribute.index);
                }
                let header_len = match attribute.varlena {
                    Some(Varlena {
                        form: VarlenaForm::Short | VarlenaForm::Plain,
                        header_len,
                        ..
                    }) => header_len,
                    _ if column.becomes_null => return Ok(()),
                    _ => {
                        return Err(unsupported(
                            "a missing value is stored compressed or out of line, which masks \
                             can't rewrite yet",
                        ));
                    }
                };
                let start = attribute.start + header_len + ARRAY_HEADER;
                let element = out.get_mut(start..attribute.end).unwrap_or_default();
                let value = match column.storage.fixed_len() {
                    None => {
                        let varlena = Varlena::read(element)?;
                        if !matches!(varlena.form, VarlenaForm::Short | VarlenaForm::Plain) {
                            if column.becomes_null {
                                return Ok(());
                            }
                            return Err(unsupported("a missing value is stored compressed"));
                        }
                        varlena.header_len..varlena.total_len
                    }
                    Some(len) => 0..len,
                };
                let range = start + value.start..start + value.end;
                let value = element
                    .get_mut(value)
                    .ok_or(PageError::new("attmissingval is shorter than its element"))?;
                let MissingColumn { masker, notes, becomes_null, .. } = column;
                let mut constants = Constants { notes, masked: 0 };
                let read = masker.apply(value, &mut constants);
                self.values_masked += constants.masked;
                if !*becomes_null {
                    read.map_err(|error| unsupported(error.0))?;
                    notes.whole_output(value);
                }
                ranges.allow(offset + range.start, offset + range.end);
            }
            Ok(())
        })
    }

    fn proven(&mut self, out: &mut Block) -> Result<(), Fault> {
        self.nulls.apply(out, &self.storage)
    }
}

/// Takes down missing values. They usually stand in the column's `DEFAULT` too, so that finding one
/// proves nothing: they are set apart, as if they were output.
struct Constants<'p, 'm> {
    notes: &'p mut Notes<'m>,
    masked: u64,
}

impl Witness for Constants<'_, '_> {
    fn original(&mut self, value_type: ValueType, value: &[u8]) {
        self.masked += 1;
        self.notes.output(value_type, value);
    }

    fn output(&mut self, value_type: ValueType, value: &[u8]) {
        self.notes.output(value_type, value);
    }
}
