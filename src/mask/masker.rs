//! Compiled masks, and what applies them.

use std::fmt;
use std::ops::Range;

use super::bucket::Size;
use super::dictionary::Dictionary;
use super::email::Email;
use super::filler::Filler;
use super::hand::Hand;
use super::key::MaskKey;
use super::memo::{Memo, Vacancy};
use super::national_id::Country;
use super::noise::Noise;
use super::persona::Names;
use super::prf::{Batch, Prf};
use super::spec::MaskSpec;
use super::subject::Subject;
use super::username::Username;
use super::witness::{NoWitness, Witness};
use super::{fixed, locale, shift, support};
use crate::datum::text::{Unit, boundary, of_name, units, unpadded};
use crate::datum::{DatumError, Encoding, EnumLabels, Literal, ValueType, integer as stored};
use crate::error::{Error, Result};
use crate::rules::MaskName;

/// A compiled mask: a pure function of stored values, for any number of threads.
pub struct Mask {
    mask: MaskName,
    pub(super) value_type: ValueType,
    /// The encoding of its values, where masks can't work on the stored bytes.
    foreign: Option<Encoding>,
    pub(super) prf: Prf,
    pub(super) kind: Kind,
}

/// How a mask goes about it.
pub(super) enum Kind {
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
    Zero,
    ConstantText(Vec<char>),
    Fixed(Literal),
    Digits,
    Alphanumeric,
    Integer,
    Numeric,
    IntegerNoise(Noise),
    NumericNoise(Noise),
    FloatNoise(Noise),
    Bucket(Size),
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
        let MaskSpec { mask, ref domain, value_type, encoding, ref options, ref labels } = *spec;
        if mask == MaskName::Keep || !support::supports(mask, value_type) {
            return Err(Error::invalid(support::undefined(mask, value_type)));
        }
        support::check_options(mask, Some(value_type), options).map_err(Error::invalid)?;
        let locale = options.locale.as_deref().and_then(locale::find);
        let locale = locale.unwrap_or_else(locale::english);
        let is_text = value_type.is_text() || value_type == ValueType::Char;
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
            MaskName::Text => Kind::Filler(Filler::new(&locale)),
            MaskName::Redact if is_text => Kind::RedactText,
            MaskName::Blank | MaskName::Redact if value_type == ValueType::Enum => {
                Kind::one_label(labels.oid(0))
            }
            MaskName::Blank | MaskName::Redact => {
                fixed::zero_literal(value_type).map_or(Kind::Zero, Kind::Fixed)
            }
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
            MaskName::Integer => Kind::Integer,
            MaskName::Numeric => Kind::Numeric,
            MaskName::Noise | MaskName::Latitude | MaskName::Longitude => {
                let noise = support::noise(mask, options).map_err(Error::invalid)?;
                match value_type {
                    ValueType::Numeric => Kind::NumericNoise(noise),
                    _ if value_type.is_whole() => Kind::IntegerNoise(noise),
                    _ => Kind::FloatNoise(noise),
                }
            }
            MaskName::Bucket => {
                Kind::Bucket(support::size(value_type, options).map_err(Error::invalid)?)
            }
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
            | MaskName::Null
            | MaskName::Shuffle
            | MaskName::Keep => Kind::Dictionary(Box::new(Dictionary::new(mask, &locale))),
        };
        let foreign = Some(encoding).filter(|it| value_type.is_text() && !it.is_utf8());
        Ok(Mask { mask, value_type, foreign, prf: Prf::new(key, mask, domain), kind })
    }

    /// The type of the values that it is for.
    pub fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// What one thread applies the mask with. Cheap to make, worth keeping: it remembers.
    pub fn masker(&self) -> Masker<'_> {
        Masker {
            memory: match self.value_type.width() {
                Some(1..=8) => Memory::Numbers(Remembering::new(self.is_costly())),
                _ => Memory::Words(Remembering::new(self.is_costly())),
            },
            hand: Hand::new(self),
            batch: Batch::new(),
            subject: None,
            names: None,
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
                | Kind::Zero
                | Kind::Bucket(_)
                | Kind::Days(_)
                | Kind::Seconds(_)
                | Kind::IntegerNoise(_)
        )
    }

    /// The encoding that a text has to be brought from to be masked.
    #[inline]
    pub(super) fn foreign_encoding(&self, value: &[u8]) -> Option<Encoding> {
        self.foreign.filter(|_| !value.is_ascii())
    }

    /// True if the output is drawn from a stream that depends on the value as a text.
    pub(super) fn is_drawn(&self) -> bool {
        matches!(
            self.kind,
            Kind::Dictionary(_)
                | Kind::Email(_)
                | Kind::Username(_)
                | Kind::Phone
                | Kind::Url
                | Kind::CardText
                | Kind::NationalId(_)
                | Kind::Partial(..)
                | Kind::Filler(_)
        )
    }

    /// Puts into `batch` what the output is drawn from, where that is known already; true if so.
    #[inline]
    pub(super) fn push_input(
        &self,
        prf: &Prf,
        value: &[u8],
        batch: &mut Batch,
    ) -> Result<bool, DatumError> {
        let number = match self.kind {
            _ if self.is_drawn() => {
                let known =
                    self.foreign_encoding(value).is_none() && self.value_type != ValueType::Citext;
                if known {
                    batch.push(prf, value);
                }
                return Ok(known);
            }
            Kind::Days(_) | Kind::Seconds(_) if self.value_type == ValueType::Interval => {
                return Ok(false);
            }
            Kind::Days(_) if self.value_type != ValueType::Date => shift::day(value)?,
            Kind::Seconds(_) if self.value_type == ValueType::TimeTz => {
                stored::read(value.get(..8).unwrap_or_default())?
            }
            Kind::IntegerNoise(_) if self.value_type.is_unsigned() => {
                stored::read_unsigned(value)?.0 as i64
            }
            Kind::Days(_) | Kind::Seconds(_) | Kind::IntegerNoise(_) => stored::read(value)?,
            _ => return Ok(false),
        };
        batch.push(prf, &number.to_le_bytes());
        Ok(true)
    }

    /// The part of a stored value that is masked. An empty text stays, and there is none.
    #[inline]
    pub(super) fn masked_part<'v>(
        &self,
        value: &'v mut [u8],
    ) -> Result<Option<&'v mut [u8]>, DatumError> {
        if self.value_type.width().is_some_and(|width| width != value.len()) {
            return Err(DatumError("a value does not have its type's width"));
        }
        let value = match self.value_type {
            ValueType::Bpchar => unpadded(value),
            ValueType::Name => of_name(value)?,
            ValueType::Char if value == [0] => return Ok(None),
            _ => value,
        };
        if !value.is_empty() {
            return Ok(Some(value));
        }
        match self.value_type {
            ValueType::Name => Ok(None),
            value_type if value_type.may_be_empty() => Ok(None),
            _ => Err(DatumError("a value is shorter than its header")),
        }
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
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} on {:?})", self.mask.as_str(), self.value_type)
    }
}

/// Applies a mask on one thread. Holds original values in memory; its `Debug` shows none.
pub struct Masker<'a> {
    memory: Memory,
    pub(super) hand: Hand<'a>,
    pub(super) batch: Batch,
    /// Whose the next single values are.
    pub(super) subject: Option<Subject>,
    /// The names that they are made of.
    pub(super) names: Option<Names>,
}

/// What a masker remembers of the values it has seen.
enum Memory {
    /// For values of up to 32 bytes.
    Words(Remembering<32>),
    /// For values of up to 8 bytes of a fixed width.
    Numbers(Remembering<8>),
}

struct Remembering<const N: usize> {
    /// `None` where drawing costs no more than looking up.
    memo: Option<Memo<N>>,
    waiting: Vec<Waiting>,
}

/// A value to be drawn.
struct Waiting {
    /// Its number among the values.
    number: usize,
    /// It has an input in the batch.
    seeded: bool,
    /// Where to remember it.
    vacancy: Option<Vacancy>,
}

impl fmt::Debug for Masker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masker({:?})", self.hand.mask)
    }
}

impl Masker<'_> {
    /// True unless texts are in another server encoding.
    pub(crate) fn is_utf8(&self) -> bool {
        self.hand.mask.foreign.is_none()
    }

    /// Where the first character of a masked text ends that goes up to `at` or beyond it.
    pub(super) fn boundary(&self, text: &[u8], at: usize) -> usize {
        match self.hand.mask.foreign {
            Some(encoding) => boundary(encoding.lengths(text), at),
            None => boundary(units(text).map(Unit::len), at),
        }
    }

    /// The type of the values that it masks.
    pub fn value_type(&self) -> ValueType {
        self.hand.mask.value_type
    }

    /// Which mask it is.
    pub fn mask_name(&self) -> MaskName {
        self.hand.mask.mask
    }

    /// Masks one stored value in place. The bytes are those behind a varlena header, or all of a
    /// fixed-width value. On an error they are as they were.
    #[inline]
    pub fn apply(&mut self, value: &mut [u8]) -> Result<(), DatumError> {
        if self.subject.is_some() || self.names.is_some() {
            return self.apply_by_row(value);
        }
        let whole = 0..value.len();
        self.apply_all(value, &[whole], Range::clone, &mut NoWitness).map_err(|(_, error)| error)
    }

    /// Masks many stored values in place, those at `range` of each of `values` in `bytes`: many at
    /// once cost half as much as one by one. On an error, with the number of the value that it is
    /// about, some are masked and some are not. `witness` is shown the values, but not those that
    /// were seen a moment ago.
    pub fn apply_all<T>(
        &mut self,
        bytes: &mut [u8],
        values: &[T],
        range: impl Fn(&T) -> Range<usize>,
        witness: &mut impl Witness,
    ) -> Result<(), (usize, DatumError)> {
        let Masker { memory, hand, batch, .. } = self;
        match memory {
            Memory::Words(words) => words.apply_all(hand, batch, bytes, values, range, witness),
            Memory::Numbers(numbers) => {
                numbers.apply_all(hand, batch, bytes, values, range, witness)
            }
        }
    }

    /// Of the values masked so far, among how many the one hides that hides among fewest:
    /// `u64::MAX` for more than 2^63. Values that look like no other, such as `none` under
    /// `digits`, stay and don't count. `None` if nothing was permuted.
    pub fn smallest_domain(&self) -> Option<u64> {
        self.hand.smallest_domain()
    }
}

impl<const N: usize> Remembering<N> {
    fn new(remembers: bool) -> Remembering<N> {
        Remembering { memo: remembers.then(Memo::new), waiting: Vec::new() }
    }

    fn apply_all<T>(
        &mut self,
        hand: &mut Hand<'_>,
        batch: &mut Batch,
        bytes: &mut [u8],
        values: &[T],
        range: impl Fn(&T) -> Range<usize>,
        witness: &mut impl Witness,
    ) -> Result<(), (usize, DatumError)> {
        let Remembering { memo, waiting } = self;
        let mask = hand.mask;
        // Whatever an error left behind.
        waiting.clear();
        batch.clear();
        for (number, value) in values.iter().enumerate() {
            let value = bytes.get_mut(range(value)).unwrap_or_default();
            let Some(value) = mask.masked_part(value).map_err(|error| (number, error))? else {
                continue;
            };
            let vacancy = match memo.as_mut().map(|memo| memo.recall(value)) {
                Some(Ok(())) => continue,
                Some(Err(vacancy)) => vacancy,
                None => None,
            };
            witness.original(mask.value_type, value);
            let seeded =
                mask.push_input(&mask.prf, value, batch).map_err(|error| (number, error))?;
            waiting.push(Waiting { number, seeded, vacancy });
        }
        let mut seeds = batch.values(&mask.prf).iter();
        for Waiting { number, seeded, vacancy } in waiting.drain(..) {
            let value = values.get(number).and_then(|value| bytes.get_mut(range(value)));
            let value = mask.masked_part(value.unwrap_or_default());
            if let Some(value) = value.map_err(|error| (number, error))? {
                let seed = if seeded { seeds.next() } else { None };
                hand.mask(value, seed).map_err(|error| (number, error))?;
                witness.output(mask.value_type, value);
                if let (Some(memo), Some(vacancy)) = (&mut *memo, vacancy) {
                    memo.remember(vacancy, value);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
