//! Composite values: a heap tuple within a datum; `DatumTupleFields` of access/htup_details.h.

use super::DatumError;
use super::structure::VARHDRSZ;
use crate::page::{PageError, Storage, VarlenaForm, walk_attributes};

/// The bytes of a field.
pub(crate) enum Stored<'f> {
    /// The value, behind its header if it has one.
    Plain(&'f mut [u8]),
    /// A compressed value from its `va_tcinfo` on, as `ROW(…)` takes it over from a table.
    Packed(&'f mut [u8]),
}

/// What is called with each field.
pub(crate) type Visit<'v> = dyn FnMut(usize, Stored<'_>) -> Result<(), DatumError> + 'v;

/// Calls `visit` with the index and the bytes of each field that is present and not null.
/// `buffer` is working memory.
pub(crate) fn fields(
    composite: &mut [u8],
    storage: &[Storage],
    buffer: &mut Vec<u8>,
    visit: &mut Visit<'_>,
) -> Result<(), DatumError> {
    // The tuple begins with the varlena header, which is cut off or packed here.
    buffer.clear();
    buffer.resize(VARHDRSZ, 0);
    buffer.extend_from_slice(composite);
    walk_attributes(buffer, storage, |attribute| {
        let header = match attribute.varlena.map(|varlena| (varlena.form, varlena.header_len)) {
            None => 0,
            Some((VarlenaForm::Short | VarlenaForm::Plain, len)) => len,
            Some((VarlenaForm::Compressed, _)) => VARHDRSZ,
            Some((VarlenaForm::OnDisk, _)) => {
                return Err(Fault(DatumError("a field of the value is stored out of line")));
            }
        };
        let start = (attribute.start + header).saturating_sub(VARHDRSZ);
        let field = composite.get_mut(start..attribute.end.saturating_sub(VARHDRSZ));
        let field = field.unwrap_or_default();
        let stored = match attribute.varlena.map(|varlena| varlena.form) {
            Some(VarlenaForm::Compressed) => Stored::Packed(field),
            _ => Stored::Plain(field),
        };
        visit(attribute.index, stored).map_err(Fault)
    })
    .map(|_| ())
    .map_err(|Fault(error)| error)
}

/// Lets the walk over attributes end with a datum's error.
struct Fault(DatumError);

impl From<PageError> for Fault {
    fn from(error: PageError) -> Fault {
        Fault(DatumError(error.what))
    }
}
