//! Masks of values that hold values: each part has a mask of its own, and the frame around them
//! stays what it is.

mod bounds;
#[cfg(test)]
mod bounds_tests;
mod column_masker;
mod encoded;
mod number_order;
mod path_tree;
mod ranked;
mod regular;
mod regular_bounds;
mod scalar;
mod shuffle;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::bounds::{bounds_need_permutation, takes_bounds};
pub use self::column_masker::ColumnMasker;
pub use self::path_tree::PathTree;
pub(crate) use self::regular::regularize;
pub use self::scalar::{PathAction, PathMasks, ScalarMask, UnknownPaths};
pub use self::shuffle::{Alone, ShuffleMask};
use super::{MaskSpec, support};
use crate::datum::Layout;

/// What happens to a column's values. `M` is a mask in one of its forms: as planned, compiled, or
/// at work on a thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ColumnMask<M = MaskSpec> {
    /// A part that stays.
    Keep,
    /// A field that is dropped: what is left of it is zeroed.
    Zero,
    /// The value becomes NULL. What is inside reads the parts of originals; a whole column's
    /// mask alone is one.
    Null(Box<ColumnMask<M>>),
    /// A value as a whole.
    Value(M),
    /// Each element of an array.
    Array {
        /// How the elements are laid out.
        layout: Layout,
        /// What happens to them.
        element: Box<ColumnMask<M>>,
    },
    /// The fields of a composite, in `attnum` order, dropped ones included.
    Composite(Vec<FieldMask<M>>),
    /// Both bounds of a range.
    Range {
        /// How a bound is laid out.
        layout: Layout,
        /// The bounds' mask.
        bound: M,
    },
    /// All bounds of a multirange.
    Multirange {
        /// How a bound is laid out.
        layout: Layout,
        /// The bounds' mask.
        bound: M,
    },
    /// Scalars in a `json`, by path.
    Json(PathMasks<M>),
    /// Scalars in a `jsonb`, by path.
    Jsonb(PathMasks<M>),
    /// Values of an `hstore`, by key: paths of one step.
    Hstore(PathMasks<M>),
    /// Texts of an `xml`.
    Xml(M),
    /// Lexemes of a `tsvector`.
    TsVector(M),
    /// Whole values of a column, moved to other rows.
    Shuffle(ShuffleMask<M>),
    /// Lexemes of a `tsquery`.
    TsQuery(M),
}

/// What happens to a field of a composite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldMask<M = MaskSpec> {
    /// How it is laid out.
    pub layout: Layout,
    /// What happens to it.
    pub mask: ColumnMask<M>,
}

impl<M> ColumnMask<M> {
    /// The same with every mask in another form.
    pub fn try_map<'a, N, E>(
        &'a self,
        f: &mut dyn FnMut(&'a M) -> Result<N, E>,
    ) -> Result<ColumnMask<N>, E> {
        Ok(match self {
            ColumnMask::Keep => ColumnMask::Keep,
            ColumnMask::Zero => ColumnMask::Zero,
            ColumnMask::Null(reader) => ColumnMask::Null(Box::new(reader.try_map(f)?)),
            ColumnMask::Value(mask) => ColumnMask::Value(f(mask)?),
            ColumnMask::Array { layout, element } => {
                ColumnMask::Array { layout: *layout, element: Box::new(element.try_map(f)?) }
            }
            ColumnMask::Composite(fields) => {
                let fields = fields.iter().map(|FieldMask { layout, mask }| {
                    Ok(FieldMask { layout: *layout, mask: mask.try_map(f)? })
                });
                ColumnMask::Composite(fields.collect::<Result<_, E>>()?)
            }
            ColumnMask::Range { layout, bound } => {
                ColumnMask::Range { layout: *layout, bound: f(bound)? }
            }
            ColumnMask::Multirange { layout, bound } => {
                ColumnMask::Multirange { layout: *layout, bound: f(bound)? }
            }
            ColumnMask::Json(masks) => ColumnMask::Json(masks.try_map(f)?),
            ColumnMask::Jsonb(masks) => ColumnMask::Jsonb(masks.try_map(f)?),
            ColumnMask::Hstore(masks) => ColumnMask::Hstore(masks.try_map(f)?),
            ColumnMask::Xml(mask) => ColumnMask::Xml(f(mask)?),
            ColumnMask::TsVector(mask) => ColumnMask::TsVector(f(mask)?),
            ColumnMask::Shuffle(shuffle) => ColumnMask::Shuffle(shuffle.try_map(f)?),
            ColumnMask::TsQuery(mask) => ColumnMask::TsQuery(f(mask)?),
        })
    }
}

impl<M> ColumnMask<M> {
    /// Calls `f` for every mask in it.
    pub(crate) fn for_each(&mut self, f: &mut dyn FnMut(&mut M)) {
        match self {
            ColumnMask::Keep | ColumnMask::Zero => {}
            ColumnMask::Value(mask)
            | ColumnMask::Range { bound: mask, .. }
            | ColumnMask::Multirange { bound: mask, .. }
            | ColumnMask::Xml(mask)
            | ColumnMask::TsVector(mask)
            | ColumnMask::TsQuery(mask) => f(mask),
            ColumnMask::Array { element: mask, .. } | ColumnMask::Null(mask) => mask.for_each(f),
            ColumnMask::Shuffle(ShuffleMask { alone, .. }) => {
                if let Alone::Mask(mask) = alone {
                    f(mask);
                }
            }
            ColumnMask::Composite(fields) => {
                fields.iter_mut().for_each(|field| field.mask.for_each(f));
            }
            ColumnMask::Json(masks) | ColumnMask::Jsonb(masks) | ColumnMask::Hstore(masks) => {
                masks.for_each(f);
            }
        }
    }
}

impl ColumnMask {
    /// True if no two different values mask to equal ones.
    pub fn is_injective(&self) -> bool {
        match self {
            ColumnMask::Keep => true,
            ColumnMask::Value(spec) | ColumnMask::TsQuery(spec) => {
                support::is_injective(spec.mask, spec.value_type, &spec.options)
            }
            ColumnMask::Array { element, .. } => element.is_injective(),
            ColumnMask::Composite(fields) => fields
                .iter()
                .all(|field| matches!(field.mask, ColumnMask::Zero) || field.mask.is_injective()),
            _ => false,
        }
    }

    /// The mask, if it takes values as a whole.
    pub fn value(&self) -> Option<&MaskSpec> {
        match self {
            ColumnMask::Value(spec) => Some(spec),
            _ => None,
        }
    }

    /// True if values are moved among rows.
    pub fn is_shuffle(&self) -> bool {
        matches!(self, ColumnMask::Shuffle(_))
    }
}
