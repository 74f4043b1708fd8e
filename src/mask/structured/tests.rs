//! Stored bytes of a PostgreSQL 15, made-up values in them; and garbage.

use proptest::prelude::*;

use super::*;
use crate::datum::{DatumError, Encoding, EnumLabels, ValueType, numeric};
use crate::mask::{Mask, MaskKey, NoWitness};
use crate::rules::{JsonPath, MaskName, MaskOptions};

pub(super) const VARLENA: Layout = Layout { len: -1, align: 4 };
pub(super) const INT4: Layout = Layout { len: 4, align: 4 };
const INT8: Layout = Layout { len: 8, align: 8 };

/// A stored value without its varlena header.
fn stored(hex: &str) -> Vec<u8> {
    let digits =
        (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap());
    let bytes: Vec<u8> = digits.collect();
    let header = if bytes[0] & 1 == 1 { 1 } else { 4 };
    bytes[header..].to_vec()
}

pub(super) fn spec(mask: MaskName, value_type: ValueType) -> MaskSpec {
    let domain = mask.as_str().to_owned();
    MaskSpec {
        mask,
        domain,
        value_type,
        encoding: Encoding::default(),
        options: MaskOptions::default(),
        labels: EnumLabels::default(),
    }
}

fn text(mask: MaskName) -> ColumnMask {
    ColumnMask::Value(spec(mask, ValueType::Text))
}

fn array(layout: Layout, element: ColumnMask) -> ColumnMask {
    ColumnMask::Array { layout, element: Box::new(element) }
}

fn scalars(text: MaskName, number: MaskName) -> PathAction {
    PathAction::Mask(ScalarMask {
        text: spec(text, ValueType::Text),
        number: spec(number, ValueType::Numeric),
        boolean: false,
    })
}

fn paths(rules: &[(&str, PathAction)], default: PathAction) -> PathMasks {
    let paths: Vec<JsonPath> = rules.iter().map(|(path, _)| path.parse().unwrap()).collect();
    let actions = rules.iter().map(|(_, action)| action.clone()).collect();
    PathMasks { tree: PathTree::new(&paths), actions, default }
}

fn redacted() -> PathMasks {
    paths(&[], scalars(MaskName::Redact, MaskName::Redact))
}

fn address() -> ColumnMask {
    let field = |len, align, mask| FieldMask { layout: Layout { len, align }, mask };
    ColumnMask::Composite(vec![
        field(-1, 4, text(MaskName::Redact)),
        field(4, 4, ColumnMask::Keep),
        field(8, 8, ColumnMask::Zero),
        field(-1, 4, array(VARLENA, text(MaskName::Redact))),
    ])
}

pub(super) fn range(layout: Layout, mask: MaskName, value_type: ValueType) -> ColumnMask {
    ColumnMask::Range { layout, bound: spec(mask, value_type) }
}

fn multirange(layout: Layout, mask: MaskName, value_type: ValueType) -> ColumnMask {
    ColumnMask::Multirange { layout, bound: spec(mask, value_type) }
}

/// The value masked, the originals of its parts as text, and the paths without a rule.
pub(super) type Masked = (Vec<u8>, Vec<String>, UnknownPaths);

pub(super) fn mask(mask: &ColumnMask, value: &[u8]) -> Result<Masked, DatumError> {
    let compiled = mask.compile(&MaskKey::from_bytes([9; 32])).unwrap();
    let mut masker = compiled.masker();
    let (mut value, mut originals) = (value.to_vec(), Vec::new());
    masker.apply(&mut value, &mut |value_type: ValueType, part: &[u8]| {
        originals.push(match value_type {
            ValueType::Text => String::from_utf8_lossy(part).into_owned(),
            _ => format!("{part:02x?}"),
        });
    })?;
    Ok((value, originals, masker.into_unknown_paths()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const TEXTS: &str = "7301000000200000001900000004000000010000000d000000000000001c000000416e6e003400000074776f20776f72647300000010000000";
const NUMBERS: &str = "63020000002800000017000000020000000200000001000000010000000700000000000000010000000200000003000000";
const ADDRESS: &str = "a5ffffffffad400000ffffffff00000400020018001948696768205374726565740c000000000000000000f83f4b010000000000000019000000020000000100000020000000686f6d6520000000776f726b";
const ADDRESSES: &str = "400200000100000020000000ad4000000300000001000000050000000000000034010000ffffffffad400000ffffffff00000400020018001948696768205374726565740c000000000000000000f83f3b010000000000000019000000010000000100000020000000686f6d6500000070000000ffffffffad400000ffffffff0000040003001801094c6f7700000000";
const JSONB: &str = "f00200000700002001000080010000000100000002000000020000000400000004000000000000400b0000100800000000000020000000302500005035000050616e736e6f6f6b646565706c697374002800000000a10c0088134a616e6520526f6500000100002001000080160000506100000001000020010000800600000062626f74746f6d0004000040010000800b00001010000050040000507800000020000000008001000100002001000080030000006b76c3a900000040";
const INT4RANGE: &str = "1d400f00000a0000001400000002";
const NUMRANGE: &str = "25420f00000f8080010088130b0080640006";
const TSRANGE: &str = "2d440f00000060c286073e020000b0c2328140020006";
const INT4MULTIRANGE: &str =
    "53631100000300000008000000080000000202120001000000050000000a000000140000001e000000";
const DATEMULTIRANGE: &str = "43b7110000020000000800000002020000891c0000a81c0000f71d0000161e0000";
const HSTORE: &str = "7f040000800100008002000000060000000e00000013000000130000001a0000001a00004061316e616d654a616e6520526f65656d7074796e6f7468696e67";
const TSVECTOR: &str = "6f040000000700000007a00000052001000780010063617400020003c0090066617400010002006f6e0100040073617400020001000780";
const TSVECTOR_MIXED: &str =
    "5104000000030000000660000007900000060001006100010003006361746661740100020078797a";
const TSQUERY: &str = "ec01000008000000020200000700000000000000020402000400000000000000020300000200000000000000010000007c16dc73011001000100000048d892b807900000020100000100000000000000010c010062f6d4ec0440000001000000a3339be9030000006661740069742773006772c3b6c39f65007800";
const JSON: &str = r#" {"name": "Ren\u00e9 \"R\"", "n": [17, -0.50e3, 0, 12.75], "ok": false, "yes":true,"z": null} "#;
const XML: &str = "<?xml version=\"1.0\"?><p xmlns:a=\"urn:x\" a:n='Ann &amp; Co'><!-- by me -->\n Dear J&#x6f;e,<br/><![CDATA[raw ]]><?php say()?></p>";

/// Every kind of value with a mask for it.
fn fixtures() -> Vec<(ColumnMask, Vec<u8>)> {
    use MaskName::*;
    let integers = ColumnMask::Value(spec(Integer, ValueType::Int4));
    vec![
        (array(VARLENA, text(Alphanumeric)), stored(TEXTS)),
        (array(INT4, integers), stored(NUMBERS)),
        (address(), stored(ADDRESS)),
        (array(Layout { len: -1, align: 8 }, address()), stored(ADDRESSES)),
        (ColumnMask::Jsonb(redacted()), stored(JSONB)),
        (ColumnMask::Json(redacted()), JSON.as_bytes().to_vec()),
        (range(INT4, Integer, ValueType::Int4), stored(INT4RANGE)),
        (range(VARLENA, Numeric, ValueType::Numeric), stored(NUMRANGE)),
        (range(INT8, TimestampShift, ValueType::Timestamp), stored(TSRANGE)),
        (multirange(INT4, Integer, ValueType::Int4), stored(INT4MULTIRANGE)),
        (multirange(INT4, DateShift, ValueType::Date), stored(DATEMULTIRANGE)),
        (ColumnMask::Hstore(redacted()), stored(HSTORE)),
        (ColumnMask::TsVector(spec(Alphanumeric, ValueType::Text)), stored(TSVECTOR)),
        (ColumnMask::TsVector(spec(Alphanumeric, ValueType::Text)), stored(TSVECTOR_MIXED)),
        (ColumnMask::TsQuery(spec(Alphanumeric, ValueType::Text)), stored(TSQUERY)),
        (ColumnMask::Xml(spec(Text, ValueType::Text)), XML.as_bytes().to_vec()),
    ]
}

#[test]
fn finds_the_elements_of_arrays_in_any_dimensions() {
    let (value, originals, _) =
        mask(&array(VARLENA, text(MaskName::Redact)), &stored(TEXTS)).unwrap();
    assert_eq!(originals, ["Ann", "two words", ""]);
    assert_eq!(
        hex(&value),
        hex(&stored(TEXTS))
            .replace("416e6e", "2a2a2a")
            .replace("74776f20776f726473", &"2a".repeat(9))
    );
    let zero = ColumnMask::Value(spec(MaskName::Redact, ValueType::Int4));
    let (value, originals, _) = mask(&array(INT4, zero), &stored(NUMBERS)).unwrap();
    assert_eq!(originals.len(), 3);
    assert_eq!(value[value.len() - 12..], [0; 12]);
}

#[test]
fn finds_the_fields_of_composites_and_zeroes_dropped_ones() {
    let (value, originals, _) = mask(&address(), &stored(ADDRESS)).unwrap();
    assert_eq!(originals, ["High Street", "home", "work"]);
    assert!(hex(&value).contains("192a2a2a2a2a2a2a2a2a2a2a0c0000000000000000000000"));
    let many = array(Layout { len: -1, align: 8 }, address());
    let (_, originals, _) = mask(&many, &stored(ADDRESSES)).unwrap();
    assert_eq!(originals, ["High Street", "home", "Low"]);
}

#[test]
fn masks_every_scalar_of_a_jsonb_and_keeps_its_frame() {
    let (value, originals, unknown) = mask(&ColumnMask::Jsonb(redacted()), &stored(JSONB)).unwrap();
    assert_eq!(originals.len(), 6);
    for original in ["Jane Roe", "x", "v\u{e9}", "bottom"] {
        assert!(originals.iter().any(|found| found == original), "{originals:?}");
    }
    assert!(unknown.is_empty());
    let changed = stored(JSONB).iter().zip(&value).filter(|(a, b)| a != b).count();
    // The strings, two numbers of one digit, and one bit that was true.
    assert!(changed <= 8 + 1 + 3 + 6 + 8 + 1, "{changed}");
    let again = mask(&ColumnMask::Jsonb(redacted()), &value).unwrap();
    assert_eq!(again.0, value);
    assert!(!hex(&value).contains(&hex(b"Jane")));
    assert_eq!(
        hex(&value).matches("00000020").count(),
        hex(&stored(JSONB)).matches("00000020").count() + 1
    );
}

#[test]
fn counts_paths_that_no_rule_names() {
    let rules =
        [("$.s", scalars(MaskName::Redact, MaskName::Redact)), ("$.list[*]", PathAction::Keep)];
    let masks = ColumnMask::Jsonb(paths(&rules, PathAction::Deny));
    let (_, originals, unknown) = mask(&masks, &stored(JSONB)).unwrap();
    assert_eq!(originals, ["Jane Roe"]);
    let counts: Vec<(&str, u64)> = unknown.counts.iter().map(|(p, c)| (p.as_str(), *c)).collect();
    assert_eq!(
        counts,
        [("$.deep.a.b", 1), ("$.list[*].k", 1), ("$.n", 1), ("$.no", 1), ("$.ok", 1)]
    );
}

#[test]
fn json_stays_json_of_the_same_form() {
    let (value, originals, _) = mask(&ColumnMask::Json(redacted()), JSON.as_bytes()).unwrap();
    assert_eq!(originals[0], "Ren\u{e9} \"R\"");
    let value = String::from_utf8(value).unwrap();
    assert_eq!(
        value,
        r#" {"name": "***************", "n": [11, -0.01e3, 0, 11.01], "ok": true , "yes":true,"z": null} "#
    );
    serde_json::from_str::<serde_json::Value>(&value).unwrap();
}

#[test]
fn json_numbers_are_masked_as_numeric_is() {
    for number in ["17", "-17.25", "1200", "10000", "0.05", "0", "-0.0", "9", "123456789012.5E-7"] {
        let masks = ColumnMask::Json(paths(&[], scalars(MaskName::Text, MaskName::Numeric)));
        let (value, ..) = mask(&masks, number.as_bytes()).unwrap();
        let value = String::from_utf8(value).unwrap();
        assert_eq!(value.len(), number.len());
        serde_json::from_str::<serde_json::Value>(&value).unwrap_or_else(|_| panic!("{value}"));
        let end = number.find('E').unwrap_or(number.len());
        let decimal = numeric::Decimal::parse(&number[..end]).unwrap();
        let places = number[..end].split_once('.').map_or(0, |(_, places)| places.len());
        let mut expected = numeric::encode(&decimal, places as u16);
        let numbers = spec(MaskName::Numeric, ValueType::Numeric);
        let compiled = Mask::compile(&numbers, &MaskKey::from_bytes([9; 32])).unwrap();
        compiled.masker().apply(&mut expected).unwrap();
        let masked = numeric::Decimal::parse(&value[..end]).unwrap();
        assert_eq!(numeric::encode(&masked, places as u16), expected, "{number} {value}");
    }
}

#[test]
fn bounds_stay_in_order_and_at_their_distance() {
    let ints = |value: &[u8], at: usize| i32::from_le_bytes(value[at..at + 4].try_into().unwrap());
    let (value, ..) =
        mask(&range(INT4, MaskName::Integer, ValueType::Int4), &stored(INT4RANGE)).unwrap();
    assert!(10 <= ints(&value, 4) && ints(&value, 4) < ints(&value, 8) && ints(&value, 8) < 100);
    let dates = multirange(INT4, MaskName::DateShift, ValueType::Date);
    let (value, originals, _) = mask(&dates, &stored(DATEMULTIRANGE)).unwrap();
    assert_eq!(originals.len(), 4);
    let before = stored(DATEMULTIRANGE);
    let moved: Vec<i32> = [16, 20, 24, 28].map(|at| ints(&value, at) - ints(&before, at)).into();
    assert!(moved[0] != 0 && moved.iter().all(|distance| *distance == moved[0]), "{moved:?}");
    assert_eq!(value[..16], before[..16]);
    let (value, ..) =
        mask(&multirange(INT4, MaskName::Redact, ValueType::Int4), &stored(INT4MULTIRANGE))
            .unwrap();
    let bounds = &value[value.len() - 20..];
    assert_eq!((0..5).map(|i| ints(bounds, 4 * i)).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn numbers_that_come_out_the_wrong_way_round_change_places() {
    let masks = range(VARLENA, MaskName::Numeric, ValueType::Numeric);
    let mut swapped = 0;
    for cents in 1..60u8 {
        // [1, 1.01) and so on: numbers of one digit and of two.
        let mut value = vec![66, 15, 0, 0, 0x0b, 0x00, 0x80, 1, 0, 0x0f, 0x80, 0x80, 1, 0];
        value.extend((u16::from(cents) * 100).to_le_bytes());
        value.push(0x02);
        let (masked, ..) = mask(&masks, &value).unwrap();
        swapped += usize::from(masked[4] == 0x0f);
        let mut bounds = Vec::new();
        crate::datum::range::range_bounds(&masked, VARLENA, &mut bounds).unwrap();
        let [lower, upper] = &bounds[..] else { panic!("{bounds:?}") };
        let (lower, upper) = (&masked[lower.data.clone()], &masked[upper.data.clone()]);
        assert!(numeric::is_greater(upper, lower).unwrap());
        assert_eq!((masked[..4].to_vec(), masked.last()), (value[..4].to_vec(), value.last()));
    }
    assert!(0 < swapped && swapped < 59, "{swapped}");
}

#[test]
fn lexemes_are_sorted_again_and_take_their_positions_along() {
    for (vector, lexemes) in [
        (TSVECTOR, &["cat", "fat", "on", "sat"][..]),
        (TSVECTOR_MIXED, &["a", "cat", "fat", "xyz"]),
    ] {
        let masks = ColumnMask::TsVector(spec(MaskName::Alphanumeric, ValueType::Text));
        let (masked, originals, _) = mask(&masks, &stored(vector)).unwrap();
        assert_eq!(originals, lexemes);
        let mut seen = Vec::new();
        let mut copy = masked.clone();
        crate::datum::tsvector::rewrite(&mut copy, &mut |lexeme| {
            seen.push(lexeme.to_vec());
            Ok(())
        })
        .unwrap();
        assert_eq!(copy, masked, "not as PostgreSQL arranges it");
        assert!(seen.is_sorted() && seen.len() == 4);
        let sum = |bytes: &[u8]| bytes.iter().filter(|b| !b.is_ascii_lowercase()).count();
        assert_eq!(sum(&masked[20..]), sum(&stored(vector)[20..]));
    }
}

#[test]
fn values_of_an_hstore_by_key() {
    let rules =
        [("$.name", scalars(MaskName::Redact, MaskName::Redact)), ("$.empty", PathAction::Keep)];
    let masks = ColumnMask::Hstore(paths(&rules, PathAction::Deny));
    let (value, originals, unknown) = mask(&masks, &stored(HSTORE)).unwrap();
    assert_eq!(originals, ["Jane Roe"]);
    assert_eq!(unknown.counts.into_iter().collect::<Vec<_>>(), [("a".to_owned(), 1)]);
    assert_eq!(hex(&value), hex(&stored(HSTORE)).replace(&hex(b"Jane Roe"), &"2a".repeat(8)));
}

#[test]
fn texts_of_an_xml_without_its_markup() {
    let masks = ColumnMask::Xml(spec(MaskName::Redact, ValueType::Text));
    let (value, originals, _) = mask(&masks, XML.as_bytes()).unwrap();
    assert_eq!(originals, ["Ann & Co", "by me", "Dear Joe,", "raw", "say()"]);
    assert_eq!(
        String::from_utf8(value).unwrap(),
        "<?xml version=\"1.0\"?><p xmlns:a=\"urn:x\" a:n='************'><!-- ***** -->\n **************<br/><![CDATA[*** ]]><?php *****?></p>"
    );
    let constant = |value: &str| {
        let options = MaskOptions { value: Some(value.into()), ..MaskOptions::default() };
        ColumnMask::Xml(MaskSpec { options, ..spec(MaskName::Constant, ValueType::Text) })
    };
    let (value, ..) = mask(&constant("<&\"]>-?'"), XML.as_bytes()).unwrap();
    let (_, originals, _) = mask(&masks, &value).unwrap();
    assert_eq!(originals.len(), 5, "{}", String::from_utf8_lossy(&value));
    assert!(mask(&masks, b"<!DOCTYPE a [<!ENTITY e \"Jane\">]><a>&e;</a>").is_err());
}

#[test]
fn the_same_value_is_masked_the_same_and_keeps_its_length() {
    for (masks, value) in fixtures() {
        let once = mask(&masks, &value).unwrap();
        assert_eq!(once.0, mask(&masks, &value).unwrap().0);
        assert_eq!(once.0.len(), value.len());
        assert_ne!(once.0, value, "{masks:?}");
    }
}

#[test]
fn a_plan_with_parts_survives_serialisation() {
    for (masks, _) in fixtures() {
        let text = serde_json::to_string(&masks).unwrap();
        assert_eq!(serde_json::from_str::<ColumnMask>(&text).unwrap(), masks);
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_stack_overflow() {
    let json = "[".repeat(100_000);
    assert!(mask(&ColumnMask::Json(redacted()), json.as_bytes()).is_err());
    let mut jsonb = vec![0x00, 0x00, 0x00, 0x40];
    for _ in 0..20_000 {
        let len = jsonb.len() as u32;
        let mut outer = 0x4000_0001u32.to_le_bytes().to_vec();
        outer.extend((0x5000_0000 | len).to_le_bytes());
        outer.extend(&jsonb);
        jsonb = outer;
        if jsonb.len() > 40_000 {
            break;
        }
    }
    assert!(mask(&ColumnMask::Jsonb(redacted()), &jsonb).is_err());
}

#[test]
fn a_flipped_byte_is_an_error_or_stays_within_the_value() {
    for (masks, value) in fixtures() {
        let compiled = masks.compile(&MaskKey::from_bytes([9; 32])).unwrap();
        let mut masker = compiled.masker();
        for position in 0..value.len() {
            for byte in [0, 1, 2, 3, 0x7F, 0x80, 0xFE, 0xFF, b'"', b'<', value[position] ^ 0x10] {
                let mut bad = value.clone();
                bad[position] = byte;
                let _ = masker.apply(&mut bad, &mut NoWitness);
            }
        }
        for len in 0..value.len() {
            let _ = masker.apply(&mut value[..len].to_vec(), &mut NoWitness);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_is_an_error_or_masked(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (masks, _) in fixtures() {
            let _ = mask(&masks, &bytes);
        }
    }

    #[test]
    fn any_json_stays_valid_and_of_one_length(
        texts in prop::collection::vec(any::<String>(), 1..5),
        number in any::<i64>(),
        truth in any::<bool>(),
    ) {
        let value = serde_json::json!({ "t": texts, "n": number, "b": [truth, {}, []], "z": null });
        let original = serde_json::to_string_pretty(&value).unwrap();
        for text in [MaskName::Text, MaskName::Alphanumeric, MaskName::Email] {
            let masks = ColumnMask::Json(paths(&[], scalars(text, MaskName::Numeric)));
            let (masked, ..) = mask(&masks, original.as_bytes()).unwrap();
            prop_assert_eq!(masked.len(), original.len());
            let again: serde_json::Value = serde_json::from_slice(&masked).unwrap();
            prop_assert_eq!(again["t"].as_array().unwrap().len(), texts.len());
        }
    }
}
