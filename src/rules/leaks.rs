//! What a masked value still tells. The one place that says so: reports read it, and a test holds
//! the manual (`docs/masks.md`) to it.

use serde::{Deserialize, Serialize};

use super::{MaskName, MaskOptions};

/// What a reader of masked values learns of the originals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaks {
    /// How long the value is stored.
    pub length: bool,
    /// Which values are equal, and so how often each comes.
    pub equality: bool,
    /// Which value is the greater.
    pub order: Order,
    /// Which values are NULL.
    pub nulls: bool,
    /// What else.
    pub also: String,
}

impl Leaks {
    /// What is to be learned where some values have one mask, and others another.
    pub fn or(self, other: Leaks) -> Leaks {
        let also = match (self.also.as_str(), other.also.as_str()) {
            (one, other) if one == other => one.to_owned(),
            ("", one) | (one, "") => one.to_owned(),
            (one, other) => format!("{one}; or {other}"),
        };
        Leaks {
            length: self.length || other.length,
            equality: self.equality || other.equality,
            order: self.order.max(other.order),
            nulls: self.nulls || other.nulls,
            also,
        }
    }
}

/// How much of the order of values is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// None.
    None,
    /// Of values that are far enough apart.
    Rough,
    /// All.
    Full,
}

impl MaskName {
    /// What the mask leaves to be learned.
    pub fn leaks(self, options: &MaskOptions) -> Leaks {
        let leaks = |equality: bool, order: Order, also: &str| Leaks {
            length: true,
            equality,
            order,
            nulls: true,
            also: also.to_owned(),
        };
        let equal = |also: &str| leaks(true, Order::None, also);
        match self {
            MaskName::Keep => leaks(true, Order::Full, "everything: the value stays"),
            MaskName::FirstName
            | MaskName::LastName
            | MaskName::FullName
            | MaskName::StreetAddress
            | MaskName::City
            | MaskName::Company
            | MaskName::Text => equal("style (capitals, small letters)"),
            MaskName::Email | MaskName::Username if options.unique => {
                equal("form: punctuation, classes and case of characters in their places")
            }
            MaskName::Email => equal(""),
            MaskName::Username => equal("style (capitals, small letters)"),
            MaskName::Phone => equal("form, leading zeros"),
            MaskName::Url => equal("scheme"),
            MaskName::Iban => equal("country, form, validity"),
            MaskName::CreditCard => equal("network, digit count"),
            MaskName::NationalId => equal("form"),
            MaskName::Partial => equal("both ends, punctuation, classes of characters"),
            MaskName::Hash | MaskName::Bytes => equal(""),
            MaskName::Digits => equal("every character that is no digit"),
            MaskName::Alphanumeric => equal("classes of characters in their places"),
            MaskName::Integer => equal("zero, sign, digit count"),
            MaskName::Numeric => equal("zero, sign, order of magnitude, scale"),
            MaskName::Noise => leaks(true, Order::Rough, "the value, to within the noise"),
            MaskName::Bucket => leaks(true, Order::Full, "the bucket that the value is in"),
            MaskName::Latitude | MaskName::Longitude => {
                leaks(true, Order::Rough, "the place, to within the distance")
            }
            MaskName::DateShift => {
                leaks(true, Order::Rough, "the time of day; the date, to within the shift")
            }
            MaskName::TimestampShift => leaks(
                true,
                Order::Rough,
                "the fraction of the second; the moment, to within the shift",
            ),
            MaskName::Uuid => equal("version and variant"),
            MaskName::Ip => equal("family, netmask, the prefix that is kept"),
            MaskName::Mac => equal("whether it is a group's"),
            MaskName::Enum => equal("how frequent each label is"),
            MaskName::Shuffle => leaks(
                false,
                Order::None,
                "every value of the column and how often it comes, but not in which row",
            ),
            MaskName::Null => leaks(
                false,
                Order::None,
                "length and NULL to a reader of the files alone, by the room that values leave",
            ),
            MaskName::Blank | MaskName::Redact | MaskName::Constant => {
                leaks(false, Order::None, "for numeric: digit count, weight and scale")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The manual's line on what a mask shows.
    fn shown(mask: MaskName) -> &'static str {
        let manual = include_str!("../../docs/masks.md");
        let name = format!("`{mask}`");
        let section = manual
            .split("\n## ")
            .find(|section| section.lines().next().is_some_and(|title| title.contains(&name)))
            .unwrap_or_else(|| panic!("no section of {mask}"));
        let line = section.lines().find_map(|line| line.strip_prefix("- **Shows**: "));
        line.unwrap_or_else(|| panic!("{mask} does not say what it shows"))
    }

    #[test]
    fn the_manual_says_the_same() {
        for mask in MaskName::ALL {
            let shown = match shown(mask) {
                "as `redact`" => shown(MaskName::Redact),
                shown => shown,
            };
            let leaks = mask.leaks(&MaskOptions::default());
            if mask == MaskName::Keep {
                assert_eq!(shown, "everything");
                continue;
            }
            let equality = shown.contains("equality") && !shown.contains("not equality")
                || mask == MaskName::Bucket;
            assert_eq!(leaks.equality, equality, "{mask}: {shown}");
            let order = shown.contains("order of") || shown.contains("to within");
            if mask != MaskName::Bucket {
                assert_eq!(leaks.order != Order::None, order, "{mask}: {shown}");
            }
        }
    }
}
