//! The verbs of the audit log.

use serde_json::json;
use thinveil::Error;
use thinveil::pool::{AuditEntry, Pool, Retention};

use crate::args::AuditVerb;
use crate::commands::{Context, Result};
use crate::output::{lines, table};

impl Context<'_> {
    pub(crate) fn audit(&self, verb: AuditVerb) -> Result<()> {
        match verb {
            AuditVerb::Log { verb, object, outcome, uid, since, until, last } => {
                let mut entries = self.read("audit log", "", Pool::audit_entries)?;
                let is = |wanted: &Option<String>, found: &str| {
                    wanted.as_ref().is_none_or(|wanted| wanted == found)
                };
                entries.retain(|entry| {
                    let noun = entry.verb.split(' ').next().unwrap_or_default();
                    (is(&verb, &entry.verb) || is(&verb, noun))
                        && is(&object, &entry.object)
                        && is(&outcome, &entry.outcome)
                        && uid.is_none_or(|uid| entry.uid == uid || entry.login_uid == Some(uid))
                        && since.is_none_or(|since| entry.at >= since.0)
                        && until.is_none_or(|until| entry.at < until.0)
                });
                if let Some(last) = last {
                    entries.drain(..entries.len().saturating_sub(last));
                }
                self.output.result(&entries, || {
                    let rows = entries.iter().map(row).collect();
                    table(["NUMBER", "WHEN", "WHO", "VERB", "OUTCOME", "OBJECT", "DETAILS"], rows)
                })
            }
            AuditVerb::Verify { seen } => {
                let verified = self.read("audit verify", "", |pool| match &seen {
                    Some(seen) => pool.verify_audit_log_with(seen),
                    None => pool.verify_audit_log(),
                })?;
                self.output.result(&verified, || {
                    let range = format!("{} to {}", verified.first, verified.last);
                    let mut pairs = vec![
                        ("unbroken", format!("{} lines, {range}", verified.entries)),
                        ("last line's hash", verified.head.clone()),
                    ];
                    if let Some(anchor) = &verified.anchor {
                        let written = anchor.written_at.strftime("%Y-%m-%d %H:%M:%SZ");
                        pairs.push((
                            "pruned",
                            format!("1 to {}, until {written}", anchor.pruned_through),
                        ));
                    }
                    lines(&pairs)
                })
            }
            AuditVerb::Prune { keep, older_than } => {
                let retention = match (keep, older_than) {
                    (Some(keep), _) => Retention::Last(keep),
                    (None, Some(time)) => Retention::Since(time.0),
                    (None, None) => return Err(Error::invalid("say --keep or --older-than").into()),
                };
                let pruned = self.open()?.prune_audit_log(retention)?;
                self.output.result(&json!(pruned), || {
                    format!("removed {} lines, {} are left", pruned.removed, pruned.kept)
                })
            }
        }
    }
}

fn row(entry: &AuditEntry) -> [String; 7] {
    let details = entry.details.iter().map(|(name, value)| format!("{name}={value}"));
    let who = match entry.login_uid {
        Some(login) => format!("{} ({login})", entry.uid),
        None => entry.uid.to_string(),
    };
    [
        entry.sequence.to_string(),
        entry.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        who,
        entry.verb.clone(),
        entry.outcome.clone(),
        entry.object.clone(),
        details.collect::<Vec<_>>().join(" "),
    ]
}
