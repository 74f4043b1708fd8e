//! A shuffled column in the pass that rewrites its relation, on one thread.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::Ordering;

use super::class::{Class, moving};
use super::gather::{ColumnValues, Shuffles};
use super::store::Store;
use crate::datum::DatumError;
use crate::datum::compressed::Part;
use crate::fingerprint::Notes;
use crate::mask::{Alone, Mask, Masker, ShuffleMask, Witness as _};
use crate::page::{Attribute, ToastPointer, VarlenaForm};
use crate::rewrite::page::TuplePlace;
use crate::rewrite::visibility::CommitLog;

/// What happens to an attribute of a shuffled column.
pub(in crate::rewrite) enum Fate {
    /// It has been given another row's value, from this part of the tuple on.
    Moved(Range<usize>),
    /// It stays.
    Stays,
    /// It goes through the mask for values that are alone.
    Masked,
    /// What is no live row's is zeroed.
    Zeroed,
}

/// Hands out the values of one column.
pub(in crate::rewrite) struct ShuffledColumn<'m> {
    store: &'m Store,
    values: &'m ColumnValues,
    alone: Alone<Masker<'m>>,
    notes: Notes<'m>,
    log: CommitLog,
    /// The stretch of the heap that it is in, as blocks.
    stretch: Range<u32>,
    /// The next value's number there, by class.
    numbers: BTreeMap<Class, u64>,
    value: Vec<u8>,
    unchanged: u64,
}

impl<'m> ShuffledColumn<'m> {
    /// `None` if nothing was gathered for the column.
    pub(in crate::rewrite) fn new(
        shuffles: &'m Shuffles,
        place: (usize, usize),
        mask: &'m ShuffleMask<Mask>,
        pgdata: &Path,
        notes: Notes<'m>,
    ) -> Option<ShuffledColumn<'m>> {
        Some(ShuffledColumn {
            store: &shuffles.store,
            values: shuffles.columns.get(&place)?,
            alone: match &mask.alone {
                Alone::Deny => Alone::Deny,
                Alone::Keep => Alone::Keep,
                Alone::Mask(mask) => Alone::Mask(mask.masker()),
            },
            notes,
            log: CommitLog::new(pgdata),
            stretch: 0..0,
            numbers: BTreeMap::new(),
            value: Vec::new(),
            unchanged: 0,
        })
    }

    /// Gives an attribute of `out` another row's value, or says what happens to it instead.
    pub(in crate::rewrite) fn rewrite(
        &mut self,
        raw: &[u8],
        out: &mut [u8],
        attribute: &Attribute,
        place: TuplePlace,
    ) -> Result<Fate, DatumError> {
        let class = Class::of(attribute);
        let range = moving(attribute);
        let own = raw.get(range.clone()).unwrap_or_default();
        if own.is_empty() {
            return Ok(Fate::Stays);
        }
        let out_of_line =
            attribute.varlena.is_some_and(|varlena| varlena.form == VarlenaForm::OnDisk);
        let known = self.values.classes.get(&class);
        if !self.log.is_live(raw) {
            // A TOAST pointer can't be zeroed: another version's value is as good as any.
            let Some(known) = known.filter(|_| out_of_line) else { return Ok(Fate::Zeroed) };
            let mut position = [0; 6];
            let (block, line_pointer) = position.split_at_mut(4);
            block.copy_from_slice(&place.block.0.to_le_bytes());
            line_pointer.copy_from_slice(&place.line_pointer.to_le_bytes());
            let number = self.values.shuffler.draw(&position, known.len);
            for number in [number, (number + 1) % known.len.max(1)] {
                fetch(self.store, known.position(class, number), class, &mut self.value)?;
                if self.value != own {
                    break;
                }
            }
            return give(out, range, &self.value);
        }
        let known = known.ok_or(CHANGED)?;
        if !known.varied {
            return match self.alone {
                Alone::Deny => Err(DatumError("a value that is alone is to be shuffled")),
                Alone::Keep => Ok(Fate::Stays),
                Alone::Mask(_) => Ok(Fate::Masked),
            };
        }
        self.enter(place.block.0);
        let number =
            self.numbers.entry(class).or_insert_with(|| known.first_number(self.stretch.start));
        let source = known.cycle.source(*number);
        *number += 1;
        fetch(self.store, known.position(class, source), class, &mut self.value)?;
        self.unchanged += u64::from(self.value == own);
        give(out, range, &self.value)
    }

    /// Notes that the block is the next one; rows are numbered anew at the start of a stretch.
    fn enter(&mut self, block: u32) {
        if self.stretch.contains(&block) {
            return;
        }
        let stretches = &self.values.stretches;
        let next = stretches.partition_point(|first| *first <= block);
        let first = next.checked_sub(1).and_then(|at| stretches.get(at)).copied();
        let end = stretches.get(next).copied().unwrap_or(u32::MAX);
        self.stretch = first.unwrap_or_default()..end;
        self.numbers.clear();
    }

    /// Masks a value that is alone. `parts` gets what of it may become more regular.
    pub(in crate::rewrite) fn mask_alone(
        &mut self,
        value: &mut [u8],
        parts: &mut Vec<Part>,
    ) -> Result<u64, DatumError> {
        let Alone::Mask(masker) = &mut self.alone else { return Ok(0) };
        let value_type = masker.value_type();
        self.notes.count(value_type, std::iter::once(value.len()));
        self.notes.original(value_type, value);
        Part::note(parts, value_type.into(), 0..value.len());
        masker.apply(value)?;
        self.notes.output(value_type, value);
        Ok(1)
    }

    /// Takes down a masked value as it is in the end.
    pub(in crate::rewrite) fn note_output(&mut self, value: &[u8]) {
        if let Alone::Mask(masker) = &self.alone {
            self.notes.output(masker.value_type(), value);
        }
    }

    /// True unless texts are in another server encoding.
    pub(in crate::rewrite) fn is_utf8(&self) -> bool {
        match &self.alone {
            Alone::Mask(masker) => masker.is_utf8(),
            Alone::Deny | Alone::Keep => true,
        }
    }

    /// Adds up what came of it.
    pub(in crate::rewrite) fn finish(self) {
        self.values.unchanged.fetch_add(self.unchanged, Ordering::Relaxed);
    }
}

/// Nobody else writes to the files of a staging volume.
const CHANGED: DatumError = DatumError("the heap is not what it was when its values were gathered");

fn fetch(
    store: &Store,
    position: Option<u64>,
    class: Class,
    value: &mut Vec<u8>,
) -> Result<(), DatumError> {
    value.resize(class.len(), 0);
    store
        .read(position.ok_or(CHANGED)?, value)
        .map_err(|_| DatumError("a shuffled value can't be read back from its temporary file"))
}

fn give(out: &mut [u8], range: Range<usize>, value: &[u8]) -> Result<Fate, DatumError> {
    match out.get_mut(range.clone()) {
        Some(place) if place.len() == value.len() => place.copy_from_slice(value),
        _ => return Err(CHANGED),
    }
    Ok(Fate::Moved(range))
}

/// The TOAST value that an attribute refers to which has been given another's value.
pub(in crate::rewrite) fn given_pointer(
    out: &[u8],
    attribute: &Attribute,
    given: &Range<usize>,
) -> Option<ToastPointer> {
    let varlena = attribute.varlena.filter(|varlena| varlena.form == VarlenaForm::OnDisk);
    varlena.and_then(|_| ToastPointer::read(out.get(given.clone())?).ok())
}
