//! What every mask promises, of every type it goes with: golden vectors and properties.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rayon::prelude::*;
use thinveil::datum::{Encoding, ValueType};
use thinveil::mask::{Mask, MaskKey, MaskSpec, is_injective, suited_masks};
use thinveil::rules::{MaskName, MaskOptions};

mod claims;
mod golden;
mod properties;
mod stored;

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
