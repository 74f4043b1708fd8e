//! Scalars in documents: by path, each with a mask for its type.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PathTree;
use crate::datum::compressed::{Form, Part};
use crate::datum::document::{Scalar, Trail, Visitor};
use crate::datum::{DatumError, Layout, ValueType};
use crate::mask::{MaskSpec, Masker, Witness};

/// What happens to scalars, by path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathMasks<M = MaskSpec> {
    /// Which action is for which path.
    pub tree: PathTree,
    /// What happens to scalars at the paths that rules name.
    pub actions: Vec<PathAction<M>>,
    /// What happens to the others.
    pub default: PathAction<M>,
}

/// What happens to the scalars at a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PathAction<M = MaskSpec> {
    /// They should not be there: they are counted, and the snapshot is refused.
    Deny,
    /// They stay.
    Keep,
    /// They are masked.
    Mask(ScalarMask<M>),
}

/// A mask for each type of scalar. Nulls stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalarMask<M = MaskSpec> {
    /// For strings.
    pub text: M,
    /// For numbers.
    pub number: M,
    /// What booleans become.
    pub boolean: bool,
}

impl<M> PathMasks<M> {
    pub(super) fn try_map<'a, N, E>(
        &'a self,
        f: &mut dyn FnMut(&'a M) -> Result<N, E>,
    ) -> Result<PathMasks<N>, E> {
        Ok(PathMasks {
            tree: self.tree.clone(),
            actions: self
                .actions
                .iter()
                .map(|action| action.try_map(f))
                .collect::<Result<_, E>>()?,
            default: self.default.try_map(f)?,
        })
    }

    pub(super) fn for_each(&mut self, f: &mut dyn FnMut(&mut M)) {
        for action in self.actions.iter_mut().chain([&mut self.default]) {
            if let PathAction::Mask(ScalarMask { text, number, .. }) = action {
                f(text);
                f(number);
            }
        }
    }

    /// The action for a state of the tree.
    #[inline]
    pub(super) fn action(&mut self, state: usize) -> &mut PathAction<M> {
        let PathMasks { tree, actions, default } = self;
        tree.action(state).and_then(|action| actions.get_mut(action)).unwrap_or(default)
    }
}

impl<M> PathAction<M> {
    fn try_map<'a, N, E>(
        &'a self,
        f: &mut dyn FnMut(&'a M) -> Result<N, E>,
    ) -> Result<PathAction<N>, E> {
        Ok(match self {
            PathAction::Deny => PathAction::Deny,
            PathAction::Keep => PathAction::Keep,
            PathAction::Mask(ScalarMask { text, number, boolean }) => {
                PathAction::Mask(ScalarMask {
                    text: f(text)?,
                    number: f(number)?,
                    boolean: *boolean,
                })
            }
        })
    }
}

/// Paths that are remembered by name.
const PATHS_KEPT: usize = 100;

/// Paths that no rule names, with how often they were met. They are made of keys, never of values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnknownPaths {
    /// Scalars by path; at most a hundred paths.
    pub counts: BTreeMap<String, u64>,
    /// Scalars at other paths.
    pub others: u64,
}

impl UnknownPaths {
    /// True if every path had a rule.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.others == 0
    }

    /// Counts scalars at a path.
    pub fn add(&mut self, path: String, count: u64) {
        if self.counts.len() < PATHS_KEPT || self.counts.contains_key(&path) {
            *self.counts.entry(path).or_default() += count;
        } else {
            self.others += count;
        }
    }

    /// Takes in what another thread met.
    pub fn absorb(&mut self, other: UnknownPaths) {
        self.others += other.others;
        for (path, count) in other.counts {
            self.add(path, count);
        }
    }
}

/// What every part of a value needs while it is masked.
pub(super) struct Watch<'w> {
    /// Told of each part before and after it is masked.
    pub(super) witness: &'w mut dyn Witness,
    pub(super) unknown: &'w mut UnknownPaths,
    /// Address of the whole value.
    pub(super) base: usize,
    /// What of it may become more regular.
    pub(super) parts: &'w mut Vec<Part>,
    /// True unless texts are in another server encoding.
    pub(super) is_utf8: bool,
}

impl Watch<'_> {
    /// Tells of a text before it is masked in its place.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.witness.original(ValueType::Text, text);
        self.note(Form::Text, text);
    }

    /// Takes down where a part is that may become more regular.
    pub(super) fn note(&mut self, form: Form, part: &[u8]) {
        if let Some(start) = part.as_ptr().addr().checked_sub(self.base) {
            Part::note(self.parts, form, start..start + part.len());
        }
    }

    /// The same for a range or a multirange. Texts that bound one are parts by themselves.
    pub(super) fn note_bounds(
        &mut self,
        bound: ValueType,
        layout: Layout,
        is_multirange: bool,
        value: &[u8],
    ) {
        if !bound.is_text() {
            self.note(Form::Bounds { bound, layout, is_multirange }, value);
        }
    }
}

/// Masks the scalars of a `jsonb`.
pub(super) struct JsonbVisitor<'v, 'w, 'm> {
    pub(super) masks: &'v mut PathMasks<Box<Masker<'m>>>,
    pub(super) watch: &'v mut Watch<'w>,
}

impl Visitor for JsonbVisitor<'_, '_, '_> {
    type Place = usize;

    fn member(&mut self, object: usize, key: &[u8]) -> usize {
        self.masks.tree.member(object, key)
    }

    fn element(&mut self, array: usize, index: usize) -> usize {
        self.masks.tree.element(array, index)
    }

    fn scalar(
        &mut self,
        place: usize,
        trail: &Trail<'_>,
        scalar: Scalar<'_>,
    ) -> Result<(), DatumError> {
        match (self.masks.action(place), scalar) {
            (PathAction::Keep, _) => Ok(()),
            (PathAction::Deny, _) => {
                self.watch.unknown.add(self.masks.tree.path(trail).to_string(), 1);
                Ok(())
            }
            (PathAction::Mask(mask), Scalar::Text(text)) => {
                self.watch.text(text);
                mask.text.apply(text)?;
                self.watch.witness.output(ValueType::Text, text);
                Ok(())
            }
            (PathAction::Mask(mask), Scalar::Number(number)) => {
                self.watch.witness.original(ValueType::Numeric, number);
                self.watch.note(ValueType::Numeric.into(), number);
                mask.number.apply(number)?;
                self.watch.witness.output(ValueType::Numeric, number);
                Ok(())
            }
            (PathAction::Mask(mask), Scalar::Boolean(truth)) => {
                *truth = mask.boolean;
                Ok(())
            }
        }
    }
}

/// Masks the value under a key of an `hstore`.
pub(super) fn mask_hstore(
    masks: &mut PathMasks<Box<Masker<'_>>>,
    key: &[u8],
    value: &mut [u8],
    watch: &mut Watch<'_>,
) -> Result<(), DatumError> {
    let state = masks.tree.member(0, key);
    match masks.action(state) {
        PathAction::Keep => Ok(()),
        PathAction::Deny => {
            watch.unknown.add(String::from_utf8_lossy(key).into_owned(), 1);
            Ok(())
        }
        PathAction::Mask(mask) => {
            watch.text(value);
            mask.text.apply(value)?;
            watch.witness.output(ValueType::Text, value);
            Ok(())
        }
    }
}
