//! Which relation each file of a data directory belongs to, as the catalog has it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::page::Storage;

/// Files of a volume by the relation that owns them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct FileMap {
    owners: HashMap<PathBuf, FileOwner>,
    /// Directories of databases.
    databases: Vec<PathBuf>,
    /// Directories all of whose relations are in the map.
    covered: Vec<PathBuf>,
    /// Directories that hold nobody's data: `template0`.
    pristine: Vec<PathBuf>,
    /// The attributes of the system's own tables by oid: the same in every database.
    layouts: HashMap<u32, Vec<FileAttribute>>,
}

/// A relation that has files.
#[derive(Debug, Serialize, Deserialize)]
pub struct FileOwner {
    /// Database; empty for a shared relation.
    pub database: String,
    /// Schema.
    pub schema: String,
    /// Relation.
    pub name: String,
    /// `pg_class.relkind`.
    pub relkind: char,
    /// True for the system's own relations, their indexes and TOAST tables.
    pub system: bool,
    /// Attributes in `attnum` order, for relations with heap storage.
    pub attributes: Vec<FileAttribute>,
    /// For a TOAST table, where the main fork of its relation starts.
    pub main: Option<PathBuf>,
}

/// An attribute of a relation that has files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileAttribute {
    /// Name.
    pub name: String,
    /// `attlen`.
    pub attlen: i16,
    /// Alignment in bytes.
    pub align: u8,
    /// True if the rule set says that it may hold values that other columns mask.
    pub accept_originals: bool,
}

impl FileOwner {
    /// `database.schema.relation`.
    pub fn display_name(&self) -> String {
        match self.database.as_str() {
            "" => format!("{}.{}", self.schema, self.name),
            database => format!("{database}.{}.{}", self.schema, self.name),
        }
    }

    /// How its attributes are laid out; empty where that is not a heap's layout.
    pub fn storage(&self) -> Vec<Storage> {
        storage_of(&self.attributes)
    }
}

fn storage_of(attributes: &[FileAttribute]) -> Vec<Storage> {
    let storage = attributes.iter();
    let storage = storage.map(|attribute| Storage::new(attribute.attlen, attribute.align));
    storage.collect::<Option<_>>().unwrap_or_default()
}

impl FileMap {
    /// Enters a relation whose main fork starts at `path`, relative to the data directory.
    pub fn insert(&mut self, path: PathBuf, owner: FileOwner) {
        self.owners.insert(path, owner);
    }

    /// Says that every relation with files in `directory` has been entered.
    pub fn cover(&mut self, directory: PathBuf) {
        self.covered.push(directory);
    }

    /// Says how a table of the system's own is laid out.
    pub fn set_layout(&mut self, oid: u32, owner: &FileOwner) {
        self.layouts.entry(oid).or_insert_with(|| owner.attributes.clone());
    }

    /// How the attributes of the file at `path` are laid out, where nobody has changed a database
    /// since it was made: its tables' files are named by their oids. Empty if it is not a table's.
    pub fn pristine_storage(&self, path: &Path) -> Vec<Storage> {
        let oid = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        oid.and_then(|oid: u32| self.layouts.get(&oid)).map(|it| storage_of(it)).unwrap_or_default()
    }

    /// Says that nobody's data is in `directory`.
    pub fn set_pristine(&mut self, directory: PathBuf) {
        self.pristine.push(directory);
    }

    /// The relation whose main fork starts at `path`.
    pub fn owner(&self, path: &Path) -> Option<&FileOwner> {
        self.owners.get(path)
    }

    /// All relations, with where their main forks start.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (&Path, &FileOwner)> {
        self.owners.iter().map(|(path, owner)| (path.as_path(), owner))
    }

    /// True if `path` lies in a directory that holds nobody's data.
    pub fn is_pristine(&self, path: &Path) -> bool {
        self.pristine.iter().any(|directory| path.starts_with(directory))
    }

    /// Says that `directory` is a database's.
    pub fn add_database(&mut self, directory: PathBuf) {
        self.databases.push(directory);
    }

    /// True if `directory` is a database's.
    pub fn is_database(&self, directory: &Path) -> bool {
        self.databases.iter().any(|database| database == directory)
    }

    /// True if `path` has a relation file's name, and a relation that the map knows owns it, or
    /// one may that it does not know.
    pub fn may_own(&self, path: &Path) -> bool {
        let covered = path.parent().is_some_and(|parent| self.covered.iter().any(|c| c == parent));
        is_relation_file(path) && (!covered || self.owners.contains_key(&relation_path(path)))
    }

    /// The main fork's first segment for any file of a relation. `path` is relative to the
    /// volume, the answer to the data directory.
    pub fn first_segment(&self, path: &Path) -> PathBuf {
        let in_data = match path.strip_prefix("data") {
            Ok(in_data) => in_data.to_path_buf(),
            // `tablespaces/<oid>/…` is what `pg_tblspc/<oid>` links to.
            Err(_) => match path.strip_prefix("tablespaces") {
                Ok(in_tablespace) => Path::new("pg_tblspc").join(in_tablespace),
                Err(_) => path.to_path_buf(),
            },
        };
        relation_path(&in_data)
    }
}

/// `base/5/16384_fsm.1` belongs to `base/5/16384`.
fn relation_path(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let digits = name.split(['_', '.']).next().unwrap_or_default();
    path.with_file_name(digits)
}

/// True for `16384`, `16384.1`, `16384_fsm`, `16384_vm.2`, `16384_init` and temporary relations'
/// `t3_16384`.
pub fn is_relation_file(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (name, segment) = name.split_once('.').map_or((name, None), |(n, s)| (n, Some(s)));
    let (number, fork) = match name.strip_prefix('t') {
        Some(temporary) => (temporary.split('_').next().unwrap_or_default(), None),
        None => name.split_once('_').map_or((name, None), |(n, f)| (n, Some(f))),
    };
    all_digits(number)
        && segment.is_none_or(all_digits)
        && fork.is_none_or(|fork| matches!(fork, "fsm" | "vm" | "init"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_relation_files_from_others() {
        for name in ["1", "16384.1", "16384_fsm", "16384_vm.2", "16384_init", "t3_16384"] {
            assert!(is_relation_file(Path::new(name)), "{name}");
        }
        for name in ["PG_VERSION", "pg_filenode.map", "16384.bak", "16384_old", "tmp", ""] {
            assert!(!is_relation_file(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn a_relation_file_that_nobody_owns_is_an_orphan_in_a_covered_directory() {
        let mut map = FileMap::default();
        let owner = FileOwner {
            database: "shop".into(),
            schema: "public".into(),
            name: "t".into(),
            relkind: 'r',
            system: false,
            attributes: Vec::new(),
            main: None,
        };
        map.insert("base/5/16384".into(), owner);
        map.cover("base/5".into());
        assert!(map.may_own(Path::new("base/5/16384_vm")));
        assert!(!map.may_own(Path::new("base/5/16999")));
        assert!(map.may_own(Path::new("base/6/16999")), "a directory that is not covered");
        assert!(!map.may_own(Path::new("base/5/core")));
        let in_volume = Path::new("tablespaces/77/PG_15_202209061/5/16384.3");
        let expected = Path::new("pg_tblspc/77/PG_15_202209061/5/16384");
        assert_eq!(map.first_segment(in_volume), expected);
    }
}
