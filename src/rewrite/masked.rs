//! A masked column of a relation, on one thread.

use std::ops::Range;

use crate::datum::compressed::unpack;
use crate::datum::{DatumError, ValueType};
use crate::fingerprint::Notes;
use crate::mask::{Masker, Names, Witness};
use crate::page::Block;

/// What takes down values that stay by a condition: the audit may find them where masked ones are.
pub(super) struct KeptBeside<'m> {
    pub(super) notes: Notes<'m>,
    /// The type of the column's values, unless they have parts.
    pub(super) value_type: Option<ValueType>,
}

impl KeptBeside<'_> {
    pub(super) fn note(&mut self, value: &[u8]) {
        match self.value_type {
            Some(value_type) => self.notes.output(value_type, value),
            None => self.notes.whole_output(value),
        }
    }

    pub(super) fn note_packed(&mut self, tcinfo: u32, stream: &[u8]) -> Result<(), DatumError> {
        let mut raw = Vec::new();
        unpack(tcinfo, stream, &mut raw)?;
        self.note(&raw);
        Ok(())
    }
}

/// A masked column: its values are collected over a page and masked together.
pub(super) struct MaskedColumn<'m> {
    pub(super) masker: Masker<'m>,
    pub(super) value_type: ValueType,
    pub(super) notes: Notes<'m>,
    pub(super) values: Vec<Value>,
    /// Whose they are, by the value's number.
    subjects: Vec<Option<Range<usize>>>,
    /// What that refers to.
    bytes: Vec<u8>,
    /// The names that they are made of, by the value's number.
    names: Vec<Option<Names>>,
}

/// Where a value is on the page.
pub(super) struct Value {
    pub(super) line_pointer: u16,
    pub(super) start: u16,
    pub(super) end: u16,
}

impl Value {
    fn range(&self) -> Range<usize> {
        usize::from(self.start)..usize::from(self.end)
    }
}

impl<'m> MaskedColumn<'m> {
    pub(super) fn new(masker: Masker<'m>, value_type: ValueType, notes: Notes<'m>) -> Self {
        MaskedColumn {
            masker,
            value_type,
            notes,
            values: Vec::new(),
            subjects: Vec::new(),
            bytes: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Says whose the value is that was collected last.
    pub(super) fn push_subject(&mut self, subject: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(subject);
        self.subjects.resize(self.values.len().saturating_sub(1), None);
        self.subjects.push(Some(start..self.bytes.len()));
    }

    /// Says what names the value is made of that was collected last.
    pub(super) fn push_names(&mut self, names: &Names) {
        self.names.resize(self.values.len().saturating_sub(1), None);
        self.names.push(Some(names.clone()));
    }

    /// Masks one value that is not plain on a page.
    pub(super) fn mask_value(&mut self, value: &mut [u8]) -> Result<(), DatumError> {
        let MaskedColumn { masker, value_type, notes, .. } = self;
        let whole = 0..value.len();
        notes.count(*value_type, std::iter::once(value.len()));
        if masker.has_context() {
            notes.original(*value_type, value);
            masker.apply(value)?;
            notes.output(*value_type, value);
            return Ok(());
        }
        masker.apply_all(value, &[whole], Range::clone, notes).map_err(|(_, error)| error)
    }

    /// See [`Masker::smallest_domain`].
    pub(super) fn smallest_domain(&self) -> Option<u64> {
        self.masker.smallest_domain()
    }

    /// Masks the values collected on a page.
    pub(super) fn page_end(&mut self, out: &mut Block) -> Result<u64, (u16, DatumError)> {
        let MaskedColumn { masker, value_type, notes, values, subjects, bytes, names } = self;
        let subject = |number: usize| bytes.get(subjects.get(number)?.clone()?);
        let masked = if !names.is_empty() {
            let context = |number| (subject(number), names.get(number).cloned().flatten());
            masker.apply_each(out, values, Value::range, context, notes)
        } else if subjects.is_empty() {
            masker.apply_all(out, values, Value::range, notes)
        } else {
            masker.apply_all_by_subject(out, values, Value::range, subject, notes)
        };
        masked.map_err(|(number, error)| {
            (values.get(number).map_or(0, |value| value.line_pointer), error)
        })?;
        subjects.clear();
        bytes.clear();
        names.clear();
        notes.count(*value_type, values.iter().map(|value| value.range().len()));
        let masked = values.len() as u64;
        values.clear();
        Ok(masked)
    }
}
