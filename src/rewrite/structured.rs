//! Columns whose values have parts.

use std::collections::BTreeMap;
use std::ops::Range;

use super::relation::Relation;
use super::sample::Sampler;
use crate::datum::{DatumError, ValueType};
use crate::error::{Error, Refusal, Result};
use crate::mask::{ColumnMasker, UnknownPaths};

/// A masked column whose values have parts, on one thread: a sample for each type of part.
pub(super) struct StructuredColumn<'m> {
    masker: ColumnMasker<'m>,
    sample_size: usize,
    samplers: BTreeMap<ValueType, Sampler>,
}

impl<'m> StructuredColumn<'m> {
    pub(super) fn new(masker: ColumnMasker<'m>, sample_size: usize) -> StructuredColumn<'m> {
        StructuredColumn { masker, sample_size, samplers: BTreeMap::new() }
    }

    /// Masks a stored value in place. Counts the parts masked; `text` gets those that are text
    /// and may become any other.
    pub(super) fn apply(
        &mut self,
        value: &mut [u8],
        text: &mut Vec<Range<usize>>,
    ) -> Result<u64, DatumError> {
        let StructuredColumn { masker, sample_size, samplers } = self;
        let mut masked = 0;
        let mut original = |value_type: ValueType, part: &[u8]| {
            masked += 1;
            let sampler = samplers.entry(value_type).or_insert_with(|| Sampler::new(*sample_size));
            sampler.offer(value_type, part);
            sampler.count(value_type, std::iter::once(part.len()));
        };
        masker.apply_noting(value, &mut original, text)?;
        Ok(masked)
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

    /// Its samples, and paths that no rule names.
    pub(super) fn into_parts(self) -> (BTreeMap<ValueType, Sampler>, UnknownPaths) {
        (self.samplers, self.masker.into_unknown_paths())
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
