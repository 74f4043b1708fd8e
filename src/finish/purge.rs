//! Files that a clean start of the cluster does not need are removed, known or not.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cluster::sandbox::Owner;
use crate::cluster::{ControlFile, FileMap};
use crate::error::{Error, Result};
use crate::progress::Cancel;

use super::wal::keep_only_the_checkpoint;

/// What PostgreSQL itself keeps at the top of a data directory; `initdb.c`, `subdirs`.
const KNOWN: [&str; 19] = [
    "PG_VERSION",
    "base",
    "global",
    "pg_commit_ts",
    "pg_dynshmem",
    "pg_logical",
    "pg_multixact",
    "pg_notify",
    "pg_replslot",
    "pg_serial",
    "pg_snapshots",
    "pg_stat",
    "pg_stat_tmp",
    "pg_subtrans",
    "pg_tblspc",
    "pg_twophase",
    "pg_wal",
    "pg_xact",
    "current_logfiles",
];

/// Directories of which a start needs the directory alone.
const EMPTIED: [&str; 10] = [
    "pg_dynshmem",
    "pg_logical/mappings",
    "pg_logical/snapshots",
    "pg_notify",
    "pg_replslot",
    "pg_serial",
    "pg_snapshots",
    "pg_stat",
    "pg_stat_tmp",
    "pg_twophase",
];

/// Files at the top of a database's directory that are no relation's.
const DATABASE_FILES: [&str; 3] = ["PG_VERSION", "pg_filenode.map", "pg_internal.init"];
const GLOBAL_FILES: [&str; 3] = ["pg_control", "pg_filenode.map", "pg_internal.init"];

/// So that the directory is a whole cluster, which `pg_ctl` starts for its owner alone.
const CONFIGURATION: [(&str, &str); 4] = [
    (
        "postgresql.conf",
        "# A masked snapshot; clones bring a configuration of their own.\nlisten_addresses = ''\n",
    ),
    ("postgresql.auto.conf", ""),
    ("pg_hba.conf", "local all all peer\n"),
    ("pg_ident.conf", ""),
];

/// Removes from a cleanly stopped cluster whatever a start does not need. Returns how many files
/// that were.
pub(super) fn purge(
    pgdata: &Path,
    control: &ControlFile,
    files: &FileMap,
    cancel: &Cancel,
) -> Result<u64> {
    let mut removed = 0;
    for name in names(pgdata)? {
        if !KNOWN.iter().any(|known| *known == name) || name == "current_logfiles" {
            removed += remove(&pgdata.join(&name))?;
        }
    }
    for directory in EMPTIED {
        let directory = pgdata.join(directory);
        for name in names(&directory)? {
            removed += remove(&directory.join(name))?;
        }
    }
    // No checkpoint of replication origins means that there are none.
    let logical = pgdata.join("pg_logical");
    for name in names(&logical)? {
        if name != "mappings" && name != "snapshots" {
            removed += remove(&logical.join(name))?;
        }
    }
    removed += keep_only_the_checkpoint(pgdata, control)?;
    cancel.check()?;

    removed += clean_relations(pgdata, Path::new("global"), &GLOBAL_FILES, files)?;
    for name in names(&pgdata.join("base"))? {
        let database = Path::new("base").join(&name);
        removed += clean_database(pgdata, &database, files)?;
    }
    for tablespace in names(&pgdata.join("pg_tblspc"))? {
        let tablespace = Path::new("pg_tblspc").join(tablespace);
        for version in names(&pgdata.join(&tablespace))? {
            let version = tablespace.join(version);
            for database in names(&pgdata.join(&version))? {
                removed += clean_database(pgdata, &version.join(database), files)?;
            }
        }
    }
    let owner = Owner::of(pgdata)?;
    for (name, text) in CONFIGURATION {
        let path = pgdata.join(name);
        std::fs::write(&path, text).map_err(Error::io("write", &path))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
            .map_err(Error::io("chmod", &path))?;
        owner.give(&path)?;
    }
    Ok(removed)
}

/// Cleans a directory that should be a database's; anything else is removed whole.
fn clean_database(pgdata: &Path, directory: &Path, files: &FileMap) -> Result<u64> {
    if files.is_database(directory) {
        clean_relations(pgdata, directory, &DATABASE_FILES, files)
    } else {
        remove(&pgdata.join(directory))
    }
}

/// Removes what is neither a relation's file nor one of `known`.
fn clean_relations(
    pgdata: &Path,
    directory: &Path,
    known: &[&str],
    files: &FileMap,
) -> Result<u64> {
    let mut removed = 0;
    for name in names(&pgdata.join(directory))? {
        let path = directory.join(&name);
        if !known.iter().any(|known| *known == name) && !files.may_own(&path) {
            removed += remove(&pgdata.join(path))?;
        }
    }
    Ok(removed)
}

fn names(directory: &Path) -> Result<Vec<std::ffi::OsString>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(Error::Io { action: "read", path: directory.to_path_buf(), source });
        }
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
    names.collect::<std::io::Result<_>>().map_err(Error::io("read", directory))
}

/// Removes a file, a link (never what it points to) or a directory with all that is in it, and
/// counts the files. What is not there counts as none.
fn remove(path: &Path) -> Result<u64> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(source) => {
            return Err(Error::Io { action: "look at", path: path.to_path_buf(), source });
        }
    };
    if metadata.is_dir() {
        let mut removed = 0;
        for name in names(path)? {
            removed += remove(&path.join(name))?;
        }
        std::fs::remove_dir(path).map_err(Error::io("remove", path))?;
        Ok(removed)
    } else {
        std::fs::remove_file(path).map_err(Error::io("remove", path))?;
        Ok(1)
    }
}
