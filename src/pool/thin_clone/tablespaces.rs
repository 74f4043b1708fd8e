//! The links to a volume's own tablespaces.
//!
//! In a clone they are absolute, as PostgreSQL makes them. A tree that is to be copied has relative
//! ones: absolute ones would lead from the copy to what it was made of.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Refusal, Result};
use crate::ids::Oid;

/// The tablespaces of a volume that are links. Refuses those that do not lie in it: people made them.
pub(in crate::pool) fn own(volume: &Path) -> Result<Vec<Oid>> {
    let links = links(volume);
    let mut oids = Vec::new();
    let mut refusals = Vec::new();
    for entry in fs::read_dir(&links).map_err(Error::io("read", &links))? {
        let link = entry.map_err(Error::io("read", &links))?.path();
        let Some(name) = link.file_name().filter(|_| link.is_symlink()) else { continue };
        if home(volume, &name.to_string_lossy()).is_dir() {
            oids.extend(name.to_string_lossy().parse().map(Oid).ok());
        } else {
            refusals.push(Refusal::new(
                "tablespace_of_clone",
                format!("tablespace {} was made in the clone", name.display()),
                "move what is in it to another tablespace, and drop it",
            ));
        }
    }
    if refusals.is_empty() { Ok(oids) } else { Err(Error::Refused(refusals)) }
}

/// Turns them to where the tablespaces are.
pub(super) fn link_absolute(volume: &Path) -> Result<()> {
    link(volume, |oid| home(volume, oid))
}

/// Makes them relative.
pub(in crate::pool) fn link_relative(volume: &Path) -> Result<()> {
    link(volume, |oid| Path::new("../../tablespaces").join(oid))
}

/// Turns each of them in one step: a crash leaves every link.
fn link(volume: &Path, target: impl Fn(&str) -> PathBuf) -> Result<()> {
    let beside = volume.join("link");
    for oid in own(volume)? {
        let oid = oid.to_string();
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::io("remove", &beside)(error));
            }
            _ => (),
        }
        std::os::unix::fs::symlink(target(&oid), &beside)
            .map_err(Error::io("create the link", &beside))?;
        fs::rename(&beside, links(volume).join(&oid)).map_err(Error::io("rename", &beside))?;
    }
    Ok(())
}

fn links(volume: &Path) -> PathBuf {
    volume.join("data/pg_tblspc")
}

fn home(volume: &Path, oid: &str) -> PathBuf {
    volume.join("tablespaces").join(oid)
}
