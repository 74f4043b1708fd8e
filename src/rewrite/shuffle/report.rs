//! What came of shuffling, in counts.

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::gather::{ColumnValues, Shuffles};
use crate::error::{Error, Refusal, Result};
use crate::mask::{Alone, ColumnMask};
use crate::rewrite::relation::Relation;
use crate::rules::{ColumnRule, MaskName, rule_line};

/// A shuffled column. Its values are still in it: in other rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShuffleReport {
    /// Database.
    pub database: String,
    /// `schema.table`.
    pub table: String,
    /// Column.
    pub column: String,
    /// Values of live rows, those that are alone included.
    pub values: u64,
    /// Classes: values change places with others that are stored in as many bytes.
    pub classes: u64,
    /// Values in the smallest class that has different ones; 0 if there is none.
    pub smallest: u64,
    /// Values that had no other to change places with, by its size.
    pub alone: u64,
    /// Rows that got a value that equals their own.
    pub unchanged: u64,
}

impl ColumnValues {
    /// Values without another to change places with, and how many classes they are of.
    fn alone(&self) -> (u64, usize) {
        let alone = self.classes.values().filter(|values| !values.varied);
        alone.fold((0, 0), |(values, classes), class| (values + class.len, classes + 1))
    }
}

/// Reports of all shuffled columns.
pub(in crate::rewrite) fn reports(
    relations: &[Relation<'_>],
    shuffles: &Shuffles,
) -> Vec<ShuffleReport> {
    let reports = shuffles.columns.iter().filter_map(|((relation, attribute), column)| {
        let Relation { database, plan, .. } = relations.get(*relation)?;
        let varied = column.classes.values().filter(|class| class.varied);
        Some(ShuffleReport {
            database: database.name.clone(),
            table: format!("{}.{}", plan.schema, plan.name),
            column: plan.attributes.get(*attribute)?.name.clone(),
            values: column.classes.values().map(|class| class.len).sum(),
            classes: column.classes.len() as u64,
            smallest: varied.map(|class| class.len).min().unwrap_or_default(),
            alone: column.alone().0,
            unchanged: column.unchanged.load(Ordering::Relaxed),
        })
    });
    reports.collect()
}

/// Refuses the snapshot where values are alone, and the rules do not say what becomes of them.
pub(in crate::rewrite) fn refuse_alone(
    relations: &[Relation<'_>],
    shuffles: &Shuffles,
) -> Result<()> {
    let refusals = shuffles.columns.iter().filter_map(|((relation, attribute), column)| {
        let Relation { database, plan, masks, .. } = relations.get(*relation)?;
        let denied = matches!(
            masks.get(*attribute)?,
            Some(ColumnMask::Shuffle(shuffle)) if matches!(shuffle.alone, Alone::Deny)
        );
        let (values, classes) = column.alone();
        if !denied || values == 0 {
            return None;
        }
        let name = &plan.attributes.get(*attribute)?.name;
        let of_all: u64 = column.classes.values().map(|class| class.len).sum();
        let line = |alone: &str| {
            let mut rule = ColumnRule::new(MaskName::Shuffle);
            rule.options.alone = Some(alone.to_owned());
            rule_line(name, &rule)
        };
        let refusal = Refusal::new(
            "shuffle_alone",
            format!(
                "{values} of its {of_all} values can't change places: no other value is stored in \
                 as many bytes ({classes} sizes)"
            ),
            format!(
                "say what becomes of them, or give the column another mask:\n{}\nor, leaving them in \
                 their rows,\n{}",
                line("redact"),
                line("keep")
            ),
        );
        let table = format!("{}.{}", plan.schema, plan.name);
        Some(refusal.database(&database.name).table(table).column(name))
    });
    let refusals: Vec<Refusal> = refusals.collect();
    if refusals.is_empty() { Ok(()) } else { Err(Error::Refused(refusals)) }
}
