//! `enum`: a value is the oid of a label, which only the catalog can order.

use serde::{Deserialize, Serialize};

/// The labels of an `enum`, in their sort order: `pg_enum.oid` and `enumlabel`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnumLabels(pub Vec<(u32, String)>);

impl EnumLabels {
    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// A label's place in the order.
    pub(crate) fn position(&self, oid: u32) -> Option<usize> {
        self.0.iter().position(|&(known, _)| known == oid)
    }

    /// The oid of the label in a place.
    pub(crate) fn oid(&self, position: usize) -> Option<u32> {
        self.0.get(position).map(|&(oid, _)| oid)
    }

    /// The oid of the label with this name.
    pub fn named(&self, name: &str) -> Option<u32> {
        self.0.iter().find(|(_, label)| label == name).map(|&(oid, _)| oid)
    }
}
