//! `ltree`: a count, then labels, each aligned to 8 bytes behind a length; contrib/ltree/ltree.h.

use super::DatumError;

/// Behind the varlena header: `numlevel` and padding.
const HEADER: usize = 4;

/// Calls `visit` for each label.
pub(crate) fn each_label(
    value: &mut [u8],
    mut visit: impl FnMut(&mut [u8]),
) -> Result<(), DatumError> {
    // Twice: nothing is changed where something is wrong.
    walk(value, |_| {})?;
    walk(value, &mut visit)
}

fn walk(value: &mut [u8], mut visit: impl FnMut(&mut [u8])) -> Result<(), DatumError> {
    let short = DatumError("an ltree is shorter than it says");
    let (header, mut rest) = value.split_first_chunk_mut::<HEADER>().ok_or(short)?;
    let [low, high, ..] = *header;
    for _ in 0..u16::from_le_bytes([low, high]) {
        let (len, label) = rest.split_first_chunk_mut::<2>().ok_or(short)?;
        let len = usize::from(u16::from_le_bytes(*len));
        if len == 0 {
            return Err(DatumError("a label of an ltree is empty"));
        }
        let (label, behind) = label.split_at_mut_checked(len).ok_or(short)?;
        visit(label);
        let padding = (len + 2).next_multiple_of(8) - (len + 2);
        (_, rest) = behind.split_at_mut_checked(padding).ok_or(short)?;
    }
    if rest.is_empty() { Ok(()) } else { Err(DatumError("an ltree is longer than it says")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_label_and_nothing_else() {
        let mut value = [&[2, 0, 0, 0][..], b"\x03\0Top\0\0\0", b"\x06\0Sience"].concat();
        let mut labels = Vec::new();
        each_label(&mut value, |label| labels.push(label.to_vec())).unwrap();
        assert_eq!(labels, [b"Top".to_vec(), b"Sience".to_vec()]);
        assert_eq!(each_label(&mut [0; 4], |_| panic!("no label")), Ok(()));
        for end in 0..value.len() {
            assert!(each_label(&mut value[..end], |_| panic!("visited")).is_err());
        }
        value.push(0);
        assert!(each_label(&mut value, |_| panic!("visited")).is_err());
        assert!(each_label(&mut [0xFF; 40], |_| panic!("visited")).is_err());
    }
}
