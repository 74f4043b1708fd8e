//! How well people hide among each other: k-anonymity of the quasi-identifiers that the rules
//! declare, as they stand in the masked tables. Counts only.

use serde::{Deserialize, Serialize};

use super::session::Session;
use crate::cluster::quote_ident;
use crate::error::Result;
use crate::plan::DatabasePlan;

/// Groups smaller than this are counted.
const SMALL: i64 = 5;

/// What was measured of one table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Anonymity {
    /// Database.
    pub database: String,
    /// `schema.table`.
    pub table: String,
    /// The quasi-identifiers that still say something: unmasked, or in buckets.
    pub columns: Vec<String>,
    /// Those whose mask hides the value.
    pub masked: Vec<String>,
    /// Rows.
    pub rows: i64,
    /// Groups of rows with equal values.
    pub groups: i64,
    /// Rows in the smallest group; 0 if there are no rows.
    pub k_min: i64,
    /// Rows in groups of fewer than five.
    pub rows_under_5: i64,
}

/// Measures every table that declares quasi-identifiers.
pub(super) fn measure(session: &mut Session, plan: &DatabasePlan) -> Result<Vec<Anonymity>> {
    let mut measured = Vec::new();
    for declared in &plan.quasi_identifiers {
        let name = format!("{}.{}", quote_ident(&declared.schema), quote_ident(&declared.table));
        // As text: every type has one, not every type has an equality.
        let columns =
            declared.columns.iter().map(|column| format!("{}::text", quote_ident(column)));
        let columns: Vec<String> = columns.collect();
        let by = if columns.is_empty() { "()".to_owned() } else { columns.join(", ") };
        let query = format!(
            "SELECT count(*), coalesce(sum(n), 0)::int8, coalesce(min(n), 0),
                    coalesce(sum(n) FILTER (WHERE n < {SMALL}), 0)::int8
             FROM (SELECT count(*) AS n FROM {name} GROUP BY {by} HAVING count(*) > 0) AS g"
        );
        for row in session.query(&format!("measure the anonymity of {name}"), &query, &[])? {
            measured.push(Anonymity {
                database: plan.name.clone(),
                table: format!("{}.{}", declared.schema, declared.table),
                columns: declared.columns.clone(),
                masked: declared.masked.clone(),
                rows: row.get(1),
                groups: row.get(0),
                k_min: row.get(2),
                rows_under_5: row.get(3),
            });
        }
    }
    Ok(measured)
}
