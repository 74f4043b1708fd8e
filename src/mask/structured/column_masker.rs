//! A column's mask at work.

use std::fmt;

use super::bounds::mask_bounds;
use super::encoded::{JsonVisitor, mask_xml};
use super::regular::form;
use super::scalar::{JsonbVisitor, UnknownPaths, Watch, mask_hstore};
use super::{ColumnMask, FieldMask, regularize};
use crate::datum::compressed::{Form, Part, fit_parts, unpack};
use crate::datum::{
    DatumError, ValueType, array, composite, hstore, json, jsonb, range, tsquery, tsvector, xml,
};
use crate::error::Result as MaskResult;
use crate::mask::{Mask, MaskKey, Masker, Witness};

impl ColumnMask {
    /// Compiles every mask in it.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) where a mask and its type don't go together.
    pub fn compile(&self, key: &MaskKey) -> MaskResult<ColumnMask<Mask>> {
        self.try_map(&mut |spec| Mask::compile(spec, key))
    }
}

impl ColumnMask<Mask> {
    /// What one thread masks the column with.
    pub fn masker(&self) -> ColumnMasker<'_> {
        let mut is_utf8 = true;
        let masks = self.try_map(&mut |mask| {
            let masker = mask.masker();
            is_utf8 &= masker.is_utf8();
            Ok::<_, Never>(Box::new(masker))
        });
        let masks = match masks {
            Ok(masks) => masks,
            Err(never) => match never {},
        };
        ColumnMasker { masks, unknown: UnknownPaths::default(), buffer: Vec::new(), is_utf8 }
    }
}

/// No error.
enum Never {}

/// Masks the values of a column on one thread. Holds original values in memory; its `Debug` shows
/// none.
pub struct ColumnMasker<'m> {
    masks: ColumnMask<Box<Masker<'m>>>,
    /// Paths without a rule met so far.
    unknown: UnknownPaths,
    buffer: Vec<u8>,
    is_utf8: bool,
}

impl fmt::Debug for ColumnMasker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ColumnMasker({:?})", self.masks)
    }
}

impl ColumnMasker<'_> {
    /// Masks one stored value in place: the bytes behind its varlena header, or all of a value of
    /// fixed width. Tells `witness` of each part's value before and after it is masked. On an error
    /// some parts are masked and some are not.
    pub fn apply(&mut self, value: &mut [u8], witness: &mut dyn Witness) -> Result<(), DatumError> {
        self.apply_noting(value, witness, &mut Vec::new())
    }

    /// The same. `parts` gets what of `value` may become more regular, in ascending order.
    pub(crate) fn apply_noting(
        &mut self,
        value: &mut [u8],
        witness: &mut dyn Witness,
        parts: &mut Vec<Part>,
    ) -> Result<(), DatumError> {
        let ColumnMasker { masks, unknown, buffer, is_utf8 } = self;
        let (base, len, is_utf8) = (value.as_ptr().addr(), value.len(), *is_utf8);
        mask_part(masks, value, &mut Watch { witness, unknown, base, parts, is_utf8 }, buffer)?;
        in_order(parts, len);
        Ok(())
    }

    /// Whose the values are from now on; a canonical form.
    pub(crate) fn set_subject(&mut self, subject: Option<&[u8]>) {
        self.masks.for_each(&mut |masker| masker.set_subject(subject));
    }

    /// True unless texts are in another server encoding.
    pub(crate) fn is_utf8(&self) -> bool {
        self.is_utf8
    }

    /// See [`Masker::smallest_domain`]; over all parts.
    pub fn smallest_domain(&mut self) -> Option<u64> {
        let mut smallest = None;
        self.masks.for_each(&mut |masker| {
            smallest = masker.smallest_domain().into_iter().chain(smallest).min();
        });
        smallest
    }

    /// Paths met that no rule names.
    pub fn into_unknown_paths(self) -> UnknownPaths {
        self.unknown
    }
}

/// Masks a part that is compressed by itself: from its `va_tcinfo` on, in as many bytes.
fn mask_packed(
    mask: &mut ColumnMask<Box<Masker<'_>>>,
    stored: &mut [u8],
    watch: &mut Watch<'_>,
    buffer: &mut Vec<u8>,
) -> Result<(), DatumError> {
    if matches!(mask, ColumnMask::Keep) {
        return Ok(());
    }
    let short = DatumError("a compressed value is shorter than its header");
    let (tcinfo, stream) = stored.split_first_chunk_mut().ok_or(short)?;
    let (mut raw, mut parts, mut packed) = (Vec::new(), Vec::new(), Vec::new());
    let method = unpack(u32::from_le_bytes(*tcinfo), stream, &mut raw)?;
    let Watch { witness, unknown, is_utf8, .. } = watch;
    let is_utf8 = *is_utf8;
    let base = raw.as_ptr().addr();
    let witness = &mut **witness;
    let mut within = Watch { witness, unknown, base, parts: &mut parts, is_utf8 };
    mask_part(mask, &mut raw, &mut within, buffer)?;
    in_order(&mut parts, raw.len());
    let target = stream.len();
    let fits = fit_parts(method, &mut raw, &parts, target, is_utf8, regularize, &mut packed);
    if !fits || packed.len() != stream.len() {
        return Err(DatumError("a masked part does not compress to the original's size"));
    }
    stream.copy_from_slice(&packed);
    Ok(())
}

/// Takes out parts that had to be copied to be masked: they are not where the value is.
fn in_order(parts: &mut Vec<Part>, len: usize) {
    parts.retain(|part| part.range.end <= len);
    parts.sort_unstable_by_key(|part| part.range.start);
}

fn mask_part(
    mask: &mut ColumnMask<Box<Masker<'_>>>,
    value: &mut [u8],
    watch: &mut Watch<'_>,
    buffer: &mut Vec<u8>,
) -> Result<(), DatumError> {
    match mask {
        ColumnMask::Keep => Ok(()),
        ColumnMask::Zero => {
            value.fill(0);
            Ok(())
        }
        ColumnMask::Null(reader) => mask_part(reader, value, watch, buffer),
        ColumnMask::Value(masker) => {
            watch.witness.original(masker.value_type(), value);
            watch.note(form(masker), value);
            masker.apply(value)?;
            watch.witness.output(masker.value_type(), value);
            Ok(())
        }
        ColumnMask::Array { layout, element } => {
            array::elements(value, *layout, &mut |part| mask_part(element, part, watch, buffer))
        }
        ColumnMask::Composite(fields) => {
            let storage: Vec<_> =
                fields.iter().map(|field| field.layout.storage()).collect::<Result<_, _>>()?;
            let mut inner = Vec::new();
            composite::fields(value, &storage, buffer, &mut |index, part| {
                let field = fields.get_mut(index);
                let FieldMask { mask, .. } =
                    field.ok_or(DatumError("a composite value has more fields than its type"))?;
                match part {
                    composite::Stored::Plain(part) => mask_part(mask, part, watch, &mut inner),
                    composite::Stored::Packed(part) => mask_packed(mask, part, watch, &mut inner),
                }
            })
        }
        ColumnMask::Range { layout, bound } => {
            let mut bounds = Vec::new();
            range::range_bounds(value, *layout, &mut bounds)?;
            watch.note_bounds(bound.value_type(), *layout, false, value);
            mask_bounds(value, &bounds, false, bound, watch)
        }
        ColumnMask::Multirange { layout, bound } => {
            let mut bounds = Vec::new();
            range::multirange_bounds(value, *layout, &mut bounds)?;
            watch.note_bounds(bound.value_type(), *layout, true, value);
            mask_bounds(value, &bounds, true, bound, watch)
        }
        ColumnMask::Json(masks) => json::walk(value, 0, &mut JsonVisitor { masks, watch, buffer }),
        ColumnMask::Jsonb(masks) => jsonb::walk(value, 0, &mut JsonbVisitor { masks, watch }),
        ColumnMask::Hstore(masks) => {
            hstore::values(value, buffer, |key, text| mask_hstore(masks, key, text, watch))
        }
        ColumnMask::Xml(masker) => {
            xml::texts(value, &mut |place, text| mask_xml(masker, place, text, watch, buffer))
        }
        ColumnMask::Shuffle(_) => Err(DatumError("a value is to be shuffled by itself")),
        ColumnMask::TsVector(masker) => {
            watch.note(Form::TsVector, value);
            tsvector::rewrite(value, &mut |lexeme| mask_lexeme(masker, lexeme, watch))
        }
        ColumnMask::TsQuery(masker) => {
            watch.note(Form::TsQuery, value);
            tsquery::rewrite(value, &mut |lexeme| mask_lexeme(masker, lexeme, watch))
        }
    }
}

fn mask_lexeme(
    masker: &mut Masker<'_>,
    lexeme: &mut [u8],
    watch: &mut Watch<'_>,
) -> Result<(), DatumError> {
    watch.witness.original(ValueType::Text, lexeme);
    masker.apply(lexeme)?;
    watch.witness.output(ValueType::Text, lexeme);
    Ok(())
}
