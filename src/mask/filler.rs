//! Word-like filler: sentences of no meaning, to the exact length.

use super::grammar::pseudo_word;
use super::lexicon::Lexicon;
use super::locale::{self, Locale};
use super::prf::Stream;

/// Longest word used, so that the end of a text is never far from a word that fits.
const LONGEST: usize = 12;

/// Words by length, and in a row.
pub(crate) struct Filler {
    by_len: Lexicon,
    words: Vec<Vec<u8>>,
}

impl Filler {
    /// Filler in the locale's words, as far as they are ASCII.
    pub(crate) fn new(locale: &Locale) -> Filler {
        let short = |words: &[&'static str]| -> Vec<&'static str> {
            words.iter().copied().filter(|word| word.len() <= LONGEST).collect()
        };
        let by_len = Lexicon::new(&short(locale.words), &short(locale::english().words), 4);
        let words = by_len
            .lengths()
            .flat_map(|(len, count)| (0..count).map(move |index| (len, index)))
            .filter_map(|(len, index)| by_len.word(len, index))
            .map(<[u8]>::to_vec)
            .collect();
        Filler { by_len, words }
    }

    /// Writes filler of exactly the length of `out`.
    pub(crate) fn write(&self, stream: &mut Stream, out: &mut [u8]) {
        let mut rest = out;
        let mut words_left = 0;
        while rest.len() > LONGEST + 4 {
            let starts = words_left == 0;
            if starts {
                words_left = 4 + stream.below(9);
            }
            words_left -= 1;
            let word = stream.pick(&self.words).map(Vec::as_slice).unwrap_or(b"et");
            let end: &[u8] = if words_left == 0 { b". " } else { b" " };
            // At most LONGEST + 2 of more bytes than that.
            let (head, tail) = rest.split_at_mut(word.len() + end.len());
            let (letters, behind) = head.split_at_mut(word.len());
            letters.copy_from_slice(word);
            behind.copy_from_slice(end);
            if starts && let Some(first) = letters.first_mut() {
                first.make_ascii_uppercase();
            }
            rest = tail;
        }
        self.last_word(stream, rest, words_left == 0);
    }

    /// The last word, with a full stop where there is room for one.
    fn last_word(&self, stream: &mut Stream, out: &mut [u8], starts: bool) {
        let rest = match out.split_last_mut() {
            Some((stop, rest)) if rest.len() >= 3 => {
                *stop = b'.';
                rest
            }
            _ => out,
        };
        // Too long for one word: two.
        let rest = if rest.len() > LONGEST {
            let (head, tail) = rest.split_at_mut(5);
            self.word(stream, head.get_mut(..4).unwrap_or_default(), starts);
            if let Some(blank) = head.last_mut() {
                *blank = b' ';
            }
            tail
        } else {
            rest
        };
        self.word(stream, rest, starts);
    }

    fn word(&self, stream: &mut Stream, out: &mut [u8], starts: bool) {
        match self.by_len.word(out.len(), stream.below(self.by_len.count(out.len()))) {
            Some(word) => out.copy_from_slice(word),
            None => {
                pseudo_word(stream, out);
                out.make_ascii_lowercase();
            }
        }
        if starts && let Some(first) = out.first_mut() {
            first.make_ascii_uppercase();
        }
    }
}
