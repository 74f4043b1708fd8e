//! Repository chores of thinveil, run as `cargo xtask CHORE`.
//!
//! - [`tidy`] nags: floors, file length, changelog, and what must not be in the tree.
//! - [`demo`] shows thinveil at work on a cluster that it makes for the purpose.
//! - [`lab`] holds what the demo and `benches/compare` share: throwaway PostgreSQL clusters,
//!   the `thinveil` command as a child process, clean-up that also runs on Ctrl-C.
//!
//! The chores know thinveil by its command line alone: none of its code is linked in here.

pub mod demo;
pub mod lab;
pub mod tidy;
