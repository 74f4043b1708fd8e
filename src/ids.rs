//! PostgreSQL's nouns as types, so that a block is never passed where an oid is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Object identifier; `postgres_ext.h`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Oid(pub u32);

impl Oid {
    /// The first oid that user objects get; `access/transam.h`, `FirstNormalObjectId`.
    pub const FIRST_NORMAL: Oid = Oid(16384);
    /// The superuser that `initdb` made; `catalog/pg_authid.dat`, `BOOTSTRAP_SUPERUSERID`.
    pub const BOOTSTRAP_SUPERUSER: Oid = Oid(10);
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A block within one fork of a relation, counted over all its segments; `storage/block.h`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BlockNumber(pub u32);

impl fmt::Display for BlockNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A byte position in the write-ahead log; `access/xlogdefs.h`, `XLogRecPtr`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// A major version of PostgreSQL that thinveil knows: 13 to 18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct PgMajor(u16);

impl PgMajor {
    /// Oldest supported major version.
    pub const OLDEST: PgMajor = PgMajor(13);
    /// Newest supported major version.
    pub const NEWEST: PgMajor = PgMajor(18);

    /// The version, if it is one of the supported ones.
    pub fn new(number: u16) -> Option<PgMajor> {
        (Self::OLDEST.0..=Self::NEWEST.0).contains(&number).then_some(PgMajor(number))
    }

    /// The version's number, `15` say.
    pub fn number(self) -> u16 {
        self.0
    }
}

/// What `PG_VERSION` says.
impl std::str::FromStr for PgMajor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().ok().and_then(PgMajor::new).ok_or_else(|| {
            format!(
                "PostgreSQL {text} is not supported; thinveil knows {} to {}",
                PgMajor::OLDEST,
                PgMajor::NEWEST
            )
        })
    }
}

impl TryFrom<u16> for PgMajor {
    type Error = String;

    fn try_from(number: u16) -> Result<Self, String> {
        PgMajor::new(number).ok_or_else(|| format!("PostgreSQL {number} is not supported"))
    }
}

impl From<PgMajor> for u16 {
    fn from(major: PgMajor) -> u16 {
        major.0
    }
}

impl fmt::Display for PgMajor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
