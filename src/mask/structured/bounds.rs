//! Bounds of ranges and multiranges: masked, and in order afterwards.
//!
//! Dates and timestamps are all moved by the distance of the first finite bound, so that order and
//! lengths stay. Whole numbers, floats and times are masked one by one and sorted; where two
//! different ones come out equal, the later goes up to the next value. So flags, and what is
//! canonical, stay.

use super::number_order;
use super::scalar::Watch;
use crate::datum::structure::Stored;
use crate::datum::{DatumError, ValueType, integer, numeric, temporal};
use crate::mask::Masker;
use crate::rules::MaskName;

/// Masks the bounds of one value, a range or a multirange, which are in ascending order.
pub(super) fn mask_bounds(
    value: &mut [u8],
    bounds: &[Stored],
    multirange: bool,
    masker: &mut Masker<'_>,
    watch: &mut Watch<'_>,
) -> Result<(), DatumError> {
    for bound in bounds {
        let data = value.get(bound.data.clone()).unwrap_or_default();
        watch.witness.original(masker.value_type(), data);
    }
    mask_in_order(value, bounds, multirange, masker)?;
    for bound in bounds {
        let data = value.get(bound.data.clone()).unwrap_or_default();
        watch.witness.output(masker.value_type(), data);
    }
    Ok(())
}

fn mask_in_order(
    value: &mut [u8],
    bounds: &[Stored],
    multirange: bool,
    masker: &mut Masker<'_>,
) -> Result<(), DatumError> {
    let value_type = masker.value_type();
    if value_type == ValueType::Numeric {
        return mask_numeric(value, bounds, multirange, masker);
    }
    let Some(limits) = limits(value_type) else {
        return Err(DatumError("bounds of this type can't be masked"));
    };
    // Infinite bounds are the first and the last, and stay.
    let mut places = Vec::with_capacity(bounds.len());
    let mut before = Vec::with_capacity(bounds.len());
    for bound in bounds {
        let number = read(value_type, value.get(bound.data.clone()).unwrap_or_default())?;
        if !is_infinite(value_type, number) {
            places.push(bound);
            before.push(number);
        }
    }
    if !before.is_sorted() {
        return Err(DatumError("bounds of a range are not in order"));
    }
    let shifts = matches!(masker.mask_name(), MaskName::DateShift | MaskName::TimestampShift)
        && value_type != ValueType::Time;
    let mut masked = |number: i64, place: &Stored| {
        let mut bytes = value.get(place.data.clone()).unwrap_or_default().to_vec();
        write(value_type, &mut bytes, number);
        masker.apply(&mut bytes)?;
        read(value_type, &bytes)
    };
    let mut moved = None;
    if let (Some(&first), Some(place)) = (before.first(), places.first())
        && shifts
    {
        let distance = masked(first, place)? - first;
        moved = shifted(&before, distance, limits);
    }
    let after = match moved {
        Some(moved) => moved,
        None => {
            let mut after = Vec::with_capacity(before.len());
            for (number, place) in before.iter().zip(&places) {
                after.push(masked(*number, place)?);
            }
            in_order(&before, &after, limits)
        }
    };
    for (number, place) in after.iter().zip(places) {
        write(value_type, value.get_mut(place.data.clone()).unwrap_or_default(), *number);
    }
    Ok(())
}

/// A bound as a number in the order of its type.
fn read(value_type: ValueType, bytes: &[u8]) -> Result<i64, DatumError> {
    let stored = integer::read(bytes)?;
    Ok(match value_type {
        ValueType::Float4 => rank(stored, i64::from(i32::MAX), f64::from(float4(stored))),
        ValueType::Float8 => rank(stored, i64::MAX, f64::from_bits(stored as u64)),
        _ => stored,
    })
}

/// Writes a bound that is a number in the order of its type.
fn write(value_type: ValueType, bytes: &mut [u8], number: i64) {
    let magnitude = match value_type {
        ValueType::Float4 => i64::from(i32::MAX),
        ValueType::Float8 => i64::MAX,
        _ => return integer::write(bytes, number),
    };
    integer::write(bytes, if number < 0 { (number - 1) ^ magnitude } else { number });
}

fn float4(stored: i64) -> f32 {
    f32::from_bits(stored as u32)
}

/// The rank of a float among all others. Read as an integer, it rises with the float above zero and
/// falls below; PostgreSQL takes both zeros for equal, and so any two of NaN.
fn rank(stored: i64, magnitude: i64, float: f64) -> i64 {
    if float.is_nan() {
        magnitude
    } else if stored < 0 {
        (stored ^ magnitude) + 1
    } else {
        stored
    }
}

/// The first and the last finite value of a type.
fn limits(value_type: ValueType) -> Option<(i64, i64)> {
    Some(match value_type {
        ValueType::Int2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        ValueType::Int4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        ValueType::Int8 => (i64::MIN, i64::MAX),
        ValueType::Date => (temporal::DATE_MIN, temporal::DATE_MAX),
        ValueType::Time => (0, temporal::DAY),
        ValueType::Timestamp | ValueType::TimestampTz => {
            (temporal::TIMESTAMP_MIN, temporal::TIMESTAMP_MAX)
        }
        ValueType::Float4 => {
            let most = i64::from(f32::MAX.to_bits());
            (-most, most)
        }
        ValueType::Float8 => {
            let most = f64::MAX.to_bits() as i64;
            (-most, most)
        }
        _ => return None,
    })
}

/// True if the bounds of a range of this type can be masked.
pub fn takes_bounds(value_type: ValueType) -> bool {
    value_type == ValueType::Numeric || limits(value_type).is_some()
}

fn is_infinite(value_type: ValueType, number: i64) -> bool {
    match value_type {
        ValueType::Date => i32::try_from(number).is_ok_and(temporal::is_infinite_date),
        ValueType::Timestamp | ValueType::TimestampTz => temporal::is_infinite_timestamp(number),
        ValueType::Float4 | ValueType::Float8 => {
            limits(value_type).is_some_and(|(least, most)| !(least..=most).contains(&number))
        }
        _ => false,
    }
}

/// All of them moved by one distance: the other way where that would leave the type; `None` where
/// both would.
fn shifted(before: &[i64], distance: i64, (min, max): (i64, i64)) -> Option<Vec<i64>> {
    let fits = |distance: &i64| {
        let moved = |number: &i64| number.checked_add(*distance);
        before.iter().all(|number| moved(number).is_some_and(|to| (min..=max).contains(&to)))
    };
    let distance = [distance, -distance].into_iter().find(fits)?;
    Some(before.iter().map(|number| number + distance).collect())
}

/// The masked values in ascending order, equal where the originals are equal and nowhere else.
fn in_order(before: &[i64], after: &[i64], (min, max): (i64, i64)) -> Vec<i64> {
    let mut pairs: Vec<(i64, i64)> = before.iter().copied().zip(after.iter().copied()).collect();
    pairs.dedup_by_key(|(original, _)| *original);
    let mut distinct: Vec<i64> = pairs.iter().map(|(_, masked)| *masked).collect();
    distinct.sort_unstable();
    let mut least = min;
    for number in &mut distinct {
        *number = (*number).max(least).min(max);
        least = number.saturating_add(1);
    }
    let mut most = max;
    for number in distinct.iter_mut().rev() {
        *number = (*number).min(most);
        most = number.saturating_sub(1);
    }
    let mut rank = 0;
    let mut last = before.first().copied();
    before
        .iter()
        .filter_map(|number| {
            if last != Some(*number) {
                rank += 1;
                last = Some(*number);
            }
            distinct.get(rank).copied()
        })
        .collect()
}

/// Numbers differ in length: where the two of a range are masked to the wrong way round, they change
/// places, headers and all. The mask is a permutation, so that different ones stay different. Those
/// of a multirange are put in order where they are.
fn mask_numeric(
    value: &mut [u8],
    bounds: &[Stored],
    multirange: bool,
    masker: &mut Masker<'_>,
) -> Result<(), DatumError> {
    let mut originals = Vec::new();
    for bound in bounds {
        let number = value.get_mut(bound.data.clone()).unwrap_or_default();
        if multirange {
            originals.push(number.to_vec());
        }
        masker.apply(number)?;
    }
    if multirange {
        return number_order::put_in_order(value, bounds, &originals);
    }
    let [lower, upper] = bounds else { return Ok(()) };
    let number = |bound: &Stored| value.get(bound.data.clone()).unwrap_or_default();
    if !numeric::is_greater(number(lower), number(upper))? {
        return Ok(());
    }
    if upper.start != lower.data.end {
        return Err(DatumError("numbers of more than 126 bytes bound a range"));
    }
    let both = value.get_mut(lower.start..upper.data.end).unwrap_or_default();
    both.rotate_left(upper.start - lower.start);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INT4: (i64, i64) = (i32::MIN as i64, i32::MAX as i64);

    #[test]
    fn bounds_are_sorted_and_equal_ones_stay_equal() {
        assert_eq!(in_order(&[10, 20], &[73, 41], INT4), [41, 73]);
        assert_eq!(in_order(&[1, 1, 5, 9], &[7, 7, 2, 4], INT4), [2, 2, 4, 7]);
        assert_eq!(in_order(&[1, 5, 9], &[0, 0, 0], INT4), [0, 1, 2]);
        assert_eq!(in_order(&[7, 7], &[3, 3], INT4), [3, 3]);
        assert_eq!(in_order(&[], &[], INT4), [0; 0]);
    }

    #[test]
    fn bounds_at_the_end_of_the_type_make_room() {
        let (min, max) = INT4;
        assert_eq!(in_order(&[1, 2, 3], &[max, max, max], INT4), [max - 2, max - 1, max]);
        assert_eq!(in_order(&[1, 2], &[min, min], INT4), [min, min + 1]);
        let all = (i64::MIN, i64::MAX);
        assert_eq!(in_order(&[1, 2], &[i64::MAX; 2], all), [i64::MAX - 1, i64::MAX]);
    }

    #[test]
    fn moves_all_bounds_by_one_distance_within_the_type() {
        assert_eq!(shifted(&[5, 9], 3, (0, 100)), Some(vec![8, 12]));
        assert_eq!(shifted(&[5, 99], 3, (0, 100)), Some(vec![2, 96]));
        assert_eq!(shifted(&[1, 99], 3, (0, 100)), None);
    }

    #[test]
    fn floats_rank_as_postgresql_compares_them() {
        let ranks = |value_type, stored: &[Vec<u8>]| -> Vec<i64> {
            stored.iter().map(|bytes| read(value_type, bytes).unwrap()).collect()
        };
        let floats = [f64::NEG_INFINITY, f64::MIN, -1.5, -1e-310, -0.0, 0.0, 1e-310, 2.0];
        let floats = [&floats[..], &[f64::MAX, f64::INFINITY, f64::NAN, -f64::NAN]].concat();
        let wide: Vec<_> = floats.iter().map(|float| float.to_le_bytes().to_vec()).collect();
        let narrow: Vec<_> = floats.iter().map(|it| (*it as f32).to_le_bytes().to_vec()).collect();
        for (value_type, stored) in [(ValueType::Float8, wide), (ValueType::Float4, narrow)] {
            let ranks = ranks(value_type, &stored);
            assert!(ranks.is_sorted(), "{ranks:?}");
            assert_eq!((ranks[4], ranks[5], ranks[10]), (0, 0, ranks[11]));
            for (rank, bytes) in ranks.iter().zip(&stored).filter(|(rank, _)| **rank != 0) {
                let mut written = bytes.clone();
                write(value_type, &mut written, *rank);
                assert_eq!(read(value_type, &written).unwrap(), *rank);
                assert_eq!(is_infinite(value_type, *rank), !floats_finite(bytes));
            }
        }
    }

    fn floats_finite(bytes: &[u8]) -> bool {
        match bytes.try_into() {
            Ok(wide) => f64::from_le_bytes(wide).is_finite(),
            Err(_) => f32::from_le_bytes(bytes.try_into().unwrap()).is_finite(),
        }
    }
}
