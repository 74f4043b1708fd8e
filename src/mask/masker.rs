//! Compiled masks, and what applies them.

use std::fmt;
use std::ops::Range;

use super::caseless::{self, Capitals};
use super::dictionary::Dictionary;
use super::digits::{self, Scratch};
use super::email::Email;
use super::filler::Filler;
use super::key::MaskKey;
use super::locale;
use super::memo::{Memo, Vacancy};
use super::permutation::Permuter;
use super::prf::{Batch, Prf, Stream};
use super::spec::MaskSpec;
use super::{
    bytes, coordinates, decimal, fixed, integer, ip, ip_text, label, mac, overlay, phone, shift,
    span, support, uuid, zero,
};
use crate::datum::text::{of_name, unpadded};
use crate::datum::{
    DatumError, Encoding, EnumLabels, Literal, ValueType, integer as stored, interval::time_of_day,
    ltree::each_label,
};
use crate::error::{Error, Result};
use crate::rules::MaskName;

/// A compiled mask: a pure function of stored values, for any number of threads.
pub struct Mask {
    mask: MaskName,
    value_type: ValueType,
    /// The encoding of its values, where masks can't work on the stored bytes.
    foreign: Option<Encoding>,
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
        let MaskSpec { mask, ref domain, value_type, encoding, ref options, ref labels } = *spec;
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
            hand: Hand {
                mask: self,
                buffer: Vec::new(),
                wide: Vec::new(),
                scratch: Scratch::new(),
                permuter: Permuter::new(),
            },
            batch: Batch::new(),
        }
    }

    /// True if results are worth remembering: drawing them costs more than looking them up.
    fn is_costly(&self) -> bool {
        !matches!(
            self.kind,
            Kind::RedactText
                | Kind::ConstantText(_)
                | Kind::Fixed(_)
                | Kind::Zero
                | Kind::Days(_)
                | Kind::Seconds(_)
                | Kind::IntegerNoise(_)
        )
    }

    /// The encoding that a text has to be brought from to be masked.
    #[inline]
    fn foreign_encoding(&self, value: &[u8]) -> Option<Encoding> {
        self.foreign.filter(|_| !value.is_ascii())
    }

    /// True if the output is drawn from a stream that depends on the value as a text.
    fn is_drawn(&self) -> bool {
        matches!(self.kind, Kind::Dictionary(_) | Kind::Email(_) | Kind::Phone | Kind::Filler(_))
    }

    /// Puts into `batch` what the output is drawn from, where that is known already; true if so.
    #[inline]
    fn push_input(&self, value: &[u8], batch: &mut Batch) -> Result<bool, DatumError> {
        let number = match self.kind {
            _ if self.is_drawn() => {
                let known =
                    self.foreign_encoding(value).is_none() && self.value_type != ValueType::Citext;
                if known {
                    batch.push(&self.prf, value);
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
        batch.push(&self.prf, &number.to_le_bytes());
        Ok(true)
    }

    /// The part of a stored value that is masked. An empty text stays, and there is none.
    #[inline]
    fn masked_part<'v>(&self, value: &'v mut [u8]) -> Result<Option<&'v mut [u8]>, DatumError> {
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
    memory: Memory,
    hand: Hand<'a>,
    batch: Batch,
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
    waiting: Vec<Waiting<N>>,
}

/// A value to be drawn.
struct Waiting<const N: usize> {
    /// Its number among the values.
    number: usize,
    /// It has an input in the batch.
    seeded: bool,
    /// Where to remember it.
    vacancy: Option<Vacancy<N>>,
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
        let whole = 0..value.len();
        self.apply_all(value, &[whole], Range::clone, |_| {}).map_err(|(_, error)| error)
    }

    /// Masks many stored values in place, those at `range` of each of `values` in `bytes`: many at
    /// once cost half as much as one by one. On an error, with the number of the value that it is
    /// about, some are masked and some are not. `original` is shown the values, but not those that
    /// were seen a moment ago.
    pub fn apply_all<T>(
        &mut self,
        bytes: &mut [u8],
        values: &[T],
        range: impl Fn(&T) -> Range<usize>,
        original: impl FnMut(&[u8]),
    ) -> Result<(), (usize, DatumError)> {
        let Masker { memory, hand, batch } = self;
        match memory {
            Memory::Words(words) => words.apply_all(hand, batch, bytes, values, range, original),
            Memory::Numbers(numbers) => {
                numbers.apply_all(hand, batch, bytes, values, range, original)
            }
        }
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
        mut original: impl FnMut(&[u8]),
    ) -> Result<(), (usize, DatumError)> {
        let Remembering { memo, waiting } = self;
        let mask = hand.mask;
        waiting.clear();
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
            original(value);
            let seeded = mask.push_input(value, batch).map_err(|error| (number, error))?;
            waiting.push(Waiting { number, seeded, vacancy });
        }
        let mut seeds = batch.values(&mask.prf).iter();
        for Waiting { number, seeded, vacancy } in waiting.drain(..) {
            let value = values.get(number).and_then(|value| bytes.get_mut(range(value)));
            let value = mask.masked_part(value.unwrap_or_default());
            if let Some(value) = value.map_err(|error| (number, error))? {
                let seed = if seeded { seeds.next() } else { None };
                hand.mask(value, seed).map_err(|error| (number, error))?;
                if let Some(memo) = memo {
                    memo.remember(vacancy, value);
                }
            }
        }
        Ok(())
    }
}

/// A mask with the working memory of one thread.
struct Hand<'a> {
    mask: &'a Mask,
    buffer: Vec<u8>,
    /// A text of a foreign encoding while it is masked.
    wide: Vec<u8>,
    scratch: Scratch,
    permuter: Permuter,
}

impl Hand<'_> {
    /// Masks a value in the encoding of its database; `seed` is the function's value of what
    /// [`Mask::push_input`] put in.
    fn mask(&mut self, value: &mut [u8], seed: Option<&[u8; 32]>) -> Result<(), DatumError> {
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
        self.draw_content(value, seed)?;
        caseless::restore(value, &original, self.mask.kind.capitals());
        Ok(())
    }

    /// Masks a value whose case counts.
    fn draw_content(
        &mut self,
        value: &mut [u8],
        seed: Option<&[u8; 32]>,
    ) -> Result<(), DatumError> {
        let Mask { value_type, prf, kind, .. } = self.mask;
        let Hand { buffer, scratch, permuter, .. } = self;
        let stream = &mut match seed {
            Some(seed) => Stream::from_seed(*seed),
            None if self.mask.is_drawn() => prf.stream(value),
            None => Stream::from_seed([0; 32]),
        };
        match kind {
            Kind::Dictionary(words) => words.mask(value, stream, buffer),
            Kind::Email(email) => email.mask(value, stream, buffer),
            Kind::Phone => phone::mask(value, stream, buffer),
            Kind::Filler(filler) => overlay::replace(value, stream, buffer, |stream, out| {
                filler.write(stream, out);
            }),
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
                let to = integer::noise_unsigned(number, most, *noise, stream);
                stored::write(value, to as i64);
            }
            Kind::IntegerNoise(noise) => {
                let number = stored::read(value)?;
                stored::write(value, integer::noise(number, *noise, stream));
            }
            Kind::Numeric => decimal::permute(value, prf, permuter, scratch)?,
            Kind::NumericNoise(noise) => decimal::noise(value, *noise, prf, scratch)?,
            Kind::FloatNoise(noise) => coordinates::noise(value, *value_type, *noise, prf)?,
            Kind::Days(days) => match value_type {
                ValueType::Date => shift::date(value, *days, stream)?,
                ValueType::Interval => span::interval(value, u64::from(*days) * 86_400, prf)?,
                _ => shift::timestamp_by_days(value, *days, stream)?,
            },
            Kind::Seconds(seconds) => match value_type {
                ValueType::Time => shift::time(value, *seconds, stream)?,
                ValueType::TimeTz => shift::time(time_of_day(value)?, *seconds, stream)?,
                ValueType::Interval => span::interval(value, *seconds, prf)?,
                _ => shift::timestamp_by_seconds(value, *seconds, stream)?,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::MaskOptions;

    #[test]
    fn many_at_once_are_masked_like_one_by_one() {
        let spec = MaskSpec {
            mask: MaskName::FirstName,
            domain: "names".into(),
            value_type: ValueType::Text,
            encoding: Encoding::Utf8,
            labels: EnumLabels::default(),
            options: MaskOptions::default(),
        };
        let mask = Mask::compile(&spec, &MaskKey::from_bytes([3; 32])).unwrap();
        let names =
            ["Ann", "", "Bartholomew", "Ann", "Zo\u{eb}", "A name that no memo remembers, ever"];
        let mut bytes = names.concat().into_bytes();
        let mut end = 0;
        let ranges: Vec<Range<usize>> = names
            .iter()
            .map(|name| {
                let start = end;
                end += name.len();
                start..end
            })
            .collect();
        let mut seen = Vec::new();
        let mut masker = mask.masker();
        let original = |value: &[u8]| seen.push(value.to_vec());
        masker.apply_all(&mut bytes, &ranges, Range::clone, original).unwrap();
        for (name, range) in names.iter().zip(ranges) {
            let mut alone = name.as_bytes().to_vec();
            mask.masker().apply(&mut alone).unwrap();
            assert_eq!(bytes.get(range), Some(alone.as_slice()), "{name}");
            assert!(name.is_empty() || seen.contains(&name.as_bytes().to_vec()));
        }
    }
}
