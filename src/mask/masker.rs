//! Compiled masks, and what applies them.

use std::fmt;

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
use super::{decimal, fixed, float, integer, overlay, phone, shift, support, uuid};
use crate::datum::text::unpadded;
use crate::datum::{DatumError, Literal, ValueType, integer as stored};
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
}

impl Mask {
    /// Compiles a mask. [`Error::Invalid`] where mask, type and options don't go together.
    pub fn compile(spec: &MaskSpec, key: &MaskKey) -> Result<Mask> {
        let MaskSpec { mask, ref domain, value_type, ref options } = *spec;
        let name = mask.as_str();
        if mask == MaskName::Keep || !support::supports(mask, value_type) {
            return Err(Error::invalid(format!("mask {name} is not defined on {value_type:?}")));
        }
        support::check_options(mask, Some(value_type), options).map_err(Error::invalid)?;
        let locale = options.locale.as_deref().and_then(locale::find);
        let locale = locale.unwrap_or_else(locale::english);
        let is_text = matches!(value_type, ValueType::Text | ValueType::Bpchar);
        let kind = match mask {
            MaskName::Email => Kind::Email(Box::new(Email::new(&locale))),
            MaskName::Phone => Kind::Phone,
            MaskName::Text => Kind::Filler(Filler::new(&locale)),
            MaskName::Redact if is_text => Kind::RedactText,
            MaskName::Redact => Kind::Fixed(fixed::zero(value_type)),
            MaskName::Constant => {
                let given = options.value.as_deref().unwrap_or_default();
                match Literal::parse(value_type, given).map_err(Error::invalid)? {
                    Literal::Text(text) => Kind::ConstantText(text.chars().collect()),
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

    /// The type of the values that it is for.
    pub fn value_type(&self) -> ValueType {
        self.value_type
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
        !matches!(self.kind, Kind::RedactText | Kind::ConstantText(_) | Kind::Fixed(_))
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
    /// The type of the values that it masks.
    pub fn value_type(&self) -> ValueType {
        self.mask.value_type
    }

    /// Which mask it is.
    pub fn mask_name(&self) -> MaskName {
        self.mask.mask
    }

    /// Masks one stored value in place. The bytes are those behind a varlena header, or all of a
    /// fixed-width value. On an error they are as they were.
    #[inline]
    pub fn apply(&mut self, value: &mut [u8]) -> Result<(), DatumError> {
        let value = match self.mask.value_type {
            ValueType::Bpchar => unpadded(value),
            _ => value,
        };
        if value.is_empty() && self.mask.value_type.width().is_none() {
            // An empty text stays; a numeric without a header is none.
            return match self.mask.value_type {
                ValueType::Numeric => Err(DatumError("a numeric is shorter than its header")),
                _ => Ok(()),
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
            Kind::RedactText => fixed::redact_text(value, buffer),
            Kind::ConstantText(constant) => fixed::constant_text(value, constant, buffer),
            Kind::Fixed(literal) => fixed::write(value, *value_type, literal, scratch)?,
            Kind::Digits => digits::digits(value, prf, permuter, scratch),
            Kind::Alphanumeric => digits::alphanumeric(value, prf, permuter, scratch, buffer),
            Kind::Integer => {
                let number = stored::read(value)?;
                stored::write(value, integer::permute(number, prf, permuter));
            }
            Kind::IntegerNoise(noise) => {
                let number = stored::read(value)?;
                stored::write(value, integer::noise(number, *noise, &mut by_number(number)));
            }
            Kind::Numeric => decimal::permute(value, prf, permuter, scratch)?,
            Kind::NumericNoise(noise) => decimal::noise(value, *noise, prf, scratch)?,
            Kind::FloatNoise(noise) => float::noise(value, *noise, prf)?,
            Kind::Days(days) => match value_type {
                ValueType::Date => shift::date(value, *days, by_number)?,
                _ => shift::timestamp_by_days(value, *days, by_number)?,
            },
            Kind::Seconds(seconds) => match value_type {
                ValueType::Time => shift::time(value, *seconds, by_number)?,
                _ => shift::timestamp_by_seconds(value, *seconds, by_number)?,
            },
            Kind::Uuid => uuid::permute(value, prf, permuter, scratch)?,
        }
        Ok(())
    }
}
