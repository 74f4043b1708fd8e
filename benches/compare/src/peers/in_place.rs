//! Masking by SQL on the server: in place, and by writing the table anew.

use anyhow::{Context as _, Result};

use super::{Bench, Watch, Work, timed};
use crate::dataset::DATABASE;

/// `UPDATE`, then `VACUUM (FULL, ANALYZE)`.
pub(super) fn update(bench: &Bench<'_>) -> Result<Work> {
    run(
        bench,
        &[
            ("UPDATE", include_str!("../sql/mask.sql")),
            ("VACUUM FULL", "VACUUM (FULL, ANALYZE) public.people"),
        ],
    )
}

/// `CREATE TABLE AS`, and indexes on what it made.
pub(super) fn rewrite(bench: &Bench<'_>) -> Result<Work> {
    run(bench, &[("CREATE TABLE AS", include_str!("../sql/rewrite.sql"))])
}

fn run(bench: &Bench<'_>, steps: &[(&str, &str)]) -> Result<Work> {
    let copy = bench.copy()?;
    let mut client = copy.cluster.connect(DATABASE)?;
    let watch = Watch::start(bench.place);
    let mut stages = Vec::new();
    for (name, sql) in steps {
        stages.push(timed(name, || statements(&mut client, sql))?);
    }
    let watched = watch.finish();
    let version: String = client.query_one("SHOW server_version", &[])?.get(0);
    drop(client);
    bench.finish(copy, format!("PostgreSQL {version}"), stages, watched)
}

/// One after the other, where VACUUM may not be with others; the rest as it stands.
fn statements(client: &mut postgres::Client, sql: &str) -> Result<()> {
    let (first, vacuum) = match sql.rsplit_once("\nVACUUM") {
        Some((first, vacuum)) => (first, Some(format!("VACUUM{vacuum}"))),
        None => (sql, None),
    };
    client.batch_execute(first).context("mask")?;
    if let Some(vacuum) = vacuum {
        client.batch_execute(&vacuum).context("vacuum")?;
    }
    Ok(())
}
