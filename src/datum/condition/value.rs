//! Values that can be compared as PostgreSQL compares them.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::datum::numeric::{self, Decimal, Header};
use crate::datum::text::{of_name, unpadded};
use crate::datum::{DatumError, ValueType, integer};

/// Types whose values can be compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    /// Text in one encoding, by its bytes. Padding has been taken off.
    Text,
    /// Whole numbers and `numeric`.
    Number,
    /// `real` and `double precision`.
    Float,
    /// `boolean`.
    Bool,
    /// `date`.
    Date,
    /// `time`.
    Time,
    /// `timestamp`.
    Timestamp,
    /// `timestamptz`.
    TimestampTz,
    /// `uuid`.
    Uuid,
    /// Labels of one enum: equality alone.
    Enum,
}

impl Class {
    /// The class of a type; `None` for types that can't be compared here.
    pub fn of(value_type: ValueType) -> Option<Class> {
        Some(match value_type {
            ValueType::Text | ValueType::Bpchar | ValueType::Name => Class::Text,
            ValueType::Int2
            | ValueType::Int4
            | ValueType::Int8
            | ValueType::Oid
            | ValueType::Numeric => Class::Number,
            ValueType::Float4 | ValueType::Float8 => Class::Float,
            ValueType::Bool => Class::Bool,
            ValueType::Date => Class::Date,
            ValueType::Time => Class::Time,
            ValueType::Timestamp => Class::Timestamp,
            ValueType::TimestampTz => Class::TimestampTz,
            ValueType::Uuid => Class::Uuid,
            ValueType::Enum => Class::Enum,
            _ => return None,
        })
    }
}

/// A value of one of the classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Text.
    Text(Vec<u8>),
    /// A number.
    Number(Number),
    /// A float.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A date, a time, or a label, as it is stored.
    Stored(i64),
    /// A UUID.
    Uuid([u8; 16]),
}

/// A number of any size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Number {
    /// `-Infinity`
    NegativeInfinity,
    /// A whole number.
    Whole(i64),
    /// A number with its digits.
    Decimal(Decimal),
    /// `Infinity`
    Infinity,
    /// `NaN`: equal to itself and above all others.
    NaN,
}

impl Value {
    /// Reads a stored value, without its varlena header.
    pub fn read(value_type: ValueType, stored: &[u8]) -> Result<Value, DatumError> {
        if value_type.width().is_some_and(|width| width != stored.len()) {
            return Err(DatumError("a value does not have its type's width"));
        }
        Ok(match value_type {
            ValueType::Bpchar => Value::Text(unpadded(&mut stored.to_vec()).to_vec()),
            ValueType::Name => Value::Text(of_name(&mut stored.to_vec())?.to_vec()),
            ValueType::Text => Value::Text(stored.to_vec()),
            ValueType::Int2 | ValueType::Int4 | ValueType::Int8 => {
                Value::Number(Number::Whole(integer::read(stored)?))
            }
            ValueType::Oid => {
                Value::Number(Number::Whole(integer::read_unsigned(stored)?.0 as i64))
            }
            ValueType::Numeric => Value::Number(Number::read(stored)?),
            ValueType::Float4 | ValueType::Float8 => Value::Float(integer::read_float(stored)?),
            ValueType::Bool => Value::Bool(stored != [0]),
            ValueType::Date | ValueType::Time | ValueType::Timestamp | ValueType::TimestampTz => {
                Value::Stored(integer::read(stored)?)
            }
            ValueType::Enum => Value::Stored(integer::read_unsigned(stored)?.0 as i64),
            ValueType::Uuid => match stored.first_chunk() {
                Some(bytes) => Value::Uuid(*bytes),
                None => return Err(DatumError("a UUID is shorter than 16 bytes")),
            },
            _ => return Err(DatumError("values of this type can't be compared")),
        })
    }

    /// The order of two values of one class.
    pub(super) fn order(&self, other: &Value) -> Result<Ordering, DatumError> {
        Ok(match (self, other) {
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Number(a), Value::Number(b)) => a.order(b),
            (Value::Float(a), Value::Float(b)) => {
                // NaN is equal to itself and above all others; there is one zero.
                a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
            }
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Stored(a), Value::Stored(b)) => a.cmp(b),
            (Value::Uuid(a), Value::Uuid(b)) => a.cmp(b),
            _ => return Err(DatumError("values of different kinds are compared")),
        })
    }
}

impl Number {
    /// Reads `-12.5`, `NaN`, `Infinity`.
    pub fn parse(text: &str) -> Option<Number> {
        let text = text.trim();
        Some(match text.to_ascii_lowercase().as_str() {
            "nan" => Number::NaN,
            "infinity" | "inf" | "+infinity" | "+inf" => Number::Infinity,
            "-infinity" | "-inf" => Number::NegativeInfinity,
            _ => match text.parse() {
                Ok(whole) => Number::Whole(whole),
                Err(_) => Number::Decimal(Decimal::parse(text)?),
            },
        })
    }

    fn read(stored: &[u8]) -> Result<Number, DatumError> {
        let Header::Number(shape) = numeric::header(stored)? else {
            // `NUMERIC_NAN`, `NUMERIC_PINF`, `NUMERIC_NINF`; utils/adt/numeric.c.
            return Ok(match stored {
                [_, 0xD0] => Number::Infinity,
                [_, 0xF0] => Number::NegativeInfinity,
                _ => Number::NaN,
            });
        };
        let mut digits = Vec::new();
        numeric::read_digits(stored, &shape, &mut digits)?;
        let weight = if digits.is_empty() { 0 } else { shape.weight };
        let negative = shape.negative && !digits.is_empty();
        Ok(Number::Decimal(Decimal { negative, weight, digits }))
    }

    fn order(&self, other: &Number) -> Ordering {
        match (self, other) {
            (Number::Whole(a), Number::Whole(b)) => a.cmp(b),
            _ => match self.rank().cmp(&other.rank()) {
                Ordering::Equal => order(&self.decimal(), &other.decimal()),
                order => order,
            },
        }
    }

    /// Finite numbers are between the others.
    fn rank(&self) -> u8 {
        match self {
            Number::NegativeInfinity => 0,
            Number::Whole(_) | Number::Decimal(_) => 1,
            Number::Infinity => 2,
            Number::NaN => 3,
        }
    }

    /// Zero for what is not finite.
    fn decimal(&self) -> Decimal {
        match self {
            Number::Decimal(decimal) => decimal.clone(),
            Number::Whole(whole) => {
                let mut digits = Vec::new();
                let mut rest = whole.unsigned_abs();
                while rest > 0 {
                    digits.push((rest % u64::from(numeric::BASE)) as u32);
                    rest /= u64::from(numeric::BASE);
                }
                digits.reverse();
                let weight = digits.len().saturating_sub(1) as i16;
                while digits.last() == Some(&0) {
                    digits.pop();
                }
                Decimal { negative: *whole < 0, weight, digits }
            }
            _ => Decimal { negative: false, weight: 0, digits: Vec::new() },
        }
    }
}

fn order(a: &Decimal, b: &Decimal) -> Ordering {
    let magnitude = |number: &Decimal| (!number.digits.is_empty()).then_some(number.weight);
    match (a.negative, b.negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (negative, _) => {
            let order = (magnitude(a), &a.digits).cmp(&(magnitude(b), &b.digits));
            if negative { order.reverse() } else { order }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datum::numeric::tests::store;

    #[test]
    fn numbers_of_all_types_are_in_one_order() {
        let ascending = [
            "-Infinity",
            "-9223372036854775809",
            "-10000.5",
            "-10000",
            "-9999.9999",
            "-1",
            "-0.00001",
            "0",
            "0.00001",
            "0.5",
            "1",
            "1.5",
            "9999",
            "10000",
            "10000.0001",
            "99999999",
            "100000000",
            "9223372036854775807",
            "1e",
            "Infinity",
            "NaN",
        ];
        let parsed: Vec<Number> = ascending.iter().filter_map(|text| Number::parse(text)).collect();
        assert_eq!(parsed.len(), ascending.len() - 1);
        for (at, a) in parsed.iter().enumerate() {
            for (other, b) in parsed.iter().enumerate() {
                assert_eq!(a.order(b), at.cmp(&other), "{a:?} {b:?}");
            }
        }
        for (one, same) in [("100.0", "100"), ("0.00", "0"), ("-7.10", "-7.1"), ("10000", "1e4")] {
            let Some(same) = Number::parse(same) else { continue };
            assert_eq!(Number::parse(one).unwrap().order(&same), Ordering::Equal);
            for long in [false, true] {
                let Value::Number(stored) =
                    Value::read(ValueType::Numeric, &store(one, long)).unwrap()
                else {
                    panic!("no number");
                };
                assert_eq!(stored.order(&same), Ordering::Equal, "{one}");
            }
        }
    }

    #[test]
    fn reads_what_is_stored() {
        let read = |value_type, stored: &[u8]| Value::read(value_type, stored).unwrap();
        assert_eq!(read(ValueType::Bpchar, b"DE  "), Value::Text(b"DE".to_vec()));
        assert_eq!(read(ValueType::Numeric, &[0, 0xC0]), Value::Number(Number::NaN));
        assert_eq!(read(ValueType::Numeric, &[0, 0xD0]), Value::Number(Number::Infinity));
        assert_eq!(read(ValueType::Numeric, &[0, 0xF0]), Value::Number(Number::NegativeInfinity));
        let oid = read(ValueType::Oid, &u32::MAX.to_le_bytes());
        assert_eq!(oid, Value::Number(Number::Whole(4_294_967_295)));
        assert!(Value::read(ValueType::Int4, &[1, 2]).is_err());
        assert!(Value::read(ValueType::Point, &[0; 16]).is_err());
        let (nan, one) = (Value::Float(f64::NAN), Value::Float(1.0));
        assert_eq!(nan.order(&one), Ok(Ordering::Greater));
        assert_eq!(nan.order(&nan), Ok(Ordering::Equal));
        assert_eq!(Value::Float(-0.0).order(&Value::Float(0.0)), Ok(Ordering::Equal));
        assert!(one.order(&Value::Bool(true)).is_err());
    }
}
