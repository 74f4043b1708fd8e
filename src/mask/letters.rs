//! Classes of letters beyond ASCII: same script, same UTF-8 length, same case, and everyday letters
//! apart from rare ones.
//!
//! A class is what a permutation of letters may not leave. Its members come from the Unicode tables
//! of the standard library and of `unicode-script`; the golden vectors hold a hash of all of them,
//! since a letter more in a class would change the permutation.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use unicode_script::{Script, UnicodeScript};

use super::coded_letters;
use super::prf::Stream;
use crate::datum::encoding::is_private;

/// Letters end below this code point (CJK extension H ends at U+323AF).
const END: u32 = 0x3_2400;

/// Zeros of the decimal digits beyond ASCII; nine more follow each.
const ZEROS: [u32; 18] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50,
    0xED0, 0xF20, 0x1040, 0x17E0, 0xFF10,
];

/// Letters in everyday use, which are classes of their own: names don't turn into phonetic signs.
/// Ranges with the same number belong together.
const EVERYDAY: [(u32, u32, u8); 15] = [
    (0xC0, 0xFF, 1),
    (0x100, 0x17F, 2),
    (0x386, 0x3CE, 3),
    (0x401, 0x401, 4),
    (0x410, 0x44F, 4),
    (0x451, 0x451, 4),
    (0x5D0, 0x5EA, 5),
    (0x621, 0x64A, 6),
    (0x904, 0x939, 7),
    (0xE01, 0xE2E, 8),
    (0x1EA0, 0x1EF9, 9),
    (0x3041, 0x3096, 10),
    (0x30A1, 0x30FA, 11),
    (0x4E00, 0x9FA5, 12),
    (0xAC00, 0xD7A3, 13),
];

/// Where a letter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rank {
    /// Which class.
    pub(crate) class: u16,
    /// Its number among the letters of the class.
    pub(crate) index: u32,
}

struct Classes {
    /// By code point: class plus one (0 for what is in no class), and index.
    ranks: Vec<(u16, u32)>,
    members: Vec<Vec<char>>,
}

static CLASSES: LazyLock<Classes> = LazyLock::new(|| {
    let mut sorted: BTreeMap<(String, usize, u8, u8), Vec<char>> = BTreeMap::new();
    for c in (0x80..END).filter_map(char::from_u32) {
        if let Some((script, kind)) = kind(c) {
            let everyday =
                EVERYDAY.iter().find(|(first, last, _)| (first..=last).contains(&&(c as u32)));
            let group = everyday.map_or(0, |&(.., group)| group);
            sorted.entry((script, c.len_utf8(), kind, group)).or_default().push(c);
        }
    }
    let members: Vec<Vec<char>> = sorted.into_values().collect();
    let mut ranks = vec![(0, 0); END as usize];
    for (class, letters) in members.iter().enumerate() {
        for (index, &letter) in letters.iter().enumerate() {
            if let Some(rank) = ranks.get_mut(letter as usize) {
                *rank = (class as u16 + 1, index as u32);
            }
        }
    }
    Classes { ranks, members }
});

/// The script and kind of a letter or digit; `None` for anything else.
fn kind(c: char) -> Option<(String, u8)> {
    let code = c as u32;
    if let Some(zero) = ZEROS.iter().find(|&&zero| (zero..zero + 10).contains(&code)) {
        return Some((format!("digits {zero:05x}"), 0));
    }
    let script = c.script();
    if !c.is_alphabetic() || matches!(script, Script::Inherited | Script::Unknown) {
        return None;
    }
    let kind = if c.is_uppercase() {
        1
    } else if c.is_lowercase() {
        2
    } else {
        3
    };
    Some((script.full_name().to_owned(), kind))
}

/// Where a character stands among the letters; `None` for what is no letter or digit.
pub(crate) fn rank(c: char) -> Option<Rank> {
    if is_private(c) {
        return coded_letters::rank(c);
    }
    let &(class, index) = CLASSES.ranks.get(c as usize)?;
    Some(Rank { class: class.checked_sub(1)?, index })
}

/// How many letters a class has.
pub(crate) fn size(class: u16) -> u32 {
    if class >= coded_letters::FIRST_CLASS {
        return coded_letters::size(class);
    }
    CLASSES.members.get(usize::from(class)).map_or(0, |letters| letters.len() as u32)
}

/// The letter at a rank.
pub(crate) fn letter(rank: Rank) -> Option<char> {
    if rank.class >= coded_letters::FIRST_CLASS {
        return coded_letters::letter(rank);
    }
    CLASSES.members.get(usize::from(rank.class))?.get(rank.index as usize).copied()
}

/// Another character in the place of `c`: a letter of its class, for a face another face, and `c`
/// itself where it is punctuation or a sign. Not injective.
pub(crate) fn other(c: char, stream: &mut Stream) -> char {
    if ('\u{1F300}'..='\u{1FAFF}').contains(&c) {
        let face = 0x1F600 + stream.below(0x50);
        return char::from_u32(face).unwrap_or(c);
    }
    let Some(rank) = rank(c) else { return c };
    // Any member but the letter itself.
    let Some(others) = size(rank.class).checked_sub(1).filter(|&others| others > 0) else {
        return c;
    };
    let drawn = stream.below(others);
    let index = if drawn >= rank.index { drawn + 1 } else { drawn };
    letter(Rank { class: rank.class, index }).unwrap_or(c)
}

/// A hash over all classes: changes with the Unicode version, and so would the masks.
#[cfg(test)]
pub(crate) fn fingerprint() -> String {
    let mut hasher = blake3::Hasher::new();
    for letters in &CLASSES.members {
        hasher.update(&(letters.len() as u32).to_le_bytes());
        for &letter in letters {
            hasher.update(&(letter as u32).to_le_bytes());
        }
    }
    hasher.finalize().to_hex().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_found_at_its_rank() {
        for c in "éÉñßжЖαΩ東あア한ابगไ٣".chars() {
            let rank = rank(c).unwrap();
            assert_eq!(letter(rank), Some(c));
            assert!(rank.index < size(rank.class));
        }
        assert_eq!(rank('—'), None);
        assert_eq!(rank('\u{301}'), None);
        assert_eq!(rank('a'), None);
    }

    #[test]
    fn classes_keep_script_length_and_case() {
        let class = |c| rank(c).unwrap().class;
        assert_eq!(class('é'), class('ö'));
        assert_ne!(class('é'), class('É'));
        assert_ne!(class('é'), class('ж'));
        assert_ne!(class('é'), class('ế'));
        assert_ne!(class('あ'), class('ア'));
    }

    #[test]
    fn classes_can_be_numbered() {
        assert!(CLASSES.members.len() < usize::from(coded_letters::FIRST_CLASS));
    }

    #[test]
    fn another_letter_is_of_the_class() {
        let mut stream = Stream::from_seed([3; 32]);
        for c in "éÉжΩ東あ한ب😀ẞ".chars() {
            for _ in 0..50 {
                let drawn = other(c, &mut stream);
                assert_eq!(drawn.len_utf8(), c.len_utf8());
                assert_eq!(rank(drawn).map(|r| r.class), rank(c).map(|r| r.class));
            }
        }
        assert_eq!(other('—', &mut stream), '—');
    }

    #[test]
    fn the_classes_are_those_of_mask_version_1() {
        assert_eq!(fingerprint(), "cc3f58ddb4907b75");
    }
}
