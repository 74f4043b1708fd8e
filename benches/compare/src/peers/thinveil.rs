//! `thinveil snapshot create`, and a clone to look at.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::facts::{Facts, originals_left};
use super::{Bench, Watch, Work, drop_caches, remove, size_of};
use crate::dataset::RULES;
use crate::{clones, snapshot};

pub(super) fn run(bench: &Bench<'_>) -> Result<Work> {
    let pool = bench.place.join("pool");
    let thinveil = bench.thinveil.with_pool(&pool);
    if bench.cold {
        drop_caches()?;
    } else {
        for file in &bench.dataset.heap {
            let mut file = std::fs::File::open(file).context("open the heap")?;
            std::io::copy(&mut file, &mut std::io::sink()).context("read the heap")?;
        }
    }
    let watch = Watch::start(bench.place);
    let times = snapshot::create(&thinveil, &bench.dataset.data, RULES, &pool, "auto")?;
    let watched = watch.finish();
    let mut stages: Vec<(String, Duration)> = times
        .stages
        .iter()
        .map(|(name, took)| (name.clone(), Duration::from_secs_f64(took.max(0.0))))
        .collect();
    let known: Duration = stages.iter().map(|(_, took)| *took).sum();
    stages.push(("the rest".to_owned(), times.total.saturating_sub(known)));

    let snapshot = times.id.as_str();
    let created = thinveil.json(
        &["clone", "create", "--snapshot", snapshot, "--user", "bench", "--password-stdin"],
        Some(clones::PASSWORD),
    )?;
    let mut client = clones::connect(&created.json)?;
    let facts = Facts::read(&mut client, &bench.place.join("masked.ctids"))?;
    drop(client);
    thinveil.json(&["clone", "destroy", created.text("id")?], None)?;
    let volume = pool.join("snapshots").join(snapshot).join("volume");
    let work = Work {
        version: format!("driver {}", times.driver),
        stages,
        watched,
        facts,
        originals: originals_left(&volume)?,
        size: size_of(&volume)?,
    };
    thinveil.json(&["snapshot", "destroy", snapshot], None)?;
    remove(&pool)?;
    Ok(work)
}
