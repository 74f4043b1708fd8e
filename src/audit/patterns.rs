//! Many byte strings searched for at once, at every alignment.
//!
//! Two bitmaps over the first four and eight bytes throw out nearly every position; what passes
//! is looked up in the sorted patterns. Patterns that begin with one another are linked, so that
//! one look-up finds all that start at a position.

use std::borrow::Cow;

use zeroize::Zeroize;

use crate::datum::ValueType;

/// No more than this much of a value is compared: a leak of so much is a leak.
pub(super) const LONGEST: usize = 64;
/// From this length on a text counts wherever it stands; a shorter one counts as a whole datum or
/// a whole word,
const LONG_TEXT: usize = 12;
/// and one shorter than this as a whole datum alone: chance makes such words in any binary data.
const WORD: usize = 6;

/// A filter of so many bits stays in a core's second-level cache.
const FILTER_BITS: u32 = 21;

/// A bitmap over hashed keys: no false negatives.
struct Filter(Vec<u64>);

impl Filter {
    fn new() -> Filter {
        Filter(vec![0; 1 << (FILTER_BITS - 6)])
    }

    fn slot(key: u64) -> (usize, u64) {
        let slot = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - FILTER_BITS);
        ((slot >> 6) as usize, 1 << (slot & 63))
    }

    fn enter(&mut self, key: u64) {
        let (word, bit) = Self::slot(key);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    #[inline]
    fn passes(&self, key: u64) -> bool {
        let (word, bit) = Self::slot(key);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// An original value to search for.
#[derive(Clone, Copy, Debug)]
struct Pattern {
    start: u32,
    len: u8,
    /// True for a text shorter than [`LONG_TEXT`].
    short_text: bool,
    /// The longest other pattern that this one begins with.
    prefix: Option<u32>,
}

/// The patterns of a search, in byte order.
pub(super) struct PatternSet {
    bytes: Vec<u8>,
    patterns: Vec<Pattern>,
    /// Masked columns that each pattern is an original value of, as indices.
    columns: Vec<Vec<u32>>,
    /// Start of the patterns by their first two bytes.
    directory: Vec<u32>,
    /// The first four bytes of every pattern.
    four: Filter,
    /// The first four bytes of patterns shorter than eight.
    short: Filter,
    /// The first eight bytes of the others.
    eight: Filter,
}

impl Drop for PatternSet {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// How a constant's bytes stand in an expression of the catalogs (a default, an index predicate, a
/// view): signed decimal numbers between blanks; `_outDatum`, `nodes/outfuncs.c`.
fn as_in_node_tree(value: &[u8]) -> Vec<u8> {
    let numbers = value.iter().map(|byte| (*byte as i8).to_string());
    let mut text = numbers.take(LONGEST / 2).collect::<Vec<_>>().join(" ").into_bytes();
    text.truncate(LONGEST);
    text
}

#[inline]
fn head4(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|head| u64::from(u32::from_le_bytes(*head)))
}

#[inline]
fn head8(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|head| u64::from_le_bytes(*head))
}

impl PatternSet {
    /// A set of `(column, type, value)`. Values shorter than four bytes are left out.
    pub(super) fn new<'v>(
        values: impl IntoIterator<Item = (u32, ValueType, &'v [u8])>,
    ) -> PatternSet {
        let mut sorted: Vec<(Cow<'v, [u8]>, bool, u32)> = Vec::new();
        for (column, value_type, value) in values {
            let is_text = value_type.is_text();
            let value = match value_type {
                ValueType::Name => value.split(|&byte| byte == 0).next().unwrap_or_default(),
                _ if is_text => value.trim_ascii_end(),
                _ => value,
            };
            if value.len() < 4 {
                continue;
            }
            let short_text = is_text && value.len() < LONG_TEXT;
            sorted.push((Cow::Borrowed(value.get(..LONGEST).unwrap_or(value)), short_text, column));
            if is_text {
                sorted.push((Cow::Owned(as_in_node_tree(value)), false, column));
            }
        }
        sorted.sort_unstable();

        let mut set = PatternSet {
            bytes: Vec::new(),
            patterns: Vec::new(),
            columns: Vec::new(),
            directory: Vec::with_capacity(65_537),
            four: Filter::new(),
            short: Filter::new(),
            eight: Filter::new(),
        };
        // Patterns that the next one may begin with, shortest first.
        let mut open: Vec<u32> = Vec::new();
        for (value, short_text, column) in &sorted {
            let (value, short_text, column) = (value.as_ref(), *short_text, *column);
            if let Some(last) = set.patterns.len().checked_sub(1)
                && set.value(last) == value
            {
                if let (Some(columns), Some(pattern)) =
                    (set.columns.get_mut(last), set.patterns.get_mut(last))
                {
                    columns.push(column);
                    columns.dedup();
                    // A fixed-width value counts wherever it stands, whatever else it equals.
                    pattern.short_text &= short_text;
                }
                continue;
            }
            while open.last().is_some_and(|last| !value.starts_with(set.value(*last as usize))) {
                open.pop();
            }
            let index = set.patterns.len() as u32;
            set.patterns.push(Pattern {
                start: set.bytes.len() as u32,
                len: value.len() as u8,
                prefix: open.last().copied(),
                short_text,
            });
            set.columns.push(vec![column]);
            set.bytes.extend_from_slice(value);
            open.push(index);
            set.enter(value);
        }
        set.build_directory();
        for (value, ..) in sorted {
            if let Cow::Owned(mut value) = value {
                value.zeroize();
            }
        }
        set
    }

    fn enter(&mut self, value: &[u8]) {
        let Some(four) = head4(value) else { return };
        self.four.enter(four);
        match head8(value) {
            Some(eight) => self.eight.enter(eight),
            None => self.short.enter(four),
        }
    }

    fn build_directory(&mut self) {
        let mut next = 0;
        for head in 0..=u16::MAX {
            let before = |index: usize| {
                let pattern = self.value(index).first_chunk::<2>().copied();
                pattern.is_some_and(|first| u16::from_be_bytes(first) < head)
            };
            while next < self.patterns.len() && before(next) {
                next += 1;
            }
            self.directory.push(next as u32);
        }
        self.directory.push(self.patterns.len() as u32);
    }

    /// Number of patterns.
    pub(super) fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Masked columns that pattern `index` is an original value of.
    pub(super) fn columns(&self, index: usize) -> &[u32] {
        self.columns.get(index).map(Vec::as_slice).unwrap_or_default()
    }

    fn value(&self, index: usize) -> &[u8] {
        self.patterns.get(index).map(|pattern| self.slice(pattern)).unwrap_or_default()
    }

    fn slice(&self, pattern: &Pattern) -> &[u8] {
        let start = pattern.start as usize;
        self.bytes.get(start..start + usize::from(pattern.len)).unwrap_or_default()
    }

    /// Calls `found(position, pattern, counts)` for each pattern that starts at a position in
    /// `from..to` of `bytes`; what is around says whether a short text counts there.
    pub(super) fn search(
        &self,
        bytes: &[u8],
        from: usize,
        to: usize,
        mut found: impl FnMut(usize, usize, bool),
    ) {
        let Some(window) = bytes.get(from..) else { return };
        for (position, four) in (from..to).zip(window.windows(4)) {
            let Some(four) = head4(four).filter(|four| self.four.passes(*four)) else { continue };
            let rest = bytes.get(position..).unwrap_or_default();
            if head8(rest).is_some_and(|eight| self.eight.passes(eight)) || self.short.passes(four)
            {
                self.look_up(bytes, position, rest, &mut found);
            }
        }
    }

    /// True if the pattern, which starts at `position` of `datum`, counts there with nothing around
    /// the datum.
    pub(super) fn counts_alone(&self, datum: &[u8], position: usize, pattern: usize) -> bool {
        self.patterns.get(pattern).is_some_and(|pattern| {
            !pattern.short_text || stands_alone(datum, position, usize::from(pattern.len))
        })
    }

    /// All patterns that `rest` begins with are the last pattern not after `rest`, or patterns
    /// that this one begins with.
    fn look_up(
        &self,
        bytes: &[u8],
        position: usize,
        rest: &[u8],
        found: &mut impl FnMut(usize, usize, bool),
    ) {
        let Some(head) = rest.first_chunk::<2>() else { return };
        let head = usize::from(u16::from_be_bytes(*head));
        let bound = |index: usize| self.directory.get(index).map_or(0, |start| *start as usize);
        let (low, high) = (bound(head), bound(head + 1));
        let range = self.patterns.get(low..high).unwrap_or_default();
        let text = rest.get(..LONGEST).unwrap_or(rest);
        let after = range.partition_point(|pattern| self.slice(pattern) <= text);
        let mut candidate = after.checked_sub(1).map(|index| low + index);
        while let Some(index) = candidate {
            let Some(pattern) = self.patterns.get(index) else { return };
            let value = self.slice(pattern);
            if text.starts_with(value) {
                let counts = !pattern.short_text || stands_alone(bytes, position, value.len());
                found(position, index, counts);
            }
            candidate = pattern.prefix.map(|prefix| prefix as usize);
        }
    }
}

/// True if the `len` bytes at `position` are a whole varlena, or a whole word that is long enough.
fn stands_alone(bytes: &[u8], position: usize, len: usize) -> bool {
    let before = bytes.get(..position).unwrap_or_default();
    let short_header = ((len + 1) << 1 | 1) as u8;
    let plain_header = (((len + 4) << 2) as u32).to_le_bytes();
    if before.last() == Some(&short_header) || before.ends_with(&plain_header) {
        return true;
    }
    if len < WORD {
        return false;
    }
    let in_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b >= 0x80);
    !in_word(before.last()) && !in_word(bytes.get(position + len))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same search, written to be obviously right.
    fn naive(values: &[Vec<u8>], bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
        let mut found = Vec::new();
        for position in 0..bytes.len() {
            for value in values {
                let value = value.trim_ascii_end();
                if value.len() >= 4
                    && bytes[position..].starts_with(value)
                    && (value.len() >= LONG_TEXT || stands_alone(bytes, position, value.len()))
                {
                    found.push((position, value.to_vec()));
                }
            }
        }
        found.sort();
        found.dedup();
        found
    }

    fn fast(values: &[Vec<u8>], bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
        let set =
            PatternSet::new(values.iter().map(|value| (0, ValueType::Text, value.as_slice())));
        let mut found = Vec::new();
        set.search(bytes, 0, bytes.len(), |position, pattern, counts| {
            if counts {
                found.push((position, set.value(pattern).to_vec()));
            }
        });
        found.sort();
        found
    }

    #[test]
    fn finds_words_and_datums_but_not_parts_of_words() {
        let values = vec![b"Anna".to_vec(), b"Johanna".to_vec()];
        assert_eq!(fast(&values, b"call Johanna.").len(), 1);
        assert_eq!(fast(&values, b"call Johannas or xJohanna").len(), 0);
        assert_eq!(fast(&values, b"call Anna.").len(), 0, "too short for a word");
        assert_eq!(fast(&values, b"x\x0bAnnaz").len(), 1, "short varlena header");
        assert_eq!(fast(&values, b"x\x20\0\0\0Annaz").len(), 1, "plain varlena header");
    }

    #[test]
    fn finds_long_values_anywhere() {
        let values = vec![b"a long enough value".to_vec()];
        assert_eq!(fast(&values, b"zza long enough valuezz").len(), 1);
    }

    #[test]
    fn finds_constants_in_node_trees() {
        let values = vec![b"Anna".to_vec()];
        assert_eq!(fast(&values, b":constvalue 8 [ 32 0 0 0 65 110 110 97 ]})").len(), 1);
    }

    #[test]
    fn finds_at_the_very_end_and_ignores_what_is_cut() {
        let values = vec![b"canary-canary-canary".to_vec()];
        assert_eq!(fast(&values, b"..canary-canary-canary").len(), 1);
        assert_eq!(fast(&values, b"..canary-canary-canar").len(), 0);
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_search(
            values in prop::collection::vec("[ab ]{3,20}", 1..20),
            text in "[ab .]{0,300}",
        ) {
            let values: Vec<Vec<u8>> = values.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(fast(&values, text.as_bytes()), naive(&values, text.as_bytes()));
        }
    }
}
