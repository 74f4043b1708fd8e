use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn decoded(method: Method, data: &[u8], raw_len: usize) -> Result<Vec<u8>, DatumError> {
    let mut out = Vec::new();
    decompress(method, data, raw_len, &mut out).map(|()| out)
}

#[test]
fn decodes_pglz_tags_of_both_sizes() {
    // "ab", then 3 bytes from 2 back, then 18 + 2 bytes from 1 back.
    let data = [0b1100, b'a', b'b', 0x00, 2, 0x0F, 1, 2];
    let expected = format!("ababa{}", "a".repeat(20));
    assert_eq!(decoded(Method::Pglz, &data, 25).unwrap(), expected.as_bytes());
}

#[test]
fn a_last_pglz_tag_may_be_longer_than_the_value() {
    assert_eq!(decoded(Method::Pglz, &[0b10, b'a', 0x0F, 1, 200], 3).unwrap(), b"aaa");
}

#[test]
fn rejects_pglz_that_is_too_short_too_long_or_points_nowhere() {
    for (data, raw_len) in [
        (&[][..], 1),
        (&[0, b'a'][..], 2),
        (&[0, b'a', b'b'], 1),
        (&[0b10, b'a', 0x00], 4),
        (&[0b10, b'a', 0x0F, 1], 40),
        (&[0b10, b'a', 0x00, 2], 4),
        (&[0b10, b'a', 0x00, 0], 4),
    ] {
        assert!(decoded(Method::Pglz, data, raw_len).is_err(), "{data:?}");
    }
}

#[test]
fn decodes_lz4_with_long_lengths() {
    let mut data = vec![0xFF, 1];
    data.extend([b'a'; 16]);
    data.extend([1, 0, 255, 3, 0x50]);
    data.extend(b"vwxyz");
    let expected = format!("{}vwxyz", "a".repeat(16 + 15 + 255 + 3 + 4));
    assert_eq!(decoded(Method::Lz4, &data, expected.len()).unwrap(), expected.as_bytes());
}

#[test]
fn rejects_lz4_that_is_too_short_too_long_or_points_nowhere() {
    for (data, raw_len) in [
        (&[][..], 0),
        (&[0x10][..], 1),
        (&[0x10, b'a'], 2),
        (&[0x20, b'a', b'b'], 1),
        (&[0x10, b'a', 2, 0, 0x00], 5),
        (&[0x10, b'a', 0, 0, 0x00], 5),
        (&[0x10, b'a', 1], 5),
        (&[0x10, b'a', 1, 0], 5),
        (&[0x1F, b'a', 1, 0, 255], 300),
        (&[0xF0], 15),
    ] {
        assert!(decoded(Method::Lz4, data, raw_len).is_err(), "{data:?}");
    }
}

#[test]
fn a_length_that_nothing_fills_takes_no_memory() {
    for method in [Method::Pglz, Method::Lz4] {
        let mut out = Vec::new();
        assert!(decompress(method, &[0; 64], 0x3FFF_FFFF, &mut out).is_err());
        assert_eq!(out.capacity(), 0);
    }
}

proptest! {
    #[test]
    fn garbage_is_an_error_or_a_value_of_that_length(
        data in vec(any::<u8>(), 0..200),
        raw_len in 0..2000_usize,
    ) {
        for method in [Method::Pglz, Method::Lz4] {
            if let Ok(value) = decoded(method, &data, raw_len) {
                prop_assert_eq!(value.len(), raw_len);
            }
        }
    }

    #[test]
    fn decodes_what_another_lz4_encoder_made(raw in vec(0..4_u8, 0..3000)) {
        let data = lz4_flex::block::compress(&raw);
        prop_assert_eq!(decoded(Method::Lz4, &data, raw.len()).unwrap(), raw);
    }
}
