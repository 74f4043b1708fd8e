//! Bounds of ranges and multiranges: masked, and in order afterwards.
//!
//! Dates and timestamps are all moved by the distance of the first finite bound, so that order and
//! lengths stay. Whole numbers, floats and times are masked one by one and sorted; where two
//! different ones come out equal, the later goes up to the next value. Uuids and addresses are
//! permuted and sorted. Texts get beginnings that are in order. So flags, and what is canonical,
//! stay.

use std::cmp::Ordering;
use std::ops::Range;

use super::number_order;
use super::ranked::{is_infinite, limits, read, write};
use super::scalar::Watch;
use crate::datum::compressed::Form;
use crate::datum::structure::Stored;
use crate::datum::text::unpadded;
use crate::datum::{DatumError, ValueType, letter_order, network, numeric};
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
    if masker.value_type().is_text() {
        mask_texts(value, bounds, masker, watch)?;
    } else {
        mask_in_order(value, bounds, multirange, masker)?;
    }
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
    if is_compared_whole(value_type) {
        return mask_wholes(value, bounds, masker);
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

/// True if the bounds of a range of this type can be masked.
pub fn takes_bounds(value_type: ValueType) -> bool {
    value_type == ValueType::Numeric
        || is_compared_whole(value_type)
        || is_text_in_order(value_type)
        || limits(value_type).is_some()
}

/// True if bounds of this type stay different only where the mask is a permutation.
pub fn bounds_need_permutation(value_type: ValueType) -> bool {
    value_type == ValueType::Numeric || is_compared_whole(value_type)
}

/// Types of more bytes than a number has.
pub(super) fn is_compared_whole(value_type: ValueType) -> bool {
    matches!(value_type, ValueType::Uuid | ValueType::Inet | ValueType::Cidr)
}

/// Texts of any length.
fn is_text_in_order(value_type: ValueType) -> bool {
    value_type.is_text() && value_type != ValueType::Name
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

/// Masks what is compared as a whole, and sorts it.
fn mask_wholes(
    value: &mut [u8],
    bounds: &[Stored],
    masker: &mut Masker<'_>,
) -> Result<(), DatumError> {
    let value_type = masker.value_type();
    let mut originals: Vec<Vec<u8>> = Vec::with_capacity(bounds.len());
    let mut ranks = Vec::with_capacity(bounds.len());
    let mut masked: Vec<Vec<u8>> = Vec::with_capacity(bounds.len());
    for bound in bounds {
        let whole = value.get_mut(bound.data.clone()).unwrap_or_default();
        if originals.last().is_none_or(|last| last != whole) {
            originals.push(whole.to_vec());
            masker.apply(whole)?;
            masked.push(whole.to_vec());
        }
        ranks.push(originals.len() - 1);
    }
    if !originals.is_sorted_by(|a, b| compared(value_type, a, b) == Ordering::Less) {
        return Err(DatumError("bounds of a range are not in order"));
    }
    masked.sort_by(|a, b| compared(value_type, a, b));
    for (bound, rank) in bounds.iter().zip(ranks) {
        let to = value.get_mut(bound.data.clone()).unwrap_or_default();
        match masked.get(rank) {
            Some(from) if from.len() == to.len() => to.copy_from_slice(from),
            _ => return Err(DatumError("masked bounds are of other sizes")),
        }
    }
    Ok(())
}

/// `uuid_cmp`, `network_cmp`.
fn compared(value_type: ValueType, a: &[u8], b: &[u8]) -> Ordering {
    if value_type == ValueType::Uuid { a.cmp(b) } else { network::compared(a, b) }
}

/// Gives texts beginnings in order. Which text is greater is for its collation to say, which was
/// asked whether it agrees: see [`letter_order`]. An empty text is the first, and stays; one without
/// another is masked as it would be anywhere.
fn mask_texts(
    value: &mut [u8],
    bounds: &[Stored],
    masker: &mut Masker<'_>,
    watch: &mut Watch<'_>,
) -> Result<(), DatumError> {
    let mut ranked: Vec<(Range<usize>, usize)> = Vec::with_capacity(bounds.len());
    for bound in bounds {
        let stored = value.get_mut(bound.data.clone()).unwrap_or_default();
        let padded = masker.value_type() == ValueType::Bpchar;
        let len = if padded { unpadded(stored).len() } else { stored.len() };
        let place = bound.data.start..bound.data.start + len;
        let rank = match ranked.last() {
            None => 0,
            Some((last, rank)) if value.get(last.clone()) == value.get(place.clone()) => *rank,
            Some((_, rank)) => rank + 1,
        };
        if len > 0 {
            ranked.push((place, rank));
        } else if !ranked.is_empty() {
            return Err(DatumError("bounds of a range are not in order"));
        }
    }
    let count = ranked.last().map_or(0, |(_, rank)| rank + 1);
    let is_only_one = count == 1 && ranked.len() == bounds.len();
    for equal in ranked.chunk_by(|(_, rank), (_, next)| rank == next) {
        for (place, rank) in equal {
            let text = value.get_mut(place.clone()).unwrap_or_default();
            masker.apply(text)?;
            let mut free = 0;
            if !is_only_one {
                free =
                    letter_order::begin(text, *rank, count, |text, at| masker.boundary(text, at))
                        .ok_or(DatumError("bounds are too short to be masked and in order"))?;
            }
            if equal.len() == 1 {
                watch.note(Form::Text, text.get(free..).unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// Numbers differ in length: where the two of a range are masked to the wrong way round, they change
/// places, headers and all. The mask is a permutation, so that different ones stay different. Those
/// of a multirange, and those with padding between them, are put in order where they are.
fn mask_numeric(
    value: &mut [u8],
    bounds: &[Stored],
    multirange: bool,
    masker: &mut Masker<'_>,
) -> Result<(), DatumError> {
    let mut originals = Vec::with_capacity(bounds.len());
    for bound in bounds {
        let number = value.get_mut(bound.data.clone()).unwrap_or_default();
        originals.push(number.to_vec());
        masker.apply(number)?;
    }
    match bounds {
        [lower, upper] if !multirange && upper.start == lower.data.end => {
            let number = |bound: &Stored| value.get(bound.data.clone()).unwrap_or_default();
            if numeric::is_greater(number(lower), number(upper))? {
                let both = value.get_mut(lower.start..upper.data.end).unwrap_or_default();
                both.rotate_left(upper.start - lower.start);
            }
            Ok(())
        }
        _ => number_order::put_in_order(value, bounds, &originals),
    }
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
