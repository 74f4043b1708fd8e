//! Keyed permutations of small and odd-sized domains: what the injective masks stand on.
//!
//! A value is a row of digits, each below its own radix; the permutation maps rows to rows. Three
//! ways, by the number of rows N:
//!
//! - N <= [`TABLE_MAX`]: a table, shuffled by Sattolo's algorithm from a keyed stream: uniform
//!   among the cyclic permutations, so no row is mapped to itself.
//! - N <= 2^63: the row as one number, split into a row of two digits with radices near sqrt(N),
//!   through an alternating Feistel network; results of N or more go through again (cycle walking,
//!   which keeps a permutation a permutation; fewer than one in sqrt(N) do).
//! - larger: the row itself is split where the halves are balanced best, through the same network.
//!
//! The network is that of FF1 (NIST SP 800-38G): in turn, one half is added, digit by digit modulo
//! the radices, to a keyed function of the other.
//!
//! **Why so many rounds.** Luby and Rackoff (1988) show four rounds of pseudo-random functions to be
//! a strong pseudo-random permutation as long as far fewer pairs are seen than the square root of
//! one half's rows; Patarin (2004, 2010) raises that to nearly all of one half's rows with five and
//! six rounds; Hoang and Rogaway (2010) carry such bounds to alternating networks of uneven halves
//! and odd radices, and they get closer to one half's rows with each further round. FF1 takes 10
//! for all N of a million and more. Below, one half has under a thousand rows, the bounds say
//! little, and there are attacks: Bellare, Hoang and Tessaro (2016) and Hoang, Tessaro and Trieu
//! (2018) find a value from pairs of others under many tweaks, and what they need grows as a power
//! of one half's rows with every two rounds more. The reader of a masked snapshot has no pairs but
//! those he knows from elsewhere. Still, below [`FEW`] there are 16 rounds. And a domain that is
//! that small hides little from someone with pairs, whatever the permutation:
//! [`Permuter::smallest_domain`] is there to report it.
//!
//! **The round function** is AES under a key of its own for each domain (`rounds.rs`). Each digit is
//! taken from 32 bits or more, so it is off uniform by at most radix / 2^32.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::prf::{Prf, Stream};
use super::rounds::{ByteRadices, ByteRow, RoundFunction};

/// Rows up to which there is a table.
const TABLE_MAX: u64 = 1024;
/// Rows up to which a row is handled as one number.
const NUMBER_MAX: u64 = 1 << 63;
/// Rounds of the network, and for fewer rows than `FEW`.
const ROUNDS: u8 = 10;
const ROUNDS_FOR_FEW: u8 = 16;
const FEW: u64 = 1_000_000;
/// Tables kept at a time.
const TABLES: usize = 64;
/// Templates kept at a time.
const TEMPLATES: usize = 1024;
/// Bytes of a tweak up to which its template has a place of its own: longer ones share one, so that
/// long values are not kept by the hundred.
const LONG_TWEAK: usize = 1024;
/// Digits of a row up to which a template keeps their radices.
const SHORT_ROW: usize = 256;

/// A permutation's state for one thread: what it remembers of the templates it has seen.
pub(crate) struct Permuter {
    templates: Vec<Option<Template>>,
    tables: Vec<Option<Table>>,
    smallest_domain: Option<u64>,
    halves: [ByteRow; 2],
    /// Tells apart functions that it is used with.
    salt: [u8; 32],
}

/// The permutation of one domain: all values that share what the mask keeps.
struct Template {
    salt: [u8; 32],
    tweak: Vec<u8>,
    size: u64,
    function: RoundFunction,
    bytes: Option<Bytes>,
}

/// A row whose digits are bytes, and how it is halved.
struct Bytes {
    radices: Vec<u32>,
    middle: usize,
    halves: [ByteRadices; 2],
}

impl Bytes {
    /// `None` for rows of one number, of larger digits, and for long ones.
    fn of(radices: &[u32]) -> Option<Bytes> {
        if radices.is_empty() || radices.len() > SHORT_ROW {
            return None;
        }
        let middle = balanced_split(radices);
        let (left, right) = radices.split_at_checked(middle)?;
        let halves = [ByteRadices::new(left)?, ByteRadices::new(right)?];
        Some(Bytes { radices: radices.to_vec(), middle, halves })
    }
}

struct Table {
    salt: [u8; 32],
    tweak: Vec<u8>,
    to: Vec<u16>,
}

impl Permuter {
    /// Nothing remembered yet.
    pub(crate) fn new() -> Permuter {
        Permuter {
            templates: Vec::new(),
            tables: Vec::new(),
            smallest_domain: None,
            halves: Default::default(),
            salt: [0; 32],
        }
    }

    /// To be called when the functions given from now on are others.
    pub(crate) fn set_salt(&mut self, salt: [u8; 32]) {
        self.salt = salt;
    }

    /// Rows of the smallest domain that was permuted: `u64::MAX` for more than 2^63. A domain of one
    /// row, in which there is nothing to hide, does not count.
    pub(crate) fn smallest_domain(&self) -> Option<u64> {
        self.smallest_domain
    }

    fn note(&mut self, size: u64) {
        if size > 1 {
            self.smallest_domain = Some(self.smallest_domain.map_or(size, |least| least.min(size)));
        }
    }

    /// Permutes a row in place. `tweak` names the domain: equal tweaks must mean equal radices.
    /// Every digit must be below its radix, and no radix 0.
    pub(crate) fn permute(&mut self, prf: &Prf, tweak: &[u8], radices: &[u32], row: &mut [u32]) {
        let size = radices.iter().try_fold(1u64, |product, &radix| {
            product.checked_mul(u64::from(radix)).filter(|&product| product <= NUMBER_MAX)
        });
        let Some(size) = size else {
            self.note(u64::MAX);
            self.permute_row(prf, tweak, radices, row);
            return;
        };
        let number = radices
            .iter()
            .zip(row.iter())
            .fold(0, |number, (&radix, &digit)| number * u64::from(radix) + u64::from(digit));
        let mut rest = self.permute_number(prf, tweak, size, number);
        for (&radix, digit) in radices.iter().zip(row).rev() {
            let radix = u64::from(radix.max(1));
            *digit = (rest % radix) as u32;
            rest /= radix;
        }
    }

    /// Permutes the numbers below `size`, which is at most 2^63.
    pub(crate) fn permute_number(
        &mut self,
        prf: &Prf,
        tweak: &[u8],
        size: u64,
        number: u64,
    ) -> u64 {
        self.note(size);
        if size < 2 || number >= size {
            return number;
        }
        if size <= TABLE_MAX {
            return self.look_up(prf, tweak, size, number);
        }
        let Some(template) = template(&mut self.templates, self.salt, prf, (tweak, size, &[]))
        else {
            return number;
        };
        let left_radix = ceil_sqrt(size);
        let right_radix = size.div_ceil(left_radix);
        let rounds = if size < FEW { ROUNDS_FOR_FEW } else { ROUNDS };
        let mut number = number;
        loop {
            let (mut left, mut right) = (number % left_radix, number / left_radix);
            for round in 0..rounds {
                if round % 2 == 0 {
                    left += template.function.number(round, right, left_radix);
                    left -= if left >= left_radix { left_radix } else { 0 };
                } else {
                    right += template.function.number(round, left, right_radix);
                    right -= if right >= right_radix { right_radix } else { 0 };
                }
            }
            number = left + left_radix * right;
            if number < size {
                return number;
            }
        }
    }

    /// A small domain, by its table.
    fn look_up(&mut self, prf: &Prf, tweak: &[u8], size: u64, number: u64) -> u64 {
        if self.tables.is_empty() {
            self.tables.resize_with(TABLES, || None);
        }
        let slot = slot(tweak, size, TABLES);
        let Some(slot) = self.tables.get_mut(slot) else { return number };
        let salt = self.salt;
        let known = |table: &&Table| {
            table.tweak == tweak && table.to.len() as u64 == size && table.salt == salt
        };
        if slot.as_ref().filter(known).is_none() {
            let to = shuffled(prf, tweak, size);
            *slot = Some(Table { salt, tweak: tweak.to_vec(), to });
        }
        let to = slot.as_ref().and_then(|table| table.to.get(number as usize));
        to.map_or(number, |&to| u64::from(to))
    }

    /// A large domain: the network over the row's own halves.
    fn permute_row(&mut self, prf: &Prf, tweak: &[u8], radices: &[u32], row: &mut [u32]) {
        let Permuter { templates, halves: [left, right], salt, .. } = self;
        let Some(template) = template(templates, *salt, prf, (tweak, 0, radices)) else { return };
        let Template { function, bytes, .. } = template;
        if let Some(bytes) = bytes.as_ref().filter(|bytes| bytes.radices == radices) {
            let Some((left_row, right_row)) = row.split_at_mut_checked(bytes.middle) else {
                return;
            };
            let [left_radices, right_radices] = &bytes.halves;
            left.set(left_row, left_radices);
            right.set(right_row, right_radices);
            function.permute_bytes(ROUNDS, [left, right], [left_radices, right_radices]);
            left.get(left_row);
            right.get(right_row);
            return;
        }
        let middle = balanced_split(radices);
        let Some((left_radices, right_radices)) = radices.split_at_checked(middle) else { return };
        let Some((left_row, right_row)) = row.split_at_mut_checked(middle) else { return };
        for round in 0..ROUNDS {
            if round % 2 == 0 {
                let (other, target) =
                    ((&*right_row, right_radices), (&mut *left_row, left_radices));
                function.add_to(round, other, target);
            } else {
                let (other, target) =
                    ((&*left_row, left_radices), (&mut *right_row, right_radices));
                function.add_to(round, other, target);
            }
        }
    }
}

/// The template of `tweak` and `size`, or of `tweak` and radices: one that is kept, or a new one in its place. There always
/// is one.
fn template<'t>(
    templates: &'t mut Vec<Option<Template>>,
    salt: [u8; 32],
    prf: &Prf,
    (tweak, size, radices): (&[u8], u64, &[u32]),
) -> Option<&'t mut Template> {
    if templates.is_empty() {
        templates.resize_with(TEMPLATES, || None);
    }
    let slot = templates.get_mut(slot(tweak, size, TEMPLATES))?;
    let known = |kept: &Template| kept.size == size && kept.tweak == tweak && kept.salt == salt;
    if !slot.as_ref().is_some_and(known) {
        *slot = None;
    }
    Some(slot.get_or_insert_with(|| {
        let function = RoundFunction::new(prf, &domain(b'F', tweak, size));
        Template { salt, tweak: tweak.to_vec(), size, function, bytes: Bytes::of(radices) }
    }))
}

/// Where a domain is kept, of so many places: a cheap hash, whose collisions cost time only.
fn slot(tweak: &[u8], size: u64, places: usize) -> usize {
    if tweak.len() > LONG_TWEAK {
        return 0;
    }
    FixedState::with_seed(0).hash_one((size, tweak)) as usize % places
}

/// What a domain's key is derived from.
fn domain(kind: u8, tweak: &[u8], size: u64) -> Vec<u8> {
    let mut input = vec![kind];
    input.extend(size.to_le_bytes());
    input.extend(tweak);
    input
}

/// A cyclic permutation of the numbers below `size`, by Sattolo's algorithm.
fn shuffled(prf: &Prf, tweak: &[u8], size: u64) -> Vec<u16> {
    let mut stream: Stream = prf.stream(&domain(b'T', tweak, size));
    let mut to: Vec<u16> = (0..size as u16).collect();
    for last in (1..to.len()).rev() {
        to.swap(last, stream.below(last as u32) as usize);
    }
    to
}

/// The least number whose square is at least `size`.
fn ceil_sqrt(size: u64) -> u64 {
    let root = size.isqrt();
    if root * root < size { root + 1 } else { root }
}

/// Where to split radices so that both halves have about as many rows; never at an end.
fn balanced_split(radices: &[u32]) -> usize {
    // Whole bits are exact on every machine, and good enough for a balance.
    let bits = |radix: &u32| u64::from(radix.max(&1).ilog2()) * 2 + 1;
    let total: u64 = radices.iter().map(bits).sum();
    let mut left = 0;
    for (at, radix) in radices.iter().enumerate() {
        left += bits(radix);
        if 2 * left >= total {
            return (at + 1).min(radices.len().saturating_sub(1)).max(1);
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;

    fn prf() -> Prf {
        Prf::new(&MaskKey::from_bytes([9; 32]), MaskName::Digits, "test")
    }

    fn assert_permutes(permuter: &mut Permuter, size: u64) {
        let prf = prf();
        let mut seen = vec![false; size as usize];
        for number in 0..size {
            let to = permuter.permute_number(&prf, b"", size, number) as usize;
            assert!(!std::mem::replace(&mut seen[to], true), "{size}: {to} twice");
        }
    }

    #[test]
    fn every_small_domain_is_permuted() {
        let mut permuter = Permuter::new();
        (1..3000).for_each(|size| assert_permutes(&mut permuter, size));
    }

    #[test]
    fn domains_up_to_a_hundred_thousand_are_permuted() {
        let mut permuter = Permuter::new();
        for size in [4096, 9000, 9999, 10_000, 17_576, 32_767, 65_536, 90_000, 99_999, 100_000] {
            assert_permutes(&mut permuter, size);
        }
    }

    #[test]
    fn the_network_over_rows_permutes_too() {
        let prf = prf();
        let mut permuter = Permuter::new();
        for radices in [&[10, 10, 10, 10][..], &[26, 7, 300], &[2, 3, 5, 7, 11, 13], &[9, 2]] {
            let size: u32 = radices.iter().product();
            let mut seen = vec![false; size as usize];
            for number in 0..size {
                let mut rest = number;
                let mut row: Vec<u32> = radices
                    .iter()
                    .map(|radix| {
                        let digit = rest % radix;
                        rest /= radix;
                        digit
                    })
                    .collect();
                permuter.permute_row(&prf, b"", radices, &mut row);
                let to = row.iter().zip(radices).rev().fold(0, |to, (d, r)| {
                    assert!(d < r);
                    to * r + d
                }) as usize;
                assert!(!std::mem::replace(&mut seen[to], true));
            }
        }
    }

    #[test]
    fn no_row_of_a_table_stays() {
        let prf = prf();
        let mut permuter = Permuter::new();
        for size in 2..=TABLE_MAX {
            for number in (0..size).step_by(7) {
                assert_ne!(permuter.permute_number(&prf, b"", size, number), number);
            }
        }
    }

    #[test]
    fn kept_templates_change_nothing() {
        let prf = prf();
        let mut warm = Permuter::new();
        for number in 0..500u64 {
            let tweak = [number as u8 % 40];
            let to = warm.permute_number(&prf, &tweak, 9_000_000, number);
            assert_eq!(Permuter::new().permute_number(&prf, &tweak, 9_000_000, number), to);
        }
    }

    #[test]
    fn tweaks_make_other_permutations() {
        let prf = prf();
        let mut permuter = Permuter::new();
        let mut row = |tweak: &[u8]| -> Vec<u64> {
            (0..50).map(|n| permuter.permute_number(&prf, tweak, 1 << 40, n)).collect()
        };
        assert_ne!(row(b"a"), row(b"b"));
    }
}
