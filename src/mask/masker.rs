//! Compiled masks, and what applies them.

use std::fmt;

use super::caseless::{self, Capitals};
use super::dictionary::Dictionary;
use super::digits::{self, Scratch};
use super::email::Email;
use super::filler::Filler;
use super::key::MaskKey;
use super::locale;
use super::memo::Memo;
use super::permutation::Permuter;
use super::prf::Prf;
use super::spec::MaskSpec;
use super::{
    bytes, coordinates, decimal, fixed, integer, ip, ip_text, label, mac, overlay, phone, shift,
    span, support, uuid, zero,
};
use crate::datum::text::{of_name, unpadded};
use crate::datum::{
    DatumError, EnumLabels, Literal, ValueType, integer as stored, interval::time_of_day,
    ltree::each_label,
};
use crate::error::{Error, Result};
use crate::rules::MaskName;

/// A compiled mask: a pure function of stored values, for any number of threads.
pub struct Mask {
    mask: MaskName,
    value_type: ValueType,
    prf: Prf,
    kind: Kind,
}

/// How a mask goes about it.
enum Kind {
    Dictionary(Box<Dictionary>),
    Email(Box<Email>),
    Phone,
    Filler(Filler),
    RedactText,
    Zero,
    ConstantText(Vec<char>),
    Fixed(Literal),
    Digits,
    Alphanumeric,
    Integer,
    IntegerNoise(f64),
    Numeric,
    NumericNoise(f64),
    FloatNoise(f64),
    Days(u32),
    Seconds(u64),
    Uuid,
    Ip(u8),
    Mac,
    Bytes,
    Label(EnumLabels),
}

impl Mask {
    /// Compiles a mask. [`Error::Invalid`] where mask, type and options don't go together.
    pub fn compile(spec: &MaskSpec, key: &MaskKey) -> Result<Mask> {
        let MaskSpec { mask, ref domain, value_type, ref options, ref labels } = *spec;
        let name = mask.as_str();
        if mask == MaskName::Keep || !support::supports(mask, value_type) {
            return Err(Error::invalid(format!("mask {name} is not defined on {value_type:?}")));
        }
        support::check_options(mask, Some(value_type), options).map_err(Error::invalid)?;
        let locale = options.locale.as_deref().and_then(locale::find);
        let locale = locale.unwrap_or_else(locale::english);
        let is_text = value_type.is_text() || value_type == ValueType::Char;
        let kind = match mask {
            MaskName::Email => Kind::Email(Box::new(Email::new(&locale))),
            MaskName::Phone => Kind::Phone,
            MaskName::Text => Kind::Filler(Filler::new(&locale)),
            MaskName::Redact if is_text => Kind::RedactText,
            MaskName::Redact if value_type == ValueType::Enum => Kind::one_label(labels.oid(0)),
            MaskName::Redact => fixed::zero(value_type).map_or(Kind::Zero, Kind::Fixed),
            MaskName::Constant => {
                let given = options.value.as_deref().unwrap_or_default();
                match Literal::parse(value_type, given).map_err(Error::invalid)? {
                    Literal::Text(text) => Kind::ConstantText(text.chars().collect()),
                    Literal::Label(label) => Kind::one_label(labels.named(&label)),
                    literal => Kind::Fixed(literal),
                }
            }
            MaskName::Digits => Kind::Digits,
            MaskName::Alphanumeric => Kind::Alphanumeric,
            MaskName::Integer => options.noise.map_or(Kind::Integer, Kind::IntegerNoise),
            MaskName::Numeric if value_type != ValueType::Numeric => {
                Kind::FloatNoise(options.noise.unwrap_or(support::DEFAULT_FLOAT_NOISE))
            }
            MaskName::Numeric => options.noise.map_or(Kind::Numeric, Kind::NumericNoise),
            MaskName::DateShift => Kind::Days(options.days.unwrap_or(support::DEFAULT_DAYS)),
            MaskName::TimestampShift => {
                Kind::Seconds(options.seconds.unwrap_or(support::DEFAULT_SECONDS))
            }
            MaskName::Uuid => Kind::Uuid,
            MaskName::Ip => Kind::Ip(options.keep_bits.unwrap_or(0)),
            MaskName::Mac => Kind::Mac,
            MaskName::Bytes => Kind::Bytes,
            MaskName::Enum => Kind::Label(labels.clone()),
            MaskName::FirstName
            | MaskName::LastName
            | MaskName::FullName
            | MaskName::StreetAddress
            | MaskName::City
            | MaskName::Company
            | MaskName::Keep => Kind::Dictionary(Box::new(Dictionary::new(mask, &locale))),
        };
        Ok(Mask { mask, value_type, prf: Prf::new(key, mask, domain), kind })
    }

    /// What one thread applies the mask with. Cheap to make, worth keeping: it remembers.
    pub fn masker(&self) -> Masker<'_> {
        Masker {
            mask: self,
            words: Memo::new(),
            numbers: Memo::new(),
            buffer: Vec::new(),
            scratch: Scratch::new(),
            permuter: Permuter::new(),
        }
    }

    /// True if results are worth remembering: drawing them costs more than looking them up.
    fn is_costly(&self) -> bool {
        !matches!(self.kind, Kind::RedactText | Kind::ConstantText(_) | Kind::Fixed(_) | Kind::Zero)
    }
}

impl Kind {
    /// Writes one label. Where there is no such label, none is written: values are errors.
    fn one_label(oid: Option<u32>) -> Kind {
        match oid {
            Some(oid) => Kind::Fixed(Literal::Integer(oid.into())),
            None => Kind::Label(EnumLabels::default()),
        }
    }

    /// How a text whose case does not count gets its capitals back.
    fn capitals(&self) -> Capitals {
        match self {
            Kind::Digits | Kind::Alphanumeric | Kind::Phone => Capitals::InPlace,
            Kind::Email(_) | Kind::Ip(_) | Kind::Mac | Kind::RedactText | Kind::ConstantText(_) => {
                Capitals::None
            }
            _ => Capitals::OfWords,
        }
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} on {:?})", self.mask.as_str(), self.value_type)
    }
}

/// Applies a mask on one thread. Holds original values in memory; its `Debug` shows none.
pub struct Masker<'a> {
    mask: &'a Mask,
    /// For values of up to 32 bytes.
    words: Memo<4>,
    /// For values of up to 8 bytes of a fixed width.
    numbers: Memo<1>,
    buffer: Vec<u8>,
    scratch: Scratch,
    permuter: Permuter,
}

impl fmt::Debug for Masker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masker({:?})", self.mask)
    }
}

impl Masker<'_> {
    /// Masks one stored value in place. The bytes are those behind a varlena header, or all of a
    /// fixed-width value. On an error they are as they were.
    #[inline]
    pub fn apply(&mut self, value: &mut [u8]) -> Result<(), DatumError> {
        let value = match self.mask.value_type {
            ValueType::Bpchar => unpadded(value),
            _ => value,
        };
        if value.is_empty() && self.mask.value_type.width().is_none() {
            // An empty text stays; what has a header is not empty.
            return match self.mask.value_type {
                value_type if value_type.may_be_empty() => Ok(()),
                _ => Err(DatumError("a value is shorter than its header")),
            };
        }
        if !self.mask.is_costly() {
            return self.draw(value);
        }
        if self.mask.value_type.width().is_some_and(|width| width <= 8) {
            match self.numbers.recall(value) {
                Ok(()) => Ok(()),
                Err(vacancy) => {
                    self.draw(value)?;
                    self.numbers.remember(vacancy, value);
                    Ok(())
                }
            }
        } else {
            match self.words.recall(value) {
                Ok(()) => Ok(()),
                Err(vacancy) => {
                    self.draw(value)?;
                    self.words.remember(vacancy, value);
                    Ok(())
                }
            }
        }
    }

    /// Masks a value that is not remembered.
    fn draw(&mut self, value: &mut [u8]) -> Result<(), DatumError> {
        match self.mask.value_type {
            ValueType::Name => match of_name(value)? {
                [] => Ok(()),
                text => self.draw_content(text),
            },
            ValueType::Char => match value {
                [0] => Ok(()),
                [_] => self.draw_content(value),
                _ => Err(DatumError("a \"char\" is not 1 byte wide")),
            },
            ValueType::Citext => {
                let original = value.to_vec();
                caseless::fold(value);
                self.draw_content(value)?;
                caseless::restore(value, &original, self.mask.kind.capitals());
                Ok(())
            }
            _ => self.draw_content(value),
        }
    }

    /// Masks what of a value is not padding.
    fn draw_content(&mut self, value: &mut [u8]) -> Result<(), DatumError> {
        let Mask { value_type, prf, kind, .. } = self.mask;
        let Masker { buffer, scratch, permuter, .. } = self;
        let by_number = |number: i64| prf.stream(&number.to_le_bytes());
        match kind {
            Kind::Dictionary(words) => words.mask(value, &mut prf.stream(value), buffer),
            Kind::Email(email) => email.mask(value, &mut prf.stream(value), buffer),
            Kind::Phone => phone::mask(value, &mut prf.stream(value), buffer),
            Kind::Filler(filler) => {
                let mut stream = prf.stream(value);
                overlay::replace(value, &mut stream, buffer, |stream, out| {
                    filler.write(stream, out);
                });
            }
            Kind::Zero => zero::write(value, *value_type, buffer)?,
            Kind::RedactText => fixed::redact_text(value, buffer),
            Kind::ConstantText(constant) => fixed::constant_text(value, constant, buffer),
            Kind::Fixed(literal) => fixed::write(value, *value_type, literal, scratch)?,
            Kind::Digits => digits::digits(value, prf, permuter, scratch),
            Kind::Alphanumeric if *value_type == ValueType::Ltree => each_label(value, |label| {
                digits::alphanumeric(label, prf, permuter, scratch, buffer);
            })?,
            Kind::Alphanumeric => digits::alphanumeric(value, prf, permuter, scratch, buffer),
            Kind::Integer if value_type.is_unsigned() => {
                let (number, most) = stored::read_unsigned(value)?;
                let to = integer::permute_unsigned(number, most, prf, permuter);
                stored::write(value, to as i64);
            }
            Kind::Integer => {
                let number = stored::read(value)?;
                stored::write(value, integer::permute(number, prf, permuter));
            }
            Kind::IntegerNoise(noise) if value_type.is_unsigned() => {
                let (number, most) = stored::read_unsigned(value)?;
                let mut stream = by_number(number as i64);
                let to = integer::noise_unsigned(number, most, *noise, &mut stream);
                stored::write(value, to as i64);
            }
            Kind::IntegerNoise(noise) => {
                let number = stored::read(value)?;
                stored::write(value, integer::noise(number, *noise, &mut by_number(number)));
            }
            Kind::Numeric => decimal::permute(value, prf, permuter, scratch)?,
            Kind::NumericNoise(noise) => decimal::noise(value, *noise, prf, scratch)?,
            Kind::FloatNoise(noise) => coordinates::noise(value, *value_type, *noise, prf)?,
            Kind::Days(days) => match value_type {
                ValueType::Date => shift::date(value, *days, by_number)?,
                ValueType::Interval => span::interval(value, u64::from(*days) * 86_400, prf)?,
                _ => shift::timestamp_by_days(value, *days, by_number)?,
            },
            Kind::Seconds(seconds) => match value_type {
                ValueType::Time => shift::time(value, *seconds, by_number)?,
                ValueType::TimeTz => shift::time(time_of_day(value)?, *seconds, by_number)?,
                ValueType::Interval => span::interval(value, *seconds, prf)?,
                _ => shift::timestamp_by_seconds(value, *seconds, by_number)?,
            },
            Kind::Uuid => uuid::permute(value, prf, permuter, scratch)?,
            Kind::Ip(keep_bits) if value_type.is_text() => {
                ip_text::mask(value, *keep_bits, prf, permuter, scratch, buffer);
            }
            Kind::Ip(keep_bits) => {
                ip::mask(value, *value_type, *keep_bits, prf, permuter, scratch)?
            }
            Kind::Mac if value_type.is_text() => mac::text(value, prf, permuter, scratch, buffer)?,
            Kind::Mac => mac::mask(value, prf, permuter, scratch)?,
            Kind::Bytes => bytes::mask(value, *value_type, prf)?,
            Kind::Label(labels) => label::permute(value, labels, prf, permuter)?,
        }
        Ok(())
    }
}
