//! Points in time.

use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// A point in time, given as such or as an age.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        let time = text.parse::<Timestamp>().ok();
        let date = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
        let ago = || {
            let age = text.parse::<Span>().ok()?;
            Timestamp::now().to_zoned(TimeZone::UTC).checked_sub(age.abs()).ok()
        };
        let time = time.or_else(|| date().or_else(ago).map(|zoned| zoned.timestamp()));
        time.map(Moment).ok_or_else(|| {
            "say a date (2026-05-01), a time (2026-05-01T12:00:00Z) or an age (90d, 12h, 2y)"
                .to_owned()
        })
    }
}

/// A point in time to come, given as such or by how long it is from now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until(pub(crate) Timestamp);

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Until, String> {
        let time = text.parse::<Timestamp>().ok();
        let date = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
        let ahead = || {
            let span = text.parse::<Span>().ok()?;
            Timestamp::now().to_zoned(TimeZone::UTC).checked_add(span.abs()).ok()
        };
        let time = time.or_else(|| date().or_else(ahead).map(|zoned| zoned.timestamp()));
        time.map(Until).ok_or_else(|| {
            "say how long from now (8h, 30d), a date (2027-05-01) or a time (2027-05-01T12:00:00Z)"
                .to_owned()
        })
    }
}
