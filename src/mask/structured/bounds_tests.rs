//! Ranges over texts, addresses and numbers without a sign; made-up values.

use super::tests::{INT4, VARLENA, mask, range, spec};
use super::*;
use crate::datum::{Encoding, ValueType};
use crate::rules::MaskName;

/// A range of values that have short varlena headers, and where they are.
fn packed_range(parts: &[&[u8]], flags: u8) -> (Vec<u8>, Vec<std::ops::Range<usize>>) {
    let (mut value, mut places) = (vec![66, 15, 0, 0], Vec::new());
    for part in parts {
        value.push(((part.len() + 1) << 1 | 1) as u8);
        places.push(value.len()..value.len() + part.len());
        value.extend_from_slice(part);
    }
    value.push(flags);
    (value, places)
}

#[test]
fn texts_that_bound_a_range_get_beginnings_in_order() {
    for (lower, upper) in [
        ("Zoe", "anna"),
        ("", "x"),
        ("A", "B"),
        ("\u{e9}t\u{e9}", "\u{65e5}\u{672c}"),
        ("ab", "ab"),
    ] {
        let (before, places) = packed_range(&[lower.as_bytes(), upper.as_bytes()], 0x06);
        let kinds = [ValueType::Text, ValueType::Citext, ValueType::Bpchar];
        let masks = [MaskName::Text, MaskName::Redact, MaskName::Blank, MaskName::Alphanumeric];
        for (value_type, name) in kinds.iter().flat_map(|kind| masks.map(|name| (*kind, name))) {
            let (after, originals, _) = mask(&range(VARLENA, name, value_type), &before).unwrap();
            assert_eq!(originals.len(), 2);
            let masked = [0, 1].map(|at: usize| {
                std::str::from_utf8(&after[places[at].clone()]).unwrap().trim_end_matches(' ')
            });
            assert_eq!(
                masked[0].cmp(masked[1]),
                if lower == upper { std::cmp::Ordering::Equal } else { std::cmp::Ordering::Less },
                "{masked:?}"
            );
            assert_eq!(after.last(), Some(&0x06));
        }
    }
    let (unordered, _) = packed_range(&[b"x", b""], 0x06);
    assert!(mask(&range(VARLENA, MaskName::Text, ValueType::Text), &unordered).is_err());
}

#[test]
fn a_beginning_ends_with_a_character_of_the_servers_encoding() {
    let (before, places) = packed_range(&[b"\xC6\xFC\xCB\xDC", b"\x8F\xB0\xA1\xCB\xDC"], 0x06);
    let mut bound = spec(MaskName::Redact, ValueType::Text);
    bound.encoding = Encoding::EucJp;
    let (after, ..) = mask(&ColumnMask::Range { layout: VARLENA, bound }, &before).unwrap();
    assert_eq!(after[places[0].clone()], *b"bo\xA1\xF6");
    assert_eq!(after[places[1].clone()], *b"poo\xA1\xF6");
}

#[test]
fn addresses_that_bound_a_range_are_sorted_as_postgresql_does() {
    let (mut swapped, mut kept) = (0, 0);
    for low in 0..40u8 {
        let parts: [&[u8]; 2] = [&[2, 32, 10, 0, 0, low], &[2, 32, 10, 0, 0, low + 1]];
        let (before, places) = packed_range(&parts, 0x02);
        let ip = range(VARLENA, MaskName::Ip, ValueType::Inet);
        let (after, ..) = mask(&ip, &before).unwrap();
        let of = |at: usize| after[places[at].clone()].to_vec();
        assert!(of(0) < of(1), "{:?} {:?}", of(0), of(1));
        let alone = |part: &[u8]| {
            let ip = ColumnMask::Value(spec(MaskName::Ip, ValueType::Inet));
            mask(&ip, part).unwrap().0
        };
        if of(0) == alone(parts[0]) {
            kept += 1;
        } else {
            assert_eq!((of(0), of(1)), (alone(parts[1]), alone(parts[0])));
            swapped += 1;
        }
    }
    assert!(swapped > 5 && kept > 5, "{swapped} {kept}");
}

#[test]
fn numbers_without_a_sign_rise_beyond_half_of_their_type() {
    let bound = [1u32, u32::MAX - 1].map(u32::to_le_bytes).concat();
    let value = [&[66, 15, 0, 0], &bound[..], &[0x02]].concat();
    let (after, ..) = mask(&range(INT4, MaskName::Integer, ValueType::Oid), &value).unwrap();
    let [low, high] = [4, 8].map(|at| u32::from_le_bytes(after[at..at + 4].try_into().unwrap()));
    assert!(low < high && (1..10).contains(&low) && high > 1_000_000_000, "{low} {high}");
    let cards = [[8, 0, 0x2b, 1, 2, 3], [0xa8, 0, 0x2b, 1, 2, 3]].concat();
    let value = [&[66, 15, 0, 0], &cards[..], &[0x02]].concat();
    let layout = Layout { len: 6, align: 4 };
    let error = mask(&range(layout, MaskName::Mac, ValueType::Macaddr), &value);
    assert!(error.is_err(), "the upper one is not where its alignment has it");
    let value = [&[66, 15, 0, 0], &cards[..6], &[0, 0], &cards[6..], &[0x02]].concat();
    let (after, ..) = mask(&range(layout, MaskName::Mac, ValueType::Macaddr), &value).unwrap();
    assert!(after[4..10] < after[12..18] && after[4..10] != value[4..10], "{after:x?}");
}
