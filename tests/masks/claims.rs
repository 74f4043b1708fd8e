//! What single masks, keys and threads promise.

use super::*;

#[test]
fn one_masker_and_many_threads_agree() {
    for (mask, value_type, _, compiled) in compiled() {
        let values: Vec<Vec<u8>> = (0..300u64)
            .map(|n| {
                valid(
                    *value_type,
                    &format!("Value {}", n % 100),
                    n.wrapping_mul(0x9E37_79B9_7F4A_7C15),
                    n,
                )
            })
            .collect();
        let mut masker = compiled.masker();
        // Twice over: the second time much of it is remembered.
        for _ in 0..2 {
            let one: Vec<Vec<u8>> = values
                .iter()
                .map(|value| {
                    let mut masked = value.clone();
                    masker.apply(&mut masked).unwrap();
                    masked
                })
                .collect();
            let many: Vec<Vec<u8>> =
                values.par_iter().map(|value| apply(compiled, value)).collect();
            assert_eq!(one, many, "{mask:?} on {value_type:?}");
        }
    }
}

#[test]
fn key_and_domain_matter_and_nothing_else() {
    let other = MaskKey::from_bytes([0xAB; 32]);
    for (mask, value_type, options) in specs() {
        let unkeyed = [MaskName::Redact, MaskName::Blank, MaskName::Constant, MaskName::Bucket];
        if unkeyed.contains(&mask) {
            continue;
        }
        let values: Vec<Vec<u8>> = (1..60u64)
            .map(|n| {
                valid(
                    value_type,
                    &format!("Somebody Long {n}"),
                    n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 2,
                    n % 3,
                )
            })
            .collect();
        let run = |domain: &str, key: &MaskKey| -> Vec<Vec<u8>> {
            let mask = compile_in(domain, key, mask, value_type, &options);
            values.iter().map(|value| apply(&mask, value)).collect()
        };
        let here = run("a", &key());
        assert_eq!(here, run("a", &key()));
        assert_ne!(here, run("b", &key()), "{mask:?} on {value_type:?} ignores its domain");
        assert_ne!(here, run("a", &other), "{mask:?} on {value_type:?} ignores its key");
    }
}

#[test]
fn equal_values_of_kindred_types_mask_alike() {
    let none = MaskOptions::default();
    // In a `char(n)`, `blank` leaves a mark where blanks would be padding.
    for &mask in suited_masks(ValueType::Text).iter().filter(|mask| **mask != MaskName::Blank) {
        let options = options(mask, ValueType::Text).remove(0);
        let text = apply(&compile(mask, ValueType::Text, &options), b"Ann 42");
        let padded = apply(&compile(mask, ValueType::Bpchar, &options), b"Ann 42    ");
        assert_eq!(padded, [&text[..], b"    "].concat(), "{mask:?}");
    }
    for number in [5i16, 123, -77, 20_000] {
        let masked = |value_type, bytes: &[u8]| {
            let masked = apply(&compile(MaskName::Integer, value_type, &none), bytes);
            let low: [u8; 2] = masked[..2].try_into().unwrap();
            i16::from_le_bytes(low)
        };
        let small = masked(ValueType::Int2, &number.to_le_bytes());
        assert_eq!(small, masked(ValueType::Int4, &i32::from(number).to_le_bytes()));
        assert_eq!(small, masked(ValueType::Int8, &i64::from(number).to_le_bytes()));
    }
}

#[test]
fn masks_change_what_they_can() {
    for (mask, value_type, options, compiled) in compiled() {
        let permutes = is_injective(*mask, *value_type, options);
        if *value_type != ValueType::Text || permutes || *mask == MaskName::Constant {
            continue;
        }
        for text in ["A", "Al", "Ann", "Christopher", "+1 212 736 5000", "Müller", "x@y.zz"] {
            let kept = matches!(mask, MaskName::Phone | MaskName::CreditCard);
            if kept && !text.contains(char::is_alphanumeric) {
                continue;
            }
            assert_ne!(apply(compiled, text.as_bytes()), text.as_bytes(), "{mask:?}");
        }
    }
}

#[test]
fn addresses_are_never_deliverable() {
    let mask = compile(MaskName::Email, ValueType::Text, &MaskOptions::default());
    for len in 6..120 {
        let value = vec![b'a'; len];
        let masked = String::from_utf8(apply(&mask, &value)).unwrap();
        let (local, domain) = masked.split_once('@').unwrap();
        let reserved = ["example.com", "example.net", "example.org", "test"];
        assert!(reserved.contains(&domain) || domain.ends_with(".test"), "{masked}");
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        assert!(!local.is_empty() && local.bytes().all(plain), "{masked}");
    }
    let masked = String::from_utf8(apply(&mask, b"JANE.DOE@CORP.COM")).unwrap();
    assert!(masked.contains("@example."), "{masked}");
    let masked = apply(&mask, "jürgen.müller@produktion.de".as_bytes());
    assert!(String::from_utf8(masked).unwrap().contains("@example."));
}

#[test]
fn american_numbers_are_fictional_and_others_nobodys() {
    let mask = compile(MaskName::Phone, ValueType::Text, &MaskOptions::default());
    let masked = |text: &str| String::from_utf8(apply(&mask, text.as_bytes())).unwrap();
    for number in 0..200 {
        let text = masked(&format!("+1 (212) 73{}-{number:04}", number % 10));
        assert_eq!(&text[..4], "+1 (");
        assert_eq!(&text[7..14], ") 555-0", "{text}");
        assert_eq!(&text[14..15], "1", "{text}");
        assert!(masked(&format!("212736{number:04}"))[3..].starts_with("55501"));
        assert!(masked(&format!("+49 30 90182{number:03}")).starts_with("+99 9"));
        assert!(masked(&format!("0049 30 90182{number:03}")).starts_with("0099 9"));
        assert!(masked(&format!("0170 1234{number:03}")).starts_with('0'));
    }
    assert!(masked("212-736-5000 ext 77").contains(" ext "));
}

#[test]
fn wrong_combinations_are_refused() {
    let cases = [
        (MaskName::Keep, ValueType::Text, MaskOptions::default()),
        (MaskName::Email, ValueType::Int4, MaskOptions::default()),
        (MaskName::Constant, ValueType::Text, MaskOptions::default()),
        (MaskName::Email, ValueType::Text, MaskOptions { days: Some(1), ..MaskOptions::default() }),
    ];
    for (mask, value_type, options) in cases {
        let (encoding, labels) = (Encoding::Utf8, stored::labels(value_type));
        let spec = MaskSpec { mask, domain: "d".into(), value_type, encoding, options, labels };
        assert!(Mask::compile(&spec, &key()).is_err(), "{mask:?} on {value_type:?}");
    }
}

#[test]
fn debug_shows_no_key() {
    let mask = compile(MaskName::Email, ValueType::Text, &MaskOptions::default());
    assert_eq!(
        format!("{mask:?} {:?}", mask.masker()),
        "Mask(email on Text) Masker(Mask(email on Text))"
    );
}
