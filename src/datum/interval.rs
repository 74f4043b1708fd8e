//! `interval` and `timetz`: values of several numbers; datatype/timestamp.h, utils/date.h.

use super::temporal::DAY;
use super::{DatumError, integer};

/// An `interval`: three numbers that are never turned into one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) micros: i64,
    pub(crate) days: i32,
    pub(crate) months: i32,
}

impl Interval {
    /// From its stored bytes.
    pub(crate) fn read(value: &[u8]) -> Result<Interval, DatumError> {
        let wide = DatumError("an interval is not 16 bytes wide");
        let (micros, rest) = value.split_first_chunk().ok_or(wide)?;
        let (days, rest) = rest.split_first_chunk().ok_or(wide)?;
        let months = rest.try_into().map_err(|_| wide)?;
        Ok(Interval {
            micros: i64::from_le_bytes(*micros),
            days: i32::from_le_bytes(*days),
            months: i32::from_le_bytes(months),
        })
    }

    /// Over bytes that [`Interval::read`] accepted.
    pub(crate) fn write(self, value: &mut [u8]) {
        let Interval { micros, days, months } = self;
        let bytes = micros.to_le_bytes().into_iter().chain(days.to_le_bytes());
        for (to, from) in value.iter_mut().zip(bytes.chain(months.to_le_bytes())) {
            *to = from;
        }
    }

    /// True for `infinity` and `-infinity`, which came with PostgreSQL 17.
    pub(crate) fn is_infinite(self) -> bool {
        let Interval { micros, days, months } = self;
        (micros, days, months) == (i64::MAX, i32::MAX, i32::MAX)
            || (micros, days, months) == (i64::MIN, i32::MIN, i32::MIN)
    }
}

/// Furthest offset of a `timetz` in seconds, 15:59:59 either way.
const MOST_WEST: i32 = 16 * 3600 - 1;

/// A `timetz`'s time of day, in microseconds, as bytes of their own.
pub(crate) fn time_of_day(value: &mut [u8]) -> Result<&mut [u8], DatumError> {
    let wide = DatumError("a time with zone is not 12 bytes wide");
    let (time, zone) = value.split_at_mut_checked(8).ok_or(wide)?;
    let zone = i32::from_le_bytes((&*zone).try_into().map_err(|_| wide)?);
    if !(0..=DAY).contains(&integer::read(time)?) || !(-MOST_WEST..=MOST_WEST).contains(&zone) {
        return Err(DatumError("a time with zone is out of range"));
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        let interval = Interval { micros: -5, days: i32::MAX, months: i32::MIN };
        let mut bytes = [0; 16];
        interval.write(&mut bytes);
        assert_eq!(Interval::read(&bytes), Ok(interval));
        assert!(!interval.is_infinite());
        for width in [0, 8, 12, 15, 17] {
            assert!(Interval::read(&vec![0; width]).is_err());
        }
    }

    #[test]
    fn rejects_times_and_zones_out_of_range() {
        let stored = |time: i64, zone: i32| [&time.to_le_bytes()[..], &zone.to_le_bytes()].concat();
        assert!(time_of_day(&mut stored(DAY, -57_599)).is_ok());
        assert!(time_of_day(&mut stored(DAY + 1, 0)).is_err());
        assert!(time_of_day(&mut stored(-1, 0)).is_err());
        assert!(time_of_day(&mut stored(0, 57_600)).is_err());
        assert!(time_of_day(&mut [0; 8]).is_err());
        assert!(time_of_day(&mut [0; 16]).is_err());
    }
}
