//! `tsvector`: sorted lexemes with their positions; tsearch/ts_type.h.

use super::DatumError;
use super::structure::u32_at;

/// `WordEntry`: one bit for positions, eleven for the length, twenty for where the lexeme is.
const HAS_POSITIONS: u32 = 1;
const LENGTH_SHIFT: u32 = 1;
const LENGTH_MASK: u32 = 0x7FF;
const PLACE_SHIFT: u32 = 12;

/// A lexeme with what goes with it.
struct Lexeme {
    text: Vec<u8>,
    /// Their number and themselves.
    positions: Option<Vec<u8>>,
    /// Where it was among the characters.
    place: usize,
}

/// Calls `visit` for each lexeme, which may change but stay as long, and puts all in order again.
/// Different lexemes have to stay different.
pub(crate) fn rewrite(
    tsvector: &mut [u8],
    visit: &mut dyn FnMut(&mut [u8]) -> Result<(), DatumError>,
) -> Result<(), DatumError> {
    let count = u32_at(tsvector, 0).ok_or(DatumError("a tsvector has no header"))? as usize;
    let base = count.checked_mul(4).and_then(|len| len.checked_add(4));
    let base = base.filter(|base| *base <= tsvector.len());
    let base = base.ok_or(DatumError("a tsvector has more lexemes than bytes"))?;
    let (head, characters) =
        tsvector.split_at_mut_checked(base).ok_or(DatumError("a tsvector is too short"))?;
    let mut lexemes = Vec::with_capacity(count);
    let mut used = 0;
    for index in 0..count {
        let lexeme = lexeme(head, characters, index)?;
        used += lexeme.text.len() + lexeme.positions.as_ref().map_or(0, Vec::len);
        if used > characters.len() {
            return Err(DatumError("lexemes of a tsvector overlap"));
        }
        lexemes.push(lexeme);
    }
    for lexeme in &mut lexemes {
        visit(&mut lexeme.text)?;
    }
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
/// positions and some have not, padding may not come out as before: then each stays in its place,
/// which PostgreSQL reads just as well.
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
    if end == characters.len() {
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
