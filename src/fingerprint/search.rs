//! The search for all values of a set at every position of some bytes.

use super::beginnings;
use super::set::{FingerprintSet, LONGEST_SHORT};
use super::value::Class;

/// Positions looked at before those that passed the filter are looked up together, so that their
/// ways to memory overlap.
const BLOCK: usize = 4096;
/// A text shorter than this is no word that counts: chance makes such words in any binary data.
const WORD: usize = 6;
/// Shortest value that there is.
const SHORTEST: usize = 4;

/// A value that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Match {
    /// Where it starts.
    pub(crate) position: usize,
    /// How long it is.
    pub(crate) len: usize,
    /// Its number in the set.
    pub(crate) value: usize,
    /// True unless it is a short text that is part of something else.
    pub(crate) counts: bool,
}

/// Positions that the first step looks at together: a bit for each.
const GROUP: usize = u64::BITS as usize;

/// What passed each step: working memory.
///
/// A step is done for all of a block before the next: one look-up does not wait for another's memory.
#[derive(Default)]
pub(crate) struct Candidates {
    /// A value may begin there, counted from the beginning of the block.
    begins: Kept<u16>,
    /// And a head of this hash is there; then, of these lengths.
    heads: Kept<(u16, u64)>,
    /// A value of this length and hash may be there.
    wholes: Vec<(u16, u8, u64)>,
}

/// What was kept of at most a block's positions.
struct Kept<T> {
    items: Box<[T; BLOCK]>,
    len: usize,
}

impl<T: Copy + Default> Default for Kept<T> {
    fn default() -> Kept<T> {
        Kept { items: Box::new([T::default(); BLOCK]), len: 0 }
    }
}

impl<T: Copy> Kept<T> {
    /// Keeps those items that are to be kept. Without a branch for each: which are, no processor
    /// foresees.
    #[inline]
    fn keep(&mut self, items: impl Iterator<Item = (T, bool)>) {
        let places = self.items.as_mut();
        let mut len = 0;
        for (item, keep) in items {
            if let Some(place) = places.get_mut(len % BLOCK) {
                *place = item;
            }
            len += usize::from(keep);
        }
        self.len = len;
    }

    fn iter(&self) -> impl Iterator<Item = T> {
        self.items.iter().copied().take(self.len)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut().take(self.len)
    }
}

impl Kept<u16> {
    /// Keeps the positions at which values may begin.
    #[inline]
    fn keep_begins(&mut self, bytes: &[u8], may_begin: impl Fn([u8; beginnings::LEN]) -> bool) {
        let bits = |group: &[u8]| {
            let firsts = (0..).zip(group.windows(beginnings::LEN));
            firsts.fold(0u64, |bits, (at, first)| {
                let begins = first.first_chunk().is_some_and(|first| may_begin(*first));
                bits | u64::from(begins) << at
            })
        };
        self.len = 0;
        for (start, _) in (0..).step_by(GROUP).zip(bytes.chunks(GROUP)) {
            let rest = bytes.get(start..).unwrap_or_default();
            // The loop over as many as there nearly always are has no end to look for.
            let bits = match rest.first_chunk::<{ GROUP + beginnings::LEN - 1 }>() {
                Some(group) => bits(group),
                None => bits(rest),
            };
            self.push(start as u16, bits);
        }
    }

    #[inline]
    fn push(&mut self, start: u16, mut bits: u64) {
        while bits != 0 {
            if let Some(place) = self.items.get_mut(self.len) {
                *place = start + bits.trailing_zeros() as u16;
                self.len += 1;
            }
            bits &= bits - 1;
        }
    }
}

/// Leaves those items of a list that are to be kept, in the same way.
#[inline]
fn retain<T: Copy>(list: &mut Vec<T>, is_kept: impl Fn(&T) -> bool) {
    let mut len = 0;
    for at in 0..list.len() {
        let Some(item) = list.get(at).copied() else { break };
        if let Some(place) = list.get_mut(len) {
            *place = item;
        }
        len += usize::from(is_kept(&item));
    }
    list.truncate(len);
}

/// What the byte before a short text may say: it is a `varlena` header for one of this length,
const HEADER: u8 = 1;
/// or no part of a word.
const GAP: u8 = 2;

impl FingerprintSet {
    /// Calls `found` for each value that starts at a position in `from..to` of `bytes`; what is
    /// around says whether a short text counts there. With `numbers`, those are searched for too.
    pub(crate) fn search(
        &self,
        bytes: &[u8],
        (from, to): (usize, usize),
        numbers: bool,
        candidates: &mut Candidates,
        mut found: impl FnMut(Match),
    ) {
        let beginnings = if numbers { self.beginnings() } else { self.other_beginnings() };
        let may_begin = beginnings.question();
        for start in (from..to).step_by(BLOCK) {
            let end = (start + BLOCK).min(to);
            let last = (end + beginnings::LEN - 1).min(bytes.len());
            let window = bytes.get(start..last).unwrap_or_default();
            candidates.begins.keep_begins(window, &may_begin);
            self.look_up(bytes, start, candidates, &mut found);
        }
    }

    /// Looks up what begins where a value may begin, in the block that begins at `start`.
    fn look_up(
        &self,
        bytes: &[u8],
        start: usize,
        candidates: &mut Candidates,
        found: &mut impl FnMut(Match),
    ) {
        let Candidates { begins, heads, wholes } = candidates;
        let with_head = begins.iter().map(|at| {
            let first = bytes.get(start + usize::from(at)..).and_then(|rest| rest.first_chunk());
            let head = first.map(|first| self.key.head(u64::from_le_bytes(*first)));
            let head_or = head.unwrap_or_default();
            ((at, head_or), head.is_some() & self.heads.passes(head_or))
        });
        heads.keep(with_head);
        for (_, word) in heads.iter_mut() {
            *word = self.lengths(*word);
        }
        wholes.clear();
        for (at, mut lengths) in heads.iter() {
            let rest = bytes.get(start + usize::from(at)..).unwrap_or_default();
            while lengths != 0 {
                let len = lengths.trailing_zeros() as u8 + 1;
                lengths &= lengths - 1;
                if let Some(text) = rest.get(..usize::from(len)) {
                    wholes.push((at, len, self.key.full(text)));
                }
            }
        }
        retain(wholes, |(.., full)| self.wholes.passes(*full));
        for &(at, len, full) in wholes.iter() {
            if let Some(value) = self.find(full) {
                let (position, len) = (start + usize::from(at), usize::from(len));
                let counts =
                    self.class(value) != Class::Short || stands_alone(bytes, position, len);
                found(Match { position, len, value, counts });
            }
        }
        if self.short_lengths != 0 {
            let positions = begins.iter().map(|at| start + usize::from(at));
            self.search_short(bytes, positions, found);
        }
    }

    /// Values of less than eight bytes are texts: what stands before one tells most positions.
    fn search_short(
        &self,
        bytes: &[u8],
        positions: impl Iterator<Item = usize>,
        found: &mut impl FnMut(Match),
    ) {
        for position in positions {
            let before = position.checked_sub(1).and_then(|before| bytes.get(before));
            let flag = before.map_or(GAP, |byte| flag(*byte));
            if flag != 0 {
                self.look_up_short(bytes, position, flag, found);
            }
        }
    }

    fn look_up_short(
        &self,
        bytes: &[u8],
        position: usize,
        flag: u8,
        found: &mut impl FnMut(Match),
    ) {
        for len in SHORTEST..=LONGEST_SHORT {
            if self.short_lengths & 1 << (len - 1) == 0 {
                continue;
            }
            let Some(text) = bytes.get(position..position + len) else { return };
            let word = flag & GAP != 0 && len >= WORD && !in_word(bytes.get(position + len));
            if !word && !has_header(bytes.get(..position).unwrap_or_default(), len) {
                continue;
            }
            let full = self.key.full(text);
            if self.short.passes(full)
                && let Some(value) = self.find(full)
            {
                found(Match { position, len, value, counts: true });
            }
        }
    }
}

#[inline]
fn flag(byte: u8) -> u8 {
    // Headers of four to seven bytes behind them: short ones, and the last byte of plain ones.
    let header = matches!(byte, 0 | 0x0B | 0x0D | 0x0F | 0x11);
    let word = byte.is_ascii_alphanumeric() || byte >= 0x80;
    (u8::from(header) * HEADER) | (u8::from(!word) * GAP)
}

#[inline]
fn in_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80)
}

/// True if a varlena header for `len` bytes comes last in `before`.
#[inline]
fn has_header(before: &[u8], len: usize) -> bool {
    let short_header = ((len + 1) << 1 | 1) as u8;
    let plain_header = (((len + 4) << 2) as u32).to_le_bytes();
    before.last() == Some(&short_header) || before.ends_with(&plain_header)
}

/// True if the `len` bytes at `position` are a whole varlena, or a whole word that is
/// long enough.
pub(crate) fn stands_alone(bytes: &[u8], position: usize, len: usize) -> bool {
    let before = bytes.get(..position).unwrap_or_default();
    if has_header(before, len) {
        return true;
    }
    len >= WORD && !in_word(before.last()) && !in_word(bytes.get(position + len))
}
