//! The search for all values of a set at every position of some bytes.

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

/// Positions that passed a filter: working memory.
#[derive(Default)]
pub(crate) struct Candidates(Vec<(usize, u64)>);

/// What the byte before a short text may say: it is a `varlena` header for one of this length,
const HEADER: u8 = 1;
/// or no part of a word.
const GAP: u8 = 2;

impl FingerprintSet {
    /// Calls `found` for each value that starts at a position in `from..to` of `bytes`; what is
    /// around says whether a short text counts there.
    pub(crate) fn search(
        &self,
        bytes: &[u8],
        from: usize,
        to: usize,
        candidates: &mut Candidates,
        mut found: impl FnMut(Match),
    ) {
        for start in (from..to).step_by(BLOCK) {
            let end = (start + BLOCK).min(to);
            self.filter_heads(bytes, start, end, candidates);
            for (position, head) in candidates.0.drain(..) {
                let mut lengths = self.lengths(head);
                while lengths != 0 {
                    let len = lengths.trailing_zeros() as usize + 1;
                    lengths &= lengths - 1;
                    if let Some(text) = bytes.get(position..position + len)
                        && let Some(value) = self.find(self.key.full(text))
                    {
                        let counts =
                            self.class(value) != Class::Short || stands_alone(bytes, position, len);
                        found(Match { position, len, value, counts });
                    }
                }
            }
        }
        if self.short_lengths != 0 {
            self.search_short(bytes, from, to, &mut found);
        }
    }

    #[inline]
    fn filter_heads(&self, bytes: &[u8], start: usize, end: usize, candidates: &mut Candidates) {
        let last = (end + LONGEST_SHORT).min(bytes.len());
        let window = bytes.get(start..last).unwrap_or_default();
        for (at, first) in window.windows(LONGEST_SHORT + 1).enumerate() {
            let first = first.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
            let head = self.key.head(first);
            if self.filter.passes(head) {
                candidates.0.push((start + at, head));
            }
        }
    }

    /// Values of less than eight bytes are texts: what stands before one tells most positions.
    fn search_short(&self, bytes: &[u8], from: usize, to: usize, found: &mut impl FnMut(Match)) {
        let mut flags = [0u8; BLOCK];
        for start in (from..to).step_by(BLOCK) {
            let end = (start + BLOCK).min(to);
            let text = bytes.get(start..end).unwrap_or_default();
            let flags = flags.get_mut(..text.len()).unwrap_or_default();
            // Flags of a position are about the byte before it.
            if let (Some(first), Some(before)) = (flags.first_mut(), start.checked_sub(1)) {
                *first = bytes.get(before).map_or(GAP, |byte| flag(*byte));
            } else if let Some(first) = flags.first_mut() {
                *first = GAP;
            }
            for (flag_of, byte) in flags.iter_mut().skip(1).zip(text) {
                *flag_of = flag(*byte);
            }
            for (flag_of, byte) in flags.iter_mut().zip(text) {
                // No text has a zero in it.
                *flag_of = if *byte == 0 { 0 } else { *flag_of };
            }
            for (group, eight) in flags.chunks(8).enumerate() {
                if eight.iter().fold(0, |all, flag| all | flag) == 0 {
                    continue;
                }
                for (at, flag) in eight.iter().enumerate().filter(|(_, flag)| **flag != 0) {
                    self.look_up_short(bytes, start + 8 * group + at, *flag, found);
                }
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
