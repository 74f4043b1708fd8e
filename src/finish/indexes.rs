//! Indexes over masked columns are rebuilt, several at once.

use std::sync::Mutex;
use std::sync::PoisonError;

use super::Steps;
use super::session::Session;
use crate::cluster::quote_ident;
use crate::cluster::server::PrivateServer;
use crate::error::{Error, Refusal, Result};
use crate::plan::{DatabasePlan, IndexRef};
use crate::progress::Cancel;

/// `deadlock_detected`: two rebuilds in each other's way; the second try is alone.
const DEADLOCK_DETECTED: &str = "40P01";
/// `unique_violation` and `exclusion_violation`.
const VIOLATIONS: [&str; 2] = ["23505", "23P01"];

/// Rebuilds the planned indexes of a database, large ones first.
pub(super) fn rebuild(
    server: &PrivateServer,
    plan: &DatabasePlan,
    jobs: usize,
    cancel: &Cancel,
    steps: &Steps<'_>,
) -> Result<()> {
    if plan.indexes.is_empty() {
        return Ok(());
    }
    let queue = Mutex::new(smallest_first(server, plan, cancel)?);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let again = Mutex::new(Vec::new());
    let worker = || -> Result<()> {
        let mut session = Session::open(server, &plan.name, cancel)?;
        while let Some(index) = next() {
            cancel.check()?;
            match reindex(&mut session, plan, index) {
                Err(Error::Sql { sqlstate, .. }) if sqlstate == DEADLOCK_DETECTED => {
                    again.lock().unwrap_or_else(PoisonError::into_inner).push(index);
                }
                result => result?,
            }
            steps.step();
        }
        Ok(())
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = if jobs == 0 { cores } else { jobs }.min(plan.indexes.len());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| Err(Error::invalid("an index worker panicked")))
        })
    })?;
    let mut session = Session::open(server, &plan.name, cancel)?;
    let again = again.into_inner().unwrap_or_else(PoisonError::into_inner);
    again.into_iter().try_for_each(|index| reindex(&mut session, plan, index))
}

/// The indexes by size, for a queue that is emptied from its end.
fn smallest_first<'p>(
    server: &PrivateServer,
    plan: &'p DatabasePlan,
    cancel: &Cancel,
) -> Result<Vec<&'p IndexRef>> {
    let mut session = Session::open(server, &plan.name, cancel)?;
    let oids: Vec<u32> = plan.indexes.iter().map(|index| index.oid.0).collect();
    let query = "SELECT pg_relation_size(oid) FROM unnest($1::oid[]) WITH ORDINALITY AS i(oid, n) \
                 ORDER BY n";
    let rows = session.query("measure indexes", query, &[&oids])?;
    let sizes = rows.iter().map(|row| row.try_get::<_, Option<i64>>(0).ok().flatten());
    let mut indexes: Vec<_> = plan.indexes.iter().zip(sizes).collect();
    indexes.sort_by_key(|(_, size)| *size);
    Ok(indexes.into_iter().map(|(index, _)| index).collect())
}

fn reindex(session: &mut Session, plan: &DatabasePlan, index: &IndexRef) -> Result<()> {
    let name = format!("{}.{}", quote_ident(&index.schema), quote_ident(&index.name));
    let result = session.run(&format!("rebuild index {name}"), &format!("REINDEX INDEX {name}"));
    match result {
        Err(Error::Sql { sqlstate, .. }) if VIOLATIONS.contains(&sqlstate.as_str()) => {
            let refusal = Refusal::new(
                "constraint_violated",
                format!("masked values violate index {}.{}", index.schema, index.name),
                "check that the source itself satisfies it; if it does, use an injective mask \
                 (alphanumeric, digits, integer, numeric, uuid) on its columns",
            );
            Err(Error::Refused(vec![refusal.database(&plan.name)]))
        }
        result => result,
    }
}
