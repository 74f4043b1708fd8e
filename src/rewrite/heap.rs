//! A planned relation's tuples: masked, dropped and kept attributes.

use std::collections::HashSet;
use std::ops::Range;

use super::page::{Fault, Ranges, TuplePlace, TupleRewriter};
use super::sample::Sampler;
use crate::datum::{DatumError, ValueType};
use crate::mask::Masker;
use crate::page::{Attribute, Block, Storage, TupleEnd, VarlenaForm, walk_attributes};

/// What happens to one attribute, with the state that doing it needs.
pub(super) enum Column<'m> {
    Keep,
    Zero,
    Mask(Box<MaskedColumn<'m>>),
}

/// A masked column: its values are collected over a page and masked together.
pub(super) struct MaskedColumn<'m> {
    masker: Masker<'m>,
    value_type: ValueType,
    sampler: Sampler,
    values: Vec<Value>,
}

/// Where a value is on the page.
struct Value {
    line_pointer: u16,
    start: u16,
    end: u16,
}

impl Value {
    fn range(&self) -> Range<usize> {
        usize::from(self.start)..usize::from(self.end)
    }
}

impl<'m> MaskedColumn<'m> {
    pub(super) fn new(masker: Masker<'m>, value_type: ValueType, sampler: Sampler) -> Self {
        MaskedColumn { masker, value_type, sampler, values: Vec::new() }
    }

    /// Masks the values collected on a page.
    fn page_end(&mut self, out: &mut Block) -> Result<u64, (u16, DatumError)> {
        let MaskedColumn { masker, value_type, sampler, values } = self;
        let original = |value: &[u8]| sampler.offer(*value_type, value);
        masker.apply_all(out, values, Value::range, original).map_err(|(number, error)| {
            (values.get(number).map_or(0, |value| value.line_pointer), error)
        })?;
        sampler.count(*value_type, values.iter().map(|value| value.range().len()));
        let masked = values.len() as u64;
        values.clear();
        Ok(masked)
    }
}

/// Rewrites the tuples of one relation, on one thread.
pub(super) struct HeapRewriter<'m> {
    storage: Vec<Storage>,
    columns: Vec<Column<'m>>,
    /// `chunk_id`s that kept attributes refer to: the TOAST values that stay.
    pub(super) kept_toast: HashSet<u32>,
    pub(super) values_masked: u64,
}

impl<'m> HeapRewriter<'m> {
    /// `storage` and `columns` have one entry per attribute, dropped ones included.
    pub(super) fn new(storage: Vec<Storage>, columns: Vec<Column<'m>>) -> HeapRewriter<'m> {
        HeapRewriter { storage, columns, kept_toast: HashSet::new(), values_masked: 0 }
    }

    /// The samplers of its masked columns, by attribute index.
    pub(super) fn into_samplers(self) -> impl Iterator<Item = (usize, Sampler)> + use<'m> {
        self.columns.into_iter().enumerate().filter_map(|(index, column)| match column {
            Column::Mask(column) => Some((index, column.sampler)),
            Column::Keep | Column::Zero => None,
        })
    }
}

impl TupleRewriter for HeapRewriter<'_> {
    fn tuple(
        &mut self,
        raw: &[u8],
        out: &mut [u8],
        place: TuplePlace,
        ranges: &mut Ranges,
    ) -> Result<TupleEnd, Fault> {
        let TuplePlace { line_pointer, offset } = place;
        let HeapRewriter { storage, columns, kept_toast, .. } = self;
        walk_attributes(raw, storage, |attribute| {
            match columns.get_mut(attribute.index) {
                None | Some(Column::Keep) => {
                    if let Some(VarlenaForm::OnDisk(pointer)) = attribute.varlena.map(|v| v.form) {
                        kept_toast.insert(pointer.va_valueid);
                    }
                    return Ok(());
                }
                Some(Column::Zero) => {
                    // A TOAST pointer holds no data, and amcheck follows it: its chunks are
                    // zeroed instead.
                    let on_disk = matches!(
                        attribute.varlena.map(|varlena| varlena.form),
                        Some(VarlenaForm::OnDisk(_))
                    );
                    if let Some(value) = out.get_mut(payload(&attribute))
                        && !on_disk
                    {
                        value.fill(0);
                    }
                }
                Some(Column::Mask(column)) => {
                    let unsupported = |what| Fault::Unsupported {
                        what,
                        attribute: attribute.index,
                        line_pointer,
                    };
                    match attribute.varlena.map(|varlena| varlena.form) {
                        None | Some(VarlenaForm::Short | VarlenaForm::Plain) => {}
                        Some(VarlenaForm::Compressed) => {
                            return Err(unsupported(
                                "the value is stored compressed, which masks can't rewrite yet",
                            ));
                        }
                        Some(VarlenaForm::OnDisk(_)) => {
                            return Err(unsupported(
                                "the value is stored out of line (TOAST), which masks can't \
                                 rewrite yet",
                            ));
                        }
                    }
                    let payload = payload(&attribute);
                    column.values.push(Value {
                        line_pointer,
                        start: (offset + payload.start) as u16,
                        end: (offset + payload.end) as u16,
                    });
                }
            }
            let payload = payload(&attribute);
            ranges.allow(offset + payload.start, offset + payload.end);
            Ok(())
        })
    }

    fn page_end(&mut self, out: &mut Block) -> Result<(), Fault> {
        for (attribute, column) in self.columns.iter_mut().enumerate() {
            if let Column::Mask(column) = column {
                self.values_masked += column.page_end(out).map_err(|(line_pointer, error)| {
                    Fault::Unsupported { what: error.0, attribute, line_pointer }
                })?;
            }
        }
        Ok(())
    }
}

/// An attribute's value within its tuple, without varlena header.
#[inline]
fn payload(attribute: &Attribute) -> Range<usize> {
    let header_len = attribute.varlena.map_or(0, |varlena| varlena.header_len);
    attribute.start + header_len..attribute.end
}
