//! What people want of a snapshot or a clone: tags, protection, a lease.
//!
//! It changes, and a sealed manifest does not: so it is a record of its own, `care.json`, in the
//! directory of the snapshot or clone. It is written under the lock under which that is destroyed: the
//! pool's for a snapshot, its own for a clone. So what is protected is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lock::Lock;
use super::{Pool, Snapshot, ThinClone, record};
use crate::error::{Error, Refusal, Result};

const FILE: &str = "care.json";

/// What people want of a snapshot or a clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Care {
    /// The name in this pool, where it is not the one in the manifest: of an imported snapshot.
    pub name: Option<String>,
    /// For people and scripts.
    pub tags: BTreeMap<String, String>,
    /// Nobody may destroy it.
    pub protected: bool,
    /// Protection ends then by itself.
    pub protected_until: Option<Timestamp>,
    /// From then on, `pool gc` may remove it: a clone's lease.
    pub lease_until: Option<Timestamp>,
}

impl Care {
    pub(super) fn read(dir: &Path) -> Result<Care> {
        Ok(record::read(&dir.join(FILE))?.unwrap_or_default())
    }

    /// Another name for something new. Nobody else knows of it yet.
    #[cfg(feature = "archive")]
    pub(super) fn write_name(dir: &Path, name: &str) -> Result<()> {
        record::write_unsynced(
            &dir.join(FILE),
            &Care { name: Some(name.to_owned()), ..Care::default() },
        )
    }

    /// True while nobody may destroy it.
    pub fn is_protected(&self) -> bool {
        self.protected && self.protected_until.is_none_or(|end| Timestamp::now() < end)
    }

    /// True once its lease has ended.
    pub fn is_expired(&self) -> bool {
        self.lease_until.is_some_and(|end| Timestamp::now() >= end)
    }

    /// True if it has this tag: a key alone, or `key=value`.
    pub fn has_tag(&self, wanted: &str) -> bool {
        match wanted.split_once('=') {
            Some((key, value)) => self.tags.get(key).is_some_and(|has| has == value),
            None => self.tags.contains_key(wanted),
        }
    }

    /// Until when it is protected, in words.
    pub(super) fn protection(&self) -> String {
        match self.protected_until {
            Some(end) => format!("protected until {}", end.strftime("%Y-%m-%d %H:%M:%SZ")),
            None => "protected".to_owned(),
        }
    }

    /// Why it may not be destroyed, if it may not.
    pub(super) fn refusal(&self, what: &str, name: &str) -> Option<Refusal> {
        self.is_protected().then(|| {
            Refusal::new(
                "protected",
                format!("{what} {name} is {}", self.protection()),
                format!("thinveil {what} unprotect {name}"),
            )
        })
    }
}

/// A snapshot or a clone.
pub(super) struct Kept<'a> {
    pub(super) pool: &'a Pool,
    /// `snapshot` or `clone`.
    pub(super) what: &'static str,
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) dir: &'a Path,
    /// The lock under which it is destroyed.
    pub(super) lock: PathBuf,
}

impl Kept<'_> {
    pub(super) fn care(&self) -> Result<Care> {
        Care::read(self.dir)
    }

    /// Refuses to destroy what is protected.
    pub(super) fn check_unprotected(&self) -> Result<()> {
        match self.care()?.refusal(self.what, self.name) {
            Some(refusal) => Err(Error::Refused(vec![refusal])),
            None => Ok(()),
        }
    }

    /// Changes the record, and tells the log by a verb of this name. Success: the change survives a
    /// power failure. Failure or crash: what was, or what was to be.
    fn change(&self, verb: &str, change: impl FnOnce(&mut Care)) -> Result<Care> {
        let verb = format!("{} {verb}", self.what);
        self.pool.logged(&verb, self.id, || {
            let gone = || Error::NotFound { what: self.what, name: self.name.to_owned() };
            if !self.dir.is_dir() {
                return Err(gone());
            }
            let _lock = Lock::wait(&self.lock, &format!("{} {}", self.what, self.name))
                .map_err(|error| if self.dir.is_dir() { error } else { gone() })?;
            if !self.dir.is_dir() {
                return Err(gone());
            }
            let mut care = self.care()?;
            change(&mut care);
            record::write(&self.dir.join(FILE), &care)?;
            self.pool.audit(&verb, self.id, &[("name", self.name)])?;
            Ok(care)
        })
    }

    /// The lease that something new has. Nobody else knows of it yet.
    pub(super) fn begin(&self, lease_until: Option<Timestamp>) -> Result<()> {
        if lease_until.is_none() {
            return Ok(());
        }
        record::write_unsynced(&self.dir.join(FILE), &Care { lease_until, ..Care::default() })
    }

    fn protect(&self, until: Option<Timestamp>) -> Result<Care> {
        if until.is_some_and(|end| end <= Timestamp::now()) {
            return Err(Error::invalid("protection would have ended already"));
        }
        self.change("protect", |care| {
            care.protected = true;
            care.protected_until = until;
        })
    }

    fn unprotect(&self) -> Result<Care> {
        self.change("unprotect", |care| {
            care.protected = false;
            care.protected_until = None;
        })
    }
}

impl Snapshot {
    pub(super) fn kept(&self) -> Kept<'_> {
        let (pool, id, name) = (self.pool(), self.id(), self.name());
        let lock = pool.dir().join("lock");
        Kept { pool, what: "snapshot", id, name, dir: self.dir(), lock }
    }

    /// Its tags and protection.
    pub fn care(&self) -> Result<Care> {
        self.kept().care()
    }

    /// Keeps everybody from destroying it, for good or until a time to come.
    pub fn protect(&self, until: Option<Timestamp>) -> Result<Care> {
        self.kept().protect(until)
    }

    /// Lets it be destroyed.
    pub fn unprotect(&self) -> Result<Care> {
        self.kept().unprotect()
    }

    /// Adds tags, replacing those of the same keys, and removes others.
    pub fn tag(&self, add: BTreeMap<String, String>, remove: &[String]) -> Result<Care> {
        for key in add.keys() {
            let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
            if key.is_empty() || key.len() > 63 || !key.bytes().all(good) {
                return Err(Error::invalid(format!(
                    "{key:?} can't be the key of a tag: use up to 63 of a-z A-Z 0-9 _ . - /"
                )));
            }
        }
        self.kept().change("tag", |care| {
            care.tags.retain(|key, _| !remove.contains(key));
            care.tags.extend(add);
        })
    }
}

impl ThinClone {
    pub(super) fn kept(&self) -> Kept<'_> {
        let (pool, id, name) = (&self.pool, self.id(), self.name());
        let lock = self.dir.join("lock");
        Kept { pool, what: "clone", id, name, dir: &self.dir, lock }
    }

    /// Its protection and lease.
    pub fn care(&self) -> Result<Care> {
        self.kept().care()
    }

    /// Keeps everybody from destroying it, for good or until a time to come.
    pub fn protect(&self, until: Option<Timestamp>) -> Result<Care> {
        self.kept().protect(until)
    }

    /// Lets it be destroyed.
    pub fn unprotect(&self) -> Result<Care> {
        self.kept().unprotect()
    }

    /// Gives it a lease until then, whatever lease it had; `None` for no end.
    pub fn renew(&self, until: Option<Timestamp>) -> Result<Care> {
        self.kept().change("renew", |care| care.lease_until = until)
    }
}
