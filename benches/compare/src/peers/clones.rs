//! Clones: thinveil's, by every driver that works here, beside a copy of the directory and a database
//! made of a template.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::lab::{Cluster, LoopMount, Owner, Thinveil, run};

use super::{Bench, remove, settings, size_of};
use crate::clones::{PASSWORD, connect, one};
use crate::dataset::{DATABASE, RULES};
use crate::snapshot;

/// How often one clone is timed: the median counts.
const RUNS: usize = 3;
/// More than this is not copied.
const MOST_COPIED: u64 = 10_000_000_000;
const QUERY: &str = "SELECT email FROM public.people WHERE id = 4711";

/// Clones of one kind, so many at once.
pub(super) struct Clones {
    pub(super) method: String,
    pub(super) count: u64,
    /// Or why there are none.
    pub(super) outcome: Result<Times>,
}

pub(super) struct Times {
    /// From the call to the answer of the last one.
    pub(super) answered: Duration,
    /// Of all of them.
    pub(super) own_bytes: u64,
}

/// Makes clones in each way, as many at once as `counts` says.
pub(super) fn measure(bench: &Bench<'_>, counts: &[u64]) -> Vec<Clones> {
    let mut all = Vec::new();
    for driver in ["reflink", "btrfs", "overlay", "copy"] {
        println!("clones by thinveil, driver {driver}");
        let method = format!("thinveil, {driver}");
        match thinveil(bench, driver, counts) {
            Ok(outcomes) => {
                all.extend(counts.iter().zip(outcomes).map(|(count, outcome)| Clones {
                    method: method.clone(),
                    count: *count,
                    outcome,
                }))
            }
            Err(error) => all.push(Clones { method, count: 1, outcome: Err(error) }),
        }
    }
    for count in counts {
        println!("{count} by cp, and by CREATE DATABASE … TEMPLATE");
        let outcome = copies(bench, *count);
        all.push(Clones { method: "cp -r, pg_ctl start".to_owned(), count: *count, outcome });
        let outcome = templates(bench, *count);
        all.push(Clones { method: "CREATE DATABASE".to_owned(), count: *count, outcome });
    }
    all
}

fn thinveil(bench: &Bench<'_>, driver: &str, counts: &[u64]) -> Result<Vec<Result<Times>>> {
    let size = (bench.dataset.heap_bytes + bench.dataset.index_bytes) * 4 + 12_000_000_000;
    let mount = match driver {
        "reflink" => Some(LoopMount::xfs(bench.place, size, bench.undo)?),
        "btrfs" => Some(LoopMount::btrfs(bench.place, size, bench.undo)?),
        _ => None,
    };
    let pool = mount.as_ref().map_or(bench.place, LoopMount::path).join("clones");
    let thinveil = bench.thinveil.with_pool(&pool);
    let snapshot = snapshot::create(&thinveil, &bench.dataset.data, RULES, &pool, driver)?;
    let size = size_of(&pool)?;
    let times = counts.iter().map(|count| {
        ensure!(driver != "copy" || count * size < MOST_COPIED, "left out: {count} copies");
        if *count == 1 {
            median(&thinveil, &snapshot.id)
        } else {
            many(&thinveil, &snapshot.id, *count)
        }
    });
    let times = times.collect();
    // With clones that are left where something failed.
    thinveil.json(&["snapshot", "destroy", "--cascade", &snapshot.id], None)?;
    remove(&pool)?;
    Ok(times)
}

fn median(thinveil: &Thinveil, snapshot: &str) -> Result<Times> {
    let mut times = (0..RUNS).map(|_| one(thinveil, snapshot)).collect::<Result<Vec<_>>>()?;
    times.sort_by_key(|time| time.first_answer);
    let time = times.get(RUNS / 2).context("there were several")?;
    Ok(Times { answered: time.first_answer, own_bytes: time.own_bytes })
}

fn many(thinveil: &Thinveil, snapshot: &str, count: u64) -> Result<Times> {
    let begin = Instant::now();
    let count = count.to_string();
    let create = ["clone", "create", "--snapshot", snapshot, "--count", &count];
    let arguments = [create.as_slice(), &["--user", "bench", "--password-stdin"]].concat();
    let created = thinveil.json(&arguments, Some(PASSWORD))?;
    let clones = created.json.as_array().context("a list of clones")?;
    for clone in clones {
        connect(clone)?.query_one(QUERY, &[])?;
    }
    let answered = begin.elapsed();
    let own = clones.iter().filter_map(|clone| clone.get("own_bytes")?.as_u64());
    let own_bytes = own.sum();
    for clone in clones {
        let id = clone.get("id").and_then(Value::as_str).context("a clone has a name")?;
        thinveil.json(&["clone", "destroy", id], None)?;
    }
    Ok(Times { answered, own_bytes })
}

fn copies(bench: &Bench<'_>, count: u64) -> Result<Times> {
    let size = size_of(&bench.dataset.data)?;
    ensure!(count * size < MOST_COPIED, "left out: {count} copies");
    let place = |number: u64| bench.place.join(format!("copy-{number}"));
    let mut clusters = Vec::new();
    let begin = Instant::now();
    for number in 0..count {
        let data = place(number);
        let mut copy = Command::new("cp");
        copy.args(["--recursive", "--preserve=mode,ownership", "--reflink=never"]);
        run(copy.arg(&bench.dataset.data).arg(&data))?;
        let mut cluster = Cluster::open(Owner::here(), &data, bench.undo)?;
        cluster.start(&settings().set("shared_buffers", "128MB"))?;
        cluster.connect(DATABASE)?.query_one(QUERY, &[])?;
        clusters.push(cluster);
    }
    let answered = begin.elapsed();
    for (number, mut cluster) in (0..).zip(clusters) {
        cluster.stop()?;
        remove(&place(number))?;
    }
    Ok(Times { answered, own_bytes: count * size })
}

/// In one cluster that is there already.
fn templates(bench: &Bench<'_>, count: u64) -> Result<Times> {
    let size = bench.dataset.heap_bytes + bench.dataset.index_bytes;
    ensure!(count * size < MOST_COPIED, "left out: {count} copies");
    let mut copy = bench.copy()?;
    let mut client = copy.cluster.connect("postgres")?;
    let begin = Instant::now();
    for number in 0..count {
        // By files: by WAL, which is the default, it takes longer where the template is large.
        client.batch_execute(&format!(
            "CREATE DATABASE clone_{number} TEMPLATE {DATABASE} STRATEGY = file_copy"
        ))?;
        copy.cluster.connect(&format!("clone_{number}"))?.query_one(QUERY, &[])?;
    }
    let answered = begin.elapsed();
    let query = "SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint FROM pg_database
                 WHERE datname LIKE 'clone\\_%'";
    let own_bytes = client.query_one(query, &[])?.get::<_, i64>(0).unsigned_abs();
    drop(client);
    copy.cluster.stop()?;
    remove(&copy.data)?;
    Ok(Times { answered, own_bytes })
}
