//! A masked snapshot of a stopped cluster, and one clone of it.
//!
//! ```text
//! cargo run --release --example mask_and_clone -- POOL DATA_DIRECTORY RULES.toml
//! ```
//!
//! POOL is made if it does not exist. The key is drawn and forgotten; with a key of your own
//! (`MaskKey::from_hex`), equal values mask equally in every snapshot.

use std::path::Path;
use std::sync::Arc;

use thinveil::mask::MaskKey;
use thinveil::pool::{CloneRequest, Pool, SnapshotOptions, Source};
use thinveil::progress::{Progress, Stage};
use thinveil::rules::RuleSet;
use thinveil::storage::DriverChoice;
use thinveil::{Error, Result};

/// Says what is going on; a real engine would feed its own metrics.
struct Lines;

impl Progress for Lines {
    fn end(&self, stage: Stage, seconds: f64) {
        eprintln!("{:8} {seconds:6.2} s", stage.name());
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [pool, source, rules] = arguments.as_slice() else {
        return Err(Error::invalid("usage: mask_and_clone POOL DATA_DIRECTORY RULES.toml"));
    };
    let pool = Path::new(pool);
    let pool = match Pool::open(pool) {
        Err(Error::NotFound { .. }) => Pool::init(pool, DriverChoice::Auto)?.0,
        opened => opened?,
    };
    let rules = std::fs::read_to_string(rules).map_err(Error::io("read", rules))?;
    let rules = RuleSet::from_toml(&rules)?;
    let options = SnapshotOptions { progress: Arc::new(Lines), ..SnapshotOptions::default() };

    // Six steps; leave one out and this does not compile.
    let snapshot = pool
        .stage(&Source::parse(source), options)?
        .plan(&rules)?
        .rewrite(&MaskKey::generate()?)?
        .finish()?
        .audit()?
        .seal()?;
    println!("{}: {} values masked", snapshot.id(), snapshot.manifest().values_masked);

    let created = snapshot.create_clone(CloneRequest::default())?;
    println!("connect to {}", created.clone.dsn());
    if let Some(password) = created.password {
        println!("password (shown this once): {}", password.as_str());
    }
    Ok(())
}
