//! Values as a person writes them in a rule file, for `constant`.

use jiff::civil;

use super::numeric::Decimal;
use super::temporal;
use super::{Constant, ValueType};

/// Microseconds from 1970-01-01 to 2000-01-01.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A parsed value of one of the types.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    /// For `text` and `char(n)`: repeated and cut to fit.
    Text(String),
    /// For the whole numbers; fits the type.
    Integer(i64),
    /// For `real` and `double precision`; finite.
    Float(f64),
    /// For `numeric`.
    Numeric(Decimal),
    /// For `boolean`.
    Bool(bool),
    /// For `date`: days since 2000-01-01.
    Days(i32),
    /// For `time` and the timestamps: microseconds.
    Micros(i64),
    /// For `uuid`.
    Uuid([u8; 16]),
    /// For an `enum`: a label's name.
    Label(String),
    /// For what is none of these.
    Other(Constant),
}

impl Literal {
    /// Reads `text` as a value of `value_type`, or says what would be one.
    pub(crate) fn parse(value_type: ValueType, text: &str) -> Result<Literal, &'static str> {
        let trimmed = text.trim();
        match value_type {
            ValueType::Text
            | ValueType::Bpchar
            | ValueType::Citext
            | ValueType::Name
            | ValueType::Char => {
                if text.is_empty() || text.contains('\0') {
                    return Err("a text of at least one character, without NUL");
                }
                Ok(Literal::Text(text.to_owned()))
            }
            ValueType::Int2 => integer(trimmed, i64::from(i16::MIN), i64::from(i16::MAX))
                .ok_or("a whole number from -32768 to 32767"),
            ValueType::Int4 => integer(trimmed, i64::from(i32::MIN), i64::from(i32::MAX))
                .ok_or("a whole number from -2147483648 to 2147483647"),
            ValueType::Int8 => {
                integer(trimmed, i64::MIN, i64::MAX).ok_or("a whole number of at most 64 bits")
            }
            ValueType::Money => integer(trimmed, i64::MIN + 1, i64::MAX)
                .ok_or("a whole number of the currency's smallest units"),
            ValueType::Oid => integer(trimmed, 0, i64::from(u32::MAX))
                .ok_or("a whole number from 0 to 4294967295"),
            ValueType::Xid8 => trimmed
                .parse::<u64>()
                .ok()
                .map(|number| Literal::Integer(number as i64))
                .ok_or("a whole number from 0, of at most 64 bits"),
            ValueType::PgLsn => {
                lsn(trimmed).map(Literal::Integer).ok_or("an LSN such as 0/16B3748")
            }
            ValueType::Enum => Ok(Literal::Label(text.to_owned())),
            ValueType::Numeric => {
                Decimal::parse(trimmed).map(Literal::Numeric).ok_or("a number such as -12.50")
            }
            ValueType::Float4 => trimmed
                .parse::<f32>()
                .ok()
                .filter(|float| float.is_finite())
                .map(|float| Literal::Float(f64::from(float)))
                .ok_or("a finite number"),
            ValueType::Float8 => trimmed
                .parse::<f64>()
                .ok()
                .filter(|float| float.is_finite())
                .map(Literal::Float)
                .ok_or("a finite number"),
            ValueType::Bool => match trimmed.to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "on" | "1" => Ok(Literal::Bool(true)),
                "false" | "f" | "no" | "off" | "0" => Ok(Literal::Bool(false)),
                _ => Err("true or false"),
            },
            ValueType::Date => days(trimmed).map(Literal::Days).ok_or("a date such as 2000-01-31"),
            ValueType::Time => {
                time(trimmed).map(Literal::Micros).ok_or("a time of day such as 12:30:00")
            }
            ValueType::Timestamp => civil_micros(trimmed)
                .map(Literal::Micros)
                .ok_or("a timestamp such as 2000-01-31 12:30:00"),
            ValueType::TimestampTz => instant(trimmed)
                .or_else(|| civil_micros(trimmed))
                .map(Literal::Micros)
                .ok_or("a timestamp such as 2000-01-31 12:30:00+00"),
            ValueType::Uuid => uuid(trimmed)
                .map(Literal::Uuid)
                .ok_or("a UUID such as 00000000-0000-4000-8000-000000000000"),
            _ => Constant::parse(value_type, trimmed).map(Literal::Other),
        }
    }
}

fn integer(text: &str, min: i64, max: i64) -> Option<Literal> {
    let number = text.parse().ok()?;
    (min..=max).contains(&number).then_some(Literal::Integer(number))
}

/// Two halves in hexadecimal, as the bits of one number.
fn lsn(text: &str) -> Option<i64> {
    let half = |digits: &str| u32::from_str_radix(digits, 16).ok().map(u64::from);
    let (high, low) = text.split_once('/')?;
    Some((half(high)? << 32 | half(low)?) as i64)
}

fn days(text: &str) -> Option<i32> {
    let date: civil::Date = text.parse().ok()?;
    let micros = date.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    let since = micros.timestamp().as_microsecond() - POSTGRES_EPOCH_MICROS;
    let days = since.div_euclid(temporal::DAY);
    (days >= temporal::DATE_MIN).then(|| i32::try_from(days).ok()).flatten()
}

fn time(text: &str) -> Option<i64> {
    let time: civil::Time = text.parse().ok()?;
    let seconds =
        i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    Some(seconds * temporal::SECOND + i64::from(time.subsec_nanosecond()) / 1000)
}

fn civil_micros(text: &str) -> Option<i64> {
    let moment: civil::DateTime = text.parse().ok()?;
    let zoned = moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    in_range(zoned.timestamp().as_microsecond() - POSTGRES_EPOCH_MICROS)
}

/// A moment with its offset from UTC, in microseconds.
pub(crate) fn instant(text: &str) -> Option<i64> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    in_range(moment.as_microsecond() - POSTGRES_EPOCH_MICROS)
}

fn in_range(micros: i64) -> Option<i64> {
    (temporal::TIMESTAMP_MIN..=temporal::TIMESTAMP_MAX).contains(&micros).then_some(micros)
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    let hex: String = text.chars().filter(|&c| c != '-').collect();
    if hex.len() != 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&hex, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_type() {
        let parse = |value_type, text| Literal::parse(value_type, text).unwrap();
        assert_eq!(parse(ValueType::Int2, "-32768"), Literal::Integer(-32768));
        assert_eq!(parse(ValueType::Date, "2000-01-31"), Literal::Days(30));
        assert_eq!(parse(ValueType::Date, "1999-12-31"), Literal::Days(-1));
        assert_eq!(parse(ValueType::Time, "00:00:01.5"), Literal::Micros(1_500_000));
        assert_eq!(
            parse(ValueType::Timestamp, "2000-01-02 00:00:00"),
            Literal::Micros(temporal::DAY)
        );
        assert_eq!(parse(ValueType::TimestampTz, "2000-01-01 01:00:00+01"), Literal::Micros(0));
        assert_eq!(
            parse(ValueType::TimestampTz, "2000-01-01 01:00:00"),
            Literal::Micros(3600 * temporal::SECOND)
        );
        assert_eq!(parse(ValueType::Bool, "Yes"), Literal::Bool(true));
        assert_eq!(
            parse(ValueType::Uuid, "00000000-0000-4000-8000-000000000001"),
            Literal::Uuid([0, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 1])
        );
    }

    #[test]
    fn rejects_what_does_not_fit() {
        for (value_type, text) in [
            (ValueType::Int2, "32768"),
            (ValueType::Int4, "1.5"),
            (ValueType::Float4, "1e99"),
            (ValueType::Float8, "NaN"),
            (ValueType::Bool, "maybe"),
            (ValueType::Date, "2001-02-29"),
            (ValueType::Date, "-009999-01-01"),
            (ValueType::Uuid, "1234"),
            (ValueType::Text, ""),
            (ValueType::Numeric, "1e3"),
        ] {
            assert!(Literal::parse(value_type, text).is_err(), "{value_type:?} {text}");
        }
    }
}
