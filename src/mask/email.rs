//! E-mail addresses nobody can receive: reserved names of RFC 2606 behind the `@`.

use super::grammar::{Grammar, pseudo_word};
use super::locale::Locale;
use super::persona::Names;
use super::prf::Stream;
use super::{overlay, username};
use crate::datum::text::{Unit, units};

/// Domains that leave room for a name before them.
const DOMAINS: [&[u8]; 3] = [b"@example.com", b"@example.net", b"@example.org"];
/// Shortest part before one of [`DOMAINS`].
const SHORTEST_LOCAL: usize = 4;

/// Composes addresses.
pub(crate) struct Email {
    locals: Grammar,
}

impl Email {
    /// Addresses of people with names of this locale.
    pub(crate) fn new(locale: &Locale) -> Email {
        Email { locals: username::grammar(locale) }
    }

    /// Replaces a value that is not empty.
    pub(crate) fn mask(
        &self,
        value: &mut [u8],
        names: Option<&Names>,
        stream: &mut Stream,
        buffer: &mut Vec<u8>,
    ) {
        if value.is_ascii() {
            overlay::replace(value, stream, buffer, |stream, out| {
                self.write(names, stream, out);
            });
            value.make_ascii_lowercase();
            return;
        }
        // Longer characters stand at the front, so that the reserved domain stays whole.
        let places = units(value).count();
        let mut drawn = vec![0; places];
        self.write(names, stream, &mut drawn);
        drawn.make_ascii_lowercase();
        let mut letters: Vec<Unit> =
            units(value).filter(|unit| matches!(unit, Unit::Char(_))).collect();
        letters.resize(places, Unit::Ascii(0));
        buffer.clear();
        for (unit, &byte) in letters.iter().zip(&drawn) {
            overlay::put(buffer, *unit, byte, stream);
        }
        overlay::write_back(value, buffer);
    }

    /// Writes an address of exactly the length of `out`.
    fn write(&self, names: Option<&Names>, stream: &mut Stream, out: &mut [u8]) {
        let domain = stream.below(DOMAINS.len() as u32) as usize;
        let long = DOMAINS.get(domain).copied().unwrap_or(b"@test");
        let len = out.len();
        if len >= long.len() + SHORTEST_LOCAL {
            let (local, rest) = out.split_at_mut(len - long.len());
            rest.copy_from_slice(long);
            self.local(names, stream, local);
        } else if len >= 8 {
            // One letter of a name under the reserved top-level domain.
            let (local, rest) = out.split_at_mut(len - 7);
            rest.copy_from_slice(b"@x.test");
            if let Some(letter) = rest.get_mut(1) {
                *letter = stream.letter();
            }
            self.local(names, stream, local);
        } else if len >= 6 {
            let (local, rest) = out.split_at_mut(len - 5);
            rest.copy_from_slice(b"@test");
            match names {
                Some(names) => names.handle(stream, local),
                None => local.fill_with(|| stream.letter()),
            }
        } else {
            pseudo_word(stream, out);
        }
    }
}

impl Email {
    /// Writes what stands before the `@`.
    fn local(&self, names: Option<&Names>, stream: &mut Stream, local: &mut [u8]) {
        match names {
            Some(names) => names.handle(stream, local),
            None => {
                self.locals.compose(stream, local);
                spaces_to_dots(local);
            }
        }
    }
}

/// Phrases in a row have blanks between them; an address has none.
fn spaces_to_dots(local: &mut [u8]) {
    for byte in local.iter_mut().filter(|byte| **byte == b' ') {
        *byte = b'.';
    }
}
