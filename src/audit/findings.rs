//! What was found, where, and what that means.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::forms::Form;
use super::target::Target;
use crate::error::Refusal;
use crate::fingerprint::{Class, FingerprintSet, Gathered};

/// Findings kept for the report; more of them refuse the snapshot as a whole.
const KEPT: usize = 200_000;
/// Of a column's numbers, about so many are followed.
const FOLLOWED: u64 = 4096;
/// Fewer numbers of a column prove nothing,
const FEW: usize = 16;
/// and so do fewer than nine tenths of them.
const MOST: (usize, usize) = (9, 10);

/// Kinds of findings, in `residue` of the manifest.
pub(super) const KINDS: [&str; 3] = ["residue", "unmasked_column", "literal"];

/// The remedy where a kept column holds the same originals.
const FOLLOWS: &str = "see to the kept columns that hold them too: what is indexed there is in an \
                       index, and what is common in statistics";

/// A place in the volume.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    /// The file,
    pub(super) target: usize,
    /// and the position there.
    pub(super) offset: u64,
    /// The relation that it is part of, by its first file: a TOAST value's is that of its table.
    pub(super) relation: usize,
    /// The attribute, and the row's block and line pointer.
    pub(super) cell: Option<(usize, u32, u16)>,
    pub(super) form: Form,
}

impl Spot {
    fn attribute(&self) -> Option<usize> {
        self.cell.map(|(attribute, ..)| attribute)
    }
}

/// How often something was found, and where first.
#[derive(Clone, Copy)]
struct Found {
    count: u64,
    first: Spot,
}

impl Found {
    fn add(&mut self, count: u64, spot: Spot) {
        self.count += count;
        if (spot.target, spot.offset) < (self.first.target, self.first.offset) {
            self.first = spot;
        }
    }
}

/// By masked column, relation and attribute.
type Place = (u32, usize, Option<usize>);
/// By relation, attribute and value.
type ValueAt = (usize, Option<usize>, usize);

/// What is found of one set of originals, and of all before it.
#[derive(Default)]
pub(super) struct Findings {
    /// Of the set that is searched for now.
    now: Mutex<HashMap<ValueAt, Found>>,
    overflow: AtomicBool,
    /// Of all sets: values, and where.
    places: BTreeMap<Place, (u64, Found)>,
    /// Numbers that are followed, by place.
    numbers: Mutex<HashMap<Place, (HashSet<u64>, Spot)>>,
    /// Of each column's numbers, those followed.
    followed: HashMap<u32, usize>,
    coincidences: AtomicU64,
}

/// Which of a column's numbers are followed: those whose hashes end in zeros.
fn follows(hash: u64, all: u64) -> bool {
    let every = (all / FOLLOWED).next_power_of_two().max(1);
    hash & (every - 1) == 0
}

impl Findings {
    /// Prepares for another set.
    pub(super) fn begin(&mut self, set: &FingerprintSet, gathered: &Gathered) {
        for value in (0..set.len()).filter(|value| set.class(*value) == Class::Number) {
            for column in gathered.columns_of(set.columns(value)) {
                if follows(set.hash(value), gathered.numbers_of(*column)) {
                    *self.followed.entry(*column).or_default() += 1;
                }
            }
        }
    }

    /// A number was found: true if where matters.
    pub(super) fn number(&self, set: &FingerprintSet, value: usize, gathered: &Gathered) -> bool {
        self.coincidences.fetch_add(1, Ordering::Relaxed);
        let columns = gathered.columns_of(set.columns(value));
        columns.iter().any(|column| follows(set.hash(value), gathered.numbers_of(*column)))
    }

    /// Takes down a find.
    pub(super) fn add(&self, set: &FingerprintSet, value: usize, spot: Spot, gathered: &Gathered) {
        if set.class(value) == Class::Number {
            let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
            for column in gathered.columns_of(set.columns(value)) {
                if follows(set.hash(value), gathered.numbers_of(*column)) {
                    let place = (*column, spot.relation, spot.attribute());
                    let (found, _) = numbers.entry(place).or_insert_with(|| (HashSet::new(), spot));
                    found.insert(set.hash(value));
                }
            }
            return;
        }
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (spot.relation, spot.attribute(), value);
        if now.len() >= KEPT && !now.contains_key(&key) {
            self.overflow.store(true, Ordering::Relaxed);
            return;
        }
        now.entry(key).or_insert(Found { count: 0, first: spot }).add(1, spot);
    }

    /// Drops finds of values that are set apart by now; the short texts among the rest.
    pub(super) fn settle(&self, set: &FingerprintSet, apart: &[AtomicBool]) -> HashSet<usize> {
        let is_apart =
            |value: usize| apart.get(value).is_some_and(|apart| apart.load(Ordering::Relaxed));
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.retain(|(.., value), _| !is_apart(*value));
        let values = now.keys().map(|(.., value)| *value);
        values.filter(|value| set.class(*value) == Class::Short).collect()
    }

    /// Adds what was found of this set to the rest.
    pub(super) fn end(&mut self, set: &FingerprintSet, gathered: &Gathered) {
        let now = self.now.get_mut().unwrap_or_else(PoisonError::into_inner);
        for ((relation, attribute, value), found) in now.drain() {
            for column in gathered.columns_of(set.columns(value)) {
                let place = (*column, relation, attribute);
                let (values, all) =
                    self.places.entry(place).or_insert((0, Found { count: 0, ..found }));
                *values += 1;
                all.add(found.count, found.first);
            }
        }
    }

    /// Where most of a column's numbers are, they are not by accident.
    fn judge_numbers(&mut self, gathered: &Gathered) {
        let numbers = self.numbers.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (place, (found, spot)) in numbers.drain() {
            let all = self.followed.get(&place.0).copied().unwrap_or_default();
            if found.len() >= FEW && found.len() * MOST.1 >= all * MOST.0 {
                let every = (gathered.numbers_of(place.0) / all.max(1) as u64).max(1);
                let values = found.len() as u64 * every;
                let found = Found { count: values, first: spot };
                self.places.entry(place).or_insert((0, Found { count: 0, ..found })).0 += values;
                if let Some((_, all)) = self.places.get_mut(&place) {
                    all.add(values, spot);
                }
            }
        }
    }

    /// Numbers found where one of them may be by accident.
    pub(super) fn coincidences(&self) -> u64 {
        self.coincidences.load(Ordering::Relaxed)
    }

    /// Occurrences by kind, and a refusal for each place.
    pub(super) fn report(
        &mut self,
        targets: &[Target<'_>],
        gathered: &Gathered,
    ) -> (BTreeMap<String, u64>, Vec<Refusal>) {
        self.judge_numbers(gathered);
        let mut residue: BTreeMap<String, u64> = KINDS.map(|kind| (kind.into(), 0)).into();
        let mut refusals = Vec::new();
        let kind_of = |relation: &usize, attribute: &Option<usize>| {
            targets.get(*relation).map(|owner| owner.kind(*attribute))
        };
        // Masked columns whose originals a kept one holds.
        let kept = self.places.keys().filter(|(_, relation, attribute)| {
            kind_of(relation, attribute) == Some("unmasked_column")
        });
        let kept: HashSet<u32> = kept.map(|(column, ..)| *column).collect();
        for ((column, relation, attribute), (values, found)) in &self.places {
            let (Some(owner), Some(file)) =
                (targets.get(*relation), targets.get(found.first.target))
            else {
                continue;
            };
            let kind = owner.kind(*attribute);
            *residue.entry(kind.into()).or_default() += found.count;
            let follows = kind == "residue" && owner.owner.is_some() && kept.contains(column);
            let refusal = refusal(gathered, *column, kind, owner, file, *values, found);
            refusals.push(if follows {
                Refusal { remedy: FOLLOWS.to_owned(), ..refusal }
            } else {
                refusal
            });
        }
        if self.overflow.load(Ordering::Relaxed) {
            refusals.push(Refusal::new(
                "residue",
                format!("originals occur in more than {KEPT} places"),
                "mask the columns that hold them, or say accept_originals = true for those that may",
            ));
        }
        (residue, refusals)
    }
}

fn refusal(
    gathered: &Gathered,
    column: u32,
    kind: &'static str,
    owner: &Target<'_>,
    file: &Target<'_>,
    values: u64,
    found: &Found,
) -> Refusal {
    let Spot { offset, cell, form, .. } = found.first;
    let at = format!("{}, byte {offset}{}", file.name.display(), form.describe());
    let of_owner = owner.owner.map(|owner| owner.display_name());
    let name = of_owner.as_deref().unwrap_or_default();
    let attribute = cell.and_then(|(index, block, line_pointer)| {
        let attribute = owner.owner?.attributes.get(index)?;
        Some((attribute.name.as_str(), format!("({block},{line_pointer})")))
    });
    let (place, remedy) = match (kind, attribute) {
        ("unmasked_column", Some((attribute, row))) => (
            format!("kept column {name}.{attribute} (first in row {row}; {at})"),
            format!(
                "mask {attribute} of {name} too, or say that it may hold them:\n{attribute} = {{ mask = \"keep\", accept_originals = true }}"
            ),
        ),
        ("literal", attribute) => {
            let column = attribute.map(|(column, row)| format!(".{column}, row {row}"));
            (
                format!("{name}{} ({at})", column.unwrap_or_default()),
                "find out how the value came there (a literal in code, a comment, a name) and \
                 change it in the source, or mask that column"
                    .to_owned(),
            )
        }
        (_, Some((attribute, row))) => (
            format!("{name}.{attribute} (first in row {row}; {at})"),
            "report it: this is not what the mask made".to_owned(),
        ),
        (_, None) if of_owner.is_some() => (
            format!("{name} ({at})"),
            "find out how the value came there (a kept column that is indexed, say) and change it \
             in the source, or mask that column"
                .to_owned(),
        ),
        (_, None) => (
            at,
            "remove that file from the source, or report it: thinveil does not know it".to_owned(),
        ),
    };
    let Some(masked) = gathered.columns().get(column as usize) else {
        return Refusal::new(kind, format!("{values} originals occur in {place}"), remedy);
    };
    let count = found.count;
    Refusal::new(
        kind,
        format!("{values} of its original values occur {count} times in {place}"),
        remedy,
    )
    .database(&masked.database)
    .table(&masked.table)
    .column(&masked.column)
}
