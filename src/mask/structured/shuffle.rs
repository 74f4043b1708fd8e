//! Values moved among rows: what the plan says of them.

use serde::{Deserialize, Serialize};

use crate::rules::MaskName;

/// Values of a column that change places among its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShuffleMask<M> {
    /// The domain: with the key, it decides on the order.
    pub domain: String,
    /// What becomes of values that have none to change places with.
    pub alone: Alone<M>,
}

/// What becomes of a value that no other value of its column can take the place of: none is stored
/// in the same form and as many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Alone<M> {
    /// There is no snapshot.
    Deny,
    /// It stays in its row.
    Keep,
    /// It is masked there.
    Mask(M),
}

impl<M> ShuffleMask<M> {
    pub(super) fn try_map<'a, N, E>(
        &'a self,
        f: &mut dyn FnMut(&'a M) -> Result<N, E>,
    ) -> Result<ShuffleMask<N>, E> {
        let alone = match &self.alone {
            Alone::Deny => Alone::Deny,
            Alone::Keep => Alone::Keep,
            Alone::Mask(mask) => Alone::Mask(f(mask)?),
        };
        Ok(ShuffleMask { domain: self.domain.clone(), alone })
    }
}

impl Alone<MaskName> {
    /// By the name that a rule has for it; the message says which there are.
    pub(crate) fn named(name: Option<&str>) -> Result<Alone<MaskName>, String> {
        Ok(match name {
            None | Some("deny") => Alone::Deny,
            Some("keep") => Alone::Keep,
            Some("blank") => Alone::Mask(MaskName::Blank),
            Some("redact") => Alone::Mask(MaskName::Redact),
            Some(name) => {
                return Err(format!("alone = {name:?}: there are deny, keep, blank and redact"));
            }
        })
    }
}
