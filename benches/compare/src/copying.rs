//! (c) `cp` of the heap files: the least that anything can do that reads and writes them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use xtask::lab::run;

use crate::dataset::Dataset;

/// Each run's time, shortest first. The files are in memory before the first.
pub(crate) fn time(dataset: &Dataset, place: &Path, runs: usize) -> Result<Vec<Duration>> {
    let target = place.join("copy");
    let mut times = Vec::new();
    // The first run warms up and does not count.
    for round in 0..=runs {
        fs::create_dir_all(&target).with_context(|| format!("create {}", target.display()))?;
        let begin = Instant::now();
        run(Command::new("cp").arg("--reflink=never").args(&dataset.heap).arg(&target))?;
        if round > 0 {
            times.push(begin.elapsed());
        }
        fs::remove_dir_all(&target).with_context(|| format!("remove {}", target.display()))?;
    }
    times.sort();
    Ok(times)
}
