//! Masks on arrays: values are brought into their stored form, masked, and brought back.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::BooleanBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, ByteArrayType, GenericBinaryType, GenericStringType,
};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, DictionaryArray, FixedSizeBinaryArray, GenericByteArray,
    GenericListArray, LargeBinaryArray, LargeStringArray, OffsetSizeTrait, StringViewArray,
    UInt32Array, downcast_dictionary_array,
};
use arrow_buffer::{ArrowNativeType, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType};

use super::error::{Cause, MaskError, Result};
use super::scalar;
use super::types::stored_types;
use crate::mask::AnyMask;

/// An array of the same type and length, with masked values. `array` is valid.
pub(super) fn mask(with: &AnyMask, array: &ArrayRef) -> Result<ArrayRef> {
    let data_type = array.data_type();
    if *data_type == DataType::Null {
        return Ok(Arc::clone(array));
    }
    if !stored_types(data_type).contains(&with.value_type()) {
        let on = with.value_type();
        return Err(Cause::Type(format!(
            "a mask on {on:?} is not for an Arrow array of {data_type}"
        ))
        .into());
    }
    Ok(match data_type {
        DataType::Utf8 => Arc::new(bytes::<GenericStringType<i32>>(with, array)?),
        DataType::LargeUtf8 => Arc::new(bytes::<GenericStringType<i64>>(with, array)?),
        DataType::Binary => Arc::new(bytes::<GenericBinaryType<i32>>(with, array)?),
        DataType::LargeBinary => Arc::new(bytes::<GenericBinaryType<i64>>(with, array)?),
        DataType::Utf8View => {
            let large: LargeStringArray = array.as_string_view().iter().collect();
            let masked = bytes::<GenericStringType<i64>>(with, &(Arc::new(large) as ArrayRef))?;
            Arc::new(masked.iter().collect::<StringViewArray>())
        }
        DataType::BinaryView => {
            let large: LargeBinaryArray = array.as_binary_view().iter().collect();
            let masked = bytes::<GenericBinaryType<i64>>(with, &(Arc::new(large) as ArrayRef))?;
            Arc::new(masked.iter().collect::<BinaryViewArray>())
        }
        DataType::FixedSizeBinary(_) => Arc::new(fixed_bytes(with, array)?),
        DataType::Boolean => boolean(with, array)?,
        DataType::Dictionary(..) => dictionary(with, array)?,
        DataType::List(_) => list::<i32>(with, array)?,
        DataType::LargeList(_) => list::<i64>(with, array)?,
        _ => scalar::mask(with, array)?,
    })
}

/// Masks the values that are there. On an error, says which of the array's values it is about.
pub(super) fn apply(
    with: &AnyMask,
    bytes: &mut [u8],
    places: &[Range<usize>],
    nulls: Option<&NullBuffer>,
) -> Result<()> {
    with.apply_all(bytes, places).map_err(|(number, error)| {
        let number = match nulls {
            Some(nulls) => nulls.valid_indices().nth(number).unwrap_or(number),
            None => number,
        };
        let cause = match with {
            AnyMask::Built(_) => Cause::Value(error),
            AnyMask::Custom(_) => Cause::Custom(error),
        };
        MaskError::from(cause).at_value(number)
    })
}

/// Texts and byte strings. Offsets and nulls are the input's own.
fn bytes<T: ByteArrayType>(with: &AnyMask, array: &ArrayRef) -> Result<GenericByteArray<T>> {
    let array = array.as_bytes::<T>();
    let (offsets, nulls) = (array.offsets(), array.nulls());
    let first = offsets.first().as_usize();
    let last = offsets.last().as_usize();
    let mut values = array.values().get(first..last).unwrap_or_default().to_vec();
    let mut places = Vec::with_capacity(array.len());
    for (number, pair) in offsets.windows(2).enumerate() {
        let &[start, end] = pair else { continue };
        let place = start.as_usize() - first..end.as_usize() - first;
        if array.is_valid(number) {
            places.push(place);
        } else {
            values.get_mut(place).unwrap_or_default().fill(0);
        }
    }
    apply(with, &mut values, &places, nulls)?;
    let offsets = if first == 0 {
        offsets.clone()
    } else {
        let start = offsets.first();
        OffsetBuffer::new(offsets.iter().map(|&offset| offset - start).collect())
    };
    GenericByteArray::try_new(offsets, Buffer::from_vec(values), nulls.cloned())
        .map_err(MaskError::from)
}

fn fixed_bytes(with: &AnyMask, array: &ArrayRef) -> Result<FixedSizeBinaryArray> {
    let array = array.as_fixed_size_binary();
    let width = usize::try_from(array.value_length()).unwrap_or_default();
    let mut values = Vec::with_capacity(width * array.len());
    let mut places = Vec::with_capacity(array.len());
    for number in 0..array.len() {
        let start = values.len();
        if array.is_valid(number) {
            values.extend_from_slice(array.value(number));
            places.push(start..start + width);
        } else {
            values.resize(start + width, 0);
        }
    }
    apply(with, &mut values, &places, array.nulls())?;
    let nulls = array.nulls().cloned();
    FixedSizeBinaryArray::try_new(array.value_length(), Buffer::from_vec(values), nulls)
        .map_err(MaskError::from)
}

fn boolean(with: &AnyMask, array: &ArrayRef) -> Result<ArrayRef> {
    let array = array.as_boolean();
    let mut values: Vec<u8> = array.iter().flatten().map(u8::from).collect();
    let places: Vec<_> = (0..values.len()).map(|at| at..at + 1).collect();
    apply(with, &mut values, &places, array.nulls())?;
    let mut masked = values.into_iter();
    let mut out = BooleanBuilder::with_capacity(array.len());
    for number in 0..array.len() {
        let value = if array.is_valid(number) { masked.next() } else { None };
        out.append_option(value.map(|byte| byte != 0));
    }
    Ok(Arc::new(out.finish()))
}

fn list<O: OffsetSizeTrait>(with: &AnyMask, array: &ArrayRef) -> Result<ArrayRef> {
    let (field, offsets, values, nulls) = array.as_list::<O>().clone().into_parts();
    let masked = mask(with, &values)?;
    let list = GenericListArray::<O>::try_new(field, offsets, masked, nulls)?;
    Ok(Arc::new(list))
}

/// Each entry of a dictionary is masked once. Entries that come to be equal become one: some
/// readers rely on that.
fn dictionary(with: &AnyMask, array: &ArrayRef) -> Result<ArrayRef> {
    downcast_dictionary_array!(
        array => {
            let masked = mask(with, array.values())?;
            match distinct(&masked)? {
                None => Ok(Arc::new(array.with_values(masked))),
                Some((values, new)) => rekey(array, values, &new),
            }
        },
        _ => Err(Cause::Type("not a dictionary".to_owned()).into()),
    )
}

/// The different values, and which of them each one is; `None` if all are different.
fn distinct(values: &ArrayRef) -> Result<Option<(ArrayRef, Vec<usize>)>> {
    let mut first: HashMap<Option<Vec<u8>>, usize> = HashMap::new();
    let (mut kept, mut new) = (Vec::new(), Vec::with_capacity(values.len()));
    for number in 0..values.len() {
        let Some(bytes) = bytes_of(values, number) else { return Ok(None) };
        new.push(*first.entry(bytes).or_insert_with(|| {
            kept.push(number as u32);
            kept.len() - 1
        }));
    }
    if kept.len() == values.len() {
        return Ok(None);
    }
    let kept = arrow_select::take::take(values, &UInt32Array::from(kept), None)?;
    Ok(Some((kept, new)))
}

/// A value's bytes to compare by (`Some(None)` for a null); `None` for types without them.
fn bytes_of(values: &ArrayRef, number: usize) -> Option<Option<Vec<u8>>> {
    if values.is_null(number) {
        return Some(None);
    }
    let bytes = match values.data_type() {
        DataType::Utf8 => values.as_string::<i32>().value(number).as_bytes().to_vec(),
        DataType::LargeUtf8 => values.as_string::<i64>().value(number).as_bytes().to_vec(),
        DataType::Utf8View => values.as_string_view().value(number).as_bytes().to_vec(),
        DataType::Binary => values.as_binary::<i32>().value(number).to_vec(),
        DataType::LargeBinary => values.as_binary::<i64>().value(number).to_vec(),
        DataType::BinaryView => values.as_binary_view().value(number).to_vec(),
        DataType::FixedSizeBinary(_) => values.as_fixed_size_binary().value(number).to_vec(),
        other => {
            let width = other.primitive_width()?;
            let data = values.to_data();
            let start = (data.offset() + number) * width;
            data.buffers().first()?.as_slice().get(start..start + width)?.to_vec()
        }
    };
    Some(Some(bytes))
}

/// A dictionary with other values, each key turned to where its value has gone.
fn rekey<K: ArrowDictionaryKeyType>(
    array: &DictionaryArray<K>,
    values: ArrayRef,
    new: &[usize],
) -> Result<ArrayRef> {
    let too_many = || MaskError::from(ArrowError::DictionaryKeyOverflowError);
    let keys = array.keys();
    let turned = keys.iter().map(|key| match key {
        None => Ok(K::Native::default()),
        Some(key) => {
            let to = new.get(key.as_usize()).copied().ok_or_else(too_many)?;
            K::Native::from_usize(to).ok_or_else(too_many)
        }
    });
    let turned: ScalarBuffer<K::Native> = turned.collect::<Result<Vec<_>>>()?.into();
    let keys = arrow_array::PrimitiveArray::<K>::try_new(turned, keys.nulls().cloned());
    let masked = DictionaryArray::try_new(keys?, values)?;
    Ok(Arc::new(masked))
}
