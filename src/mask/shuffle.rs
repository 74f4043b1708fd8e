//! Which row gets whose value: keyed permutations of the rows of a class, each one cycle through
//! all of them, so that no row gets its own.
//!
//! Up to [`TABLE_MAX`] rows there is a table made by Sattolo's algorithm: uniform among the cycles.
//! Above that, the cycle is one step onward in the order that a keyed permutation puts the rows in:
//! a row's number is permuted, one is added, and the sum is permuted back. As uniform as the
//! permutation is among all permutations, so is this among the cycles. It is the alternating
//! Feistel network of `permutation.rs`, which says why so many rounds; here it has to run backwards
//! as well.

use super::key::MaskKey;
use super::prf::{Prf, Stream};
use super::rounds::RoundFunction;
use crate::rules::MaskName;

/// Rows up to which there is a table.
const TABLE_MAX: u64 = 1024;
/// Rounds of the network, and for fewer rows than `FEW`.
const ROUNDS: u8 = 10;
const ROUNDS_FOR_FEW: u8 = 16;
const FEW: u64 = 1_000_000;

/// What decides on the order of one column's values.
pub(crate) struct Shuffler {
    prf: Prf,
    column: Vec<u8>,
}

impl Shuffler {
    /// `column` names the column: two of a table must not change places together.
    pub(crate) fn new(key: &MaskKey, domain: &str, column: &str) -> Shuffler {
        let prf = Prf::new(key, MaskName::Shuffle, domain);
        Shuffler { prf, column: column.as_bytes().to_vec() }
    }

    /// The cycle through the rows of a class.
    pub(crate) fn cycle(&self, class: &[u8], rows: u64) -> Cycle {
        if rows <= TABLE_MAX {
            let mut stream: Stream = self.prf.stream(&self.input(b'T', class, rows));
            let mut to: Vec<u16> = (0..rows as u16).collect();
            for last in (1..to.len()).rev() {
                to.swap(last, stream.below(last as u32) as usize);
            }
            return Cycle::Table(to);
        }
        let left_radix = rows.isqrt() + 1;
        Cycle::Network {
            function: RoundFunction::new(&self.prf, &self.input(b'F', class, rows)),
            rounds: if rows < FEW { ROUNDS_FOR_FEW } else { ROUNDS },
            rows,
            left_radix,
            right_radix: rows.div_ceil(left_radix),
        }
    }

    /// A number below `bound` for a place, whatever stands there.
    pub(crate) fn draw(&self, place: &[u8], bound: u64) -> u64 {
        self.prf.stream(&self.input(b'D', place, bound)).below_u64(bound)
    }

    fn input(&self, kind: u8, of: &[u8], size: u64) -> Vec<u8> {
        let mut input = vec![kind];
        input.extend(size.to_le_bytes());
        input.extend((of.len() as u64).to_le_bytes());
        input.extend(of);
        input.extend(&self.column);
        input
    }
}

/// A permutation that is one cycle.
pub(crate) enum Cycle {
    Table(Vec<u16>),
    Network { function: RoundFunction, rounds: u8, rows: u64, left_radix: u64, right_radix: u64 },
}

impl Cycle {
    /// The row whose value `row` gets; itself where there is no other.
    pub(crate) fn source(&self, row: u64) -> u64 {
        match self {
            Cycle::Table(to) => {
                let source = usize::try_from(row).ok().and_then(|row| to.get(row));
                source.map_or(row, |source| u64::from(*source))
            }
            Cycle::Network { rows, .. } if row >= *rows => row,
            Cycle::Network { rows, .. } => self.backward((self.forward(row) + 1) % rows),
        }
    }

    /// Where the permutation puts a row: walked until it is a row's place.
    fn forward(&self, row: u64) -> u64 {
        let Cycle::Network { function, rounds, rows, left_radix, right_radix } = self else {
            return row;
        };
        let mut number = row;
        loop {
            let (mut left, mut right) = (number % left_radix, number / left_radix);
            for round in 0..*rounds {
                if round % 2 == 0 {
                    left = (left + function.number(round, right, *left_radix)) % left_radix;
                } else {
                    right = (right + function.number(round, left, *right_radix)) % right_radix;
                }
            }
            number = left + left_radix * right;
            if number < *rows {
                return number;
            }
        }
    }

    /// The row that the permutation puts at a place.
    fn backward(&self, place: u64) -> u64 {
        let Cycle::Network { function, rounds, rows, left_radix, right_radix } = self else {
            return place;
        };
        let mut number = place;
        loop {
            let (mut left, mut right) = (number % left_radix, number / left_radix);
            for round in (0..*rounds).rev() {
                if round % 2 == 0 {
                    let added = function.number(round, right, *left_radix);
                    left = (left + left_radix - added) % left_radix;
                } else {
                    let added = function.number(round, left, *right_radix);
                    right = (right + right_radix - added) % right_radix;
                }
            }
            number = left + left_radix * right;
            if number < *rows {
                return number;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shuffler(key: u8, domain: &str, column: &str) -> Shuffler {
        Shuffler::new(&MaskKey::from_bytes([key; 32]), domain, column)
    }

    fn sources(shuffler: &Shuffler, class: &[u8], rows: u64) -> Vec<u64> {
        let cycle = shuffler.cycle(class, rows);
        (0..rows).map(|row| cycle.source(row)).collect()
    }

    #[test]
    fn every_size_is_one_cycle_through_all_rows() {
        let shuffler = shuffler(7, "shuffle", "public.t.c");
        let sizes = (1..70).chain([1023, 1024, 1025, 1026, 1089, 5000, 65_536, 1_000_003]);
        for rows in sizes {
            let cycle = shuffler.cycle(b"class", rows);
            let (mut at, mut steps) = (0, 0);
            loop {
                at = cycle.source(at);
                steps += 1;
                if at == 0 || steps > rows {
                    break;
                }
            }
            assert_eq!(steps, rows);
        }
        assert_eq!(shuffler.cycle(b"class", 0).source(0), 0);
    }

    #[test]
    fn key_domain_column_and_class_each_give_another_order() {
        for rows in [500, 5000] {
            let of =
                |key, domain, column, class| sources(&shuffler(key, domain, column), class, rows);
            let one = of(7, "shuffle", "public.t.c", b"a");
            assert_eq!(one, of(7, "shuffle", "public.t.c", b"a"));
            for other in [
                of(8, "shuffle", "public.t.c", b"a"),
                of(7, "mine", "public.t.c", b"a"),
                of(7, "shuffle", "public.t.d", b"a"),
                of(7, "shuffle", "public.t.c", b"b"),
            ] {
                let same = one.iter().zip(&other).filter(|(one, other)| one == other).count();
                assert!(same < 20, "{same} of {rows}");
            }
        }
    }

    /// Golden: rows of a snapshot taken with a key would get other values.
    #[test]
    fn the_order_is_version_1() {
        let shuffler = shuffler(7, "shuffle", "public.t.c");
        let few = sources(&shuffler, b"class", 8);
        let cycle = shuffler.cycle(b"class", 100_000);
        let many = [0, 1, 99_999].map(|row| cycle.source(row));
        let drawn = shuffler.draw(b"place", 1000);
        assert_eq!(
            (few, many, drawn),
            (vec![3, 6, 7, 5, 1, 4, 2, 0], [26_678, 41_527, 46_583], 321)
        );
    }
}
