//! Every mask on text, in every server encoding.

use std::collections::BTreeMap;

use super::{Mask, MaskKey, MaskSpec, is_injective, suited_masks};
use crate::datum::{Encoding, ValueType};
use crate::rules::{MaskName, MaskOptions};

fn mask_in(encoding: Encoding, mask: MaskName) -> Mask {
    let mut options = MaskOptions::default();
    match mask {
        MaskName::Constant => options.value = Some("constant é\u{1F600}".to_owned()),
        MaskName::NationalId => options.country = Some("de".to_owned()),
        MaskName::Partial => options.keep_first = Some(1),
        _ => {}
    }
    let spec = MaskSpec {
        mask,
        domain: "test".to_owned(),
        value_type: ValueType::Text,
        encoding,
        labels: crate::datum::EnumLabels::default(),
        options,
    };
    Mask::compile(&spec, &MaskKey::from_bytes([9; 32])).unwrap()
}

/// Texts as databases of these encodings store them.
const TEXTS: [(Encoding, &[&[u8]]); 5] = [
    (
        Encoding::Latin1,
        &[
            b"Jos\xE9",
            b"\xC3\xA9",
            b"M\xFCller-L\xFCdenscheidt",
            b"\xABa\xBB",
            b"\xFF@x.org",
            b"\x80",
        ],
    ),
    (Encoding::Koi8r, &[b"\xE9\xD7\xC1\xCE \xE9\xD7\xC1\xCE\xCF\xD7\xC9\xDE", b"\xF1"]),
    (
        Encoding::EucJp,
        &[
            b"\xBB\xB3\xC5\xC4 \xC2\xC0\xCF\xBA",
            b"\xA4\xCF\xA4\xCA\xA4\xB3",
            b"\x8E\xD4\x8E\xCF\x8E\xC0\x8E\xDE",
            b"\x8F\xB0\xA1\xB9\xE2 Taro",
            b"\xC5\xEC\xB5\xFE\xA1\xA6\xA3\xB1-2-3",
        ],
    ),
    (Encoding::EucKr, &[b"\xB1\xE8\xC3\xB6\xBC\xF6", b"010-\xC7\xD1"]),
    (Encoding::EucTw, &[b"\xC4\xE3\xA6\xFD", b"\x8E\xA2\xA1\xA1\xC4\xE3 x"]),
];

#[test]
fn every_mask_keeps_characters_and_their_lengths_and_changes_letters() {
    for (encoding, texts) in TEXTS {
        for &mask in suited_masks(ValueType::Text) {
            let mask_of_encoding = mask_in(encoding, mask);
            for &text in texts {
                let mut value = text.to_vec();
                mask_of_encoding.masker().apply(&mut value).unwrap();
                assert_eq!(value.len(), text.len());
                let sorted = |text: &[u8]| {
                    let mut lengths: Vec<usize> = encoding.lengths(text).collect();
                    lengths.sort_unstable();
                    lengths
                };
                assert_eq!(sorted(&value), sorted(text), "{encoding:?} {mask:?} {text:x?}");
                let letters = text.iter().filter(|&&byte| byte >= 0xA1).count();
                let keeps = matches!(mask, MaskName::Digits | MaskName::Partial);
                if !keeps && letters > 1 {
                    assert_ne!(value, text, "{encoding:?} {mask:?}");
                }
                let mut again = text.to_vec();
                mask_of_encoding.masker().apply(&mut again).unwrap();
                assert_eq!(value, again);
            }
        }
    }
}

#[test]
fn ascii_is_masked_the_same_in_every_encoding() {
    for &mask in suited_masks(ValueType::Text) {
        let masked =
            [Encoding::Utf8, Encoding::SqlAscii, Encoding::Latin2, Encoding::EucCn].map(|e| {
                let mut value = b"Jane Doe 1970".to_vec();
                mask_in(e, mask).masker().apply(&mut value).unwrap();
                value
            });
        assert!(masked.windows(2).all(|pair| pair[0] == pair[1]), "{mask:?}");
    }
}

#[test]
fn permutations_are_permutations_of_single_bytes_and_of_double_ones() {
    assert!(is_injective(MaskName::Alphanumeric, ValueType::Text, &MaskOptions::default()));
    for (encoding, first) in [(Encoding::Latin1, 0x21..=0xFF), (Encoding::EucKr, 0xB0..=0xC8)] {
        let mask = mask_in(encoding, MaskName::Alphanumeric);
        let mut masker = mask.masker();
        let mut seen = BTreeMap::new();
        for a in first {
            for b in 0xA1..=0xFE {
                let mut value = [a, b];
                masker.apply(&mut value).unwrap();
                if let Some(other) = seen.insert(value, [a, b]) {
                    panic!("{encoding:?}: {other:x?} and {:x?} become {value:x?}", [a, b]);
                }
            }
        }
    }
}
