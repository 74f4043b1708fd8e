//! What a mask's function depends on, but for the key.

use serde::{Deserialize, Serialize};

use crate::datum::{Encoding, EnumLabels, ValueType};
use crate::rules::{MaskName, MaskOptions};

/// A mask with its domain and type: all that its function depends on, but for the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskSpec {
    /// Which mask; never `keep`.
    pub mask: MaskName,
    /// The domain: equal values in one domain mask to equal values.
    pub domain: String,
    /// The column's type.
    pub value_type: ValueType,
    /// The encoding of the column's database; means nothing to types that hold no text.
    #[serde(default)]
    pub encoding: Encoding,
    /// The mask's options.
    pub options: MaskOptions,
    /// The labels of an `enum`; none for other types.
    #[serde(default, skip_serializing_if = "EnumLabels::is_empty")]
    pub labels: EnumLabels,
}
