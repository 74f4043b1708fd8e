//! Constants in conditions, as values of the column that they are compared with.

use crate::cluster::catalog::Column;
use crate::datum::condition::{Class, Number, Value};
use crate::datum::{Literal as Parsed, ValueType, instant};

/// A constant as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    /// Digits, with a sign, a point or an exponent.
    Number(String),
    /// In quotes: of the column's type.
    String(String),
    Bool(bool),
    /// In quotes, with a type.
    Typed(ValueType, String),
}

/// The constant as a value that a column's can be compared with; `Ok(None)` for null.
pub(super) fn value(column: &Column, literal: &Literal) -> Result<Option<Value>, String> {
    let Some(own) = column.value_type() else { return Err(unlike(column)) };
    let Some(class) = Class::of(own) else { return Err(unlike(column)) };
    let (value_type, text) = match literal {
        Literal::Null => return Ok(None),
        Literal::Bool(truth) if class == Class::Bool => return Ok(Some(Value::Bool(*truth))),
        Literal::Number(text) if class == Class::Number => {
            // Compared as numeric, where it does not fit the column's type.
            let number = Number::parse(text)
                .ok_or_else(|| format!("{text} is to be written without an exponent"))?;
            return Ok(Some(Value::Number(number)));
        }
        Literal::Number(text) if class == Class::Float => (ValueType::Float8, text),
        Literal::String(text) => (own, text),
        Literal::Typed(value_type, text) if Class::of(*value_type) == Some(class) => {
            (*value_type, text)
        }
        _ => return Err(unlike(column)),
    };
    parse(column, class, value_type, text).map(Some)
}

fn unlike(column: &Column) -> String {
    format!(
        "column {:?} of type {} is compared with something of another type",
        column.name, column.declared_type
    )
}

fn parse(
    column: &Column,
    class: Class,
    value_type: ValueType,
    text: &str,
) -> Result<Value, String> {
    let wanted = |what: &str| format!("{text:?} is not {what}, as column {:?} is", column.name);
    let infinite = |positive, negative| match text.trim().to_ascii_lowercase().as_str() {
        "infinity" => Some(Value::Stored(positive)),
        "-infinity" => Some(Value::Stored(negative)),
        _ => None,
    };
    match class {
        Class::Text => {
            if text.contains('\0') {
                return Err(wanted("text without NUL"));
            }
            let text = match value_type {
                ValueType::Bpchar => text.trim_end_matches(' '),
                _ => text,
            };
            return Ok(Value::Text(text.as_bytes().to_vec()));
        }
        Class::Number if value_type == ValueType::Numeric => {
            let number = Number::parse(text).ok_or_else(|| wanted("a number such as -12.50"))?;
            return Ok(Value::Number(number));
        }
        Class::Float => {
            let text = text.trim();
            let float = match value_type {
                ValueType::Float4 => text.parse::<f32>().map(f64::from),
                _ => text.parse::<f64>(),
            };
            let names_it = text.to_ascii_lowercase().contains("inf");
            let float = float.ok().filter(|float| !float.is_infinite() || names_it);
            return float.map(Value::Float).ok_or_else(|| wanted("a number in the type's range"));
        }
        Class::Enum => {
            let labels = column.base_type.as_ref().and_then(|base| base.labels.as_ref());
            let label = labels.and_then(|labels| labels.named(text));
            let label = label.ok_or_else(|| wanted("a label of the type"))?;
            return Ok(Value::Stored(label.into()));
        }
        Class::Date => {
            if let Some(value) = infinite(i32::MAX.into(), i32::MIN.into()) {
                return Ok(value);
            }
        }
        Class::Timestamp | Class::TimestampTz => {
            if let Some(value) = infinite(i64::MAX, i64::MIN) {
                return Ok(value);
            }
        }
        _ => {}
    }
    // What PostgreSQL rounds, reads in the session's time zone, or carries over is not for here.
    let fraction = text.rsplit_once('.').map_or("", |(_, fraction)| fraction);
    let places = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let is_time = matches!(class, Class::Time | Class::Timestamp | Class::TimestampTz);
    if is_time && (places > 6 || text.contains(":60") || text.contains('[')) {
        return Err(wanted("a time in plain ISO form, to the microsecond"));
    }
    if class == Class::TimestampTz {
        let micros = instant(text.trim()).ok_or_else(|| {
            wanted("a timestamp with its offset from UTC, such as 2000-01-31 12:30:00+00")
        })?;
        return Ok(Value::Stored(micros));
    }
    match Parsed::parse(value_type, text).map_err(wanted)? {
        Parsed::Integer(number) => Ok(Value::Number(Number::Whole(number))),
        Parsed::Bool(truth) => Ok(Value::Bool(truth)),
        Parsed::Days(days) => Ok(Value::Stored(days.into())),
        Parsed::Micros(micros) => Ok(Value::Stored(micros)),
        Parsed::Uuid(bytes) => Ok(Value::Uuid(bytes)),
        _ => Err(unlike(column)),
    }
}
