//! IBANs: permuted among those of one country and form, check digits computed; ISO 13616.
//!
//! An IBAN's check digits follow from the rest of it. So valid IBANs are permuted by their rest
//! alone, and everything else among texts that are no valid IBAN: those that come out as one go
//! through again, as cycle walking does.

use super::digits::{self, Scratch};
use super::permutation::Permuter;
use super::prf::Prf;

/// Letters and digits of an IBAN.
const LENGTHS: std::ops::RangeInclusive<usize> = 15..=34;

/// In a tweak, before that of a valid IBAN. No byte of UTF-8.
const VALID: u8 = 0xFC;

/// Permutes a value that is not empty.
pub(crate) fn permute(
    value: &mut [u8],
    prf: &Prf,
    permuter: &mut Permuter,
    scratch: &mut Scratch,
    buffer: &mut Vec<u8>,
) {
    if !is_valid(value) {
        loop {
            digits::alphanumeric(value, prf, permuter, scratch, buffer);
            if !is_valid(value) {
                return;
            }
        }
    }
    scratch.clear();
    scratch.tweak.push(VALID);
    let mut place = 0;
    for &byte in value.iter() {
        place += usize::from(byte.is_ascii_alphanumeric());
        match byte {
            // The check digits.
            b'0'..=b'9' if place <= 4 => scratch.tweak.push(b'0'),
            _ if place > 4 => digits::take_ascii(scratch, byte),
            kept => scratch.tweak.push(kept),
        }
    }
    scratch.permute(permuter, prf);
    let mut row = scratch.row.iter();
    place = 0;
    for byte in value.iter_mut() {
        place += usize::from(byte.is_ascii_alphanumeric());
        if place > 4 {
            digits::put_ascii(byte, &mut row);
        }
    }
    let check = check_digits(value);
    let places = value.iter_mut().filter(|byte| byte.is_ascii_alphanumeric()).skip(2);
    for (byte, digit) in places.zip([check / 10, check % 10]) {
        *byte = b'0' + digit as u8;
    }
}

/// True for an IBAN with the check digits that it should have. Blanks and punctuation don't matter.
fn is_valid(value: &[u8]) -> bool {
    if !value.is_ascii() {
        return false;
    }
    let mut count = 0;
    let mut head = [0; 4];
    for &byte in value.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        if let Some(slot) = head.get_mut(count) {
            *slot = byte;
        }
        count += 1;
    }
    let [a, b, tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = head else { return false };
    a.is_ascii_alphabetic()
        && b.is_ascii_alphabetic()
        && LENGTHS.contains(&count)
        && check_digits(value) == u32::from(tens - b'0') * 10 + u32::from(ones - b'0')
}

/// 98 less the rest modulo 97 of the account and the country, letters counting from 10.
fn check_digits(value: &[u8]) -> u32 {
    let letters = || value.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let rest =
        letters().skip(4).chain(letters().take(2)).fold(0, |rest, &byte| {
            match char::from(byte).to_digit(36) {
                Some(digit @ 0..=9) => (rest * 10 + digit) % 97,
                Some(letter) => (rest * 100 + letter) % 97,
                None => rest,
            }
        });
    98 - rest * 100 % 97
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;
    use std::collections::BTreeSet;

    fn masked(value: &[u8]) -> Vec<u8> {
        let prf = Prf::new(&MaskKey::from_bytes([4; 32]), MaskName::Iban, "test");
        let mut masked = value.to_vec();
        let (mut permuter, mut scratch) = (Permuter::new(), Scratch::new());
        permute(&mut masked, &prf, &mut permuter, &mut scratch, &mut Vec::new());
        masked
    }

    #[test]
    fn knows_the_registrys_examples() {
        for iban in [
            "DE89 3704 0044 0532 0130 00",
            "GB29NWBK60161331926819",
            "FR1420041010050500013M02606",
            "NO93 8601 1117 947",
            "MT84MALT011000012345MTLCAST001S",
        ] {
            assert!(is_valid(iban.as_bytes()), "{iban}");
            let other = String::from_utf8(masked(iban.as_bytes())).unwrap();
            assert!(is_valid(other.as_bytes()) && other != iban, "{other}");
            assert_eq!(other[..2], iban[..2]);
            let form = |text: &str| -> Vec<(bool, bool)> {
                text.chars().map(|c| (c.is_ascii_digit(), c.is_ascii_alphabetic())).collect()
            };
            assert_eq!(form(&other), form(iban));
        }
        assert!(!is_valid(b"DE88 3704 0044 0532 0130 00"));
        assert!(!is_valid(b"DE89"));
    }

    #[test]
    fn what_is_no_iban_becomes_none_and_stays_apart() {
        // 97 accounts, of each of which some check digits are right.
        let mut seen = BTreeSet::new();
        for account in 0..97 {
            for check in 0..100 {
                let value = format!("NO{check:02}860111{account:05}");
                let other = masked(value.as_bytes());
                assert_eq!(is_valid(value.as_bytes()), is_valid(&other));
                assert!(seen.insert(other));
            }
        }
    }
}
