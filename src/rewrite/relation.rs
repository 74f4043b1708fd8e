//! A planned relation on one thread: its masks, and what the threads add up.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::by_row::{Row, attribute_of};
use super::heap::{Column, HeapRewriter, MaskedColumn};
use super::missing::{MissingColumn, MissingRewriter};
use super::pass::{Target, Workspace};
use super::sample::Sampler;
use super::shuffle::{ShuffledColumn, Shuffles};
use super::structured::StructuredColumn;
use super::toast::References;
use crate::datum::ValueType;
use crate::error::{Error, Result};
use crate::mask::{ColumnMask, Mask, MaskKey, UnknownPaths};
use crate::page::Storage;
use crate::plan::{Action, DatabasePlan, MissingValuesPlan, RelationPlan, StorageKind};

/// A planned relation with its masks compiled.
pub(super) struct Relation<'a> {
    pub(super) database: &'a DatabasePlan,
    pub(super) plan: &'a RelationPlan,
    pub(super) storage: Vec<Storage>,
    pub(super) masks: Vec<Option<ColumnMask<Mask>>>,
    /// Of attributes with a condition, in their order: what is done where it is not true.
    otherwise: Vec<Option<ColumnMask<Mask>>>,
    pub(super) pgdata: &'a Path,
    /// Original values to draw per masked column.
    sample_size: usize,
}

/// What the threads add up.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) values_masked: AtomicU64,
    /// By relation, attribute and the type of the values, of which structured ones have many.
    pub(super) samplers: Mutex<BTreeMap<(usize, usize, ValueType), Sampler>>,
    /// By relation and attribute: paths that no rule names.
    pub(super) unknown_paths: Mutex<BTreeMap<(usize, usize), UnknownPaths>>,
    /// By relation and attribute: the smallest domain that a permutation had for a value.
    pub(super) smallest_domains: Mutex<BTreeMap<(usize, usize), u64>>,
    /// By relation: the TOAST values that its attributes refer to.
    pub(super) references: Mutex<BTreeMap<usize, References>>,
    /// The values of shuffled columns, gathered beforehand.
    pub(super) shuffles: Shuffles,
}

impl Totals {
    fn absorb(&self, relation: usize, attribute: usize, of: ValueType, sampler: Sampler) {
        let mut all = self.samplers.lock().unwrap_or_else(PoisonError::into_inner);
        match all.entry((relation, attribute, of)) {
            Entry::Occupied(mut drawn) => drawn.get_mut().absorb(&sampler),
            Entry::Vacant(vacant) => {
                vacant.insert(sampler);
            }
        }
    }
}

impl Totals {
    fn absorb_domain(&self, relation: usize, attribute: usize, smallest: Option<u64>) {
        if let Some(size) = smallest {
            let mut all = self.smallest_domains.lock().unwrap_or_else(PoisonError::into_inner);
            let least = all.entry((relation, attribute)).or_insert(size);
            *least = size.min(*least);
        }
    }

    fn absorb_unknown(&self, relation: usize, attribute: usize, unknown: UnknownPaths) {
        if !unknown.is_empty() {
            let mut all = self.unknown_paths.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry((relation, attribute)).or_default().absorb(unknown);
        }
    }
}

impl<'a> Relation<'a> {
    pub(super) fn compile(
        database: &'a DatabasePlan,
        plan: &'a RelationPlan,
        pgdata: &'a Path,
        key: &MaskKey,
        sample_size: usize,
    ) -> Result<Relation<'a>> {
        let storage = plan.attributes.iter().map(|attribute| layout(attribute.storage));
        let masks = plan.attributes.iter().map(|attribute| match &attribute.action {
            Action::Mask(mask) => mask.compile(key).map(Some),
            Action::Keep | Action::Zero => Ok(None),
        });
        let conditions = plan.attributes.iter().filter_map(|it| it.condition.as_ref());
        let otherwise = conditions.map(|condition| {
            condition.otherwise.as_ref().map(|mask| mask.compile(key)).transpose()
        });
        Ok(Relation {
            otherwise: otherwise.collect::<Result<_>>()?,
            pgdata,
            database,
            plan,
            storage: storage.collect::<Result<_>>()?,
            masks: masks.collect::<Result<_>>()?,
            sample_size,
        })
    }

    /// What errors call it.
    pub(super) fn target(&self) -> Target<'a> {
        Target {
            name: format!("{}.{}.{}", self.database.name, self.plan.schema, self.plan.name),
            columns: self.plan.attributes.iter().map(|a| a.name.as_str()).collect(),
        }
    }

    /// What errors call its TOAST table.
    pub(super) fn toast_target(&self) -> Target<'a> {
        Target {
            name: format!("TOAST table of {}", self.target().name),
            columns: vec!["chunk_id", "chunk_seq", "chunk_data"],
        }
    }

    /// `number` is its own.
    fn rewriter<'m>(&'m self, number: usize, shuffles: &'m Shuffles) -> HeapRewriter<'m> {
        let columns = self.plan.attributes.iter().zip(&self.masks).enumerate();
        let columns = columns.map(|(index, (attribute, mask))| match (&attribute.action, mask) {
            (Action::Zero, _) => Column::Zero,
            (_, Some(ColumnMask::Shuffle(mask))) => {
                let place = (number, index);
                let column =
                    ShuffledColumn::new(shuffles, place, mask, self.pgdata, self.sample_size);
                column.map_or(Column::Zero, |column| Column::Shuffle(Box::new(column)))
            }
            _ => self.column(mask.as_ref()),
        });
        let otherwise = self.otherwise.iter().map(|mask| self.column(mask.as_ref()));
        let columns = columns.chain(otherwise).collect();
        HeapRewriter::new(self.plan, self.storage.clone(), columns, self.row())
    }

    /// What its masks look at in other columns.
    pub(super) fn row(&self) -> Option<Box<Row<'_>>> {
        Row::new(self.plan, &self.masks, self.pgdata)
    }

    fn column<'m>(&self, mask: Option<&'m ColumnMask<Mask>>) -> Column<'m> {
        match mask {
            Some(ColumnMask::Value(mask)) => {
                let sampler = Sampler::new(self.sample_size);
                let masker = mask.masker();
                Column::Mask(Box::new(MaskedColumn::new(masker, mask.value_type(), sampler)))
            }
            Some(mask) => {
                Column::Structured(Box::new(StructuredColumn::new(mask.masker(), self.sample_size)))
            }
            None => Column::Keep,
        }
    }

    /// Columns by slot, for errors about values out of line.
    pub(super) fn slot_names(&self) -> Vec<&'a str> {
        let attributes = &self.plan.attributes;
        let slots = attributes.len() + 2 * self.otherwise.len();
        let names = (0..slots).filter_map(|slot| attributes.get(attribute_of(self.plan, slot)));
        names.map(|attribute| attribute.name.as_str()).collect()
    }
}

fn layout(kind: StorageKind) -> Result<Storage> {
    Storage::new(kind.attlen, kind.align).ok_or_else(|| {
        Error::invalid(format!(
            "attlen {} with alignment {} is no storage of PostgreSQL's",
            kind.attlen, kind.align
        ))
    })
}

/// One thread's state for heap tasks: the rewriter of the relation it is at.
pub(super) struct HeapWorker<'a> {
    relations: &'a [Relation<'a>],
    totals: &'a Totals,
    workspace: Workspace,
    current: Option<(usize, HeapRewriter<'a>)>,
}

impl<'a> HeapWorker<'a> {
    pub(super) fn new(relations: &'a [Relation<'a>], totals: &'a Totals) -> Self {
        HeapWorker { relations, totals, workspace: Workspace::new(), current: None }
    }

    /// The rewriter for `relation`; hands in the results of the one before.
    pub(super) fn at(
        &mut self,
        relation: usize,
    ) -> Result<(&mut Workspace, &mut HeapRewriter<'a>)> {
        if self.current.as_ref().is_none_or(|(current, _)| *current != relation) {
            self.hand_in();
            let planned = self
                .relations
                .get(relation)
                .ok_or_else(|| Error::invalid("a task names a relation that is not planned"))?;
            self.current = Some((relation, planned.rewriter(relation, &self.totals.shuffles)));
        }
        match &mut self.current {
            Some((_, rewriter)) => Ok((&mut self.workspace, rewriter)),
            None => Err(Error::invalid("a task names no relation")),
        }
    }

    fn hand_in(&mut self) {
        let Some((relation, mut rewriter)) = self.current.take() else { return };
        self.totals.values_masked.fetch_add(rewriter.values_masked, Ordering::Relaxed);
        let kept = std::mem::take(&mut rewriter.kept_toast);
        let masked = std::mem::take(&mut rewriter.masked_toast);
        if !kept.is_empty() || !masked.is_empty() {
            let mut all = self.totals.references.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(relation).or_default().absorb(kept, masked);
        }
        let Some(plan) = self.relations.get(relation).map(|relation| relation.plan) else { return };
        for (slot, column) in rewriter.into_columns().enumerate() {
            let attribute = attribute_of(plan, slot);
            match column {
                Column::Mask(column) => {
                    self.totals.absorb_domain(relation, attribute, column.smallest_domain());
                    let (value_type, sampler) = column.into_sampler();
                    self.totals.absorb(relation, attribute, value_type, sampler);
                }
                Column::Structured(mut column) => {
                    self.totals.absorb_domain(relation, attribute, column.smallest_domain());
                    let (samplers, unknown) = column.into_parts();
                    for (value_type, sampler) in samplers {
                        self.totals.absorb(relation, attribute, value_type, sampler);
                    }
                    self.totals.absorb_unknown(relation, attribute, unknown);
                }
                Column::Shuffle(column) => {
                    if let Some((value_type, sampler)) = column.into_sampler() {
                        self.totals.absorb(relation, attribute, value_type, sampler);
                    }
                }
                Column::Keep | Column::Zero => {}
            }
        }
    }
}

impl Drop for HeapWorker<'_> {
    fn drop(&mut self) {
        self.hand_in();
    }
}

/// One thread's state for the tasks of one database's `pg_attribute`.
pub(super) struct MissingWorker<'a> {
    totals: &'a Totals,
    /// Relation and attribute that each masked column is.
    places: HashMap<(u32, i16), (usize, usize)>,
    pub(super) workspace: Workspace,
    pub(super) rewriter: MissingRewriter<'a>,
}

impl<'a> MissingWorker<'a> {
    pub(super) fn new(
        plan: &MissingValuesPlan,
        database: &DatabasePlan,
        relations: &'a [Relation<'a>],
        totals: &'a Totals,
    ) -> Result<Self> {
        let mut places = HashMap::new();
        let mut columns = HashMap::new();
        let of_database = |relation: &Relation<'_>| relation.database.oid == database.oid;
        for (number, relation) in relations.iter().enumerate().filter(|(_, r)| of_database(r)) {
            let attributes = relation.plan.attributes.iter().zip(&relation.masks).enumerate();
            for (index, (attribute, mask)) in attributes {
                if let (Some(mask), true) = (mask, attribute.has_missing)
                    && let Ok(attnum) = i16::try_from(index + 1)
                {
                    let place = (relation.plan.oid.0, attnum);
                    places.insert(place, (number, index));
                    let column = MissingColumn {
                        masker: mask.masker(),
                        storage: layout(attribute.storage)?,
                        constants: Vec::new(),
                    };
                    columns.insert(place, column);
                }
            }
        }
        let storage = plan.storage.iter().map(|kind| layout(*kind)).collect::<Result<_>>()?;
        let rewriter = MissingRewriter {
            storage,
            attrelid: plan.attrelid,
            attnum: plan.attnum,
            attmissingval: plan.attmissingval,
            columns,
            values_masked: 0,
        };
        Ok(MissingWorker { totals, places, workspace: Workspace::new(), rewriter })
    }
}

impl Drop for MissingWorker<'_> {
    fn drop(&mut self) {
        let masked = self.rewriter.values_masked;
        self.totals.values_masked.fetch_add(masked, Ordering::Relaxed);
        for (place, column) in self.rewriter.columns.drain() {
            if let Some(place) = self.places.get(&place) {
                let mut all = self.totals.samplers.lock().unwrap_or_else(PoisonError::into_inner);
                for (value_type, constant) in column.constants {
                    if let Some(sampler) = all.get_mut(&(place.0, place.1, value_type)) {
                        sampler.exclude(&[constant]);
                    }
                }
                drop(all);
                let unknown = column.masker.into_unknown_paths();
                self.totals.absorb_unknown(place.0, place.1, unknown);
            }
        }
    }
}
