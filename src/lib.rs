//! thinveil: masked copy-on-write snapshots and thin clones of PostgreSQL data directories.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod error;
pub mod ids;
pub mod progress;

pub mod cluster;
pub mod datum;
pub mod mask;
pub mod plan;
pub mod pool;
pub mod rules;
pub mod storage;

pub use error::{Error, Place, Refusal, Result};
