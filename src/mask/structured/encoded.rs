//! Values that stand in a text in some encoding: strings and numbers of `json`, texts of `xml`.
//!
//! An escape or a reference (`\u00e9`, `&amp;`) becomes plain characters of the same length first,
//! and the whole is masked then: the output needs none, and is as long as the encoded original.

use super::PathMasks;
use super::scalar::{PathAction, Watch};
use crate::datum::compressed::Form;
use crate::datum::document::{Scalar, Trail, Visitor};
use crate::datum::numeric::{self, BASE, Decimal, Header};
use crate::datum::{DatumError, ValueType, json, xml};
use crate::mask::Masker;

/// Masks the scalars of a `json`.
pub(super) struct JsonVisitor<'v, 'w, 'm> {
    pub(super) masks: &'v mut PathMasks<Box<Masker<'m>>>,
    pub(super) watch: &'v mut Watch<'w>,
    pub(super) buffer: &'v mut Vec<u8>,
}

impl Visitor for JsonVisitor<'_, '_, '_> {
    type Place = usize;

    fn member(&mut self, object: usize, key: &[u8]) -> usize {
        self.masks.tree.member(object, key)
    }

    fn element(&mut self, array: usize, index: usize) -> usize {
        self.masks.tree.element(array, index)
    }

    fn scalar(
        &mut self,
        place: usize,
        trail: &Trail<'_>,
        scalar: Scalar<'_>,
    ) -> Result<(), DatumError> {
        let JsonVisitor { masks, watch, buffer } = self;
        match (masks.action(place), scalar) {
            (PathAction::Keep, _) => Ok(()),
            (PathAction::Deny, _) => {
                watch.unknown.add(masks.tree.path(trail).to_string(), 1);
                Ok(())
            }
            (PathAction::Mask(mask), Scalar::Text(content)) => {
                if content.contains(&b'\\') {
                    json::unescape(content, buffer);
                    watch.witness.original(ValueType::Text, buffer);
                    watch.note(Form::Text, content);
                    json::flatten_escapes(content);
                } else {
                    watch.text(content);
                }
                mask.text.apply(content)?;
                json::without_escapes(content);
                watch.witness.output(ValueType::Text, content);
                Ok(())
            }
            (PathAction::Mask(mask), Scalar::Number(digits)) => {
                mask_number(&mut mask.number, digits, watch)
            }
            (PathAction::Mask(_), Scalar::Boolean(truth)) => {
                *truth = true;
                Ok(())
            }
        }
    }
}

/// Masks a decimal number as the `numeric` that it is; sign, exponent and the point's place stay.
fn mask_number(
    masker: &mut Masker<'_>,
    number: &mut [u8],
    watch: &mut Watch<'_>,
) -> Result<(), DatumError> {
    let end = number.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(number.len());
    let mantissa = number.get_mut(..end).unwrap_or_default();
    watch.note(Form::Digits, mantissa);
    let text = str::from_utf8(mantissa).unwrap_or_default();
    let places = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let decimal = Decimal::parse(text).ok_or(DatumError("a json number has too many digits"))?;
    let mut stored = numeric::encode(&decimal, places as u16);
    watch.witness.original(ValueType::Numeric, &stored);
    masker.apply(&mut stored)?;
    watch.witness.output(ValueType::Numeric, &stored);
    let Header::Number(shape) = numeric::header(&stored)? else {
        return Err(DatumError("a json number became none"));
    };
    let mut digits = Vec::new();
    numeric::read_digits(&stored, &shape, &mut digits)?;
    let digit_at = |power: i64| {
        let place = i64::from(shape.weight) - power.div_euclid(4);
        let digit = usize::try_from(place).ok().and_then(|place| digits.get(place));
        let unit = 10u32.pow(power.rem_euclid(4) as u32);
        digit.map_or(0, |digit| digit % u32::from(BASE) / unit % 10)
    };
    let decimals = mantissa.iter_mut().filter(|byte| byte.is_ascii_digit());
    let whole = decimals.count().saturating_sub(places);
    let mut power = whole as i64;
    let mut first = true;
    for byte in mantissa.iter_mut().filter(|byte| byte.is_ascii_digit()) {
        power -= 1;
        *byte = b'0' + digit_at(power) as u8;
        // More than one digit before the point, and a zero ahead of them: json has no such number.
        if std::mem::take(&mut first) && whole > 1 && *byte == b'0' {
            *byte = b'1';
        }
    }
    Ok(())
}

/// Masks one text of an `xml`.
pub(super) fn mask_xml(
    masker: &mut Masker<'_>,
    place: xml::Place,
    text: &mut [u8],
    watch: &mut Watch<'_>,
    buffer: &mut Vec<u8>,
) -> Result<(), DatumError> {
    let encoded = matches!(place, xml::Place::Content | xml::Place::Attribute);
    if encoded && text.contains(&b'&') {
        xml::unescape(text, buffer);
        watch.witness.original(ValueType::Text, buffer);
        watch.note(Form::Text, text);
        xml::flatten_references(text);
    } else {
        watch.text(text);
    }
    masker.apply(text)?;
    xml::without_markup(place, text);
    watch.witness.output(ValueType::Text, text);
    Ok(())
}
