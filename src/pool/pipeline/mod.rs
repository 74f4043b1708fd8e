//! From a source to a snapshot, a type per step: [`Staged`] → [`Planned`] → [`Rewritten`] →
//! [`Finished`] → [`Audited`] → [`Snapshot`]. Each step consumes one and returns
//! the next, so none can be skipped. Dropping any of them removes the staging volume.
//!
//! The way through compiles:
//!
//! ```no_run
//! # use thinveil::{mask::MaskKey, pool::{Pool, Snapshot, SnapshotOptions, Source}, rules::RuleSet};
//! # fn way(pool: Pool, source: Source, rules: RuleSet, key: MaskKey) -> thinveil::Result<Snapshot> {
//! pool.stage(&source, SnapshotOptions::default())?.plan(&rules)?.rewrite(&key)?.finish()?.audit()?.seal()
//! # }
//! ```
//!
//! Leaving a step out does not:
//!
//! ```compile_fail,E0599
//! # use thinveil::{mask::MaskKey, pool::Staged};
//! fn rewrites_without_a_plan(staged: Staged, key: MaskKey) {
//!     let _ = staged.rewrite(&key);
//! }
//! ```
//! ```compile_fail,E0599
//! # use thinveil::pool::Planned;
//! fn finishes_raw_heaps(planned: Planned) {
//!     let _ = planned.finish();
//! }
//! ```
//! ```compile_fail,E0599
//! # use thinveil::pool::Rewritten;
//! fn audits_stale_indexes(rewritten: Rewritten) {
//!     let _ = rewritten.audit();
//! }
//! ```
//! ```compile_fail,E0599
//! # use thinveil::pool::Finished;
//! fn seals_without_an_audit(finished: Finished) {
//!     let _ = finished.seal();
//! }
//! ```
//! ```compile_fail,E0599
//! # use thinveil::pool::{Audited, CloneRequest};
//! fn clones_what_is_not_sealed(audited: Audited) {
//!     let _ = audited.create_clone(CloneRequest::default());
//! }
//! ```
//! ```compile_fail,E0624
//! # use thinveil::pool::{Manifest, Pool};
//! fn seals_what_never_was_staged(pool: Pool, manifest: Manifest) {
//!     let _ = pool.new_staging().unwrap().seal(manifest, None, &thinveil::progress::Cancel::new());
//! }
//! ```
//! A step can't be taken twice from one state, because it consumes it:
//!
//! ```compile_fail,E0382
//! # use thinveil::{mask::MaskKey, pool::Planned};
//! fn rewrites_twice(planned: Planned, key: MaskKey) {
//!     let _ = planned.rewrite(&key);
//!     let _ = planned.rewrite(&key);
//! }
//! ```

mod basebackup;
mod branch;
mod directory;
mod dropped;
mod source;
mod stages;
mod tablespaces;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub(crate) use directory::inspect as inspect_directory;
pub use source::Source;
pub use stages::{Audited, Finished, Planned, Rewritten, Staged};

use super::{Manifest, SigningKey, Snapshot, Staging};
use crate::cluster::ControlFile;
use crate::cluster::binaries::Binaries;
use crate::cluster::server::ServerOptions;
use crate::error::Result;
use crate::progress::{Cancel, NoProgress, Progress, Stage};
use crate::storage::Watch;

/// How to make a snapshot.
#[derive(Clone)]
pub struct SnapshotOptions {
    /// The snapshot's name; its id if `None`.
    pub name: Option<String>,
    /// Where PostgreSQL's programs are, if not in the usual places.
    pub binaries: Option<PathBuf>,
    /// Threads for rewriting and searching, and indexes rebuilt at once; 0 for one per core.
    pub threads: usize,
    /// Bytes of shuffled columns' values to hold in memory; more go to a temporary file.
    pub shuffle_memory: usize,
    /// The same for lists of TOAST values and of their chunks: some 20 bytes for each.
    pub toast_memory: usize,
    /// The operating system user that owns what `pg_basebackup` brings, if the caller is root.
    pub os_user: String,
    /// Signs the manifest, if there is one.
    pub signing_key: Option<SigningKey>,
    /// The snapshot shares no block with the source, whatever the driver.
    pub detach: bool,
    /// Stops the work.
    pub cancel: Cancel,
    /// Watches the work.
    pub progress: Arc<dyn Progress>,
}

impl Default for SnapshotOptions {
    fn default() -> Self {
        SnapshotOptions {
            name: None,
            binaries: None,
            threads: 0,
            shuffle_memory: 64 << 20,
            toast_memory: 64 << 20,
            os_user: "postgres".to_owned(),
            signing_key: None,
            detach: false,
            cancel: Cancel::new(),
            progress: Arc::new(NoProgress),
        }
    }
}

/// What every step hands to the next.
struct Work {
    staging: Staging,
    options: SnapshotOptions,
    binaries: Binaries,
    control: ControlFile,
    superuser: String,
    manifest: Manifest,
}

impl Work {
    /// Runs a stage: tells its begin and end, and keeps its time for the manifest.
    fn stage<T>(&mut self, stage: Stage, run: impl FnOnce(&mut Work) -> Result<T>) -> Result<T> {
        let (pool, id) = self.staging.place();
        let clock = Clock::start(stage, &self.options)?;
        let result = pool.logged(stage.name(), &id, || run(self))?;
        clock.stop(&self.options, &mut self.manifest);
        Ok(result)
    }

    /// Makes it a snapshot.
    fn seal(self) -> Result<Snapshot> {
        let Work { staging, options, superuser, mut manifest, .. } = self;
        let clock = Clock::start(Stage::Seal, &options)?;
        manifest.superuser = superuser;
        let (pool, id) = staging.place();
        let key = options.signing_key.as_ref();
        let snapshot =
            pool.logged(Stage::Seal.name(), &id, || staging.seal(manifest, key, &options.cancel))?;
        options.progress.end(Stage::Seal, clock.seconds());
        Ok(snapshot)
    }

    /// How to run the private server on the staging volume.
    fn server(&self, settings: Vec<(String, String)>) -> ServerOptions {
        ServerOptions {
            binaries: self.binaries.clone(),
            volume: self.staging.volume(),
            data_dir: self.staging.data_dir(),
            private_dir: self.staging.private_dir(),
            superuser: self.superuser.clone(),
            limits: self.control.limits,
            settings,
            cancel: self.options.cancel.clone(),
        }
    }
}

/// Runs what copies so many bytes, and tells how far it has come.
fn copying<T>(options: &SnapshotOptions, total: u64, copy: impl FnOnce(&Watch<'_>) -> T) -> T {
    let done = AtomicU64::new(0);
    let bytes = |bytes: u64| {
        let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        options.progress.update(Stage::Stage, done, total);
    };
    copy(&Watch { cancel: &options.cancel, bytes: &bytes })
}

/// The time of one stage.
struct Clock(Stage, Instant);

impl Clock {
    fn start(stage: Stage, options: &SnapshotOptions) -> Result<Clock> {
        options.cancel.check()?;
        options.progress.begin(stage);
        Ok(Clock(stage, Instant::now()))
    }

    fn seconds(&self) -> f64 {
        self.1.elapsed().as_secs_f64()
    }

    fn stop(self, options: &SnapshotOptions, manifest: &mut Manifest) {
        let seconds = self.seconds();
        options.progress.end(self.0, seconds);
        manifest.stages.0.push((self.0.name().to_owned(), seconds));
    }
}
