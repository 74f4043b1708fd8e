//! The result: a table for people, the same as JSON for programs.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use xtask::lab::{bytes, count, seconds};

use crate::clones::CloneTimes;
use crate::dataset::Dataset;
use crate::snapshot::SnapshotTimes;
use crate::sql_masking::SqlTimes;

/// What has been measured so far. What was left out is left out of the report.
#[derive(Default)]
pub(crate) struct Report {
    rows: u64,
    file_system: String,
    heap_bytes: u64,
    index_bytes: u64,
    sql: Option<SqlTimes>,
    snapshot: Option<SnapshotTimes>,
    copying: Vec<Duration>,
    clones: Option<CloneTimes>,
    linear: Vec<(u64, SnapshotTimes)>,
}

/// A figure that must not be missed.
struct Must {
    what: &'static str,
    limit: f64,
    got: f64,
    met: bool,
    unit: &'static str,
}

impl Must {
    fn at_least(what: &'static str, limit: f64, got: f64) -> Must {
        Must { what, limit, got, met: got >= limit, unit: "×" }
    }

    fn at_most(what: &'static str, limit: f64, got: f64, unit: &'static str) -> Must {
        Must { what, limit, got, met: got <= limit, unit }
    }
}

impl Report {
    pub(crate) fn new(rows: u64, file_system: &str) -> Report {
        Report { rows, file_system: file_system.to_owned(), ..Report::default() }
    }

    pub(crate) fn dataset(&mut self, dataset: &Dataset) {
        self.heap_bytes = dataset.heap_bytes;
        self.index_bytes = dataset.index_bytes;
    }

    pub(crate) fn sql(&mut self, times: SqlTimes) {
        self.sql = Some(times);
    }

    pub(crate) fn snapshot(&mut self, times: SnapshotTimes) {
        self.snapshot = Some(times);
    }

    pub(crate) fn copying(&mut self, times: Vec<Duration>) {
        self.copying = times;
    }

    pub(crate) fn clones(&mut self, times: CloneTimes) {
        self.clones = Some(times);
    }

    pub(crate) fn linear(&mut self, rows: u64, times: SnapshotTimes) {
        self.linear.push((rows, times));
    }

    fn musts(&self) -> Vec<Must> {
        let mut musts = Vec::new();
        let rewrite = self.snapshot.as_ref().and_then(|snapshot| snapshot.stage("rewrite"));
        let sql = self.sql.as_ref().map(|sql| sql.total().as_secs_f64());
        if let (Some(rewrite), Some(sql)) = (rewrite, sql) {
            musts.push(Must::at_least("rewrite stage, times faster than SQL", 30.0, sql / rewrite));
        }
        if let (Some(rewrite), Some(copy)) = (rewrite, median(&self.copying)) {
            let ratio = rewrite / copy.as_secs_f64();
            musts.push(Must::at_most("rewrite stage, times as long as cp", 2.5, ratio, "×"));
        }
        if let (Some(snapshot), Some(sql)) = (&self.snapshot, sql) {
            let ratio = sql / snapshot.total.as_secs_f64();
            musts.push(Must::at_least("whole snapshot, times faster than SQL", 6.0, ratio));
        }
        if let Some(snapshot) = &self.snapshot {
            let megabytes = snapshot.peak_bytes as f64 / 1e6;
            musts.push(Must::at_most("thinveil's memory at its peak", 512.0, megabytes, "MB"));
        }
        if let Some(growth) = self.growth() {
            musts.push(Must::at_most(
                "rewrite time per row, most ÷ fewest rows",
                1.25,
                growth,
                "×",
            ));
        }
        if let Some(clones) = &self.clones {
            let storage: Option<Vec<Duration>> =
                clones.clones.iter().map(|clone| clone.storage).collect();
            if let Some(storage) = storage.and_then(|times| median(&times)) {
                musts.push(Must::at_most("clone, storage step", 100.0, millis(storage), "ms"));
            }
            let answers: Vec<Duration> = clones.clones.iter().map(|c| c.first_answer).collect();
            if let Some(answer) = median(&answers) {
                musts.push(Must::at_most(
                    "clone, first answered query",
                    500.0,
                    millis(answer),
                    "ms",
                ));
            }
        }
        musts
    }

    /// Rewrite seconds per row in the largest run over those in the smallest.
    fn growth(&self) -> Option<f64> {
        let per_row = |(rows, times): &(u64, SnapshotTimes)| {
            times.stage("rewrite").map(|seconds| seconds / *rows as f64)
        };
        let smallest = self.linear.iter().min_by_key(|(rows, _)| *rows)?;
        let largest = self.linear.iter().max_by_key(|(rows, _)| *rows)?;
        Some(per_row(largest)? / per_row(smallest)?)
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String can't fail, here and below.
        let _ = writeln!(
            text,
            "# {} rows, {} of heap, {} of indexes, on {}\n\n{}\n",
            count(self.rows),
            bytes(self.heap_bytes),
            bytes(self.index_bytes),
            self.file_system,
            machine()
        );
        self.times(&mut text);
        let musts = self.musts();
        if !musts.is_empty() {
            let _ = writeln!(text, "\n| must | limit | got | |\n|---|--:|--:|---|");
        }
        for Must { what, limit, got, met, unit } in musts {
            let verdict = if met { "met" } else { "**missed**" };
            let _ = writeln!(text, "| {what} | {limit} {unit} | {got:.2} {unit} | {verdict} |");
        }
        text
    }

    fn times(&self, text: &mut String) {
        let mut row = |what: &str, time: String| {
            let _ = writeln!(text, "| {what} | {time} |");
        };
        row("what", "time".to_owned());
        row("---", "--:".to_owned());
        if let Some(sql) = &self.sql {
            row("(a) SQL: UPDATE of 5 columns", seconds(sql.update));
            row("(a) SQL: VACUUM FULL ANALYZE", seconds(sql.vacuum));
            row("(a) SQL, both", seconds(sql.total()));
        }
        let mut snapshot = |name: &str, times: &SnapshotTimes| {
            for (stage, took) in &times.stages {
                let time = seconds(Duration::from_secs_f64(took.max(0.0)));
                row(&format!("{name}: {stage}"), time);
            }
            row(&format!("{name}, all ({})", times.driver), seconds(times.total));
        };
        if let Some(times) = &self.snapshot {
            snapshot("(b) thinveil", times);
        }
        if let Some(clones) = &self.clones {
            snapshot("(b) thinveil on XFS", &clones.snapshot);
        }
        if let Some(times) = &self.snapshot
            && let Some(rewrite) = times.stage("rewrite").filter(|seconds| *seconds > 0.0)
        {
            let values = count((times.values as f64 / rewrite) as u64);
            let rate = bytes((self.heap_bytes as f64 / rewrite) as u64);
            row("(b) thinveil: rewrite, values and bytes a second", format!("{values}, {rate}"));
        }
        if let Some(copy) = median(&self.copying) {
            row(&format!("(c) cp of the heap, median of {}", self.copying.len()), seconds(copy));
        }
        for (rows, times) in &self.linear {
            let rewrite = Duration::from_secs_f64(times.stage("rewrite").unwrap_or(0.0).max(0.0));
            let time = format!("{} ({} in all)", seconds(rewrite), seconds(times.total));
            row(&format!("rewrite of {} rows", count(*rows)), time);
        }
        for clone in self.clones.iter().flat_map(|clones| &clones.clones) {
            let storage = clone.storage.map_or_else(|| "not told".to_owned(), seconds);
            row(
                &format!("clone: storage, ready, first answer ({} own)", bytes(clone.own_bytes)),
                format!("{storage}, {}, {}", seconds(clone.ready), seconds(clone.first_answer)),
            );
        }
    }

    fn json(&self) -> Value {
        let snapshot = |times: &SnapshotTimes| {
            let stages: Map<String, Value> =
                times.stages.iter().map(|(name, took)| (name.clone(), json!(took))).collect();
            json!({
                "driver": times.driver,
                "seconds": times.total.as_secs_f64(),
                "stages": stages,
                "values_masked": times.values,
                "pages_rewritten": times.pages,
                "peak_bytes": times.peak_bytes,
            })
        };
        json!({
            "machine": machine(),
            "file_system": self.file_system,
            "rows": self.rows,
            "heap_bytes": self.heap_bytes,
            "index_bytes": self.index_bytes,
            "sql": self.sql.as_ref().map(|sql| json!({
                "copy_seconds": sql.copy.as_secs_f64(),
                "update_seconds": sql.update.as_secs_f64(),
                "vacuum_seconds": sql.vacuum.as_secs_f64(),
            })),
            "snapshot": self.snapshot.as_ref().map(snapshot),
            "cp_seconds": self.copying.iter().map(Duration::as_secs_f64).collect::<Vec<_>>(),
            "xfs_snapshot": self.clones.as_ref().map(|clones| snapshot(&clones.snapshot)),
            "clones": self.clones.iter().flat_map(|clones| &clones.clones).map(|clone| json!({
                "storage_ms": clone.storage.map(millis),
                "ready_ms": millis(clone.ready),
                "first_answer_ms": millis(clone.first_answer),
                "own_bytes": clone.own_bytes,
            })).collect::<Vec<_>>(),
            "linear": self.linear.iter().map(|(rows, times)| json!({
                "rows": rows,
                "snapshot": snapshot(times),
            })).collect::<Vec<_>>(),
            "musts": self.musts().iter().map(|must| json!({
                "what": must.what,
                "limit": must.limit,
                "got": must.got,
                "unit": must.unit,
                "met": must.met,
            })).collect::<Vec<_>>(),
        })
    }

    /// Writes `ROWS.md` and `ROWS.json`.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        let json = format!("{:#}\n", self.json());
        fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
        for (extension, text) in [("md", self.markdown()), ("json", json)] {
            let path = directory.join(format!("{}.{extension}", self.rows));
            fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
            println!("written: benches/compare/results/{}.{extension}", self.rows);
        }
        Ok(())
    }
}

fn median(times: &[Duration]) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).copied()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// What it ran on: figures without that say nothing.
pub(crate) fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    format!("{cores} cores ({model}), {} of memory", bytes(kib.unwrap_or(0) * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(rewrite: f64) -> SnapshotTimes {
        SnapshotTimes {
            id: "s".to_owned(),
            driver: "reflink".to_owned(),
            total: Duration::from_secs(10),
            stages: vec![("rewrite".to_owned(), rewrite)],
            values: 15_000_000,
            pages: 70_000,
            peak_bytes: 100_000_000,
        }
    }

    #[test]
    fn tells_musts_that_are_met_from_those_that_are_missed() {
        let mut report = Report::new(3_000_000, "xfs");
        report.snapshot(times(1.0));
        report.copying(vec![Duration::from_millis(300)]);
        report.sql(SqlTimes {
            copy: Duration::ZERO,
            update: Duration::from_secs(50),
            vacuum: Duration::from_secs(15),
        });
        let met: Vec<bool> = report.musts().iter().map(|must| must.met).collect();
        assert_eq!(met, [true, false, true, true]);
        let text = report.markdown();
        assert!(text.contains("| 2.5 × | 3.33 × | **missed** |"), "{text}");
        assert!(text.contains("| (a) SQL, both | 65.0 s |"), "{text}");
    }

    #[test]
    fn growth_compares_the_time_per_row() {
        let mut report = Report::new(1, "xfs");
        report.linear(1_000_000, times(1.0));
        report.linear(4_000_000, times(6.0));
        assert_eq!(report.growth(), Some(1.5));
        assert_eq!(report.musts().iter().filter(|must| !must.met).count(), 1);
    }

    #[test]
    fn says_nothing_of_what_was_not_measured() {
        let report = Report::new(10, "xfs");
        assert!(report.musts().is_empty());
        assert!(!report.markdown().contains("must"));
        assert_eq!(report.json()["sql"], Value::Null);
    }
}
