//! Which masked columns a value is an original of.

use std::collections::BTreeSet;

use crate::datum::ValueType;
use crate::error::Result;
use crate::fingerprint::{Gathered, Original};

/// The audit's measure: a text counts as a word or words of a longer text from here on.
const WORD: usize = 6;
/// Originals are known by so much of their beginning.
const LONGEST: usize = 64;

/// The originals of all masked columns. The one place that knows how they are remembered.
pub(super) struct KnownOriginals<'a> {
    originals: &'a Gathered,
}

/// An original that was found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Find {
    pub(super) original: Original,
    /// Columns that it is an original of, by number.
    pub(super) columns: BTreeSet<u32>,
}

impl<'a> KnownOriginals<'a> {
    pub(super) fn new(originals: &'a Gathered) -> KnownOriginals<'a> {
        KnownOriginals { originals }
    }

    /// A value that stands by itself, as it is stored: of which type, a constant does not say.
    pub(super) fn whole(&self, value: &[u8]) -> Result<Option<Find>> {
        match self.find(ValueType::Bytea, value)? {
            None => self.find(ValueType::Text, value),
            found => Ok(found),
        }
    }

    /// Words of a longer text.
    pub(super) fn words(&self, text: &[u8], found: &mut BTreeSet<Find>) -> Result<()> {
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
                if (end - start == LONGEST || ends.get(end).is_some_and(|is_end| *is_end))
                    && let Some(words) = text.get(start..end)
                {
                    found.extend(self.find(ValueType::Bytea, words)?);
                }
            }
        }
        Ok(())
    }

    fn find(&self, value_type: ValueType, value: &[u8]) -> Result<Option<Find>> {
        let found = self.originals.find(value_type, value)?;
        Ok(found.map(|(original, columns)| Find {
            original,
            columns: columns.iter().copied().collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::{Collector, ColumnName, Limits};
    use crate::mask::{MaskKey, Witness};

    #[test]
    fn finds_whole_values_and_words_but_no_parts_of_words() {
        let scratch = tempfile::tempdir().unwrap();
        let key = MaskKey::from_bytes([4; 32]);
        let collector = Collector::new(&key, scratch.path(), Limits::default());
        let mut notes = collector.notes(0);
        for value in ["Anna", "Johanna Muster"] {
            notes.original(ValueType::Text, value.as_bytes());
        }
        // A number whose last byte is a blank.
        notes.original(ValueType::Int8, b"\x01\x02\x03\x04\x05\x06\x07 ");
        drop(notes);
        let column = ColumnName { database: "d".into(), table: "s.t".into(), column: "c".into() };
        let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let originals = collector.gather(vec![column], &threads).unwrap();
        let known = KnownOriginals::new(&originals);
        let words = |text: &str| {
            let mut found = BTreeSet::new();
            known.words(text.as_bytes(), &mut found).unwrap();
            found.len()
        };
        assert!(known.whole(b"Anna  ").unwrap().is_some());
        assert!(known.whole(b"Annas").unwrap().is_none());
        assert!(known.whole(b"\x01\x02\x03\x04\x05\x06\x07 ").unwrap().is_some());
        assert_eq!(words("call Johanna Muster."), 1);
        assert_eq!(words("call Johanna Musters"), 0);
        assert_eq!(words("call Anna"), 0, "too short for a word");
    }
}
