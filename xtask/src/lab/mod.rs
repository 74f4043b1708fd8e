//! What the demo and the benches share.

mod cluster;
mod command;
mod place;
mod text;
mod thinveil;
mod undo;

pub use cluster::{Cluster, ClusterOptions};
pub use command::{Owner, run, run_output};
pub use place::{LoopMount, Workplace};
pub use text::{bytes, count, seconds};
pub use thinveil::{Outcome, Thinveil};
pub use undo::{Undo, UndoGuard};
