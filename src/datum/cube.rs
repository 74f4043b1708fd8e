//! `cube`: a header, then one corner or two; contrib/cube/cubedata.h.

use super::DatumError;
use super::geometry::Double;

/// In the header: both corners are one, and stored once.
const POINT: u32 = 1 << 31;
/// `CUBE_MAX_DIM`.
const MOST_DIMENSIONS: usize = 100;

/// A stored cube, its parts apart.
pub(crate) struct Cube<'a> {
    /// Coordinates, corner after corner.
    pub(crate) coordinates: &'a mut [Double],
    is_point: bool,
}

/// Takes a stored cube apart.
pub(crate) fn open(value: &mut [u8]) -> Result<Cube<'_>, DatumError> {
    let short = DatumError("a cube is shorter than its header");
    let (header, corners) = value.split_first_chunk_mut::<4>().ok_or(short)?;
    let header = u32::from_le_bytes(*header);
    let dimensions = (header & !POINT) as usize;
    let is_point = header & POINT != 0;
    let count = if is_point { dimensions } else { 2 * dimensions };
    match corners.as_chunks_mut() {
        (coordinates, []) if dimensions <= MOST_DIMENSIONS && coordinates.len() == count => {
            Ok(Cube { coordinates, is_point })
        }
        _ => Err(DatumError("a cube has another number of dimensions than it says")),
    }
}

impl Cube<'_> {
    /// Sets the corners of a box apart where they have become one: it would be read back as a
    /// point, which is shorter.
    pub(crate) fn mend(&mut self) {
        if self.is_point {
            return;
        }
        let (left, right) = self.coordinates.split_at_mut(self.coordinates.len() / 2);
        let number = |double: &Double| f64::from_le_bytes(*double);
        if left.iter().zip(&*right).all(|(left, right)| number(left) == number(right))
            && let Some(last) = right.last_mut()
        {
            let number = number(last);
            let is_end = number == 0.0 || number == f64::NEG_INFINITY;
            let apart = if is_end { 1.0 } else { number.next_down() };
            *last = apart.to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(header: u32, coordinates: &[f64]) -> Vec<u8> {
        let coordinates = coordinates.iter().flat_map(|double| double.to_le_bytes());
        header.to_le_bytes().into_iter().chain(coordinates).collect()
    }

    #[test]
    fn corners_that_meet_are_set_apart() {
        let mut value = stored(2, &[1.0, 0.0, 1.0, 0.0]);
        open(&mut value).unwrap().mend();
        assert_eq!(value, stored(2, &[1.0, 0.0, 1.0, 1.0]));
        let before = stored(2, &[1.0, 0.0, 2.0, 0.0]);
        let mut value = before.clone();
        open(&mut value).unwrap().mend();
        assert_eq!(value, before);
        let mut point = stored(POINT | 2, &[1.0, 0.0]);
        open(&mut point).unwrap().mend();
        assert_eq!(point, stored(POINT | 2, &[1.0, 0.0]));
    }

    #[test]
    fn rejects_counts_that_do_not_fit() {
        assert!(open(&mut stored(POINT, &[])).is_ok());
        for mut value in [
            vec![],
            stored(2, &[1.0, 2.0]),
            stored(POINT | 1, &[1.0, 2.0]),
            stored(POINT | 101, &[0.0; 101]),
            stored(u32::MAX, &[0.0; 2]),
            stored(1, &[1.0, 2.0])[..19].to_vec(),
        ] {
            assert!(open(&mut value).is_err());
        }
    }
}
