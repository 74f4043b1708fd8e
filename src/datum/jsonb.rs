//! `jsonb`: containers of entries, the entries' lengths and types ahead of their data;
//! utils/jsonb.h.

use std::ops::Range;

use super::DatumError;
use super::document::{MAX_DEPTH, Scalar, Trail, Visitor};
use super::structure::u32_at;
use crate::page::{Varlena, VarlenaForm};

const COUNT_MASK: u32 = 0x0FFF_FFFF;
const IS_SCALAR: u32 = 0x1000_0000;
const IS_OBJECT: u32 = 0x2000_0000;
const IS_ARRAY: u32 = 0x4000_0000;

const ENTRY_LENGTH: u32 = 0x0FFF_FFFF;
const ENTRY_TYPE: u32 = 0x7000_0000;
const ENTRY_HAS_OFFSET: u32 = 0x8000_0000;
const TYPE_STRING: u32 = 0x0000_0000;
const TYPE_NUMERIC: u32 = 0x1000_0000;
const TYPE_FALSE: u32 = 0x2000_0000;
const TYPE_TRUE: u32 = 0x3000_0000;
const TYPE_NULL: u32 = 0x4000_0000;
const TYPE_CONTAINER: u32 = 0x5000_0000;

/// Walks over all scalars of a stored `jsonb`.
pub(crate) fn walk<V: Visitor>(
    jsonb: &mut [u8],
    root: V::Place,
    visitor: &mut V,
) -> Result<(), DatumError> {
    container(jsonb, root, &Trail::Root, 0, visitor)
}

/// A child of a container.
struct Child {
    /// Position of its `JEntry`.
    entry: usize,
    kind: u32,
    data: Range<usize>,
}

/// The child whose `JEntry` is number `index`; `start` is where its data begin, of which the next
/// child's is made.
fn child(bytes: &[u8], index: usize, base: usize, start: &mut usize) -> Result<Child, DatumError> {
    let entry = 4 + 4 * index;
    let word = u32_at(bytes, entry).ok_or(DatumError("a jsonb container ends in its entries"))?;
    let length = (word & ENTRY_LENGTH) as usize;
    let end = if word & ENTRY_HAS_OFFSET != 0 { base + length } else { *start + length };
    if end < *start || end > bytes.len() {
        return Err(DatumError("a jsonb entry reaches past its container"));
    }
    let data = *start..end;
    *start = end;
    Ok(Child { entry, kind: word & ENTRY_TYPE, data })
}

fn container<V: Visitor>(
    bytes: &mut [u8],
    place: V::Place,
    trail: &Trail<'_>,
    depth: usize,
    visitor: &mut V,
) -> Result<(), DatumError> {
    if depth > MAX_DEPTH {
        return Err(DatumError("jsonb containers are nested too deep"));
    }
    let header = u32_at(bytes, 0).ok_or(DatumError("a jsonb container has no header"))?;
    let count = (header & COUNT_MASK) as usize;
    let is_object = header & IS_OBJECT != 0;
    let is_scalar = header & IS_SCALAR != 0;
    if is_object == (header & IS_ARRAY != 0) || (is_scalar && (is_object || count != 1)) {
        return Err(DatumError("a jsonb container is neither an object nor an array"));
    }
    let entries = if is_object { 2 * count } else { count };
    let base = 4 + 4 * entries;
    if base > bytes.len() {
        return Err(DatumError("a jsonb container has more entries than bytes"));
    }
    let mut start = base;
    if !is_object {
        for index in 0..count {
            let (element, trail) = match is_scalar {
                true => (place, *trail),
                false => (visitor.element(place, index), Trail::Element(trail, index)),
            };
            let child = child(bytes, index, base, &mut start)?;
            value(bytes, child, element, &trail, depth, visitor)?;
        }
        return Ok(());
    }
    // Keys come first, then the values in the order of their keys.
    let mut key_start = base;
    for index in 0..count {
        if child(bytes, index, base, &mut start)?.kind != TYPE_STRING {
            return Err(DatumError("a jsonb object has a key that is no string"));
        }
    }
    let (mut key_buffer, mut key_index) = (Vec::new(), 0..count);
    for index in count..entries {
        let value_child = child(bytes, index, base, &mut start)?;
        let Some(key) = key_index.next() else { break };
        let key = child(bytes, key, base, &mut key_start)?;
        if matches!(value_child.kind, TYPE_NULL) {
            continue;
        }
        key_buffer.clear();
        key_buffer.extend_from_slice(bytes.get(key.data).unwrap_or_default());
        let member = visitor.member(place, &key_buffer);
        value(bytes, value_child, member, &Trail::Member(trail, &key_buffer), depth, visitor)?;
    }
    Ok(())
}

fn value<V: Visitor>(
    bytes: &mut [u8],
    child: Child,
    place: V::Place,
    trail: &Trail<'_>,
    depth: usize,
    visitor: &mut V,
) -> Result<(), DatumError> {
    let Child { entry, kind, data } = child;
    // Numbers and containers begin at a multiple of four; the padding counts as theirs.
    let padded = data.start.next_multiple_of(4)..data.end;
    match kind {
        TYPE_STRING => {
            let text = bytes.get_mut(data).unwrap_or_default();
            visitor.scalar(place, trail, Scalar::Text(text))
        }
        TYPE_NUMERIC => {
            let stored = bytes.get_mut(padded).unwrap_or_default();
            let varlena = Varlena::read(stored).map_err(|error| DatumError(error.what))?;
            if !matches!(varlena.form, VarlenaForm::Short | VarlenaForm::Plain) {
                return Err(DatumError("a number in a jsonb is stored compressed"));
            }
            let number = stored.get_mut(varlena.header_len..varlena.total_len).unwrap_or_default();
            visitor.scalar(place, trail, Scalar::Number(number))
        }
        TYPE_FALSE | TYPE_TRUE => {
            let was = kind == TYPE_TRUE;
            let mut truth = was;
            visitor.scalar(place, trail, Scalar::Boolean(&mut truth))?;
            // False and true differ in one bit of the entry's type.
            if truth != was
                && let Some(high) = bytes.get_mut(entry + 3)
            {
                *high ^= ((TYPE_TRUE ^ TYPE_FALSE) >> 24) as u8;
            }
            Ok(())
        }
        TYPE_NULL => Ok(()),
        TYPE_CONTAINER => {
            let inner = bytes.get_mut(padded).unwrap_or_default();
            container(inner, place, trail, depth + 1, visitor)
        }
        _ => Err(DatumError("a jsonb entry is of no known type")),
    }
}
