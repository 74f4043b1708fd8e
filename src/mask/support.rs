//! Which mask goes with which type, which options it takes, and which are permutations.

use super::locale;
use crate::datum::{Literal, ValueType};
use crate::rules::{MaskName, MaskOptions};

/// Days of `date_shift` where the rule names none.
pub(crate) const DEFAULT_DAYS: u32 = 30;
/// Seconds of `timestamp_shift` where the rule names none.
pub(crate) const DEFAULT_SECONDS: u64 = 30 * 86_400;
/// Noise of `numeric` on floats where the rule names none.
pub(crate) const DEFAULT_FLOAT_NOISE: f64 = 0.1;

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
    MaskName::Digits,
    MaskName::Alphanumeric,
    MaskName::Ip,
    MaskName::Mac,
    MaskName::Redact,
    MaskName::Constant,
];

/// The masks for a type, `keep` aside: what a remedy offers.
pub fn suited_masks(value_type: ValueType) -> &'static [MaskName] {
    match value_type {
        ValueType::Text | ValueType::Bpchar | ValueType::Citext | ValueType::Name => TEXT_MASKS,
        ValueType::Char => {
            &[MaskName::Alphanumeric, MaskName::Digits, MaskName::Redact, MaskName::Constant]
        }
        ValueType::Int2
        | ValueType::Int4
        | ValueType::Int8
        | ValueType::Oid
        | ValueType::Xid8
        | ValueType::PgLsn
        | ValueType::Money => &[MaskName::Integer, MaskName::Redact, MaskName::Constant],
        ValueType::Numeric | ValueType::Float4 | ValueType::Float8 => {
            &[MaskName::Numeric, MaskName::Redact, MaskName::Constant]
        }
        ValueType::Bool => &[MaskName::Redact, MaskName::Constant],
        ValueType::Date => &[MaskName::DateShift, MaskName::Redact, MaskName::Constant],
        ValueType::Time | ValueType::TimeTz => {
            &[MaskName::TimestampShift, MaskName::Redact, MaskName::Constant]
        }
        ValueType::Timestamp | ValueType::TimestampTz | ValueType::Interval => {
            &[MaskName::TimestampShift, MaskName::DateShift, MaskName::Redact, MaskName::Constant]
        }
        ValueType::Uuid => &[MaskName::Uuid, MaskName::Redact, MaskName::Constant],
        ValueType::Inet | ValueType::Cidr => &[MaskName::Ip, MaskName::Redact, MaskName::Constant],
        ValueType::Macaddr | ValueType::Macaddr8 => {
            &[MaskName::Mac, MaskName::Redact, MaskName::Constant]
        }
        ValueType::Bytea | ValueType::Bit => {
            &[MaskName::Bytes, MaskName::Redact, MaskName::Constant]
        }
        ValueType::Enum => &[MaskName::Enum, MaskName::Redact, MaskName::Constant],
        ValueType::Point
        | ValueType::Lseg
        | ValueType::Box
        | ValueType::Line
        | ValueType::Path
        | ValueType::Polygon
        | ValueType::Circle
        | ValueType::Cube
        | ValueType::Vector
        | ValueType::Halfvec => &[MaskName::Numeric, MaskName::Redact],
        ValueType::Ltree => &[MaskName::Alphanumeric, MaskName::Redact],
        ValueType::Snapshot | ValueType::Jsonpath => &[MaskName::Redact],
    }
}

/// True if a mask is defined on a type. `keep` is, on all of them.
pub fn supports(mask: MaskName, value_type: ValueType) -> bool {
    mask == MaskName::Keep || suited_masks(value_type).contains(&mask)
}

/// True if no two values of the type, different under its `=`, mask to equal ones.
pub fn is_injective(mask: MaskName, value_type: ValueType, options: &MaskOptions) -> bool {
    match mask {
        MaskName::Keep => true,
        MaskName::Digits
        | MaskName::Alphanumeric
        | MaskName::Uuid
        | MaskName::Ip
        | MaskName::Enum => supports(mask, value_type),
        MaskName::Integer => supports(mask, value_type) && options.noise.is_none(),
        MaskName::Numeric => value_type == ValueType::Numeric && options.noise.is_none(),
        _ => false,
    }
}

/// Checks a mask's options, and how they go with a type where one is known. The message says
/// what would do.
pub fn check_options(
    mask: MaskName,
    value_type: Option<ValueType>,
    options: &MaskOptions,
) -> Result<(), String> {
    let MaskOptions { locale, days, seconds, value, noise, keep_bits } = options;
    let given = [
        ("locale", locale.is_some(), takes_locale(mask)),
        ("days", days.is_some(), mask == MaskName::DateShift),
        ("seconds", seconds.is_some(), mask == MaskName::TimestampShift),
        ("value", value.is_some(), mask == MaskName::Constant),
        ("keep_bits", keep_bits.is_some(), mask == MaskName::Ip),
        ("noise", noise.is_some(), matches!(mask, MaskName::Integer | MaskName::Numeric)),
    ];
    let name = mask.as_str();
    for (option, given, taken) in given {
        if given && !taken {
            return Err(format!("mask {name} takes no option {option}"));
        }
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
    if let Some(bits) = keep_bits
        && *bits > MOST_KEPT_BITS
    {
        return Err(format!("keep_bits = {bits}: ip keeps at most {MOST_KEPT_BITS}"));
    }
    if let Some(noise) = noise
        && !(*noise > 0.0 && *noise <= 1.0)
    {
        return Err(format!(
            "noise = {noise}: a share above 0 and at most 1 (0.1 is ten per cent)"
        ));
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

fn takes_locale(mask: MaskName) -> bool {
    matches!(
        mask,
        MaskName::FirstName
            | MaskName::LastName
            | MaskName::FullName
            | MaskName::Email
            | MaskName::StreetAddress
            | MaskName::City
            | MaskName::Company
            | MaskName::Text
    )
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
            (MaskName::Integer, MaskOptions { noise: Some(f64::NAN), ..none.clone() }),
            (MaskName::Numeric, MaskOptions { noise: Some(1.5), ..none.clone() }),
            (MaskName::Ip, MaskOptions { keep_bits: Some(121), ..none.clone() }),
            (MaskName::City, MaskOptions { locale: Some("xx".into()), ..none.clone() }),
            (MaskName::Constant, none),
        ];
        for (mask, options) in cases {
            assert!(check_options(mask, None, &options).is_err(), "{mask:?}");
        }
    }

    #[test]
    fn a_constant_must_fit_its_type() {
        let options = MaskOptions { value: Some("12".into()), ..MaskOptions::default() };
        assert!(check_options(MaskName::Constant, Some(ValueType::Int2), &options).is_ok());
        assert!(check_options(MaskName::Constant, Some(ValueType::Date), &options).is_err());
    }
}
