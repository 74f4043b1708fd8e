//! Permutations, by going through all of their small domains: every value of every form that has up
//! to a million values masks to a value of its own, of the same form.

use thinveil::datum::{Encoding, EnumLabels, ValueType};
use thinveil::mask::{Mask, MaskKey, MaskSpec, Masker};
use thinveil::rules::{MaskName, MaskOptions};

const MOST: u64 = 1_000_000;

fn mask(mask: MaskName, value_type: ValueType, unique: bool) -> Mask {
    let options = MaskOptions { unique, ..MaskOptions::default() };
    let (encoding, labels) = (Encoding::Utf8, EnumLabels::default());
    let spec = MaskSpec { mask, domain: "test".into(), value_type, encoding, options, labels };
    Mask::compile(&spec, &MaskKey::from_bytes([7; 32])).unwrap()
}

/// Letters `a` (small), `A` (large) and digits `0` of a form stand for all of theirs.
fn radix(place: u8) -> u64 {
    match place {
        b'0' => 10,
        b'a' | b'A' => 26,
        _ => 1,
    }
}

/// A form's value by its number.
fn value(form: &[u8], mut number: u64) -> Vec<u8> {
    let mut value = form.to_vec();
    for place in value.iter_mut().rev() {
        let radix = radix(*place);
        *place += (number % radix) as u8;
        number /= radix;
    }
    value
}

/// The number of a value of a form; `None` if it is of another.
fn number(form: &[u8], value: &[u8]) -> Option<u64> {
    form.iter().zip(value).try_fold(0, |number, (&place, &byte)| {
        let digit = u64::from(byte.checked_sub(place)?);
        (digit < radix(place)).then_some(number * radix(place) + digit)
    })
}

fn assert_permutes(masker: &mut Masker<'_>, form: &[u8]) {
    let size = form.iter().map(|&place| radix(place)).product::<u64>();
    let mut seen = vec![false; size as usize];
    for at in 0..size {
        let mut value = value(form, at);
        masker.apply(&mut value).unwrap();
        let to = number(form, &value).expect("the form stays") as usize;
        assert!(!std::mem::replace(&mut seen[to], true), "two values mask to one");
    }
}

/// Forms of these places with two to a million values, each with punctuation somewhere.
fn forms(places: &[u8]) -> Vec<Vec<u8>> {
    let (mut forms, mut longer) = (Vec::new(), vec![b"-".to_vec()]);
    while let Some(form) = longer.pop() {
        for &place in places {
            // Each mixture of places once: they come in order.
            let extended = [&form[..], &[place]].concat();
            let size = extended.iter().map(|&place| radix(place)).product::<u64>();
            if size <= MOST && form.last().is_none_or(|&last| last == b'-' || last <= place) {
                forms.push(extended.clone());
                longer.push(extended);
            }
        }
    }
    forms
}

#[test]
fn digits_of_all_small_forms() {
    let mask = mask(MaskName::Digits, ValueType::Text, false);
    let forms = forms(b"0");
    assert_eq!(forms.len(), 6);
    forms.iter().for_each(|form| assert_permutes(&mut mask.masker(), form));
}

#[test]
fn letters_and_digits_of_all_small_forms() {
    let plain = mask(MaskName::Alphanumeric, ValueType::Text, false);
    let forms = forms(b"0Aa");
    assert!(forms.len() > 30);
    forms.iter().for_each(|form| assert_permutes(&mut plain.masker(), form));
}

#[test]
fn user_names_of_all_small_forms() {
    for (name, places) in [(MaskName::Username, &b"0Aa"[..]), (MaskName::Email, b"0a")] {
        let unique = mask(name, ValueType::Text, true);
        forms(places).iter().for_each(|form| assert_permutes(&mut unique.masker(), form));
    }
}

#[test]
fn whole_numbers_of_all_small_digit_counts() {
    let mask = mask(MaskName::Integer, ValueType::Int4, false);
    let mut masker = mask.masker();
    let mut seen = vec![false; 2 * MOST as usize];
    for number in 1 - MOST as i32..MOST as i32 {
        let mut value = number.to_le_bytes();
        masker.apply(&mut value).unwrap();
        let to = i32::from_le_bytes(value);
        assert_eq!(to.to_string().len(), number.to_string().len());
        assert!(!std::mem::replace(&mut seen[(to + MOST as i32) as usize], true));
    }
}

#[test]
fn amounts_of_all_small_shapes() {
    let mask = mask(MaskName::Numeric, ValueType::Numeric, false);
    let mut masker = mask.masker();
    // One digit before the point and one behind it, as far as two decimal places; two digits of
    // whole numbers, of which the first is below 100.
    for (scale, ones, last) in [(2u16, 9999u32, 100), (0, 99, 1)] {
        let step = 10_000 / if scale == 0 { 10_000 } else { 100 };
        let mut seen = std::collections::HashSet::new();
        for first in 1..=ones {
            for second in (step..10_000).step_by(step as usize) {
                let weight = u16::from(scale == 0);
                let header = 0x8000 | scale << 7 | weight;
                let mut value = header.to_le_bytes().to_vec();
                value.extend((first as u16).to_le_bytes());
                value.extend((second as u16).to_le_bytes());
                masker.apply(&mut value).unwrap();
                assert_eq!(value[..2], header.to_le_bytes());
                let second = u32::from(u16::from_le_bytes([value[4], value[5]]));
                assert!(second % last == 0 && second > 0 && second < 10_000);
                assert!(seen.insert(value));
            }
        }
    }
}

#[test]
fn the_smallest_domain_that_a_value_hides_in_is_known() {
    let smallest = |mask: &Mask, values: &[&[u8]]| {
        let mut masker = mask.masker();
        values.iter().for_each(|value| masker.apply(&mut value.to_vec()).unwrap());
        masker.smallest_domain()
    };
    let digits = mask(MaskName::Digits, ValueType::Text, false);
    assert_eq!(smallest(&digits, &[b"12-34"]), Some(10_000));
    assert_eq!(smallest(&digits, &[&[b'7'; 30]]), Some(u64::MAX));
    assert_eq!(smallest(&digits, &[b"", b"none", b"1234567", b"a12", b"00123"]), Some(100));
    assert_eq!(smallest(&digits, &[b"", b"none"]), None);
    let integer = mask(MaskName::Integer, ValueType::Int4, false);
    assert_eq!(smallest(&integer, &[&4711i32.to_le_bytes()]), Some(9000));
    assert_eq!(smallest(&mask(MaskName::Email, ValueType::Text, false), &[b"a@b.de"]), None);
    let unique = mask(MaskName::Email, ValueType::Text, true);
    assert_eq!(smallest(&unique, &[b"a@b.com"]), Some(26 * 26 * 28_080));
    let uuid = mask(MaskName::Uuid, ValueType::Uuid, false);
    assert_eq!(smallest(&uuid, &[&[0x44; 16]]), Some(u64::MAX));
}
