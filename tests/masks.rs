//! What every mask promises, of every type it goes with: golden vectors and properties.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thinveil::datum::{Encoding, ValueType};
use thinveil::mask::{Mask, MaskKey, MaskSpec, is_injective, suited_masks};
use thinveil::rules::{MaskName, MaskOptions};

#[path = "masks/stored.rs"]
mod stored;

const GOLDEN: &str = "tests/golden/masks.json";

/// What stands for bytes that are text where they are: read in a diff, checked by nobody else.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vector {
    mask: MaskName,
    value_type: ValueType,
    options: MaskOptions,
    value: String,
    masked: String,
    value_hex: String,
    masked_hex: String,
}

fn key() -> MaskKey {
    MaskKey::from_bytes(std::array::from_fn(|at| at as u8))
}

fn compile(mask: MaskName, value_type: ValueType, options: &MaskOptions) -> Mask {
    compile_in("golden", &key(), mask, value_type, options)
}

fn compile_in(
    domain: &str,
    key: &MaskKey,
    mask: MaskName,
    value_type: ValueType,
    options: &MaskOptions,
) -> Mask {
    let options = options.clone();
    let (encoding, labels) = (Encoding::Utf8, stored::labels(value_type));
    let spec = MaskSpec { mask, domain: domain.into(), value_type, encoding, options, labels };
    Mask::compile(&spec, key).unwrap()
}

fn apply(mask: &Mask, value: &[u8]) -> Vec<u8> {
    let mut masked = value.to_vec();
    mask.masker().apply(&mut masked).unwrap();
    masked
}

/// `None` for a value that the mask refuses.
fn try_apply(mask: &Mask, value: &[u8]) -> Option<Vec<u8>> {
    let mut masked = value.to_vec();
    mask.masker().apply(&mut masked).ok().map(|()| masked)
}

/// True for what may refuse a valid value: `email` with `unique`.
fn may_refuse(mask: MaskName, options: &MaskOptions) -> bool {
    mask == MaskName::Email && options.unique
}

/// The options each mask is tried with.
fn options(mask: MaskName, value_type: ValueType) -> Vec<MaskOptions> {
    let none = MaskOptions::default();
    let locale = |name: &str| MaskOptions { locale: Some(name.into()), ..none.clone() };
    let unique = MaskOptions { unique: true, ..none.clone() };
    let noise = |distribution: &str| MaskOptions {
        share: Some(0.1),
        distribution: Some(distribution.into()),
        ..none.clone()
    };
    let unit = |unit: &str| MaskOptions { unit: Some(unit.into()), ..none.clone() };
    let size = |size: f64| MaskOptions { size: Some(size), ..none.clone() };
    let country = |country: &str| MaskOptions { country: Some(country.into()), ..none.clone() };
    match mask {
        MaskName::FirstName | MaskName::FullName | MaskName::StreetAddress => {
            vec![none.clone(), locale("fr"), locale("de"), locale("ja"), locale("zh")]
        }
        MaskName::LastName | MaskName::City | MaskName::Company => {
            vec![none.clone(), locale("de")]
        }
        MaskName::Email | MaskName::Username => vec![none.clone(), locale("de"), unique],
        MaskName::NationalId => ["us", "gb", "fr", "de"].map(country).to_vec(),
        MaskName::Partial => vec![
            MaskOptions { keep_first: Some(1), ..none.clone() },
            MaskOptions { keep_first: Some(2), keep_last: Some(4), ..none },
        ],
        MaskName::Noise => vec![
            none.clone(),
            noise("laplace"),
            noise("gaussian"),
            MaskOptions { scale: Some(2.5), ..none.clone() },
        ],
        MaskName::Latitude | MaskName::Longitude => {
            vec![none.clone(), MaskOptions { meters: Some(50.0), ..none.clone() }]
        }
        MaskName::Bucket => match value_type {
            ValueType::Time | ValueType::TimeTz => vec![unit("minute"), unit("hour")],
            ValueType::Date => vec![unit("week"), unit("quarter"), unit("decade")],
            ValueType::Timestamp | ValueType::TimestampTz => {
                ["hour", "day", "month", "year"].map(unit).to_vec()
            }
            ValueType::Numeric | ValueType::Float4 | ValueType::Float8 => {
                vec![size(10.0), size(0.25)]
            }
            _ => vec![size(10.0), size(1000.0)],
        },
        MaskName::DateShift => vec![none.clone(), MaskOptions { days: Some(1), ..none }],
        MaskName::TimestampShift => vec![none.clone(), MaskOptions { seconds: Some(60), ..none }],
        MaskName::Ip => vec![none.clone(), MaskOptions { keep_bits: Some(16), ..none }],
        MaskName::Constant => vec![MaskOptions {
            value: Some(
                match value_type {
                    ValueType::Text | ValueType::Bpchar => "secret é",
                    ValueType::Bool => "true",
                    ValueType::Date => "1970-01-01",
                    ValueType::Time => "12:00:00",
                    ValueType::Timestamp | ValueType::TimestampTz => "1970-01-01 00:00:00",
                    ValueType::Uuid => "11111111-2222-4333-8444-555555555555",
                    other => stored::constant(other),
                }
                .into(),
            ),
            ..none
        }],
        _ => vec![none],
    }
}

/// Every mask on every type it goes with, with every set of options.
fn specs() -> Vec<(MaskName, ValueType, MaskOptions)> {
    let mut specs = Vec::new();
    for value_type in ValueType::ALL {
        for &mask in suited_masks(value_type) {
            for options in options(mask, value_type) {
                specs.push((mask, value_type, options));
            }
        }
    }
    specs
}

/// Values of a type, as stored.
fn samples(value_type: ValueType) -> Vec<Vec<u8>> {
    let texts = [
        "",
        "x",
        "Al",
        "Anna",
        "MARIA",
        "peter",
        "John Smith",
        "Jürgen Müller",
        "Émile",
        "王小明",
        "山田 太郎",
        "Анна Каренина",
        "محمد",
        "😀 ok",
        "jane.doe@example.org",
        "j@d.io",
        "a@b.cd",
        "jürgen@müller.de",
        "+1 (212) 736-5000",
        "212-736-5000 x12",
        "+49 30 901820",
        "0170 1234567",
        "1234",
        "AB-1234-cd",
        "4111 1111 1111 1111",
        "10 Downing Street",
        "San Francisco",
        "Acme Inc",
        "https://shop.example.com/account?id=7",
        "ftp://x.io/",
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "123-45-6789",
        "AB 12 34 56 C",
        "1 85 05 78 006 084 91",
        "36574261809",
        "jane_doe",
        "A note of some length, with several words in it; it goes on past thirty-two bytes.",
    ];
    let ints = [0i64, 1, -1, 7, 42, -99, 1234, 32_767, -32_768];
    let wide = [32_768i64, 65_536, 2_147_483_647, -2_147_483_648];
    let wider = [2_147_483_648i64, 1_234_567_890_123, i64::MAX, i64::MIN];
    let bytes_of = |width: usize, numbers: Vec<i64>| -> Vec<Vec<u8>> {
        numbers.iter().map(|number| number.to_le_bytes()[..width].to_vec()).collect()
    };
    match value_type {
        ValueType::Text => {
            let mut all: Vec<Vec<u8>> = texts.iter().map(|t| t.as_bytes().to_vec()).collect();
            all.extend([b"\xe9t\xe9".to_vec(), b"Z\xfcrich".to_vec()]);
            all
        }
        ValueType::Bpchar => texts.iter().map(|text| format!("{text}   ").into_bytes()).collect(),
        ValueType::Int2 => bytes_of(2, ints.to_vec()),
        ValueType::Int4 => bytes_of(4, [&ints[..], &wide].concat()),
        ValueType::Int8 => bytes_of(8, [&ints[..], &wide, &wider].concat()),
        ValueType::Numeric => vec![
            vec![0x00, 0x80],                               // 0
            vec![0x00, 0xC0],                               // NaN
            vec![0x00, 0xD0],                               // Infinity
            vec![0x00, 0x80, 7, 0],                         // 7
            vec![0x00, 0x81, 12, 0, 0x48, 0x0D],            // 12.34
            vec![0x00, 0xA1, 12, 0, 0x48, 0x0D],            // -12.34
            vec![0x81, 0x80, 1, 0, 0x0F, 0x27, 0x88, 0x13], // 19999.5
            vec![0x04, 0x40, 0xFF, 0xFF, 56, 0],            // -0.0056, long
            [&[0x80u8, 0x81][..], &[0x10; 18]].concat(),
        ],
        ValueType::Float4 => [0.0f32, 1.5, -273.15, f32::NAN, f32::INFINITY]
            .iter()
            .map(|float| float.to_le_bytes().to_vec())
            .collect(),
        ValueType::Float8 => [0.0f64, 1.5, -273.15, f64::NAN, f64::NEG_INFINITY]
            .iter()
            .map(|float| float.to_le_bytes().to_vec())
            .collect(),
        ValueType::Bool => vec![vec![0], vec![1]],
        ValueType::Date => bytes_of(
            4,
            vec![0, -10_000, 9_000, i32::MIN.into(), i32::MAX.into(), -2_451_545, 2_145_031_948],
        ),
        ValueType::Time => bytes_of(8, vec![0, 43_200_123_456, 86_400_000_000]),
        ValueType::Timestamp | ValueType::TimestampTz => {
            bytes_of(8, vec![0, 761_234_567_890_123, -1, i64::MIN, i64::MAX])
        }
        ValueType::Uuid => vec![
            vec![0; 16],
            vec![0xFF; 16],
            vec![1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16],
        ],
        other => stored::samples(other),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value for people to read.
fn readable(value_type: ValueType, bytes: &[u8]) -> String {
    match (value_type, bytes) {
        (ValueType::Text | ValueType::Bpchar, _) => String::from_utf8_lossy(bytes).into_owned(),
        (ValueType::Float4, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]).to_string(),
        (ValueType::Float8, &[a, b, c, d, e, f, g, h]) => {
            f64::from_le_bytes([a, b, c, d, e, f, g, h]).to_string()
        }
        (ValueType::Numeric, [head @ .., _, _]) if !head.is_empty() => bytes
            .chunks_exact(2)
            .skip(1)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]).to_string())
            .collect::<Vec<_>>()
            .join("_"),
        (ValueType::Citext | ValueType::Name, _) => {
            String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
        }
        (ValueType::Uuid | ValueType::Numeric, _) => hex(bytes),
        _ if bytes.len() > 8 || value_type.width().is_none() => hex(bytes),
        _ => {
            let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
            let mut wide = if negative { [0xFF; 8] } else { [0; 8] };
            wide[..bytes.len()].copy_from_slice(bytes);
            i64::from_le_bytes(wide).to_string()
        }
    }
}

#[test]
fn golden_vectors_hold() {
    let mut vectors = Vec::new();
    for (mask, value_type, options) in specs() {
        let compiled = compile(mask, value_type, &options);
        for value in samples(value_type) {
            let Some(masked) = try_apply(&compiled, &value) else { continue };
            vectors.push(Vector {
                mask,
                value_type,
                options: options.clone(),
                value: readable(value_type, &value),
                masked: readable(value_type, &masked),
                value_hex: hex(&value),
                masked_hex: hex(&masked),
            });
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    if std::env::var_os("THINVEIL_BLESS").is_some() {
        let lines: Vec<String> =
            vectors.iter().map(|vector| serde_json::to_string(vector).unwrap()).collect();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
        return;
    }
    let text = std::fs::read_to_string(&path).expect("golden vectors; make them: THINVEIL_BLESS=1");
    let golden: Vec<Vector> = serde_json::from_str(&text).unwrap();
    assert_eq!(golden.len(), vectors.len(), "vectors were added: THINVEIL_BLESS=1, read the diff");
    for (golden, vector) in golden.iter().zip(&vectors) {
        assert_eq!(golden, vector, "a mask changed: that is a new mask version");
    }
}

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

/// A valid value of a type, from whatever bits there are.
fn valid(value_type: ValueType, text: &str, bits: u64, more: u64) -> Vec<u8> {
    match value_type {
        ValueType::Text => text.as_bytes().to_vec(),
        ValueType::Bpchar => format!("{text}  ").into_bytes(),
        ValueType::Int2 | ValueType::Int4 | ValueType::Int8 => {
            let width = value_type.width().unwrap();
            let number = (bits as i64) >> (more % 64);
            number.to_le_bytes()[..width].to_vec()
        }
        ValueType::Float4 | ValueType::Float8 => {
            bits.to_le_bytes()[..value_type.width().unwrap()].to_vec()
        }
        ValueType::Numeric => {
            let digits = 1 + (more % 6) as usize;
            let mut bytes =
                (0x8000u16 | (24 << 7) | (more >> 8) as u16 & 0x2003).to_le_bytes().to_vec();
            for at in 0..digits {
                let digit = (bits.rotate_left(11 * at as u32) % 9999) as u16;
                bytes.extend((digit + 1).to_le_bytes());
            }
            bytes
        }
        ValueType::Bool => vec![(bits & 1) as u8],
        ValueType::Date => ((bits % 4_000_000) as i32 - 2_000_000).to_le_bytes().to_vec(),
        ValueType::Time => ((bits % 86_400_000_001) as i64).to_le_bytes().to_vec(),
        ValueType::Timestamp | ValueType::TimestampTz => {
            ((bits >> 1) as i64 / 2 - (1 << 57)).to_le_bytes().to_vec()
        }
        ValueType::Uuid => [bits.to_le_bytes(), more.to_le_bytes()].concat(),
        other => stored::valid(other, text, bits, more),
    }
}

/// All masks compiled once: compiling counts its dictionaries, which takes a while.
fn compiled() -> &'static [(MaskName, ValueType, MaskOptions, Mask)] {
    static ALL: std::sync::OnceLock<Vec<(MaskName, ValueType, MaskOptions, Mask)>> =
        std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        let all = specs().into_iter();
        all.map(|(mask, value_type, options)| {
            let compiled = compile(mask, value_type, &options);
            (mask, value_type, options, compiled)
        })
        .collect()
    })
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
