//! Server encodings: where a character of stored text ends, and text in a form that masks know.
//!
//! Masks work on UTF-8. Text in another encoding is *widened* first: ASCII stays, and each other
//! character becomes one code point of the private planes, which has a place for every character
//! of every encoding. *Narrowing* turns it back. So a mask keeps the number of characters and the
//! stored length of each, whatever the encoding.

use serde::{Deserialize, Serialize};

use super::DatumError;
use super::text::{Unit, units};

/// First code point of the private planes.
const PRIVATE: u32 = 0xF_0000;
/// Characters of a set of 94 by 94.
const GRID: u32 = 94 * 94;
/// `SS2` and `SS3` of `mb/pg_wchar.h`: single shifts before a character of another set.
const SS2: u8 = 0x8E;
const SS3: u8 = 0x8F;

/// A server encoding by the name that PostgreSQL has for it; `mb/pg_wchar.h`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are names")]
pub enum Encoding {
    #[default]
    Utf8,
    /// Anything: taken for UTF-8 where it is, for single bytes elsewhere.
    SqlAscii,
    Latin1,
    Latin2,
    Latin3,
    Latin4,
    Latin5,
    Latin6,
    Latin7,
    Latin8,
    Latin9,
    Latin10,
    Win1250,
    Win1251,
    Win1252,
    Win1253,
    Win1254,
    Win1255,
    Win1256,
    Win1257,
    Win1258,
    Win866,
    Win874,
    Koi8r,
    Koi8u,
    Iso88595,
    Iso88596,
    Iso88597,
    Iso88598,
    EucJp,
    EucJis2004,
    EucCn,
    EucKr,
    EucTw,
}

/// Encodings of one byte per character, in the order of their places in the private planes.
const SINGLE_BYTE: [(&str, Encoding); 27] = [
    ("LATIN1", Encoding::Latin1),
    ("LATIN2", Encoding::Latin2),
    ("LATIN3", Encoding::Latin3),
    ("LATIN4", Encoding::Latin4),
    ("LATIN5", Encoding::Latin5),
    ("LATIN6", Encoding::Latin6),
    ("LATIN7", Encoding::Latin7),
    ("LATIN8", Encoding::Latin8),
    ("LATIN9", Encoding::Latin9),
    ("LATIN10", Encoding::Latin10),
    ("WIN1250", Encoding::Win1250),
    ("WIN1251", Encoding::Win1251),
    ("WIN1252", Encoding::Win1252),
    ("WIN1253", Encoding::Win1253),
    ("WIN1254", Encoding::Win1254),
    ("WIN1255", Encoding::Win1255),
    ("WIN1256", Encoding::Win1256),
    ("WIN1257", Encoding::Win1257),
    ("WIN1258", Encoding::Win1258),
    ("WIN866", Encoding::Win866),
    ("WIN874", Encoding::Win874),
    ("KOI8R", Encoding::Koi8r),
    ("KOI8U", Encoding::Koi8u),
    ("ISO_8859_5", Encoding::Iso88595),
    ("ISO_8859_6", Encoding::Iso88596),
    ("ISO_8859_7", Encoding::Iso88597),
    ("ISO_8859_8", Encoding::Iso88598),
];

/// The others. Their characters' places begin where the ones before them end.
const OTHERS: [(&str, Encoding); 7] = [
    ("UTF8", Encoding::Utf8),
    ("SQL_ASCII", Encoding::SqlAscii),
    ("EUC_JP", Encoding::EucJp),
    ("EUC_JIS_2004", Encoding::EucJis2004),
    ("EUC_CN", Encoding::EucCn),
    ("EUC_KR", Encoding::EucKr),
    ("EUC_TW", Encoding::EucTw),
];

/// A character beyond ASCII: its number in its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Coded(u32);

impl Encoding {
    /// The encoding that `pg_encoding_to_char` has this name for; `None` for `MULE_INTERNAL` and
    /// what no server encoding is.
    pub fn from_name(name: &str) -> Option<Encoding> {
        let mut all = SINGLE_BYTE.iter().chain(&OTHERS);
        all.find(|(known, _)| *known == name).map(|&(_, encoding)| encoding)
    }

    /// True if masks can work on the stored bytes.
    pub(crate) fn is_utf8(self) -> bool {
        matches!(self, Encoding::Utf8 | Encoding::SqlAscii)
    }

    /// The place of its first character in the private planes.
    fn base(self) -> u32 {
        let single = SINGLE_BYTE.iter().zip(0..).find(|((_, known), _)| *known == self);
        PRIVATE
            + match (self, single) {
                (_, Some((_, number))) => 0x80 * number,
                (Encoding::EucJp, _) => 0x1000,
                (Encoding::EucJis2004, _) => 0x5600,
                (Encoding::EucCn, _) => 0x9C00,
                (Encoding::EucKr, _) => 0xBF00,
                _ => 0xE200,
            }
    }

    /// How many characters there is a place for.
    fn places(self) -> u32 {
        match self {
            Encoding::EucJp | Encoding::EucJis2004 => 2 * GRID + 94,
            Encoding::EucCn | Encoding::EucKr => GRID,
            Encoding::EucTw => 8 * GRID,
            _ => 0x80,
        }
    }

    /// The character beyond ASCII at the start of `bytes`, and its length; `None` if there is none.
    fn decode(self, bytes: &[u8]) -> Option<(Coded, usize)> {
        let japanese = matches!(self, Encoding::EucJp | Encoding::EucJis2004);
        match (self, bytes) {
            (Encoding::EucTw, [SS2, plane @ 0xA1..=0xA7, row, cell, ..]) => {
                Some((Coded(u32::from(plane - 0xA0) * GRID + grid(*row, *cell)?), 4))
            }
            (_, [SS2, cell @ 0xA1..=0xFE, ..]) if japanese => {
                Some((Coded(2 * GRID + u32::from(cell - 0xA1)), 2))
            }
            (_, [SS3, row, cell, ..]) if japanese => Some((Coded(GRID + grid(*row, *cell)?), 3)),
            (
                Encoding::EucJp
                | Encoding::EucJis2004
                | Encoding::EucCn
                | Encoding::EucKr
                | Encoding::EucTw,
                [row, cell, ..],
            ) => Some((Coded(grid(*row, *cell)?), 2)),
            (
                Encoding::EucJp
                | Encoding::EucJis2004
                | Encoding::EucCn
                | Encoding::EucKr
                | Encoding::EucTw,
                _,
            ) => None,
            (_, [byte @ 0x80..=0xFF, ..]) => Some((Coded(u32::from(byte - 0x80)), 1)),
            _ => None,
        }
    }

    /// Appends a character's bytes.
    fn encode(self, Coded(number): Coded, out: &mut Vec<u8>) {
        let cell = |number: u32| {
            let within = number % GRID;
            [0xA1 + (within / 94) as u8, 0xA1 + (within % 94) as u8]
        };
        match self {
            Encoding::EucTw if number >= GRID => {
                out.extend([SS2, 0xA0 + (number / GRID) as u8]);
                out.extend(cell(number));
            }
            Encoding::EucJp | Encoding::EucJis2004 if number >= 2 * GRID => {
                out.extend([SS2, 0xA1 + (number - 2 * GRID) as u8]);
            }
            Encoding::EucJp | Encoding::EucJis2004 if number >= GRID => {
                out.push(SS3);
                out.extend(cell(number));
            }
            Encoding::EucJp
            | Encoding::EucJis2004
            | Encoding::EucCn
            | Encoding::EucKr
            | Encoding::EucTw => out.extend(cell(number)),
            _ => out.push(0x80 + number as u8),
        }
    }

    /// The private code point of the character with these bytes, given as one number; `None` if
    /// they are none.
    pub(crate) fn private(self, code: u32) -> Option<char> {
        let bytes = code.to_be_bytes();
        let start = bytes.iter().position(|&byte| byte != 0)?;
        let bytes = bytes.get(start..)?;
        let (Coded(number), len) = self.decode(bytes)?;
        if len == bytes.len() { char::from_u32(self.base() + number) } else { None }
    }

    /// What a private code point stands for in this encoding.
    fn coded(self, c: char) -> Option<Coded> {
        let number = (c as u32).checked_sub(self.base())?;
        (number < self.places()).then_some(Coded(number))
    }

    /// The stored length of each character of a text. A byte that belongs to none is one.
    pub(crate) fn lengths(self, value: &[u8]) -> impl Iterator<Item = usize> {
        let mut rest = value;
        std::iter::from_fn(move || {
            let len = match *rest.first()? {
                byte if byte.is_ascii() => 1,
                _ => self.decode(rest).map_or(1, |(_, len)| len),
            };
            rest = rest.get(len..).unwrap_or_default();
            Some(len)
        })
    }

    /// Writes a stored text as UTF-8 with private code points. A byte that belongs to no character
    /// becomes a question mark: PostgreSQL stores none.
    pub(crate) fn widen(self, value: &[u8], wide: &mut Vec<u8>) {
        wide.clear();
        let mut rest = value;
        while let Some(&byte) = rest.first() {
            let mut len = 1;
            match self.decode(rest) {
                _ if byte.is_ascii() => wide.push(byte),
                Some((Coded(number), length)) => {
                    let c = char::from_u32(self.base() + number).unwrap_or('?');
                    wide.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    len = length;
                }
                None => wide.push(b'?'),
            }
            rest = rest.get(len..).unwrap_or_default();
        }
    }

    /// Writes what a mask made of a widened `value` over it. A character that the encoding does not
    /// have becomes a sign of the length that stood there.
    pub(crate) fn narrow(self, wide: &[u8], value: &mut [u8]) -> Result<(), DatumError> {
        let mut out = Vec::with_capacity(value.len());
        let mut lengths = self.lengths(value);
        for unit in units(wide) {
            let length = lengths.next();
            match unit {
                Unit::Ascii(byte) => out.push(byte),
                Unit::Char(c) => match self.coded(c) {
                    Some(coded) => self.encode(coded, &mut out),
                    None => out.extend_from_slice(self.sign(length.unwrap_or(1))),
                },
                Unit::Raw(_) => out.push(b'*'),
            }
        }
        drop(lengths);
        if out.len() != value.len() {
            return Err(DatumError("a mask changed the length of a text in the server's encoding"));
        }
        value.copy_from_slice(&out);
        Ok(())
    }

    /// A sign of so many bytes: an asterisk, or what comes near to it.
    fn sign(self, length: usize) -> &'static [u8] {
        match (self, length) {
            (_, 1) => b"*",
            (Encoding::EucJp | Encoding::EucJis2004, 2) => b"\xA1\xF6",
            (Encoding::EucTw, 2) => b"\xA4\xA1",
            (_, 2) => b"\xA3\xAA",
            (Encoding::EucJp, 3) => b"\x8F\xB0\xA1",
            (_, 3) => b"\x8F\xA1\xA2",
            _ => b"\x8E\xA2\xA1\xA1",
        }
    }
}

/// True if a code point is one that widening makes.
pub(crate) fn is_private(c: char) -> bool {
    c as u32 >= PRIVATE
}

/// The number of a character within its set of 94 by 94.
fn grid(row: u8, cell: u8) -> Option<u32> {
    let within = |byte: u8| (0xA1..=0xFE).contains(&byte).then(|| u32::from(byte - 0xA1));
    Some(within(row)? * 94 + within(cell)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn foreign() -> impl Iterator<Item = Encoding> {
        let all = SINGLE_BYTE.into_iter().chain(OTHERS).map(|(_, encoding)| encoding);
        all.filter(|encoding| !encoding.is_utf8())
    }

    #[test]
    fn every_character_has_a_place_of_its_own() {
        let mut ends: Vec<(u32, u32)> =
            foreign().map(|e| (e.base(), e.base() + e.places())).collect();
        ends.sort_unstable();
        assert!(ends.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{ends:x?}");
        assert!(ends.last().unwrap().1 <= 0x11_0000);
        for encoding in foreign() {
            for number in 0..encoding.places() {
                let mut bytes = Vec::new();
                encoding.encode(Coded(number), &mut bytes);
                assert_eq!(encoding.decode(&bytes), Some((Coded(number), bytes.len())));
            }
        }
    }

    #[test]
    fn latin_1_is_never_taken_for_utf_8() {
        let mut wide = Vec::new();
        // é as UTF-8 has it; here it is two characters.
        Encoding::Latin1.widen(b"\xC3\xA9", &mut wide);
        assert_eq!(units(&wide).count(), 2);
        Encoding::EucJp.widen(b"a\xC6\xFC\x8E\xB1\x8F\xB0\xA1", &mut wide);
        assert_eq!(units(&wide).count(), 4);
    }

    #[test]
    fn characters_that_an_encoding_lacks_become_signs_of_their_length() {
        for (encoding, text) in [
            (Encoding::Latin1, &b"\xE9x"[..]),
            (Encoding::EucJp, b"\xC6\xFC\x8E\xB1\x8F\xB0\xA1x"),
            (Encoding::EucJis2004, b"\xC6\xFC\x8F\xA1\xA1"),
            (Encoding::EucCn, b"\xC6\xFC"),
            (Encoding::EucTw, b"\xC6\xFC\x8E\xA2\xA1\xA1"),
        ] {
            let mut value = text.to_vec();
            let stars = "\u{1F0A0}".repeat(encoding.lengths(text).count());
            encoding.narrow(stars.as_bytes(), &mut value).unwrap();
            assert!(encoding.lengths(text).eq(encoding.lengths(&value)), "{encoding:?}");
            let mut wide = Vec::new();
            encoding.widen(&value, &mut wide);
            assert!(!wide.contains(&b'?'), "{encoding:?}");
        }
        let mut value = b"\xC6\xFC".to_vec();
        assert!(Encoding::EucJp.narrow(b"a", &mut value).is_err());
        assert_eq!(value, b"\xC6\xFC");
    }

    #[test]
    fn knows_every_server_encoding_but_one() {
        for name in ["UTF8", "SQL_ASCII", "LATIN10", "WIN1258", "EUC_JIS_2004", "KOI8U"] {
            assert!(Encoding::from_name(name).is_some(), "{name}");
        }
        for name in ["MULE_INTERNAL", "SJIS", "latin1", ""] {
            assert_eq!(Encoding::from_name(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn widening_and_narrowing_change_nothing_but_stray_bytes(
            bytes in proptest::collection::vec(any::<u8>(), 0..40)
        ) {
            for encoding in foreign() {
                let mut wide = Vec::new();
                encoding.widen(&bytes, &mut wide);
                prop_assert_eq!(units(&wide).count(), encoding.lengths(&bytes).count());
                prop_assert!(str::from_utf8(&wide).is_ok());
                let mut back = bytes.clone();
                encoding.narrow(&wide, &mut back).unwrap();
                let mut again = Vec::new();
                encoding.widen(&back, &mut again);
                prop_assert_eq!(&wide, &again);
                let stray = bytes.iter().zip(&back).filter(|(before, after)| before != after);
                prop_assert!(stray.map(|(_, after)| after).all(|&after| after == b'?'));
            }
        }
    }
}
