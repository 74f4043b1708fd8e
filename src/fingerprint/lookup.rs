//! Single values, looked up among all that was collected.

use std::fmt;

use super::bucket::bucket_of;
use super::collect::WHOLE;
use super::gathered::Gathered;
use super::value::comparable;
use crate::datum::ValueType;
use crate::error::Result;

/// An original value, as it is known. `Debug` prints nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Original(u64);

impl fmt::Debug for Original {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Original")
    }
}

impl Gathered {
    /// The original with these stored bytes, and the masked columns, by number, that it is a value
    /// of. None where it is masked output as well, or forgotten.
    pub(crate) fn find(
        &self,
        value_type: ValueType,
        value: &[u8],
    ) -> Result<Option<(Original, &[u32])>> {
        let hash = self.key.full(comparable(value_type, value));
        if self.forgotten.contains(&hash) {
            return Ok(None);
        }
        let found = self.originals.get(bucket_of(hash)).map(|bucket| bucket.find(hash));
        let found = found.transpose()?.flatten();
        Ok(found.map(|entry| (Original(hash), self.columns_of(entry.column))))
    }

    /// Takes a value out of the originals: it may stand elsewhere by the user's word. True if it
    /// was one of them.
    pub fn forget(&mut self, original: Original) -> bool {
        self.forgotten.insert(original.0)
    }

    /// True if this value of a column is one that a mask made. One with parts is of no type.
    pub(crate) fn is_output(&self, value_type: Option<ValueType>, value: &[u8]) -> Result<bool> {
        let value = comparable(value_type.unwrap_or(WHOLE), value);
        let hash = self.key.full(value);
        let found = self.outputs.get(bucket_of(hash)).map(|bucket| bucket.find(hash));
        Ok(found.transpose()?.flatten().is_some())
    }
}
