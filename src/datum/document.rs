//! What `json` and `jsonb` have in common: scalars in objects and arrays.

use super::DatumError;

/// Containers within containers; what PostgreSQL's own stack holds is of this order.
pub(crate) const MAX_DEPTH: usize = 1000;

/// A scalar that is not null.
#[derive(Debug)]
pub(crate) enum Scalar<'v> {
    /// A string: its characters in `jsonb`, what stands between the quotes in `json`.
    Text(&'v mut [u8]),
    /// A number: a `numeric` without varlena header in `jsonb`, its digits in `json`.
    Number(&'v mut [u8]),
    /// May be turned over in `jsonb`; in `json` there is room for `true` alone.
    Boolean(&'v mut bool),
}

/// Who watches a walk over all scalars. A place is the visitor's own: a container's members get
/// theirs from the container's.
pub(crate) trait Visitor {
    /// Where a value is, as far as the visitor cares.
    type Place: Copy;
    /// The place of the value under `key`.
    fn member(&mut self, object: Self::Place, key: &[u8]) -> Self::Place;
    /// The place of an array's element, counted from 0.
    fn element(&mut self, array: Self::Place, index: usize) -> Self::Place;
    /// A scalar that is not null. `trail` leads to it from the root.
    fn scalar(
        &mut self,
        place: Self::Place,
        trail: &Trail<'_>,
        scalar: Scalar<'_>,
    ) -> Result<(), DatumError>;
}

/// The way from the root to a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trail<'t> {
    /// The root itself.
    Root,
    /// An element of the array there, by its number.
    Element(&'t Trail<'t>, usize),
    /// What the object there holds under a key.
    Member(&'t Trail<'t>, &'t [u8]),
}
