//! What holds of any value of a type.

use super::*;

/// What must hold of any masked value that was a valid one.
fn assert_sound(mask: MaskName, value_type: ValueType, value: &[u8], masked: &[u8]) {
    assert_eq!(masked.len(), value.len(), "{mask:?} on {value_type:?} changed a length");
    match value_type {
        ValueType::Text | ValueType::Bpchar => {
            if let Ok(text) = str::from_utf8(value) {
                let masked = str::from_utf8(masked).expect("text stays UTF-8");
                assert_eq!(masked.chars().count(), text.chars().count());
                assert!(!masked.contains('\0') || text.contains('\0'));
            }
            if value_type == ValueType::Bpchar {
                let padding = |bytes: &[u8]| bytes.iter().rev().take_while(|b| **b == b' ').count();
                assert_eq!(padding(masked), padding(value), "{mask:?} changed the padding");
            }
        }
        ValueType::Bool => assert!(masked[0] <= 1),
        ValueType::Time => {
            let micros = i64::from_le_bytes(masked.try_into().unwrap());
            assert!((0..=86_400_000_000).contains(&micros));
        }
        ValueType::Uuid if mask == MaskName::Uuid => {
            assert_eq!(masked[6] & 0xF0, value[6] & 0xF0);
        }
        other => stored::assert_sound(other, value, masked),
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "[A-Za-z0-9 .@+-]{0,80}",
        proptest::collection::vec(any::<char>().prop_filter("NUL", |c| *c != '\0'), 0..20)
            .prop_map(|chars| chars.into_iter().collect()),
        "[a-zà-ÿА-я東-龠あ-ん가-힣 ]{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn valid_values_stay_valid_and_as_long(text in any_text(), bits: u64, more: u64) {
        for (mask, value_type, options, compiled) in compiled() {
            let value = valid(*value_type, &text, bits, more);
            let masked = match try_apply(compiled, &value) {
                None if may_refuse(*mask, options) => continue,
                masked => masked.unwrap(),
            };
            assert_sound(*mask, *value_type, &value, &masked);
            // What the mask made is a value it takes itself: canonical numerics, dates in range.
            prop_assert!(try_apply(compiled, &masked).is_some() || may_refuse(*mask, options));
        }
    }

    #[test]
    fn nothing_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        for (mask, value_type, options, compiled) in compiled() {
            let mut masked = bytes.clone();
            if compiled.masker().apply(&mut masked).is_err() {
                let refuses = *value_type != ValueType::Text || may_refuse(*mask, options);
                prop_assert!(refuses, "{mask:?} left a text");
                prop_assert_eq!(&masked, &bytes, "an error changes nothing");
            }
            prop_assert_eq!(masked.len(), bytes.len());
        }
    }

    #[test]
    fn permutations_keep_values_apart(texts in proptest::collection::btree_set("[A-Ca-c0-9é-ñ]{0,4}", 2..40), bits: u64) {
        for (mask, value_type, options, compiled) in compiled() {
            if !is_injective(*mask, *value_type, options) {
                continue;
            }
            let mut masker = compiled.masker();
            let values: BTreeSet<Vec<u8>> = texts
                .iter()
                .enumerate()
                .map(|(at, text)| valid(*value_type, text, bits % 100_000 + at as u64, 0))
                .collect();
            let masked = values.iter().map(|value| {
                let mut value = value.clone();
                masker.apply(&mut value).unwrap();
                value
            });
            let different = |values: &mut dyn Iterator<Item = Vec<u8>>| {
                values.map(|value| stored::under_equals(*value_type, value)).collect::<BTreeSet<_>>().len()
            };
            let images = different(&mut masked.into_iter());
            prop_assert_eq!(images, different(&mut values.iter().cloned()), "{:?} on {:?}", mask, value_type);
        }
    }
}
