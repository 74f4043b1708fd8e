//! Clones on XFS with reflinks: the storage step, and the way to the first answer.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use postgres::{Client, NoTls};
use serde_json::Value;
use xtask::lab::{LoopMount, Thinveil, Undo};

use crate::dataset::{DATABASE, Dataset, RULES};
use crate::snapshot::{self, SnapshotTimes};

/// Not a secret: clones live for a moment, on this machine alone.
pub(crate) const PASSWORD: &str = "bench";

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
    let xfs = LoopMount::xfs(place, size, undo)?;
    let pool = xfs.path().join("pool");
    let thinveil = thinveil.with_pool(&pool);
    let snapshot = snapshot::create(&thinveil, &dataset.data, RULES, &pool, "auto")?;
    let mut clones = Vec::new();
    for _ in 0..runs {
        clones.push(one(&thinveil, &snapshot.id)?);
    }
    thinveil.json(&["snapshot", "destroy", &snapshot.id], None)?;
    Ok(CloneTimes { snapshot, clones })
}

/// A clone, which is then taken away again.
pub(crate) fn one(thinveil: &Thinveil, snapshot: &str) -> Result<CloneTime> {
    let begin = Instant::now();
    let created = thinveil.json(
        &["clone", "create", "--snapshot", snapshot, "--user", "bench", "--password-stdin"],
        Some(PASSWORD),
    )?;
    connect(&created.json)?.query_one("SELECT email FROM public.people WHERE id = 4711", &[])?;
    let first_answer = begin.elapsed();
    let time = CloneTime {
        storage: created.number("storage_ms").ok().map(Duration::from_millis),
        ready: Duration::from_millis(created.number("ready_ms")?),
        first_answer,
        own_bytes: created.number("own_bytes")?,
    };
    thinveil.json(&["clone", "destroy", created.text("id")?], None)?;
    Ok(time)
}

/// Connects to a clone, by what `clone create` said of it.
pub(crate) fn connect(created: &Value) -> Result<Client> {
    let text = |name: &str| created.get(name).and_then(Value::as_str);
    let port = created.get("port").and_then(Value::as_u64).context("a clone has a port")?;
    postgres::Config::new()
        .host(text("host").context("a clone has a host")?)
        .port(u16::try_from(port).context("a port")?)
        .user(text("user").context("a clone has a user")?)
        .password(PASSWORD)
        .dbname(DATABASE)
        .connect(NoTls)
        .context("connect to the clone")
}
