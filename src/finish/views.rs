//! Materialized views over masked relations are refreshed.

use super::Steps;
use super::session::Session;
use crate::error::Result;
use crate::plan::DatabasePlan;

/// Refreshes the planned views in their order; returns how many.
pub(super) fn refresh(
    session: &mut Session,
    plan: &DatabasePlan,
    steps: &Steps<'_>,
) -> Result<u64> {
    if plan.materialized_views.is_empty() {
        return Ok(0);
    }
    // What functions in a view's query were written against.
    session
        .run("prepare to refresh", "SET search_path = \"$user\", public; SET row_security = on")?;
    for view in &plan.materialized_views {
        session.run(
            &format!("refresh materialized view {view}"),
            &format!("REFRESH MATERIALIZED VIEW {view}"),
        )?;
        steps.step();
    }
    session.run("go on", "SET search_path = pg_catalog; SET row_security = off")?;
    Ok(plan.materialized_views.len() as u64)
}
