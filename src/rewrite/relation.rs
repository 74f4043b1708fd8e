//! A planned relation on one thread: its masks, and what the threads add up.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::heap::{Column, HeapRewriter, MaskedColumn};
use super::missing::{MissingColumn, MissingRewriter};
use super::pass::{Target, Workspace};
use super::sample::Sampler;
use crate::error::{Error, Result};
use crate::mask::{Mask, MaskKey};
use crate::page::Storage;
use crate::plan::{Action, DatabasePlan, MissingValuesPlan, RelationPlan, StorageKind};

/// A planned relation with its masks compiled.
pub(super) struct Relation<'a> {
    pub(super) database: &'a DatabasePlan,
    pub(super) plan: &'a RelationPlan,
    storage: Vec<Storage>,
    masks: Vec<Option<Mask>>,
    /// Original values to draw per masked column.
    sample_size: usize,
}

/// What the threads add up.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) values_masked: AtomicU64,
    /// By relation and attribute.
    pub(super) samplers: Mutex<BTreeMap<(usize, usize), Sampler>>,
    /// By relation: TOAST values that kept attributes refer to.
    pub(super) kept_toast: Mutex<BTreeMap<usize, HashSet<u32>>>,
}

impl Totals {
    fn absorb(&self, relation: usize, attribute: usize, sampler: Sampler) {
        let mut all = self.samplers.lock().unwrap_or_else(PoisonError::into_inner);
        match all.entry((relation, attribute)) {
            Entry::Occupied(mut drawn) => drawn.get_mut().absorb(&sampler),
            Entry::Vacant(vacant) => {
                vacant.insert(sampler);
            }
        }
    }
}

impl<'a> Relation<'a> {
    pub(super) fn compile(
        database: &'a DatabasePlan,
        plan: &'a RelationPlan,
        key: &MaskKey,
        sample_size: usize,
    ) -> Result<Relation<'a>> {
        let storage = plan.attributes.iter().map(|attribute| layout(attribute.storage));
        let masks = plan.attributes.iter().map(|attribute| match &attribute.action {
            Action::Mask(spec) => Mask::compile(spec, key).map(Some),
            Action::Keep | Action::Zero => Ok(None),
        });
        Ok(Relation {
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

    fn rewriter(&self) -> HeapRewriter<'_> {
        let columns = self.plan.attributes.iter().zip(&self.masks);
        let columns = columns.map(|(attribute, mask)| match (&attribute.action, mask) {
            (Action::Mask(spec), Some(mask)) => {
                let sampler = Sampler::new(self.sample_size);
                Column::Mask(Box::new(MaskedColumn::new(mask.masker(), spec.value_type, sampler)))
            }
            (Action::Zero, _) => Column::Zero,
            _ => Column::Keep,
        });
        HeapRewriter::new(self.storage.clone(), columns.collect())
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
            self.current = Some((relation, planned.rewriter()));
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
        if !kept.is_empty() {
            let mut all = self.totals.kept_toast.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(relation).or_default().extend(kept);
        }
        for (attribute, sampler) in rewriter.into_samplers() {
            self.totals.absorb(relation, attribute, sampler);
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
                if let (Action::Mask(spec), Some(mask), true) =
                    (&attribute.action, mask, attribute.has_missing)
                    && let Ok(attnum) = i16::try_from(index + 1)
                {
                    let place = (relation.plan.oid.0, attnum);
                    places.insert(place, (number, index));
                    let column = MissingColumn {
                        masker: mask.masker(),
                        value_type: spec.value_type,
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
                if let Some(sampler) = all.get_mut(place) {
                    sampler.exclude(&column.constants);
                }
            }
        }
    }
}
