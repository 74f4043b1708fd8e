//! Stands in for `mask`'s own answers until they are merged.

use crate::datum::ValueType;
use crate::rules::{MaskName, MaskOptions};

pub(super) fn supports(mask: MaskName, value_type: ValueType) -> bool {
    use MaskName as M;
    use ValueType as V;
    match mask {
        M::Keep | M::Redact | M::Constant => true,
        M::FirstName
        | M::LastName
        | M::FullName
        | M::Email
        | M::Phone
        | M::StreetAddress
        | M::City
        | M::Company
        | M::Text
        | M::Digits
        | M::Alphanumeric => matches!(value_type, V::Text | V::Bpchar),
        M::Integer => matches!(value_type, V::Int2 | V::Int4 | V::Int8),
        M::Numeric => matches!(value_type, V::Numeric | V::Float4 | V::Float8),
        M::DateShift => matches!(value_type, V::Date | V::Timestamp | V::TimestampTz),
        M::TimestampShift => matches!(value_type, V::Timestamp | V::TimestampTz | V::Time),
        M::Uuid => value_type == V::Uuid,
    }
}

pub(super) fn is_injective(mask: MaskName, value_type: ValueType, options: &MaskOptions) -> bool {
    use ValueType as V;
    match mask {
        MaskName::Keep => true,
        MaskName::Digits | MaskName::Alphanumeric => matches!(value_type, V::Text | V::Bpchar),
        MaskName::Integer => {
            options.noise.is_none() && matches!(value_type, V::Int2 | V::Int4 | V::Int8)
        }
        MaskName::Numeric => options.noise.is_none() && value_type == V::Numeric,
        MaskName::Uuid => value_type == V::Uuid,
        _ => false,
    }
}

pub(super) fn suited_masks(value_type: ValueType) -> Vec<MaskName> {
    MaskName::ALL.into_iter().skip(1).filter(|&mask| supports(mask, value_type)).collect()
}

/// Values of options alone; which mask takes which is the rule file's business.
pub(super) fn check_options(
    _mask: MaskName,
    _value_type: Option<ValueType>,
    options: &MaskOptions,
) -> Result<(), String> {
    if options.days == Some(0) || options.seconds == Some(0) {
        return Err("a shift of at most nothing masks nothing".to_owned());
    }
    if options.noise.is_some_and(|noise| !(noise > 0.0 && noise <= 1.0)) {
        return Err("`noise` lies above 0 and at most at 1".to_owned());
    }
    Ok(())
}
