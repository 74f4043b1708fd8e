//! Points in time.

use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

/// A point in time, given as such or as an age.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Moment, Self::Err> {
        let time = point(text, |now, age| now.checked_sub(age));
        time.map(Moment).ok_or(
            "say a date (2026-05-01), a time (2026-05-01T12:00:00Z) or an age (90d, 12h, 2y)",
        )
    }
}

/// A point in time to come, given as such or by how long it is from now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until(pub(crate) Timestamp);

impl FromStr for Until {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Until, Self::Err> {
        let time = point(text, |now, span| now.checked_add(span));
        time.map(Until).ok_or(
            "say how long from now (8h, 30d), a date (2027-05-01) or a time (2027-05-01T12:00:00Z)",
        )
    }
}

/// A time, a date, or now moved by a span.
fn point(
    text: &str,
    moved: impl Fn(&Zoned, Span) -> Result<Zoned, jiff::Error>,
) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let zoned = match text.parse::<Date>() {
        Ok(date) => date.to_zoned(TimeZone::UTC),
        Err(_) => {
            let span: Span = text.parse().ok()?;
            moved(&Timestamp::now().to_zoned(TimeZone::UTC), span.abs())
        }
    };
    Some(zoned.ok()?.timestamp())
}
