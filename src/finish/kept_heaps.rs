//! Masked heaps are set aside while the private server works.
//!
//! A server that reads a heap writes to it: hint bits, and with them checksums and `pd_lsn`, on
//! whatever pages it came by. Masked heaps would then differ from run to run, and from what was
//! proven of them. So the server gets copies, and the proven files come back afterwards. Nothing
//! that the server is asked to do changes what a heap says, but for those that the rules allow to
//! be rebuilt.

use std::path::{Path, PathBuf};

use crate::cluster::{ControlFile, segments};
use crate::error::{Error, Result};
use crate::plan::{MaskPlan, RelationPlan};
use crate::progress::Cancel;

/// How a file is copied: shares blocks where the file system can, keeps owner and mode.
pub type CopyFile<'a> = &'a (dyn Fn(&Path, &Path) -> Result<()> + Sync);

/// Files set aside, with where they belong.
pub(super) struct KeptHeaps(Vec<(PathBuf, PathBuf)>);

impl KeptHeaps {
    /// Moves the masked relations' segments into the new directory `aside`, and puts copies in their
    /// place.
    pub(super) fn set_aside(
        plan: &MaskPlan,
        pgdata: &Path,
        control: &ControlFile,
        aside: &Path,
        copy: CopyFile<'_>,
        cancel: &Cancel,
    ) -> Result<KeptHeaps> {
        std::fs::create_dir(aside).map_err(Error::io("create", aside))?;
        let mut kept = Vec::new();
        let relations = plan.databases.iter().flat_map(|database| &database.relations);
        let kept_as_it_is =
            |relation: &&RelationPlan| relation.is_masked() && relation.relayout.is_none();
        for relation in relations.filter(kept_as_it_is) {
            for path in std::iter::once(&relation.path).chain(&relation.toast_path) {
                for segment in segments(&pgdata.join(path), control.relseg_size)? {
                    cancel.check()?;
                    let away = aside.join(kept.len().to_string());
                    if rename(&segment.path, &away)? {
                        copy(&away, &segment.path)?;
                    } else {
                        copy(&segment.path, &away)?;
                    }
                    kept.push((away, segment.path));
                }
            }
        }
        Ok(KeptHeaps(kept))
    }

    /// Puts the files back; the server must have stopped.
    pub(super) fn put_back(self, aside: &Path, copy: CopyFile<'_>) -> Result<()> {
        let remove = |path: &Path| std::fs::remove_file(path).map_err(Error::io("remove", path));
        for (away, home) in self.0 {
            if !rename(&away, &home)? {
                remove(&home)?;
                copy(&away, &home)?;
                remove(&away)?;
            }
        }
        std::fs::remove_dir(aside).map_err(Error::io("remove", aside))
    }
}

/// False if nothing can be renamed from the one to the other: a volume may be a subvolume.
fn rename(from: &Path, to: &Path) -> Result<bool> {
    match std::fs::rename(from, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => Ok(false),
        Err(error) => Err(Error::io("move", from)(error)),
    }
}
