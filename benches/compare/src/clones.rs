//! Clones on XFS with reflinks: the storage step, and the way to the first answer.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use postgres::NoTls;
use xtask::lab::{Thinveil, Undo, XfsLoop};

use crate::dataset::{DATABASE, Dataset, RULES};
use crate::snapshot::{self, SnapshotTimes};

/// Not a secret: the clone lives for a second, on this machine alone.
const PASSWORD: &str = "bench";

pub(crate) struct CloneTimes {
    pub(crate) snapshot: SnapshotTimes,
    pub(crate) clones: Vec<CloneTime>,
}

pub(crate) struct CloneTime {
    /// As thinveil tells; other versions may not.
    pub(crate) storage: Option<Duration>,
    /// As thinveil tells.
    pub(crate) ready: Duration,
    /// From the call of the command to the answer of a query, measured here.
    pub(crate) first_answer: Duration,
    pub(crate) own_bytes: u64,
}

pub(crate) fn time(
    thinveil: &Thinveil,
    dataset: &Dataset,
    place: &Path,
    runs: usize,
    undo: &Undo,
) -> Result<CloneTimes> {
    let size = (dataset.heap_bytes + dataset.index_bytes) * 6 + 3_000_000_000;
    let xfs = XfsLoop::create(place, size, undo)?;
    let pool = xfs.path().join("pool");
    let thinveil = thinveil.with_pool(&pool);
    let snapshot = snapshot::create(&thinveil, &dataset.data, RULES, &pool)?;
    let mut clones = Vec::new();
    for _ in 0..runs {
        clones.push(one(&thinveil, &snapshot.id)?);
    }
    thinveil.json(&["snapshot", "destroy", &snapshot.id], None)?;
    Ok(CloneTimes { snapshot, clones })
}

fn one(thinveil: &Thinveil, snapshot: &str) -> Result<CloneTime> {
    let begin = Instant::now();
    let created = thinveil.json(
        &["clone", "create", "--snapshot", snapshot, "--user", "bench", "--password-stdin"],
        Some(PASSWORD),
    )?;
    let mut client = postgres::Config::new()
        .host(created.text("host")?)
        .port(u16::try_from(created.number("port")?).context("a port")?)
        .user(created.text("user")?)
        .password(PASSWORD)
        .dbname(DATABASE)
        .connect(NoTls)
        .context("connect to the clone")?;
    client.query_one("SELECT email FROM public.people WHERE id = 4711", &[])?;
    let first_answer = begin.elapsed();
    drop(client);
    let time = CloneTime {
        storage: created.number("storage_ms").ok().map(Duration::from_millis),
        ready: Duration::from_millis(created.number("ready_ms")?),
        first_answer,
        own_bytes: created.number("own_bytes")?,
    };
    thinveil.json(&["clone", "destroy", created.text("id")?], None)?;
    Ok(time)
}
