//! The C ABI of thinveil: masked snapshots and thin clones of PostgreSQL data directories.
//!
//! `include/thinveil.h` is generated from this crate and committed; `README.md` is its manual. What
//! holds for every call:
//!
//! - It returns a `tv_status`. Outputs are written if that is `TV_OK`, and only then.
//! - It never unwinds into the caller, and takes NULL, text that is not UTF-8 and wrong handles for
//!   what they are: errors. `tv_last_error_*` have the thread's last one, with its coordinates.
//! - A handle has one owner, who closes it; it may be used from any thread. Handles are numbers of a
//!   registry, not addresses, so one that was closed is told from an open one.
//! - A text that is handed out belongs to the caller: `tv_string_free`. Records are JSON, described
//!   in docs/json.
//!
//! Of the workspace's packages, this one and `zfs` may use `unsafe`; `pointer.rs` is where pointers
//! are read and written.
#![deny(unsafe_op_in_unsafe_fn)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(feature = "arrow")]
mod arrow;
mod border;
mod custom;
mod failure;
mod handle;
mod key;
mod mask;
mod pointer;
mod pool;
mod progress;
mod rules;
mod segments;
mod snapshot;
mod status;
mod text;
mod thin_clone;
mod version;

#[cfg(feature = "arrow")]
pub use arrow::*;
pub use custom::*;
pub use failure::*;
pub use handle::*;
pub use key::*;
pub use mask::*;
pub use pool::*;
pub use progress::*;
pub use rules::*;
pub use segments::*;
pub use snapshot::*;
pub use status::*;
pub use text::*;
pub use thin_clone::*;
pub use version::*;
