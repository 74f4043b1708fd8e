//! Dates and timestamps: their ranges and their infinities; datatype/timestamp.h.

/// Microseconds in a day.
pub(crate) const DAY: i64 = 86_400_000_000;
/// Microseconds in a second.
pub(crate) const SECOND: i64 = 1_000_000;

/// 2000-01-01 as a Julian day; `POSTGRES_EPOCH_JDATE`.
const EPOCH_JULIAN: i64 = 2_451_545;
/// First Julian day after the last date; `DATE_END_JULIAN`.
const DATE_END_JULIAN: i64 = 2_147_483_494;

/// The first date, 4713-01-01 BC.
pub(crate) const DATE_MIN: i64 = -EPOCH_JULIAN;
/// The last date, 5874897-12-31.
pub(crate) const DATE_MAX: i64 = DATE_END_JULIAN - EPOCH_JULIAN - 1;
/// The first timestamp; `MIN_TIMESTAMP`.
pub(crate) const TIMESTAMP_MIN: i64 = -211_813_488_000_000_000;
/// The last timestamp; `END_TIMESTAMP` less one microsecond.
pub(crate) const TIMESTAMP_MAX: i64 = 9_223_371_331_200_000_000 - 1;

/// True for `infinity` and `-infinity` of a date.
pub(crate) fn is_infinite_date(days: i32) -> bool {
    days == i32::MIN || days == i32::MAX
}

/// True for `infinity` and `-infinity` of a timestamp.
pub(crate) fn is_infinite_timestamp(micros: i64) -> bool {
    micros == i64::MIN || micros == i64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_begin_with_dates() {
        assert_eq!(TIMESTAMP_MIN, DATE_MIN * DAY);
        assert_eq!((TIMESTAMP_MAX + 1) % DAY, 0);
    }
}
