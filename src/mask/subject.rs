//! Masks by subject: whose value it is becomes part of what its mask depends on.
//!
//! Each subject has a function of its own, so one value masks differently for different subjects.
//! The shifts go further: their distance depends on the subject alone, so that what lies between
//! the dates of one subject stays. A value without a subject is masked as if its mask took none.

use std::ops::Range;

use super::caseless;
use super::masker::{Kind, Mask, Masker};
use super::persona::Names;
use super::prf::Prf;
use super::spec::MaskSpec;
use super::witness::Witness;
use crate::datum::numeric::{self, Header};
use crate::datum::text::{of_name, unpadded};
use crate::datum::{DatumError, Encoding, ValueType, integer};
use crate::rules::MaskName;

/// The mask's function's value for a subject.
pub(super) type Subject = [u8; 32];

/// Stands before a subject where it is input of a mask's function.
const TAG: &[u8] = b"subject\0";

/// True if values of this type can be subjects: those whose text says when two are the same.
pub fn is_subject_type(value_type: ValueType) -> bool {
    value_type.is_text()
        || matches!(
            value_type,
            ValueType::Int2
                | ValueType::Int4
                | ValueType::Int8
                | ValueType::Oid
                | ValueType::Xid8
                | ValueType::Numeric
                | ValueType::Uuid
        )
}

/// True if a shift keeps different values of one subject apart.
pub fn shift_is_injective(spec: &MaskSpec) -> bool {
    matches!(spec.mask, MaskName::DateShift | MaskName::TimestampShift)
        && matches!(
            spec.value_type,
            ValueType::Date | ValueType::Timestamp | ValueType::TimestampTz
        )
}

/// Writes a subject's canonical form, from its stored bytes: the text that PostgreSQL shows,
/// without a `char(n)`'s padding, without capitals in a `citext`, without zeros at the end of a
/// fraction. So one number, or one UUID, is the same subject in columns of any of the types.
pub(crate) fn canonical(
    value_type: ValueType,
    encoding: Encoding,
    stored: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), DatumError> {
    out.clear();
    match value_type {
        ValueType::Bpchar => out.extend_from_slice(unpadded(&mut stored.to_vec())),
        ValueType::Name => out.extend_from_slice(of_name(&mut stored.to_vec())?),
        ValueType::Citext => {
            if encoding.is_utf8() {
                out.extend_from_slice(stored);
            } else {
                encoding.widen(stored, out);
            }
            caseless::fold(out);
        }
        _ if value_type.is_text() => out.extend_from_slice(stored),
        ValueType::Oid | ValueType::Xid8 => {
            out.extend_from_slice(integer::read_unsigned(stored)?.0.to_string().as_bytes());
        }
        ValueType::Int2 | ValueType::Int4 | ValueType::Int8 => {
            out.extend_from_slice(integer::read(stored)?.to_string().as_bytes());
        }
        ValueType::Numeric => decimal(stored, out)?,
        ValueType::Uuid => {
            for (at, byte) in stored.iter().enumerate() {
                if matches!(at, 4 | 6 | 8 | 10) {
                    out.push(b'-');
                }
                out.extend_from_slice(format!("{byte:02x}").as_bytes());
            }
        }
        _ => return Err(DatumError("values of this type can't be subjects")),
    }
    Ok(())
}

/// The canonical form of a subject that PostgreSQL shows as `text`.
pub(crate) fn canonical_text(value_type: ValueType, text: &str) -> Vec<u8> {
    let mut out = text.as_bytes().to_vec();
    match value_type {
        ValueType::Bpchar => out.truncate(text.trim_end_matches(' ').len()),
        ValueType::Citext => caseless::fold(&mut out),
        ValueType::Numeric if text.contains('.') => {
            out.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        }
        _ => {}
    }
    out
}

/// A number in digits, without zeros at either end.
fn decimal(stored: &[u8], out: &mut Vec<u8>) -> Result<(), DatumError> {
    let Header::Number(shape) = numeric::header(stored)? else {
        out.extend_from_slice(b"special ");
        out.extend_from_slice(stored);
        return Ok(());
    };
    let mut digits = Vec::new();
    numeric::read_digits(stored, &shape, &mut digits)?;
    if digits.is_empty() {
        out.push(b'0');
        return Ok(());
    }
    let weight = i64::from(shape.weight);
    let last = weight - digits.len() as i64 + 1;
    let mut text = String::new();
    for power in (last.min(0)..=weight.max(0)).rev() {
        let at = usize::try_from(weight - power).ok();
        let digit = at.and_then(|at| digits.get(at)).copied().unwrap_or(0);
        if power == -1 {
            text.push('.');
        }
        text += &format!("{digit:04}");
    }
    let text = text.trim_start_matches('0');
    let text = if text.contains('.') { text.trim_end_matches('0') } else { text };
    out.extend(shape.negative.then_some(b'-'));
    out.extend(text.starts_with('.').then_some(b'0'));
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

impl Mask {
    /// True if the distance depends on the subject alone.
    fn shifts_by_subject(&self) -> bool {
        matches!(self.kind, Kind::Days(_) | Kind::Seconds(_))
            && self.value_type != ValueType::Interval
    }
}

fn input(subject: &[u8]) -> Vec<u8> {
    [TAG, subject].concat()
}

impl Masker<'_> {
    /// Whose the values are that [`Masker::apply`] gets from now on; a canonical form.
    pub(crate) fn set_subject(&mut self, subject: Option<&[u8]>) {
        self.subject = subject.map(|subject| self.hand.mask.prf.block(&input(subject)));
    }

    /// True if a subject or names are set.
    pub(crate) fn has_context(&self) -> bool {
        self.subject.is_some() || self.names.is_some()
    }

    /// The names that values are made of that [`Masker::apply`] gets from now on.
    pub(crate) fn set_names(&mut self, names: Option<Names>) {
        self.names = names;
    }

    /// Masks one value of the subject, and of the names, that are set.
    pub(super) fn apply_by_row(&mut self, value: &mut [u8]) -> Result<(), DatumError> {
        self.hand.names = self.names.take();
        let masked = self.apply_by_subject(value);
        self.names = self.hand.names.take();
        masked
    }

    fn apply_by_subject(&mut self, value: &mut [u8]) -> Result<(), DatumError> {
        let mask = self.hand.mask;
        let Some(value) = mask.masked_part(value)? else { return Ok(()) };
        let Some(seed) = self.subject else { return self.hand.mask(value, None) };
        if mask.shifts_by_subject() {
            return self.hand.shift(value, &seed);
        }
        let function = Prf::of_subject(seed);
        self.batch.clear();
        let seeded = mask.push_input(&function, value, &mut self.batch)?;
        let drawn = self.batch.values(&function).first().copied().filter(|_| seeded);
        self.hand.mask_under(function, seed, value, drawn.as_ref())
    }

    /// Masks stored values in place, one by one, each with its subject and its names.
    pub(crate) fn apply_each<'s, T>(
        &mut self,
        bytes: &mut [u8],
        values: &[T],
        range: impl Fn(&T) -> Range<usize>,
        context: impl Fn(usize) -> (Option<&'s [u8]>, Option<Names>),
        witness: &mut impl Witness,
    ) -> Result<(), (usize, DatumError)> {
        for (number, value) in values.iter().enumerate() {
            let value = bytes.get_mut(range(value)).unwrap_or_default();
            let mask = self.hand.mask;
            if let Some(part) = mask.masked_part(value).map_err(|error| (number, error))? {
                witness.original(mask.value_type, part);
            }
            let (subject, names) = context(number);
            self.set_subject(subject);
            self.names = names;
            self.apply(value).map_err(|error| (number, error))?;
            witness.output(mask.value_type, value);
        }
        self.set_subject(None);
        self.names = None;
        Ok(())
    }

    /// Masks many stored values in place, as [`Masker::apply_all`] does; `subject` is the canonical
    /// form of the subject of the value with this number.
    pub(crate) fn apply_all_by_subject<'s, T>(
        &mut self,
        bytes: &mut [u8],
        values: &[T],
        range: impl Fn(&T) -> Range<usize>,
        subject: impl Fn(usize) -> Option<&'s [u8]>,
        witness: &mut impl Witness,
    ) -> Result<(), (usize, DatumError)> {
        let mask = self.hand.mask;
        self.batch.clear();
        let given = (0..values.len()).filter_map(&subject);
        given.for_each(|subject| self.batch.push(&mask.prf, &input(subject)));
        let seeds = self.batch.values(&mask.prf).to_vec();
        let mut seeds = seeds.into_iter();
        for (number, value) in values.iter().enumerate() {
            let value = bytes.get_mut(range(value)).unwrap_or_default();
            if let Some(part) = mask.masked_part(value).map_err(|error| (number, error))? {
                witness.original(mask.value_type, part);
            }
            self.subject = subject(number).and_then(|_| seeds.next());
            self.apply(value).map_err(|error| (number, error))?;
            witness.output(mask.value_type, value);
        }
        self.subject = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datum::EnumLabels;
    use crate::datum::numeric::{Decimal, encode};
    use crate::mask::MaskKey;
    use crate::mask::NoWitness;
    use crate::rules::MaskOptions;

    fn form(value_type: ValueType, stored: &[u8]) -> String {
        let mut out = Vec::new();
        canonical(value_type, Encoding::Utf8, stored, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_number_is_one_subject_whatever_its_type() {
        let of = |text: &str, dscale| encode(&Decimal::parse(text).unwrap(), dscale);
        for (value_type, stored) in [
            (ValueType::Int2, 42i16.to_le_bytes().to_vec()),
            (ValueType::Int4, 42i32.to_le_bytes().to_vec()),
            (ValueType::Int8, 42i64.to_le_bytes().to_vec()),
            (ValueType::Oid, 42u32.to_le_bytes().to_vec()),
            (ValueType::Numeric, of("42", 0)),
            (ValueType::Numeric, of("42.000", 3)),
            (ValueType::Text, b"42".to_vec()),
            (ValueType::Bpchar, b"42   ".to_vec()),
        ] {
            assert_eq!(form(value_type, &stored), "42", "{value_type:?}");
        }
        for text in ["0", "-7", "10000", "120000000", "0.5", "-0.0001", "12345678.90125", "1.5"] {
            assert_eq!(form(ValueType::Numeric, &of(text, 9)), text);
        }
        let id = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        let bytes = u128::from_str_radix(&id.replace('-', ""), 16).unwrap().to_be_bytes();
        assert_eq!(form(ValueType::Uuid, &bytes), id);
        assert_eq!(form(ValueType::Citext, "\u{c9}va@X".as_bytes()), "\u{e9}va@x");
        let mut name = [0; 64];
        name[..2].copy_from_slice(b"ab");
        assert_eq!(form(ValueType::Name, &name), "ab");
        for (value_type, text, expected) in [
            (ValueType::Numeric, "100", "100"),
            (ValueType::Numeric, "1.500", "1.5"),
            (ValueType::Numeric, "0.00", "0"),
            (ValueType::Bpchar, "ab  ", "ab"),
            (ValueType::Citext, "\u{c9}X", "\u{e9}x"),
            (ValueType::Text, "A.0 ", "A.0 "),
        ] {
            assert_eq!(canonical_text(value_type, text), expected.as_bytes());
        }
        let no = canonical(ValueType::Bool, Encoding::Utf8, &[1], &mut Vec::new());
        assert!(no.is_err() && !is_subject_type(ValueType::Bool));
    }

    fn mask(mask: MaskName, value_type: ValueType) -> Mask {
        let spec = MaskSpec {
            mask,
            domain: "d".into(),
            value_type,
            encoding: Encoding::Utf8,
            options: MaskOptions::default(),
            labels: EnumLabels::default(),
        };
        Mask::compile(&spec, &MaskKey::from_bytes([5; 32])).unwrap()
    }

    #[test]
    fn dates_of_one_subject_move_alike_and_those_of_others_do_not() {
        let (date, timestamp) = (
            mask(MaskName::DateShift, ValueType::Date),
            mask(MaskName::DateShift, ValueType::Timestamp),
        );
        let moved = |subject: &[u8], day: i32| {
            let mut masker = date.masker();
            masker.set_subject(Some(subject));
            let mut bytes = day.to_le_bytes();
            masker.apply(&mut bytes).unwrap();
            i32::from_le_bytes(bytes) - day
        };
        let mut seen = std::collections::BTreeSet::new();
        for subject in 0..200u32 {
            let name = subject.to_string();
            let distance = moved(name.as_bytes(), 100);
            assert!((1..=30).contains(&distance.abs()));
            seen.insert(distance);
            for day in [0, -5000, 9000] {
                assert_eq!(moved(name.as_bytes(), day), distance);
            }
            let mut masker = timestamp.masker();
            masker.set_subject(Some(name.as_bytes()));
            let mut micros = 1_234_567_890_123i64.to_le_bytes();
            masker.apply(&mut micros).unwrap();
            let by = i64::from_le_bytes(micros) - 1_234_567_890_123;
            assert_eq!(by, i64::from(distance) * 86_400_000_000);
        }
        assert!(seen.len() > 40, "{seen:?}");
        let mut infinity = i32::MAX.to_le_bytes();
        let mut masker = date.masker();
        masker.set_subject(Some(b"1"));
        masker.apply(&mut infinity).unwrap();
        assert_eq!(infinity, i32::MAX.to_le_bytes());
    }

    #[test]
    fn other_masks_give_each_subject_its_own_results_and_remember_none_of_them() {
        for (name, value_type, value) in [
            (MaskName::FirstName, ValueType::Text, b"Alexandra".to_vec()),
            (MaskName::Digits, ValueType::Text, b"4711-0815".to_vec()),
            (MaskName::Integer, ValueType::Int4, 123_456i32.to_le_bytes().to_vec()),
            (MaskName::Integer, ValueType::Int2, 456i16.to_le_bytes().to_vec()),
            (MaskName::Noise, ValueType::Int4, 123_456i32.to_le_bytes().to_vec()),
            (MaskName::Email, ValueType::Citext, b"Jane.Doe@corp.example".to_vec()),
            (MaskName::DateShift, ValueType::Interval, [7; 16].to_vec()),
        ] {
            let mask = mask(name, value_type);
            let alone = |subject: Option<&[u8]>| {
                let mut masker = mask.masker();
                masker.set_subject(subject);
                let mut value = value.clone();
                masker.apply(&mut value).unwrap();
                value
            };
            let subjects: Vec<Option<Vec<u8>>> = (0..60)
                .map(|n: u32| (!n.is_multiple_of(3)).then(|| (n % 7).to_string().into_bytes()))
                .collect();
            let mut bytes = value.repeat(subjects.len());
            let ranges: Vec<_> =
                (0..subjects.len()).map(|at| at * value.len()..(at + 1) * value.len()).collect();
            let mut masker = mask.masker();
            let subject = |at: usize| subjects[at].as_deref();
            masker
                .apply_all_by_subject(&mut bytes, &ranges, Range::clone, subject, &mut NoWitness)
                .unwrap();
            for (subject, range) in subjects.iter().zip(ranges) {
                assert_eq!(bytes[range], alone(subject.as_deref()), "{name} {subject:?}");
            }
            let different: std::collections::BTreeSet<Vec<u8>> =
                (0..7u32).map(|n| alone(Some(n.to_string().as_bytes()))).collect();
            assert!(different.len() > 3, "{name}: {}", different.len());
            assert!(!different.contains(&alone(None)), "{name}");
        }
    }
}
