//! Masked copy-on-write snapshots and thin clones of PostgreSQL data directories.
//!
//! thinveil takes a PostgreSQL cluster (a stopped or crashed data directory, a base backup, or a
//! live server), rewrites the sensitive columns **in its pages, at equal length**, rebuilds what
//! derives from them, searches every byte for what is left of the originals, and seals the result
//! as a snapshot. Of a snapshot it makes writable clones, each with a server of its own, that
//! share the snapshot's blocks.
//!
//! It is not a proxy, not a service, and does not mask through SQL: row order, row width, bloat and
//! the indexes of unmasked columns stay what they are in production, and so do query plans.
//!
//! # Example
//!
//! ```no_run
//! use thinveil::mask::MaskKey;
//! use thinveil::pool::{CloneRequest, Pool, SnapshotOptions, Source};
//! use thinveil::rules::RuleSet;
//!
//! # fn main() -> thinveil::Result<()> {
//! let pool = Pool::open("/srv/pool".as_ref())?;
//! let rules = RuleSet::from_toml(
//!     r#"
//!     version = 1
//!     [databases.shop.tables."public.customers"]
//!     id    = "keep"
//!     email = "email"
//!     born  = { mask = "date_shift", days = 30 }
//!     "#,
//! )?;
//! let snapshot = pool
//!     .stage(&Source::parse("/var/lib/postgresql/15/main"), SnapshotOptions::default())?
//!     .plan(&rules)?
//!     .rewrite(&MaskKey::generate()?)?
//!     .finish()?
//!     .audit()?
//!     .seal()?;
//! let created = snapshot.create_clone(CloneRequest::default())?;
//! eprintln!("{}", created.clone.dsn());
//! # Ok(())
//! # }
//! ```
//!
//! Every arrow consumes one type and returns the next ([`pool::pipeline`]): a snapshot that was not
//! audited can't be sealed, and what is not sealed can't be cloned.
//!
//! # Floors
//!
//! From bytes to meaning, each using only those before it: [`page`] and [`datum`] know formats,
//! [`rules`] what the user wrote, [`storage`] how volumes share blocks, [`mask`] the keyed
//! functions; [`cluster`] knows data directories and runs private servers; [`plan`] checks rules
//! against the catalog; [`rewrite`], [`finish`] and [`audit`] do the work; [`pool`] puts it
//! together.
//!
//! # Features
//!
//! - `cli` (default): the `thinveil` command.
//! - `archive` (default): snapshots carried between pools in one file.
//! - `sql` (default): PostgreSQL's own parser (`pg_query`, needs libclang to build), which tells
//!   harmless `CHECK` constraints from others and imports `SECURITY LABEL`s.
//! - `arrow`: masks for Arrow arrays and record batches (`arrow`).
//! - `zfs`: the driver of that name ([`storage::Zfs`]), which links `libzfs_core`.
//!
//! # Errors, secrets, cancellation
//!
//! Errors carry coordinates (relation, block, line pointer, column), never values; a refusal lists
//! every reason with its remedy ([`Error::Refused`]). [`mask::MaskKey`] and everything that holds
//! original values print lengths or ids alone in `Debug`. Long work reports to
//! [`progress::Progress`] and stops at [`progress::Cancel`].
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod error;
mod failpoint;
pub mod ids;
pub mod progress;
mod removal;

#[cfg(feature = "arrow")]
pub mod arrow;
pub mod audit;
pub mod canary;
pub mod cluster;
pub mod datum;
pub mod fingerprint;
pub mod finish;
pub mod mask;
pub mod page;
pub mod plan;
pub mod pool;
pub mod rewrite;
pub mod rules;
pub mod storage;

pub use error::{Error, Place, Refusal, Result};
