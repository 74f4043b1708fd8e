//! How a caller watches long work and stops it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// A step of the pipeline, in the order in which steps run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Copying the source into the staging volume and recovering it.
    Stage,
    /// Reading the catalog and checking the rules against it.
    Plan,
    /// Masking pages.
    Rewrite,
    /// Rebuilding indexes and statistics, removing what is left.
    Finish,
    /// Searching for originals.
    Audit,
    /// Making it a snapshot.
    Seal,
    /// Writing a snapshot to an archive; no step of the pipeline.
    Export,
    /// Making a snapshot of an archive; no step of the pipeline.
    Import,
}

impl Stage {
    /// The stage's name, as in `--json`.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Stage => "stage",
            Stage::Plan => "plan",
            Stage::Rewrite => "rewrite",
            Stage::Finish => "finish",
            Stage::Audit => "audit",
            Stage::Seal => "seal",
            Stage::Export => "export",
            Stage::Import => "import",
        }
    }
}

/// Receives progress. Methods are called from worker threads and should return at once.
pub trait Progress: Send + Sync {
    /// A stage begins.
    fn begin(&self, stage: Stage) {
        let _ = stage;
    }

    /// `done` of `total` bytes or steps; `total` may grow while work is being discovered.
    fn update(&self, stage: Stage, done: u64, total: u64) {
        let _ = (stage, done, total);
    }

    /// The stage ended well.
    fn end(&self, stage: Stage, seconds: f64) {
        let _ = (stage, seconds);
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {}

/// Stops work from another thread or a signal handler. Clones share one flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that nobody has raised.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Asks the work to stop; it does so at its next safe point, and undoes what it did.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True once [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// [`Error::Cancelled`] once [`Cancel::cancel`] was called.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// The flag itself, for a signal handler to raise.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}
