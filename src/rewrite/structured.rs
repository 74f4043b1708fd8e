//! Columns whose values have parts.

use std::collections::BTreeMap;

use super::relation::Relation;
use crate::datum::compressed::Part;
use crate::datum::{DatumError, ValueType};
use crate::error::{Error, Refusal, Result};
use crate::fingerprint::Notes;
use crate::mask::{ColumnMasker, UnknownPaths, Witness};

/// A masked column whose values have parts, on one thread.
pub(super) struct StructuredColumn<'m> {
    masker: ColumnMasker<'m>,
    notes: Notes<'m>,
}

impl<'m> StructuredColumn<'m> {
    pub(super) fn new(masker: ColumnMasker<'m>, notes: Notes<'m>) -> StructuredColumn<'m> {
        StructuredColumn { masker, notes }
    }

    /// Masks a stored value in place. Counts the parts masked; `regular` gets what of it may
    /// become more regular.
    pub(super) fn apply(
        &mut self,
        value: &mut [u8],
        regular: &mut Vec<Part>,
    ) -> Result<u64, DatumError> {
        let StructuredColumn { masker, notes } = self;
        let mut parts = Parts { notes, masked: 0 };
        masker.apply_noting(value, &mut parts, regular)?;
        let masked = parts.masked;
        notes.whole_output(value);
        Ok(masked)
    }

    /// Takes down a value as it is in the end.
    pub(super) fn note_output(&mut self, value: &[u8]) {
        self.notes.whole_output(value);
    }

    /// Whose the values are from now on.
    pub(super) fn set_subject(&mut self, subject: Option<&[u8]>) {
        self.masker.set_subject(subject);
    }

    /// True unless texts are in another server encoding.
    pub(super) fn is_utf8(&self) -> bool {
        self.masker.is_utf8()
    }

    /// See [`ColumnMasker::smallest_domain`].
    pub(super) fn smallest_domain(&mut self) -> Option<u64> {
        self.masker.smallest_domain()
    }

    /// Paths that no rule names.
    pub(super) fn into_unknown_paths(self) -> UnknownPaths {
        self.masker.into_unknown_paths()
    }
}

/// Counts parts, and takes them down.
struct Parts<'p, 'm> {
    notes: &'p mut Notes<'m>,
    masked: u64,
}

impl Witness for Parts<'_, '_> {
    fn original(&mut self, value_type: ValueType, part: &[u8]) {
        self.masked += 1;
        self.notes.count(value_type, std::iter::once(part.len()));
        self.notes.original(value_type, part);
    }

    fn output(&mut self, value_type: ValueType, part: &[u8]) {
        self.notes.output(value_type, part);
    }
}

/// Refuses the snapshot where values have scalars at paths that no rule names.
pub(super) fn refuse_unknown_paths(
    relations: &[Relation<'_>],
    unknown: &BTreeMap<(usize, usize), UnknownPaths>,
) -> Result<()> {
    let refusals = unknown.iter().filter_map(|((relation, attribute), paths)| {
        let Relation { database, plan, .. } = relations.get(*relation)?;
        let column = &plan.attributes.get(*attribute)?.name;
        let counts = paths.counts.iter().map(|(path, count)| format!("{path} ({count})"));
        let mut list = counts.collect::<Vec<_>>().join(", ");
        if paths.others > 0 {
            list += &format!(", and {} values at further paths", paths.others);
        }
        let lines = paths.counts.keys().map(|path| format!("{path:?} = \"text\""));
        let refusal = Refusal::new(
            "unknown_path",
            format!("values are at paths that no rule names: {list}"),
            format!(
                "name them with a mask or \"keep\", or say what happens to all others with \
                 default = \"text\" (or \"keep\"):\n{}",
                lines.collect::<Vec<_>>().join("\n")
            ),
        );
        let table = format!("{}.{}", plan.schema, plan.name);
        Some(refusal.database(&database.name).table(table).column(column))
    });
    let refusals: Vec<Refusal> = refusals.collect();
    if refusals.is_empty() { Ok(()) } else { Err(Error::Refused(refusals)) }
}
