//! `mac`: other hardware addresses, locally administered, which no maker gives out; IEEE 802.

use super::digits::{self, Scratch};
use super::permutation::Permuter;
use super::prf::Prf;
use crate::datum::{DatumError, network};

/// In the first byte: the address is of a group.
const GROUP: u8 = 1;
/// In the first byte: it was given out locally.
const LOCAL: u8 = 2;
/// In the middle of 8 bytes that were made of 6.
const EXTENDED: [u8; 2] = [0xFF, 0xFE];

/// Permutes an address among those of its kind, but for the bit that says who gave it out: that is
/// set.
pub(crate) fn mask(
    value: &mut [u8],
    prf: &Prf,
    permuter: &mut Permuter,
    scratch: &mut Scratch,
) -> Result<(), DatumError> {
    match *value {
        [_, _, _, _, _, _] => permute(value, prf, permuter, scratch),
        [a, b, c, 0xFF, 0xFE, d, e, f] => {
            let mut six = [a, b, c, d, e, f];
            permute(&mut six, prf, permuter, scratch);
            let [a, b, c, d, e, f] = six;
            let [g, h] = EXTENDED;
            value.copy_from_slice(&[a, b, c, g, h, d, e, f]);
        }
        [_, _, _, _, _, _, _, _] => {
            // Until it is again none that was made of 6 bytes.
            permute(value, prf, permuter, scratch);
            while value.get(3..5) == Some(&EXTENDED) {
                permute(value, prf, permuter, scratch);
            }
        }
        _ => return Err(DatumError("a MAC address is not 6 or 8 bytes wide")),
    }
    Ok(())
}

fn permute(address: &mut [u8], prf: &Prf, permuter: &mut Permuter, scratch: &mut Scratch) {
    scratch.clear();
    for (at, &byte) in address.iter().enumerate() {
        match at {
            0 => scratch.push(byte & GROUP, 64, u32::from(byte >> 2)),
            _ => scratch.push(0, 256, byte.into()),
        }
    }
    scratch.permute(permuter, prf);
    let drawn = address.iter_mut().zip(&scratch.tweak).zip(&scratch.row).enumerate();
    for (at, ((byte, &kept), &digit)) in drawn {
        *byte = match at {
            0 => (digit << 2) as u8 | LOCAL | kept,
            _ => digit as u8,
        };
    }
}

/// Masks an address in a text as if it were stored in binary; another text like `alphanumeric`.
pub(crate) fn text(
    value: &mut [u8],
    prf: &Prf,
    permuter: &mut Permuter,
    scratch: &mut Scratch,
    buffer: &mut Vec<u8>,
) -> Result<(), DatumError> {
    let Some(mut address) = network::parse_mac(value) else {
        digits::alphanumeric(value, prf, permuter, scratch, buffer);
        return Ok(());
    };
    mask(&mut address, prf, permuter, scratch)?;
    let upper = value.iter().any(u8::is_ascii_uppercase);
    let nibbles = address.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    let places = value.iter_mut().filter(|byte| byte.is_ascii_hexdigit());
    for (place, nibble) in places.zip(nibbles) {
        let digit = char::from_digit(nibble.into(), 16).unwrap_or('0') as u8;
        *place = if upper { digit.to_ascii_uppercase() } else { digit };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;
    use std::collections::BTreeSet;

    fn masked(value: &[u8]) -> Vec<u8> {
        let prf = Prf::new(&MaskKey::from_bytes([1; 32]), MaskName::Mac, "test");
        let mut value = value.to_vec();
        mask(&mut value, &prf, &mut Permuter::new(), &mut Scratch::new()).unwrap();
        value
    }

    #[test]
    fn addresses_are_local_and_of_the_same_kind_and_apart() {
        let mut seen = BTreeSet::new();
        for last in 0..=255 {
            let one = masked(&[0, 0x1B, 0x63, 1, 2, last]);
            assert_eq!(one[0] & 3, 2);
            let all = masked(&[1, 0x1B, 0x63, 1, 2, last]);
            assert_eq!(all[0] & 3, 3);
            assert!(seen.insert(one) && seen.insert(all));
        }
    }

    #[test]
    fn eight_bytes_made_of_six_stay_so() {
        let six = masked(&[0, 1, 2, 3, 4, 5]);
        let eight = masked(&[0, 1, 2, 0xFF, 0xFE, 3, 4, 5]);
        assert_eq!(eight, [&six[..3], &EXTENDED, &six[3..]].concat());
        assert_ne!(masked(&[0, 1, 2, 3, 4, 5, 6, 7])[3..5], EXTENDED);
    }

    #[test]
    fn text_is_masked_like_the_stored_address_in_its_own_form() {
        let prf = Prf::new(&MaskKey::from_bytes([1; 32]), MaskName::Mac, "test");
        let text = |value: &str| {
            let mut value = value.as_bytes().to_vec();
            let (permuter, scratch) = (&mut Permuter::new(), &mut Scratch::new());
            super::text(&mut value, &prf, permuter, scratch, &mut Vec::new()).unwrap();
            String::from_utf8(value).unwrap()
        };
        let stored = masked(&[0, 0x1B, 0x63, 0xAB, 2, 3]);
        for (form, upper) in
            [("00:1b:63:ab:02:03", false), ("001B.63AB.0203", true), ("001b63ab0203", false)]
        {
            let masked = text(form);
            assert_eq!(network::parse_mac(masked.as_bytes()), Some(stored.clone()));
            assert_eq!(masked.contains(char::is_uppercase), upper, "{masked}");
            assert_eq!(masked.find(['.', ':']), form.find(['.', ':']));
        }
        assert_ne!(text("printer 7"), "printer 7");
    }
}
