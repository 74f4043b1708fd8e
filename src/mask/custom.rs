//! Masks of a host's own, held to the rule that all masks keep: each output is a value of the type,
//! in as many bytes.

use std::fmt;

use crate::datum::numeric::{self, Header};
use crate::datum::temporal::{
    DATE_MAX, DATE_MIN, DAY, TIMESTAMP_MAX, TIMESTAMP_MIN, is_infinite_date, is_infinite_timestamp,
};
use crate::datum::{DatumError, ValueType, integer};
use crate::error::{Error, Result};

/// From a stored value to one of the same length, or why there is none.
type Function = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, DatumError> + Send + Sync>;

/// A mask of a host's own.
///
/// ```
/// use thinveil::datum::ValueType;
/// use thinveil::mask::CustomMask;
///
/// let mask = CustomMask::new(ValueType::Text, |value| Ok(vec![b'x'; value.len()]))?;
/// let mut value = b"Anna".to_vec();
/// mask.apply(&mut value)?;
/// assert_eq!(value, b"xxxx");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CustomMask {
    value_type: ValueType,
    function: Function,
}

impl CustomMask {
    /// A mask that calls `function` for each value (as stored, without a varlena header), from any
    /// number of threads. It should be deterministic; that can't be checked here.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a type whose outputs can't be checked.
    pub fn new(
        value_type: ValueType,
        function: impl Fn(&[u8]) -> Result<Vec<u8>, DatumError> + Send + Sync + 'static,
    ) -> Result<CustomMask> {
        if !is_checked(value_type) {
            return Err(Error::invalid(format!("custom masks are not defined on {value_type:?}")));
        }
        Ok(CustomMask { value_type, function: Box::new(function) })
    }

    /// The type of the values that it is for.
    pub fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// Masks one stored value in place. On an error it is as it was.
    pub fn apply(&self, value: &mut [u8]) -> Result<(), DatumError> {
        if self.value_type.width().is_some_and(|width| width != value.len()) {
            return Err(DatumError("a value does not have its type's width"));
        }
        let masked = (self.function)(value)?;
        check(self.value_type, value, &masked)?;
        value.copy_from_slice(&masked);
        Ok(())
    }
}

impl fmt::Debug for CustomMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomMask(on {:?})", self.value_type)
    }
}

/// The types whose outputs [`check`] knows.
fn is_checked(value_type: ValueType) -> bool {
    value_type != ValueType::Name && value_type.is_text()
        || matches!(
            value_type,
            ValueType::Int2
                | ValueType::Int4
                | ValueType::Int8
                | ValueType::Float4
                | ValueType::Float8
                | ValueType::Numeric
                | ValueType::Bool
                | ValueType::Date
                | ValueType::Time
                | ValueType::Timestamp
                | ValueType::TimestampTz
                | ValueType::Uuid
                | ValueType::Money
                | ValueType::Macaddr
                | ValueType::Macaddr8
                | ValueType::Bytea
        )
}

/// Checks that `masked` can stand where `value` stands.
fn check(value_type: ValueType, value: &[u8], masked: &[u8]) -> Result<(), DatumError> {
    if masked.len() != value.len() {
        return Err(DatumError("a custom mask's output has another length than the value"));
    }
    let fits = match value_type {
        ValueType::Text | ValueType::Bpchar | ValueType::Citext => {
            return check_text(value_type, value, masked);
        }
        ValueType::Bool => matches!(masked, [0 | 1]),
        ValueType::Date => {
            let days = integer::read(masked)?;
            (DATE_MIN..=DATE_MAX).contains(&days)
                || i32::try_from(days).is_ok_and(is_infinite_date) && masked == value
        }
        ValueType::Time => (0..=DAY).contains(&integer::read(masked)?),
        ValueType::Timestamp | ValueType::TimestampTz => {
            let micros = integer::read(masked)?;
            (TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(&micros)
                || is_infinite_timestamp(micros) && masked == value
        }
        ValueType::Numeric => return check_numeric(value, masked),
        _ => true,
    };
    if fits { Ok(()) } else { Err(DatumError("a custom mask's output is no value of the type")) }
}

/// As many characters, none of them NUL; in a `char(n)` as much padding.
fn check_text(value_type: ValueType, value: &[u8], masked: &[u8]) -> Result<(), DatumError> {
    const NO_TEXT: DatumError = DatumError("a custom mask's output is not UTF-8");
    let text = std::str::from_utf8(masked).map_err(|_| NO_TEXT)?;
    if text.contains('\0') {
        return Err(DatumError("a custom mask's output has a NUL in it"));
    }
    let characters = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
    if characters(value) != characters(masked) {
        return Err(DatumError("a custom mask's output has another number of characters"));
    }
    let padding = |bytes: &[u8]| bytes.iter().rev().take_while(|&&byte| byte == b' ').count();
    if value_type == ValueType::Bpchar && padding(value) != padding(masked) {
        return Err(DatumError("a custom mask's output has other padding"));
    }
    Ok(())
}

/// The same weight, scale and number of digits, canonical; its sign is free.
fn check_numeric(value: &[u8], masked: &[u8]) -> Result<(), DatumError> {
    const SHAPE: DatumError = DatumError("a custom mask's output has another scale or weight");
    match (numeric::header(value)?, numeric::header(masked)?) {
        (Header::Special, Header::Special) => Ok(()),
        (Header::Number(was), Header::Number(is)) => {
            numeric::read_digits(masked, &is, &mut Vec::new())?;
            let same = (was.header, was.dscale, was.weight) == (is.header, is.dscale, is.weight);
            if same { Ok(()) } else { Err(SHAPE) }
        }
        _ => Err(SHAPE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a mask with this output does to a value.
    fn outcome(value_type: ValueType, value: &[u8], output: &'static [u8]) -> Result<(), String> {
        let mask = CustomMask::new(value_type, |_| Ok(output.to_vec())).unwrap();
        let mut masked = value.to_vec();
        let result = mask.apply(&mut masked).map_err(|error| error.to_string());
        assert_eq!(masked, if result.is_ok() { output } else { value });
        result
    }

    #[test]
    fn what_fits_is_taken() {
        assert_eq!(outcome(ValueType::Text, "Zoë".as_bytes(), "Ané".as_bytes()), Ok(()));
        assert_eq!(outcome(ValueType::Int4, &[1, 0, 0, 0], &[2, 0, 0, 0]), Ok(()));
        assert_eq!(outcome(ValueType::Bpchar, b"ab  ", b"xy  "), Ok(()));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_leaves_the_value() {
        for (value_type, value, output) in [
            (ValueType::Text, &b"abc"[..], &b"ab"[..]),
            (ValueType::Text, b"abc", b"abcd"),
            (ValueType::Text, b"abc", b"ab\0"),
            (ValueType::Text, b"abc", b"ab\xff"),
            (ValueType::Text, b"abc", "a\u{e9}".as_bytes()),
            (ValueType::Bpchar, b"ab  ", b"abc "),
            (ValueType::Bool, &[1], &[2]),
            (ValueType::Date, &[0; 4], &[0xff, 0xff, 0xff, 0x7f]),
            (ValueType::Time, &[0; 8], &[0xff; 8]),
            (ValueType::Numeric, &[0, 0x80, 7, 0], &[0, 0x81, 7, 0]),
            (ValueType::Numeric, &[0, 0x80, 7, 0], &[0, 0x80, 0, 0]),
        ] {
            assert!(outcome(value_type, value, output).is_err(), "{value_type:?} {output:?}");
        }
    }

    #[test]
    fn types_that_can_not_be_checked_take_no_custom_mask() {
        assert!(CustomMask::new(ValueType::Jsonpath, |value| Ok(value.to_vec())).is_err());
    }
}
