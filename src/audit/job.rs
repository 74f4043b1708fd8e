//! The whole audit: sets of originals one after the other, and the report.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::digits::InDigits;
use super::findings::Findings;
use super::scan::Scan;
use super::target::targets;
use crate::cluster::FileMap;
use crate::error::{Error, Result};
use crate::fingerprint::{FingerprintSet, Gathered};
use crate::plan::MaskPlan;
use crate::progress::{Cancel, Progress};

/// What to search, and for what.
pub struct AuditJob<'a> {
    /// The volume: `data/` and `tablespaces/`.
    pub volume: &'a Path,
    /// What was masked.
    pub plan: &'a MaskPlan,
    /// Fingerprints of all values.
    pub fingerprints: Gathered,
    /// Which relation each file of the data directory belongs to.
    pub files: &'a FileMap,
    /// Threads; 0 for as many as there are cores.
    pub threads: usize,
    /// Stops the work.
    pub cancel: &'a Cancel,
    /// Watches the work; counts bytes.
    pub progress: &'a dyn Progress,
}

/// What was searched, and what was found. Holds no value.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct AuditReport {
    /// Files searched.
    pub files: u64,
    /// Bytes searched.
    pub bytes: u64,
    /// Distinct original values searched for: all that can be.
    pub values_searched: u64,
    /// Of these, values that are also masked output, a constant of the schema, in `template0`, or in
    /// a column that the rule set accepts: finding them elsewhere proves nothing.
    pub values_set_apart: u64,
    /// Values, not distinct, that are too short to be searched for.
    pub values_unsearchable: u64,
    /// Occurrences of numbers and moments where one of them may be by accident.
    #[serde(default)]
    pub coincidences: u64,
    /// Times that the volume was gone through.
    #[serde(default)]
    pub passes: u64,
    /// Occurrences by kind; all zero, or there would be no snapshot.
    pub residue: BTreeMap<String, u64>,
}

impl AuditJob<'_> {
    /// Searches every byte of every file. Refuses where an original is found.
    pub fn run(self) -> Result<AuditReport> {
        let AuditJob { volume, plan, fingerprints: mut gathered, files, .. } = self;
        let targets = targets(volume, plan, files)?;
        let bytes: u64 = targets.iter().map(|target| target.len).sum();
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .build()
            .map_err(|error| Error::invalid(format!("can't start threads: {error}")))?;
        let mut findings = Findings::default();
        let mut report = AuditReport {
            files: targets.len() as u64,
            bytes,
            values_searched: gathered.distinct(),
            values_set_apart: gathered.also_output(),
            values_unsearchable: gathered.unsearchable(),
            ..AuditReport::default()
        };
        let done = AtomicU64::new(0);
        while let Some(set) = threads.install(|| gathered.next_set())? {
            report.passes += 1;
            findings.begin(&set, &gathered);
            let scan = Scan {
                targets: &targets,
                set: &set,
                in_digits: InDigits::new(set.other_beginnings()),
                gathered: &gathered,
                findings: &findings,
                apart: (0..set.len()).map(|_| AtomicBool::new(false)).collect(),
                cancel: self.cancel,
                progress: self.progress,
                done: &done,
                total: report.passes * bytes,
            };
            threads.install(|| search(&scan, &set))?;
            let apart = scan.apart.iter().filter(|apart| apart.load(Ordering::Relaxed));
            report.values_set_apart += apart.count() as u64;
            findings.end(&set, &gathered);
        }
        let (residue, refusals) = findings.report(&targets, &gathered);
        report.residue = residue;
        report.coincidences = findings.coincidences();
        if refusals.is_empty() { Ok(report) } else { Err(Error::Refused(refusals)) }
    }
}

fn search(scan: &Scan<'_>, set: &FingerprintSet) -> Result<()> {
    // First the places that may hold an original by right: what is found there is set apart, and
    // need not be wondered about elsewhere.
    scan.run(|target| target.may_hold_by_right())?;
    scan.run(|target| !target.may_hold_by_right())?;
    for table in scan.toast_tables() {
        table.search()?;
    }
    let words = scan.findings.settle(set, &scan.apart);
    if !words.is_empty() {
        scan.set_words_apart(&words)?;
        scan.findings.settle(set, &scan.apart);
    }
    Ok(())
}
