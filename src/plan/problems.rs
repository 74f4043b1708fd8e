//! Every problem of a plan, gathered before one is reported.

use crate::error::{Error, Refusal, Result};

#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Refusal>);

impl Problems {
    pub(super) fn push(&mut self, refusal: Refusal) {
        self.0.push(refusal);
    }

    /// `value`, unless there are problems: then all of them, in order of database, table, column.
    pub(super) fn or<T>(mut self, value: T) -> Result<T> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort_by(|a, b| {
            (&a.database, &a.table, &a.column, a.code, &a.message).cmp(&(
                &b.database,
                &b.table,
                &b.column,
                b.code,
                &b.message,
            ))
        });
        self.0.dedup();
        Err(Error::Refused(self.0))
    }
}
