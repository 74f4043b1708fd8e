//! `bucket`: numbers, dates and times made coarser. The same for every key.

use super::decimal;
use super::digits::Scratch;
use crate::datum::interval::time_of_day;
use crate::datum::numeric::Decimal;
use crate::datum::temporal::{
    DATE_MAX, DATE_MIN, DAY, SECOND, TIMESTAMP_MAX, TIMESTAMP_MIN, is_infinite_date,
    is_infinite_timestamp,
};
use crate::datum::{DatumError, ValueType, integer};

/// What a date or time is cut to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unit {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// From midnight, of UTC for a `timestamptz`.
    Day,
    /// From Monday.
    Week,
    /// From its first day.
    Month,
    /// Three months, the first from 1 January.
    Quarter,
    /// From 1 January.
    Year,
    /// Ten years, from one whose number ends in 0.
    Decade,
}

/// The units, by the names that rules give them.
pub(crate) const UNITS: [(&str, Unit); 8] = [
    ("minute", Unit::Minute),
    ("hour", Unit::Hour),
    ("day", Unit::Day),
    ("week", Unit::Week),
    ("month", Unit::Month),
    ("quarter", Unit::Quarter),
    ("year", Unit::Year),
    ("decade", Unit::Decade),
];

impl Unit {
    /// The unit of this name.
    pub(crate) fn find(name: &str) -> Option<Unit> {
        UNITS.iter().find(|(known, _)| *known == name).map(|&(_, unit)| unit)
    }

    /// True if it is more than one value of the type, and the type has values that begin one.
    pub(crate) fn suits(self, value_type: ValueType) -> bool {
        match value_type {
            ValueType::Date => self > Unit::Day,
            ValueType::Time | ValueType::TimeTz => self < Unit::Day,
            ValueType::Timestamp | ValueType::TimestampTz => true,
            _ => false,
        }
    }
}

/// The size of a bucket.
#[derive(Clone, Debug)]
pub(crate) enum Size {
    /// For whole numbers.
    Whole(u64),
    /// For floats.
    Float(f64),
    /// For `numeric`.
    Decimal(Decimal),
    /// For dates and times.
    Unit(Unit),
}

impl Size {
    /// The size that a rule's number is for a type; `None` if it is none.
    pub(crate) fn of_number(value_type: ValueType, size: f64) -> Option<Size> {
        if !(size.is_finite() && size > 0.0) {
            return None;
        }
        match value_type {
            ValueType::Int2 | ValueType::Int4 | ValueType::Int8 | ValueType::Money => {
                let whole = size >= 2.0 && size.fract() == 0.0 && size <= 1e18;
                whole.then_some(Size::Whole(size as u64))
            }
            ValueType::Float4 | ValueType::Float8 => Some(Size::Float(size)),
            ValueType::Numeric => Decimal::parse(&format!("{size}")).map(Size::Decimal),
            _ => None,
        }
    }
}

/// Cuts a stored value to its bucket. NaN and infinities stay.
pub(crate) fn bucket(
    value: &mut [u8],
    value_type: ValueType,
    size: &Size,
    scratch: &mut Scratch,
) -> Result<(), DatumError> {
    match size {
        Size::Whole(size) => {
            let number = integer::read(value)?;
            let size = i64::try_from(*size).unwrap_or(i64::MAX).max(1);
            integer::write(value, number / size * size);
        }
        Size::Float(size) => {
            let float = integer::read_float(value)?;
            if float.is_finite() {
                let cut = multiple(float, *size);
                match value.len() {
                    4 => value.copy_from_slice(&(cut as f32).to_le_bytes()),
                    _ => value.copy_from_slice(&cut.to_le_bytes()),
                }
            }
        }
        Size::Decimal(size) => decimal::bucket(value, size, scratch)?,
        Size::Unit(unit) if value_type == ValueType::TimeTz => {
            moment(time_of_day(value)?, ValueType::Time, *unit)?;
        }
        Size::Unit(unit) => moment(value, value_type, *unit)?,
    }
    Ok(())
}

/// The multiple of `size` next to a float on zero's side. One that is a multiple but for rounding
/// is its own.
fn multiple(float: f64, size: f64) -> f64 {
    let count = float / size;
    if !count.is_finite() {
        return float;
    }
    let near = count.round();
    let count = if (count - near).abs() <= near.abs() * 1e-12 { near } else { count.trunc() };
    // 3 tenths are 3 / 10, not 3 × 0.1.
    let parts = (1.0 / size).round();
    let cut = if parts > 1.0 && (parts * size - 1.0).abs() < 1e-12 {
        count / parts
    } else {
        count * size
    };
    if cut.is_finite() { cut } else { float }
}

fn moment(value: &mut [u8], value_type: ValueType, unit: Unit) -> Result<(), DatumError> {
    let stored = integer::read(value)?;
    let cut = match value_type {
        ValueType::Date => {
            if i32::try_from(stored).is_ok_and(is_infinite_date) {
                return Ok(());
            }
            if !(DATE_MIN..=DATE_MAX).contains(&stored) {
                return Err(DatumError("a date is out of range"));
            }
            start_of_day(stored, unit).max(DATE_MIN)
        }
        ValueType::Time => {
            if !(0..=DAY).contains(&stored) {
                return Err(DatumError("a time is out of range"));
            }
            within_day(stored, unit)
        }
        _ => {
            if is_infinite_timestamp(stored) {
                return Ok(());
            }
            if !(TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(&stored) {
                return Err(DatumError("a timestamp is out of range"));
            }
            let day = stored.div_euclid(DAY);
            match unit {
                Unit::Minute | Unit::Hour => day * DAY + within_day(stored.rem_euclid(DAY), unit),
                _ => start_of_day(day, unit).max(DATE_MIN) * DAY,
            }
        }
    };
    integer::write(value, cut);
    Ok(())
}

/// The start of a minute or hour.
fn within_day(micros: i64, unit: Unit) -> i64 {
    let length = if unit == Unit::Minute { 60 * SECOND } else { 3600 * SECOND };
    micros - micros % length
}

/// The first day of what the day, counted from 2000-01-01, is in.
fn start_of_day(day: i64, unit: Unit) -> i64 {
    let (year, month) = year_and_month(day);
    match unit {
        Unit::Minute | Unit::Hour | Unit::Day => day,
        // 2000-01-03 was a Monday.
        Unit::Week => day - (day - 2).rem_euclid(7),
        Unit::Month => first_day(year, month),
        Unit::Quarter => first_day(year, month - (month - 1) % 3),
        Unit::Year => first_day(year, 1),
        Unit::Decade => first_day(year - year.rem_euclid(10), 1),
    }
}

/// Days of 400 years, after which the calendar repeats itself.
const ERA: i64 = 146_097;

/// Year and month (from 1) of a day counted from 2000-01-01, in the Gregorian calendar carried on
/// without end as PostgreSQL does; year 0 is 1 BC.
fn year_and_month(day: i64) -> (i64, i64) {
    let (era, day) = (day.div_euclid(ERA), day.rem_euclid(ERA));
    // Every year from the estimate on that begins no later is the day's, or one before it.
    let mut year = era * 400 + 2000 + day / 366;
    while first_day(year + 1, 1) <= era * ERA + day {
        year += 1;
    }
    let month = (2..=12).rev().find(|&month| first_day(year, month) <= era * ERA + day);
    (year, month.unwrap_or(1))
}

/// The first day of a month, counted from 2000-01-01.
fn first_day(year: i64, month: i64) -> i64 {
    let leap_years = |before: i64| {
        let last = before - 1;
        last.div_euclid(4) - last.div_euclid(100) + last.div_euclid(400)
    };
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let before_month = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let month_start = usize::try_from(month - 1).ok().and_then(|month| before_month.get(month));
    (year - 2000) * 365 + leap_years(year) - leap_years(2000)
        + month_start.copied().unwrap_or(0)
        + i64::from(leap && month > 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{Date, date};

    fn days(date: Date) -> i64 {
        (date - Date::constant(2000, 1, 1)).get_days().into()
    }

    #[test]
    fn the_calendar_is_jiffs() {
        for day in (-730_000..2_000_000).step_by(13) {
            let known = date(2000, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
            assert_eq!(year_and_month(day), (known.year().into(), known.month().into()));
            assert_eq!(start_of_day(day, Unit::Month), days(known.first_of_month()));
            let monday = known.weekday().since(jiff::civil::Weekday::Monday);
            assert_eq!(start_of_day(day, Unit::Week), day - i64::from(monday));
        }
    }

    #[test]
    fn dates_are_cut_to_each_unit() {
        let day = days(date(1987, 11, 28));
        for (unit, start) in [
            (Unit::Week, date(1987, 11, 23)),
            (Unit::Month, date(1987, 11, 1)),
            (Unit::Quarter, date(1987, 10, 1)),
            (Unit::Year, date(1987, 1, 1)),
            (Unit::Decade, date(1980, 1, 1)),
        ] {
            let mut value = (day as i32).to_le_bytes();
            bucket(&mut value, ValueType::Date, &Size::Unit(unit), &mut Scratch::new()).unwrap();
            assert_eq!(i64::from(i32::from_le_bytes(value)), days(start), "{unit:?}");
        }
        for (end, kept) in [(DATE_MIN, DATE_MIN), (i64::from(i32::MAX), i32::MAX.into())] {
            let mut value = (end as i32).to_le_bytes();
            let decade = Size::Unit(Unit::Decade);
            bucket(&mut value, ValueType::Date, &decade, &mut Scratch::new()).unwrap();
            assert_eq!(i64::from(i32::from_le_bytes(value)), kept);
        }
    }

    #[test]
    fn moments_before_2000_are_cut_backwards() {
        let cut = |micros: i64, unit| {
            let mut value = micros.to_le_bytes();
            let size = Size::Unit(unit);
            bucket(&mut value, ValueType::Timestamp, &size, &mut Scratch::new()).unwrap();
            i64::from_le_bytes(value)
        };
        assert_eq!(cut(-1, Unit::Hour), -3600 * SECOND);
        assert_eq!(cut(-1, Unit::Day), -DAY);
        assert_eq!(cut(-1, Unit::Year), -365 * DAY);
        assert_eq!(cut(TIMESTAMP_MAX, Unit::Minute), TIMESTAMP_MAX + 1 - 60 * SECOND);
        assert_eq!(cut(TIMESTAMP_MIN, Unit::Decade), TIMESTAMP_MIN);
    }

    #[test]
    fn numbers_are_cut_towards_zero() {
        let cut = |number: i32| {
            let mut value = number.to_le_bytes();
            let size = Size::of_number(ValueType::Int4, 1000.0).unwrap();
            bucket(&mut value, ValueType::Int4, &size, &mut Scratch::new()).unwrap();
            i32::from_le_bytes(value)
        };
        assert_eq!(
            [1999, -1999, 999, i32::MIN, 2000].map(cut),
            [1000, -1000, 0, -2_147_483_000, 2000]
        );
        assert_eq!(multiple(0.3, 0.1), 0.3);
        assert_eq!(multiple(0.39, 0.1), 0.3);
        assert_eq!(multiple(-7.9, 2.5), -7.5);
        assert_eq!(multiple(f64::MAX, 1e-300), f64::MAX);
    }
}
