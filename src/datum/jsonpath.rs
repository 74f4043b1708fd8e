//! `jsonpath`: a header and a tree of items, each aligned to 4 bytes; utils/jsonpath.h.

use super::DatumError;

/// The version in the header; its highest bit is `lax`.
const VERSION: u32 = 1;
const LAX: u32 = 1 << 31;
/// `jpiNull`, `jpiString`, `jpiBool`: numbered since the type exists.
const NULL: u8 = 0;
const STRING: u8 = 1;
const BOOL: u8 = 3;
/// Header, item type with padding, offset of the next item.
const LEAF: usize = 12;
/// The length of a string and the NUL behind it.
const STRING_FRAME: usize = 5;

/// Writes a path of the same length and mode that names nothing: `null`, `false`, or a string of
/// asterisks.
pub(crate) fn clear(value: &mut [u8]) -> Result<(), DatumError> {
    let short = DatumError("a jsonpath is shorter than its header");
    let (header, items) = value.split_first_chunk_mut::<4>().ok_or(short)?;
    if u32::from_le_bytes(*header) & !LAX != VERSION {
        return Err(DatumError("a jsonpath is of an unknown version"));
    }
    let Some(behind) = (items.len() + 4).checked_sub(LEAF) else { return Err(short) };
    let item = match behind {
        0 => NULL,
        1 => BOOL,
        _ if behind >= STRING_FRAME => STRING,
        _ => return Err(DatumError("no jsonpath has this length")),
    };
    items.fill(0);
    if let Some(first) = items.first_mut() {
        *first = item;
    }
    if item == STRING
        && let Some(string) = items.get_mut(LEAF - 4..)
        && let Some((len, text)) = string.split_first_chunk_mut::<4>()
        && let Some((_, text)) = text.split_last_mut()
    {
        *len = (text.len() as u32).to_le_bytes();
        text.fill(b'*');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_gets_a_path_of_its_own() {
        let header = [1, 0, 0, 0x80];
        let of = |len: usize| {
            let mut value = [&header[..], &vec![0xAA; len - 4]].concat();
            clear(&mut value).map(|()| value)
        };
        assert_eq!(of(12), Ok([&header[..], &[0; 8]].concat()));
        assert_eq!(of(13), Ok([&header[..], &[3, 0, 0, 0, 0, 0, 0, 0, 0]].concat()));
        assert!(of(14).is_err() && of(11).is_err());
        let string = [&header[..], &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0], b"**\0"].concat();
        assert_eq!(of(19), Ok(string));
    }

    #[test]
    fn rejects_other_versions() {
        assert!(clear(&mut [2; 20]).is_err());
        assert!(clear(&mut []).is_err());
    }
}
