//! Sequences that feed masked columns. A mask changes the numbers in the column, not the counter:
//! it still tells where production's stood, so it is named.

use super::session::Session;
use crate::error::Result;
use crate::plan::{Action, DatabasePlan};

/// Sequences of serial and identity columns.
const OWNED_BY: &str = "
    SELECT DISTINCT format('%I.%I', n.nspname, s.relname)
    FROM unnest($1::oid[], $2::int4[]) AS m(relation, attnum)
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = m.relation
                    AND d.refobjsubid = m.attnum AND d.classid = 'pg_class'::regclass
                    AND d.deptype IN ('a', 'i')
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_namespace n ON n.oid = s.relnamespace
    ORDER BY 1";

/// Those of a database, as `database.schema.sequence`.
pub(super) fn over_masked(session: &mut Session, plan: &DatabasePlan) -> Result<Vec<String>> {
    let (mut relations, mut attnums) = (Vec::new(), Vec::new());
    for relation in &plan.relations {
        for (attnum, attribute) in (1i32..).zip(&relation.attributes) {
            if matches!(attribute.action, Action::Mask(_)) {
                relations.push(relation.oid.0);
                attnums.push(attnum);
            }
        }
    }
    let rows = session.query("find sequences", OWNED_BY, &[&relations, &attnums])?;
    Ok(rows.iter().map(|row| format!("{}.{}", plan.name, row.get::<_, &str>(0))).collect())
}
