//! A masked snapshot from async code: the work on threads for blocking work, progress through a
//! channel, and a future that stops the work when it is dropped.
//!
//! ```text
//! cargo run --release --example from_async -- POOL DATA_DIRECTORY RULES.toml
//! ```
//!
//! thinveil's calls block: they read and write files, and wait for PostgreSQL. An async runtime has
//! threads for that. Ctrl-C here drops the future; what was begun is undone before the program ends.

use std::path::PathBuf;
use std::sync::Arc;

use thinveil::mask::MaskKey;
use thinveil::pool::{Pool, Snapshot, SnapshotOptions, Source};
use thinveil::progress::{Cancel, Progress, Stage};
use thinveil::rules::RuleSet;
use thinveil::storage::DriverChoice;
use thinveil::{Error, Result};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::spawn_blocking;

/// What is to be masked, how, and where the snapshot goes.
struct Request {
    pool: PathBuf,
    source: String,
    rules: String,
}

/// Tells async code which stages are done.
struct Channel(UnboundedSender<(Stage, f64)>);

impl Progress for Channel {
    fn end(&self, stage: Stage, seconds: f64) {
        // Nobody need listen.
        let _ = self.0.send((stage, seconds));
    }
}

/// Raises a flag when the future that holds it is dropped.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

async fn create_snapshot(request: Request, progress: Arc<dyn Progress>) -> Result<Snapshot> {
    let guard = CancelOnDrop(Cancel::new());
    let options =
        SnapshotOptions { cancel: guard.0.clone(), progress, ..SnapshotOptions::default() };
    let work = move || {
        let pool = match Pool::open(&request.pool) {
            Err(Error::NotFound { .. }) => Pool::init(&request.pool, DriverChoice::Auto)?.0,
            opened => opened?,
        };
        pool.stage(&Source::parse(&request.source), options)?
            .plan(&RuleSet::from_toml(&request.rules)?)?
            .rewrite(&MaskKey::generate()?)?
            .finish()?
            .audit()?
            .seal()
    };
    match spawn_blocking(work).await {
        Ok(made) => made,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

async fn serve(request: Request) -> Result<()> {
    let (sender, mut stages) = unbounded_channel();
    let making = create_snapshot(request, Arc::new(Channel(sender)));
    tokio::pin!(making);
    loop {
        tokio::select! {
            Some((stage, seconds)) = stages.recv() => {
                eprintln!("{:8} {seconds:6.2} s", stage.name());
            }
            made = &mut making => {
                println!("{}", made?.id());
                return Ok(());
            }
            _ = tokio::signal::ctrl_c() => return Err(Error::Cancelled),
        }
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [pool, source, rules] = arguments.as_slice() else {
        return Err(Error::invalid("usage: from_async POOL DATA_DIRECTORY RULES.toml"));
    };
    let request = Request {
        pool: pool.into(),
        source: source.clone(),
        rules: std::fs::read_to_string(rules).map_err(Error::io("read", rules))?,
    };
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("start", "the runtime"))?;
    // Dropping the runtime waits for the work on its threads: what was begun has been undone then.
    runtime.block_on(serve(request))
}
