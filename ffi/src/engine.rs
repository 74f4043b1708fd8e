//! A mask, thinveil's or a host's own, applied to many values.

use std::ops::Range;

#[cfg(feature = "arrow")]
use thinveil::datum::ValueType;
use thinveil::mask::{CustomMask, Mask, NoWitness};

use crate::failure::{Failure, Result};
use crate::status::TV_ERROR_CUSTOM_MASK;

/// What a `tv_mask` stands for.
pub(crate) enum Engine {
    /// A mask of thinveil's.
    Built(Mask),
    /// A mask of the host's.
    Custom(CustomMask),
}

impl Engine {
    #[cfg(feature = "arrow")]
    pub(crate) fn value_type(&self) -> ValueType {
        match self {
            Engine::Built(mask) => mask.value_type(),
            Engine::Custom(mask) => mask.value_type(),
        }
    }

    /// Masks one value in place.
    pub(crate) fn apply(&self, value: &mut [u8]) -> Result {
        let whole = 0..value.len();
        self.apply_all(value, std::slice::from_ref(&whole)).map_err(|(_, failure)| failure)
    }

    /// Masks the values at these places of `bytes`. On an error, with the number of the value that
    /// it is about, some are masked and some are not.
    pub(crate) fn apply_all(
        &self,
        bytes: &mut [u8],
        values: &[Range<usize>],
    ) -> Result<(), (usize, Failure)> {
        match self {
            Engine::Built(mask) => mask
                .masker()
                .apply_all(bytes, values, Range::clone, &mut NoWitness)
                .map_err(|(number, error)| (number, error.into())),
            Engine::Custom(mask) => values.iter().enumerate().try_for_each(|(number, value)| {
                let value = bytes.get_mut(value.clone()).unwrap_or_default();
                mask.apply(value)
                    .map_err(|error| (number, Failure::new(TV_ERROR_CUSTOM_MASK, error.0)))
            }),
        }
    }
}
