//! `tsquery`: operators and operands in prefix notation, the operands' texts behind them, each
//! with a NUL at its end; tsearch/ts_type.h.

use std::ops::Range;

use super::DatumError;
use super::structure::u32_at;

/// `sizeof(QueryItem)`, of an operand as of an operator.
const ITEM: usize = 12;
/// `QI_VAL` and `QI_OPR`; nothing else is ever stored.
const OPERAND: u8 = 1;
const OPERATOR: u8 = 2;
/// `valcrc` of a `QueryOperand`.
const CRC: usize = 4;
/// `length` and `distance`: twelve bits, and twenty for where the text is.
const PLACE: usize = 8;
const LENGTH_BITS: u32 = 12;

/// An operand: where its hash stands among the items, and its text behind them.
struct Operand {
    crc: usize,
    text: Range<usize>,
}

/// Calls `visit` for the text of each operand, in the order of the items: it may change, stays as
/// long and gets no NUL. What PostgreSQL keeps beside each, a hash of it, is made anew. Operators,
/// weights and prefix marks stay.
pub(crate) fn rewrite(
    tsquery: &mut [u8],
    visit: &mut dyn FnMut(&mut [u8]) -> Result<(), DatumError>,
) -> Result<(), DatumError> {
    rewrite_from(tsquery, 0, visit)
}

/// Makes `x`s of the operands' texts that begin at `from` or behind it.
pub(crate) fn blur_lexemes(tsquery: &mut [u8], from: usize) -> Result<(), DatumError> {
    rewrite_from(tsquery, from, &mut |lexeme| {
        lexeme.fill(b'x');
        Ok(())
    })
}

/// The same for the operands alone whose texts begin at `from` or behind it.
fn rewrite_from(
    tsquery: &mut [u8],
    from: usize,
    visit: &mut dyn FnMut(&mut [u8]) -> Result<(), DatumError>,
) -> Result<(), DatumError> {
    let count = u32_at(tsquery, 0).ok_or(DatumError("a tsquery has no header"))? as usize;
    let base = count.checked_mul(ITEM).and_then(|len| len.checked_add(4));
    let base = base.filter(|base| *base <= tsquery.len());
    let base = base.ok_or(DatumError("a tsquery has more items than bytes"))?;
    let (items, texts) =
        tsquery.split_at_mut_checked(base).ok_or(DatumError("a tsquery is too short"))?;
    let mut operands = Vec::new();
    for start in (4..base).step_by(ITEM) {
        match items.get(start) {
            Some(&OPERAND) => operands.push(operand(items, texts, start)?),
            Some(&OPERATOR) => {}
            _ => return Err(DatumError("an item of a tsquery is of no known kind")),
        }
    }
    let mut extents: Vec<_> = operands.iter().map(|operand| &operand.text).collect();
    extents.sort_unstable_by_key(|text| (text.start, text.end));
    if !extents.is_sorted_by(|a, b| a.end < b.start) {
        return Err(DatumError("lexemes of a tsquery overlap"));
    }
    for Operand { crc, text } in operands {
        if base + text.start < from {
            continue;
        }
        let text = texts.get_mut(text).unwrap_or_default();
        visit(text)?;
        if text.contains(&0) {
            return Err(DatumError("a lexeme of a tsquery got a NUL"));
        }
        if let Some(stored) = items.get_mut(crc..crc + 4) {
            stored.copy_from_slice(&legacy_crc32(text).to_le_bytes());
        }
    }
    Ok(())
}

/// The operand whose item is at `start`. Readers go by the NUL, and so it must be where the length
/// says.
fn operand(items: &[u8], texts: &[u8], start: usize) -> Result<Operand, DatumError> {
    let cut = DatumError("a lexeme reaches past its tsquery");
    let word = u32_at(items, start + PLACE).ok_or(cut)?;
    let place = (word >> LENGTH_BITS) as usize;
    let end = place + (word & ((1 << LENGTH_BITS) - 1)) as usize;
    let text = texts.get(place..=end).ok_or(cut)?;
    if text.iter().position(|byte| *byte == 0) != Some(end - place) {
        return Err(DatumError("a lexeme of a tsquery does not end where its length says"));
    }
    Ok(Operand { crc: start + CRC, text: place..end })
}

/// `COMP_LEGACY_CRC32` of utils/pg_crc.h: the table of the usual CRC-32, which is for bits in
/// reverse, and yet the bytes the other way round. It is the sum of no known kind, and stored so.
fn legacy_crc32(text: &[u8]) -> u32 {
    !text.iter().fold(u32::MAX, |crc, byte| entry((crc >> 24) as u8 ^ byte) ^ (crc << 8))
}

/// An entry of `pg_crc32_table`. Lexemes are short: there is no table.
fn entry(index: u8) -> u32 {
    (0..8).fold(u32::from(index), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `'fat' & !'it''s':*AB <2> ('größe' | 'x')`, as PostgreSQL 15 stores it.
    fn stored() -> Vec<u8> {
        let items: [[u8; 12]; 8] = [
            [2, 2, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0],
            [2, 4, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0],
            [2, 3, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
            [1, 0, 0, 0, 0x7c, 0x16, 0xdc, 0x73, 1, 0x10, 1, 0],
            [1, 0, 0, 0, 0x48, 0xd8, 0x92, 0xb8, 7, 0x90, 0, 0],
            [2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            [1, 0x0c, 1, 0, 0x62, 0xf6, 0xd4, 0xec, 4, 0x40, 0, 0],
            [1, 0, 0, 0, 0xa3, 0x33, 0x9b, 0xe9, 3, 0, 0, 0],
        ];
        let texts = "fat\0it's\0gr\u{f6}\u{df}e\0x\0".as_bytes();
        [&8u32.to_le_bytes(), items.as_flattened(), texts].concat()
    }

    #[test]
    fn hashes_are_those_that_postgres_keeps() {
        let (mut value, mut seen) = (stored(), Vec::new());
        rewrite(&mut value, &mut |lexeme| {
            seen.push(String::from_utf8(lexeme.to_vec()).unwrap());
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, ["x", "gr\u{f6}\u{df}e", "it's", "fat"]);
        assert_eq!(value, stored());
    }

    #[test]
    fn changes_texts_and_hashes_alone() {
        let mut value = stored();
        let upper = |lexeme: &mut [u8]| {
            lexeme.make_ascii_uppercase();
            Ok(())
        };
        rewrite(&mut value, &mut { upper }).unwrap();
        let texts = "FAT\0IT'S\0GR\u{f6}\u{df}E\0X\0".as_bytes();
        assert!(value.ends_with(texts));
        for (at, (was, is)) in stored().iter().zip(&value).enumerate() {
            let of_hash = (4..100).contains(&at) && (at - 4) % 12 / 4 == 1;
            assert!(was == is || of_hash || at >= 100, "{at}");
        }
    }

    #[test]
    fn the_empty_query_has_no_lexemes() {
        let mut value = vec![0; 4];
        rewrite(&mut value, &mut |_| panic!("a lexeme")).unwrap();
        assert_eq!(value, [0; 4]);
    }

    #[test]
    fn rejects_operands_that_share_or_leave_the_texts() {
        let none = &mut |_: &mut [u8]| Ok(());
        for (at, byte) in [(0, 9), (4, 3), (4 + 3 * 12 + 8, 2), (4 + 7 * 12 + 8, 2), (104, b'y')] {
            let mut bad = stored();
            bad[at] = byte;
            // The last byte of `fat` goes on into `it's`.
            bad[103] = if at == 104 { b'-' } else { bad[103] };
            assert!(rewrite(&mut bad, none).is_err(), "{at}");
        }
        let mut shared = stored();
        shared.copy_within(4 + 7 * 12 + 8..4 + 8 * 12, 4 + 3 * 12 + 8);
        assert!(rewrite(&mut shared, none).is_err());
        let nul = &mut |lexeme: &mut [u8]| {
            lexeme.fill(0);
            Ok(())
        };
        assert!(rewrite(&mut stored(), nul).is_err());
    }
}
