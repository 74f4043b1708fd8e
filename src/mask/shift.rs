//! Dates and times moved by a keyed distance, never zero.

use super::prf::Stream;
use crate::datum::temporal::{
    DATE_MAX, DATE_MIN, DAY, SECOND, TIMESTAMP_MAX, TIMESTAMP_MIN, is_infinite_date,
    is_infinite_timestamp,
};
use crate::datum::{DatumError, integer};

/// What happens to a date that would leave its type's range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limits {
    /// It moves the other way.
    TurnBack,
    /// It goes on at the other end, so that one distance makes different dates of different ones.
    GoRound,
}

/// Moves a `date` by 1 to `days` days. The distance is drawn from the date's stream.
pub(crate) fn date(
    value: &mut [u8],
    days: u32,
    stream: &mut Stream,
    limits: Limits,
) -> Result<(), DatumError> {
    let date = integer::read(value)?;
    if i32::try_from(date).is_ok_and(is_infinite_date) {
        return Ok(());
    }
    if !(DATE_MIN..=DATE_MAX).contains(&date) {
        return Err(DatumError("a date is out of range"));
    }
    let delta = distance(stream, u64::from(days));
    integer::write(value, moved(date, delta, DATE_MIN, DATE_MAX, limits));
    Ok(())
}

/// The day of a timestamp.
pub(crate) fn day(value: &[u8]) -> Result<i64, DatumError> {
    Ok(integer::read(value)?.div_euclid(DAY))
}

/// Moves a timestamp by 1 to `days` whole days. The distance is drawn from the stream of its
/// [day], so a date and a timestamp of that day move together.
pub(crate) fn timestamp_by_days(
    value: &mut [u8],
    days: u32,
    stream: &mut Stream,
    limits: Limits,
) -> Result<(), DatumError> {
    let Some(micros) = timestamp(value)? else { return Ok(()) };
    let delta = distance(stream, u64::from(days)) * DAY;
    integer::write(value, moved(micros, delta, TIMESTAMP_MIN, TIMESTAMP_MAX, limits));
    Ok(())
}

/// Moves a timestamp by 1 to `seconds` whole seconds.
pub(crate) fn timestamp_by_seconds(
    value: &mut [u8],
    seconds: u64,
    stream: &mut Stream,
    limits: Limits,
) -> Result<(), DatumError> {
    let Some(micros) = timestamp(value)? else { return Ok(()) };
    let delta = distance(stream, seconds) * SECOND;
    integer::write(value, moved(micros, delta, TIMESTAMP_MIN, TIMESTAMP_MAX, limits));
    Ok(())
}

/// Moves a `time` by 1 to `seconds` whole seconds, past midnight into the same day.
pub(crate) fn time(value: &mut [u8], seconds: u64, stream: &mut Stream) -> Result<(), DatumError> {
    let micros = integer::read(value)?;
    if !(0..=DAY).contains(&micros) {
        return Err(DatumError("a time is out of range"));
    }
    // Less than a day, so that it never comes round to where it started.
    let delta = distance(stream, seconds.min(86_399)) * SECOND;
    integer::write(value, (micros + delta).rem_euclid(DAY));
    Ok(())
}

/// A timestamp; `None` for an infinity.
fn timestamp(value: &[u8]) -> Result<Option<i64>, DatumError> {
    let micros = integer::read(value)?;
    if is_infinite_timestamp(micros) {
        return Ok(None);
    }
    if !(TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(&micros) {
        return Err(DatumError("a timestamp is out of range"));
    }
    Ok(Some(micros))
}

/// 1 to `most`, either way. `most` is at most a hundred years of seconds.
fn distance(stream: &mut Stream, most: u64) -> i64 {
    let drawn = stream.below_u64(2 * most) as i64;
    let most = most as i64;
    if drawn < most { drawn - most } else { drawn - most + 1 }
}

/// `from` moved by `delta`, within the range; so that it moves at all. The range is wider than two
/// of the longest distances.
fn moved(from: i64, delta: i64, min: i64, max: i64, limits: Limits) -> i64 {
    if limits == Limits::GoRound {
        let (from, delta, min) = (i128::from(from), i128::from(delta), i128::from(min));
        let count = i128::from(max) - min + 1;
        return ((from - min + delta).rem_euclid(count) + min) as i64;
    }
    let within = |to: &i64| (min..=max).contains(to);
    from.checked_add(delta)
        .filter(within)
        .or_else(|| from.checked_sub(delta).filter(within))
        .unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_never_zero_and_never_too_far() {
        let mut stream = Stream::from_seed([1; 32]);
        let seen: std::collections::BTreeSet<i64> =
            (0..1000).map(|_| distance(&mut stream, 3)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [-3, -2, -1, 1, 2, 3]);
    }

    #[test]
    fn moves_inward_at_the_ends_of_the_range() {
        let back = Limits::TurnBack;
        assert_eq!(moved(DATE_MIN, -5, DATE_MIN, DATE_MAX, back), DATE_MIN + 5);
        let latest = moved(TIMESTAMP_MAX, DAY, TIMESTAMP_MIN, TIMESTAMP_MAX, back);
        assert_eq!(latest, TIMESTAMP_MAX - DAY);
    }

    #[test]
    fn one_distance_keeps_dates_apart_at_the_ends_of_the_range() {
        for delta in [-3, 2] {
            let to: std::collections::BTreeSet<i64> =
                (10..=20).map(|from| moved(from, delta, 10, 20, Limits::GoRound)).collect();
            assert!(to.into_iter().eq(10..=20));
        }
        let round = |from, delta| moved(from, delta, TIMESTAMP_MIN, TIMESTAMP_MAX, Limits::GoRound);
        assert_eq!(round(TIMESTAMP_MAX, 1), TIMESTAMP_MIN);
        assert_eq!(round(0, -DAY), -DAY);
    }
}
