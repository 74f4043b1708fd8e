//! `email` and `username` as permutations: no two values mask to one.
//!
//! Digits and letters are permuted within their classes, as `alphanumeric` does, except that a
//! letter is the same letter large and small, and each place keeps its case. So texts that differ
//! in more than case still do afterwards: the permutation holds under `lower(…)` and in `citext`,
//! as far as letters are ASCII.
//!
//! **Addresses.** There are as many addresses of a length as there are, and no permutation can take
//! them all into a part of them, such as those that end in `.test`. What can be done: the addresses
//! that exist end in a top-level domain of letters. They are mapped into those of the same form
//! whose last three characters hold a digit and a letter. No such top-level domain exists, nor may
//! one (RFC 1123 and RFC 3696: alphabetic; ICANN delegates no other but `xn--…`). There are 28,080
//! such endings for 17,576 of letters. Of two characters there are 520, which is less than the 676
//! pairs of letters; there the codes come in that ISO 3166 leaves to its users, which no country
//! can ever get (AA, QM to QZ, XA to XZ, ZZ), 42 of them, and digits. Addresses that end in one of
//! the images already can't be told apart from images, and are refused; so is what has an `@` and
//! isn't one address. What has no `@`, or a top-level domain of one character, reaches nobody and is
//! permuted among its like.

use std::sync::LazyLock;

use super::digits::{self, Scratch};
use super::letters::{self, Rank};
use super::permutation::Permuter;
use super::prf::Prf;
use crate::datum::DatumError;

/// In a tweak, ahead of a class of letters. No byte of UTF-8, like those below.
const CLASS: u8 = 0xFF;
/// In a tweak, for endings of three characters, of two small and of two large letters.
const THREE: u8 = 0xFD;
const TWO_SMALL: u8 = 0xFB;
const TWO_LARGE: u8 = 0xFA;

/// What one thread permutes with.
pub(crate) struct Tools<'t> {
    pub(crate) prf: &'t Prf,
    pub(crate) permuter: &'t mut Permuter,
    pub(crate) scratch: &'t mut Scratch,
    pub(crate) buffer: &'t mut Vec<u8>,
}

/// Permutes a value that is not empty.
pub(crate) fn username(value: &mut [u8], tools: &mut Tools<'_>) {
    match str::from_utf8(value) {
        Ok(text) => permute(text, None, tools),
        Err(_) => {
            let Tools { prf, permuter, scratch, buffer } = tools;
            return digits::alphanumeric(value, prf, permuter, scratch, buffer);
        }
    }
    super::overlay::write_back(value, tools.buffer);
}

/// Permutes a value that is not empty; an address into those that nobody has.
pub(crate) fn email(value: &mut [u8], tools: &mut Tools<'_>) -> Result<(), DatumError> {
    let text = str::from_utf8(value)
        .map_err(|_| DatumError("a unique e-mail address needs text in UTF-8"))?;
    match text.split_once('@') {
        None => permute(text, None, tools),
        Some((_, host)) if reaches_nobody(host) => permute(text, None, tools),
        Some((_, host)) => {
            let ending = Ending::of(host).ok_or(DatumError(
                "what has an @ is no single address under a top-level domain of letters in one \
                 case, which `unique` needs",
            ))?;
            let rest = text.get(..text.len() - ending.letters.len()).unwrap_or_default();
            permute(rest, Some(&ending), tools);
        }
    }
    super::overlay::write_back(value, tools.buffer);
    Ok(())
}

/// Permutes `text`, and the ending behind it, into the buffer.
fn permute(text: &str, ending: Option<&Ending<'_>>, tools: &mut Tools<'_>) {
    let Tools { prf, permuter, scratch, buffer } = tools;
    scratch.clear();
    if text.is_ascii() {
        scratch.push_ascii(text.as_bytes(), |class| class.to_ascii_lowercase());
    } else {
        take(text, scratch);
    }
    if let Some(ending) = ending {
        scratch.push(ending.mark(), ending.images().len() as u32, ending.index());
    }
    scratch.permute(permuter, prf);
    let mut row = scratch.row.iter();
    buffer.clear();
    if text.is_ascii() {
        buffer.extend_from_slice(text.as_bytes());
        buffer.iter_mut().for_each(|byte| digits::put_ascii(byte, &mut row));
    } else {
        put(text, &mut row, buffer);
    }
    if let Some(ending) = ending {
        let image = row.next().and_then(|&index| ending.images().get(index as usize));
        let image = image.map(Vec::as_slice).unwrap_or_default();
        let start = buffer.len();
        buffer.extend_from_slice(image);
        if ending.letters.len() == 3 && ending.is_large {
            buffer.iter_mut().skip(start).for_each(u8::make_ascii_uppercase);
        }
    }
}

/// Puts a text with letters beyond ASCII into the row, or into the tweak where they are kept.
fn take(text: &str, scratch: &mut Scratch) {
    for c in text.chars() {
        match c {
            '0'..='9' => scratch.push(b'0', 10, c as u32 - '0' as u32),
            'a'..='z' => scratch.push(b'a', 26, c as u32 - 'a' as u32),
            'A'..='Z' => scratch.push(b'a', 26, c as u32 - 'A' as u32),
            _ => match letters::rank(c) {
                Some(Rank { class, index }) => {
                    scratch.push(CLASS, letters::size(class), index);
                    scratch.tweak.extend(class.to_le_bytes());
                }
                None => scratch.tweak.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            },
        }
    }
}

/// Writes the text with the row's digits in their places.
fn put<'r>(text: &str, row: &mut impl Iterator<Item = &'r u32>, buffer: &mut Vec<u8>) {
    for c in text.chars() {
        let base = match c {
            '0'..='9' => '0',
            'a'..='z' => 'a',
            'A'..='Z' => 'A',
            _ => {
                let class = letters::rank(c).map(|rank| rank.class);
                let rank = class.and_then(|class| Some(Rank { class, index: *row.next()? }));
                let to = rank.and_then(letters::letter).unwrap_or(c);
                buffer.extend_from_slice(to.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
        };
        buffer.push(base as u8 + row.next().copied().unwrap_or(0) as u8);
    }
}

/// Characters of a host name's parts.
fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || letters::rank(c).is_some()
}

/// True for a host name that ends in a part of one ASCII letter or digit, and so do its images.
fn reaches_nobody(host: &str) -> bool {
    let top = host.rsplit('.').next().unwrap_or_default().as_bytes();
    matches!(top, [one] if one.is_ascii_alphanumeric())
        && host.chars().all(|c| c == '.' || is_part(c))
}

/// The last two or three letters of an address.
struct Ending<'t> {
    letters: &'t [u8],
    is_large: bool,
}

impl<'t> Ending<'t> {
    /// The ending of a host name that has one to permute.
    fn of(host: &'t str) -> Option<Ending<'t>> {
        if !host.split('.').all(|label| !label.is_empty() && label.chars().all(is_part)) {
            return None;
        }
        let (before, top) = host.rsplit_once('.').unwrap_or(("", host));
        let is_small = top.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_large = top.bytes().all(|byte| byte.is_ascii_uppercase());
        if !(is_small || is_large) {
            return None;
        }
        if top.len() > 2 {
            return top.as_bytes().last_chunk::<3>().map(|letters| Ending { letters, is_large });
        }
        // Digits alone could be taken for a network address.
        let is_named = before.bytes().any(|byte| !byte.is_ascii_digit() && byte != b'.');
        let letters: &[u8; 2] = top.as_bytes().try_into().ok()?;
        (is_named && !is_user_code(*letters)).then_some(Ending { letters, is_large })
    }

    fn mark(&self) -> u8 {
        match (self.letters.len(), self.is_large) {
            (3, _) => THREE,
            (_, false) => TWO_SMALL,
            (_, true) => TWO_LARGE,
        }
    }

    /// Its number among the endings of its kind, which are fewer than their images.
    fn index(&self) -> u32 {
        let small = |letter: &u8| letter.to_ascii_lowercase();
        match self.letters {
            [a, b] => {
                let pair = u32::from(small(a) - b'a') * 26 + u32::from(small(b) - b'a');
                PAIRS_BEFORE.get(pair as usize).copied().unwrap_or_default()
            }
            letters => {
                letters.iter().fold(0, |index, letter| index * 26 + u32::from(small(letter) - b'a'))
            }
        }
    }

    /// What endings of its kind are mapped into.
    fn images(&self) -> &'static [Vec<u8>] {
        match self.mark() {
            THREE => &IMAGES.three,
            TWO_SMALL => &IMAGES.two_small,
            _ => &IMAGES.two_large,
        }
    }
}

/// All pairs of small letters.
fn pairs() -> impl Iterator<Item = [u8; 2]> {
    (b'a'..=b'z').flat_map(|a| (b'a'..=b'z').map(move |b| [a, b]))
}

/// Of each pair of letters, how many before it are endings.
static PAIRS_BEFORE: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut before = 0;
    let next = |pair| {
        let index = before;
        before += u32::from(!is_user_code(pair));
        index
    };
    pairs().map(next).collect()
});

/// True for the codes that ISO 3166 leaves to its users, in any case.
fn is_user_code(code: [u8; 2]) -> bool {
    let [a, b] = code.map(|letter| letter.to_ascii_lowercase());
    matches!((a, b), (b'a', b'a') | (b'q', b'm'..=b'z') | (b'x', b'a'..=b'z') | (b'z', b'z'))
}

struct Images {
    three: Vec<Vec<u8>>,
    two_small: Vec<Vec<u8>>,
    two_large: Vec<Vec<u8>>,
}

static IMAGES: LazyLock<Images> = LazyLock::new(|| {
    let places = || (b'0'..=b'9').chain(b'a'..=b'z');
    let mixed = |text: &[u8]| {
        text.iter().any(u8::is_ascii_digit) && text.iter().any(u8::is_ascii_lowercase)
    };
    let two = || places().flat_map(move |a| places().map(move |b| vec![a, b]));
    let three = places().flat_map(|a| two().map(move |two| [&[a], two.as_slice()].concat()));
    let codes = || pairs().filter(|&pair| is_user_code(pair));
    let digits = two().filter(|text| text.iter().all(u8::is_ascii_digit));
    let small_codes = codes().map(|code| code.to_vec());
    let large_codes = codes().flat_map(|[a, b]| {
        let (large_a, large_b) = (a.to_ascii_uppercase(), b.to_ascii_uppercase());
        [vec![large_a, large_b], vec![large_a, b], vec![a, large_b]]
    });
    Images {
        three: three.filter(|text| mixed(text)).collect(),
        two_small: two().filter(|text| mixed(text)).chain(digits).chain(small_codes).collect(),
        two_large: two()
            .filter(|text| mixed(text))
            .map(|text| text.to_ascii_uppercase())
            .chain(large_codes)
            .collect(),
    }
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;
    use std::collections::HashSet;

    struct Bench {
        prf: Prf,
        permuter: Permuter,
        scratch: Scratch,
        buffer: Vec<u8>,
    }

    impl Bench {
        fn new() -> Bench {
            Bench {
                prf: Prf::new(&MaskKey::from_bytes([4; 32]), MaskName::Email, "test"),
                permuter: Permuter::new(),
                scratch: Scratch::new(),
                buffer: Vec::new(),
            }
        }

        fn email(&mut self, text: &str) -> Result<String, DatumError> {
            let Bench { prf, permuter, scratch, buffer } = self;
            let mut value = text.as_bytes().to_vec();
            email(&mut value, &mut Tools { prf, permuter, scratch, buffer })?;
            Ok(String::from_utf8(value).unwrap())
        }
    }

    /// Top-level domains that could be delegated.
    fn could_exist(address: &str) -> bool {
        let top = address.rsplit(['.', '@']).next().unwrap();
        let letters = top.bytes().all(|byte| byte.is_ascii_alphabetic());
        let code = <[u8; 2]>::try_from(top.as_bytes()).is_ok_and(is_user_code);
        top.to_ascii_lowercase().starts_with("xn--") || (letters && !code)
    }

    #[test]
    fn there_are_more_images_than_endings() {
        assert_eq!(IMAGES.three.len(), 28_080);
        assert_eq!(pairs().filter(|&pair| !is_user_code(pair)).count(), 634);
        assert_eq!(IMAGES.two_small.len(), 662);
        assert_eq!(IMAGES.two_large.len(), 646);
        let all = [&IMAGES.three[..], &IMAGES.two_small, &IMAGES.two_large].concat();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn every_short_address_has_an_image_of_its_own_that_nobody_has() {
        let mut bench = Bench::new();
        let letters = || (b'a'..=b'z').map(char::from);
        let mut seen = HashSet::new();
        let pairs: Vec<String> =
            pairs().map(|pair| String::from_utf8(pair.to_vec()).unwrap()).collect();
        for pair in pairs.iter().filter(|pair| could_exist(pair)) {
            for rest in letters().map(|c| format!("{c}@x")).chain(["1@x".into(), "A@x".into()]) {
                for address in [format!("{rest}.{pair}"), format!("{rest}.{}", pair.to_uppercase())]
                {
                    let image = bench.email(&address).unwrap();
                    assert_eq!(image.len(), address.len());
                    assert!(!could_exist(&image), "{image}");
                    assert!(seen.insert(image));
                }
            }
        }
        seen.clear();
        for three in letters().flat_map(|c| pairs.iter().map(move |pair| format!("{c}{pair}"))) {
            for rest in ["m@", "7@", "a@b."] {
                let image = bench.email(&format!("{rest}{three}")).unwrap();
                assert!(!could_exist(&image) && seen.insert(image));
            }
        }
    }

    #[test]
    fn images_keep_form_and_case() {
        let mut bench = Bench::new();
        let image = bench.email("Jane.Doe+1@mail.Example.com").unwrap();
        let small = bench.email("jane.doe+1@mail.example.com").unwrap();
        assert_eq!(image.to_lowercase(), small);
        assert_eq!(&image[4..5], ".");
        assert!(image.starts_with(|c: char| c.is_ascii_uppercase()));
        let foreign = bench.email("jürgen@müller.de").unwrap();
        assert_eq!(foreign.chars().count(), 16);
        assert!(!could_exist(&foreign) && !could_exist(&bench.email("A@B.COM").unwrap()));
        assert!(!bench.email("nobody").unwrap().contains('@'));
        assert_eq!(bench.email("u12@x.y").unwrap().rfind('.'), Some(5));
    }

    #[test]
    fn what_could_be_an_image_or_several_addresses_is_refused() {
        let mut bench = Bench::new();
        for text in [
            "a@b.c0m",
            "a@b.zz",
            "a@b.QM",
            "a@b.Com",
            "a@",
            "@",
            "a@1.2.de",
            "a@b.xn--p1ai",
            "a@b.de, c@d.de",
            "Jane <a@b.de>",
            "a@b..de",
            "a@b.de.",
            "a@пример.рф",
            "a@de",
        ] {
            assert!(bench.email(text).is_err(), "{text}");
        }
    }
}
