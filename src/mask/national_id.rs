//! National identity numbers: valid in form and check digits, and nobody's where the country keeps
//! some back.

use super::overlay;
use super::prf::Stream;
use crate::datum::text::{Unit, units};

/// A country whose numbers are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Country {
    /// Social security number: areas 900 to 999 with groups below 50, which neither it nor the
    /// taxpayer number in the same form uses.
    Us,
    /// National insurance number: a prefix of two letters that none begins with.
    Gb,
    /// NIR: département 00, where nobody is born; key modulo 97.
    Fr,
    /// Tax identification number: check digit of ISO 7064 MOD 11,10, one digit twice, one missing.
    De,
}

/// The countries, by the names that rules give them.
pub(crate) const COUNTRIES: [(&str, Country); 4] =
    [("us", Country::Us), ("gb", Country::Gb), ("fr", Country::Fr), ("de", Country::De)];

impl Country {
    /// The country of this name, in any case.
    pub(crate) fn find(name: &str) -> Option<Country> {
        COUNTRIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, c)| c)
    }

    /// True if letters and digits look like a number of the country.
    fn has_form(self, compact: &[u8]) -> bool {
        let digits = |from: usize, to: usize| {
            compact.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
        };
        let letter = |at: usize| compact.get(at).is_some_and(u8::is_ascii_alphabetic);
        match (self, compact.len()) {
            (Country::Us, 9) => digits(0, 9),
            (Country::De, 11) => digits(0, 11),
            (Country::Gb, 8) => letter(0) && letter(1) && digits(2, 8),
            (Country::Gb, 9) => letter(0) && letter(1) && digits(2, 8) && letter(8),
            (Country::Fr, len @ (13 | 15)) => {
                let corsica = compact.get(5) == Some(&b'2')
                    && compact.get(6).is_some_and(|byte| b"AaBb".contains(byte));
                digits(0, 5) && (digits(5, 7) || corsica) && digits(7, len)
            }
            _ => false,
        }
    }

    /// Writes a number of the country over all of `compact`, which has its form.
    fn write(self, compact: &mut [u8], stream: &mut Stream) {
        match self {
            Country::Us => {
                let number = 900_000_000
                    + stream.below(100) * 1_000_000
                    + (1 + stream.below(49)) * 10_000
                    + 1
                    + stream.below(9999);
                put_number(compact, u64::from(number));
            }
            Country::Gb => {
                // No number begins with one of these, let alone with two.
                const UNUSED: &[u8] = b"DFIQUV";
                stream.digits(compact);
                let (prefix, rest) = compact.split_at_mut(2);
                prefix.fill_with(|| stream.pick(UNUSED).copied().unwrap_or(b'Q'));
                if let Some(suffix) = rest.get_mut(6) {
                    *suffix = b'A' + stream.below(4) as u8;
                }
            }
            Country::Fr => {
                let number = u64::from(1 + stream.below(2)) * 1_000_000_000_000
                    + u64::from(stream.below(100)) * 10_000_000_000
                    + u64::from(1 + stream.below(12)) * 100_000_000
                    + u64::from(1 + stream.below(990)) * 1000
                    + u64::from(1 + stream.below(999));
                let (body, key) = compact.split_at_mut(13);
                put_number(body, number);
                put_number(key, 97 - number % 97);
            }
            Country::De => {
                // All digits but one, and another of them once more, in any order.
                let mut digits: Vec<u8> = (b'0'..=b'9').collect();
                let missing = stream.below(10) as usize;
                let twice = (missing + 1 + stream.below(9) as usize) % 10;
                if let Some(slot) = digits.get_mut(missing) {
                    *slot = b'0' + twice as u8;
                }
                for last in (1..digits.len()).rev() {
                    digits.swap(last, stream.below(last as u32 + 1) as usize);
                }
                while digits.first() == Some(&b'0') {
                    digits.rotate_left(1);
                }
                digits.push(b'0' + mod_11_10(&digits));
                compact.copy_from_slice(&digits);
            }
        }
    }
}

/// The check digit of ISO 7064, MOD 11,10.
fn mod_11_10(digits: &[u8]) -> u8 {
    let product = digits.iter().fold(10, |product, &digit| {
        let sum = (product + u32::from(digit - b'0')) % 10;
        2 * if sum == 0 { 10 } else { sum } % 11
    });
    ((11 - product) % 10) as u8
}

/// Decimal digits over all of `digits`, leading zeros included.
fn put_number(digits: &mut [u8], number: u64) {
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

/// Draws so often before a replacement may equal the original.
const DRAWS: usize = 4;

/// Replaces a value that is not empty. Blanks and punctuation stay; what doesn't look like a number
/// of the country gets other characters of the same classes.
pub(crate) fn mask(value: &mut [u8], country: Country, stream: &mut Stream, buffer: &mut Vec<u8>) {
    let compact: Vec<u8> = value.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    if !value.is_ascii() || !country.has_form(&compact) {
        buffer.clear();
        units(value).for_each(|unit: Unit| overlay::put_other(buffer, unit, stream));
        overlay::write_back(value, buffer);
        return;
    }
    let small = compact.iter().any(u8::is_ascii_lowercase);
    let mut drawn = compact.clone();
    for _ in 0..DRAWS {
        country.write(&mut drawn, stream);
        if small {
            drawn.make_ascii_lowercase();
        }
        if drawn != compact {
            break;
        }
    }
    let places = value.iter_mut().filter(|byte| byte.is_ascii_alphanumeric());
    places.zip(drawn).for_each(|(to, from)| *to = from);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str, country: Country, seed: u8) -> String {
        let mut value = text.as_bytes().to_vec();
        mask(&mut value, country, &mut Stream::from_seed([seed + 1; 32]), &mut Vec::new());
        String::from_utf8(value).unwrap()
    }

    #[test]
    fn american_numbers_were_never_issued() {
        for seed in 0..200 {
            let other = masked("123-45-6789", Country::Us, seed);
            let parts: Vec<u32> = other.split('-').map(|part| part.parse().unwrap()).collect();
            assert!((900..1000).contains(&parts[0]), "{other}");
            assert!((1..50).contains(&parts[1]) && parts[2] > 0, "{other}");
        }
    }

    #[test]
    fn british_numbers_have_no_prefix_in_use() {
        for seed in 0..200 {
            let other = masked("ab 12 34 56 c", Country::Gb, seed);
            let compact: Vec<char> = other.chars().filter(|c| *c != ' ').collect();
            assert!(compact[..2].iter().all(|c| "dfiquv".contains(*c)), "{other}");
            assert!(compact[2..8].iter().all(char::is_ascii_digit), "{other}");
            assert!("abcd".contains(compact[8]), "{other}");
        }
    }

    #[test]
    fn french_numbers_have_their_key() {
        for (seed, text) in (0..100)
            .flat_map(|seed| [(seed, "2 69 05 49 588 157 80"), (seed, "1 85 05 2A 123 456 80")])
        {
            let other: String = masked(text, Country::Fr, seed).replace(' ', "");
            let (body, key) = other.split_at(13);
            let body: u64 = body.parse().unwrap();
            assert_eq!(97 - body % 97, key.parse::<u64>().unwrap(), "{other}");
            assert!((1..=12).contains(&other[3..5].parse::<u32>().unwrap()));
            assert_eq!(&other[5..7], "00");
        }
    }

    #[test]
    fn german_numbers_repeat_one_digit_and_check() {
        // The two examples that python-stdnum and the tax office publish.
        assert_eq!(mod_11_10(b"3657426180"), 9);
        assert_eq!(mod_11_10(b"8609574271"), 9);
        for seed in 0..200 {
            let other = masked("36 574 261 809", Country::De, seed);
            let digits: Vec<u8> = other.bytes().filter(u8::is_ascii_digit).collect();
            let (check, body) = digits.split_last().unwrap();
            assert_eq!(b'0' + mod_11_10(body), *check, "{other}");
            assert_ne!(body[0], b'0');
            let mut different = body.to_vec();
            different.sort_unstable();
            different.dedup();
            assert_eq!(different.len(), 9, "{other}");
        }
    }

    #[test]
    fn other_forms_get_other_characters_of_their_classes() {
        for country in COUNTRIES.map(|(_, country)| country) {
            let other = masked("Ab-1 é", country, 3);
            assert_eq!(other.chars().count(), 6);
            assert!(other.is_char_boundary(2) && &other[2..3] == "-");
            let mut pairs = other.chars().zip("Ab-1 é".chars());
            assert!(pairs.all(|(is, was)| (is != was) == was.is_alphanumeric()), "{other}");
        }
    }
}
