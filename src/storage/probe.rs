//! Which drivers work in a directory: found out by trying each for real.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::{Btrfs, Driver, DriverChoice, DriverKind, Overlay, Watch, Zfs};
use crate::error::{Error, Result};
use crate::progress::Cancel;

/// How the names of directories begin in which drivers are tried.
pub(crate) const TRIAL: &str = ".thinveil-probe-";

/// One driver's trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The driver.
    pub kind: DriverKind,
    /// Why it does not work there; `None` if it does.
    pub why_not: Option<String>,
}

/// What trying every driver in a directory told.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The driver to use.
    pub chosen: DriverKind,
    /// Every driver tried, thinnest first, up to the chosen one.
    pub tried: Vec<Tried>,
}

/// Tries drivers in `dir`, thinnest first, until one works; or the one asked for alone.
///
/// Leaves nothing behind. What trials left that were cut short goes before; nobody else may try there
/// now.
pub fn probe(dir: &Path, choice: DriverChoice) -> Result<Probe> {
    let kinds: &[DriverKind] = match &choice {
        DriverChoice::Auto => &DriverKind::ALL,
        DriverChoice::Only(kind) => std::slice::from_ref(kind),
    };
    sweep(dir)?;
    let mut tried = Vec::new();
    for &kind in kinds {
        let why_not = attempt(dir, kind).err();
        let works = why_not.is_none();
        tried.push(Tried { kind, why_not: why_not.map(|error| error.to_string()) });
        if works {
            return Ok(Probe { chosen: kind, tried });
        }
    }
    let reasons: Vec<String> = tried
        .iter()
        .map(|tried| format!("{}: {}", tried.kind, tried.why_not.as_deref().unwrap_or_default()))
        .collect();
    Err(Error::invalid(format!(
        "no driver works in {}: {}; try --driver auto, or a directory on XFS or btrfs",
        dir.display(),
        reasons.join("; ")
    )))
}

/// Removes what a trial left behind, of whatever driver.
fn sweep(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(Error::io("read", dir))? {
        let home = entry.map_err(Error::io("read", dir))?;
        if !home.file_name().to_string_lossy().starts_with(TRIAL) {
            continue;
        }
        let home = home.path();
        for volume in [home.join("to/volume"), home.join("from/volume")] {
            if Zfs::has(&volume) {
                Zfs.destroy(&volume)?;
            }
            Overlay.detach(&volume)?;
            Btrfs.destroy(&volume)?;
        }
        fs::remove_dir_all(&home).map_err(Error::io("remove", &home))?;
    }
    Ok(())
}

/// A volume with one file, a clone of it, a write to the clone.
fn attempt(dir: &Path, kind: DriverKind) -> Result<()> {
    const BEFORE: &[u8] = &[b'a'; 8192];
    const AFTER: &[u8] = &[b'b'; 8192];

    let home = tempfile::Builder::new()
        .prefix(TRIAL)
        .tempdir_in(dir)
        .map_err(Error::io("create a directory in", dir))?;
    let (from, to) = (home.path().join("from/volume"), home.path().join("to/volume"));
    let driver = kind.driver();
    let trial = || -> Result<()> {
        for volume in [&from, &to] {
            if let Some(parent) = volume.parent() {
                fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
            }
        }
        driver.create_volume(&from)?;
        let original = from.join("file");
        File::create(&original)
            .and_then(|mut file| file.write_all(BEFORE).and_then(|()| file.sync_all()))
            .map_err(Error::io("write", &original))?;
        let cancel = Cancel::new();
        driver.clone_volume(&from, &to, &Watch::silent(&cancel))?;
        let copy = to.join("file");
        if fs::read(&copy).map_err(Error::io("read", &copy))? != BEFORE {
            return Err(Error::invalid("a clone of a file has other bytes"));
        }
        fs::write(&copy, AFTER).map_err(Error::io("write", &copy))?;
        if fs::read(&original).map_err(Error::io("read", &original))? != BEFORE {
            return Err(Error::invalid("a write to a clone changed the original"));
        }
        Ok(())
    };
    let outcome = trial();
    let cleaned = driver.destroy(&to).and_then(|()| driver.destroy(&from));
    outcome.and(cleaned)
}
