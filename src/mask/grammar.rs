//! Phrases of an exact length: templates of word lists, composed by counting.
//!
//! For each template and each length, the ways to fill it are counted once, from its last part to
//! its first. Drawing then walks the parts and takes each length with the share of the ways that
//! go through it, so the phrases of a template that have the length are about equally likely.

use super::lexicon::Lexicon;
use super::prf::Stream;

/// Longest phrase composed as one; longer ones are phrases in a row.
pub(crate) const LONGEST: usize = 64;
/// Phrases in a row are shorter than this.
const SHORT: usize = 24;
/// Templates of later tiers join in until there are so many phrases of a length.
const ENOUGH_WAYS: u128 = 64;

/// One part of a template.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// These bytes.
    Literal(&'static str),
    /// A word of the lexicon with this number.
    Word(usize),
    /// A number with so many digits, no leading zero.
    Number(usize, usize),
    /// An ASCII letter, large.
    Initial,
    /// An ASCII letter, small.
    Letter,
}

/// A template's rank and share: tier 0 is taken first.
pub(crate) struct Template {
    pub(crate) tier: u8,
    pub(crate) share: usize,
    pub(crate) parts: Vec<Part>,
}

/// Templates with all lengths counted.
pub(crate) struct Grammar {
    lexicons: Vec<Lexicon>,
    counted: Vec<Counted>,
    /// By length: numbers of the templates to draw from, each as often as its share.
    by_len: Vec<Vec<usize>>,
}

struct Counted {
    parts: Vec<Part>,
    /// By part, then by the length left for it and those behind it.
    shares: Vec<Shares>,
}

/// Lengths that a part may take, each in as many slots as it has 64ths of the ways: one cache line,
/// and no search.
type Shares = [u8; SLOTS];
const SLOTS: usize = 64;

impl Grammar {
    /// Counts templates over lexicons.
    pub(crate) fn new(lexicons: Vec<Lexicon>, templates: Vec<Template>) -> Grammar {
        let mut by_len = vec![Vec::new(); LONGEST + 1];
        let mut ways_so_far = vec![0u128; LONGEST + 1];
        let mut counted = Vec::new();
        let last_tier = templates.iter().map(|template| template.tier).max().unwrap_or(0);
        for tier in 0..=last_tier {
            let open: Vec<bool> = ways_so_far.iter().map(|&ways| ways < ENOUGH_WAYS).collect();
            for template in templates.iter().filter(|template| template.tier == tier) {
                let (shares, ways) = count(&template.parts, &lexicons);
                for (len, ways) in ways.into_iter().enumerate() {
                    if ways > 0 && open.get(len) == Some(&true) {
                        if let Some(list) = by_len.get_mut(len) {
                            list.extend(std::iter::repeat_n(counted.len(), template.share));
                        }
                        if let Some(total) = ways_so_far.get_mut(len) {
                            *total = total.saturating_add(ways);
                        }
                    }
                }
                counted.push(Counted { parts: template.parts.clone(), shares });
            }
        }
        Grammar { lexicons, counted, by_len }
    }

    /// Writes a phrase of exactly the length of `out`.
    #[inline]
    pub(crate) fn compose(&self, stream: &mut Stream, out: &mut [u8]) {
        let mut rest = out;
        while rest.len() > LONGEST || (rest.len() > SHORT && !self.has(rest.len())) {
            let most = 6 + stream.below(SHORT as u32 - 6) as usize;
            let len = (3..=most).rev().find(|&len| self.has(len)).unwrap_or(most);
            // Less than the SHORT bytes that are left at least: there is one for the blank.
            let (phrase, tail) = rest.split_at_mut(len);
            self.phrase(stream, phrase);
            let Some((between, tail)) = tail.split_first_mut() else { return };
            *between = b' ';
            rest = tail;
        }
        self.phrase(stream, rest);
    }

    /// True if a template has this length.
    fn has(&self, len: usize) -> bool {
        self.by_len.get(len).is_some_and(|templates| !templates.is_empty())
    }

    fn phrase(&self, stream: &mut Stream, out: &mut [u8]) {
        let templates = self.by_len.get(out.len()).map(Vec::as_slice).unwrap_or_default();
        let drawn = stream.pick(templates).and_then(|&number| self.counted.get(number));
        match drawn {
            Some(template) => self.fill(template, stream, out),
            None => pseudo_word(stream, out),
        }
    }

    fn fill(&self, template: &Counted, stream: &mut Stream, out: &mut [u8]) {
        let mut rest = out;
        for (part, by_left) in template.parts.iter().zip(template.shares.chunks(LONGEST + 1)) {
            let slot = stream.next_u32() as usize / (1 << 26);
            let len = by_left.get(rest.len()).and_then(|shares| shares.get(slot));
            let Some((head, tail)) = rest.split_at_mut_checked(usize::from(*len.unwrap_or(&0)))
            else {
                return;
            };
            self.write(*part, stream, head);
            rest = tail;
        }
    }

    #[inline]
    fn write(&self, part: Part, stream: &mut Stream, out: &mut [u8]) {
        match part {
            Part::Literal(text) => out.copy_from_slice(text.as_bytes()),
            Part::Word(number) => {
                let lexicon = self.lexicons.get(number);
                let word = lexicon.and_then(|lexicon| {
                    lexicon.word(out.len(), stream.below(lexicon.count(out.len())))
                });
                if let Some(word) = word {
                    out.copy_from_slice(word);
                }
            }
            Part::Number(..) => {
                for (at, digit) in out.iter_mut().enumerate() {
                    *digit = if at == 0 { b'1' + stream.below(9) as u8 } else { stream.digit() };
                }
            }
            Part::Initial => out.fill_with(|| stream.letter().to_ascii_uppercase()),
            Part::Letter => out.fill_with(|| stream.letter()),
        }
    }
}

/// The lengths a part may have, with how many ways there are of each.
fn lengths(part: Part, lexicons: &[Lexicon]) -> Vec<(usize, u128)> {
    match part {
        Part::Literal(text) => vec![(text.len(), 1)],
        Part::Word(number) => lexicons.get(number).map_or(Vec::new(), |lexicon| {
            lexicon.lengths().map(|(len, count)| (len, u128::from(count))).collect()
        }),
        // Counted as one way each, or the longest number would always win.
        Part::Number(min, max) => (min..=max).map(|len| (len, 1)).collect(),
        Part::Initial | Part::Letter => vec![(1, 26)],
    }
}

/// Counts the ways to fill `parts`: the shares of each part, and the ways by whole length.
fn count(parts: &[Part], lexicons: &[Lexicon]) -> (Vec<Shares>, Vec<u128>) {
    let mut behind = vec![0u128; LONGEST + 1];
    if let Some(nothing) = behind.first_mut() {
        *nothing = 1;
    }
    let mut all = Vec::new();
    for &part in parts.iter().rev() {
        let lengths = lengths(part, lexicons);
        let mut here = Vec::with_capacity(LONGEST + 1);
        let mut shares = Vec::with_capacity(LONGEST + 1);
        for left in 0..=LONGEST {
            let ways: Vec<(u128, usize)> = lengths
                .iter()
                .filter_map(|&(len, own)| {
                    let rest = *behind.get(left.checked_sub(len)?)?;
                    (rest > 0).then(|| (rest.saturating_mul(own).min(1 << 80), len))
                })
                .collect();
            shares.push(slots(&ways));
            here.push(ways.iter().map(|&(ways, _)| ways).sum());
        }
        all.push(shares);
        behind = here;
    }
    (all.into_iter().rev().flatten().collect(), behind)
}

/// Lengths in proportion to their ways.
fn slots(ways: &[(u128, usize)]) -> Shares {
    let total: u128 = ways.iter().map(|&(ways, _)| ways).sum();
    let mut lengths = ways.iter();
    let (mut sum, mut len) = (0, 0);
    std::array::from_fn(|slot| {
        // The length within whose ways the middle of the slot lies.
        while 2 * sum * (SLOTS as u128) <= (2 * slot as u128 + 1) * total {
            let Some(&(ways, next)) = lengths.next() else { break };
            sum += ways;
            len = next as u8;
        }
        len
    })
}

/// Letters that can be spoken, for lengths that no template has.
pub(crate) fn pseudo_word(stream: &mut Stream, out: &mut [u8]) {
    let mut vowel = stream.below(2) == 0;
    for (at, letter) in out.iter_mut().enumerate() {
        let set: &[u8] = if vowel { b"aeiou" } else { b"bcdfghjklmnprstvwz" };
        let drawn = stream.pick(set).copied().unwrap_or(b'a');
        *letter = if at == 0 { drawn.to_ascii_uppercase() } else { drawn };
        vowel = !vowel;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grammar() -> Grammar {
        let names = Lexicon::new(&["Ann", "Bob", "Christine"], &[], 0);
        let one = Template { tier: 0, share: 1, parts: vec![Part::Word(0)] };
        let two = Template {
            tier: 1,
            share: 1,
            parts: vec![Part::Word(0), Part::Literal("-"), Part::Word(0)],
        };
        Grammar::new(vec![names], vec![one, two])
    }

    #[test]
    fn phrases_have_every_length_asked_for() {
        let grammar = grammar();
        let mut stream = Stream::from_seed([7; 32]);
        for len in 0..300 {
            let mut out = vec![0; len];
            grammar.compose(&mut stream, &mut out);
            assert!(out.iter().all(|byte| (b' '..=b'~').contains(byte)), "{len}");
        }
    }

    #[test]
    fn two_words_share_a_length_in_all_ways() {
        let grammar = grammar();
        let mut stream = Stream::from_seed([7; 32]);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let mut out = [0; 13];
            grammar.compose(&mut stream, &mut out);
            seen.insert(String::from_utf8(out.to_vec()).unwrap());
        }
        let all = ["Ann-Christine", "Bob-Christine", "Christine-Ann", "Christine-Bob"];
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
    }
}
