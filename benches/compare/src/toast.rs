//! How much memory thinveil takes for a large TOAST table.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use xtask::lab::{Cluster, ClusterOptions, Owner, Thinveil, Undo, Workplace, bytes, seconds};

use crate::dataset::DATABASE;
use crate::{report, snapshot};

const RULES: &str = r#"version = 1

[databases.bench.tables."public.documents"]
id = "keep"
plain = "text"
packed = "text"
"#;
const LEAST_TOAST: u64 = 4_000_000_000;
const MOST_MEMORY: u64 = 512_000_000;
/// Source, pool, and the WAL of loading.
const SPACE: u64 = 6 * LEAST_TOAST;

/// Makes the table and a snapshot of it, and writes `toast.md` and `toast.json`. An error if the
/// snapshot took more memory than it may.
pub(crate) fn measure(root: &Path, preferred: &Path, results: &Path, undo: &Undo) -> Result<()> {
    let thinveil = Thinveil::build(root, Path::new(""), undo)?;
    let place = Workplace::create(preferred, Owner::here(), SPACE, undo)?;
    println!("making a TOAST table of {}", bytes(LEAST_TOAST));
    let data = place.path().join("source");
    let mut cluster = Cluster::create(Owner::here(), &data, undo)?;
    cluster.start(&ClusterOptions::bulk_load())?;
    cluster.connect("postgres")?.batch_execute(&format!("CREATE DATABASE {DATABASE}"))?;
    let mut client = cluster.connect(DATABASE)?;
    client.batch_execute(include_str!("sql/toast.sql")).context("fill the table")?;
    let row = client.query_one(
        "SELECT pg_relation_size(reltoastrelid),
            (SELECT max(greatest(octet_length(plain), octet_length(packed))) FROM documents)
         FROM pg_class WHERE oid = 'public.documents'::regclass",
        &[],
    )?;
    let toast = row.get::<_, i64>(0).unsigned_abs();
    let largest = row.get::<_, i32>(1).unsigned_abs();
    ensure!(toast >= LEAST_TOAST, "the TOAST table has {} only", bytes(toast));
    drop(client);
    cluster.stop()?;

    println!("thinveil snapshot create");
    let pool = place.path().join("pool");
    let times = snapshot::time(&thinveil.with_pool(&pool), &data, RULES, &pool)?;
    let peak = times.peak_bytes;
    let markdown = format!(
        "# A TOAST table of {}, values of up to {}\n\n{}\n\n\
         Snapshot in {}; thinveil's memory at its peak: {} (at most {}).\n",
        bytes(toast),
        bytes(largest.into()),
        report::machine(),
        seconds(times.total),
        bytes(peak),
        bytes(MOST_MEMORY),
    );
    println!("\n{markdown}");
    let json = json!({
        "machine": report::machine(),
        "toast_bytes": toast,
        "largest_value_bytes": largest,
        "seconds": times.total.as_secs_f64(),
        "values_masked": times.values,
        "peak_bytes": peak,
        "limit_bytes": MOST_MEMORY,
    });
    fs::create_dir_all(results).with_context(|| format!("create {}", results.display()))?;
    for (extension, text) in [("md", markdown), ("json", format!("{json:#}\n"))] {
        let path = results.join("toast").with_extension(extension);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    if peak > MOST_MEMORY {
        bail!("thinveil took more memory than it may");
    }
    Ok(())
}
