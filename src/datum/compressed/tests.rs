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

/// Text of the kinds that tables hold, and of kinds that encoders stumble over.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: [&str; 8] =
        ["alpha ", "beta ", "gamma\n", "delta, ", "{\"key\": ", "42", "}", "\u{e9}t\u{e9} "];
    prop_oneof![
        vec(prop::sample::select(&WORDS[..]), 0..400).prop_map(|words| words.concat().into_bytes()),
        vec(0..3_u8, 0..1500),
        vec(any::<u8>(), 0..200),
        (vec(any::<u8>(), 1..40), 1..80_usize).prop_map(|(part, n)| part.repeat(n)),
        vec((any::<u8>(), 1..700_usize), 0..6)
            .prop_map(|runs| runs.iter().flat_map(|&(byte, n)| vec![byte; n]).collect()),
        (vec(any::<u8>(), 20..300), vec(any::<u8>(), 0..300)).prop_map(|(part, other)| [
            &part[..],
            &other,
            &part
        ]
        .concat()),
    ]
}

fn encoded(method: Method, raw: &[u8], target: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    compress_to(method, raw, target, &mut out).then_some(out)
}

/// Bytes of the encoding without a match.
fn spelled_out_size(method: Method, len: usize) -> usize {
    match method {
        Method::Pglz => len + len.div_ceil(8),
        Method::Lz4 => 1 + len + if len < 15 { 0 } else { 1 + (len - 15) / 255 },
    }
}

/// Sizes up to that of the text spelled out, and whether they are hit. Each hit is decoded.
fn sizes(method: Method, raw: &[u8]) -> Vec<bool> {
    let hits = (0..=spelled_out_size(method, raw.len())).map(|target| {
        let Some(data) = encoded(method, raw, target) else { return false };
        assert_eq!(data.len(), target);
        assert_eq!(decoded(method, &data, raw.len()).unwrap(), raw);
        if method == Method::Lz4 {
            assert_eq!(lz4_flex::block::decompress(&data, raw.len()).unwrap(), raw);
        }
        true
    });
    hits.collect()
}

/// The least bits for pglz, by trying every match of every length.
fn least_pglz_size(raw: &[u8]) -> usize {
    let mut bits = vec![usize::MAX; raw.len() + 1];
    bits[0] = 0;
    for at in 0..raw.len() {
        bits[at + 1] = bits[at + 1].min(bits[at] + 9);
        let longest = (at.saturating_sub(4095)..at)
            .map(|from| raw[from..].iter().zip(&raw[at..]).take_while(|(a, b)| a == b).count())
            .max();
        for len in 3..=longest.unwrap_or(0).min(273) {
            let cost = if len < 18 { 17 } else { 25 };
            bits[at + len] = bits[at + len].min(bits[at] + cost);
        }
    }
    bits[raw.len()].div_ceil(8)
}

proptest! {
    #[test]
    fn every_size_from_the_best_to_that_of_the_text_is_hit(raw in texts()) {
        for method in [Method::Pglz, Method::Lz4] {
            let sizes = sizes(method, &raw);
            let best = sizes.iter().position(|&hit| hit).unwrap();
            // A text that is one match knows fewer ways.
            let last = if raw.len() > 300 { raw.len() - raw.len() / 8 } else { best };
            let missed: Vec<_> = (best..last).filter(|&size| !sizes[size]).collect();
            prop_assert!(
                missed.is_empty() || method == Method::Pglz && missed == [best + 1],
                "{:?}: {} bytes, best {}, missed {:?}", method, raw.len(), best, missed
            );
        }
    }

    #[test]
    fn the_best_pglz_is_the_best_there_is(raw in texts()) {
        let best = least_pglz_size(&raw);
        prop_assert!(encoded(Method::Pglz, &raw, best).is_some());
        prop_assert!(best == 0 || encoded(Method::Pglz, &raw, best - 1).is_none());
    }

    #[test]
    fn lz4_is_hardly_larger_than_that_of_another_encoder(raw in texts()) {
        let size = lz4_flex::block::compress(&raw).len();
        // Matches are looked at up to a length, and runs of runs may cost a byte for it.
        let enough = size + 1 + size / 32;
        prop_assert!((0..=enough).any(|size| encoded(Method::Lz4, &raw, size).is_some()));
    }
}

/// A text of many blocks: words in an order that does not repeat.
fn long_text(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let words = std::iter::from_fn(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(format!("{:x} ", (state >> 20) * (state >> 28)))
    });
    words.flat_map(String::into_bytes).take(len).collect()
}

#[test]
fn texts_of_many_blocks_are_encoded_in_every_size() {
    let text = long_text(300_000);
    let regular = b"x".repeat(300_000);
    let period = b"one thing after another, ".repeat(12_000);
    for method in [Method::Pglz, Method::Lz4] {
        for raw in [&text, &regular, &period] {
            let best = best_size(method, raw);
            for target in [best, best + 2, best + 1000, best + 1001, 200_000] {
                let data = encoded(method, raw, target).unwrap();
                assert_eq!(data.len(), target);
                assert_eq!(&decoded(method, &data, raw.len()).unwrap(), raw);
            }
        }
    }
    assert_eq!(best_size(Method::Pglz, &regular), least_pglz_size_of_a_run(300_000));
    assert!(best_size(Method::Lz4, &text) <= lz4_flex::block::compress(&text).len());
    assert!(best_size(Method::Lz4, &period) <= lz4_flex::block::compress(&period).len());
}

/// A literal, then matches of 273 bytes.
fn least_pglz_size_of_a_run(len: usize) -> usize {
    let matches = (len - 1).div_ceil(273);
    (9 + matches * 25).div_ceil(8)
}

fn best_size(method: Method, raw: &[u8]) -> usize {
    let (mut low, mut high) = (0, spelled_out_size(method, raw.len()));
    while low < high {
        let middle = (low + high) / 2;
        // One size more, as a single one may be out of reach.
        let fits = [middle, middle + 1].iter().any(|&size| encoded(method, raw, size).is_some());
        if fits { high = middle } else { low = middle + 1 }
    }
    if encoded(method, raw, low).is_some() { low } else { low + 1 }
}
