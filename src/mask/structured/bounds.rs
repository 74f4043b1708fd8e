//! Bounds of ranges and multiranges: masked, and in order afterwards.
//!
//! Dates and timestamps are all moved by the distance of the first finite bound, so that order and
//! lengths stay. Whole numbers and times are masked one by one and sorted; where two different
//! ones come out equal, the later goes up to the next value. So flags, and what is canonical, stay.

use super::scalar::Watch;
use crate::datum::structure::Stored;
use crate::datum::{DatumError, ValueType, integer, numeric, temporal};
use crate::mask::Masker;
use crate::rules::MaskName;

/// Masks the bounds of one value, which are in ascending order.
pub(super) fn mask_bounds(
    value: &mut [u8],
    bounds: &[Stored],
    masker: &mut Masker<'_>,
    watch: &mut Watch<'_>,
) -> Result<(), DatumError> {
    for bound in bounds {
        let data = value.get(bound.data.clone()).unwrap_or_default();
        watch.witness.original(masker.value_type(), data);
    }
    mask_in_order(value, bounds, masker)?;
    for bound in bounds {
        let data = value.get(bound.data.clone()).unwrap_or_default();
        watch.witness.output(masker.value_type(), data);
    }
    Ok(())
}

fn mask_in_order(
    value: &mut [u8],
    bounds: &[Stored],
    masker: &mut Masker<'_>,
) -> Result<(), DatumError> {
    if masker.value_type() == ValueType::Numeric {
        return mask_numeric(value, bounds, masker);
    }
    let Some(limits) = limits(masker.value_type()) else {
        return Err(DatumError("bounds of this type can't be masked"));
    };
    // Infinite bounds are the first and the last, and stay.
    let mut places = Vec::with_capacity(bounds.len());
    let mut before = Vec::with_capacity(bounds.len());
    for bound in bounds {
        let number = integer::read(value.get(bound.data.clone()).unwrap_or_default())?;
        if !is_infinite(masker.value_type(), number) {
            places.push(bound);
            before.push(number);
        }
    }
    if !before.is_sorted() {
        return Err(DatumError("bounds of a range are not in order"));
    }
    let shifts = matches!(masker.mask_name(), MaskName::DateShift | MaskName::TimestampShift)
        && masker.value_type() != ValueType::Time;
    let mut masked = |number: i64, place: &Stored| {
        let mut bytes = value.get(place.data.clone()).unwrap_or_default().to_vec();
        integer::write(&mut bytes, number);
        masker.apply(&mut bytes)?;
        integer::read(&bytes)
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
        integer::write(value.get_mut(place.data.clone()).unwrap_or_default(), *number);
    }
    Ok(())
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

/// Numbers differ in length: where the masked ones are the wrong way round, they change places,
/// headers and all. The mask is a permutation, so that different ones stay different.
fn mask_numeric(
    value: &mut [u8],
    bounds: &[Stored],
    masker: &mut Masker<'_>,
) -> Result<(), DatumError> {
    for bound in bounds {
        masker.apply(value.get_mut(bound.data.clone()).unwrap_or_default())?;
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
}
