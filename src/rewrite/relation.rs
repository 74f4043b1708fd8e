//! A planned relation on one thread: its masks, and what the threads add up.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::by_row::{Row, attribute_of};
use super::heap::{Column, HeapRewriter};
use super::masked::{KeptBeside, MaskedColumn};
use super::missing::{MissingColumn, MissingRewriter};
use super::nulls::{NullColumn, NullCounts, Nulls};
use super::pass::{Target, Workspace};
use super::shuffle::{ShuffledColumn, Shuffles};
use super::sorter::Room;
use super::structured::StructuredColumn;
use super::toast::References;
use crate::datum::ValueType;
use crate::error::{Error, Result};
use crate::fingerprint::Collector;
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
    /// Takes down its values,
    collector: &'a Collector,
    /// of columns whose numbers start here.
    first_column: u32,
}

/// What the threads add up.
pub(super) struct Totals {
    pub(super) values_masked: AtomicU64,
    /// By relation and attribute: paths that no rule names.
    pub(super) unknown_paths: Mutex<BTreeMap<(usize, usize), UnknownPaths>>,
    /// By relation and attribute: the smallest domain that a permutation had for a value.
    pub(super) smallest_domains: Mutex<BTreeMap<(usize, usize), u64>>,
    /// What became NULL.
    pub(super) nulls: Mutex<NullCounts>,
    /// By relation: the TOAST values that its attributes refer to.
    pub(super) references: Mutex<BTreeMap<usize, References>>,
    /// Where lists of TOAST values and their chunks go.
    pub(super) room: Arc<Room>,
    /// The values of shuffled columns, gathered beforehand.
    pub(super) shuffles: Shuffles,
}

impl Totals {
    pub(super) fn new(room: Arc<Room>, shuffles: Shuffles) -> Totals {
        Totals {
            values_masked: AtomicU64::new(0),
            unknown_paths: Mutex::default(),
            smallest_domains: Mutex::default(),
            nulls: Mutex::default(),
            references: Mutex::default(),
            room,
            shuffles,
        }
    }

    /// The TOAST values that a relation refers to, among those of `all`.
    pub(super) fn references_of<'r>(
        &self,
        relation: usize,
        all: &'r mut BTreeMap<usize, References>,
    ) -> &'r mut References {
        all.entry(relation).or_insert_with(|| References::new(&self.room))
    }

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
        collector: &'a Collector,
        first_column: u32,
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
            collector,
            first_column,
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
                let notes = self.collector.notes(self.column_number(index));
                let place = (number, index);
                let column = ShuffledColumn::new(shuffles, place, mask, self.pgdata, notes);
                column.map_or(Column::Zero, |column| Column::Shuffle(Box::new(column)))
            }
            _ => self.column(index, mask.as_ref()),
        });
        let slots = (self.plan.attributes.len()..).zip(&self.otherwise);
        let otherwise = slots.map(|(slot, mask)| {
            let attribute = attribute_of(self.plan, slot);
            match mask {
                Some(_) => self.column(attribute, mask.as_ref()),
                None => Column::KeepBeside(Box::new(KeptBeside {
                    notes: self.collector.notes(self.column_number(attribute)),
                    value_type: self.value_type(attribute),
                })),
            }
        });
        let columns = columns.chain(otherwise).collect();
        HeapRewriter::new(self.plan, self.storage.clone(), columns, self.row())
    }

    /// What its masks look at in other columns.
    pub(super) fn row(&self) -> Option<Box<Row<'_>>> {
        Row::new(self.plan, &self.masks, self.pgdata)
    }

    /// The number of a column in fingerprints.
    fn column_number(&self, attribute: usize) -> u32 {
        self.first_column + attribute as u32
    }

    /// The type of a column's values, unless they have parts.
    fn value_type(&self, attribute: usize) -> Option<ValueType> {
        match self.masks.get(attribute) {
            Some(Some(ColumnMask::Value(mask))) => Some(mask.value_type()),
            _ => None,
        }
    }

    fn column<'m>(&'m self, attribute: usize, mask: Option<&'m ColumnMask<Mask>>) -> Column<'m> {
        let notes = || self.collector.notes(self.column_number(attribute));
        match mask {
            Some(ColumnMask::Value(mask)) => {
                let masker = mask.masker();
                Column::Mask(Box::new(MaskedColumn::new(masker, mask.value_type(), notes())))
            }
            Some(ColumnMask::Null(reader)) => {
                Column::Null(Box::new(NullColumn::new(self.column(attribute, Some(reader)))))
            }
            Some(mask) => {
                Column::Structured(Box::new(StructuredColumn::new(mask.masker(), notes())))
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

    /// Hands in what masked attributes were found to refer to.
    pub(super) fn hand_in_references(&mut self) -> Result<()> {
        match &mut self.current {
            Some((relation, rewriter)) if !rewriter.masked_toast.is_empty() => {
                let mut all = self.totals.references.lock().unwrap_or_else(PoisonError::into_inner);
                let references = self.totals.references_of(*relation, &mut all);
                references.add_masked(&mut rewriter.masked_toast)
            }
            _ => Ok(()),
        }
    }

    fn hand_in(&mut self) {
        let Some((relation, rewriter)) = self.current.take() else { return };
        self.totals.values_masked.fetch_add(rewriter.values_masked, Ordering::Relaxed);
        let mut nulls = self.totals.nulls.lock().unwrap_or_else(PoisonError::into_inner);
        nulls.add(rewriter.null_counts());
        drop(nulls);
        if !rewriter.kept_toast.is_empty() {
            let mut all = self.totals.references.lock().unwrap_or_else(PoisonError::into_inner);
            self.totals.references_of(relation, &mut all).kept |= &rewriter.kept_toast;
        }
        let Some(plan) = self.relations.get(relation).map(|relation| relation.plan) else { return };
        for (slot, column) in rewriter.into_columns().enumerate() {
            let attribute = attribute_of(plan, slot);
            match column {
                Column::Mask(column) => {
                    self.totals.absorb_domain(relation, attribute, column.smallest_domain());
                }
                Column::Structured(mut column) => {
                    self.totals.absorb_domain(relation, attribute, column.smallest_domain());
                    let unknown = column.into_unknown_paths();
                    self.totals.absorb_unknown(relation, attribute, unknown);
                }
                Column::Shuffle(column) => column.finish(),
                Column::Keep | Column::KeepBeside(_) | Column::Zero | Column::Null(_) => {}
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
                        becomes_null: matches!(mask, ColumnMask::Null(_)),
                        storage: layout(attribute.storage)?,
                        notes: relation.collector.notes(relation.column_number(index)),
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
            atthasmissing: plan.atthasmissing,
            attmissingval: plan.attmissingval,
            columns,
            values_masked: 0,
            nulls: Nulls::new(),
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
                let unknown = column.masker.into_unknown_paths();
                self.totals.absorb_unknown(place.0, place.1, unknown);
            }
        }
    }
}
