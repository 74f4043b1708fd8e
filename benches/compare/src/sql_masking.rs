//! (a) What a user does without thinveil: UPDATE the columns, then VACUUM FULL ANALYZE, on a server
//! that is set up for nothing else.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use xtask::lab::{Cluster, ClusterOptions, Owner, Undo, run};

use crate::dataset::{DATABASE, Dataset};

pub(crate) struct SqlTimes {
    /// The copy of the cluster to work on: shown, not counted.
    pub(crate) copy: Duration,
    pub(crate) update: Duration,
    pub(crate) vacuum: Duration,
}

impl SqlTimes {
    pub(crate) fn total(&self) -> Duration {
        self.update + self.vacuum
    }
}

pub(crate) fn time(dataset: &Dataset, place: &Path, undo: &Undo) -> Result<SqlTimes> {
    let data = place.join("sql");
    let begin = Instant::now();
    run(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(&dataset.data).arg(&data))?;
    let copy = begin.elapsed();

    let mut cluster = Cluster::open(Owner::here(), &data, undo)?;
    cluster.start(
        &ClusterOptions::bulk_load()
            .set("max_parallel_maintenance_workers", "2")
            .set("wal_compression", "off"),
    )?;
    let mut client = cluster.connect(DATABASE)?;
    // Warm: what is compared is masking, not the first reading of a disk.
    client.batch_execute("SELECT count(*) FROM public.people")?;
    let begin = Instant::now();
    client.batch_execute(include_str!("sql/mask.sql")).context("mask with UPDATE")?;
    let update = begin.elapsed();
    let begin = Instant::now();
    client.batch_execute("VACUUM (FULL, ANALYZE) public.people")?;
    let vacuum = begin.elapsed();
    drop(client);
    cluster.stop()?;
    std::fs::remove_dir_all(&data).with_context(|| format!("remove {}", data.display()))?;
    Ok(SqlTimes { copy, update, vacuum })
}
