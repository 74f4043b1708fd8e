//! Values that can stand in for each other: stored in the same form, in as many bytes.

use std::ops::Range;

use crate::page::{Attribute, VarlenaForm};

/// What two values have in common that can change places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Class {
    form: Form,
    /// Bytes that move.
    len: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    /// Not a varlena.
    Plain,
    ShortVarlena,
    Varlena,
    Compressed,
    OutOfLine,
}

impl Class {
    pub(super) fn of(attribute: &Attribute) -> Class {
        let form = match attribute.varlena.map(|varlena| varlena.form) {
            None => Form::Plain,
            Some(VarlenaForm::Short) => Form::ShortVarlena,
            Some(VarlenaForm::Plain) => Form::Varlena,
            Some(VarlenaForm::Compressed) => Form::Compressed,
            Some(VarlenaForm::OnDisk) => Form::OutOfLine,
        };
        Class { form, len: moving(attribute).len() as u32 }
    }

    /// What the class is called where its order is made.
    pub(super) fn name(self) -> [u8; 5] {
        let [a, b, c, d] = self.len.to_le_bytes();
        [self.form as u8, a, b, c, d]
    }

    pub(super) fn len(self) -> usize {
        self.len as usize
    }
}

/// Where in its tuple that part of an attribute is that moves: all but the varlena header. What a
/// compressed value says of its raw size and its method goes along.
pub(super) fn moving(attribute: &Attribute) -> Range<usize> {
    let header_len = attribute.varlena.map_or(0, |varlena| match varlena.form {
        VarlenaForm::Compressed => 4,
        _ => varlena.header_len,
    });
    attribute.start + header_len..attribute.end
}
