//! Geometric types: doubles, in `path` and `polygon` behind a count; utils/geo_decls.h.

use std::cmp::Ordering;

use super::{DatumError, ValueType};

/// One stored double.
pub(crate) type Double = [u8; 8];

/// Below this, PostgreSQL takes a number for zero (`EPSILON`).
pub(crate) const EPSILON: f64 = 1.0e-6;

/// `npts`, `closed` and padding of a `path`.
const PATH_HEADER: usize = 12;
/// `npts` of a `polygon`, and the box around it.
const POLYGON_HEADER: usize = 36;

/// The doubles of a value that stand for themselves: a polygon's box follows from its points.
pub(crate) fn doubles(
    value: &mut [u8],
    value_type: ValueType,
) -> Result<&mut [Double], DatumError> {
    let odd = DatumError("a geometric value has another length than its type");
    let points = match value_type {
        ValueType::Path => points(value, PATH_HEADER)?,
        ValueType::Polygon => points(value, POLYGON_HEADER)?,
        _ if Some(value.len()) == value_type.width() => value,
        _ => return Err(odd),
    };
    match points.as_chunks_mut() {
        (doubles, []) => Ok(doubles),
        _ => Err(odd),
    }
}

/// What is behind a header that begins with the number of points.
fn points(value: &mut [u8], header: usize) -> Result<&mut [u8], DatumError> {
    let short = DatumError("a path or polygon is shorter than its header");
    let (header, points) = value.split_at_mut_checked(header).ok_or(short)?;
    let count = header.first_chunk().ok_or(short)?;
    let count = usize::try_from(i32::from_le_bytes(*count)).unwrap_or(0);
    if count == 0 || count.checked_mul(16) != Some(points.len()) {
        return Err(DatumError("a path or polygon has another number of points than it says"));
    }
    Ok(points)
}

/// Makes what follows from the coordinates true again: the corners of a `box` in order, the box
/// around a `polygon`, a `line` that is one.
pub(crate) fn mend(value: &mut [u8], value_type: ValueType) {
    match value_type {
        ValueType::Box => {
            if let ([high_x, high_y, low_x, low_y], _) =
                value.as_chunks_mut::<8>().0.split_at_mut(4)
            {
                put_in_order(low_x, high_x);
                put_in_order(low_y, high_y);
            }
        }
        ValueType::Polygon => bound(value),
        ValueType::Line => {
            if let [a, b, _] = value.as_chunks_mut::<8>().0
                && f64::from_le_bytes(*a).abs() <= EPSILON
                && f64::from_le_bytes(*b).abs() <= EPSILON
            {
                // PostgreSQL would not read it back.
                *b = (2.0 * EPSILON).copysign(f64::from_le_bytes(*b)).to_le_bytes();
            }
        }
        _ => {}
    }
}

/// How PostgreSQL orders doubles: NaN is the greatest, and zeros are equal (`float8_cmp_internal`).
fn order(left: Double, right: Double) -> Ordering {
    let (left, right) = (f64::from_le_bytes(left), f64::from_le_bytes(right));
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

fn put_in_order(low: &mut Double, high: &mut Double) {
    if order(*low, *high) == Ordering::Greater {
        std::mem::swap(low, high);
    }
}

/// The box around a polygon, as `make_bound_box` finds it: of equals, the first.
fn bound(value: &mut [u8]) {
    let Some((header, points)) = value.split_at_mut_checked(POLYGON_HEADER) else { return };
    let points = points.as_chunks::<8>().0.as_chunks::<2>().0;
    let Some(&[x, y]) = points.first() else { return };
    let [mut high_x, mut high_y, mut low_x, mut low_y] = [x, y, x, y];
    for &[x, y] in points {
        for (point, low, high) in [(x, &mut low_x, &mut high_x), (y, &mut low_y, &mut high_y)] {
            if order(point, *low) == Ordering::Less {
                *low = point;
            }
            if order(point, *high) == Ordering::Greater {
                *high = point;
            }
        }
    }
    let corners = [high_x, high_y, low_x, low_y];
    for (to, from) in header.iter_mut().skip(4).zip(corners.as_flattened()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(header: &[u8], doubles: &[f64]) -> Vec<u8> {
        let doubles = doubles.iter().flat_map(|double| double.to_le_bytes());
        header.iter().copied().chain(doubles).collect()
    }

    #[test]
    fn finds_the_doubles_of_each_type() {
        let count = |value_type, mut value: Vec<u8>| {
            doubles(&mut value, value_type).map(|doubles| doubles.len()).ok()
        };
        assert_eq!(count(ValueType::Point, vec![0; 16]), Some(2));
        assert_eq!(count(ValueType::Circle, vec![0; 24]), Some(3));
        assert_eq!(count(ValueType::Point, vec![0; 24]), None);
        let path = |points: u8, len: usize| [vec![points], vec![0; len - 1]].concat();
        assert_eq!(count(ValueType::Path, path(2, 44)), Some(4));
        assert_eq!(count(ValueType::Polygon, path(2, 68)), Some(4));
        for (points, len) in [(2, 43), (2, 60), (0, 12), (1, 3)] {
            assert_eq!(count(ValueType::Path, path(points, len)), None);
        }
        assert_eq!(count(ValueType::Polygon, vec![0xFF; 68]), None);
    }

    #[test]
    fn corners_are_put_in_order_and_nan_is_the_greatest() {
        let mut value = stored(&[], &[1.0, f64::NAN, 2.0, 5.0]);
        mend(&mut value, ValueType::Box);
        assert_eq!(value, stored(&[], &[2.0, f64::NAN, 1.0, 5.0]));
        let mut value = stored(&[], &[3.0, 5.0, 2.0, f64::NAN]);
        mend(&mut value, ValueType::Box);
        assert_eq!(value, stored(&[], &[3.0, f64::NAN, 2.0, 5.0]));
    }

    #[test]
    fn the_box_around_a_polygon_is_found_anew() {
        let points = [1.0, 7.0, -3.0, 9.0, 2.0, 8.0];
        let mut value = stored(&[3, 0, 0, 0], &[&[0.0; 4][..], &points].concat());
        mend(&mut value, ValueType::Polygon);
        let bound = [2.0, 9.0, -3.0, 7.0];
        assert_eq!(value, stored(&[3, 0, 0, 0], &[&bound[..], &points].concat()));
    }

    #[test]
    fn a_line_stays_one() {
        let mut value = stored(&[], &[1.0e-6, -0.5e-6, 4.0]);
        mend(&mut value, ValueType::Line);
        assert_eq!(value, stored(&[], &[1.0e-6, -2.0e-6, 4.0]));
    }
}
