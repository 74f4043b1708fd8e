//! `redact`, `blank` and `constant`: outputs that depend on the original's form alone.

use super::decimal;
use super::digits::Scratch;
use super::{overlay, zero};
use crate::datum::numeric::Decimal;
use crate::datum::temporal::{DAY, is_infinite_date, is_infinite_timestamp};
use crate::datum::text::{Unit, units};
use crate::datum::{DatumError, Literal, ValueType, integer};

/// What stands for a character of one to four bytes.
fn stand_in(len: usize) -> char {
    match len {
        2 => '\u{A4}',
        3 => '\u{2022}',
        4 => '\u{1F0A0}',
        _ => '*',
    }
}

/// Writes a stand-in over every character.
pub(crate) fn redact_text(value: &mut [u8], buffer: &mut Vec<u8>) {
    if value.is_ascii() {
        value.fill(b'*');
    } else {
        rewrite(value, buffer, |_, unit| stand_in(unit.len()));
    }
}

/// What shows as nothing in the place of a character of one to four bytes.
fn blank(len: usize) -> char {
    match len {
        2 => '\u{A0}',
        3 => '\u{3000}',
        4 => '\u{E0020}',
        _ => ' ',
    }
}

/// Writes a blank over every character. In a `char(n)` trailing blanks would be padding, and the
/// value empty: there the last becomes a hyphen.
pub(crate) fn blank_text(value: &mut [u8], value_type: ValueType, buffer: &mut Vec<u8>) {
    rewrite(value, buffer, |_, unit| blank(unit.len()));
    if value_type == ValueType::Bpchar
        && let Some(last @ b' ') = value.last_mut()
    {
        *last = b'-';
    }
}

/// Writes the constant's characters, again and again, each where one of its length was; stand-ins
/// elsewhere. So length and characters of the original stay what they were.
pub(crate) fn constant_text(value: &mut [u8], constant: &[char], buffer: &mut Vec<u8>) {
    rewrite(value, buffer, |at, unit| {
        let given = constant.get(at % constant.len().max(1)).copied();
        given.filter(|c| c.len_utf8() == unit.len()).unwrap_or_else(|| stand_in(unit.len()))
    });
    // A blank at the end would be padding in a `char(n)`.
    if let Some(last @ b' ') = value.last_mut() {
        *last = b'*';
    }
}

fn rewrite(value: &mut [u8], buffer: &mut Vec<u8>, to: impl Fn(usize, Unit) -> char) {
    buffer.clear();
    for (at, unit) in units(value).enumerate() {
        buffer.extend_from_slice(to(at, unit).encode_utf8(&mut [0; 4]).as_bytes());
    }
    overlay::write_back(value, buffer);
}

/// The type's zero, where it is a literal of its own.
pub(crate) fn zero_literal(value_type: ValueType) -> Option<Literal> {
    Some(match value_type {
        ValueType::Float4 | ValueType::Float8 => Literal::Float(0.0),
        ValueType::Bool => Literal::Bool(false),
        ValueType::Date => Literal::Days(0),
        ValueType::Time | ValueType::Timestamp | ValueType::TimestampTz => Literal::Micros(0),
        ValueType::Uuid => Literal::Uuid([0; 16]),
        ValueType::Numeric => {
            Literal::Numeric(Decimal { negative: false, weight: 0, digits: Vec::new() })
        }
        ValueType::Int2
        | ValueType::Int4
        | ValueType::Int8
        | ValueType::Oid
        | ValueType::Xid8
        | ValueType::PgLsn
        | ValueType::Money => Literal::Integer(0),
        _ => return None,
    })
}

/// Writes a type's zero over a value of it, as `redact` does. What is no such value stays.
pub(crate) fn write_zero(value_type: ValueType, value: &mut [u8]) {
    let _ = match zero_literal(value_type) {
        Some(literal) => write(value, value_type, &literal, &mut Scratch::new()),
        None => zero::write(value, value_type, &mut Vec::new()),
    };
}

/// Writes a value of a fixed-width type, or of `numeric` as far as the shape allows. NaN and
/// infinities stay.
pub(crate) fn write(
    value: &mut [u8],
    value_type: ValueType,
    literal: &Literal,
    scratch: &mut Scratch,
) -> Result<(), DatumError> {
    match literal {
        Literal::Text(_) | Literal::Label(_) => {}
        Literal::Other(constant) => constant.write(value)?,
        Literal::Integer(number) => {
            integer::read(value)?;
            integer::write(value, *number);
        }
        Literal::Float(float) => {
            if integer::read_float(value)?.is_finite() {
                if value.len() == 4 {
                    value.copy_from_slice(&(*float as f32).to_le_bytes());
                } else {
                    value.copy_from_slice(&float.to_le_bytes());
                }
            }
        }
        Literal::Numeric(number) => decimal::constant(value, number, scratch)?,
        Literal::Bool(truth) => match value {
            [byte] => *byte = u8::from(*truth),
            _ => return Err(DatumError("a boolean is not 1 byte wide")),
        },
        Literal::Days(days) => {
            let date = integer::read(value)?;
            if !i32::try_from(date).is_ok_and(is_infinite_date) {
                integer::write(value, i64::from(*days));
            }
        }
        Literal::Micros(micros) => {
            let moment = integer::read(value)?;
            if value_type == ValueType::Time && !(0..=DAY).contains(&moment) {
                return Err(DatumError("a time is out of range"));
            }
            if value_type == ValueType::Time || !is_infinite_timestamp(moment) {
                integer::write(value, *micros);
            }
        }
        Literal::Uuid(bytes) => match <&mut [u8; 16]>::try_from(value) {
            Ok(value) => *value = *bytes,
            Err(_) => return Err(DatumError("a UUID is not 16 bytes wide")),
        },
    }
    Ok(())
}
