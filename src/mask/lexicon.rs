//! ASCII words by their exact length.

/// Words longer than this are left out.
const LONGEST: usize = 40;

/// A set of words, those of one length side by side.
pub(crate) struct Lexicon {
    /// All words, shortest first, without anything between.
    text: Vec<u8>,
    /// By length: where the words of that length start in `text`, and how many they are.
    by_len: Vec<(usize, u32)>,
}

impl Lexicon {
    /// The ASCII words among `words`; at lengths where these are fewer than `enough`, those of
    /// `reserve` as well. Order and repetition don't matter.
    pub(crate) fn new<'a>(words: &[&'a str], reserve: &[&'a str], enough: usize) -> Lexicon {
        let mut by_len: Vec<Vec<&'a str>> = vec![Vec::new(); LONGEST + 1];
        for (source, below) in [(words, usize::MAX), (reserve, enough)] {
            // A length is topped up as a whole or not at all.
            let open: Vec<bool> = by_len.iter().map(|list| list.len() < below).collect();
            for &word in source {
                let plain = !word.is_empty() && word.bytes().all(|b| (b' '..=b'~').contains(&b));
                if plain
                    && open.get(word.len()) == Some(&true)
                    && let Some(list) = by_len.get_mut(word.len())
                {
                    list.push(word);
                }
            }
            for list in &mut by_len {
                list.sort_unstable();
                list.dedup();
            }
        }
        let mut lexicon = Lexicon { text: Vec::new(), by_len: Vec::new() };
        for list in by_len {
            lexicon.by_len.push((lexicon.text.len(), list.len() as u32));
            list.iter().for_each(|word| lexicon.text.extend_from_slice(word.as_bytes()));
        }
        lexicon
    }

    /// The lengths of its words, with how many there are of each.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = (usize, u32)> {
        self.by_len.iter().map(|&(_, count)| count).enumerate().filter(|&(_, count)| count > 0)
    }

    /// How many words of this length there are.
    #[inline]
    pub(crate) fn count(&self, len: usize) -> u32 {
        self.by_len.get(len).map_or(0, |&(_, count)| count)
    }

    /// Word number `index` of those with this length.
    #[inline]
    pub(crate) fn word(&self, len: usize, index: u32) -> Option<&[u8]> {
        let &(start, count) = self.by_len.get(len)?;
        let from = start + len * index as usize;
        (index < count).then(|| self.text.get(from..from + len)).flatten()
    }
}
