//! Names, cities, streets and companies: a word of exactly the length, or a phrase composed to it.

use std::collections::HashMap;

use super::grammar::{Grammar, Part, Template, pseudo_word};
use super::lexicon::Lexicon;
use super::locale::{self, Locale};
use super::overlay;
use super::prf::Stream;
use crate::datum::encoding::is_private;
use crate::datum::text::{Style, style};
use crate::rules::MaskName;

/// A locale with fewer words of some length gets the English ones of that length as well.
const ENOUGH_WORDS: usize = 8;

/// Bytes and characters of a word.
type Form = (usize, usize);

/// One mask's words and phrases.
pub(crate) struct Dictionary {
    grammar: Grammar,
    /// Words with letters beyond ASCII, by their form.
    foreign: HashMap<Form, Vec<&'static str>>,
    /// For full names: the forms of given and family name that make up a form.
    pairs: HashMap<Form, Vec<Pair>>,
    given: HashMap<Form, Vec<&'static str>>,
    family: HashMap<Form, Vec<&'static str>>,
    family_first: bool,
}

struct Pair {
    given: Form,
    family: Form,
}

/// Numbers of the lexicons within a grammar.
const FIRST: Part = Part::Word(0);
const LAST: Part = Part::Word(1);
const PREFIX: Part = Part::Word(2);
const SUFFIX: Part = Part::Word(3);
const KIND: Part = Part::Word(4);
const FIRM: Part = Part::Word(5);
const SPACE: Part = Part::Literal(" ");
const HYPHEN: Part = Part::Literal("-");

impl Dictionary {
    /// The dictionary of a mask. Masks that have none get that of `full_name`.
    pub(crate) fn new(mask: MaskName, locale: &Locale) -> Dictionary {
        let english = locale::english();
        let lexicon = |own: &[&'static str], reserve: &[&'static str]| {
            Lexicon::new(own, reserve, ENOUGH_WORDS)
        };
        let lexicons = vec![
            lexicon(locale.first_names, english.first_names),
            lexicon(locale.last_names, english.last_names),
            affixes(locale.city_prefixes, english.city_prefixes),
            affixes(locale.city_suffixes, english.city_suffixes),
            affixes(locale.street_suffixes, english.street_suffixes),
            affixes(locale.company_suffixes, english.company_suffixes),
        ];
        let foreign = match mask {
            MaskName::FirstName => by_form(locale.first_names),
            MaskName::LastName => by_form(locale.last_names),
            _ => HashMap::new(),
        };
        let mut dictionary = Dictionary {
            grammar: Grammar::new(lexicons, templates(mask, locale)),
            foreign,
            pairs: HashMap::new(),
            given: HashMap::new(),
            family: HashMap::new(),
            family_first: locale.family_first,
        };
        if mask == MaskName::FullName {
            dictionary.pair_up(locale);
        }
        dictionary
    }

    /// Replaces a value that is not empty.
    #[inline]
    pub(crate) fn mask(&self, value: &mut [u8], stream: &mut Stream, buffer: &mut Vec<u8>) {
        if !value.is_ascii() && self.foreign_word(value, stream, buffer) {
            value.copy_from_slice(buffer);
            return;
        }
        overlay::replace(value, stream, buffer, |stream, out| match out.len() {
            0 => {}
            1 | 2 => pseudo_word(stream, out),
            _ => self.grammar.compose(stream, out),
        });
    }

    /// Puts a word of the value's form into `buffer`; false if there is none but the value itself.
    fn foreign_word(&self, value: &[u8], stream: &mut Stream, buffer: &mut Vec<u8>) -> bool {
        let Ok(text) = str::from_utf8(value) else { return false };
        if text.chars().any(is_private) {
            return false;
        }
        let form = (text.len(), text.chars().count());
        for _ in 0..4 {
            buffer.clear();
            if let Some(word) = self.foreign.get(&form).and_then(|words| stream.pick(words)) {
                buffer.extend_from_slice(word.as_bytes());
            } else if let Some(pair) = self.pairs.get(&form).and_then(|pairs| stream.pick(pairs)) {
                let given = self.given.get(&pair.given).and_then(|words| stream.pick(words));
                let family = self.family.get(&pair.family).and_then(|words| stream.pick(words));
                let (Some(given), Some(family)) = (given, family) else { return false };
                let names = if self.family_first { [*family, *given] } else { [*given, *family] };
                let between = if self.family_first { "" } else { " " };
                buffer.extend_from_slice(names.join(between).as_bytes());
            } else {
                return false;
            }
            restyle(buffer, cased(text));
            if buffer != value && buffer.len() == value.len() {
                return true;
            }
        }
        false
    }

    fn pair_up(&mut self, locale: &Locale) {
        self.given = every_form(locale.first_names);
        self.family = every_form(locale.last_names);
        let between = usize::from(!self.family_first);
        let mut given: Vec<Form> = self.given.keys().copied().collect();
        let mut family: Vec<Form> = self.family.keys().copied().collect();
        given.sort_unstable();
        family.sort_unstable();
        for &g in &given {
            for &f in &family {
                let form = (g.0 + f.0 + between, g.1 + f.1 + between);
                if form.0 != form.1 {
                    self.pairs.entry(form).or_default().push(Pair { given: g, family: f });
                }
            }
        }
    }
}

/// What stands before and behind names: English only where the locale has nothing in ASCII, or
/// streets would speak two languages.
fn affixes(own: &[&'static str], english: &[&'static str]) -> Lexicon {
    let any = own.iter().any(|affix| !affix.is_empty() && affix.is_ascii());
    Lexicon::new(if any { own } else { english }, &[], 0)
}

/// The templates of a mask.
fn templates(mask: MaskName, locale: &Locale) -> Vec<Template> {
    let tier =
        |tier: u8, share: usize, parts: &[Part]| Template { tier, share, parts: parts.to_vec() };
    match mask {
        MaskName::FirstName => vec![
            tier(0, 1, &[FIRST]),
            tier(1, 2, &[FIRST, HYPHEN, FIRST]),
            tier(1, 1, &[FIRST, SPACE, FIRST]),
            tier(2, 1, &[FIRST, SPACE, FIRST, SPACE, FIRST]),
        ],
        MaskName::LastName => vec![
            tier(0, 1, &[LAST]),
            tier(1, 2, &[LAST, HYPHEN, LAST]),
            tier(1, 1, &[LAST, SPACE, LAST]),
            tier(2, 1, &[LAST, SPACE, LAST, HYPHEN, LAST]),
        ],
        MaskName::City => vec![
            tier(0, 2, &[LAST, SUFFIX]),
            tier(0, 1, &[FIRST, SUFFIX]),
            tier(1, 2, &[PREFIX, SPACE, LAST, SUFFIX]),
            tier(1, 1, &[LAST]),
            tier(2, 1, &[PREFIX, SPACE, LAST, HYPHEN, LAST, SUFFIX]),
            tier(2, 1, &[FIRST]),
        ],
        MaskName::Company => vec![
            tier(0, 3, &[LAST, SPACE, FIRM]),
            tier(0, 1, &[LAST, HYPHEN, LAST]),
            tier(1, 2, &[LAST, HYPHEN, LAST, SPACE, FIRM]),
            tier(1, 1, &[LAST]),
            tier(2, 1, &[LAST, Part::Literal(", "), LAST, Part::Literal(" & "), LAST]),
        ],
        MaskName::StreetAddress => {
            let number = Part::Number(1, 5);
            let street = |level: u8, share: usize, names: &[Part], behind: &[Part]| {
                let mut parts = vec![number, SPACE];
                if locale.street_kind_first {
                    parts.extend([KIND, SPACE]);
                    parts.extend(names);
                } else {
                    parts.extend(names);
                    parts.extend((!locale.street_glued).then_some(SPACE));
                    parts.push(KIND);
                }
                parts.extend(behind);
                tier(level, share, &parts)
            };
            let unit = [Part::Literal(", "), Part::Number(1, 3)];
            vec![
                street(0, 2, &[LAST], &[]),
                street(0, 1, &[FIRST], &[]),
                street(1, 2, &[FIRST, SPACE, LAST], &[]),
                street(1, 1, &[LAST], &unit),
                street(2, 1, &[FIRST, SPACE, LAST], &unit),
                tier(1, 1, &[number, SPACE, LAST]),
                tier(2, 1, &[LAST]),
            ]
        }
        _ => vec![
            tier(0, 1, &[FIRST, SPACE, LAST]),
            tier(1, 1, &[FIRST, SPACE, Part::Initial, Part::Literal(". "), LAST]),
            tier(1, 1, &[FIRST, SPACE, LAST, HYPHEN, LAST]),
            tier(2, 1, &[FIRST, SPACE, FIRST, SPACE, LAST, HYPHEN, LAST]),
            tier(2, 1, &[Part::Initial, Part::Literal(". "), LAST]),
            tier(3, 1, &[LAST]),
        ],
    }
}

/// All words by bytes and characters.
fn every_form(words: &[&'static str]) -> HashMap<Form, Vec<&'static str>> {
    let mut forms: HashMap<Form, Vec<&'static str>> = HashMap::new();
    for &word in words.iter().filter(|word| !word.is_empty()) {
        forms.entry((word.len(), word.chars().count())).or_default().push(word);
    }
    for list in forms.values_mut() {
        list.sort_unstable();
        list.dedup();
    }
    forms
}

/// The words that are not ASCII.
fn by_form(words: &[&'static str]) -> HashMap<Form, Vec<&'static str>> {
    let mut forms = every_form(words);
    forms.retain(|form, _| form.0 != form.1);
    forms
}

/// How a text with letters beyond ASCII is written.
fn cased(text: &str) -> Style {
    match (text.chars().any(char::is_uppercase), text.chars().any(char::is_lowercase)) {
        (true, false) => Style::Upper,
        (false, true) => Style::Lower,
        _ => style(&[]),
    }
}

/// Writes all letters in one case, where that changes no length.
fn restyle(buffer: &mut Vec<u8>, style: Style) {
    let Ok(text) = str::from_utf8(buffer) else { return };
    let other: String = match style {
        Style::Upper => text.chars().map(|c| same_length(c, c.to_uppercase())).collect(),
        Style::Lower => text.chars().map(|c| same_length(c, c.to_lowercase())).collect(),
        Style::Mixed => return,
    };
    *buffer = other.into_bytes();
}

fn same_length(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) if one.len_utf8() == c.len_utf8() => one,
        _ => c,
    }
}
