//! Compiled masks, and what applies them.

use std::fmt;

use super::bucket::{self, Size};
use super::dictionary::Dictionary;
use super::digits::{self, Scratch};
use super::email::Email;
use super::filler::Filler;
use super::key::MaskKey;
use super::locale;
use super::memo::Memo;
use super::national_id::Country;
use super::noise::Noise;
use super::permutation::Permuter;
use super::prf::Prf;
use super::spec::MaskSpec;
use super::unique::Tools;
use super::username::Username;
use super::{
    card, decimal, fixed, iban, integer, national_id, overlay, partial, phone, shift, support,
    unique, url, uuid,
};
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
    UniqueEmail,
    Username(Box<Username>),
    UniqueUsername,
    Phone,
    Url,
    Iban,
    CardText,
    CardNumber,
    NationalId(Country),
    /// How many characters stay at either end.
    Partial(usize, usize),
    Hash,
    Filler(Filler),
    BlankText,
    RedactText,
    ConstantText(Vec<char>),
    Fixed(Literal),
    Digits,
    Alphanumeric,
    Integer,
    Numeric,
    Noise(Noise),
    Bucket(Size),
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
            MaskName::Email if options.unique => Kind::UniqueEmail,
            MaskName::Email => Kind::Email(Box::new(Email::new(&locale))),
            MaskName::Username if options.unique => Kind::UniqueUsername,
            MaskName::Username => Kind::Username(Box::new(Username::new(&locale))),
            MaskName::Phone => Kind::Phone,
            MaskName::Url => Kind::Url,
            MaskName::Iban => Kind::Iban,
            MaskName::CreditCard if is_text => Kind::CardText,
            MaskName::CreditCard => Kind::CardNumber,
            MaskName::NationalId => {
                Kind::NationalId(support::country(options).map_err(Error::invalid)?)
            }
            MaskName::Partial => {
                let count = |count: Option<u32>| count.unwrap_or(0) as usize;
                Kind::Partial(count(options.keep_first), count(options.keep_last))
            }
            MaskName::Hash => Kind::Hash,
            MaskName::Blank if is_text => Kind::BlankText,
            MaskName::Blank => Kind::Fixed(fixed::zero(value_type)),
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
            MaskName::Integer => Kind::Integer,
            MaskName::Numeric => Kind::Numeric,
            MaskName::Noise | MaskName::Latitude | MaskName::Longitude => {
                Kind::Noise(support::noise(mask, options).map_err(Error::invalid)?)
            }
            MaskName::Bucket => {
                Kind::Bucket(support::size(value_type, options).map_err(Error::invalid)?)
            }
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
        !matches!(
            self.kind,
            Kind::BlankText
                | Kind::RedactText
                | Kind::ConstantText(_)
                | Kind::Fixed(_)
                | Kind::Bucket(_)
        )
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

    /// Over how many values the mask permutes the one given: `u64::MAX` for more than 2^63, `None`
    /// where the mask is no permutation or the value stays. Costs as much as masking it; it is for
    /// counting the values that hide among few.
    pub fn domain_size(&mut self, value: &[u8]) -> Result<Option<u64>, DatumError> {
        self.permuter = Permuter::new();
        let mut copy = value.to_vec();
        let copy = match self.mask.value_type {
            ValueType::Bpchar => unpadded(&mut copy),
            _ => &mut copy,
        };
        if copy.is_empty() && self.mask.value_type != ValueType::Numeric {
            return Ok(None);
        }
        self.draw(copy)?;
        Ok(Some(self.permuter.last_size()).filter(|&size| size > 0))
    }

    /// Masks a value that is not remembered.
    fn draw(&mut self, value: &mut [u8]) -> Result<(), DatumError> {
        let Mask { value_type, prf, kind, .. } = self.mask;
        let Masker { buffer, scratch, permuter, .. } = self;
        let by_number = |number: i64| prf.stream(&number.to_le_bytes());
        match kind {
            Kind::Dictionary(words) => words.mask(value, &mut prf.stream(value), buffer),
            Kind::Email(email) => email.mask(value, &mut prf.stream(value), buffer),
            Kind::UniqueEmail => {
                unique::email(value, &mut Tools { prf, permuter, scratch, buffer })?;
            }
            Kind::Username(names) => names.mask(value, &mut prf.stream(value), buffer),
            Kind::UniqueUsername => {
                unique::username(value, &mut Tools { prf, permuter, scratch, buffer });
            }
            Kind::Phone => phone::mask(value, &mut prf.stream(value), buffer),
            Kind::Url => url::mask(value, &mut prf.stream(value), buffer),
            Kind::Iban => iban::permute(value, prf, permuter, scratch, buffer),
            Kind::CardText => card::text(value, &mut prf.stream(value), buffer),
            Kind::CardNumber => card::bigint(value, prf)?,
            Kind::NationalId(country) => {
                national_id::mask(value, *country, &mut prf.stream(value), buffer);
            }
            Kind::Partial(first, last) => {
                partial::partial(value, (*first, *last), &mut prf.stream(value), buffer);
            }
            Kind::Hash => partial::hash(value, prf, buffer),
            Kind::Filler(filler) => {
                let mut stream = prf.stream(value);
                overlay::replace(value, &mut stream, buffer, |stream, out| {
                    filler.write(stream, out);
                });
            }
            Kind::BlankText => fixed::blank_text(value, *value_type, buffer),
            Kind::RedactText => fixed::redact_text(value, buffer),
            Kind::ConstantText(constant) => fixed::constant_text(value, constant, buffer),
            Kind::Fixed(literal) => fixed::write(value, *value_type, literal, scratch)?,
            Kind::Digits => digits::digits(value, prf, permuter, scratch),
            Kind::Alphanumeric => digits::alphanumeric(value, prf, permuter, scratch, buffer),
            Kind::Integer => {
                let number = stored::read(value)?;
                stored::write(value, integer::permute(number, prf, permuter));
            }
            Kind::Numeric => decimal::permute(value, prf, permuter, scratch)?,
            Kind::Noise(noise) => match value_type {
                ValueType::Numeric => decimal::noise(value, noise, prf, scratch)?,
                ValueType::Float4 | ValueType::Float8 => noise.float(value, prf)?,
                _ => noise.integer(value, prf)?,
            },
            Kind::Bucket(size) => bucket::bucket(value, *value_type, size, scratch)?,
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
