//! Fills a [`FileMap`] from the catalogs.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::session::Session;
use crate::cluster::catalog::{ClusterInfo, DatabaseInfo};
use crate::cluster::{FileAttribute, FileMap, FileOwner};
use crate::error::{Error, Result};
use crate::ids::Oid;
use crate::plan::{DatabasePlan, MaskPlan};

/// Enters the relations of one database, and the shared ones.
pub(super) fn read(
    session: &mut Session,
    info: &DatabaseInfo,
    plan: &MaskPlan,
    files: &mut FileMap,
) -> Result<()> {
    let planned = plan.databases.iter().find(|database| database.oid == info.oid);
    let accepted: &[String] =
        planned.map(|database| database.accepted_columns.as_slice()).unwrap_or_default();
    let moved: HashSet<(u32, i16)> = planned
        .into_iter()
        .flat_map(DatabasePlan::moved_columns)
        .map(|(relation, attnum, _)| (relation.oid.0, attnum))
        .collect();
    let mut attributes: HashMap<u32, Vec<FileAttribute>> = HashMap::new();
    let rows = session.query(
        "read the layout of relations",
        "SELECT c.oid, a.attname::text, a.attlen, a.attalign::text,
                n.nspname || '.' || c.relname || '.' || a.attname, a.attnum
         FROM pg_attribute a
         JOIN pg_class c ON c.oid = a.attrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'm', 't') AND a.attnum > 0
         ORDER BY c.oid, a.attnum",
        &[],
    )?;
    for row in &rows {
        attributes.entry(row.get(0)).or_default().push(FileAttribute {
            name: row.get(1),
            attlen: row.get(2),
            align: match row.get::<_, &str>(3) {
                "d" => 8,
                "i" => 4,
                "s" => 2,
                _ => 1,
            },
            accept_originals: accepted.iter().any(|name| *name == row.get::<_, &str>(4))
                || moved.contains(&(row.get(0), row.get(5))),
        });
    }
    let rows = session.query(
        "read the files of relations",
        "SELECT c.oid, pg_relation_filepath(c.oid), n.nspname::text, c.relname::text,
                c.relkind::text, c.relisshared, pg_relation_filepath(m.oid)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_class m ON m.reltoastrelid = c.oid AND c.relkind = 't'
         WHERE pg_relation_filepath(c.oid) IS NOT NULL",
        &[],
    )?;
    for row in &rows {
        let oid: u32 = row.get(0);
        let shared: bool = row.get(5);
        let owner = FileOwner {
            database: if shared { String::new() } else { info.name.clone() },
            schema: row.get(2),
            name: row.get(3),
            relkind: row.get::<_, &str>(4).chars().next().unwrap_or('r'),
            system: oid < Oid::FIRST_NORMAL.0,
            attributes: attributes.remove(&oid).unwrap_or_default(),
            main: row.get::<_, Option<String>>(6).map(PathBuf::from),
        };
        if owner.system && owner.relkind == 'r' {
            files.set_layout(oid, &owner);
        }
        files.insert(PathBuf::from(row.get::<_, String>(1)), owner);
    }
    files.cover("global".into());
    Ok(())
}

/// Enters the directories of databases, in every tablespace.
pub(super) fn directories(pgdata: &Path, cluster: &ClusterInfo, files: &mut FileMap) -> Result<()> {
    let mut homes = vec![PathBuf::from("base")];
    let tablespaces = pgdata.join("pg_tblspc");
    let prefix = format!("PG_{}_", cluster.major);
    for tablespace in std::fs::read_dir(&tablespaces).map_err(Error::io("read", &tablespaces))? {
        let tablespace = tablespace.map_err(Error::io("read", &tablespaces))?;
        let path = tablespace.path();
        for version in std::fs::read_dir(&path).map_err(Error::io("read", &path))? {
            let version = version.map_err(Error::io("read", &path))?.file_name();
            if version.to_string_lossy().starts_with(&prefix) {
                homes.push(Path::new("pg_tblspc").join(tablespace.file_name()).join(version));
            }
        }
    }
    for home in homes {
        for database in &cluster.databases {
            let directory = home.join(database.oid.to_string());
            files.add_database(directory.clone());
            if database.allows_connections {
                files.cover(directory.clone());
            }
            if database.name == "template0" && !database.allows_connections {
                files.set_pristine(directory);
            }
        }
    }
    Ok(())
}
