//! `pg_attribute`'s tuples: the missing values of masked columns are masked like the others.
//!
//! A row written before `ADD COLUMN … DEFAULT` has no such attribute; PostgreSQL takes it from
//! `attmissingval`, an array of one element (`StoreAttrMissingVal`, `catalog/heap.c`).

use std::collections::HashMap;

use super::page::{Fault, Ranges, TuplePlace, TupleRewriter};
use crate::datum::ValueType;
use crate::mask::Masker;
use crate::page::{PageError, Storage, TupleEnd, Varlena, VarlenaForm, walk_attributes};

/// `ArrayType` of one dimension behind its varlena header: `ndim`, `dataoffset`, `elemtype`, the
/// dimension and its lower bound; `utils/array.h`.
const ARRAY_HEADER: usize = 20;

/// A masked column with a missing value, by `attrelid` and `attnum`.
pub(super) struct MissingColumn<'m> {
    pub(super) masker: Masker<'m>,
    pub(super) value_type: ValueType,
    /// Its missing values, as they were.
    pub(super) constants: Vec<Box<[u8]>>,
}

/// Rewrites the tuples of one database's `pg_attribute`.
pub(super) struct MissingRewriter<'m> {
    pub(super) storage: Vec<Storage>,
    pub(super) attrelid: usize,
    pub(super) attnum: usize,
    pub(super) attmissingval: usize,
    pub(super) columns: HashMap<(u32, i16), MissingColumn<'m>>,
    pub(super) values_masked: u64,
}

impl TupleRewriter for MissingRewriter<'_> {
    fn tuple(
        &mut self,
        raw: &[u8],
        out: &mut [u8],
        TuplePlace { offset, .. }: TuplePlace,
        ranges: &mut Ranges,
    ) -> Result<TupleEnd, Fault> {
        let (mut attrelid, mut attnum) = (None, None);
        walk_attributes(raw, &self.storage, |attribute| {
            let value = raw.get(attribute.start..attribute.end).unwrap_or_default();
            if attribute.index == self.attrelid {
                attrelid = value.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
            } else if attribute.index == self.attnum {
                attnum = value.first_chunk().map(|bytes| i16::from_le_bytes(*bytes));
            } else if attribute.index == self.attmissingval
                && let Some((attrelid, attnum)) = attrelid.zip(attnum)
                && let Some(column) = self.columns.get_mut(&(attrelid, attnum))
            {
                let unsupported =
                    |what| Fault::Unsupported { what, attribute: attribute.index, line_pointer: 0 };
                let header_len = match attribute.varlena {
                    Some(Varlena {
                        form: VarlenaForm::Short | VarlenaForm::Plain,
                        header_len,
                        ..
                    }) => header_len,
                    _ => {
                        return Err(unsupported(
                            "a missing value is stored compressed or out of line, which masks \
                             can't rewrite yet",
                        ));
                    }
                };
                let start = attribute.start + header_len + ARRAY_HEADER;
                let element = out.get_mut(start..attribute.end).unwrap_or_default();
                let value = match column.value_type {
                    ValueType::Text | ValueType::Bpchar | ValueType::Numeric => {
                        let varlena = Varlena::read(element)?;
                        if !matches!(varlena.form, VarlenaForm::Short | VarlenaForm::Plain) {
                            return Err(unsupported("a missing value is stored compressed"));
                        }
                        varlena.header_len..varlena.total_len
                    }
                    value_type => 0..value_type.width().unwrap_or(element.len()),
                };
                let range = start + value.start..start + value.end;
                let value = element
                    .get_mut(value)
                    .ok_or(PageError::new("attmissingval is shorter than its element"))?;
                column.constants.push(value.to_vec().into());
                column.masker.apply(value).map_err(|error| unsupported(error.0))?;
                self.values_masked += 1;
                ranges.allow(offset + range.start, offset + range.end);
            }
            Ok(())
        })
    }
}
