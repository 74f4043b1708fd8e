//! Which masked columns a value is an original of.

use std::collections::{BTreeSet, HashMap};

use crate::datum::ValueType;
use crate::rewrite::ColumnOriginals;

/// The audit's measure: a text counts as a whole value from here on,
const SHORTEST: usize = 4;
/// and as a word or words of a longer text from here on.
const WORD: usize = 6;
/// Originals are known by so much of their beginning.
const LONGEST: usize = 64;

/// The originals of all masked columns, numbered as they came. The one place that knows how they
/// are remembered.
pub(super) struct KnownOriginals<'a> {
    columns: HashMap<&'a [u8], BTreeSet<usize>>,
}

/// An original that was found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Find {
    /// Its bytes, as [`ColumnOriginals::forget`] takes them.
    pub(super) value: Vec<u8>,
    /// Columns that it is an original of.
    pub(super) columns: BTreeSet<usize>,
}

impl<'a> KnownOriginals<'a> {
    pub(super) fn new(originals: &'a [ColumnOriginals]) -> KnownOriginals<'a> {
        let mut columns: HashMap<&[u8], BTreeSet<usize>> = HashMap::new();
        for (index, of) in originals.iter().enumerate() {
            for value in &of.sample {
                let value = of.comparable(value);
                if value.len() >= SHORTEST {
                    columns.entry(value).or_default().insert(index);
                }
            }
        }
        KnownOriginals { columns }
    }

    /// A value that stands by itself, as it is stored.
    pub(super) fn whole(&self, value: &[u8]) -> Option<Find> {
        let head = value.get(..LONGEST).unwrap_or(value);
        [head, head.trim_ascii_end()].into_iter().find_map(|value| self.find(value))
    }

    /// Words of a longer text.
    pub(super) fn words(&self, text: &[u8], found: &mut BTreeSet<Find>) {
        let in_word = |byte: Option<&u8>| {
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80)
        };
        let ends: Vec<bool> = (0..=text.len()).map(|at| !in_word(text.get(at))).collect();
        for start in 0..text.len() {
            if start.checked_sub(1).is_some_and(|before| in_word(text.get(before))) {
                continue;
            }
            let last = (start + LONGEST).min(text.len());
            for end in start + WORD..=last {
                // An original cut to what is remembered may go on.
                if end - start == LONGEST || ends.get(end).is_some_and(|is_end| *is_end) {
                    found.extend(text.get(start..end).and_then(|words| self.find(words)));
                }
            }
        }
    }

    fn find(&self, value: &[u8]) -> Option<Find> {
        let columns = self.columns.get(value)?.clone();
        Some(Find { value: value.to_vec(), columns })
    }
}

impl ColumnOriginals {
    /// A value without what pads it.
    fn comparable<'v>(&self, value: &'v [u8]) -> &'v [u8] {
        match self.value_type {
            ValueType::Name => value.split(|byte| *byte == 0).next().unwrap_or_default(),
            of if of.is_text() => value.trim_ascii_end(),
            _ => value,
        }
    }

    /// Leaves out values that may stand in code by the user's word: finding them proves nothing.
    /// Returns how many there were.
    pub(crate) fn forget(&mut self, accepted: &BTreeSet<Vec<u8>>) -> u64 {
        let before = self.sample.len();
        let mut sample = std::mem::take(&mut self.sample);
        sample.retain(|value| !accepted.contains(self.comparable(value)));
        self.sample = sample;
        (before - self.sample.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn originals(values: &[&str]) -> Vec<ColumnOriginals> {
        vec![ColumnOriginals {
            database: "d".into(),
            table: "s.t".into(),
            column: "c".into(),
            value_type: ValueType::Text,
            values: values.len() as u64,
            unsearchable: 0,
            sample: values.iter().map(|value| value.as_bytes().into()).collect(),
        }]
    }

    #[test]
    fn finds_whole_values_and_words_but_no_parts_of_words() {
        let originals = originals(&["Anna", "Johanna Muster"]);
        let known = KnownOriginals::new(&originals);
        let words = |text: &str| {
            let mut found = BTreeSet::new();
            known.words(text.as_bytes(), &mut found);
            found.len()
        };
        assert!(known.whole(b"Anna  ").is_some());
        assert!(known.whole(b"Annas").is_none());
        assert_eq!(words("call Johanna Muster."), 1);
        assert_eq!(words("call Johanna Musters"), 0);
        assert_eq!(words("call Anna"), 0, "too short for a word");
    }

    #[test]
    fn forgets_what_is_accepted() {
        let mut originals = originals(&["Anna", "Johanna Muster"]);
        let gone = originals[0].forget(&BTreeSet::from([b"Anna".to_vec()]));
        assert_eq!((gone, originals[0].sample.len()), (1, 1));
    }
}
