//! The masks there are, and which options each takes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The masks there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskName {
    /// Leave the value as it is.
    Keep,
    /// A given name of the same length.
    FirstName,
    /// A family name of the same length.
    LastName,
    /// A given and a family name of the same length.
    FullName,
    /// An address in a reserved domain.
    Email,
    /// Other digits in the same places.
    Phone,
    /// A house number and a street.
    StreetAddress,
    /// A city.
    City,
    /// A company.
    Company,
    /// Word-like filler.
    Text,
    /// A name to log in with.
    Username,
    /// An address in a reserved domain, with a path.
    Url,
    /// An account number with valid check digits.
    Iban,
    /// A card number in test ranges that passes the Luhn check.
    CreditCard,
    /// A national identity number of one country, valid or never issued.
    NationalId,
    /// The first and last characters, and others between them.
    Partial,
    /// Hexadecimal digits of the value's keyed hash.
    Hash,
    /// No value at all: every value becomes NULL.
    Null,
    /// Blanks, or the type's zero.
    Blank,
    /// One filler character throughout, or the type's zero.
    Redact,
    /// One given value, cut or padded.
    Constant,
    /// A keyed permutation of the digits. Injective.
    Digits,
    /// A keyed permutation of digits and letters, each within its class. Injective.
    Alphanumeric,
    /// A keyed permutation of whole numbers with as many digits. Injective.
    Integer,
    /// A keyed permutation of numbers with as many digits. Injective.
    Numeric,
    /// A number nearby, at a distance of a stated distribution.
    Noise,
    /// A multiple of a number, or the start of a month, a year, ….
    Bucket,
    /// Degrees of latitude some metres away.
    Latitude,
    /// Degrees of longitude some metres away.
    Longitude,
    /// A date some days away.
    DateShift,
    /// A timestamp or time some seconds away.
    TimestampShift,
    /// A keyed permutation of UUIDs. Injective.
    Uuid,
    /// A network address of the same family and prefix. Injective.
    Ip,
    /// A hardware address, locally administered.
    Mac,
    /// Other bytes or bits.
    Bytes,
    /// A keyed permutation of the labels. Injective.
    Enum,
    /// The value of another row, of the same stored size.
    Shuffle,
}

impl MaskName {
    /// Every mask, in the order of the manual.
    pub const ALL: [MaskName; 37] = [
        MaskName::Keep,
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
        MaskName::Null,
        MaskName::Blank,
        MaskName::Redact,
        MaskName::Constant,
        MaskName::Digits,
        MaskName::Alphanumeric,
        MaskName::Integer,
        MaskName::Numeric,
        MaskName::Noise,
        MaskName::Bucket,
        MaskName::Latitude,
        MaskName::Longitude,
        MaskName::DateShift,
        MaskName::TimestampShift,
        MaskName::Uuid,
        MaskName::Ip,
        MaskName::Mac,
        MaskName::Bytes,
        MaskName::Enum,
        MaskName::Shuffle,
    ];

    /// As rule files write it: `first_name`.
    pub fn as_str(self) -> &'static str {
        match self {
            MaskName::Keep => "keep",
            MaskName::FirstName => "first_name",
            MaskName::LastName => "last_name",
            MaskName::FullName => "full_name",
            MaskName::Email => "email",
            MaskName::Phone => "phone",
            MaskName::StreetAddress => "street_address",
            MaskName::City => "city",
            MaskName::Company => "company",
            MaskName::Text => "text",
            MaskName::Username => "username",
            MaskName::Url => "url",
            MaskName::Iban => "iban",
            MaskName::CreditCard => "credit_card",
            MaskName::NationalId => "national_id",
            MaskName::Partial => "partial",
            MaskName::Hash => "hash",
            MaskName::Null => "null",
            MaskName::Blank => "blank",
            MaskName::Redact => "redact",
            MaskName::Constant => "constant",
            MaskName::Digits => "digits",
            MaskName::Alphanumeric => "alphanumeric",
            MaskName::Integer => "integer",
            MaskName::Numeric => "numeric",
            MaskName::Noise => "noise",
            MaskName::Bucket => "bucket",
            MaskName::Latitude => "latitude",
            MaskName::Longitude => "longitude",
            MaskName::DateShift => "date_shift",
            MaskName::TimestampShift => "timestamp_shift",
            MaskName::Uuid => "uuid",
            MaskName::Ip => "ip",
            MaskName::Mac => "mac",
            MaskName::Bytes => "bytes",
            MaskName::Enum => "enum",
            MaskName::Shuffle => "shuffle",
        }
    }

    /// The options that a rule with this mask may set, besides `domain`, `confirm_check` and
    /// `accept_originals`.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            MaskName::FirstName
            | MaskName::LastName
            | MaskName::FullName
            | MaskName::StreetAddress
            | MaskName::City
            | MaskName::Company
            | MaskName::Text => &["locale"],
            MaskName::Email | MaskName::Username => &["locale", "unique"],
            MaskName::NationalId => &["country"],
            MaskName::Partial => &["keep_first", "keep_last"],
            MaskName::Constant => &["value"],
            MaskName::Noise => &["share", "scale", "distribution"],
            MaskName::Bucket => &["size", "unit"],
            MaskName::Latitude | MaskName::Longitude => &["meters"],
            MaskName::DateShift => &["days"],
            MaskName::TimestampShift => &["seconds"],
            MaskName::Ip => &["keep_bits"],
            MaskName::Shuffle => &["alone"],
            MaskName::Keep
            | MaskName::Phone
            | MaskName::Url
            | MaskName::Iban
            | MaskName::CreditCard
            | MaskName::Hash
            | MaskName::Null
            | MaskName::Blank
            | MaskName::Redact
            | MaskName::Digits
            | MaskName::Alphanumeric
            | MaskName::Integer
            | MaskName::Numeric
            | MaskName::Uuid
            | MaskName::Mac
            | MaskName::Bytes
            | MaskName::Enum => &[],
        }
    }
}

impl MaskName {
    /// True if what it makes of a value depends on the key, and so may on a subject.
    pub fn takes_subject(self) -> bool {
        !matches!(
            self,
            MaskName::Keep
                | MaskName::Null
                | MaskName::Blank
                | MaskName::Redact
                | MaskName::Constant
                | MaskName::Bucket
                | MaskName::Shuffle
        )
    }
}

impl fmt::Display for MaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MaskName {
    type Err = UnknownMask;

    fn from_str(name: &str) -> Result<MaskName, UnknownMask> {
        MaskName::ALL.into_iter().find(|mask| mask.as_str() == name).ok_or(UnknownMask)
    }
}

/// No mask has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no mask has this name")]
pub struct UnknownMask;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_what_serde_writes() {
        for mask in MaskName::ALL {
            assert_eq!(serde_json::to_value(mask).unwrap(), mask.as_str());
            assert_eq!(mask.as_str().parse(), Ok(mask));
        }
    }
}
