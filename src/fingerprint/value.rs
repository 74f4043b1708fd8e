//! Which values can be searched for, and what finding one of them would mean.

use crate::datum::ValueType;

/// No more than this much of a value is compared: a leak of so much is a leak.
pub(crate) const LONGEST: usize = 64;
/// Shortest text that is searched for.
const SHORTEST_TEXT: usize = 4;
/// Shortest value of another type.
const SHORTEST: usize = 8;
/// From this length on a text counts wherever it stands.
const LONG_TEXT: usize = 12;
/// From this length on a numeric is more than a number that anything may be.
const LONG_NUMERIC: usize = 16;

/// What finding a value would mean. The first one is the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// It is no accident, wherever it stands.
    Distinct,
    /// A short text: it counts as a whole datum, or as a whole word if it is long enough.
    Short,
    /// A number or a moment: one of them may be anywhere by accident, most of a column's may not.
    Number,
}

impl Class {
    pub(super) fn from_bits(bits: u8) -> Class {
        match bits {
            0 => Class::Distinct,
            1 => Class::Short,
            _ => Class::Number,
        }
    }
}

/// The part of a stored value that is compared: without padding, and not too long.
#[inline]
pub(crate) fn comparable(value_type: ValueType, value: &[u8]) -> &[u8] {
    let value = match value_type {
        ValueType::Name => value.split(|&byte| byte == 0).next().unwrap_or_default(),
        _ if value_type.is_text() => value.trim_ascii_end(),
        _ => value,
    };
    value.get(..LONGEST).unwrap_or(value)
}

/// A cheap first look: can values of this length be told from chance at all?
#[inline]
pub(super) fn may_be_searchable(value_type: ValueType, len: usize) -> bool {
    len >= if value_type.is_text() { SHORTEST_TEXT } else { SHORTEST }
}

/// What finding a comparable value would mean; `None` if nothing: `0000` or a round number.
#[inline]
pub(super) fn class(value_type: ValueType, value: &[u8]) -> Option<Class> {
    if !may_be_searchable(value_type, value.len()) {
        return None;
    }
    if value_type.is_text() {
        let class = if value.len() < LONG_TEXT { Class::Short } else { Class::Distinct };
        return has_distinct(value, 3).then_some(class);
    }
    if !has_distinct(value, 6) {
        return None;
    }
    let number = match value_type {
        ValueType::Numeric => value.len() < LONG_NUMERIC,
        _ => value.len() < LONG_TEXT || value_type == ValueType::TimeTz,
    };
    Some(if number { Class::Number } else { Class::Distinct })
}

/// True if so many different bytes are in it, blanks and zeros aside.
#[inline]
fn has_distinct(value: &[u8], wanted: u32) -> bool {
    let mut seen = [0u64; 4];
    let mut distinct = 0;
    for byte in value {
        let bit = 1u64 << (byte & 63);
        if let Some(word) = seen.get_mut(usize::from(byte >> 6))
            && *word & bit == 0
            && !matches!(byte, 0 | b' ')
        {
            *word |= bit;
            distinct += 1;
            if distinct == wanted {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_values_from_what_may_be_anything() {
        let of = class;
        assert_eq!(of(ValueType::Text, b"abc"), None);
        assert_eq!(of(ValueType::Text, b"0000000"), None);
        assert_eq!(of(ValueType::Text, b"Anna"), Some(Class::Short));
        assert_eq!(of(ValueType::Text, b"Johanna Muster"), Some(Class::Distinct));
        assert_eq!(of(ValueType::Date, &[1, 2, 3, 4]), None);
        assert_eq!(of(ValueType::Int8, &[1, 2, 3, 4, 5, 0, 0, 0]), None);
        assert_eq!(of(ValueType::Timestamp, &[1, 2, 3, 4, 5, 6, 2, 0]), Some(Class::Number));
        assert_eq!(of(ValueType::Uuid, &[7; 16]), None);
        assert_eq!(of(ValueType::Uuid, b"abcdefghijklmnop"), Some(Class::Distinct));
        assert_eq!(of(ValueType::Numeric, &[1, 2, 3, 4, 5, 6, 7, 8]), Some(Class::Number));
    }

    #[test]
    fn padding_is_no_part_of_a_value() {
        assert_eq!(comparable(ValueType::Bpchar, b"ab   "), b"ab");
        assert_eq!(comparable(ValueType::Name, b"ab\0\0"), b"ab");
        assert_eq!(comparable(ValueType::Int8, b"\x01      "), b"\x01      ");
        assert_eq!(comparable(ValueType::Text, &[b'x'; 99]).len(), LONGEST);
    }
}
