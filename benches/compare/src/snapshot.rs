//! (b) `thinveil snapshot create`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use xtask::lab::{Outcome, Thinveil};

pub(crate) struct SnapshotTimes {
    pub(crate) id: String,
    pub(crate) driver: String,
    pub(crate) total: Duration,
    pub(crate) stages: Vec<(String, f64)>,
    pub(crate) values: u64,
    pub(crate) pages: u64,
    pub(crate) peak_bytes: u64,
}

impl SnapshotTimes {
    fn new(outcome: &Outcome) -> Result<SnapshotTimes> {
        Ok(SnapshotTimes {
            id: outcome.text("id")?.to_owned(),
            driver: outcome.text("driver")?.to_owned(),
            total: outcome.elapsed,
            stages: outcome.stages(),
            values: outcome.number("values_masked")?,
            pages: outcome.number("pages_rewritten")?,
            peak_bytes: outcome.peak_bytes,
        })
    }

    /// Seconds of one stage.
    pub(crate) fn stage(&self, name: &str) -> Option<f64> {
        self.stages.iter().find(|(stage, _)| stage == name).map(|(_, seconds)| *seconds)
    }
}

/// A snapshot in a new pool, which is then taken away again.
pub(crate) fn time(
    thinveil: &Thinveil,
    data: &Path,
    rules: &str,
    pool: &Path,
) -> Result<SnapshotTimes> {
    let times = create(thinveil, data, rules, pool, "auto")?;
    thinveil.json(&["snapshot", "destroy", &times.id], None)?;
    fs::remove_dir_all(pool).with_context(|| format!("remove {}", pool.display()))?;
    Ok(times)
}

/// A snapshot in a new pool with this driver.
pub(crate) fn create(
    thinveil: &Thinveil,
    data: &Path,
    rules: &str,
    pool: &Path,
    driver: &str,
) -> Result<SnapshotTimes> {
    let rules = write(pool, "toml", rules)?;
    // Any key is as fast as any other; this one is for everybody to see.
    let key = write(pool, "key", &"5eed".repeat(16))?;
    thinveil.json(&["pool", "init", "--driver", driver], None)?;
    let outcome = thinveil.json(
        &[
            "snapshot",
            "create",
            "--source",
            &data.to_string_lossy(),
            "--rules",
            &rules.to_string_lossy(),
            "--key-file",
            &key.to_string_lossy(),
        ],
        None,
    )?;
    SnapshotTimes::new(&outcome)
}

/// Writes a file beside the pool.
fn write(pool: &Path, extension: &str, text: &str) -> Result<PathBuf> {
    let path = pool.with_extension(extension);
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(path)
}
