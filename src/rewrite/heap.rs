//! A planned relation's tuples: masked, dropped and kept attributes.

use std::collections::HashSet;
use std::ops::Range;

use super::by_row::{Row, attribute_of};
use super::packed::Packer;
use super::page::{Fault, Ranges, TuplePlace, TupleRewriter};
use super::sample::Sampler;
use super::shuffle::{Fate, ShuffledColumn, given_pointer};
use super::structured::StructuredColumn;
use crate::datum::{DatumError, ValueType};
use crate::mask::{Masker, Names};
use crate::page::{
    Attribute, Block, PageError, Storage, ToastPointer, TupleEnd, VarlenaForm, walk_attributes,
};
use crate::plan::RelationPlan;

/// What happens to one attribute, with the state that doing it needs.
pub(super) enum Column<'m> {
    Keep,
    Zero,
    Mask(Box<MaskedColumn<'m>>),
    Structured(Box<StructuredColumn<'m>>),
    Shuffle(Box<ShuffledColumn<'m>>),
}

impl Column<'_> {
    /// Masks or zeroes one value that is not plain on a page, and counts what it masked. `text` gets the
    /// parts of it that are text and may become any other.
    pub(super) fn mask_value(
        &mut self,
        value: &mut [u8],
        text: &mut Vec<Range<usize>>,
    ) -> Result<u64, DatumError> {
        match self {
            Column::Mask(column) => {
                text.extend(column.value_type.is_text().then_some(0..value.len()));
                column.mask_value(value)?;
                Ok(1)
            }
            Column::Structured(column) => column.apply(value, text),
            Column::Shuffle(column) => column.mask_alone(value, text),
            Column::Zero => {
                value.fill(0);
                Ok(0)
            }
            Column::Keep => Err(DatumError("a kept column's value is to be masked")),
        }
    }

    /// Whose the values are, and what names they are made of, that [`Column::mask_value`] gets from now on.
    fn set_context(&mut self, subject: Option<&[u8]>, names: Option<&Names>) {
        match self {
            Column::Mask(column) => {
                column.masker.set_subject(subject);
                column.masker.set_names(names.cloned());
            }
            Column::Structured(column) => column.set_subject(subject),
            Column::Keep | Column::Zero | Column::Shuffle(_) => {}
        }
    }

    /// True unless texts are in another server encoding.
    pub(super) fn is_utf8(&self) -> bool {
        match self {
            Column::Mask(column) => column.masker.is_utf8(),
            Column::Structured(column) => column.is_utf8(),
            Column::Shuffle(column) => column.is_utf8(),
            Column::Keep | Column::Zero => true,
        }
    }
}

/// A masked column: its values are collected over a page and masked together.
pub(super) struct MaskedColumn<'m> {
    masker: Masker<'m>,
    value_type: ValueType,
    sampler: Sampler,
    values: Vec<Value>,
    /// Whose they are, by the value's number.
    subjects: Vec<Option<Range<usize>>>,
    /// What that refers to.
    bytes: Vec<u8>,
    /// The names that they are made of, by the value's number.
    names: Vec<Option<Names>>,
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
        MaskedColumn {
            masker,
            value_type,
            sampler,
            values: Vec::new(),
            subjects: Vec::new(),
            bytes: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Says whose the value is that was collected last.
    fn push_subject(&mut self, subject: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(subject);
        self.subjects.resize(self.values.len().saturating_sub(1), None);
        self.subjects.push(Some(start..self.bytes.len()));
    }

    /// Says what names the value is made of that was collected last.
    fn push_names(&mut self, names: &Names) {
        self.names.resize(self.values.len().saturating_sub(1), None);
        self.names.push(Some(names.clone()));
    }

    /// Masks one value that is not plain on a page.
    fn mask_value(&mut self, value: &mut [u8]) -> Result<(), DatumError> {
        let MaskedColumn { masker, value_type, sampler, .. } = self;
        let whole = 0..value.len();
        sampler.count(*value_type, std::iter::once(value.len()));
        if masker.has_context() {
            sampler.offer(*value_type, value);
            return masker.apply(value);
        }
        let original = |value: &[u8]| sampler.offer(*value_type, value);
        masker.apply_all(value, &[whole], Range::clone, original).map_err(|(_, error)| error)
    }

    /// See [`Masker::smallest_domain`].
    pub(super) fn smallest_domain(&self) -> Option<u64> {
        self.masker.smallest_domain()
    }

    /// The type of its values, and the sample of them.
    pub(super) fn into_sampler(self) -> (ValueType, Sampler) {
        (self.value_type, self.sampler)
    }

    /// Masks the values collected on a page.
    fn page_end(&mut self, out: &mut Block) -> Result<u64, (u16, DatumError)> {
        let MaskedColumn { masker, value_type, sampler, values, subjects, bytes, names } = self;
        let original = |value: &[u8]| sampler.offer(*value_type, value);
        let subject = |number: usize| bytes.get(subjects.get(number)?.clone()?);
        let masked = if !names.is_empty() {
            let context = |number| (subject(number), names.get(number).cloned().flatten());
            masker.apply_each(out, values, Value::range, context, original)
        } else if subjects.is_empty() {
            masker.apply_all(out, values, Value::range, original)
        } else {
            masker.apply_all_by_subject(out, values, Value::range, subject, original)
        };
        masked.map_err(|(number, error)| {
            (values.get(number).map_or(0, |value| value.line_pointer), error)
        })?;
        subjects.clear();
        bytes.clear();
        names.clear();
        sampler.count(*value_type, values.iter().map(|value| value.range().len()));
        let masked = values.len() as u64;
        values.clear();
        Ok(masked)
    }
}

/// Rewrites the tuples of one relation, on one thread.
pub(super) struct HeapRewriter<'m> {
    storage: Vec<Storage>,
    plan: &'m RelationPlan,
    /// By slot: see [`Row`].
    columns: Vec<Column<'m>>,
    /// What masks look at in other columns, if they do.
    row: Option<Box<Row<'m>>>,
    /// `chunk_id`s that kept attributes refer to: the TOAST values that stay.
    pub(super) kept_toast: HashSet<u32>,
    /// TOAST values that masked attributes refer to, with their slot.
    pub(super) masked_toast: Vec<(ToastPointer, u16)>,
    pub(super) values_masked: u64,
    packer: Packer,
}

impl<'m> HeapRewriter<'m> {
    /// `storage` has one entry per attribute, dropped ones included, and `columns` one per slot.
    pub(super) fn new(
        plan: &'m RelationPlan,
        storage: Vec<Storage>,
        columns: Vec<Column<'m>>,
        row: Option<Box<Row<'m>>>,
    ) -> HeapRewriter<'m> {
        HeapRewriter {
            plan,
            storage,
            columns,
            row,
            kept_toast: HashSet::new(),
            masked_toast: Vec::new(),
            values_masked: 0,
            packer: Packer::default(),
        }
    }

    /// Masks a value of a column from the TOAST table: all of its chunks' bytes.
    pub(super) fn mask_toasted(
        &mut self,
        slot: u16,
        compressed: bool,
        stored: &mut Vec<u8>,
    ) -> Result<(), DatumError> {
        let slot = usize::from(slot);
        let slot = if slot < self.columns.len() { slot } else { attribute_of(self.plan, slot) };
        let Some(column) = self.columns.get_mut(slot) else {
            return Err(DatumError("a TOAST value belongs to no column"));
        };
        if matches!(column, Column::Keep) {
            return Ok(());
        }
        column.set_context(None, None);
        self.values_masked += if compressed {
            self.packer.mask_whole(column, stored)?
        } else {
            column.mask_value(stored, &mut Vec::new())?
        };
        Ok(())
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
        place: TuplePlace,
        ranges: &mut Ranges,
    ) -> Result<TupleEnd, Fault> {
        let TuplePlace { line_pointer, offset, .. } = place;
        let HeapRewriter {
            storage,
            columns,
            row,
            kept_toast,
            masked_toast,
            values_masked,
            packer,
            ..
        } = self;
        if let Some(row) = row {
            row.read(raw, storage, place)?;
        }
        let (mut kept, mut zeroed) = (Column::Keep, Column::Zero);
        walk_attributes(raw, storage, |attribute| {
            let slot = row.as_ref().map_or(attribute.index, |row| row.slot(attribute.index));
            let mut column = columns.get_mut(slot);
            if let Some(Column::Shuffle(shuffled)) = &mut column {
                let fate = shuffled.rewrite(raw, out, &attribute, place).map_err(|error| {
                    Fault::Unsupported { what: error.0, attribute: attribute.index, line_pointer }
                })?;
                match fate {
                    Fate::Moved(range) => {
                        let pointer = given_pointer(out, &attribute, &range);
                        kept_toast.extend(pointer.map(|pointer| pointer.va_valueid));
                        *values_masked += 1;
                        ranges.allow(offset + range.start, offset + range.end);
                        return Ok(());
                    }
                    Fate::Stays => column = Some(&mut kept),
                    Fate::Zeroed => column = Some(&mut zeroed),
                    Fate::Masked => {}
                }
            }
            match column {
                Some(Column::Keep) if slot != attribute.index => {
                    if attribute.varlena.is_some_and(|it| it.form == VarlenaForm::OnDisk) {
                        masked_toast.push((toast_pointer(raw, &attribute)?, slot as u16));
                    }
                    return Ok(());
                }
                None | Some(Column::Keep) => {
                    if attribute.varlena.is_some_and(|it| it.form == VarlenaForm::OnDisk) {
                        kept_toast.insert(toast_pointer(raw, &attribute)?.va_valueid);
                    }
                    return Ok(());
                }
                Some(column @ Column::Zero) => {
                    let form = attribute.varlena.map(|varlena| varlena.form);
                    let value = out.get_mut(payload(&attribute)).unwrap_or_default();
                    match form {
                        // A TOAST pointer holds no data, and amcheck follows it: its chunks are
                        // zeroed instead.
                        Some(VarlenaForm::OnDisk) => return Ok(()),
                        Some(VarlenaForm::Compressed) => {
                            if packer.mask(column, raw_tcinfo(raw, &attribute), value).is_err() {
                                value.fill(0);
                            }
                        }
                        _ => value.fill(0),
                    }
                }
                Some(column @ (Column::Mask(_) | Column::Structured(_) | Column::Shuffle(_))) => {
                    let unsupported = |what| Fault::Unsupported {
                        what,
                        attribute: attribute.index,
                        line_pointer,
                    };
                    let row = row.as_ref();
                    // The mask for where the condition is not true has none.
                    let subject = row
                        .filter(|_| slot == attribute.index)
                        .and_then(|row| row.subject(attribute.index));
                    let names = row
                        .filter(|_| slot == attribute.index)
                        .and_then(|row| row.names(attribute.index));
                    match attribute.varlena.map(|varlena| varlena.form) {
                        None | Some(VarlenaForm::Short | VarlenaForm::Plain) => {}
                        Some(VarlenaForm::Compressed) => {
                            column.set_context(subject, names);
                            let stream = out.get_mut(payload(&attribute)).unwrap_or_default();
                            *values_masked += packer
                                .mask(column, raw_tcinfo(raw, &attribute), stream)
                                .map_err(|error| unsupported(error.0))?;
                            let range = payload(&attribute);
                            ranges.allow(offset + range.start, offset + range.end);
                            return Ok(());
                        }
                        Some(VarlenaForm::OnDisk) => {
                            if subject.is_some() {
                                return Err(unsupported(
                                    "a value whose mask takes a subject is stored out of line",
                                ));
                            }
                            let pointer = toast_pointer(raw, &attribute)?;
                            let slot = row.map_or(attribute.index, |row| {
                                row.slot_out_of_line(attribute.index)
                            });
                            masked_toast.push((pointer, slot as u16));
                            return Ok(());
                        }
                    }
                    let payload = payload(&attribute);
                    match column {
                        Column::Mask(column) => {
                            column.values.push(Value {
                                line_pointer,
                                start: (offset + payload.start) as u16,
                                end: (offset + payload.end) as u16,
                            });
                            if let Some(subject) = subject {
                                column.push_subject(subject);
                            }
                            if let Some(names) = names {
                                column.push_names(names);
                            }
                        }
                        Column::Structured(column) => {
                            column.set_subject(subject);
                            let value = out.get_mut(payload).unwrap_or_default();
                            *values_masked += column
                                .apply(value, &mut Vec::new())
                                .map_err(|error| unsupported(error.0))?;
                        }
                        Column::Shuffle(column) => {
                            let value = out.get_mut(payload).unwrap_or_default();
                            *values_masked += column
                                .mask_alone(value, &mut Vec::new())
                                .map_err(|error| unsupported(error.0))?;
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

    fn page_end(&mut self, out: &mut Block) -> Result<(), Fault> {
        for (slot, column) in self.columns.iter_mut().enumerate() {
            if let Column::Mask(column) = column {
                self.values_masked += column.page_end(out).map_err(|(line_pointer, error)| {
                    let attribute = attribute_of(self.plan, slot);
                    Fault::Unsupported { what: error.0, attribute, line_pointer }
                })?;
            }
        }
        Ok(())
    }
}

/// Where the chunks of an attribute out of line are.
fn toast_pointer(tuple: &[u8], attribute: &Attribute) -> Result<ToastPointer, PageError> {
    ToastPointer::read(tuple.get(payload(attribute)).unwrap_or_default())
        .map_err(|error| error.at_attribute(attribute.index))
}

/// `va_tcinfo` of a compressed attribute.
pub(super) fn raw_tcinfo(tuple: &[u8], attribute: &Attribute) -> u32 {
    let bytes = tuple.get(attribute.start + 4..).and_then(|bytes| bytes.first_chunk());
    bytes.copied().map_or(0, u32::from_le_bytes)
}

/// An attribute's value within its tuple, without varlena header.
#[inline]
fn payload(attribute: &Attribute) -> Range<usize> {
    let header_len = attribute.varlena.map_or(0, |varlena| varlena.header_len);
    attribute.start + header_len..attribute.end
}
