//! The comparison as a table, as JSON and as a picture.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use xtask::lab::{bytes, count, seconds};

use super::clones::Clones;
use super::facts::Facts;
use super::{Line, Measured, plot};
use crate::dataset::Dataset;
use crate::report::machine;

/// Columns of each row that are masked.
const MASKED: u64 = 5;

/// All that was measured with one table.
pub(super) struct Table<'a> {
    pub(super) rows: u64,
    pub(super) dataset: &'a Dataset,
    pub(super) lines: &'a [Line],
    pub(super) clones: &'a [Clones],
}

impl Line {
    /// As tables and pictures call it.
    pub(super) fn label(&self) -> String {
        if self.cold { format!("{}, cold", self.name) } else { self.name.clone() }
    }
}

impl Table<'_> {
    pub(super) fn markdown(&self, file_system: &str) -> String {
        let mut text = String::new();
        // Writing to a String can't fail, here and below.
        let _ = writeln!(
            text,
            "# {} rows, {} of heap, {} of indexes, on {file_system}\n\n{}\n",
            count(self.rows),
            bytes(self.dataset.heap_bytes),
            bytes(self.dataset.index_bytes),
            machine()
        );
        let _ = writeln!(
            text,
            "| | time | against thinveil | rows a second | values a second | memory | written \
             | size | originals left | rows in place | plans changed |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
        );
        for line in self.lines {
            let _ = match &line.outcome {
                Ok(measured) => writeln!(text, "{}", self.row(line, measured)),
                Err(error) => writeln!(text, "| {} | failed: {error:#} |", line.label()),
            };
        }
        let _ = writeln!(text, "\n| | | stages |\n|---|---|---|");
        for line in self.lines {
            if let Ok(measured) = &line.outcome {
                let stages = measured.stages.iter();
                let stages = stages.map(|(name, took)| format!("{name} {}", seconds(*took)));
                let stages = stages.collect::<Vec<_>>().join(", ");
                let _ = writeln!(text, "| {} | {} | {stages} |", line.label(), measured.version);
            }
        }
        if !self.clones.is_empty() {
            let _ = writeln!(
                text,
                "\n| clones | at once | last one answers after | each | own bytes of each |\n\
                 |---|--:|--:|--:|--:|"
            );
        }
        for Clones { method, count, outcome } in self.clones {
            let _ = match outcome {
                Ok(times) => writeln!(
                    text,
                    "| {method} | {count} | {} | {} | {} |",
                    seconds(times.answered),
                    seconds(times.answered.div_f64((*count).max(1) as f64)),
                    bytes(times.own_bytes / (*count).max(1)),
                ),
                Err(error) => writeln!(text, "| {method} | {count} | {error:#} |"),
            };
        }
        text
    }

    fn row(&self, line: &Line, measured: &Measured) -> String {
        let total = measured.total();
        let rate = |number: u64| count((number as f64 / total.as_secs_f64()) as u64);
        let thinveils = self.lines.iter().find(|it| it.name == "thinveil" && it.cold == line.cold);
        let against = thinveils.and_then(|it| it.outcome.as_ref().ok());
        let against = against.map(|thinveil| total.as_secs_f64() / thinveil.total().as_secs_f64());
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} of {} |",
            line.label(),
            seconds(total),
            against.map_or_else(|| "–".to_owned(), |times| format!("{times:.1} ×")),
            rate(self.rows),
            rate(self.rows * MASKED),
            bytes(measured.watched.peak_bytes),
            measured.watched.written_bytes.map_or_else(|| "not told".to_owned(), bytes),
            bytes(measured.size),
            count(measured.originals),
            count(measured.rows_in_place),
            measured.plans_changed,
            Facts::plans(),
        )
    }

    fn json(&self, file_system: &str) -> Value {
        let lines = self.lines.iter().map(|line| match &line.outcome {
            Err(error) => json!({
                "peer": line.name, "cold": line.cold, "failed": format!("{error:#}"),
            }),
            Ok(measured) => {
                let stages: Map<String, Value> = measured
                    .stages
                    .iter()
                    .map(|(name, took)| (name.clone(), json!(took.as_secs_f64())))
                    .collect();
                let total = measured.total().as_secs_f64();
                json!({
                    "peer": line.name,
                    "cold": line.cold,
                    "version": measured.version,
                    "seconds": total,
                    "stages": stages,
                    "rows_per_second": self.rows as f64 / total,
                    "values_per_second": (self.rows * MASKED) as f64 / total,
                    "peak_bytes": measured.watched.peak_bytes,
                    "written_bytes": measured.watched.written_bytes,
                    "size_bytes": measured.size,
                    "originals_left": measured.originals,
                    "rows_in_place": measured.rows_in_place,
                    "plans_changed": measured.plans_changed,
                })
            }
        });
        let clones = self.clones.iter().map(|Clones { method, count, outcome }| match outcome {
            Ok(times) => json!({
                "method": method,
                "count": count,
                "seconds": times.answered.as_secs_f64(),
                "own_bytes": times.own_bytes,
            }),
            Err(error) => {
                json!({ "method": method, "count": count, "failed": format!("{error:#}") })
            }
        });
        json!({
            "machine": machine(),
            "file_system": file_system,
            "rows": self.rows,
            "heap_bytes": self.dataset.heap_bytes,
            "index_bytes": self.dataset.index_bytes,
            "plans": Facts::plans(),
            "peers": lines.collect::<Vec<_>>(),
            "clones": clones.collect::<Vec<_>>(),
        })
    }

    /// Writes `peers-ROWS.md`, `.json` and `.svg`.
    pub(super) fn write(&self, directory: &Path, file_system: &str) -> Result<()> {
        fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
        let path = |extension: &str| directory.join(format!("peers-{}.{extension}", self.rows));
        let json = format!("{:#}\n", self.json(file_system));
        for (extension, text) in [("md", self.markdown(file_system)), ("json", json)] {
            let path = path(extension);
            fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        }
        let title = format!("Five columns of {} rows masked, in seconds", count(self.rows));
        let measured = self.lines.iter().filter_map(|line| {
            Some((line.label(), line.outcome.as_ref().ok()?.total().as_secs_f64()))
        });
        plot::bars(&path("svg"), &title, &measured.collect::<Vec<_>>())?;
        println!("written: benches/compare/results/peers-{}.md, .json, .svg", self.rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::peers::clones::Times;
    use crate::peers::watch::Watched;

    fn line(name: &str, seconds: u64, originals: u64) -> Line {
        let watched = Watched { peak_bytes: 100_000_000, written_bytes: None };
        let outcome = Ok(Measured {
            version: "1".to_owned(),
            stages: vec![("all".to_owned(), Duration::from_secs(seconds))],
            watched,
            originals,
            size: 1_000_000_000,
            rows_in_place: 10,
            plans_changed: 3,
        });
        Line { name: name.to_owned(), cold: false, outcome }
    }

    #[test]
    fn peers_are_compared_with_thinveil_and_failures_are_told() {
        let dataset = Dataset {
            data: "/nowhere/at/all".into(),
            heap: Vec::new(),
            heap_bytes: 600_000_000,
            index_bytes: 200_000_000,
        };
        let failed = Line {
            name: "other".to_owned(),
            cold: false,
            outcome: Err(anyhow::anyhow!("it is not there")),
        };
        let lines = [line("thinveil", 10, 0), line("sql", 65, 1234), failed];
        let times = Times { answered: Duration::from_secs(5), own_bytes: 2_800_000 };
        let clones = [Clones { method: "mine".to_owned(), count: 10, outcome: Ok(times) }];
        let table = Table { rows: 1_000_000, dataset: &dataset, lines: &lines, clones: &clones };
        let text = table.markdown("ext4");
        assert!(text.contains("| sql | 65.0 s | 6.5 × | 15,384 | 76,923 | 100 MB |"), "{text}");
        assert!(text.contains("| 1,234 | 10 | 3 of 12 |"), "{text}");
        assert!(text.contains("| other | failed: it is not there |"), "{text}");
        assert!(text.contains("| mine | 10 | 5.0 s | 500 ms | 280 kB |"), "{text}");
        let json = table.json("ext4");
        assert_eq!(json["peers"][0]["seconds"], 10.0);
        assert_eq!(json["peers"][2]["failed"], "it is not there");

        let place = std::env::temp_dir().join(format!("thinveil-plot-{}", std::process::id()));
        table.write(&place, "ext4").expect("the directory can be made");
        let picture = std::fs::read_to_string(place.join("peers-1000000.svg"));
        std::fs::remove_dir_all(&place).expect("it is ours");
        let picture = picture.expect("a picture");
        assert!(picture.contains("65.0") && picture.contains("thinveil"), "{picture}");
    }
}
