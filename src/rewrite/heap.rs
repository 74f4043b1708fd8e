//! A planned relation's tuples: masked, dropped and kept attributes.

use std::ops::Range;

use roaring::RoaringBitmap;

use super::by_row::{Row, attribute_of};
use super::masked::{KeptBeside, MaskedColumn, Value};
use super::nulls::{NullColumn, NullCounts, Nulls};
use super::packed::Packer;
use super::page::{Fault, Ranges, TuplePlace, TupleRewriter};
use super::shuffle::{Fate, ShuffledColumn, given_pointer};
use super::structured::StructuredColumn;
use super::toast::Reference;
use crate::datum::DatumError;
use crate::datum::compressed::Part;
use crate::mask::{Names, Witness};
use crate::page::{
    Attribute, Block, PageError, Storage, ToastPointer, TupleEnd, VarlenaForm, walk_attributes,
};
use crate::plan::RelationPlan;
use crate::removal::Removal;

/// What happens to one attribute, with the state that doing it needs.
pub(super) enum Column<'m> {
    Keep,
    /// Kept by a condition, in a column that is masked otherwise.
    KeepBeside(Box<KeptBeside<'m>>),
    Zero,
    Mask(Box<MaskedColumn<'m>>),
    Structured(Box<StructuredColumn<'m>>),
    Null(Box<NullColumn<'m>>),
    Shuffle(Box<ShuffledColumn<'m>>),
}

impl Column<'_> {
    /// Masks or zeroes one value that is not plain on a page, and counts what it masked. `parts` gets what of it
    /// may become more regular.
    pub(super) fn mask_value(
        &mut self,
        value: &mut [u8],
        parts: &mut Vec<Part>,
    ) -> Result<u64, DatumError> {
        match self {
            Column::Mask(column) => {
                Part::note(parts, column.value_type.into(), 0..value.len());
                column.mask_value(value)?;
                Ok(1)
            }
            Column::Structured(column) => column.apply(value, parts),
            Column::Shuffle(column) => column.mask_alone(value, parts),
            Column::Zero => {
                value.fill(0);
                Ok(0)
            }
            Column::Null(_) => Err(DatumError("a value that becomes NULL is to be masked")),
            Column::Keep | Column::KeepBeside(_) => {
                Err(DatumError("a kept column's value is to be masked"))
            }
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
            Column::Keep
            | Column::KeepBeside(_)
            | Column::Zero
            | Column::Null(_)
            | Column::Shuffle(_) => {}
        }
    }

    /// Takes down a value as it is in the end, where that is not what the mask made of it.
    pub(super) fn note_output(&mut self, value: &[u8]) {
        match self {
            Column::Mask(column) => column.notes.output(column.value_type, value),
            Column::Structured(column) => column.note_output(value),
            Column::Shuffle(column) => column.note_output(value),
            Column::Keep | Column::KeepBeside(_) | Column::Zero | Column::Null(_) => {}
        }
    }

    /// True unless texts are in another server encoding.
    pub(super) fn is_utf8(&self) -> bool {
        match self {
            Column::Mask(column) => column.masker.is_utf8(),
            Column::Structured(column) => column.is_utf8(),
            Column::Shuffle(column) => column.is_utf8(),
            Column::Keep | Column::KeepBeside(_) | Column::Zero | Column::Null(_) => true,
        }
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
    pub(super) kept_toast: RoaringBitmap,
    /// TOAST values that masked attributes refer to.
    pub(super) masked_toast: Vec<Reference>,
    pub(super) values_masked: u64,
    packer: Packer,
    /// What becomes NULL on the page at hand, if anything of the relation does.
    nulls: Option<Box<Nulls>>,
}

impl<'m> HeapRewriter<'m> {
    /// `storage` has one entry per attribute, dropped ones included, and `columns` one per slot.
    pub(super) fn new(
        plan: &'m RelationPlan,
        storage: Vec<Storage>,
        columns: Vec<Column<'m>>,
        row: Option<Box<Row<'m>>>,
    ) -> HeapRewriter<'m> {
        let has_nulls = columns.iter().any(|column| matches!(column, Column::Null(_)));
        HeapRewriter {
            nulls: has_nulls.then(|| Box::new(Nulls::new())),
            plan,
            storage,
            columns,
            row,
            kept_toast: RoaringBitmap::new(),
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
        match column {
            Column::Keep => return Ok(()),
            Column::KeepBeside(kept) => {
                match stored.split_first_chunk().filter(|_| compressed) {
                    Some((tcinfo, stream)) => {
                        kept.note_packed(u32::from_le_bytes(*tcinfo), stream)?;
                    }
                    None => kept.note(stored),
                }
                return Ok(());
            }
            Column::Null(column) => return column.take_toasted(compressed, stored),
            _ => {}
        }
        column.set_context(None, None);
        self.values_masked += if compressed {
            self.packer.mask_whole(column, stored)?
        } else {
            column.mask_value(stored, &mut Vec::new())?
        };
        Ok(())
    }

    /// What became NULL.
    pub(super) fn null_counts(&self) -> NullCounts {
        self.nulls.as_ref().map(|nulls| nulls.counts).unwrap_or_default()
    }

    /// Its columns, with what they have gathered.
    pub(super) fn into_columns(self) -> impl Iterator<Item = Column<'m>> {
        self.columns.into_iter().map(|column| match column {
            Column::Null(column) => column.into_reader(),
            column => column,
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
        let TuplePlace { line_pointer, offset, .. } = place;
        let HeapRewriter {
            storage,
            columns,
            row,
            kept_toast,
            masked_toast,
            values_masked,
            packer,
            nulls,
            ..
        } = self;
        if Removal::DeadRows.is_off() && is_deleted(raw) {
            return walk_attributes(raw, storage, |_| Ok(()));
        }
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
                Some(Column::KeepBeside(kept)) => {
                    let value = raw.get(payload(&attribute)).unwrap_or_default();
                    match attribute.varlena.map(|varlena| varlena.form) {
                        Some(VarlenaForm::OnDisk) => {
                            masked_toast
                                .push(Reference::new(toast_pointer(raw, &attribute)?, slot));
                        }
                        Some(VarlenaForm::Compressed) => kept
                            .note_packed(raw_tcinfo(raw, &attribute), value)
                            .map_err(|error| Fault::Unsupported {
                                what: error.0,
                                attribute: attribute.index,
                                line_pointer,
                            })?,
                        _ => kept.note(value),
                    }
                    return Ok(());
                }
                None | Some(Column::Keep) => {
                    if attribute.varlena.is_some_and(|it| it.form == VarlenaForm::OnDisk) {
                        kept_toast.insert(toast_pointer(raw, &attribute)?.va_valueid);
                    }
                    return Ok(());
                }
                Some(Column::Zero) if Removal::DroppedColumns.is_off() => return Ok(()),
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
                Some(Column::Null(column)) => {
                    if !column.note_attribute(raw, &attribute) {
                        let slot = row
                            .as_ref()
                            .map_or(attribute.index, |row| row.slot_out_of_line(attribute.index));
                        masked_toast.push(Reference::new(toast_pointer(raw, &attribute)?, slot));
                    }
                    *values_masked += 1;
                    if let Some(nulls) = nulls {
                        nulls.want(line_pointer, attribute.index);
                    }
                    return Ok(());
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
                            masked_toast.push(Reference::new(pointer, slot));
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
                        Column::Keep | Column::KeepBeside(_) | Column::Zero | Column::Null(_) => {}
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

    fn proven(&mut self, out: &mut Block) -> Result<(), Fault> {
        match &mut self.nulls {
            Some(nulls) => nulls.apply(out, &self.storage),
            None => Ok(()),
        }
    }
}

/// True if a transaction has deleted or replaced a tuple, or tried to: `t_xmax` is set.
fn is_deleted(tuple: &[u8]) -> bool {
    tuple.get(4..8).is_some_and(|t_xmax| t_xmax != [0; 4])
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
pub(super) fn payload(attribute: &Attribute) -> Range<usize> {
    let header_len = attribute.varlena.map_or(0, |varlena| varlena.header_len);
    attribute.start + header_len..attribute.end
}
