//! Names to log in with, and the part of an e-mail address before the `@`.

use super::grammar::{Grammar, Part, Template};
use super::lexicon::Lexicon;
use super::locale::{self, Locale};
use super::overlay;
use super::persona::Names;
use super::prf::Stream;

/// Composes user names.
pub(crate) struct Username(Grammar);

impl Username {
    /// User names of people with names of this locale.
    pub(crate) fn new(locale: &Locale) -> Username {
        Username(grammar(locale))
    }

    /// Replaces a value that is not empty.
    pub(crate) fn mask(
        &self,
        value: &mut [u8],
        names: Option<&Names>,
        stream: &mut Stream,
        buffer: &mut Vec<u8>,
    ) {
        overlay::replace(value, stream, buffer, |stream, out| {
            match names {
                Some(names) => names.handle(stream, out),
                None => self.0.compose(stream, out),
            }
            out.make_ascii_lowercase();
            out.iter_mut().filter(|byte| **byte == b' ').for_each(|byte| *byte = b'.');
        });
    }
}

/// `anna.smith42` and the like, in small letters.
pub(crate) fn grammar(locale: &Locale) -> Grammar {
    let english = locale::english();
    let lexicon = |own: &[&'static str], reserve: &[&'static str]| {
        let letters = |words: &[&'static str]| -> Vec<String> {
            let plain = words.iter().filter(|w| w.bytes().all(|b| b.is_ascii_alphabetic()));
            plain.map(|word| word.to_ascii_lowercase()).collect()
        };
        let (own, reserve) = (letters(own), letters(reserve));
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let reserve: Vec<&str> = reserve.iter().map(String::as_str).collect();
        Lexicon::new(&own, &reserve, 8)
    };
    let lexicons = vec![
        lexicon(locale.first_names, english.first_names),
        lexicon(locale.last_names, english.last_names),
    ];
    let (first, last) = (Part::Word(0), Part::Word(1));
    let (dot, line) = (Part::Literal("."), Part::Literal("_"));
    let template = |tier, share, parts: &[Part]| Template { tier, share, parts: parts.to_vec() };
    Grammar::new(
        lexicons,
        vec![
            template(0, 1, &[first, dot, last]),
            template(0, 4, &[first, dot, last, Part::Number(1, 4)]),
            template(0, 1, &[first, line, last, Part::Number(1, 4)]),
            template(0, 1, &[Part::Letter, last, Part::Number(1, 4)]),
            template(0, 1, &[first, Part::Number(1, 4)]),
            template(1, 1, &[first, dot, first, dot, last, Part::Number(1, 4)]),
            template(1, 1, &[Part::Letter, Part::Number(1, 4)]),
        ],
    )
}
