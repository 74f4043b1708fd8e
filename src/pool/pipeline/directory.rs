//! Staging a data directory: what is copied, what is refused.

use std::path::{Path, PathBuf};

use crate::cluster::sandbox::Owner;
use crate::cluster::{config, find_postmaster};
use crate::error::{Error, Refusal, Result};
use crate::ids::{Oid, PgMajor};
use crate::pool::{Manifest, Staging};
use crate::storage::{Blocks, Frozen, Root};

use super::{SnapshotOptions, copying};

/// Checks that `path` is a data directory that may be copied, and returns its major version. A
/// server may run there only if the driver can take it as it is at one moment.
pub(crate) fn inspect(path: &Path, freezes: bool) -> Result<PgMajor> {
    let invalid = |what: String| Error::invalid(format!("{}: {what}", path.display()));
    let metadata = std::fs::metadata(path).map_err(Error::io("open the source", path))?;
    if !metadata.is_dir() {
        return Err(invalid("the source is not a directory".into()));
    }
    let version_file = path.join("PG_VERSION");
    let version = match std::fs::read_to_string(&version_file) {
        Ok(version) => version,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(invalid(
                if path.join("base.tar").exists() || path.join("base.tar.gz").exists() {
                    "a backup in tar format; take it with pg_basebackup --format=plain, or unpack it"
                    .into()
                } else {
                    "not a PostgreSQL data directory: it has no PG_VERSION".into()
                },
            ));
        }
        Err(source) => return Err(Error::Io { action: "read", path: version_file, source }),
    };
    let major = version.trim().parse().map_err(invalid)?;
    if !freezes {
        refuse_running(path)?;
    }
    // Said before anything is copied that could not be given to its owner.
    Owner::of(path)?;
    let label = std::fs::read_to_string(path.join("backup_label")).unwrap_or_default();
    if label.contains("INCREMENTAL FROM LSN") {
        return Err(invalid(
            "an incremental backup; combine it with pg_combinebackup first".into(),
        ));
    }
    Ok(major)
}

fn refuse_running(path: &Path) -> Result<()> {
    let Some(postmaster) = find_postmaster(path)? else { return Ok(()) };
    Err(Error::Refused(vec![Refusal::new(
        "source_running",
        format!(
            "a server (process {}) runs on {}: a copy of its files would be torn",
            postmaster.pid(),
            path.display()
        ),
        "give its connection string as the source (thinveil then takes a pg_basebackup itself),\n\
         or take a pg_basebackup or an atomic volume snapshot and give that directory,\n\
         or keep the data in a btrfs subvolume beside a pool with driver btrfs,\n\
         or in a dataset, and the pool in another with driver zfs,\n\
         or stop the server",
    )]))
}

/// Copies the data directory `path`, its tablespaces and its WAL into the staging volume, as they are
/// at one moment if the driver can.
pub(super) fn ingest(
    path: &Path,
    major: PgMajor,
    staging: &Staging,
    options: &SnapshotOptions,
    manifest: &mut Manifest,
) -> Result<()> {
    let frozen = staging.driver().freeze(path, &staging.frozen_dir())?;
    let Some(frozen) = frozen else {
        refuse_running(path)?;
        copy(path, |path| path.to_path_buf(), major, staging, options, manifest)?;
        return refuse_running(path);
    };
    let views = Views { frozen: &frozen, source: path };
    views.check()?;
    let seen = |path: &Path| frozen.view_of(path).unwrap_or_else(|| path.to_path_buf());
    copy(path, seen, major, staging, options, manifest)?;
    // A server may have come meanwhile.
    views.check()?;
    manifest.extra.insert("frozen".to_owned(), true.into());
    staging.driver().destroy(&frozen.at)
}

/// A source that is taken as it is at one moment.
struct Views<'a> {
    frozen: &'a Frozen,
    source: &'a Path,
}

impl Views<'_> {
    /// Refuses a running source that has parts which are not seen at that moment.
    fn check(&self) -> Result<()> {
        if find_postmaster(self.source)?.is_none() {
            return Ok(());
        }
        let wal = self.source.join("pg_wal");
        let tablespaces = tablespaces(self.source)?;
        let places = tablespaces.iter().map(|(_, location)| location.as_path());
        let outside =
            places.chain([wal.as_path()]).filter(|place| self.frozen.view_of(place).is_none());
        let refusals: Vec<Refusal> = outside
            .map(|place| {
                Refusal::new(
                    "source_not_atomic",
                    format!(
                        "a server runs on {}, and {} is not in the same subvolume: one snapshot \
                         does not hold both",
                        self.source.display(),
                        place.display()
                    ),
                    "move it into the subvolume,\n\
                     or give the server's connection string as the source,\n\
                     or stop the server",
                )
            })
            .collect();
        if refusals.is_empty() { Ok(()) } else { Err(Error::Refused(refusals)) }
    }
}

/// Copies a source; `seen` says where a directory of it is read.
fn copy(
    path: &Path,
    seen: impl Fn(&Path) -> PathBuf,
    major: PgMajor,
    staging: &Staging,
    options: &SnapshotOptions,
    manifest: &mut Manifest,
) -> Result<()> {
    manifest.planner_settings = config::planner_settings(path);
    let tablespaces = tablespaces(path)?;
    let mut roots = vec![Root::new(seen(path), "data")];
    let wal = path.join("pg_wal");
    if wal.is_symlink() {
        roots.push(Root::new(seen(&wal), "data/pg_wal"));
    }
    let prefix = format!("PG_{major}_");
    for (oid, location) in &tablespaces {
        let location = seen(location);
        for entry in
            std::fs::read_dir(&location).map_err(Error::io("read tablespace", &location))?
        {
            let entry = entry.map_err(Error::io("read tablespace", &location))?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                let target = Path::new("tablespaces").join(oid.to_string()).join(entry.file_name());
                roots.push(Root::new(entry.path(), target));
            }
        }
    }

    let total = roots.iter().map(|root| tree_bytes(&root.source)).sum();
    let blocks = if options.detach { Blocks::Apart } else { Blocks::Shared };
    let ingested = copying(options, total, |watch| {
        staging.driver().ingest(&roots, &staging.volume(), blocks, watch)
    })?;
    manifest.raw_bytes = ingested.bytes;
    for (link, target) in &ingested.links {
        check_link(link, target)?;
    }
    let oids: Vec<Oid> = tablespaces.into_iter().map(|(oid, _)| oid).collect();
    for oid in &oids {
        let home = staging.volume().join("tablespaces").join(oid.to_string());
        std::fs::create_dir_all(&home).map_err(Error::io("create", &home))?;
        copy_owner(path, &home)?;
    }
    staging.link_tablespaces(&oids)
}

/// Tablespaces that are links, with where they really are. Those that are directories of the data
/// directory (`allow_in_place_tablespaces`) come along with it.
fn tablespaces(path: &Path) -> Result<Vec<(Oid, PathBuf)>> {
    let directory = path.join("pg_tblspc");
    let mut tablespaces = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(Error::io("read", &directory))? {
        let entry = entry.map_err(Error::io("read", &directory))?;
        let link = entry.path();
        if !link.is_symlink() {
            continue;
        }
        let oid = entry.file_name().to_string_lossy().parse().map(Oid).map_err(|_| {
            Error::invalid(format!("{}: a link that is no tablespace", link.display()))
        })?;
        let location =
            link.canonicalize().map_err(Error::io("follow the tablespace link", &link))?;
        tablespaces.push((oid, location));
    }
    tablespaces.sort();
    Ok(tablespaces)
}

/// Links that are not followed: harmless at the top of the data directory (configuration, logs),
/// missing data anywhere else.
fn check_link(link: &Path, target: &Path) -> Result<()> {
    let at_top = link.components().count() == 2;
    let known = link.starts_with("data/pg_tblspc") || link == Path::new("data/pg_wal");
    let holds_data = ["base", "global", "pg_xact", "pg_multixact", "pg_tblspc"];
    let name = link.file_name().map(|name| name.to_string_lossy().into_owned());
    if known || (at_top && !name.is_some_and(|name| holds_data.contains(&name.as_str()))) {
        return Ok(());
    }
    Err(Error::Refused(vec![Refusal::new(
        "link_leaves_volume",
        format!(
            "{} in the source is a symbolic link to {}, which is not followed",
            link.strip_prefix("data").unwrap_or(link).display(),
            target.display()
        ),
        "move the data into the data directory or a tablespace; only pg_wal and tablespaces may be links",
    )]))
}

fn copy_owner(like: &Path, path: &Path) -> Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let metadata = std::fs::metadata(like).map_err(Error::io("look at", like))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
        .and_then(|()| std::os::unix::fs::chown(path, Some(metadata.uid()), Some(metadata.gid())))
        .map_err(Error::io("set the owner of", path))
}

/// Bytes in the files of a tree, for progress alone: what can't be read counts as none.
pub(super) fn tree_bytes(root: &Path) -> u64 {
    let files = walkdir::WalkDir::new(root).into_iter().flatten();
    files.filter_map(|entry| entry.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum()
}
