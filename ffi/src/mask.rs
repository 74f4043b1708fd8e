//! The mask engine alone: values in, values of the same length out.

use std::ffi::c_char;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use thinveil::datum::{Encoding, EnumLabels, ValueType};
use thinveil::mask::{AnyMask, Mask, MaskSpec};
use thinveil::rules::{MaskName, MaskOptions};

use crate::border::call;
use crate::failure::{Failure, Result};
use crate::handle::{self, tv_key, tv_mask};
use crate::pointer::{Out, fill, slice, text};
use crate::status::tv_status;

/// What `tv_mask_compile` reads; `mask_spec` in docs/json.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    mask: MaskName,
    #[serde(rename = "type", default = "text_type")]
    value_type: ValueType,
    /// The mask's own name if there is none, as in rule files.
    domain: Option<String>,
    #[serde(default)]
    options: MaskOptions,
    #[serde(default)]
    labels: EnumLabels,
}

fn text_type() -> ValueType {
    ValueType::Text
}

/// A type by the name that `mask_spec` has for it.
pub(crate) fn value_type(name: &str) -> Result<ValueType> {
    serde_json::from_value(Value::String(name.to_owned()))
        .map_err(|_| Failure::argument(format!("no type is named {name:?}; see docs/json")))
}

/// Compiles a mask from JSON, `mask_spec` in docs/json:
/// `{"mask": "email", "type": "text", "domain": "email", "options": {"unique": true}}`. All but
/// `mask` may be left out: `type` is `text` then, `domain` the mask's name, as in rule files.
///
/// # Safety
/// `spec` is a string, `mask` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_mask_compile(
    spec: *const c_char,
    key: *const tv_key,
    mask: *mut *mut tv_mask,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let spec = text(spec, "spec")?;
        let out = Out::new(mask, "mask")?;
        let key = handle::get(key)?;
        let Spec { mask, value_type, domain, options, labels } = serde_json::from_str(spec)
            .map_err(|error| Failure::argument(format!("spec: {error}")))?;
        let domain = domain.unwrap_or_else(|| mask.as_str().to_owned());
        let encoding = Encoding::default();
        let spec = MaskSpec { mask, domain, value_type, encoding, options, labels };
        let mask = Mask::compile(&spec, &key)?;
        out.write(handle::put(Arc::new(AnyMask::Built(mask))));
        Ok(())
    })
}

/// Masks one value: reads `len` bytes at `value`, writes as many at `out`, which may be `value`.
/// The bytes are those that PostgreSQL stores, little-endian, without a varlena header: a text's
/// characters, an `int4`'s 4 bytes, a `date`'s days since 2000-01-01.
///
/// # Safety
/// `value` points to `len` bytes, `out` to room for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_mask_apply(
    mask: *const tv_mask,
    value: *const u8,
    len: usize,
    out: *mut u8,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let mask = handle::get(mask)?;
        let mut bytes = slice(value, len, "value")?.to_vec();
        mask.apply(&mut bytes).map_err(|error| Failure::of_mask(&mask, error))?;
        fill(out, &bytes, "out")
    })
}

/// Masks a column of values: value `i` is the bytes from `offsets[i]` to `offsets[i + 1]`, absent
/// where bit `i` of `validity` (least significant first; NULL: all are there) is 0. Writes `len`
/// bytes at `out`, which may be `bytes`: masked values at the same offsets, zeros where a value is
/// absent or no value lies. Many values at once cost half as much as one by one.
///
/// # Safety
/// `bytes` points to `len` bytes, `offsets` to `count + 1` numbers, `validity` to `(count + 7) / 8`
/// bytes or is NULL, `out` to room for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_mask_apply_column(
    mask: *const tv_mask,
    bytes: *const u8,
    len: usize,
    offsets: *const i64,
    count: usize,
    validity: *const u8,
    out: *mut u8,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let mask = handle::get(mask)?;
        let bytes = slice(bytes, len, "bytes")?;
        let numbers =
            count.checked_add(1).ok_or_else(|| Failure::argument("count is too large"))?;
        let offsets = slice(offsets, numbers, "offsets")?;
        let validity = match validity.is_null() {
            true => None,
            false => Some(slice(validity, count.div_ceil(8), "validity")?),
        };
        let (numbers, values) = places(offsets, len, validity)?;
        let mut masked = vec![0; len];
        for place in &values {
            let from = bytes.get(place.clone()).unwrap_or_default();
            masked.get_mut(place.clone()).unwrap_or_default().copy_from_slice(from);
        }
        mask.apply_all(&mut masked, &values).map_err(|(at, error)| {
            Failure::of_mask(&mask, error).at_value(numbers.get(at).copied().unwrap_or_default())
        })?;
        fill(out, &masked, "out")
    })
}

/// The numbers of the values that are there, and where they are.
fn places(
    offsets: &[i64],
    len: usize,
    validity: Option<&[u8]>,
) -> Result<(Vec<usize>, Vec<Range<usize>>)> {
    let is_valid = |number: usize| {
        let byte = validity.map_or(0xFF, |bits| bits.get(number / 8).copied().unwrap_or_default());
        byte >> (number % 8) & 1 == 1
    };
    let (mut numbers, mut places) = (Vec::new(), Vec::with_capacity(offsets.len()));
    for (number, pair) in offsets.windows(2).enumerate() {
        let ends = |at: usize| pair.get(at).and_then(|&offset| usize::try_from(offset).ok());
        let (Some(start), Some(end)) = (ends(0), ends(1)) else {
            return Err(Failure::argument(format!("offsets[{number}] is below zero")));
        };
        if start > end || end > len {
            return Err(Failure::argument(format!(
                "value {number} reaches from {start} to {end} of {len} bytes"
            )));
        }
        if is_valid(number) {
            numbers.push(number);
            places.push(start..end);
        }
    }
    Ok((numbers, places))
}

/// Closes a mask.
#[unsafe(no_mangle)]
pub extern "C" fn tv_mask_close(mask: *mut tv_mask) -> tv_status {
    call(|| handle::close(mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_have_to_ascend_within_the_bytes() {
        assert_eq!(places(&[0, 2, 2, 5], 5, None).unwrap().1, [0..2, 2..2, 2..5]);
        assert_eq!(
            places(&[0, 2, 2, 5], 5, Some(&[0b101])).unwrap(),
            (vec![0, 2], vec![0..2, 2..5])
        );
        assert!(places(&[], 5, None).unwrap().1.is_empty());
        for bad in [[0, 6], [3, 2], [-1, 2], [i64::MIN, i64::MAX]] {
            assert!(places(&bad, 5, None).is_err());
        }
    }
}
