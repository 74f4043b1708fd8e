//! What one thread masks with: a mask and working memory.

use super::digits::{self, Scratch};
use super::masker::{Kind, Mask};
use super::permutation::Permuter;
use super::persona::Names;
use super::prf::{Prf, Stream};
use super::shift::Limits;
use super::unique::{self, Tools};
use super::{
    bucket, bytes, card, caseless, coordinates, decimal, fixed, iban, integer, ip, ip_text, label,
    mac, national_id, overlay, partial, phone, shift, span, url, uuid, zero,
};
use crate::datum::interval::time_of_day;
use crate::datum::ltree::each_label;
use crate::datum::{DatumError, ValueType, integer as stored};

/// A mask with the working memory of one thread.
pub(crate) struct Hand<'a> {
    pub(crate) mask: &'a Mask,
    buffer: Vec<u8>,
    /// A text of a foreign encoding while it is masked.
    wide: Vec<u8>,
    scratch: Scratch,
    permuter: Permuter,
    subject: Option<Turn>,
    /// Names that addresses, user names and full names are made of.
    pub(super) names: Option<Names>,
}

/// What takes the place of the mask's own function for one value.
enum Turn {
    /// Another function: the subject's own.
    Function(Prf),
    /// The distance's seed, for a shift that depends on the subject alone.
    Shift,
}

impl<'a> Hand<'a> {
    pub(crate) fn new(mask: &'a Mask) -> Hand<'a> {
        Hand {
            mask,
            buffer: Vec::new(),
            wide: Vec::new(),
            scratch: Scratch::new(),
            permuter: Permuter::new(),
            subject: None,
            names: None,
        }
    }

    /// Masks a value under a subject's own function. `seed` as in [`Hand::mask`].
    pub(crate) fn mask_under(
        &mut self,
        subject: Prf,
        salt: [u8; 32],
        value: &mut [u8],
        seed: Option<&[u8; 32]>,
    ) -> Result<(), DatumError> {
        self.permuter.set_salt(salt);
        self.subject = Some(Turn::Function(subject));
        let masked = self.mask(value, seed);
        self.subject = None;
        self.permuter.set_salt([0; 32]);
        masked
    }

    /// Moves a date or time by the distance that `seed` stands for, whatever it is.
    pub(crate) fn shift(&mut self, value: &mut [u8], seed: &[u8; 32]) -> Result<(), DatumError> {
        self.subject = Some(Turn::Shift);
        let masked = self.mask(value, Some(seed));
        self.subject = None;
        masked
    }

    /// See [`Permuter::smallest_domain`].
    pub(crate) fn smallest_domain(&self) -> Option<u64> {
        self.permuter.smallest_domain()
    }

    /// Masks a value in the encoding of its database; `seed` is the function's value of what
    /// [`Mask::push_input`] put in.
    pub(crate) fn mask(
        &mut self,
        value: &mut [u8],
        seed: Option<&[u8; 32]>,
    ) -> Result<(), DatumError> {
        let Some(encoding) = self.mask.foreign_encoding(value) else {
            return self.draw(value, seed);
        };
        let mut wide = std::mem::take(&mut self.wide);
        encoding.widen(value, &mut wide);
        let masked = self.draw(&mut wide, seed).and_then(|()| encoding.narrow(&wide, value));
        self.wide = wide;
        masked
    }

    /// Masks a value in UTF-8.
    fn draw(&mut self, value: &mut [u8], seed: Option<&[u8; 32]>) -> Result<(), DatumError> {
        if self.mask.value_type != ValueType::Citext {
            return self.draw_content(value, seed);
        }
        let original = value.to_vec();
        caseless::fold(value);
        let drawn = self.draw_content(value, seed);
        match drawn {
            Ok(()) => caseless::restore(value, &original, self.mask.kind.capitals()),
            Err(_) => value.copy_from_slice(&original),
        }
        drawn
    }

    /// Masks a value whose case counts.
    fn draw_content(
        &mut self,
        value: &mut [u8],
        seed: Option<&[u8; 32]>,
    ) -> Result<(), DatumError> {
        let Mask { value_type, prf, kind, .. } = self.mask;
        let Hand { buffer, scratch, permuter, subject, names, .. } = self;
        let names = names.as_ref();
        let (prf, limits) = match subject {
            None => (prf, Limits::TurnBack),
            Some(Turn::Function(subject)) => (&*subject, Limits::TurnBack),
            Some(Turn::Shift) => (prf, Limits::GoRound),
        };
        let stream = &mut match seed {
            Some(seed) => Stream::from_seed(*seed),
            None if self.mask.is_drawn() => prf.stream(value),
            None => Stream::from_seed([0; 32]),
        };
        match kind {
            Kind::Dictionary(words) => match names {
                // Restyled like any other: SMITH stays large.
                Some(names) if names.full(&mut vec![0; value.len()]) => {
                    overlay::replace(value, stream, buffer, |_, out| {
                        names.full(out);
                    });
                }
                _ => words.mask(value, stream, buffer),
            },
            Kind::Email(email) => email.mask(value, names, stream, buffer),
            Kind::UniqueEmail => {
                unique::email(value, &mut Tools { prf, permuter, scratch, buffer })?;
            }
            Kind::Username(username) => username.mask(value, names, stream, buffer),
            Kind::UniqueUsername => {
                unique::username(value, &mut Tools { prf, permuter, scratch, buffer });
            }
            Kind::Phone => phone::mask(value, stream, buffer),
            Kind::Url => url::mask(value, stream, buffer),
            Kind::Iban => iban::permute(value, prf, permuter, scratch, buffer),
            Kind::CardText => card::text(value, stream, buffer),
            Kind::CardNumber => card::bigint(value, prf)?,
            Kind::NationalId(country) => national_id::mask(value, *country, stream, buffer),
            Kind::Partial(first, last) => {
                partial::partial(value, (*first, *last), stream, buffer);
            }
            Kind::Hash => partial::hash(value, prf, buffer),
            Kind::Filler(filler) => overlay::replace(value, stream, buffer, |stream, out| {
                filler.write(stream, out);
            }),
            Kind::Zero => zero::write(value, *value_type, buffer)?,
            Kind::BlankText => fixed::blank_text(value, *value_type, buffer),
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
            Kind::Numeric => decimal::permute(value, prf, permuter, scratch)?,
            Kind::IntegerNoise(noise) if value_type.is_unsigned() => {
                noise.unsigned(value, stream)?;
            }
            Kind::IntegerNoise(noise) => noise.integer(value, stream)?,
            Kind::NumericNoise(noise) => decimal::noise(value, noise, prf, scratch)?,
            Kind::FloatNoise(noise) => coordinates::noise(value, *value_type, noise, prf)?,
            Kind::Bucket(size) => bucket::bucket(value, *value_type, size, scratch)?,
            Kind::Days(days) => match value_type {
                ValueType::Date => shift::date(value, *days, stream, limits)?,
                ValueType::Interval => span::interval(value, u64::from(*days) * 86_400, prf)?,
                _ => shift::timestamp_by_days(value, *days, stream, limits)?,
            },
            Kind::Seconds(seconds) => match value_type {
                ValueType::Time => shift::time(value, *seconds, stream)?,
                ValueType::TimeTz => shift::time(time_of_day(value)?, *seconds, stream)?,
                ValueType::Interval => span::interval(value, *seconds, prf)?,
                _ => shift::timestamp_by_seconds(value, *seconds, stream, limits)?,
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
