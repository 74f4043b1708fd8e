//! Retention: what of a pool may go, and why the rest stays.

use jiff::Timestamp;
use serde::Serialize;

use super::{Pool, Snapshot, ThinClone};
use crate::error::{Error, Result};

/// What `pool gc` may remove. By default only clones whose lease has ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct GcPolicy {
    /// Snapshots may go that are not among the newest so many. The newest of all always stays.
    pub keep: Option<usize>,
    /// Snapshots may go that were made before this. With `keep`, those to which both apply.
    pub older_than: Option<Timestamp>,
    /// Clones may go that nobody has used since then, whatever their lease.
    pub unused_since: Option<Timestamp>,
    /// Nothing is removed; it is told what would be.
    pub dry_run: bool,
}

/// One snapshot or clone, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GcItem {
    /// `snapshot` or `clone`.
    pub what: &'static str,
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Why it went, or stays.
    pub why: String,
    /// Bytes of its own.
    pub own_bytes: u64,
}

/// What was removed and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GcReport {
    /// Nothing was removed in truth.
    pub dry_run: bool,
    /// What went, in order: clones first.
    pub removed: Vec<GcItem>,
    /// What stays.
    pub kept: Vec<GcItem>,
    /// Bytes that only what went held.
    pub freed_bytes: u64,
}

/// Whether something goes, and why.
type Verdict = std::result::Result<String, String>;

impl Pool {
    /// Removes what the policy lets go: never what is protected, in use, or the newest snapshot.
    ///
    /// Each removal is one of [`ThinClone::destroy`] or [`Pool::destroy_snapshot`], so a crash leaves
    /// nothing half removed; what somebody began to use meanwhile stays.
    pub fn gc(&self, policy: GcPolicy) -> Result<GcReport> {
        self.logged("pool gc", &self.id, || {
            let mut report = GcReport { dry_run: policy.dry_run, ..GcReport::default() };
            let mut staying = Vec::new();
            for clone in self.clones()? {
                let item = item("clone", clone.id(), clone.name(), clone.usage()?.own_bytes);
                let snapshot = (clone.snapshot_id().to_owned(), clone.name().to_owned());
                let removal = clone_verdict(&clone, policy)?;
                if !report.carry_out(item, removal, || clone.destroy())? {
                    staying.push(snapshot);
                }
            }
            // Newest first.
            let snapshots = self.snapshots()?;
            for (age, snapshot) in snapshots.iter().rev().enumerate() {
                let usage = snapshot.usage()?;
                let item = item("snapshot", snapshot.id(), snapshot.name(), usage.own_bytes);
                let verdict = snapshot_verdict(snapshot, age, policy, &staying)?;
                report
                    .carry_out(item, verdict, || self.destroy_snapshot(snapshot.id()).map(drop))?;
            }
            self.audit(
                "pool gc",
                &self.id,
                &[
                    ("dry_run", if policy.dry_run { "true" } else { "false" }),
                    ("removed", &report.removed.len().to_string()),
                    ("kept", &report.kept.len().to_string()),
                ],
            )?;
            Ok(report)
        })
    }
}

impl GcReport {
    /// Removes what may go, unless somebody holds it after all. True if it went, or would.
    fn carry_out(
        &mut self,
        mut item: GcItem,
        verdict: Verdict,
        remove: impl FnOnce() -> Result<()>,
    ) -> Result<bool> {
        match verdict {
            Err(why) => item.why = why,
            Ok(why) => {
                item.why = why;
                match if self.dry_run { Ok(()) } else { remove() } {
                    Ok(()) => {
                        self.freed_bytes += item.own_bytes;
                        self.removed.push(item);
                        return Ok(true);
                    }
                    // Protected, cloned or locked since it was looked at.
                    Err(error @ (Error::Busy { .. } | Error::Refused(_))) => {
                        item.why = error.to_string();
                    }
                    Err(Error::NotFound { .. }) => return Ok(true),
                    Err(error) => return Err(error),
                }
            }
        }
        self.kept.push(item);
        Ok(false)
    }
}

fn item(what: &'static str, id: &str, name: &str, own_bytes: u64) -> GcItem {
    GcItem { what, id: id.to_owned(), name: name.to_owned(), why: String::new(), own_bytes }
}

fn clone_verdict(clone: &ThinClone, policy: GcPolicy) -> Result<Verdict> {
    let care = clone.care()?;
    if care.is_protected() {
        return Ok(Err(care.protection()));
    }
    let lease = care.lease_until.map(moment);
    let used = clone.last_used()?;
    let why = match (lease, policy.unused_since) {
        (Some(end), _) if care.is_expired() => format!("its lease ended {end}"),
        (_, Some(limit)) if used < limit => format!("last used {}", moment(used)),
        (_, Some(_)) => return Ok(Err(format!("last used {}", moment(used)))),
        (Some(end), None) => return Ok(Err(format!("its lease ends {end}"))),
        (None, None) => return Ok(Err("it has no lease".to_owned())),
    };
    Ok(match clone.sessions()? {
        0 => Ok(why),
        sessions => Err(format!("{why}, but it is in use: sessions: {sessions}")),
    })
}

/// A moment in words.
fn moment(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%d %H:%M:%SZ")
}

fn snapshot_verdict(
    snapshot: &Snapshot,
    age: usize,
    policy: GcPolicy,
    staying: &[(String, String)],
) -> Result<Verdict> {
    let care = snapshot.care()?;
    if care.is_protected() {
        return Ok(Err(care.protection()));
    }
    let clones = staying.iter().filter(|(id, _)| id == snapshot.id());
    let clones: Vec<&str> = clones.map(|(_, name)| name.as_str()).collect();
    if !clones.is_empty() {
        return Ok(Err(format!("it has clones: {}", clones.join(", "))));
    }
    let made = snapshot.manifest().created_at;
    let keep = policy.keep.unwrap_or_default().max(1);
    Ok(if policy.keep.is_none() && policy.older_than.is_none() {
        Err("nothing was said about snapshots".to_owned())
    } else if age == 0 {
        Err("it is the newest".to_owned())
    } else if age < keep {
        Err(format!("it is one of the newest {keep}"))
    } else if policy.older_than.is_some_and(|limit| made >= limit) {
        Err("it is not old enough".to_owned())
    } else {
        Ok(format!("made {}", moment(made)))
    })
}
