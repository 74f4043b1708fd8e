//! Personas: addresses and user names made of the names that the same row is masked to.

use super::prf::Stream;

/// A person's names, in small letters of ASCII. At least one is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    given: Vec<u8>,
    family: Vec<u8>,
}

impl Names {
    /// From the masked names of a row, given name first: the first word of the first and the last
    /// word of the last. `None` where there is no letter of ASCII in them.
    pub(crate) fn new<'n>(masked: impl Iterator<Item = &'n [u8]>) -> Option<Names> {
        let words = masked.map(|name| {
            let words = name.split(|byte| *byte == b' ').map(letters);
            words.filter(|word| !word.is_empty()).collect::<Vec<_>>()
        });
        let mut words = words.flatten().collect::<Vec<_>>().into_iter();
        let given = words.next()?;
        Some(Names { given, family: words.next_back().unwrap_or_default() })
    }

    /// Writes what a person of these names might be called where there is no blank, to the exact
    /// length: `anna.smith`, with digits or the names again behind it if there is more room, and
    /// `asmith7`, `anna42` or a part of it if there is less.
    pub(crate) fn handle(&self, stream: &mut Stream, out: &mut [u8]) {
        let Names { given, family } = self;
        let initial = given.get(..1).unwrap_or_default();
        let both = [given.as_slice(), family].join(&b'.');
        let short = [initial, family].concat();
        let room = out.len();
        let stem = match () {
            () if family.is_empty() => given,
            () if both.len() <= room => &both,
            () if short.len() <= room => &short,
            () => given,
        };
        let digits = room.saturating_sub(stem.len());
        let drawn = if digits <= MOST_DIGITS { digits } else { 0 };
        let names =
            stem.iter().chain(std::iter::repeat_n([&b'.'].into_iter().chain(stem), room).flatten());
        let (text, number) = out.split_at_mut(room - drawn);
        text.iter_mut().zip(names).for_each(|(to, from)| *to = *from);
        stream.digits(number);
        // A dot is no end.
        if let Some(last @ b'.') = out.last_mut() {
            *last = stream.digit();
        }
    }

    /// Writes `anna smith` or `a. smith`; false if neither has the length.
    pub(crate) fn full(&self, out: &mut [u8]) -> bool {
        let Names { given, family } = self;
        let initial = given.get(..1).unwrap_or_default();
        let forms = [
            [given.as_slice(), family].join(&b' '),
            [initial, b". ", family].concat(),
            [initial, b" ", family].concat(),
        ];
        let form = forms.iter().find(|form| form.len() == out.len() && !family.is_empty());
        form.is_some_and(|form| {
            let heads = std::iter::once(b' ').chain(form.iter().copied());
            for ((to, from), before) in out.iter_mut().zip(form).zip(heads) {
                *to = if before == b' ' { from.to_ascii_uppercase() } else { *from };
            }
            true
        })
    }
}

/// Digits behind a name, at most.
const MOST_DIGITS: usize = 4;

fn letters(word: &[u8]) -> Vec<u8> {
    let letters = word.iter().filter(|byte| byte.is_ascii_alphabetic());
    letters.map(u8::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(masked: &[&str]) -> Names {
        Names::new(masked.iter().map(|name| name.as_bytes())).unwrap()
    }

    fn handle(names: &Names, len: usize) -> String {
        let mut out = vec![0; len];
        names.handle(&mut Stream::from_seed([3; 32]), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn handles_are_made_of_the_names_as_far_as_the_length_allows() {
        let anna = names(&["Anna", "O'Hara"]);
        let starts = |len: usize, start: &str| {
            let found = handle(&anna, len);
            assert_eq!(found.len(), len);
            let rest = found.strip_prefix(start).unwrap_or_else(|| panic!("{len}: {found}"));
            assert!(rest.bytes().all(|byte| byte.is_ascii_digit()), "{found}");
        };
        for (len, start) in [
            (1, "a"),
            (3, "ann"),
            (4, "anna"),
            (5, "anna"),
            (6, "aohara"),
            (9, "aohara"),
            (10, "anna.ohara"),
            (14, "anna.ohara"),
            (15, "anna.ohara.anna"),
            (21, "anna.ohara.anna.ohara"),
            (22, "anna.ohara.anna.ohara"),
        ] {
            starts(len, start);
        }
        assert_eq!(handle(&names(&["Zo\u{eb}"]), 2), "zo");
        assert_eq!(names(&["Ann Mary Lee"]), names(&["Ann", "Lee"]));
        assert_eq!(Names::new([" 12 ".as_bytes(), "\u{6771}".as_bytes()].into_iter()), None);
    }

    #[test]
    fn full_names_are_the_names_where_they_have_the_length() {
        let anna = names(&["Anna", "Smith"]);
        let full = |len: usize| {
            let mut out = vec![0; len];
            anna.full(&mut out).then(|| String::from_utf8(out).unwrap())
        };
        assert_eq!(full(10).as_deref(), Some("Anna Smith"));
        assert_eq!(full(8).as_deref(), Some("A. Smith"));
        assert_eq!(full(7).as_deref(), Some("A Smith"));
        assert_eq!(full(9), None);
    }
}
