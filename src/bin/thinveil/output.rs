//! Results on standard output: for people, or one JSON document.

use std::io::Write;

use indicatif::HumanBytes;
use serde::Serialize;
use serde_json::{Value, json};
use thinveil::Error;
use thinveil::cluster::sandbox::Confinement;
use thinveil::pool::{CloneView, Manifest};
use thinveil::storage::Capabilities;

use crate::Failure;

/// How results are printed.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Output {
        Output { json }
    }

    /// Prints a result: `value` with `--json`, `text` without.
    pub(crate) fn result(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let text = if self.json {
            serde_json::to_string_pretty(value)
                .map_err(|error| Error::invalid(format!("the result is no JSON: {error}")))?
        } else {
            text()
        };
        let mut stdout = std::io::stdout().lock();
        match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
            // Whoever reads has read enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written.map_err(Error::io("write to", "standard output"))?),
        }
    }

    /// Prints a failure on standard error, and with `--json` as the one document.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            let document = match failure {
                Failure::Library(Error::Refused(refusals)) => json!({ "refused": refusals }),
                Failure::Library(Error::AuditLogBroken { line, what }) => {
                    json!({ "broken": { "line": line, "what": what }, "error": failure.to_string() })
                }
                failure => json!({ "error": failure.to_string() }),
            };
            let _ = self.result(&document, String::new);
        }
        eprintln!("thinveil: {failure}");
    }
}

/// A column of values under each other.
pub(crate) fn lines(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    pairs.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect()
}

/// Rows under headings, each column as wide as it must be.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut widths = headings.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let headings = headings.map(str::to_owned);
    let mut text = String::new();
    for row in std::iter::once(&headings).chain(&rows) {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A column whose permutation had a small domain.
fn small_domain(record: &Value) -> String {
    let field = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let smallest = record.get("smallest").and_then(Value::as_u64).unwrap_or_default();
    let (database, table, column) = (field("database"), field("table"), field("column"));
    format!("{database}.{table}.{column} (a value among {smallest})")
}

/// A column whose values changed places.
fn shuffled_column(record: &Value) -> String {
    let field = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let count = |name: &str| record.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (database, table, column) = (field("database"), field("table"), field("column"));
    let (values, alone) = (count("values"), count("alone"));
    format!("{database}.{table}.{column} ({values} values, {alone} of them alone with their size)")
}

pub(crate) fn snapshot_text(manifest: &Manifest) -> String {
    let stages = manifest.stages.0.iter();
    let stages: Vec<_> = stages.map(|(name, time)| format!("{name} {time:.2} s")).collect();
    let found: u64 = manifest.residue.values().sum();
    let audit = |key: &str| manifest.extra.get("audit").and_then(|audit| audit.get(key)?.as_u64());
    let masked_in = manifest.lineage.as_ref().and_then(|lineage| lineage.ancestors.last());
    let mut pairs = vec![
        ("id", manifest.id.clone()),
        ("name", manifest.name.clone()),
        ("source", format!("{} (PostgreSQL {})", manifest.source, manifest.major)),
        ("made", manifest.created_at.to_string()),
        ("key id", manifest.key_id.clone()),
        ("stages", stages.join(", ")),
        (
            "masked",
            match masked_in {
                Some(ancestor) => format!("in snapshot {} ({})", ancestor.name, ancestor.id),
                None => format!(
                    "{} values; {} of {} pages rewritten, {} layout deviations",
                    manifest.values_masked,
                    manifest.pages_rewritten,
                    manifest.pages_scanned,
                    manifest.layout_deviations
                ),
            },
        ),
        (
            "originals left",
            match audit("bytes") {
                Some(bytes) => format!(
                    "{found} found of {} searched for in {}",
                    audit("values_searched").unwrap_or_default(),
                    HumanBytes(bytes)
                ),
                None => "not searched for: no key was given".to_owned(),
            },
        ),
        (
            "size",
            format!(
                "{}, {} of its own",
                HumanBytes(manifest.raw_bytes),
                HumanBytes(manifest.own_bytes)
            ),
        ),
    ];
    let nulls = |count| manifest.extra.get("nulls")?.get(count)?.as_u64();
    if let Some(values @ 1..) = nulls("values") {
        let moved = nulls("moved").unwrap_or_default();
        let tuples = nulls("tuples").unwrap_or_default();
        let text = format!("{values} values in {tuples} row versions, {moved} moved on their page");
        pairs.push(("became NULL", text));
    }
    let small = manifest.extra.get("small_domains").and_then(|columns| columns.as_array());
    let small: Vec<_> = small.into_iter().flatten().map(small_domain).collect();
    if !small.is_empty() {
        pairs.push(("hidden among few", small.join(", ")));
    }
    let shuffled = manifest.extra.get("shuffled").and_then(|columns| columns.as_array());
    let shuffled: Vec<_> = shuffled.into_iter().flatten().map(shuffled_column).collect();
    if !shuffled.is_empty() {
        pairs.push(("in other rows", shuffled.join(", ")));
    }
    lines(&pairs)
}

pub(crate) fn clone_text(view: &CloneView) -> String {
    let ready = view.ready_ms.map(|ms| ("ready", format!("after {ms} ms")));
    let mut pairs = vec![
        ("id", view.id.clone()),
        ("name", view.name.clone()),
        ("snapshot", view.snapshot.clone()),
        ("state", word(&view.state)),
        ("connect", view.dsn.clone()),
        ("data", view.data_dir.display().to_string()),
        (
            "size",
            format!(
                "{} shared, {} of its own ({})",
                HumanBytes(view.shared_bytes),
                HumanBytes(view.own_bytes),
                view.driver.name()
            ),
        ),
    ];
    pairs.extend(ready);
    lines(&pairs)
}

/// What a value is called in JSON.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// What a driver needs and gives, in words.
pub(crate) fn capabilities_text(driver: Capabilities) -> String {
    let Capabilities {
        shares_blocks,
        mounts,
        atomic,
        copies_whole_files,
        freezes,
        seals,
        needs_root,
    } = driver;
    let of = if shares_blocks { "clones share blocks" } else { "clones are full copies" };
    let told = [
        (copies_whole_files, "files are copied whole when first opened for writing"),
        (atomic, "each clone is one step"),
        (seals, "snapshots are read-only"),
        (freezes, "a source that one snapshot holds may be running"),
        (mounts, "volumes are mounts"),
        (needs_root, "needs root"),
    ];
    let told = told.iter().filter(|(is, _)| *is).map(|(_, text)| *text);
    std::iter::once(of).chain(told).collect::<Vec<_>>().join("; ")
}

/// What keeps servers to their volumes.
pub(crate) fn confinement_text(confinement: Confinement) -> &'static str {
    match confinement {
        Confinement::Full => "full: Landlock keeps servers to their volumes",
        Confinement::Partial => "partial: Landlock keeps servers' files to their volumes",
        Confinement::None => {
            "this kernel has no Landlock: nothing but file permissions keeps a server to its volume"
        }
    }
}
