//! A planned relation's tuples: masked, dropped and kept attributes.

use std::collections::HashSet;

use super::page::{Fault, Ranges, TupleRewriter};
use super::sample::Sampler;
use super::structured::StructuredColumn;
use crate::datum::ValueType;
use crate::mask::Masker;
use crate::page::{Attribute, Storage, TupleEnd, VarlenaForm, walk_attributes};

/// What happens to one attribute, with the state that doing it needs.
pub(super) enum Column<'m> {
    Keep,
    Zero,
    Mask { masker: Box<Masker<'m>>, value_type: ValueType, sampler: Sampler },
    Structured(Box<StructuredColumn<'m>>),
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

    /// Its columns, with what they have gathered.
    pub(super) fn into_columns(self) -> impl Iterator<Item = Column<'m>> {
        self.columns.into_iter()
    }
}

impl TupleRewriter for HeapRewriter<'_> {
    fn tuple(
        &mut self,
        raw: &[u8],
        out: &mut [u8],
        offset: usize,
        ranges: &mut Ranges,
    ) -> Result<TupleEnd, Fault> {
        let HeapRewriter { storage, columns, kept_toast, values_masked } = self;
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
                Some(column @ (Column::Mask { .. } | Column::Structured(_))) => {
                    let unsupported = |what| Fault::Unsupported {
                        what,
                        attribute: attribute.index,
                        line_pointer: 0,
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
                    let Some(value) = out.get_mut(payload(&attribute)) else {
                        return Err(unsupported("the value reaches past its tuple"));
                    };
                    match column {
                        Column::Mask { masker, value_type, sampler } => {
                            sampler.offer(*value_type, value);
                            masker.apply(value).map_err(|error| unsupported(error.0))?;
                            *values_masked += 1;
                        }
                        Column::Structured(column) => {
                            *values_masked +=
                                column.apply(value).map_err(|error| unsupported(error.0))?;
                        }
                        Column::Keep | Column::Zero => {}
                    }
                }
            }
            let payload = payload(&attribute);
            ranges.allow(offset + payload.start, offset + payload.end);
            Ok(())
        })
    }
}

/// An attribute's value within its tuple, without varlena header.
#[inline]
fn payload(attribute: &Attribute) -> std::ops::Range<usize> {
    let header_len = attribute.varlena.map_or(0, |varlena| varlena.header_len);
    attribute.start + header_len..attribute.end
}
