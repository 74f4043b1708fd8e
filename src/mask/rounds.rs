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
use aes::cipher::consts::U16;
use aes::cipher::{
    Array, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit,
};

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

    /// All rounds of the network over two halves whose digits are bytes, with what
    /// [`add_to`](RoundFunction::add_to) adds in each: to the left one first, then in turn.
    pub(crate) fn permute_bytes(
        &self,
        rounds: u8,
        halves: [&mut ByteRow; 2],
        radices: [&ByteRadices; 2],
    ) {
        self.0.encrypt_with_backend(Network { rounds, halves, radices });
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

/// A network at work. As a closure of the cipher's, it is compiled with the instructions that the
/// cipher was found to have, and the cipher into it.
struct Network<'n> {
    rounds: u8,
    halves: [&'n mut ByteRow; 2],
    radices: [&'n ByteRadices; 2],
}

impl BlockSizeUser for Network<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Network<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, cipher: &B) {
        let Network { rounds, halves: [left, right], radices: [left_radices, right_radices] } =
            self;
        for round in 0..rounds {
            if round % 2 == 0 {
                add_to_bytes(cipher, round, right, left, left_radices);
            } else {
                add_to_bytes(cipher, round, left, right, right_radices);
            }
        }
    }
}

#[inline(always)]
fn encrypt(cipher: &impl BlockCipherEncBackend<BlockSize = U16>, block: u128) -> u128 {
    let mut block = Array::from(block.to_le_bytes());
    cipher.encrypt_block_inplace(&mut block);
    u128::from_le_bytes(block.into())
}

/// A round: what is drawn for `other` is added to `target`, whose radices are given.
#[inline(always)]
fn add_to_bytes(
    cipher: &impl BlockCipherEncBackend<BlockSize = U16>,
    round: u8,
    other: &mut ByteRow,
    target: &mut ByteRow,
    radices: &ByteRadices,
) {
    let mac = other.message(round).fold(0, |mac, block| encrypt(cipher, mac ^ block));
    let mut drawn = mac;
    for ((four, radices), number) in target.fours().iter_mut().zip(&radices.fours).zip(0u128..) {
        // The first of all is the MAC itself.
        if number > 0 {
            drawn = encrypt(cipher, mac ^ number);
        }
        let bytes = drawn.to_le_bytes();
        for ((digit, &radix), bits) in four.iter_mut().zip(radices).zip(bytes.as_chunks().0) {
            *digit = add(u32::from(*digit), *bits, radix) as u8;
        }
    }
    if let Some(Tail { place, radix }) = radices.tail
        && let Some(bits) = drawn.to_le_bytes().as_chunks().0.get(place % 4)
    {
        target.tail = add(target.tail, *bits, radix);
        target.write_tail();
    }
}

/// Adds a number drawn of 32 bits to a digit. A radix of 0 leaves it as it is.
#[inline(always)]
fn add(digit: u32, bits: [u8; 4], radix: u32) -> u32 {
    let added = (u64::from(u32::from_le_bytes(bits)) * u64::from(radix)) >> 32;
    let sum = digit + added as u32;
    if sum >= radix { sum - radix } else { sum }
}

/// A row whose digits are bytes, but for the last, which may be larger: as the message that its MAC
/// is of, a byte for the round, the digits, and zeros to the end of a block. Behind it, room to take
/// the last digits by fours.
#[derive(Default)]
pub(crate) struct ByteRow {
    bytes: Vec<u8>,
    /// Digits, the last one included.
    digits: usize,
    /// The last digit, if it is no byte, and where it stands in the message.
    tail: u32,
    tail_at: Option<usize>,
}

/// Its radices.
pub(crate) struct ByteRadices {
    /// By fours; 0 where there is no digit, or none that is a byte.
    fours: Vec<[u32; 4]>,
    tail: Option<Tail>,
}

/// A last digit that is no byte.
struct Tail {
    /// Its number.
    place: usize,
    radix: u32,
}

/// Radices of digits that are bytes, and of a last one that is none.
const BYTE: u32 = 256;
const TAIL: u32 = 1 << 16;

impl ByteRadices {
    /// `None` if they are too large.
    pub(crate) fn new(radices: &[u32]) -> Option<ByteRadices> {
        let mut fours = vec![[0; 4]; radices.len().div_ceil(4)];
        fours.as_flattened_mut().iter_mut().zip(radices).for_each(|(place, radix)| *place = *radix);
        let mut tail = None;
        if let Some((&radix, before)) = radices.split_last()
            && radix > BYTE
        {
            let place = before.len();
            *fours.as_flattened_mut().get_mut(place)? = 0;
            tail = Some(Tail { place, radix });
        }
        let are_bytes = fours.as_flattened().iter().all(|radix| *radix <= BYTE);
        let fits = tail.as_ref().is_none_or(|tail| tail.radix <= TAIL);
        (are_bytes && fits).then_some(ByteRadices { fours, tail })
    }
}

impl ByteRow {
    /// Takes the digits of a row.
    pub(crate) fn set(&mut self, row: &[u32], radices: &ByteRadices) {
        let ByteRow { bytes, digits, tail, tail_at } = self;
        *digits = row.len();
        bytes.clear();
        bytes.push(0);
        bytes.extend(row.iter().map(|digit| *digit as u8));
        *tail_at = None;
        if let (Some(_), Some((&last, _))) = (&radices.tail, row.split_last()) {
            bytes.pop();
            // A digit of four bytes does not go over the end of a block.
            let room = 16 - bytes.len() % 16;
            let at = bytes.len() + if room < 4 { room } else { 0 };
            bytes.resize(at + 4, 0);
            (*tail, *tail_at) = (last, Some(at));
        }
        bytes.resize(bytes.len().next_multiple_of(16) + 4, 0);
        self.write_tail();
    }

    /// Gives them back.
    pub(crate) fn get(&self, row: &mut [u32]) {
        let digits = self.bytes.iter().skip(1);
        row.iter_mut().zip(digits).for_each(|(place, digit)| *place = u32::from(*digit));
        if let (Some(_), Some(last)) = (self.tail_at, row.last_mut()) {
            *last = self.tail;
        }
    }

    #[inline(always)]
    fn write_tail(&mut self) {
        if let Some(at) = self.tail_at
            && let Some(stored) = self.bytes.get_mut(at..at + 4)
        {
            stored.copy_from_slice(&self.tail.to_le_bytes());
        }
    }

    /// The blocks of the message for a round.
    #[inline(always)]
    fn message(&mut self, round: u8) -> impl Iterator<Item = u128> {
        if let Some(first) = self.bytes.first_mut() {
            *first = round;
        }
        self.bytes.as_chunks().0.iter().map(|block| u128::from_le_bytes(*block))
    }

    /// Its digits by fours, and whatever is behind them.
    #[inline(always)]
    fn fours(&mut self) -> &mut [[u8; 4]] {
        let (fours, _) = self.bytes.get_mut(1..).unwrap_or_default().as_chunks_mut();
        fours.get_mut(..self.digits.div_ceil(4)).unwrap_or_default()
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
    fn rounds_over_bytes_are_those_over_rows() {
        let function = function(b"b");
        // Halves of all lengths about a block of the cipher, the last digit a byte or larger.
        for (len, last) in (0..70).flat_map(|len| [2, 256, 257, 28_080, 1 << 16].map(|r| (len, r)))
        {
            let radices = |len: u32| -> Vec<u32> {
                let bytes = (0..len).map(|place| 1 + place * 37 % 256);
                bytes.chain([last]).collect()
            };
            let halves = [radices(len), radices(len / 2)];
            let mut rows = halves.clone().map(|it| it.iter().map(|r| r - 1).collect::<Vec<u32>>());
            let [left_radices, right_radices] =
                halves.each_ref().map(|it| ByteRadices::new(it).unwrap());
            let [mut left, mut right] = [ByteRow::default(), ByteRow::default()];
            left.set(&rows[0], &left_radices);
            right.set(&rows[1], &right_radices);
            function.permute_bytes(6, [&mut left, &mut right], [&left_radices, &right_radices]);
            for round in 0..6 {
                let [left, right] = &mut rows;
                let (left, right) = ((left, &halves[0]), (right, &halves[1]));
                let (target, other) = if round % 2 == 0 { (left, right) } else { (right, left) };
                let other = (other.0.as_slice(), other.1.as_slice());
                function.add_to(round, other, (target.0.as_mut_slice(), target.1.as_slice()));
            }
            let mut got = rows.clone();
            left.get(&mut got[0]);
            right.get(&mut got[1]);
            assert_eq!(got, rows, "{len} {last}");
        }
        assert!(ByteRadices::new(&[300, 2]).is_none());
        assert!(ByteRadices::new(&[2, (1 << 16) + 1]).is_none());
    }

    #[test]
    fn domains_have_functions_of_their_own() {
        let of = |domain: &[u8]| function(domain).number(0, 7, u64::MAX);
        assert_ne!(of(b"a"), of(b"b"));
        assert_eq!(of(b"a"), of(b"a"));
    }
}
