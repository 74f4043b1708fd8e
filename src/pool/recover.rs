//! Putting right what crashes left.

use std::path::PathBuf;

use serde::Serialize;

use super::lock::Lock;
use super::thin_clone::{self, ThinClone};
use super::{Pool, staging, subdirs};
use crate::error::Result;
use crate::failpoint::Failpoint;

/// What was put right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// Staging volumes, and remains of destroyed snapshots, that were removed.
    pub staging_removed: Vec<String>,
    /// Clones that were never finished, or half destroyed, that were removed.
    pub clones_removed: Vec<String>,
    /// Clones whose unused generations (an unfinished or finished reset's) were removed.
    pub clones_tidied: Vec<String>,
    /// Volumes that were mounted again.
    pub attached: Vec<String>,
    /// What could not be put right, and why.
    pub problems: Vec<String>,
}

impl Recovery {
    /// True if there was nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Recovery::default()
    }
}

impl Pool {
    /// Removes what no living process works on and nobody can use: staging volumes with their
    /// servers and mounts, clones half made or half destroyed, generations that a reset left; mounts
    /// volumes again after a reboot. Run by [`Pool::open`]; running it twice does nothing more.
    pub fn recover(&self) -> Result<Recovery> {
        let mut report = Recovery::default();
        self.recover_staging(&mut report)?;
        self.recover_snapshots(&mut report)?;
        self.recover_clones(&mut report)?;
        if !report.is_empty() {
            let list = |names: &[String]| names.join(" ");
            self.audit(
                "pool recover",
                &self.id,
                &[
                    ("staging_removed", &list(&report.staging_removed)),
                    ("clones_removed", &list(&report.clones_removed)),
                    ("clones_tidied", &list(&report.clones_tidied)),
                    ("attached", &list(&report.attached)),
                    ("problems", &report.problems.len().to_string()),
                ],
            )?;
        }
        Ok(report)
    }

    fn recover_staging(&self, report: &mut Recovery) -> Result<()> {
        for (id, dir, _lock) in self.abandoned(self.staging_dir())? {
            match staging::sweep(self.driver.as_ref(), &dir) {
                Ok(()) => {
                    report.staging_removed.push(id);
                    Failpoint::StagingSwept.reach()?;
                }
                Err(_) if !dir.exists() => {}
                Err(error) => report.problems.push(format!("staging {id}: {error}")),
            }
        }
        Ok(())
    }

    fn recover_snapshots(&self, report: &mut Recovery) -> Result<()> {
        if !self.driver.capabilities().mounts {
            return Ok(());
        }
        for snapshot in self.snapshots()? {
            match self.driver.attach(&snapshot.volume()) {
                Ok(true) => report.attached.push(snapshot.id().to_owned()),
                Ok(false) => (),
                Err(error) => report.problems.push(format!("snapshot {}: {error}", snapshot.id())),
            }
        }
        Ok(())
    }

    fn recover_clones(&self, report: &mut Recovery) -> Result<()> {
        for (id, dir, _lock) in self.abandoned(self.clones_dir())? {
            let mut put_right = || -> Result<()> {
                match ThinClone::read(self, &dir)? {
                    Some(mut clone) if clone.is_finished() => {
                        if clone.tidy()? {
                            report.clones_tidied.push(id.clone());
                            Failpoint::CloneTidied.reach()?;
                        }
                        if self.driver.attach(&clone.volume())? {
                            report.attached.push(id.clone());
                        }
                    }
                    _ => {
                        thin_clone::sweep(self.driver.as_ref(), &dir)?;
                        report.clones_removed.push(id.clone());
                        Failpoint::CloneSwept.reach()?;
                    }
                }
                Ok(())
            };
            if let Err(error) = put_right()
                && dir.exists()
            {
                report.problems.push(format!("clone {id}: {error}"));
            }
        }
        Ok(())
    }

    /// The directories that nobody works on at the moment, locked. Decided under the pool's lock,
    /// since a directory that was just made is locked before that lock is given back.
    fn abandoned(&self, parent: PathBuf) -> Result<Vec<(String, PathBuf, Lock)>> {
        let _guard = self.lock()?;
        let mut found = Vec::new();
        for id in subdirs(&parent)? {
            let dir = parent.join(&id);
            match Lock::try_take(&dir.join("lock")) {
                Ok(Some(lock)) => found.push((id, dir, lock)),
                Ok(None) => {}
                // Whoever held it has removed it meanwhile.
                Err(_) if !dir.exists() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}
