use std::sync::Arc;

use crate::datum::{EnumLabels, ValueType};
use crate::mask::{AnyMask, CustomMask, DatumError, Mask, MaskKey, MaskSpec};
use crate::rules::MaskName;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Int8Type, Int32Type, Int64Type, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{
    Array, ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Int32Array, Int64Array,
    LargeStringArray, ListArray, PrimitiveArray, StringArray, StringViewArray,
};
use serde_json::json;

use super::{Cause, mask_array as mask};

fn engine(name: MaskName, value_type: ValueType, options: serde_json::Value) -> AnyMask {
    let spec = MaskSpec {
        mask: name,
        domain: "test".into(),
        value_type,
        encoding: Default::default(),
        options: serde_json::from_value(options).unwrap(),
        labels: EnumLabels::default(),
    };
    AnyMask::Built(Mask::compile(&spec, &MaskKey::from_bytes([9; 32])).unwrap())
}

fn first_names() -> AnyMask {
    engine(MaskName::FirstName, ValueType::Text, json!({}))
}

/// What the page rewriter would make of one stored value.
fn stored(engine: &AnyMask, value: &[u8]) -> Vec<u8> {
    let mut bytes = value.to_vec();
    engine.apply(&mut bytes).unwrap();
    bytes
}

fn masked(engine: &AnyMask, array: impl Array + 'static) -> ArrayRef {
    let array: ArrayRef = Arc::new(array);
    let masked = mask(engine, &array).unwrap();
    assert_eq!((masked.len(), masked.data_type()), (array.len(), array.data_type()));
    assert_eq!(masked.nulls(), array.nulls());
    masked.to_data().validate_full().unwrap();
    masked
}

#[test]
fn texts_of_every_layout_mask_as_single_values_do() {
    let engine = first_names();
    let texts = [Some("Anna"), None, Some(""), Some("Jürgen"), Some("A name of more than twelve")];
    let wanted: Vec<Option<String>> = texts
        .iter()
        .map(|text| text.map(|t| String::from_utf8(stored(&engine, t.as_bytes())).unwrap()))
        .collect();
    let wanted: Vec<Option<&str>> = wanted.iter().map(Option::as_deref).collect();
    let plain = masked(&engine, StringArray::from(texts.to_vec()));
    assert_eq!(plain.as_string::<i32>().iter().collect::<Vec<_>>(), wanted);
    let large = masked(&engine, LargeStringArray::from(texts.to_vec()));
    assert_eq!(large.as_string::<i64>().iter().collect::<Vec<_>>(), wanted);
    let view = masked(&engine, StringViewArray::from(texts.to_vec()));
    assert_eq!(view.as_string_view().iter().collect::<Vec<_>>(), wanted);
    let slice = masked(&engine, StringArray::from(texts.to_vec()).slice(3, 2));
    assert_eq!(slice.as_string::<i32>().iter().collect::<Vec<_>>(), wanted[3..]);
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None])]);
    assert!(mask(&engine, &(Arc::new(list) as ArrayRef)).is_err(), "a text mask on numbers");
}

#[test]
fn what_lies_under_a_null_is_zeroed() {
    let full = StringArray::from(vec!["Anna", "secret"]);
    let (offsets, values, _) = full.into_parts();
    let hidden = StringArray::new(offsets, values, Some(vec![true, false].into()));
    let data = masked(&first_names(), hidden).to_data();
    assert_eq!(&data.buffers()[1].as_slice()[4..], [0; 6]);

    let integer = engine(MaskName::Integer, ValueType::Int4, json!({}));
    let hidden = Int32Array::new(vec![5, 77].into(), Some(vec![true, false].into()));
    assert_eq!(masked(&integer, hidden).as_primitive::<Int32Type>().values()[1], 0);
}

#[test]
fn dates_and_times_of_every_unit_move_as_stored_ones_do() {
    let dates = engine(MaskName::DateShift, ValueType::Date, json!({}));
    // 2001-09-09, 617 days after 2000-01-01 and 11574 after 1970-01-01.
    let date = masked(&dates, Date32Array::from(vec![11_574]));
    let moved = i32::from_le_bytes(stored(&dates, &617i32.to_le_bytes()).try_into().unwrap());
    assert_eq!(date.as_primitive::<Date32Type>().value(0), moved + 10_957);

    let times = engine(MaskName::TimestampShift, ValueType::Timestamp, json!({}));
    let micros = (1_000_000_000 - 946_684_800) * 1_000_000i64;
    let moved = i64::from_le_bytes(stored(&times, &micros.to_le_bytes()).try_into().unwrap());
    let seconds = PrimitiveArray::<TimestampSecondType>::from(vec![1_000_000_000]);
    let seconds = masked(&times, seconds).as_primitive::<TimestampSecondType>().value(0);
    assert_eq!(seconds, moved / 1_000_000 + 946_684_800);
    let nanos = PrimitiveArray::<TimestampNanosecondType>::from(vec![1_000_000_000_000_000_123]);
    let nanos = masked(&times, nanos).as_primitive::<TimestampNanosecondType>().value(0);
    assert_eq!(nanos, seconds * 1_000_000_000);
    let far = PrimitiveArray::<TimestampSecondType>::from(vec![i64::MAX]);
    assert!(mask(&times, &(Arc::new(far) as ArrayRef)).is_err());
}

#[test]
fn decimals_mask_as_numerics_do() {
    let engine = engine(MaskName::Numeric, ValueType::Numeric, json!({}));
    let prices = Decimal128Array::from(vec![Some(1234), None, Some(-99), Some(0)]);
    let prices = prices.with_precision_and_scale(10, 2).unwrap();
    let out = masked(&engine, prices);
    let out = out.as_primitive::<Decimal128Type>();
    // 12.34 as PostgreSQL stores it.
    let wanted = stored(&engine, &[0x00, 0x81, 12, 0, 0x48, 0x0D]);
    assert_eq!(super::decimal::load(&wanted, 2), Some(out.value(0)));
    assert!(out.value(0) != 1234 && (100..=9999).contains(&out.value(0)));
    assert!(out.is_null(1) && out.value(3) == 0);
}

#[test]
fn entries_of_a_dictionary_that_come_to_be_equal_become_one() {
    let same = engine(MaskName::Constant, ValueType::Text, json!({"value": "x"}));
    let keys = vec![Some(2i8), None, Some(0), Some(1)];
    let values: ArrayRef = Arc::new(StringArray::from(vec!["Anna", "Otto", "Bertha"]));
    let array = DictionaryArray::<Int8Type>::new(keys.into(), values);
    let out = masked(&same, array.clone());
    let out = out.as_dictionary::<Int8Type>();
    assert_eq!(out.values().len(), 2);
    let texts = out.downcast_dict::<StringArray>().unwrap();
    let lengths: Vec<_> = texts.into_iter().map(|text| text.map(str::len)).collect();
    assert_eq!(lengths, [Some(6), None, Some(4), Some(4)]);

    let out = masked(&first_names(), array);
    let decoded = out.as_dictionary::<Int8Type>().downcast_dict::<StringArray>().unwrap();
    let anna = decoded.into_iter().nth(2).unwrap().unwrap().as_bytes();
    assert_eq!(anna, stored(&first_names(), b"Anna"));
}

#[test]
fn lists_mask_their_values() {
    let integer = engine(MaskName::Integer, ValueType::Int8, json!({}));
    let lists = [Some(vec![Some(41), None]), None, Some(vec![Some(41)])];
    let out = masked(&integer, ListArray::from_iter_primitive::<Int64Type, _, _>(lists));
    let one = masked(&integer, Int64Array::from(vec![41])).as_primitive::<Int64Type>().value(0);
    let values = out.as_list::<i32>().values().as_primitive::<Int64Type>().clone();
    assert_eq!(values.iter().collect::<Vec<_>>(), [Some(one), None, Some(one)]);
    assert_ne!(one, 41);
}

#[test]
fn an_error_names_the_value_it_is_about() {
    let fussy = CustomMask::new(ValueType::Text, |value| match value {
        b"odd" => Err(DatumError("too odd")),
        value => Ok(value.to_vec()),
    });
    let fussy = AnyMask::Custom(fussy.unwrap());
    let texts = StringArray::from(vec![None, Some("even"), None, Some("odd")]);
    let failure = mask(&fussy, &(Arc::new(texts) as ArrayRef)).unwrap_err();
    assert_eq!(failure.to_string(), "value 3: too odd");
    assert!(matches!(failure.cause, Cause::Custom(_)));
}
