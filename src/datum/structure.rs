//! How the values of a type are put together.

use serde::{Deserialize, Serialize};

use super::{DatumError, EnumLabels, ValueType};
use crate::page::{Storage, Varlena, VarlenaForm};

/// How values of a type are put together, domains resolved to what they are over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Structure {
    /// A value that a mask takes as a whole.
    Value(ValueType),
    /// A label.
    Enum(EnumLabels),
    /// Any number of elements of one type, in any dimensions.
    Array(Box<Part>),
    /// A composite type, or the row type of a table.
    Composite(Vec<Field>),
    /// Two bounds of one type.
    Range(Box<Part>),
    /// Any number of ranges.
    Multirange(Box<Part>),
    /// `json`: text.
    Json,
    /// `jsonb`: binary.
    Jsonb,
    /// `xml`
    Xml,
    /// `hstore`
    Hstore,
    /// `tsvector`
    TsVector,
    /// `tsquery`
    TsQuery,
    /// A type that no mask knows.
    Unknown,
}

/// A value within another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// How it is put together.
    pub structure: Structure,
    /// How it is laid out.
    pub layout: Layout,
    /// Its declared type, for messages.
    pub type_name: String,
}

/// An attribute of a composite type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// `attname`.
    pub name: String,
    /// `attisdropped`: values stored before still have it.
    pub dropped: bool,
    /// Its type.
    pub part: Part,
}

/// `attlen` and `attalign`, or `typlen` and `typalign`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Bytes, or -1 for a varlena, -2 for a C string.
    pub len: i16,
    /// Alignment in bytes: 1, 2, 4 or 8.
    pub align: u8,
}

impl Layout {
    /// What [`walk_attributes`](crate::page::walk_attributes) takes.
    pub(crate) fn storage(self) -> Result<Storage, DatumError> {
        Storage::new(self.len, self.align)
            .ok_or(DatumError("a part has a length or an alignment that PostgreSQL does not have"))
    }
}

/// Bytes of the varlena header that containers reckon their alignment from. Slices here begin
/// behind it, and it may have been packed into one byte.
pub(crate) const VARHDRSZ: usize = 4;

/// The next multiple of `align`, a power of two, as seen from the header's start.
pub(crate) fn aligned(position: usize, align: u8) -> usize {
    let mask = usize::from(align).saturating_sub(1);
    ((position + VARHDRSZ + mask) & !mask) - VARHDRSZ
}

/// A value within a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// First byte, header included.
    pub(crate) start: usize,
    /// What a mask takes: the bytes behind the header.
    pub(crate) data: std::ops::Range<usize>,
}

/// The value at `position`, or behind the padding there.
pub(crate) fn stored_at(
    container: &[u8],
    position: usize,
    layout: Layout,
) -> Result<Stored, DatumError> {
    let nominal = aligned(position, layout.align);
    match layout.len {
        -1 => {
            // Padding is zero, a header's first byte at an odd place is not: att_align_pointer.
            let packed = container.get(position).is_some_and(|byte| *byte != 0);
            let start = if packed { position } else { nominal };
            let varlena = Varlena::read(container.get(start..).unwrap_or_default())
                .map_err(|error| DatumError(error.what))?;
            match varlena.form {
                VarlenaForm::Short | VarlenaForm::Plain => {}
                _ => return Err(DatumError("a part of the value is stored compressed")),
            }
            let data = start + varlena.header_len..start + varlena.total_len;
            Ok(Stored { start, data })
        }
        len => {
            let len = usize::try_from(len)
                .map_err(|_| DatumError("a part of the value is a C string"))?;
            let data = nominal..nominal + len;
            if data.end > container.len() {
                return Err(DatumError("a part reaches past its value"));
            }
            Ok(Stored { start: nominal, data })
        }
    }
}

/// A little-endian word at `position`.
pub(crate) fn u32_at(bytes: &[u8], position: usize) -> Option<u32> {
    let word = bytes.get(position..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*word))
}
