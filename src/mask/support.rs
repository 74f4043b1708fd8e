//! Which mask goes with which type, which options it takes, and which are permutations.

use super::bucket::{Size, UNITS, Unit};
use super::locale;
use super::national_id::{COUNTRIES, Country};
use super::noise::{DISTRIBUTIONS, Distribution, Noise, Scale};
use super::spec::MaskSpec;
use super::structured::Alone;
use crate::datum::{Literal, ValueType};
use crate::rules::{MaskName, MaskOptions};

/// Days of `date_shift` where the rule names none.
pub(crate) const DEFAULT_DAYS: u32 = 30;
/// Seconds of `timestamp_shift` where the rule names none.
pub(crate) const DEFAULT_SECONDS: u64 = 30 * 86_400;
/// Share of `noise` where the rule names neither share nor scale.
const DEFAULT_SHARE: f64 = 0.1;
/// Metres of `latitude` and `longitude` where the rule names none.
const DEFAULT_METERS: f64 = 1000.0;
/// Noise is at most a hundred times the value.
const MAX_SHARE: f64 = 100.0;
/// At most a quarter of the way round the earth.
const MAX_METERS: f64 = 10_000_000.0;
/// Characters that `partial` may keep at either end.
const MAX_KEPT: u32 = 1000;

/// At most a hundred years.
const MAX_DAYS: u32 = 36_525;
/// Most bits of an address that stay: all but those of a network of 256 addresses.
const MOST_KEPT_BITS: u8 = 120;
const MAX_SECONDS: u64 = MAX_DAYS as u64 * 86_400;

const TEXT_MASKS: &[MaskName] = &[
    MaskName::FirstName,
    MaskName::LastName,
    MaskName::FullName,
    MaskName::Email,
    MaskName::Phone,
    MaskName::StreetAddress,
    MaskName::City,
    MaskName::Company,
    MaskName::Text,
    MaskName::Username,
    MaskName::Url,
    MaskName::Iban,
    MaskName::CreditCard,
    MaskName::NationalId,
    MaskName::Partial,
    MaskName::Hash,
    MaskName::Digits,
    MaskName::Alphanumeric,
    MaskName::Ip,
    MaskName::Mac,
    MaskName::Blank,
    MaskName::Redact,
    MaskName::Constant,
];

/// The masks for a type, `keep` aside: what a remedy offers.
pub fn suited_masks(value_type: ValueType) -> &'static [MaskName] {
    use MaskName as M;
    match value_type {
        ValueType::Text | ValueType::Bpchar | ValueType::Citext | ValueType::Name => TEXT_MASKS,
        ValueType::Char => &[M::Alphanumeric, M::Digits, M::Blank, M::Redact, M::Constant],
        ValueType::Int2 | ValueType::Int4 | ValueType::Money => {
            &[M::Integer, M::Noise, M::Bucket, M::Blank, M::Redact, M::Constant]
        }
        ValueType::Int8 => {
            &[M::Integer, M::Noise, M::Bucket, M::CreditCard, M::Blank, M::Redact, M::Constant]
        }
        ValueType::Oid | ValueType::Xid8 | ValueType::PgLsn => {
            &[M::Integer, M::Noise, M::Blank, M::Redact, M::Constant]
        }
        ValueType::Numeric => &[
            M::Numeric,
            M::Noise,
            M::Bucket,
            M::Latitude,
            M::Longitude,
            M::Blank,
            M::Redact,
            M::Constant,
        ],
        ValueType::Float4 | ValueType::Float8 => {
            &[M::Noise, M::Bucket, M::Latitude, M::Longitude, M::Blank, M::Redact, M::Constant]
        }
        ValueType::Bool => &[M::Blank, M::Redact, M::Constant],
        ValueType::Date => &[M::DateShift, M::Bucket, M::Blank, M::Redact, M::Constant],
        ValueType::Time | ValueType::TimeTz => {
            &[M::TimestampShift, M::Bucket, M::Blank, M::Redact, M::Constant]
        }
        ValueType::Timestamp | ValueType::TimestampTz => {
            &[M::TimestampShift, M::DateShift, M::Bucket, M::Blank, M::Redact, M::Constant]
        }
        ValueType::Interval => &[M::TimestampShift, M::DateShift, M::Blank, M::Redact, M::Constant],
        ValueType::Uuid => &[M::Uuid, M::Blank, M::Redact, M::Constant],
        ValueType::Inet | ValueType::Cidr => &[M::Ip, M::Blank, M::Redact, M::Constant],
        ValueType::Macaddr | ValueType::Macaddr8 => &[M::Mac, M::Blank, M::Redact, M::Constant],
        ValueType::Bytea | ValueType::Bit => &[M::Bytes, M::Blank, M::Redact, M::Constant],
        ValueType::Enum => &[M::Enum, M::Blank, M::Redact, M::Constant],
        ValueType::Point
        | ValueType::Lseg
        | ValueType::Box
        | ValueType::Line
        | ValueType::Path
        | ValueType::Polygon
        | ValueType::Circle
        | ValueType::Cube
        | ValueType::Vector
        | ValueType::Halfvec => &[M::Noise, M::Blank, M::Redact],
        ValueType::Ltree => &[M::Alphanumeric, M::Blank, M::Redact],
        ValueType::Snapshot | ValueType::Jsonpath => &[M::Blank, M::Redact],
    }
}

/// What is said of a mask that makes no value of a type.
pub(super) fn undefined(mask: MaskName, value_type: ValueType) -> String {
    match mask {
        MaskName::Null => "mask null makes no value: it is for columns of a snapshot".to_owned(),
        MaskName::Shuffle => {
            "mask shuffle moves the values of a column among its rows: a snapshot \
                              can, but there is nothing to be done to one value by itself"
                .to_owned()
        }
        _ => format!("mask {mask} is not defined on {value_type:?}"),
    }
}

/// True if a mask is defined on values of a type. `keep` is, on all of them; `null`, which makes no
/// value, on none.
pub fn supports(mask: MaskName, value_type: ValueType) -> bool {
    mask == MaskName::Keep || suited_masks(value_type).contains(&mask)
}

/// True if no two values of the type, different under its `=`, mask to equal ones.
pub fn is_injective(mask: MaskName, value_type: ValueType, options: &MaskOptions) -> bool {
    match mask {
        MaskName::Keep => true,
        MaskName::Digits
        | MaskName::Alphanumeric
        | MaskName::Iban
        | MaskName::Integer
        | MaskName::Numeric
        | MaskName::Uuid
        | MaskName::Ip
        | MaskName::Enum => supports(mask, value_type),
        MaskName::Email | MaskName::Username => options.unique && supports(mask, value_type),
        _ => false,
    }
}

/// True if no two texts that differ in more than case mask to texts that differ in case alone. In
/// ASCII letters: others may have a capital that no mask knows of.
pub(crate) fn is_injective_ignoring_case(spec: &MaskSpec) -> bool {
    let MaskSpec { mask, value_type, options, .. } = spec;
    let keeps_case_out = match mask {
        MaskName::Email | MaskName::Username => options.unique,
        _ => *value_type == ValueType::Citext,
    };
    keeps_case_out && value_type.is_text() && is_injective(*mask, *value_type, options)
}

/// Checks a mask's options, and how they go with a type where one is known. The message says
/// what would do.
pub fn check_options(
    mask: MaskName,
    value_type: Option<ValueType>,
    options: &MaskOptions,
) -> Result<(), String> {
    let MaskOptions { locale, days, seconds, value, .. } = options;
    let name = mask.as_str();
    if let Some((option, _)) =
        options.given().into_iter().find(|(option, _)| !mask.options().contains(&option.as_str()))
    {
        return Err(format!("mask {name} takes no option {option}"));
    }
    if options.unique && locale.is_some() {
        return Err("unique = true permutes characters and takes no locale".into());
    }
    if let Some(wanted) = locale
        && locale::find(wanted).is_none()
    {
        let known = locale::NAMES.join(", ");
        return Err(format!("locale {wanted:?} is not known; there are {known}"));
    }
    if let Some(days) = days
        && !(1..=MAX_DAYS).contains(days)
    {
        return Err(format!("days = {days}: date_shift takes 1 to {MAX_DAYS}"));
    }
    if let Some(seconds) = seconds
        && !(1..=MAX_SECONDS).contains(seconds)
    {
        return Err(format!("seconds = {seconds}: timestamp_shift takes 1 to {MAX_SECONDS}"));
    }
    match mask {
        MaskName::NationalId => country(options).map(drop)?,
        MaskName::Noise | MaskName::Latitude | MaskName::Longitude => {
            noise(mask, options).map(drop)?;
        }
        MaskName::Bucket => match value_type {
            Some(value_type) => size(value_type, options).map(drop)?,
            None if options.size.is_none() && options.unit.is_none() => {
                return Err("mask bucket needs a size for numbers or a unit for dates".into());
            }
            None => {}
        },
        MaskName::Partial => check_ends(options)?,
        MaskName::Shuffle => drop(Alone::named(options.alone.as_deref())?),
        MaskName::Ip => {
            if let Some(bits) = options.keep_bits.filter(|bits| *bits > MOST_KEPT_BITS) {
                return Err(format!("keep_bits = {bits}: ip keeps at most {MOST_KEPT_BITS}"));
            }
        }
        _ => {}
    }
    if mask == MaskName::Constant {
        let Some(value) = value else {
            return Err(
                "mask constant needs its value: { mask = \"constant\", value = \"…\" }".into()
            );
        };
        if value.is_empty() || value.contains('\0') {
            return Err("constant's value needs at least one character, and no NUL".into());
        }
        if let Some(value_type) = value_type {
            Literal::parse(value_type, value)
                .map_err(|wanted| format!("constant's value does not fit the type: {wanted}"))?;
        }
    }
    Ok(())
}

fn check_ends(options: &MaskOptions) -> Result<(), String> {
    let ends = [("keep_first", options.keep_first), ("keep_last", options.keep_last)];
    if ends.iter().all(|(_, kept)| kept.unwrap_or(0) == 0) {
        return Err(
            "mask partial needs keep_first or keep_last: { mask = \"partial\", keep_last = \
                    4 }"
            .into(),
        );
    }
    match ends.iter().find(|(_, kept)| kept.is_some_and(|kept| kept > MAX_KEPT)) {
        Some((name, _)) => Err(format!("{name}: partial keeps at most {MAX_KEPT} characters")),
        None => Ok(()),
    }
}

/// The country of a `national_id`.
pub(crate) fn country(options: &MaskOptions) -> Result<Country, String> {
    let known = names(&COUNTRIES);
    match options.country.as_deref() {
        Some(name) => Country::find(name)
            .ok_or_else(|| format!("country {name:?} has no numbers that are known; use {known}")),
        None => Err(format!("mask national_id needs its country: {known}")),
    }
}

/// The noise of `noise`, `latitude` and `longitude`.
pub(crate) fn noise(mask: MaskName, options: &MaskOptions) -> Result<Noise, String> {
    if mask != MaskName::Noise {
        let meters = options.meters.unwrap_or(DEFAULT_METERS);
        if !(0.1..=MAX_METERS).contains(&meters) {
            return Err(format!("meters = {meters}: {mask} takes 0.1 to {MAX_METERS}"));
        }
        let limit = if mask == MaskName::Latitude { 90.0 } else { 180.0 };
        return Ok(Noise::degrees(meters, limit));
    }
    let scale = match (options.share, options.scale) {
        (Some(_), Some(_)) => return Err("noise takes a share or a scale, not both".into()),
        (None, Some(scale)) if scale > 0.0 && scale.is_finite() => Scale::Absolute(scale),
        (None, Some(scale)) => return Err(format!("scale = {scale}: a number above 0")),
        (share, None) => {
            let share = share.unwrap_or(DEFAULT_SHARE);
            if !(share > 0.0 && share <= MAX_SHARE) {
                return Err(format!(
                    "share = {share}: above 0 and at most {MAX_SHARE} (0.1 is ten per cent)"
                ));
            }
            Scale::Share(share)
        }
    };
    let name = options.distribution.as_deref().unwrap_or("uniform");
    let distribution = Distribution::find(name).ok_or_else(|| {
        format!("distribution {name:?} is not known; there are {}", names(&DISTRIBUTIONS))
    })?;
    Ok(Noise { distribution, scale, limit: f64::INFINITY })
}

/// The size of a `bucket` of values of a type.
pub(crate) fn size(value_type: ValueType, options: &MaskOptions) -> Result<Size, String> {
    let is_moment = matches!(
        value_type,
        ValueType::Date
            | ValueType::Time
            | ValueType::TimeTz
            | ValueType::Timestamp
            | ValueType::TimestampTz
    );
    match (is_moment, options.size, options.unit.as_deref()) {
        (false, Some(size), None) => Size::of_number(value_type, size).ok_or_else(|| {
            format!("size = {size}: above 0, and for whole numbers a whole one from 2 on")
        }),
        (false, ..) => {
            Err("bucket on numbers takes a size: { mask = \"bucket\", size = 100 }".into())
        }
        (true, None, Some(name)) => {
            let fits = |unit: &Unit| unit.suits(value_type);
            let known: Vec<_> = UNITS.into_iter().filter(|(_, unit)| fits(unit)).collect();
            let unit = Unit::find(name).filter(fits).ok_or_else(|| {
                format!("unit {name:?} does not fit the type; there are {}", names(&known))
            })?;
            Ok(Size::Unit(unit))
        }
        (true, ..) => {
            Err("bucket on dates takes a unit: { mask = \"bucket\", unit = \"year\" }".into())
        }
    }
}

/// Names in a row, for messages.
fn names<T>(known: &[(&str, T)]) -> String {
    known.iter().map(|&(name, _)| name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_options_that_a_mask_does_not_take() {
        let days = MaskOptions { days: Some(3), ..MaskOptions::default() };
        assert!(check_options(MaskName::DateShift, None, &days).is_ok());
        let message = check_options(MaskName::Email, None, &days).unwrap_err();
        assert_eq!(message, "mask email takes no option days");
    }

    #[test]
    fn rejects_senseless_options() {
        let none = MaskOptions::default();
        let cases = [
            (MaskName::DateShift, MaskOptions { days: Some(0), ..none.clone() }),
            (MaskName::TimestampShift, MaskOptions { seconds: Some(0), ..none.clone() }),
            (MaskName::Noise, MaskOptions { share: Some(f64::NAN), ..none.clone() }),
            (MaskName::Noise, MaskOptions { share: Some(101.0), ..none.clone() }),
            (MaskName::Noise, MaskOptions { scale: Some(0.0), ..none.clone() }),
            (MaskName::Noise, MaskOptions { distribution: Some("x".into()), ..none.clone() }),
            (MaskName::Noise, MaskOptions { share: Some(0.1), scale: Some(1.0), ..none.clone() }),
            (MaskName::Latitude, MaskOptions { meters: Some(0.0), ..none.clone() }),
            (MaskName::NationalId, none.clone()),
            (MaskName::NationalId, MaskOptions { country: Some("xx".into()), ..none.clone() }),
            (MaskName::Partial, none.clone()),
            (MaskName::Partial, MaskOptions { keep_first: Some(1001), ..none.clone() }),
            (MaskName::Bucket, none.clone()),
            (MaskName::Ip, MaskOptions { keep_bits: Some(121), ..none.clone() }),
            (
                MaskName::Username,
                MaskOptions { unique: true, locale: Some("de".into()), ..none.clone() },
            ),
            (MaskName::City, MaskOptions { locale: Some("xx".into()), ..none.clone() }),
            (MaskName::Constant, none),
        ];
        for (mask, options) in cases {
            assert!(check_options(mask, None, &options).is_err(), "{mask:?}");
        }
    }

    #[test]
    fn a_bucket_must_fit_its_type() {
        let size = |size| MaskOptions { size: Some(size), ..MaskOptions::default() };
        let unit = |unit: &str| MaskOptions { unit: Some(unit.into()), ..MaskOptions::default() };
        for (value_type, options, fits) in [
            (ValueType::Int4, size(10.0), true),
            (ValueType::Int4, size(0.5), false),
            (ValueType::Int4, unit("year"), false),
            (ValueType::Numeric, size(0.5), true),
            (ValueType::Date, unit("decade"), true),
            (ValueType::Date, unit("day"), false),
            (ValueType::Time, unit("hour"), true),
            (ValueType::Time, unit("year"), false),
            (ValueType::Date, size(2.0), false),
        ] {
            let checked = check_options(MaskName::Bucket, Some(value_type), &options);
            assert_eq!(checked.is_ok(), fits, "{value_type:?} {options:?}");
        }
    }

    #[test]
    fn a_constant_must_fit_its_type() {
        let options = MaskOptions { value: Some("12".into()), ..MaskOptions::default() };
        assert!(check_options(MaskName::Constant, Some(ValueType::Int2), &options).is_ok());
        assert!(check_options(MaskName::Constant, Some(ValueType::Date), &options).is_err());
    }
}
