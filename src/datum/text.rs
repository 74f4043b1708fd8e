//! Text as a sequence of units: characters where the bytes are UTF-8, single bytes elsewhere.
//!
//! A database in `SQL_ASCII` or a one-byte encoding holds bytes that are no UTF-8. Nothing may be
//! left unmasked for that, and nothing may fail for it.

use super::DatumError;

/// One unit of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// An ASCII byte.
    Ascii(u8),
    /// A character of two to four bytes.
    Char(char),
    /// A byte of 0x80 or more that belongs to no character.
    Raw(u8),
}

impl Unit {
    /// Its length in bytes.
    pub(crate) fn len(self) -> usize {
        match self {
            Unit::Ascii(_) | Unit::Raw(_) => 1,
            Unit::Char(c) => c.len_utf8(),
        }
    }
}

/// The units of a text; together they are exactly its bytes.
pub(crate) fn units(bytes: &[u8]) -> impl Iterator<Item = Unit> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid().chars().map(|c| match u8::try_from(c) {
            Ok(byte) if byte.is_ascii() => Unit::Ascii(byte),
            _ => Unit::Char(c),
        });
        valid.chain(chunk.invalid().iter().map(|&byte| Unit::Raw(byte)))
    })
}

/// Of units of these lengths, where the first one ends that goes up to `at` or beyond it, or else
/// the last.
pub(crate) fn boundary(lengths: impl Iterator<Item = usize>, at: usize) -> usize {
    let mut end = 0;
    for len in lengths {
        if end >= at {
            break;
        }
        end += len;
    }
    end
}

/// A `char(n)`'s value without its padding.
pub(crate) fn unpadded(value: &mut [u8]) -> &mut [u8] {
    let end = value.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
    value.get_mut(..end).unwrap_or_default()
}

/// The characters of a `name`, without the NULs behind them, which are made sure of.
pub(crate) fn of_name(value: &mut [u8]) -> Result<&mut [u8], DatumError> {
    if value.len() != 64 {
        return Err(DatumError("a name is not 64 bytes wide"));
    }
    let end = value.iter().position(|&byte| byte == 0).ok_or(DatumError("a name has no end"))?;
    let (text, behind) = value.split_at_mut(end);
    behind.fill(0);
    Ok(text)
}

/// How the letters of a text are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// ALL OF THEM LARGE.
    Upper,
    /// all of them small.
    Lower,
    /// Both, or no letters.
    Mixed,
}

/// How the ASCII letters of a text are written.
pub(crate) fn style(bytes: &[u8]) -> Style {
    let (mut upper, mut lower) = (false, false);
    for byte in bytes {
        upper |= byte.is_ascii_uppercase();
        lower |= byte.is_ascii_lowercase();
    }
    match (upper, lower) {
        (true, false) => Style::Upper,
        (false, true) => Style::Lower,
        _ => Style::Mixed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_cover_every_byte_of_anything() {
        for text in [
            &b"plain"[..],
            "caf\u{e9} \u{6771}\u{4eac} \u{1f600}".as_bytes(),
            b"\xe9t\xe9",
            b"\xf0\x9f\x98",
        ] {
            assert_eq!(units(text).map(Unit::len).sum::<usize>(), text.len());
        }
        assert_eq!(units(b"\xe9a").collect::<Vec<_>>(), [Unit::Raw(0xe9), Unit::Ascii(b'a')]);
    }

    #[test]
    fn padding_is_trailing_blanks_only() {
        assert_eq!(unpadded(&mut b" a b   ".to_vec()), b" a b");
        assert_eq!(unpadded(&mut b"    ".to_vec()), b"");
    }

    #[test]
    fn a_name_ends_at_its_first_nul() {
        let mut value = [0; 64];
        value[..7].copy_from_slice(b"ab\0left");
        assert_eq!(of_name(&mut value), Ok(&mut b"ab".to_vec()[..]));
        assert_eq!(value[2..], [0; 62]);
        assert_eq!(of_name(&mut [0; 64]), Ok(&mut [][..]));
        assert!(of_name(&mut [b'x'; 64]).is_err());
        assert!(of_name(&mut [0; 63]).is_err());
    }

    #[test]
    fn style_needs_letters() {
        assert_eq!(style(b"ANN 1"), Style::Upper);
        assert_eq!(style(b"ann-1"), Style::Lower);
        assert_eq!(style(b"Ann"), Style::Mixed);
        assert_eq!(style(b"123"), Style::Mixed);
    }
}
