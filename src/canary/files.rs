//! Canaries in files: beside the relations' own, and behind configuration.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::places::{CONFIGURATION, FILES, MAPS};
use super::{Canary, Place};
use crate::cluster::sandbox::Owner;
use crate::error::{Error, Result};
use crate::page::{BLCKSZ, Block, PageHeader, page_checksum};

/// Where files go.
pub(super) struct Files<'a> {
    pub(super) data_dir: &'a Path,
    pub(super) owner: Owner,
    /// `pg_database.oid` of a database with the kit's tables,
    pub(super) database: u32,
    /// the `relfilenode` of one of these,
    pub(super) relation: u32,
    /// the main fork of another one, which has all forks,
    pub(super) vacuumed: PathBuf,
    pub(super) checksums: bool,
    /// and canaries for each file.
    pub(super) canaries: Vec<Vec<Canary>>,
}

/// Files that canaries are for.
pub(super) const COUNT: usize = FILES.len() + MAPS.len() + CONFIGURATION.len();

impl Files<'_> {
    /// Plants them. A file that is there already is left alone, and there is no such place then.
    pub(super) fn plant(mut self) -> Result<Vec<Place>> {
        let free = self.free_number()?.to_string();
        let mut places = Vec::new();
        let mut canaries = std::mem::take(&mut self.canaries).into_iter();
        for (file, canaries) in FILES.into_iter().zip(&mut canaries) {
            let path = file
                .replace("{database}", &self.database.to_string())
                .replace("{relation}", &self.relation.to_string())
                .replace("{free}", &free);
            let path = PathBuf::from(path);
            if self.create(&path, &text(&canaries, ""))? {
                places.push(place(path, canaries));
            }
        }
        for (suffix, canaries) in MAPS.into_iter().zip(&mut canaries) {
            let mut path = self.vacuumed.clone().into_os_string();
            path.push(suffix);
            let path = PathBuf::from(path);
            self.behind_a_map(&path, &text(&canaries, ""))?;
            places.push(place(path, canaries));
        }
        for (file, canaries) in CONFIGURATION.into_iter().zip(canaries) {
            let path = PathBuf::from(file);
            self.append(&path, &text(&canaries, "# "))?;
            places.push(place(path, canaries));
        }
        Ok(places)
    }

    /// A number above those of all relations and databases.
    fn free_number(&self) -> Result<u32> {
        let mut last = 0u32;
        let directories =
            ["global".to_owned(), "base".to_owned(), format!("base/{}", self.database)];
        for directory in directories {
            let directory = self.data_dir.join(directory);
            for entry in fs::read_dir(&directory).map_err(Error::io("read", &directory))? {
                let name = entry.map_err(Error::io("read", &directory))?.file_name();
                let name = name.to_string_lossy();
                let digits = name.split(['.', '_']).next().and_then(|name| name.parse().ok());
                last = last.max(digits.unwrap_or(0));
            }
        }
        Ok(last.saturating_add(10_000))
    }

    /// Creates a file and what directories it needs; false if it is there already.
    fn create(&self, path: &Path, text: &str) -> Result<bool> {
        let parents: Vec<&Path> = path.ancestors().skip(1).collect();
        for parent in parents.into_iter().rev().filter(|parent| !parent.as_os_str().is_empty()) {
            let parent = self.data_dir.join(parent);
            match fs::DirBuilder::new().mode(0o700).create(&parent) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", &parent)(error)),
                Ok(()) => self.owner.give(&parent)?,
            }
        }
        let path = self.data_dir.join(path);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(Error::io("create", &path)(error)),
            Ok(mut file) => {
                file.write_all(text.as_bytes()).map_err(Error::io("write", &path))?;
                self.owner.give(&path)?;
                Ok(true)
            }
        }
    }

    /// Writes to the end of a map's last page: there it is about blocks that no small table has.
    fn behind_a_map(&self, path: &Path, text: &str) -> Result<()> {
        let path = self.data_dir.join(path);
        let mut file = fs::read(&path).map_err(Error::io("read", &path))?;
        let number = file.len() / BLCKSZ;
        let room = file.as_chunks_mut().0.last_mut().and_then(|page: &mut Block| {
            let start = BLCKSZ.checked_sub(text.len())?;
            page.get_mut(start..)?.copy_from_slice(text.as_bytes());
            if self.checksums {
                PageHeader::set_checksum(page, page_checksum(page, number as u32 - 1));
            }
            Some(())
        });
        room.ok_or_else(|| Error::invalid(format!("{}: no room for canaries", path.display())))?;
        fs::write(&path, &file).map_err(Error::io("write", &path))
    }

    fn append(&self, path: &Path, text: &str) -> Result<()> {
        if !self.create(path, text)? {
            let path = self.data_dir.join(path);
            OpenOptions::new()
                .append(true)
                .open(&path)
                .and_then(|mut file| file.write_all(format!("\n{text}").as_bytes()))
                .map_err(Error::io("write", &path))?;
        }
        Ok(())
    }
}

fn place(file: PathBuf, canaries: Vec<Canary>) -> Place {
    Place { name: format!("file {}", file.display()), database: None, file: Some(file), canaries }
}

fn text(canaries: &[Canary], before: &str) -> String {
    canaries.iter().map(|canary| format!("{before}{canary}\n")).collect()
}
