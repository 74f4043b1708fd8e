//! Numbers, dates and times: Arrow counts from 1970 in units of its own, PostgreSQL from 2000 in
//! days and microseconds.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal128Type, Float32Type, Float64Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};

use super::array::apply;
use super::decimal;
use super::error::{Cause, MaskError, Result};
use crate::mask::AnyMask;

/// 2000-01-01 in days since 1970-01-01.
const EPOCH_DAYS: i64 = 10_957;
/// Milliseconds in a day.
const DAY_MILLIS: i64 = 86_400_000;
/// 2000-01-01 in microseconds since 1970-01-01.
const EPOCH_MICROS: i64 = EPOCH_DAYS * DAY_MILLIS * 1000;

/// Masks an array of numbers, dates or times.
pub(super) fn mask(with: &AnyMask, array: &ArrayRef) -> Result<ArrayRef> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    match array.data_type() {
        DataType::Int16 => {
            number::<Int16Type, 2>(with, array, i16::to_le_bytes, i16::from_le_bytes)
        }
        DataType::Int32 => {
            number::<Int32Type, 4>(with, array, i32::to_le_bytes, i32::from_le_bytes)
        }
        DataType::Int64 => {
            number::<Int64Type, 8>(with, array, i64::to_le_bytes, i64::from_le_bytes)
        }
        DataType::UInt32 => {
            number::<UInt32Type, 4>(with, array, u32::to_le_bytes, u32::from_le_bytes)
        }
        DataType::UInt64 => {
            number::<UInt64Type, 8>(with, array, u64::to_le_bytes, u64::from_le_bytes)
        }
        DataType::Float32 => {
            number::<Float32Type, 4>(with, array, f32::to_le_bytes, f32::from_le_bytes)
        }
        DataType::Float64 => {
            number::<Float64Type, 8>(with, array, f64::to_le_bytes, f64::from_le_bytes)
        }
        DataType::Date32 => each::<Date32Type, 4>(
            with,
            array,
            |days| days_bytes(i64::from(days) - EPOCH_DAYS),
            |bytes| narrow(i64::from(i32::from_le_bytes(bytes)) + EPOCH_DAYS),
        ),
        DataType::Date64 => each::<Date64Type, 4>(
            with,
            array,
            |millis| days_bytes(millis.div_euclid(DAY_MILLIS) - EPOCH_DAYS),
            |bytes| Ok((i64::from(i32::from_le_bytes(bytes)) + EPOCH_DAYS) * DAY_MILLIS),
        ),
        DataType::Time32(Second) => {
            time::<Time32SecondType>(with, array, 0, Unit::Longer(1_000_000))
        }
        DataType::Time32(_) => time::<Time32MillisecondType>(with, array, 0, Unit::Longer(1000)),
        DataType::Time64(Nanosecond) => time::<Time64NanosecondType>(with, array, 0, Unit::Shorter),
        DataType::Time64(_) => time::<Time64MicrosecondType>(with, array, 0, Unit::Longer(1)),
        DataType::Timestamp(unit, _) => match unit {
            Second => {
                time::<TimestampSecondType>(with, array, EPOCH_MICROS, Unit::Longer(1_000_000))
            }
            Millisecond => {
                time::<TimestampMillisecondType>(with, array, EPOCH_MICROS, Unit::Longer(1000))
            }
            Microsecond => {
                time::<TimestampMicrosecondType>(with, array, EPOCH_MICROS, Unit::Longer(1))
            }
            Nanosecond => time::<TimestampNanosecondType>(with, array, EPOCH_MICROS, Unit::Shorter),
        },
        DataType::Decimal128(_, scale) => {
            let scale = u32::try_from(*scale).unwrap_or_default();
            decimals(with, array.as_primitive::<Decimal128Type>(), scale)
        }
        other => Err(Cause::Type(format!("no mask is for an Arrow array of {other}")).into()),
    }
}

/// A unit of time, against microseconds.
#[derive(Clone, Copy)]
enum Unit {
    /// So many microseconds.
    Longer(i64),
    /// Nanoseconds: what is below a microsecond is dropped, since PostgreSQL does not store it.
    Shorter,
}

fn out_of_range() -> MaskError {
    MaskError::value("a date or time is out of range")
}

fn narrow(number: i64) -> Result<i32> {
    i32::try_from(number).map_err(|_| out_of_range())
}

/// `infinity` and `-infinity` are what the type's ends mean to PostgreSQL, which Arrow has not.
fn days_bytes(days: i64) -> Result<[u8; 4]> {
    let days = narrow(days)?;
    if days == i32::MIN || days == i32::MAX { Err(out_of_range()) } else { Ok(days.to_le_bytes()) }
}

/// Times of day and timestamps, `epoch` microseconds away from PostgreSQL's.
fn time<T>(with: &AnyMask, array: &ArrayRef, epoch: i64, unit: Unit) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64> + TryFrom<i64>,
{
    each::<T, 8>(
        with,
        array,
        |native| {
            let native: i64 = native.into();
            let micros = match unit {
                Unit::Longer(size) => native.checked_mul(size),
                Unit::Shorter => Some(native.div_euclid(1000)),
            };
            let micros = micros.and_then(|micros| micros.checked_sub(epoch));
            Ok(micros.ok_or_else(out_of_range)?.to_le_bytes())
        },
        |bytes| {
            let micros = i64::from_le_bytes(bytes).checked_add(epoch);
            let native = micros.and_then(|micros| match unit {
                Unit::Longer(size) => Some(micros.div_euclid(size)),
                Unit::Shorter => micros.checked_mul(1000),
            });
            native.and_then(|native| native.try_into().ok()).ok_or_else(out_of_range)
        },
    )
}

/// Numbers that Arrow and PostgreSQL write alike.
fn number<T: ArrowPrimitiveType, const W: usize>(
    with: &AnyMask,
    array: &ArrayRef,
    store: impl Fn(T::Native) -> [u8; W],
    load: impl Fn([u8; W]) -> T::Native,
) -> Result<ArrayRef> {
    each::<T, W>(with, array, |native| Ok(store(native)), |bytes| Ok(load(bytes)))
}

/// Values that are `W` bytes wide when they are stored.
fn each<T: ArrowPrimitiveType, const W: usize>(
    with: &AnyMask,
    array: &ArrayRef,
    store: impl Fn(T::Native) -> Result<[u8; W]>,
    load: impl Fn([u8; W]) -> Result<T::Native>,
) -> Result<ArrayRef> {
    let array = array.as_primitive::<T>();
    let mut bytes = Vec::with_capacity(W * array.len());
    let mut places = Vec::with_capacity(array.len());
    for (number, &native) in array.values().iter().enumerate() {
        if array.is_valid(number) {
            let stored = store(native).map_err(|error| error.at_value(number))?;
            places.push(bytes.len()..bytes.len() + W);
            bytes.extend_from_slice(&stored);
        }
    }
    apply(with, &mut bytes, &places, array.nulls())?;
    let (masked, _) = bytes.as_chunks::<W>();
    let mut masked = masked.iter();
    rebuild(array, |_| masked.next().map_or(Ok(T::Native::default()), |bytes| load(*bytes)))
}

/// `numeric`s: of different lengths when they are stored.
fn decimals(
    with: &AnyMask,
    array: &PrimitiveArray<Decimal128Type>,
    scale: u32,
) -> Result<ArrayRef> {
    let mut bytes = Vec::with_capacity(8 * array.len());
    let mut places = Vec::with_capacity(array.len());
    for (number, &native) in array.values().iter().enumerate() {
        if array.is_valid(number) {
            let start = bytes.len();
            decimal::store(native, scale, &mut bytes);
            places.push(start..bytes.len());
        }
    }
    apply(with, &mut bytes, &places, array.nulls())?;
    let mut places = places.into_iter();
    let precision = array.precision();
    rebuild(array, |_| {
        let value = places.next().and_then(|place| bytes.get(place)).unwrap_or_default();
        let number = decimal::load(value, scale)
            .filter(|number| number.unsigned_abs() < 10u128.pow(precision.into()));
        number.ok_or_else(|| MaskError::value("a masked decimal exceeds its precision"))
    })
}

/// An array of the same type, with `next` for each value that is there and zero for the others.
fn rebuild<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    mut next: impl FnMut(usize) -> Result<T::Native>,
) -> Result<ArrayRef> {
    let values = (0..array.len()).map(|number| {
        if array.is_valid(number) {
            next(number).map_err(|error| error.at_value(number))
        } else {
            Ok(T::Native::default())
        }
    });
    let values: Vec<T::Native> = values.collect::<Result<_>>()?;
    let masked = PrimitiveArray::<T>::new(values.into(), array.nulls().cloned());
    Ok(Arc::new(masked.with_data_type(array.data_type().clone())))
}
