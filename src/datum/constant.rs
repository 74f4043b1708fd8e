//! Values for `constant` of the types that are no number and no text.

use super::interval::Interval;
use super::temporal::{DAY, SECOND};
use super::{DatumError, ValueType, bits, interval, network};

/// A parsed value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant {
    /// For `timetz`: microseconds since midnight, seconds west of Greenwich.
    TimeTz(i64, i32),
    /// For `interval`.
    Interval(Interval),
    /// For `inet` and `cidr`: address and bits of the netmask.
    Network(Vec<u8>, u8),
    /// For `macaddr` and `macaddr8`.
    Mac(Vec<u8>),
    /// For `bytea`: repeated and cut to fit.
    Bytes(Vec<u8>),
    /// For bit strings: repeated and cut to fit.
    Bits(Vec<bool>),
}

impl Constant {
    /// Reads `text` as a value of `value_type`, or says what would be one.
    pub(crate) fn parse(value_type: ValueType, text: &str) -> Result<Constant, &'static str> {
        match value_type {
            ValueType::TimeTz => time_tz(text).ok_or("a time of day such as 12:30:00+02"),
            ValueType::Interval => {
                span(text).map(Constant::Interval).ok_or("an interval such as 1 day 2 hours")
            }
            ValueType::Inet => network::parse(text)
                .map(|(address, bits)| Constant::Network(network::octets(address), bits))
                .ok_or("an address such as 192.0.2.1 or 192.0.2.1/24"),
            ValueType::Cidr => cidr(text).ok_or("a network such as 192.0.2.0/24"),
            ValueType::Macaddr | ValueType::Macaddr8 => network::parse_mac(text.as_bytes())
                .filter(|bytes| Some(bytes.len()) == value_type.width())
                .map(Constant::Mac)
                .ok_or("as many bytes as the type has, such as 02:00:00:00:00:01"),
            ValueType::Bytea => bytes(text)
                .map(Constant::Bytes)
                .ok_or(r"text, or bytes such as \x00ff, at least one"),
            ValueType::Bit => bit_string(text).map(Constant::Bits).ok_or("bits such as 0101"),
            _ => Err("nothing: the mask is not defined on the type"),
        }
    }

    /// Writes the value over another of its type, as far as its stored length allows.
    pub(crate) fn write(&self, value: &mut [u8]) -> Result<(), DatumError> {
        match self {
            Constant::TimeTz(micros, zone) => {
                interval::time_of_day(value)?;
                let bytes = micros.to_le_bytes().into_iter().chain(zone.to_le_bytes());
                value.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
            }
            Constant::Interval(constant) => {
                if !Interval::read(value)?.is_infinite() {
                    constant.write(value);
                }
            }
            Constant::Network(address, bits) => {
                let network = network::open(value)?;
                if address.len() == network.address.len() {
                    network.address.copy_from_slice(address);
                    *network.bits = *bits;
                } else {
                    // The other family has another length: its zero.
                    network.address.fill(0);
                    *network.bits = 8 * network.address.len() as u8;
                }
            }
            Constant::Mac(bytes) => {
                if value.len() != bytes.len() {
                    return Err(DatumError("a MAC address is not as wide as its type"));
                }
                value.copy_from_slice(bytes);
            }
            Constant::Bytes(bytes) => {
                value.iter_mut().zip(bytes.iter().cycle()).for_each(|(to, &from)| *to = from);
            }
            Constant::Bits(given) => {
                let (bytes, last) = bits::open(value)?;
                let mut given = given.iter().cycle();
                for byte in bytes.iter_mut() {
                    let eight = given.by_ref().take(8);
                    *byte = eight.fold(0, |byte, &bit| byte << 1 | u8::from(bit));
                }
                bits::pad(bytes, last);
            }
        }
        Ok(())
    }
}

/// `12:30:00+02:00`; without an offset, UTC.
fn time_tz(text: &str) -> Option<Constant> {
    let sign_at = text.find(['+', '-']).unwrap_or(text.len());
    let (time, offset) = text.split_at_checked(sign_at)?;
    let time: jiff::civil::Time = time.trim_end().parse().ok()?;
    let since = time.duration_since(jiff::civil::Time::midnight());
    let micros = i64::try_from(since.as_micros()).ok()?;
    let west = match offset.split_at_checked(1) {
        None => 0,
        Some((sign, offset)) => {
            let mut parts = offset.split(':').map(|part| {
                let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
                part.parse::<i32>().ok().filter(|_| digits)
            });
            let hours = parts.next()??;
            let minutes = parts.next().unwrap_or(Some(0))?;
            if parts.next().is_some() || hours > 15 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            if sign == "+" { -seconds } else { seconds }
        }
    };
    Some(Constant::TimeTz(micros, west))
}

/// ISO 8601 (`P1DT2H`) or words (`1 day 2 hours`).
fn span(text: &str) -> Option<Interval> {
    let span: jiff::Span = text.parse().ok()?;
    let months = i32::from(span.get_years()) * 12 + span.get_months();
    let days = span.get_weeks() * 7 + span.get_days();
    let seconds = i64::from(span.get_hours())
        .checked_mul(3600)?
        .checked_add(span.get_minutes().checked_mul(60)?)?
        .checked_add(span.get_seconds())?;
    let below = span
        .get_milliseconds()
        .checked_mul(1000)?
        .checked_add(span.get_microseconds())?
        .checked_add(span.get_nanoseconds() / 1000)?;
    let micros = seconds.checked_mul(SECOND)?.checked_add(below)?;
    (micros.unsigned_abs() < i64::MAX as u64 / DAY as u64 * DAY as u64).then_some(Interval {
        micros,
        days,
        months,
    })
}

fn cidr(text: &str) -> Option<Constant> {
    let (address, bits) = network::parse(text)?;
    let address = network::octets(address);
    let mut cleared = address.clone();
    network::clear_host(bits, &mut cleared);
    (address == cleared).then_some(Constant::Network(address, bits))
}

/// `\x` and hexadecimal digits, or the text itself.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let Some(hex) = text.strip_prefix(r"\x") else {
        return (!text.is_empty()).then(|| text.as_bytes().to_vec());
    };
    let digits: Option<Vec<u8>> =
        hex.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let (pairs, []) = digits.as_deref()?.as_chunks() else { return None };
    (!pairs.is_empty()).then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn bit_string(text: &str) -> Option<Vec<bool>> {
    let bits: Option<Vec<bool>> = text
        .bytes()
        .map(|byte| match byte {
            b'0' => Some(false),
            b'1' => Some(true),
            _ => None,
        })
        .collect();
    bits.filter(|bits| !bits.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_type() {
        let parse = |value_type, text| Constant::parse(value_type, text).unwrap();
        assert_eq!(
            parse(ValueType::TimeTz, "12:30:00+02"),
            Constant::TimeTz(45_000 * SECOND, -7200)
        );
        assert_eq!(parse(ValueType::TimeTz, "00:00:01"), Constant::TimeTz(SECOND, 0));
        assert_eq!(
            parse(ValueType::Interval, "1 year 2 months 3 days 4 hours"),
            Constant::Interval(Interval { micros: 14_400 * SECOND, days: 3, months: 14 })
        );
        assert_eq!(
            parse(ValueType::Cidr, "192.0.2.0/24"),
            Constant::Network(vec![192, 0, 2, 0], 24)
        );
        assert_eq!(parse(ValueType::Bytea, r"\x00Ff"), Constant::Bytes(vec![0, 0xFF]));
        assert_eq!(parse(ValueType::Bit, "01"), Constant::Bits(vec![false, true]));
    }

    #[test]
    fn rejects_what_does_not_fit() {
        for (value_type, text) in [
            (ValueType::TimeTz, "25:00:00+02"),
            (ValueType::TimeTz, "12:00:00+16"),
            (ValueType::Interval, "long"),
            (ValueType::Inet, "192.0.2"),
            (ValueType::Cidr, "192.0.2.1/24"),
            (ValueType::Macaddr, "02:00:00:00:00:00:00:01"),
            (ValueType::Bytea, r"\x0"),
            (ValueType::Bytea, r"\x"),
            (ValueType::Bit, "012"),
            (ValueType::Bit, ""),
            (ValueType::Point, "(1,2)"),
        ] {
            assert!(Constant::parse(value_type, text).is_err(), "{value_type:?} {text}");
        }
    }

    #[test]
    fn a_constant_is_cut_to_the_stored_length() {
        let written = |constant: Constant, mut value: Vec<u8>| {
            constant.write(&mut value).unwrap();
            value
        };
        assert_eq!(written(Constant::Bytes(vec![1, 2]), vec![0; 5]), [1, 2, 1, 2, 1]);
        let bits = Constant::Bits(vec![true, false]);
        assert_eq!(written(bits, vec![11, 0, 0, 0, 0, 0]), [11, 0, 0, 0, 0xAA, 0xA0]);
        let v4 = Constant::Network(vec![1, 2, 3, 4], 32);
        let v6 = [vec![3, 64], vec![7; 16]].concat();
        assert_eq!(written(v4, v6), [vec![3, 128], vec![0; 16]].concat());
    }
}
