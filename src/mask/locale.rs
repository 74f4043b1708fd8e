//! The word tables of `fake`, by locale.
//!
//! Their contents are part of the masks' function: the crate's version is pinned by the lock file
//! and by the golden vectors.

use fake::locales::{self, Data};

/// The tables that masks draw from.
#[derive(Clone, Copy)]
pub(crate) struct Locale {
    pub(crate) first_names: &'static [&'static str],
    pub(crate) last_names: &'static [&'static str],
    pub(crate) city_prefixes: &'static [&'static str],
    pub(crate) city_suffixes: &'static [&'static str],
    pub(crate) street_suffixes: &'static [&'static str],
    pub(crate) company_suffixes: &'static [&'static str],
    pub(crate) words: &'static [&'static str],
    /// `Rue Martin`, not `Martin Street`.
    pub(crate) street_kind_first: bool,
    /// `Martinweg`, not `Martin Street`.
    pub(crate) street_glued: bool,
    /// Family name before given name, nothing between.
    pub(crate) family_first: bool,
}

/// The locales that a rule may name.
pub(crate) const NAMES: &[&str] =
    &["en", "fr", "de", "it", "nl", "pt", "pt_BR", "tr", "cy", "zh", "zh_TW", "ja", "ar", "fa"];

/// The locale of this name; case, `-` or `_`, and the country where there is one only don't
/// matter.
pub(crate) fn find(name: &str) -> Option<Locale> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let (language, country) = name.split_once('_').unwrap_or((&name, ""));
    Some(match (language, country) {
        ("en", _) => of::<locales::EN>(),
        ("fr", _) => of::<locales::FR_FR>(),
        ("de", _) => of::<locales::DE_DE>(),
        ("it", _) => of::<locales::IT_IT>(),
        ("nl", _) => of::<locales::NL_NL>(),
        ("pt", "br") => of::<locales::PT_BR>(),
        ("pt", _) => of::<locales::PT_PT>(),
        ("tr", _) => of::<locales::TR_TR>(),
        ("cy", _) => of::<locales::CY_GB>(),
        ("zh", "tw" | "hk") => Locale { family_first: true, ..of::<locales::ZH_TW>() },
        ("zh", _) => Locale { family_first: true, ..of::<locales::ZH_CN>() },
        ("ja", _) => Locale { family_first: true, ..of::<locales::JA_JP>() },
        ("ar", _) => of::<locales::AR_SA>(),
        ("fa", _) => of::<locales::FA_IR>(),
        _ => return None,
    })
}

/// The locale of rules that name none.
pub(crate) fn english() -> Locale {
    of::<locales::EN>()
}

fn of<L: Data>() -> Locale {
    Locale {
        first_names: L::NAME_FIRST_NAME,
        last_names: L::NAME_LAST_NAME,
        city_prefixes: L::ADDRESS_CITY_PREFIX,
        city_suffixes: L::ADDRESS_CITY_SUFFIX,
        street_suffixes: L::ADDRESS_STREET_SUFFIX,
        company_suffixes: L::COMPANY_SUFFIX,
        words: L::LOREM_WORD,
        street_kind_first: L::ADDRESS_STREET_TPL.starts_with("{StreetSuffix}"),
        street_glued: L::ADDRESS_STREET_SUFFIX
            .iter()
            .all(|suffix| suffix.starts_with(char::is_lowercase)),
        family_first: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_locale_is_found() {
        for name in NAMES {
            assert!(find(name).is_some_and(|locale| !locale.first_names.is_empty()), "{name}");
        }
        assert!(find("FR-fr").is_some_and(|locale| locale.street_kind_first));
        assert!(find("klingon").is_none());
    }
}
