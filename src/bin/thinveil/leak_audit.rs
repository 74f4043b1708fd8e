//! `snapshot audit`: the search for originals once more, or what it came to before the seal.

use std::path::PathBuf;

use serde_json::json;
use thinveil::Error;
use thinveil::audit::AuditReport;

use crate::commands::{Context, Result};
use crate::input::read_key_if_given;
use crate::output::lines;
use crate::progress::Bars;

impl Context<'_> {
    pub(crate) fn leak_audit(
        &self,
        id: &str,
        key_file: Option<PathBuf>,
        threads: usize,
    ) -> Result<()> {
        let key = read_key_if_given(key_file)?;
        let (manifest, again) = self.read("snapshot audit", id, |pool| {
            let snapshot = pool.snapshot(id)?;
            let audit = |key| snapshot.audit(key, threads, &self.cancel, &Bars::new());
            let again = key.as_ref().map(audit).transpose()?;
            Ok((snapshot.manifest().clone(), again))
        })?;
        let recorded = manifest.extra.get("audit").cloned().unwrap_or_default();
        let recorded: AuditReport = serde_json::from_value(recorded).unwrap_or_default();
        let searched_again = again.is_some();
        let report = again.unwrap_or(recorded);
        let audit = serde_json::to_value(&report)
            .map_err(|error| Error::invalid(format!("the audit's report: {error}")))?;
        let value = json!({
            "id": manifest.id, "name": manifest.name, "residue": report.residue,
            "audit": audit, "again": searched_again,
        });
        self.output.result(&value, || {
            let residue = report.residue.iter().map(|(kind, count)| format!("{kind} {count}"));
            lines(&[
                ("searched", if searched_again { "now" } else { "before the seal" }.to_owned()),
                ("files searched", report.files.to_string()),
                ("bytes searched", report.bytes.to_string()),
                ("originals searched for", report.values_searched.to_string()),
                ("set apart (also masked output)", report.values_set_apart.to_string()),
                ("not searchable (too short)", report.values_unsearchable.to_string()),
                ("coincidences (numbers)", report.coincidences.to_string()),
                ("found", residue.collect::<Vec<_>>().join(", ")),
            ])
        })
    }
}
