//! Intervals: months, days and time each moved by themselves, never to zero or past it.

use super::prf::{Prf, Stream};
use crate::datum::temporal::SECOND;
use crate::datum::{DatumError, interval::Interval};

const DAY_SECONDS: u64 = 86_400;
/// Days that count as a month here.
const MONTH_DAYS: u64 = 30;

/// Moves each field of an interval that is not zero by at most `seconds`, at most itself, and at
/// least one of its units: seconds, or microseconds in a time below a second.
pub(crate) fn interval(value: &mut [u8], seconds: u64, prf: &Prf) -> Result<(), DatumError> {
    let interval = Interval::read(value)?;
    if interval.is_infinite() {
        return Ok(());
    }
    let mut stream = prf.stream(value);
    let Interval { micros, days, months } = interval;
    let reach = seconds / DAY_SECONDS;
    let most = i32::MAX as u64 - 1;
    Interval {
        micros: time(micros, seconds, &mut stream),
        days: field(days.into(), reach, most, &mut stream) as i32,
        months: field(months.into(), reach / MONTH_DAYS, most, &mut stream) as i32,
    }
    .write(value);
    Ok(())
}

fn time(micros: i64, seconds: u64, stream: &mut Stream) -> i64 {
    let second = SECOND as u64;
    let magnitude = micros.unsigned_abs();
    if magnitude < second {
        return field(micros, magnitude, second - 1, stream);
    }
    let most = i64::MAX as u64 / second - 1;
    let whole = magnitude / second;
    let moved = beside(whole, seconds.min(whole), most, stream) * second + magnitude % second;
    (moved as i64).wrapping_mul(micros.signum())
}

/// A number of the same sign, within `reach` and not itself; zero stays.
fn field(number: i64, reach: u64, most: u64, stream: &mut Stream) -> i64 {
    if number == 0 {
        return 0;
    }
    let magnitude = number.unsigned_abs();
    let moved = beside(magnitude, reach.clamp(1, magnitude), most, stream);
    (moved as i64).wrapping_mul(number.signum())
}

/// Another number within `reach`, from 1 to `most`; from beyond, one within reach of `most`.
fn beside(number: u64, reach: u64, most: u64, stream: &mut Stream) -> u64 {
    if number > most {
        return most - stream.below_u64(reach.min(most));
    }
    near(number, reach, 1, most, stream)
}

/// A number within `reach` of `number` and within its bounds; another one if there is any.
fn near(number: u64, reach: u64, low: u64, high: u64, stream: &mut Stream) -> u64 {
    let low = number.saturating_sub(reach).max(low);
    let high = number.saturating_add(reach).min(high);
    if high <= low {
        return number;
    }
    let drawn = low + stream.below_u64(high - low);
    if drawn >= number { drawn + 1 } else { drawn }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;

    fn moved(interval: Interval, seconds: u64) -> Interval {
        let prf = Prf::new(&MaskKey::from_bytes([4; 32]), MaskName::TimestampShift, "test");
        let mut value = [0; 16];
        interval.write(&mut value);
        super::interval(&mut value, seconds, &prf).unwrap();
        Interval::read(&value).unwrap()
    }

    #[test]
    fn every_field_moves_and_keeps_its_sign() {
        for (micros, days, months) in [
            (1, -1, 1),
            (-999_999, 40, -700),
            (90_000_000_500, 0, 12),
            (i64::MIN, i32::MIN, i32::MIN + 1),
            (i64::MAX, i32::MAX, i32::MAX - 1),
        ] {
            let from = Interval { micros, days, months };
            for seconds in [1, 86_400, 2_592_000, 3_155_760_000] {
                let to = moved(from, seconds);
                assert_eq!(to.micros.signum(), micros.signum());
                assert_eq!(to.days.signum(), days.signum());
                assert_eq!(to.months.signum(), months.signum());
                assert!((to.days != days || days == 0) && to.months != months, "{to:?}");
                assert_eq!(to.micros % SECOND == micros % SECOND, micros.abs_diff(0) >= 1_000_000);
                assert!(!to.is_infinite());
            }
        }
    }

    #[test]
    fn fields_stay_within_reach() {
        for days in 1..200 {
            let to = moved(Interval { micros: 0, days, months: 0 }, 7 * 86_400);
            assert!(to.days.abs_diff(days) <= 7 && to.days > 0);
            assert_eq!((to.micros, to.months), (0, 0));
        }
    }

    #[test]
    fn infinities_stay() {
        for (micros, days, months) in
            [(i64::MAX, i32::MAX, i32::MAX), (i64::MIN, i32::MIN, i32::MIN)]
        {
            let infinity = Interval { micros, days, months };
            assert_eq!(moved(infinity, 60), infinity);
        }
    }
}
