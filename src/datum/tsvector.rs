//! `tsvector`: sorted lexemes with their positions; tsearch/ts_type.h.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use super::DatumError;
use super::structure::u32_at;

/// `WordEntry`: one bit for positions, eleven for the length, twenty for where the lexeme is.
const HAS_POSITIONS: u32 = 1;
const LENGTH_SHIFT: u32 = 1;
const LENGTH_MASK: u32 = 0x7FF;
const PLACE_SHIFT: u32 = 12;
/// `MAXENTRYPOS - 1`, where what comes later stands, too; the two bits above are the weight.
const LAST_POSITION: u16 = (1 << 14) - 1;

/// A lexeme with what goes with it.
struct Lexeme {
    text: Vec<u8>,
    /// Their number and themselves.
    positions: Option<Vec<u8>>,
    /// Where it was among the characters.
    place: usize,
}

impl Lexeme {
    /// Where it and its positions are among the characters.
    fn extent(&self) -> Range<usize> {
        let end = self.place + self.text.len();
        let positions = self.positions.as_ref().map(|it| end.next_multiple_of(2) + it.len());
        self.place..positions.unwrap_or(end)
    }

    /// Where it stands in the text for the first time; zero if that is not known.
    fn first_position(&self) -> u16 {
        let stored = self.positions.as_deref().unwrap_or_default();
        let first = stored.as_chunks().0.get(1).copied();
        first.map_or(0, |word| u16::from_le_bytes(word) & LAST_POSITION)
    }

    /// Has it stand behind all others, as often as before, without weights.
    fn move_to_end(&mut self) {
        let stored = self.positions.as_deref_mut().unwrap_or_default();
        let words = stored.as_chunks_mut().0.iter_mut().skip(1).rev();
        for (word, position) in words.zip((0..=LAST_POSITION).rev()) {
            *word = position.to_le_bytes();
        }
    }
}

/// Calls `visit` for each lexeme, which may change but stay as long, and puts all in order again.
/// Different lexemes have to stay different.
pub(crate) fn rewrite(
    tsvector: &mut [u8],
    visit: &mut dyn FnMut(&mut [u8]) -> Result<(), DatumError>,
) -> Result<(), DatumError> {
    let mut lexemes = read(tsvector)?;
    for lexeme in &mut lexemes {
        visit(&mut lexeme.text)?;
    }
    write(tsvector, lexemes)
}

/// Makes the last of the lexemes regular, as many of them as there are bytes from `from` on: `x`s
/// with a number at the end that no other has, and positions at the end of all that there are. Last
/// are those that come latest in the text.
///
/// Where lexemes of some length are too many to be numbered, they stay.
pub(crate) fn number_lexemes(tsvector: &mut [u8], from: usize) -> Result<(), DatumError> {
    let mut lexemes = read(tsvector)?;
    let share = tsvector.len().saturating_sub(from) as u64;
    let wanted = (lexemes.len() as u64 * share).div_ceil(tsvector.len().max(1) as u64);
    let mut of_length: BTreeMap<usize, u64> = BTreeMap::new();
    for lexeme in &lexemes {
        *of_length.entry(lexeme.text.len()).or_default() += 1;
    }
    lexemes.sort_by_key(Lexeme::first_position);
    let kept = lexemes.len().saturating_sub(wanted as usize);
    let (kept, last) = lexemes.split_at_mut(kept);
    let kept: HashSet<&[u8]> = kept.iter().map(|lexeme| &lexeme.text[..]).collect();
    last.sort_by_key(|it| (it.text.len(), it.positions.as_ref().map_or(0, Vec::len)));
    for alike in last.chunk_by_mut(|a, b| a.text.len() == b.text.len()) {
        let count = of_length.get(&alike.first().map_or(0, |it| it.text.len())).copied();
        number_all(alike, count.unwrap_or_default(), &kept);
    }
    write(tsvector, lexemes)
}

/// Numbers lexemes of one length, of which there are `count` in all, past those that are taken.
fn number_all(lexemes: &mut [Lexeme], count: u64, taken: &HashSet<&[u8]>) {
    let len = lexemes.first().map_or(0, |lexeme| lexeme.text.len());
    let mut forms =
        [10u64, 36].into_iter().flat_map(|base| (1..=len as u32).map(move |n| (base, n)));
    let Some((base, places)) = forms.find(|&(base, n)| base.saturating_pow(n) >= count) else {
        return;
    };
    let mut texts = (0..count).map(|number| {
        let mut text = vec![b'x'; len];
        let mut rest = number;
        for byte in text.iter_mut().rev().take(places as usize) {
            let digit = char::from_digit((rest % base) as u32, base as u32);
            *byte = digit.unwrap_or_default() as u8;
            rest /= base;
        }
        text
    });
    for lexeme in lexemes {
        if let Some(text) = texts.find(|text| !taken.contains(&text[..])) {
            lexeme.text = text;
            lexeme.move_to_end();
        }
    }
}

fn read(tsvector: &[u8]) -> Result<Vec<Lexeme>, DatumError> {
    let (head, characters) =
        tsvector.split_at_checked(base(tsvector)?).ok_or(DatumError("a tsvector is too short"))?;
    let count = (head.len() - 4) / 4;
    let mut lexemes = Vec::with_capacity(count);
    for index in 0..count {
        lexemes.push(lexeme(head, characters, index)?);
    }
    let mut extents: Vec<_> = lexemes.iter().map(Lexeme::extent).collect();
    extents.sort_unstable_by_key(|extent| (extent.start, extent.end));
    if extents.is_sorted_by(|a, b| a.end <= b.start) {
        Ok(lexemes)
    } else {
        Err(DatumError("lexemes of a tsvector overlap"))
    }
}

/// Where the characters begin.
fn base(tsvector: &[u8]) -> Result<usize, DatumError> {
    let count = u32_at(tsvector, 0).ok_or(DatumError("a tsvector has no header"))? as usize;
    let base = count.checked_mul(4).and_then(|len| len.checked_add(4));
    let base = base.filter(|base| *base <= tsvector.len());
    base.ok_or(DatumError("a tsvector has more lexemes than bytes"))
}

fn write(tsvector: &mut [u8], mut lexemes: Vec<Lexeme>) -> Result<(), DatumError> {
    let base = base(tsvector)?;
    let (head, characters) =
        tsvector.split_at_mut_checked(base).ok_or(DatumError("a tsvector is too short"))?;
    lexemes.sort_by(|a, b| a.text.cmp(&b.text));
    if lexemes.is_sorted_by(|a, b| a.text < b.text) {
        arrange(lexemes, head, characters)
    } else {
        Err(DatumError("two lexemes of a tsvector have become one"))
    }
}

fn lexeme(head: &[u8], characters: &[u8], index: usize) -> Result<Lexeme, DatumError> {
    let cut = DatumError("a lexeme reaches past its tsvector");
    let entry = u32_at(head, 4 + 4 * index).ok_or(cut)?;
    let place = (entry >> PLACE_SHIFT) as usize;
    let end = place + ((entry >> LENGTH_SHIFT) & LENGTH_MASK) as usize;
    let positions = if entry & HAS_POSITIONS != 0 {
        let start = end.next_multiple_of(2);
        let number = characters.get(start..).and_then(|bytes| bytes.first_chunk::<2>());
        let len = 2 + 2 * usize::from(u16::from_le_bytes(*number.ok_or(cut)?));
        Some(characters.get(start..start + len).ok_or(cut)?.to_vec())
    } else {
        None
    };
    Ok(Lexeme { text: characters.get(place..end).ok_or(cut)?.to_vec(), positions, place })
}

/// Writes lexemes one behind the other, as PostgreSQL makes them of text. Where some have
/// positions and some have not, padding may come out otherwise than before: less of it leaves zeros
/// at the end; where there would be more, each stays in its place. PostgreSQL reads both as well.
fn arrange(
    mut lexemes: Vec<Lexeme>,
    head: &mut [u8],
    characters: &mut [u8],
) -> Result<(), DatumError> {
    let mut end = 0;
    let mut places = Vec::with_capacity(lexemes.len());
    for lexeme in &lexemes {
        places.push(end);
        end += lexeme.text.len();
        if let Some(positions) = &lexeme.positions {
            end = end.next_multiple_of(2) + positions.len();
        }
    }
    if end <= characters.len() {
        characters.fill(0);
        for (lexeme, place) in lexemes.iter_mut().zip(places) {
            lexeme.place = place;
        }
    }
    let cut = DatumError("a lexeme does not fit into its tsvector");
    let entries = head.get_mut(4..).unwrap_or_default().chunks_exact_mut(4);
    for (entry, Lexeme { text, positions, place }) in entries.zip(lexemes) {
        let end = place + text.len();
        characters.get_mut(place..end).ok_or(cut)?.copy_from_slice(&text);
        if let Some(positions) = &positions {
            let start = end.next_multiple_of(2);
            let stored = characters.get_mut(start..start + positions.len()).ok_or(cut)?;
            stored.copy_from_slice(positions);
        }
        let word = (u32::from(positions.is_some()) * HAS_POSITIONS)
            | ((text.len() as u32) << LENGTH_SHIFT)
            | ((place as u32) << PLACE_SHIFT);
        entry.copy_from_slice(&word.to_le_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lexemes in order, with their positions, as PostgreSQL stores them.
    fn stored(texts: &[(&str, &[u16])]) -> Vec<u8> {
        let (mut head, mut characters) = ((texts.len() as u32).to_le_bytes().to_vec(), Vec::new());
        for (text, positions) in texts {
            let word = u32::from(!positions.is_empty())
                | (text.len() as u32) << LENGTH_SHIFT
                | (characters.len() as u32) << PLACE_SHIFT;
            head.extend(word.to_le_bytes());
            characters.extend(text.as_bytes());
            if !positions.is_empty() {
                characters.resize(characters.len().next_multiple_of(2), 0);
                characters.extend((positions.len() as u16).to_le_bytes());
                characters.extend(positions.iter().flat_map(|word| word.to_le_bytes()));
            }
        }
        [head, characters].concat()
    }

    const WEIGHT_B: u16 = 2 << 14;

    #[test]
    fn lexemes_that_come_last_get_numbers_and_stand_at_the_end() {
        let mut value = stored(&[
            ("apple", &[2]),
            ("bend", &[9]),
            ("fig", &[1, WEIGHT_B | 7]),
            ("zebra", &[WEIGHT_B | 3]),
            ("\u{e9}t\u{e9}", &[4]),
        ]);
        let from = value.len() * 3 / 5 + 1;
        let expected = stored(&[
            ("apple", &[2]),
            ("fig", &[1, WEIGHT_B | 7]),
            ("xxx0", &[16_383]),
            ("xxxx0", &[16_383]),
            ("zebra", &[WEIGHT_B | 3]),
        ]);
        let mut some = value.clone();
        number_lexemes(&mut some, from).unwrap();
        assert_eq!(some, expected);
        number_lexemes(&mut value, 0).unwrap();
        let expected = stored(&[
            ("xx0", &[16_382, 16_383]),
            ("xxx0", &[16_383]),
            ("xxxx0", &[16_383]),
            ("xxxx1", &[16_383]),
            ("xxxx2", &[16_383]),
        ]);
        assert_eq!(value, expected);
    }

    #[test]
    fn numbers_that_are_taken_are_passed_over_and_too_many_lexemes_stay() {
        let mut value = stored(&[("xxx0", &[1]), ("xxx2", &[2]), ("zebr", &[3]), ("zebu", &[4])]);
        let share = value.len() / 2;
        number_lexemes(&mut value, share).unwrap();
        let last = &[16_383][..];
        let expected = stored(&[("xxx0", &[1]), ("xxx1", last), ("xxx2", &[2]), ("xxx3", last)]);
        assert_eq!(value, expected);
        let letters: Vec<String> = (33..127u8).map(|byte| char::from(byte).to_string()).collect();
        let all: Vec<(&str, &[u16])> = letters.iter().map(|it| (&it[..], &[][..])).collect();
        let mut value = stored(&all);
        number_lexemes(&mut value, 0).unwrap();
        assert_eq!(value, stored(&all));
    }
}
