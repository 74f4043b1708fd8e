//! Files that a clean start of the cluster does not need are removed, known or not.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cluster::sandbox::Owner;
use crate::cluster::{ControlFile, FileMap, is_relation_file};
use crate::error::{Error, Result};
use crate::page::BLCKSZ;
use crate::progress::Cancel;
use crate::removal::Removal;

use super::wal::keep_only_the_checkpoint;

/// What PostgreSQL itself keeps at the top of a data directory; `initdb.c`, `subdirs`.
const KNOWN: [&str; 18] = [
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
];

/// Directories of which a start needs the directory alone.
const EMPTIED: [&str; 11] = [
    "pg_dynshmem",
    "pg_logical/mappings",
    "pg_logical/snapshots",
    "pg_notify",
    "pg_replslot",
    "pg_serial",
    "pg_snapshots",
    "pg_stat",
    "pg_stat_tmp",
    "pg_subtrans",
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

/// What PostgreSQL or its packages keep at the top besides, by kind: none of it is needed.
const REMOVED: [(&str, &[&str]); 4] = [
    ("logs", &["log", "pg_log", "current_logfiles", "logfile"]),
    (
        "configuration",
        &[
            "postgresql.conf",
            "postgresql.auto.conf",
            "pg_hba.conf",
            "pg_ident.conf",
            "conf.d",
            "recovery.conf",
            "recovery.done",
            "recovery.signal",
            "standby.signal",
        ],
    ),
    ("keys_and_certificates", &["server.key", "server.crt", "root.crt", "root.crl", ".pgpass"]),
    (
        "backup_labels",
        &[
            "backup_label",
            "backup_label.old",
            "backup_manifest",
            "tablespace_map",
            "tablespace_map.old",
            "postmaster.opts",
            "postmaster.pid",
        ],
    ),
];

/// More names are not kept.
const UNKNOWN_KEPT: usize = 1000;

/// What was purged.
#[derive(Debug, Default)]
pub(super) struct Purged {
    /// Files by kind.
    pub(super) files: BTreeMap<&'static str, u64>,
    /// Those that PostgreSQL does not know, by their path in the data directory.
    pub(super) unknown: Vec<String>,
}

impl Purged {
    fn add(&mut self, kind: &'static str, count: u64) {
        *self.files.entry(kind).or_default() += count;
    }

    fn add_unknown(&mut self, path: &Path, count: u64) {
        self.add("unknown", count);
        if self.unknown.len() < UNKNOWN_KEPT {
            self.unknown.push(path.to_string_lossy().into_owned());
        }
    }
}

/// Removes from a cleanly stopped cluster whatever a start does not need.
pub(super) fn purge(
    pgdata: &Path,
    control: &ControlFile,
    files: &FileMap,
    cancel: &Cancel,
) -> Result<Purged> {
    let mut purged = Purged::default();
    for name in names(pgdata)? {
        if KNOWN.iter().any(|known| *known == name) || Removal::Files.is_off() {
            continue;
        }
        let removed = remove(&pgdata.join(&name))?;
        match REMOVED.iter().find(|(_, known)| known.iter().any(|known| *known == name)) {
            Some((kind, _)) => purged.add(kind, removed),
            None => purged.add_unknown(Path::new(&name), removed),
        }
    }
    for directory in EMPTIED.iter().filter(|_| !Removal::State.is_off()) {
        let directory = pgdata.join(directory);
        for name in names(&directory)? {
            purged.add("state", remove(&directory.join(name))?);
        }
    }
    // No checkpoint of replication origins means that there are none.
    let logical = pgdata.join("pg_logical");
    for name in names(&logical)? {
        if name != "mappings" && name != "snapshots" && !Removal::State.is_off() {
            purged.add("state", remove(&logical.join(name))?);
        }
    }
    if !Removal::Wal.is_off() {
        purged.add("wal", keep_only_the_checkpoint(pgdata, control)?);
    }
    cancel.check()?;

    let mut cleaner =
        Cleaner { pgdata, files, segment: u64::from(control.relseg_size) * BLCKSZ as u64, purged };
    cleaner.clean_relations(Path::new("global"), &GLOBAL_FILES)?;
    for name in names(&pgdata.join("base"))? {
        cleaner.clean_database(&Path::new("base").join(&name))?;
    }
    for tablespace in names(&pgdata.join("pg_tblspc"))? {
        let tablespace = Path::new("pg_tblspc").join(tablespace);
        for version in names(&pgdata.join(&tablespace))? {
            let version = tablespace.join(version);
            for database in names(&pgdata.join(&version))? {
                cleaner.clean_database(&version.join(database))?;
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
    Ok(cleaner.purged)
}

/// Goes through the directories of relations.
struct Cleaner<'a> {
    pgdata: &'a Path,
    files: &'a FileMap,
    /// Bytes of a full segment.
    segment: u64,
    purged: Purged,
}

impl Cleaner<'_> {
    /// Cleans a directory that should be a database's; anything else is removed whole.
    fn clean_database(&mut self, directory: &Path) -> Result<()> {
        if self.files.is_database(directory) {
            return self.clean_relations(directory, &DATABASE_FILES);
        }
        let is_temporary = directory.ends_with("pgsql_tmp");
        let removal = if is_temporary { Removal::State } else { Removal::OrphanedRelations };
        if removal.is_off() {
            return Ok(());
        }
        let removed = remove(&self.pgdata.join(directory))?;
        if is_temporary {
            self.purged.add("temporary", removed);
        } else {
            self.purged.add_unknown(directory, removed);
        }
        Ok(())
    }

    /// Removes what is neither a relation's file nor one of `known`, and segments that lie past
    /// a relation's end.
    fn clean_relations(&mut self, directory: &Path, known: &[&str]) -> Result<()> {
        for name in names(&self.pgdata.join(directory))? {
            let path = directory.join(&name);
            if known.iter().any(|known| *known == name) {
                continue;
            }
            let file = self.pgdata.join(&path);
            if self.files.may_own(&path) {
                if !Removal::OrphanedRelations.is_off() && self.is_past_the_end(&file)? {
                    self.purged.add("orphaned", remove(&file)?);
                }
            } else if is_relation_file(&path) {
                if !Removal::OrphanedRelations.is_off() {
                    self.purged.add("orphaned", remove(&file)?);
                }
            } else if !Removal::Files.is_off() {
                let removed = remove(&file)?;
                self.purged.add_unknown(&path, removed);
            }
        }
        Ok(())
    }

    /// True for a segment that PostgreSQL never comes to, since one before it is not full.
    fn is_past_the_end(&self, file: &Path) -> Result<bool> {
        let Some(number) = file.extension().and_then(|number| number.to_str()?.parse::<u32>().ok())
        else {
            return Ok(false);
        };
        for before in 0..number {
            let before = match before {
                0 => file.with_extension(""),
                before => file.with_extension(before.to_string()),
            };
            match std::fs::symlink_metadata(&before) {
                Ok(metadata) if metadata.len() == self.segment => {}
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
                Err(error) => return Err(Error::io("look at", &before)(error)),
            }
        }
        Ok(false)
    }
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
