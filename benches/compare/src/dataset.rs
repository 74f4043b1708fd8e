//! The cluster that everything is measured on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use xtask::lab::{Cluster, ClusterOptions, Owner, Undo};

pub(crate) const DATABASE: &str = "bench";
/// What is masked, and how.
pub(crate) const RULES: &str = include_str!("rules.toml");

/// A stopped cluster. Deleted when dropped.
pub(crate) struct Dataset {
    pub(crate) data: PathBuf,
    /// The heap's segments, main fork alone.
    pub(crate) heap: Vec<PathBuf>,
    pub(crate) heap_bytes: u64,
    pub(crate) index_bytes: u64,
}

impl Dataset {
    pub(crate) fn make(data: &Path, rows: u64, undo: &Undo) -> Result<Dataset> {
        let mut cluster = Cluster::create(Owner::here(), data, undo)?;
        cluster.start(&ClusterOptions::bulk_load())?;
        cluster.connect("postgres")?.batch_execute(&format!("CREATE DATABASE {DATABASE}"))?;
        let mut client = cluster.connect(DATABASE)?;
        client
            .batch_execute(&include_str!("sql/table.sql").replace(":rows", &rows.to_string()))
            .context("fill the table")?;
        // Hint bits are set only for what has been flushed, and this server flushes late.
        client.batch_execute("CHECKPOINT")?;
        client.batch_execute("VACUUM (ANALYZE) public.people")?;
        let row = client.query_one(
            "SELECT pg_relation_filepath('public.people'), pg_relation_size('public.people'),
                pg_indexes_size('public.people')",
            &[],
        )?;
        let first = data.join(row.get::<_, &str>(0));
        let heap_bytes = row.get::<_, i64>(1).unsigned_abs();
        let index_bytes = row.get::<_, i64>(2).unsigned_abs();
        drop(client);
        cluster.stop()?;
        let heap = segments(&first)?;
        ensure!(total_bytes(&heap)? == heap_bytes, "the heap's files are not as long as the heap");
        Ok(Dataset { data: data.to_path_buf(), heap, heap_bytes, index_bytes })
    }
}

impl Drop for Dataset {
    fn drop(&mut self) {
        // Best effort: the workplace around it is removed in any case.
        drop(fs::remove_dir_all(&self.data));
    }
}

/// The files `…/N`, `…/N.1`, … of one fork.
fn segments(first: &Path) -> Result<Vec<PathBuf>> {
    let mut files = vec![first.to_path_buf()];
    for number in 1.. {
        let mut next = first.as_os_str().to_owned();
        next.push(format!(".{number}"));
        if !Path::new(&next).exists() {
            break;
        }
        files.push(next.into());
    }
    Ok(files)
}

fn total_bytes(files: &[PathBuf]) -> Result<u64> {
    files.iter().try_fold(0, |sum, file| {
        let metadata = fs::metadata(file).with_context(|| format!("look at {}", file.display()))?;
        Ok(sum + metadata.len())
    })
}
