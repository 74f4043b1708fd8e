//! The leak audit of a sealed snapshot, once more.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Snapshot;
use crate::audit::{AuditJob, AuditReport};
use crate::cluster::FileMap;
use crate::error::{Error, Result};
use crate::fingerprint::{Gathered, Limits, SealKey};
use crate::mask::MaskKey;
use crate::plan::MaskPlan;
use crate::progress::{Cancel, Progress};

/// What the fingerprints of a snapshot's originals and output are in, beside its volume.
pub(super) const SEALED: &str = "fingerprints.sealed";

/// What an audit needs besides fingerprints, to be sealed.
#[derive(Serialize)]
struct ContextOf<'a> {
    plan: &'a MaskPlan,
    files: &'a FileMap,
}

/// What an audit needs besides fingerprints.
#[derive(Deserialize)]
pub(super) struct Context {
    pub(super) plan: MaskPlan,
    files: FileMap,
}

/// Keeps what a later audit needs, beside this volume.
pub(super) fn seal(
    volume: &Path,
    key: &SealKey,
    fingerprints: &Gathered,
    plan: &MaskPlan,
    files: &FileMap,
) -> Result<()> {
    let context = serde_json::to_value(ContextOf { plan, files })
        .map_err(|error| Error::invalid(format!("the plan: {error}")))?;
    fingerprints.seal(&volume.with_file_name(SEALED), key, context)
}

impl Snapshot {
    /// All that an audit needs, but for what does not fit into memory, which is in `scratch`.
    pub(super) fn unseal(&self, key: &MaskKey, scratch: &Path) -> Result<(Gathered, Context)> {
        if !self.sealed().exists() {
            let why = match self.manifest().lineage {
                Some(_) => "it was made of a clone, without a key",
                None => "its key was ephemeral",
            };
            return Err(Error::invalid(format!(
                "snapshot {} can't be audited: {why}, so that nothing was kept of its originals' \
                 fingerprints",
                self.name()
            )));
        }
        let key_id = key.id().0;
        if key_id != self.manifest().key_id {
            return Err(Error::invalid(format!(
                "key {key_id} did not mask snapshot {}: {} did",
                self.name(),
                self.manifest().key_id
            )));
        }
        let (fingerprints, context) =
            Gathered::unseal(&self.sealed(), key, scratch, Limits::default())?;
        let context = Context::deserialize(context)
            .map_err(|error| Error::invalid(format!("what was sealed: {error}")))?;
        Ok((fingerprints, context))
    }

    fn sealed(&self) -> PathBuf {
        self.dir().join(SEALED)
    }

    /// Searches every file of the snapshot again for all original values. Refuses where one is
    /// found. `threads` is 0 for as many as there are cores.
    ///
    /// # Errors
    /// [`Error::Invalid`] where `key` is not the one that masked it, or where that was ephemeral.
    pub fn audit(
        &self,
        key: &MaskKey,
        threads: usize,
        cancel: &Cancel,
        progress: &dyn Progress,
    ) -> Result<AuditReport> {
        // Whatever does not fit into memory goes with this.
        let staging = self.pool().new_staging()?;
        let (fingerprints, context) = self.unseal(key, &staging.scratch_dir())?;
        let job = AuditJob {
            volume: &self.volume(),
            plan: &context.plan,
            fingerprints,
            files: &context.files,
            threads,
            cancel,
            progress,
        };
        job.run()
    }
}
