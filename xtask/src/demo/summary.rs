//! What the demo says in the end.

use std::fmt::{self, Write as _};
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::production::Production;
use super::proof::{Facts, ValueFindings};
use crate::lab::{Outcome, bytes, count, seconds};

/// Sections of lines, and whether every check held.
pub(super) struct Summary {
    text: String,
    checks: Vec<(String, bool)>,
}

impl Summary {
    pub(super) fn new(file_system: String) -> Summary {
        let mut summary = Summary { text: String::new(), checks: Vec::new() };
        summary.heading("thinveil: a masked snapshot and thin clones of a production cluster");
        summary.line("file system", &file_system);
        summary
    }

    pub(super) fn is_good(&self) -> bool {
        self.checks.iter().all(|(_, holds)| *holds)
    }

    pub(super) fn production(&mut self, production: &Production) {
        self.heading("Production");
        self.line("customers", &count(production.customers));
        self.line("rows that refer to them", &count(production.referring_rows));
        self.line("size", &bytes(production.bytes));
        self.line("made in", &seconds(production.seconds));
    }

    pub(super) fn snapshot(&mut self, snapshot: &Outcome) -> Result<()> {
        self.heading(&format!("Masked snapshot: {}", seconds(snapshot.elapsed)));
        let stages = snapshot.stages();
        let longest = stages.iter().map(|(_, seconds)| *seconds).fold(0.001, f64::max);
        for (stage, took) in &stages {
            let bar = "█".repeat((took / longest * 30.0).round() as usize);
            let time = seconds(Duration::from_secs_f64(took.max(0.0)));
            self.line(stage, &format!("{time:>8}  {bar}"));
        }
        let masked = snapshot.number("values_masked")?;
        let rewrite = stages.iter().find(|(stage, _)| stage == "rewrite").map(|(_, s)| *s);
        let rate = match rewrite {
            Some(seconds) if seconds > 0.0 => {
                format!(" ({} a second)", count((masked as f64 / seconds) as u64))
            }
            _ => String::new(),
        };
        self.line("values masked", &format!("{}{rate}", count(masked)));
        self.line("pages compared with the raw ones", &count(snapshot.number("pages_scanned")?));
        self.line("pages rewritten", &count(snapshot.number("pages_rewritten")?));
        let deviations = snapshot.number("layout_deviations")?;
        self.line("layout deviations", &count(deviations));
        self.check("every rewritten page keeps its layout", deviations == 0);
        let residue = residue(snapshot.json.get("residue"));
        self.line("left of the originals (leak audit)", &count(residue));
        self.check("the leak audit finds nothing", residue == 0);
        self.line("memory of thinveil at its peak", &bytes(snapshot.peak_bytes));
        self.line("raw size", &bytes(snapshot.number("raw_bytes")?));
        self.line("snapshot's own", &bytes(snapshot.number("own_bytes")?));
        Ok(())
    }

    pub(super) fn clones(&mut self, first_answers: &[Duration], own: Option<u64>) {
        self.heading("Clones");
        let times: Vec<String> = first_answers.iter().map(|time| seconds(*time)).collect();
        self.line("from `clone create` to the first answer", &times.join(", "));
        self.line("a new clone owns", &super::said_bytes(own));
    }

    pub(super) fn reset(&mut self, reset: Duration, written: Option<u64>) {
        self.line("owned after 10,000 updated rows", &super::said_bytes(written));
        self.line("reset in", &seconds(reset));
    }

    pub(super) fn facts(&mut self, raw: &Facts, clone: &Facts) {
        let what = format!(
            "{} rows on {} pages are where they were (ctid, relpages, sizes)",
            count(raw.rows()),
            count(raw.pages())
        );
        self.check(&what, raw.tables == clone.tables);
        let plans = format!("the planner answers {} questions as in production", raw.plans.len());
        self.check(&plans, raw.plans == clone.plans);
        let joined = format!(
            "{} tickets still join to their customer by e-mail",
            count(raw.tickets_joined_by_email.unsigned_abs())
        );
        self.check(&joined, raw.tickets_joined_by_email == clone.tickets_joined_by_email);
        for (table, before) in &raw.tables {
            if clone.tables.get(table) != Some(before) {
                let _ =
                    writeln!(self.text, "  {table}: {before:?} → {:?}", clone.tables.get(table));
            }
        }
        for (before, after) in raw.plans.iter().zip(&clone.plans).filter(|(a, b)| a != b) {
            let _ =
                writeln!(self.text, "  plan in production:\n{before}\n  in the clone:\n{after}");
        }
    }

    pub(super) fn values(&mut self, found: &ValueFindings) {
        let compared = count(found.compared);
        self.check(
            &format!("none of {compared} compared values is the original"),
            found.unchanged == 0,
        );
        self.check(&format!("each of {compared} has the original's length"), found.misfits == 0);
    }

    /// `in_production` is the control: a search that finds nothing there finds nothing anywhere.
    pub(super) fn grep(&mut self, needles: u64, in_production: usize, in_clone: usize) {
        let needles = count(needles);
        self.check(
            &format!("grep finds {needles} originals in {in_production} files of production"),
            in_production > 0,
        );
        self.check(&format!("and in {in_clone} files of a clone"), in_clone == 0);
    }

    pub(super) fn check(&mut self, what: &str, holds: bool) {
        self.checks.push((what.to_owned(), holds));
    }

    pub(super) fn total(&mut self, elapsed: Duration) {
        self.heading("Checked without thinveil's help, but for the first two");
        for (what, holds) in &self.checks {
            let _ = writeln!(self.text, "  {} {what}", if *holds { "✓" } else { "✗ NOT TRUE:" });
        }
        self.heading(&format!("All of it, data included: {}", seconds(elapsed)));
    }

    fn heading(&mut self, text: &str) {
        // Writing to a String can't fail, here and below.
        let _ = writeln!(self.text, "\n{text}");
    }

    fn line(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.text, "  {name:<42}{value}");
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The sum of the counts by kind, however they nest.
fn residue(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Number(number)) => number.as_u64().unwrap_or(u64::MAX),
        Some(Value::Object(kinds)) => kinds.values().map(|kind| residue(Some(kind))).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_check_that_does_not_hold_spoils_the_demo() {
        let mut summary = Summary::new("xfs".to_owned());
        summary.check("one", true);
        assert!(summary.is_good());
        summary.grep(10, 0, 0);
        assert!(!summary.is_good(), "a search that finds nothing in production proves nothing");
        summary.total(Duration::from_secs(80));
        assert!(summary.to_string().contains("✗ NOT TRUE: grep finds 10 originals in 0 files"));
    }

    #[test]
    fn adds_up_residue_of_all_kinds() {
        let value = serde_json::json!({"heap": 1, "index": {"key": 2, "include": 3}, "wal": 0});
        assert_eq!(residue(Some(&value)), 6);
        assert_eq!(residue(None), 0);
    }
}
