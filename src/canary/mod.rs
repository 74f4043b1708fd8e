//! A test kit for whoever does not want to believe us: canaries of every masked domain, in every
//! place where PostgreSQL keeps something, and a search for them that is as plain as can be.
//!
//! Planting changes the cluster: it is for a copy that can be thrown away. The search shares no
//! code with the leak audit.

mod check;
mod files;
mod kit;
#[cfg(test)]
mod mutation_tests;
mod places;
mod plant;
mod rows;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use check::{CheckJob, Found, Hit, PlaceFound};
pub use plant::{PlantJob, Planted};

use crate::error::{Error, Result};

/// What every canary starts with.
const MARKER: &[u8] = b"zqcanary";
/// Letters and digits behind it, in turns.
const DRAWN: usize = 16;
/// Bytes of a canary.
const LEN: usize = MARKER.len() + DRAWN;

/// A value that nothing else is equal to: 2^64 of them are about as likely.
///
/// Letters and digits alternate, so that a mask which keeps one of them still changes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Canary(String);

impl Canary {
    fn draw() -> Result<Canary> {
        let mut drawn = [0; DRAWN];
        getrandom::fill(&mut drawn)
            .map_err(|error| Error::invalid(format!("can't draw random bytes: {error}")))?;
        let marker = MARKER.iter().copied().map(char::from);
        let drawn = drawn.iter().enumerate().map(|(at, byte)| match at % 2 {
            0 => char::from(b'a' + byte % 26),
            _ => char::from(b'0' + byte % 10),
        });
        Ok(Canary(marker.chain(drawn).collect()))
    }
}

impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where canaries were planted, and which.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CanaryList {
    /// The format's version.
    pub version: u32,
    /// Every place.
    pub places: Vec<Place>,
    /// Files of the tables that hold a copy of canaries planted elsewhere, so that the leak audit
    /// knows them: what is found there counts for no place.
    pub copies: Vec<PathBuf>,
}

impl CanaryList {
    /// The version that this program writes and reads.
    pub const VERSION: u32 = 1;

    /// Reads what [`CanaryList::to_json`] wrote.
    pub fn from_json(text: &str) -> Result<CanaryList> {
        let list: CanaryList = serde_json::from_str(text)
            .map_err(|error| Error::invalid(format!("not a list of canaries: {error}")))?;
        if list.version != CanaryList::VERSION {
            return Err(Error::invalid(format!(
                "a list of canaries of version {}; this program knows version {}",
                list.version,
                CanaryList::VERSION
            )));
        }
        Ok(list)
    }

    /// The list as a document.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map_err(|error| Error::invalid(format!("the list of canaries is no JSON: {error}")))
    }
}

/// A place where canaries are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Its name: `dead_row`, `index_btree`, `file server.key`.
    pub name: String,
    /// The database that it is in; `None` for a place of the whole cluster.
    pub database: Option<String>,
    /// The file or directory that holds it, relative to the data directory, where only canaries
    /// found there count.
    pub file: Option<PathBuf>,
    /// One canary of each masked domain. Places that share a row share its canaries.
    pub canaries: Vec<Canary>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canaries_are_long_and_never_the_same() {
        let (one, other) = (Canary::draw().unwrap(), Canary::draw().unwrap());
        assert_eq!(one.0.len(), LEN);
        assert_ne!(one, other);
        assert!(one.0.as_bytes().starts_with(MARKER));
        assert!(one.0[MARKER.len()..].bytes().any(|byte| byte.is_ascii_digit()));
    }

    #[test]
    fn lists_of_other_versions_are_not_read() {
        let list = CanaryList { version: 2, ..CanaryList::default() };
        let error = CanaryList::from_json(&list.to_json().unwrap()).unwrap_err();
        assert!(error.to_string().contains("version 2"), "{error}");
    }
}
