//! Bounds as whole numbers in the order of their types.

use crate::datum::{DatumError, ValueType, integer, temporal};

/// A bound as a number in the order of its type.
pub(super) fn read(value_type: ValueType, bytes: &[u8]) -> Result<i64, DatumError> {
    if matches!(value_type, ValueType::Macaddr | ValueType::Macaddr8) {
        let number = |whole, byte: &u8| whole << 8 | u64::from(*byte);
        return Ok(signed(bytes.iter().fold(0, number)));
    }
    if value_type.is_unsigned() {
        return integer::read_unsigned(bytes).map(|(number, _)| signed(number));
    }
    let stored = integer::read(bytes)?;
    Ok(match value_type {
        ValueType::Float4 => rank(stored, i64::from(i32::MAX), f64::from(float4(stored))),
        ValueType::Float8 => rank(stored, i64::MAX, f64::from_bits(stored as u64)),
        _ => stored,
    })
}

/// Writes a bound that is a number in the order of its type.
pub(super) fn write(value_type: ValueType, bytes: &mut [u8], number: i64) {
    if matches!(value_type, ValueType::Macaddr | ValueType::Macaddr8) {
        let digits = signed(number as u64).to_be_bytes();
        for (to, from) in bytes.iter_mut().rev().zip(digits.iter().rev()) {
            *to = *from;
        }
        return;
    }
    if value_type.is_unsigned() {
        return integer::write(bytes, signed(number as u64));
    }
    let magnitude = match value_type {
        ValueType::Float4 => i64::from(i32::MAX),
        ValueType::Float8 => i64::MAX,
        _ => return integer::write(bytes, number),
    };
    integer::write(bytes, if number < 0 { (number - 1) ^ magnitude } else { number });
}

/// A number without sign as one with a sign in the same order, and back.
fn signed(number: u64) -> i64 {
    (number ^ 1 << 63) as i64
}

fn float4(stored: i64) -> f32 {
    f32::from_bits(stored as u32)
}

/// The rank of a float among all others. Read as an integer, it rises with the float above zero and
/// falls below; PostgreSQL takes both zeros for equal, and so any two of NaN.
fn rank(stored: i64, magnitude: i64, float: f64) -> i64 {
    if float.is_nan() {
        magnitude
    } else if stored < 0 {
        (stored ^ magnitude) + 1
    } else {
        stored
    }
}

/// The first and the last finite value of a type.
pub(super) fn limits(value_type: ValueType) -> Option<(i64, i64)> {
    Some(match value_type {
        ValueType::Int2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        ValueType::Int4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        ValueType::Int8
        | ValueType::Money
        | ValueType::Xid8
        | ValueType::PgLsn
        | ValueType::Macaddr8 => (i64::MIN, i64::MAX),
        ValueType::Oid => (signed(0), signed(u32::MAX.into())),
        ValueType::Macaddr => (signed(0), signed((1 << 48) - 1)),
        ValueType::Date => (temporal::DATE_MIN, temporal::DATE_MAX),
        ValueType::Time => (0, temporal::DAY),
        ValueType::Timestamp | ValueType::TimestampTz => {
            (temporal::TIMESTAMP_MIN, temporal::TIMESTAMP_MAX)
        }
        ValueType::Float4 => {
            let most = i64::from(f32::MAX.to_bits());
            (-most, most)
        }
        ValueType::Float8 => {
            let most = f64::MAX.to_bits() as i64;
            (-most, most)
        }
        _ => return None,
    })
}

/// True for bounds that stay: infinities, and NaN.
pub(super) fn is_infinite(value_type: ValueType, number: i64) -> bool {
    match value_type {
        ValueType::Date => i32::try_from(number).is_ok_and(temporal::is_infinite_date),
        ValueType::Timestamp | ValueType::TimestampTz => temporal::is_infinite_timestamp(number),
        ValueType::Float4 | ValueType::Float8 => {
            limits(value_type).is_some_and(|(least, most)| !(least..=most).contains(&number))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_rank_as_postgresql_compares_them() {
        let ranks = |value_type, stored: &[Vec<u8>]| -> Vec<i64> {
            stored.iter().map(|bytes| read(value_type, bytes).unwrap()).collect()
        };
        let floats = [f64::NEG_INFINITY, f64::MIN, -1.5, -1e-310, -0.0, 0.0, 1e-310, 2.0];
        let floats = [&floats[..], &[f64::MAX, f64::INFINITY, f64::NAN, -f64::NAN]].concat();
        let wide: Vec<_> = floats.iter().map(|float| float.to_le_bytes().to_vec()).collect();
        let narrow: Vec<_> = floats.iter().map(|it| (*it as f32).to_le_bytes().to_vec()).collect();
        for (value_type, stored) in [(ValueType::Float8, wide), (ValueType::Float4, narrow)] {
            let ranks = ranks(value_type, &stored);
            assert!(ranks.is_sorted(), "{ranks:?}");
            assert_eq!((ranks[4], ranks[5], ranks[10]), (0, 0, ranks[11]));
            for (rank, bytes) in ranks.iter().zip(&stored).filter(|(rank, _)| **rank != 0) {
                let mut written = bytes.clone();
                write(value_type, &mut written, *rank);
                assert_eq!(read(value_type, &written).unwrap(), *rank);
                assert_eq!(is_infinite(value_type, *rank), !floats_finite(bytes));
            }
        }
    }

    fn floats_finite(bytes: &[u8]) -> bool {
        match bytes.try_into() {
            Ok(wide) => f64::from_le_bytes(wide).is_finite(),
            Err(_) => f32::from_le_bytes(bytes.try_into().unwrap()).is_finite(),
        }
    }
}
