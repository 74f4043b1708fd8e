//! The round function of the permutations: AES-128, as in NIST SP 800-38G.
//!
//! Everything else that is pseudo-random here is keyed blake3 (`prf.rs`). A permutation calls its
//! round function ten times in a row for each value, on a few bytes each time, and one block of
//! AES in hardware takes a tenth of a blake3 hash. The key is 16 bytes of a blake3 key that is
//! derived for one domain and used for nothing else, so what is encrypted is fixed in length by the
//! round: no input is the beginning of another, and on such inputs CBC-MAC is a pseudo-random
//! function if AES is a pseudo-random permutation (Bellare, Kilian, Rogaway 1994; Petrank and
//! Rackoff 2000), up to a square of the blocks over 2^128. Longer output is AES of the MAC and a
//! counter, as FF1 makes it.

use aes::Aes128Enc;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};

use super::prf::Prf;

/// A keyed function from a round and half a row to pseudo-random bits, for one domain.
pub(crate) struct RoundFunction(Aes128Enc);

impl RoundFunction {
    /// The function of a domain: `domain` must name it apart from all others.
    pub(crate) fn new(prf: &Prf, domain: &[u8]) -> RoundFunction {
        let [low, _] = halves(prf.block(domain));
        RoundFunction(Aes128Enc::new(&Array::from(low)))
    }

    #[inline]
    fn encrypt(&self, block: u128) -> u128 {
        let mut block = Array::from(block.to_le_bytes());
        self.0.encrypt_block(&mut block);
        u128::from_le_bytes(block.into())
    }

    /// A number below `radix` for half a row that is one number.
    #[inline]
    pub(crate) fn number(&self, round: u8, half: u64, radix: u64) -> u64 {
        let block = self.encrypt(u128::from(half) << 64 | u128::from(round));
        ((u128::from(block as u64) * u128::from(radix)) >> 64) as u64
    }

    /// Adds to each digit of `target`, modulo its radix, a number drawn for half a row that is a
    /// row itself. The radices of both are fixed for a domain and round.
    pub(crate) fn add_to(
        &self,
        round: u8,
        (other, other_radices): (&[u32], &[u32]),
        (target, radices): (&mut [u32], &[u32]),
    ) {
        let mac = self.mac(round, other, other_radices);
        let mut digits = target.iter_mut().zip(radices);
        let (mut drawn, mut blocks) = (mac, 0);
        loop {
            for bits in drawn.to_le_bytes().as_chunks().0 {
                let Some((digit, &radix)) = digits.next() else { return };
                let radix = u64::from(radix);
                let added = (u64::from(u32::from_le_bytes(*bits)) * radix) >> 32;
                let sum = u64::from(*digit) + added;
                *digit = (if sum >= radix { sum - radix } else { sum }) as u32;
            }
            blocks += 1;
            drawn = self.encrypt(mac ^ blocks);
        }
    }

    /// CBC-MAC of the round and a row: digits of one byte where the radix allows, four elsewhere.
    fn mac(&self, round: u8, row: &[u32], radices: &[u32]) -> u128 {
        let (mut block, mut bits) = (u128::from(round), 8);
        for (&digit, &radix) in row.iter().zip(radices) {
            let width = if radix <= 256 { 8 } else { 32 };
            if bits + width > 128 {
                block = self.encrypt(block);
                bits = 0;
            }
            block ^= u128::from(digit) << bits;
            bits += width;
        }
        self.encrypt(block)
    }
}

fn halves(block: [u8; 32]) -> [[u8; 16]; 2] {
    let mut halves = [[0; 16]; 2];
    for (half, bytes) in halves.iter_mut().zip(block.as_chunks::<16>().0) {
        *half = *bytes;
    }
    halves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;

    fn function(domain: &[u8]) -> RoundFunction {
        let prf = Prf::new(&MaskKey::from_bytes([9; 32]), MaskName::Digits, "test");
        RoundFunction::new(&prf, domain)
    }

    #[test]
    fn is_aes_128_of_fips_197() {
        let key = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        let function = RoundFunction(Aes128Enc::new(&Array::from(key)));
        let plain = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.swap_bytes();
        let cipher = 0x69c4_e0d8_6a7b_0430_d8cd_b780_70b4_c55a_u128.swap_bytes();
        assert_eq!(function.encrypt(plain), cipher);
    }

    #[test]
    fn every_digit_of_a_long_half_counts_and_is_drawn_by_itself() {
        let function = function(b"d");
        let radices = [200, 3000, 10, 1 << 20, 7, 256, 9999, 26, 26, 26, 26, 10];
        let row = [0; 12];
        let mut seen = std::collections::BTreeSet::new();
        let draw = |round, row: &[u32]| {
            let mut target = [0; 12];
            function.add_to(round, (row, &radices), (&mut target, &radices));
            target
        };
        assert!(seen.insert(draw(0, &row)));
        assert!(seen.insert(draw(1, &row)));
        for place in 0..row.len() {
            let mut other = row;
            other[place] = 5;
            let drawn = draw(0, &other);
            assert!(drawn.iter().zip(&radices).all(|(digit, radix)| digit < radix));
            assert!(seen.insert(drawn));
        }
    }

    #[test]
    fn domains_have_functions_of_their_own() {
        let of = |domain: &[u8]| function(domain).number(0, 7, u64::MAX);
        assert_ne!(of(b"a"), of(b"b"));
        assert_eq!(of(b"a"), of(b"a"));
    }
}
