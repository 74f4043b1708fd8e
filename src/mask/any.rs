//! A mask, thinveil's or a host's own, applied to many values.

use std::ops::Range;

use super::{CustomMask, Mask, NoWitness};
use crate::datum::{DatumError, ValueType};

/// A mask of either kind, for those who only apply it.
#[derive(Debug)]
pub enum AnyMask {
    /// A mask of thinveil's.
    Built(Mask),
    /// A mask of the host's.
    Custom(CustomMask),
}

impl AnyMask {
    /// The type of the values that it is for.
    pub fn value_type(&self) -> ValueType {
        match self {
            AnyMask::Built(mask) => mask.value_type(),
            AnyMask::Custom(mask) => mask.value_type(),
        }
    }

    /// Masks one stored value (without a varlena header) in place.
    pub fn apply(&self, value: &mut [u8]) -> Result<(), DatumError> {
        let whole = 0..value.len();
        self.apply_all(value, std::slice::from_ref(&whole)).map_err(|(_, error)| error)
    }

    /// Masks the stored values at these places of `bytes`. On an error, with the number of the value
    /// that it is about, some are masked and some are not.
    pub fn apply_all(
        &self,
        bytes: &mut [u8],
        values: &[Range<usize>],
    ) -> Result<(), (usize, DatumError)> {
        match self {
            AnyMask::Built(mask) => {
                mask.masker().apply_all(bytes, values, Range::clone, &mut NoWitness)
            }
            AnyMask::Custom(mask) => values.iter().enumerate().try_for_each(|(number, value)| {
                let value = bytes.get_mut(value.clone()).unwrap_or_default();
                mask.apply(value).map_err(|error| (number, error))
            }),
        }
    }
}

impl From<Mask> for AnyMask {
    fn from(mask: Mask) -> AnyMask {
        AnyMask::Built(mask)
    }
}

impl From<CustomMask> for AnyMask {
    fn from(mask: CustomMask) -> AnyMask {
        AnyMask::Custom(mask)
    }
}
