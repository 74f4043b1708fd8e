//! A column that becomes NULL: its originals are taken down for the audit, then it is gone.

use super::super::heap::{Column, payload, raw_tcinfo};
use crate::datum::DatumError;
use crate::datum::compressed::{Part, unpack};
use crate::page::{Attribute, VarlenaForm};

/// Larger buffers are given back.
const KEPT: usize = 4 << 20;

/// How originals of the column are read: a mask that reads every part of a value, and works on a
/// copy.
pub(in super::super) struct NullColumn<'m> {
    reader: Column<'m>,
    copy: Vec<u8>,
    parts: Vec<Part>,
}

impl<'m> NullColumn<'m> {
    pub(in super::super) fn new(reader: Column<'m>) -> NullColumn<'m> {
        NullColumn { reader, copy: Vec::new(), parts: Vec::new() }
    }

    /// What has gathered the originals.
    pub(in super::super) fn into_reader(self) -> Column<'m> {
        self.reader
    }

    /// Takes down an attribute's value, unless that is out of line: then it returns false.
    pub(in super::super) fn note_attribute(&mut self, tuple: &[u8], attribute: &Attribute) -> bool {
        let stored = tuple.get(payload(attribute)).unwrap_or_default();
        match attribute.varlena.map(|varlena| varlena.form) {
            Some(VarlenaForm::OnDisk) => return false,
            Some(VarlenaForm::Compressed) => {
                self.note_compressed(raw_tcinfo(tuple, attribute), stored);
            }
            None | Some(VarlenaForm::Short | VarlenaForm::Plain) => self.note(stored),
        }
        true
    }

    /// Takes down a value as it is stored, without varlena header.
    fn note(&mut self, value: &[u8]) {
        self.copy.clear();
        self.copy.extend_from_slice(value);
        self.read();
    }

    /// Takes down a compressed value: what follows its `va_tcinfo`.
    fn note_compressed(&mut self, tcinfo: u32, stream: &[u8]) {
        if unpack(tcinfo, stream, &mut self.copy).is_ok() {
            self.read();
        }
    }

    /// Takes down a value from the TOAST table, and zeroes it.
    pub(in super::super) fn take_toasted(
        &mut self,
        compressed: bool,
        stored: &mut [u8],
    ) -> Result<(), DatumError> {
        if compressed {
            let (tcinfo, stream) = stored
                .split_first_chunk()
                .ok_or(DatumError("a compressed value is shorter than its header"))?;
            self.note_compressed(u32::from_le_bytes(*tcinfo), stream);
        } else {
            self.note(stored);
        }
        stored.fill(0);
        Ok(())
    }

    /// What can't be read goes all the same.
    fn read(&mut self) {
        self.parts.clear();
        let _ = self.reader.mask_value(&mut self.copy, &mut self.parts);
        if self.copy.capacity() > KEPT {
            self.copy = Vec::new();
        }
    }
}
