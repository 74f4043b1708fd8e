//! Tablespaces that replayed WAL creates.
//!
//! Replaying `CREATE TABLESPACE` turns the tablespace's link to the directory that production gave
//! it (`create_tablespace_directories` in `commands/tablespace.c`); replaying what was written there
//! then works in that directory. Landlock denies it, so such a source can't be recovered here; where
//! the kernel has no Landlock it must not be tried.

use std::path::Path;

use crate::cluster::ClusterState;
use crate::cluster::sandbox::Confinement;
use crate::error::{Error, Refusal, Result};

const REMEDY: &str = "start the source's own server and stop it cleanly, so that nothing is left to replay;\n\
                      or, if it runs, give its connection string as the source";

/// Refuses to replay WAL unconfined where there are tablespaces.
pub(super) fn check_before_recovery(data_dir: &Path, state: ClusterState) -> Result<()> {
    let replays = state != ClusterState::ShutDown;
    if !replays || Confinement::offered() != Confinement::None || links(data_dir)?.is_empty() {
        return Ok(());
    }
    Err(Error::Refused(vec![Refusal::new(
        "unconfined_recovery",
        "the source was not shut down, it has tablespaces, and this kernel has no Landlock: \
         nothing would keep replayed WAL out of the tablespaces' own directories",
        REMEDY,
    )]))
}

/// Refuses if replayed WAL turned a tablespace's link out of the volume.
pub(super) fn check_after_recovery(volume: &Path) -> Result<()> {
    let refusals: Vec<Refusal> = links(&volume.join("data"))?
        .into_iter()
        .filter(|(_, target)| target.is_absolute())
        .map(|(oid, target)| {
            Refusal::new(
                "tablespace_in_wal",
                format!(
                    "the source crashed after CREATE TABLESPACE and before its next checkpoint: \
                     replaying that (tablespace {oid}) would work in {}",
                    target.display()
                ),
                REMEDY,
            )
        })
        .collect();
    if refusals.is_empty() { Ok(()) } else { Err(Error::Refused(refusals)) }
}

/// Tablespaces that are links, with what the links say.
fn links(data_dir: &Path) -> Result<Vec<(String, std::path::PathBuf)>> {
    let directory = data_dir.join("pg_tblspc");
    let mut links = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(Error::io("read", &directory))? {
        let entry = entry.map_err(Error::io("read", &directory))?;
        if entry.path().is_symlink() {
            let target =
                std::fs::read_link(entry.path()).map_err(Error::io("read", entry.path()))?;
            links.push((entry.file_name().to_string_lossy().into_owned(), target));
        }
    }
    Ok(links)
}
