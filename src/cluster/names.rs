//! The names of relations by their files, read from the catalogs' own files.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::leading::{NAMEDATALEN, for_each_row, relation_map};
use crate::error::{Error, Result};
use crate::ids::PgMajor;

/// Oids of catalogs: `catalog/pg_class.h`, `pg_database.h`, `pg_namespace.h`.
const PG_CLASS: u32 = 1259;
const PG_DATABASE: u32 = 1262;
const PG_NAMESPACE: u32 = 2615;
/// `GLOBALTABLESPACE_OID`.
const PG_GLOBAL: u32 = 1664;

/// What relations are called, as far as the catalogs on disk know: what a running server has not
/// written yet is not in them.
#[derive(Debug, Default)]
pub struct RelationNames(HashMap<PathBuf, String>);

/// A row of `pg_class`, as far as `reltablespace`: the same columns from PostgreSQL 13 to 18.
struct Class {
    oid: u32,
    relname: String,
    relnamespace: u32,
    relfilenode: u32,
    reltablespace: u32,
    is_live: bool,
}

/// The directory of a database in one of the tablespaces.
struct Home {
    /// Relative to the volume.
    place: PathBuf,
    /// Relative to the data directory, as PostgreSQL has it.
    path: PathBuf,
    database: u32,
    /// `PG_15_202209061`.
    version: Option<String>,
}

impl RelationNames {
    /// Reads the catalogs of every database of a volume. Nothing of it leads out of it.
    pub fn read(volume: &Path, major: PgMajor) -> Result<RelationNames> {
        let global = Path::new("data/global");
        let mapped = relation_map(volume, global)?.unwrap_or_default();
        let databases = match mapped.get(&PG_DATABASE) {
            Some(number) => names(volume, &global.join(number.to_string()))?,
            None => HashMap::new(),
        };
        let mut found = RelationNames::default();
        for home in homes(volume, major)? {
            let name = databases.get(&home.database);
            let name = name.cloned().unwrap_or_else(|| home.database.to_string());
            found.enter(volume, &home, &name, &mapped)?;
        }
        Ok(found)
    }

    /// `database.schema.relation` (`schema.relation` if it is shared) of the relation whose main
    /// fork begins at `path`, relative to the data directory.
    pub fn get(&self, path: &Path) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    fn enter(
        &mut self,
        volume: &Path,
        home: &Home,
        database: &str,
        shared: &HashMap<u32, u32>,
    ) -> Result<()> {
        // Only where `pg_class` is: a tablespace may have some of a database's tables alone.
        let Some(map) = relation_map(volume, &home.place)? else { return Ok(()) };
        let Some(number) = map.get(&PG_CLASS) else { return Ok(()) };
        let classes = classes(volume, &home.place.join(number.to_string()))?;
        let schemas = match classes.get(&PG_NAMESPACE) {
            Some(class) => names(volume, &home.place.join(class.relfilenode.to_string()))?,
            None => HashMap::new(),
        };
        let named = |class: &Class| match schemas.get(&class.relnamespace) {
            Some(schema) => format!("{schema}.{}", class.relname),
            None => class.relname.clone(),
        };
        // `VACUUM FULL` gives a table the file of another that it made, and drops that.
        let mut in_order: Vec<&Class> = classes.values().collect();
        in_order.sort_by_key(|class| class.is_live);
        for class in in_order {
            let is_shared = class.reltablespace == PG_GLOBAL;
            let files = if is_shared { shared } else { &map };
            let number = match class.relfilenode {
                0 => files.get(&class.oid).copied(),
                number => Some(number),
            };
            let Some(number) = number else { continue };
            let directory = match (class.reltablespace, &home.version) {
                (0, _) => home.path.clone(),
                (PG_GLOBAL, _) => PathBuf::from("global"),
                (tablespace, Some(version)) => Path::new("pg_tblspc")
                    .join(tablespace.to_string())
                    .join(version)
                    .join(home.database.to_string()),
                (_, None) => continue,
            };
            let mut name = named(class);
            // `pg_toast_16390` and `pg_toast_16390_index`.
            let toasted = class.relname.strip_prefix("pg_toast_");
            let toasted = toasted.and_then(|rest| rest.split('_').next()?.parse().ok());
            if let Some(main) = toasted.and_then(|oid: u32| classes.get(&oid)) {
                name = format!("{name} (of {})", named(main));
            }
            if !is_shared {
                name = format!("{database}.{name}");
            }
            self.0.insert(directory.join(number.to_string()), name);
        }
        Ok(())
    }
}

/// The names in a catalog whose rows begin with an oid and a name: each one's latest.
fn names(volume: &Path, file: &Path) -> Result<HashMap<u32, String>> {
    let mut names = HashMap::new();
    for_each_row(volume, file, |row| {
        if row.is_live || !names.contains_key(&row.oid(0)) {
            names.insert(row.oid(0), row.name(4));
        }
    })?;
    Ok(names)
}

/// `pg_class` by oid.
fn classes(volume: &Path, file: &Path) -> Result<HashMap<u32, Class>> {
    // `relname` and then `relnamespace`, `reltype`, `reloftype`, `relowner`, `relam`,
    // `relfilenode`, `reltablespace`.
    const BEHIND_NAME: usize = 4 + NAMEDATALEN;
    let mut classes = HashMap::new();
    for_each_row(volume, file, |row| {
        let oid = row.oid(0);
        if row.is_live || !classes.contains_key(&oid) {
            let class = Class {
                oid,
                relname: row.name(4),
                relnamespace: row.oid(BEHIND_NAME),
                relfilenode: row.oid(BEHIND_NAME + 20),
                reltablespace: row.oid(BEHIND_NAME + 24),
                is_live: row.is_live,
            };
            classes.insert(oid, class);
        }
    })?;
    Ok(classes)
}

/// The directories of all databases.
fn homes(volume: &Path, major: PgMajor) -> Result<Vec<Home>> {
    let mut parents = vec![(PathBuf::from("data/base"), PathBuf::from("base"))];
    let mut version = None;
    let spaces = Path::new("tablespaces");
    for space in subdirectories(&volume.join(spaces))? {
        for name in subdirectories(&volume.join(spaces).join(&space))? {
            if name.starts_with(&format!("PG_{major}_")) {
                // `pg_tblspc/<oid>` is a link to `tablespaces/<oid>`.
                let path = Path::new("pg_tblspc").join(&space).join(&name);
                parents.push((spaces.join(&space).join(&name), path));
                version = Some(name);
            }
        }
    }
    let mut homes = Vec::new();
    for (place, path) in parents {
        for name in subdirectories(&volume.join(&place))? {
            if let Ok(database) = name.parse() {
                let (place, path) = (place.join(&name), path.join(&name));
                homes.push(Home { place, path, database, version: version.clone() });
            }
        }
    }
    Ok(homes)
}

/// The directories in a directory, not what links lead to; none if it is not there.
fn subdirectories(directory: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("read", directory))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("read", directory))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}
