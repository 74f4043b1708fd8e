//! Masked numbers that bound a multirange, put in the order of their originals.
//!
//! The mask keeps a number's sign, weight, first decade and places, so only numbers that are alike
//! in these can come out of order. Digit by digit: where originals go the same way, what they are
//! masked to does too; where they part, the masked digits are put in the digits' order. So numbers
//! keep their sizes, which sorting them would not.

use std::ops::Range;

use crate::datum::DatumError;
use crate::datum::numeric::{BASE, Header, Shape, header, is_greater, read_digits, write_digits};
use crate::datum::structure::Stored;
use crate::mask::decimal::decade;

struct Number {
    place: Range<usize>,
    shape: Shape,
    before: Vec<u32>,
    after: Vec<u32>,
}

impl Number {
    /// What only numbers that may come out of order have in common.
    fn class(&self) -> (bool, i16, (u32, u32)) {
        let first = self.before.first().copied().unwrap_or_default();
        (self.shape.negative, self.shape.weight, decade(first))
    }

    /// The original's digit; behind the last one there are zeros.
    fn digit(&self, position: usize) -> u32 {
        self.before.get(position).copied().unwrap_or_default()
    }

    /// Makes the masked number ones throughout: 1, 11.1, 0.01111.
    fn become_ones(&mut self) {
        let (_, nines) = decade(self.digit(0));
        self.after.fill(u32::from(BASE) / 9);
        if let Some(first) = self.after.first_mut() {
            *first = nines / 9;
        }
        if let Some(last) = self.after.last_mut() {
            let unit = 10u32.pow(self.shape.spare_places());
            *last = *last / unit * unit;
        }
    }

    fn has_last_at(&self, position: usize) -> bool {
        self.before.len() == position + 1
    }
}

/// Puts the masked bounds in `value` in the order of their originals.
pub(super) fn put_in_order(
    value: &mut [u8],
    bounds: &[Stored],
    originals: &[Vec<u8>],
) -> Result<(), DatumError> {
    let numbers = numbers(value, bounds, originals)?;
    for (lower, upper) in originals.iter().zip(originals.iter().skip(1)) {
        if is_greater(lower, upper)? {
            return Err(DatumError("bounds of a range are not in order"));
        }
    }
    write_in_order(value, numbers);
    Ok(())
}

/// Makes bounds from number `first` on as near to ones throughout as the order lets them.
pub(super) fn make_regular(
    value: &mut [u8],
    bounds: &[Stored],
    first: usize,
) -> Result<(), DatumError> {
    let stored = |bound: &Stored| value.get(bound.data.clone()).unwrap_or_default().to_vec();
    let ordered: Vec<_> = bounds.iter().map(stored).collect();
    let mut numbers = numbers(value, bounds, &ordered)?;
    let from = bounds.get(first).map_or(usize::MAX, |bound| bound.start);
    for number in numbers.iter_mut().filter(|number| number.place.start >= from) {
        number.become_ones();
    }
    write_in_order(value, numbers);
    Ok(())
}

/// The numbers among bounds, as they were and as they are.
fn numbers(
    value: &[u8],
    bounds: &[Stored],
    originals: &[Vec<u8>],
) -> Result<Vec<Number>, DatumError> {
    let mut numbers = Vec::with_capacity(bounds.len());
    for (bound, original) in bounds.iter().zip(originals) {
        // NaN, infinities and zero are what they were, and where they were.
        let Header::Number(shape) = header(original)? else { continue };
        let (mut before, mut after) = (Vec::new(), Vec::new());
        read_digits(original, &shape, &mut before)?;
        let masked = value.get(bound.data.clone()).unwrap_or_default();
        read_digits(masked, &shape, &mut after)?;
        if !before.is_empty() {
            numbers.push(Number { place: bound.data.clone(), shape, before, after });
        }
    }
    Ok(numbers)
}

fn write_in_order(value: &mut [u8], mut numbers: Vec<Number>) {
    for class in numbers.chunk_by_mut(|a, b| a.class() == b.class()) {
        if class.first().is_some_and(|number| number.shape.negative) {
            class.reverse();
        }
        order(class);
    }
    for Number { place, shape, after, .. } in &numbers {
        write_digits(value.get_mut(place.clone()).unwrap_or_default(), shape, after);
    }
}

/// Puts numbers of one class in order, ascending by magnitude.
fn order(class: &mut [Number]) {
    // Numbers that are alike before a position.
    let mut alike = vec![(0..class.len(), 0)];
    while let Some((range, position)) = alike.pop() {
        let Some(numbers) = class.get_mut(range.clone()) else { continue };
        if numbers.iter().all(|number| number.before.len() <= position) {
            continue;
        }
        let limits = match (position, numbers.first()) {
            (0, Some(first)) => decade(first.digit(0)),
            _ => (0, u32::from(BASE) - 1),
        };
        let runs = numbers.chunk_by(|a, b| a.digit(position) == b.digit(position));
        let digits: Vec<Digit> = runs.map(|run| Digit::of(run, position, limits)).collect();
        let mut start = range.start;
        let runs = numbers.chunk_by_mut(|a, b| a.digit(position) == b.digit(position));
        for (run, digit) in runs.zip(in_order(&digits)) {
            for number in run.iter_mut() {
                if let Some(place) = number.after.get_mut(position) {
                    *place = digit;
                }
            }
            alike.push((start..start + run.len(), position + 1));
            start += run.len();
        }
    }
}

/// A digit that numbers share: what it is masked to, and what it may become.
struct Digit {
    masked: u32,
    low: u32,
    high: u32,
    /// It is a multiple of this.
    unit: u32,
}

impl Digit {
    fn of(run: &[Number], position: usize, (low, high): (u32, u32)) -> Digit {
        if run.iter().any(|number| number.before.len() <= position) {
            return Digit { masked: 0, low: 0, high: 0, unit: 1 };
        }
        let first = run.first();
        let masked = first.and_then(|number| number.after.get(position)).copied();
        let last = run.iter().find(|number| number.has_last_at(position));
        // No more decimal places than a number shows.
        let unit = last.map_or(1, |number| 10u32.pow(number.shape.spare_places()));
        let low = if last.is_some() { low.max(1) } else { low };
        Digit { masked: masked.unwrap_or_default(), low, high, unit }
    }
}

/// Digits that rise, each as near to what it is masked to as the others let it. There are some: the
/// originals rise, too.
fn in_order(digits: &[Digit]) -> Vec<u32> {
    let mut most = Vec::with_capacity(digits.len());
    let mut room = u32::from(BASE);
    for digit in digits.iter().rev() {
        room = digit.high.min(room.saturating_sub(1)) / digit.unit * digit.unit;
        most.push(room);
    }
    let mut least = 0;
    let ordered = digits.iter().zip(most.into_iter().rev()).map(|(digit, most)| {
        let wanted = digit.masked.min(most).max(digit.low).max(least);
        let ordered = wanted.div_ceil(digit.unit) * digit.unit;
        least = ordered + 1;
        ordered
    });
    ordered.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::datum::numeric::{Decimal, encode};
    use crate::datum::{Encoding, EnumLabels, ValueType};
    use crate::mask::{Mask, MaskKey, MaskSpec};
    use crate::rules::{MaskName, MaskOptions};

    fn stored(text: &str) -> Vec<u8> {
        let places = text.split_once('.').map_or(0, |(_, places)| places.len());
        encode(&Decimal::parse(text).unwrap(), places as u16)
    }

    /// Numbers in ascending order, masked and put in order.
    fn masked(originals: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let spec = MaskSpec {
            mask: MaskName::Numeric,
            domain: "numeric".to_owned(),
            value_type: ValueType::Numeric,
            encoding: Encoding::default(),
            options: MaskOptions::default(),
            labels: EnumLabels::default(),
        };
        let mask = Mask::compile(&spec, &MaskKey::from_bytes([9; 32])).unwrap();
        let mut masker = mask.masker();
        let (mut value, mut bounds) = (Vec::new(), Vec::new());
        for original in originals {
            let mut number = original.clone();
            masker.apply(&mut number).unwrap();
            let start = value.len();
            value.extend(number);
            bounds.push(Stored { start, data: start..value.len() });
        }
        put_in_order(&mut value, &bounds, originals).unwrap();
        bounds.into_iter().map(|bound| value[bound.data].to_vec()).collect()
    }

    fn check(mut originals: Vec<Vec<u8>>) {
        let compare =
            |a: &Vec<u8>, b: &Vec<u8>| is_greater(a, b).unwrap().cmp(&is_greater(b, a).unwrap());
        originals.sort_by(compare);
        let masked = masked(&originals);
        for (before, after) in originals.windows(2).zip(masked.windows(2)) {
            assert_eq!(compare(&before[0], &before[1]), compare(&after[0], &after[1]));
        }
        for (before, after) in originals.iter().zip(&masked) {
            let Header::Number(shape) = header(after).unwrap() else { panic!("no number") };
            assert_eq!(header(before).unwrap(), Header::Number(shape));
            let mut digits = Vec::new();
            read_digits(after, &shape, &mut digits).unwrap();
            let last = digits.last().copied().unwrap_or(10_000);
            assert_eq!(last % 10u32.pow(shape.spare_places()), 0, "more places than shown");
        }
    }

    #[test]
    fn numbers_that_are_close_stay_in_order() {
        let close = [
            "-1.5",
            "-1.4999",
            "0",
            "0.05",
            "0.06",
            "1",
            "1.0001",
            "1.00010001",
            "1.5",
            "1.50",
            "1.51",
            "9998",
            "9999",
            "9999.5",
            "10000",
            "10001",
            "120000",
            "129999",
            "120000.00001",
        ];
        check(close.iter().map(|text| stored(text)).collect());
        check((9990..=9999).map(|number| stored(&number.to_string())).collect());
        check((0..100).map(|number| stored(&format!("7.{number:02}"))).collect());
        check((0..10).map(|number| stored(&format!("0.{number}"))).collect());
    }

    #[test]
    fn originals_out_of_order_are_an_error() {
        let (one, two) = (stored("1"), stored("2"));
        let value = [two.clone(), one.clone()].concat();
        let bounds = [0..two.len(), two.len()..value.len()];
        let bounds = bounds.map(|data| Stored { start: data.start, data });
        assert!(put_in_order(&mut value.clone(), &bounds, &[two, one]).is_err());
    }

    #[test]
    fn numbers_become_ones_as_far_as_their_order_lets_them() {
        let texts = ["-2.75", "-0.5", "0", "12.25", "13.50", "99", "100.5", "777.25", "12000"];
        let ones = ["-1.11", "-0.1", "0", "11.11", "12.11", "13", "111.1", "112.11", "11111"];
        let [before, expected] = [texts, ones].map(|texts| texts.map(stored));
        let mut bounds = Vec::new();
        for number in &before {
            let start = bounds.last().map_or(0, |last: &Stored| last.data.end);
            bounds.push(Stored { start, data: start..start + number.len() });
        }
        let mut value = before.concat();
        make_regular(&mut value, &bounds, 0).unwrap();
        assert_eq!(value, expected.concat());
        let mut value = before.concat();
        make_regular(&mut value, &bounds, 4).unwrap();
        let some = [&before[..4], &[stored("13.11"), stored("14")], &expected[6..]].concat();
        assert_eq!(value, some.concat());
    }

    proptest! {
        #[test]
        fn any_numbers_stay_in_order(
            texts in prop::collection::vec("-?(0|[1-9][0-9]{0,9})(\\.[0-9]{1,9})?", 1..12),
        ) {
            let few = texts.iter().map(|text| text.replace(['3', '4', '5', '6', '7', '8'], "1"));
            let all = texts.iter().cloned().chain(few);
            check(all.map(|text| stored(&text)).collect());
        }
    }
}
