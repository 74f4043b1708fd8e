//! Two clones: looked at, written to, reset, destroyed.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use postgres::{Client, NoTls};

use super::production::{DATABASE, Production};
use super::proof::{Facts, fingerprint};
use super::summary::Summary;
use super::{done, said_bytes, step};
use crate::lab::{Thinveil, count, seconds};

/// A clone that runs, and what was measured of it.
struct Clone {
    name: &'static str,
    id: String,
    config: postgres::Config,
    data: PathBuf,
    first_answer: Duration,
    own_bytes: Option<u64>,
    shared_bytes: Option<u64>,
}

pub(super) fn show(
    thinveil: &Thinveil,
    snapshot: &str,
    production: &Production,
    summary: &mut Summary,
) -> Result<()> {
    step("starting two clones");
    let dev = Clone::create(thinveil, snapshot, "dev")?;
    let ci = Clone::create(thinveil, snapshot, "ci")?;
    for clone in [&dev, &ci] {
        println!(
            "  {}: port {}, first answer after {}, {} of its own, {} shared",
            clone.name,
            clone.config.get_ports().first().copied().unwrap_or_default(),
            seconds(clone.first_answer),
            said_bytes(clone.own_bytes),
            said_bytes(clone.shared_bytes)
        );
    }
    summary.clones(&[dev.first_answer, ci.first_answer], dev.own_bytes);

    step("comparing a clone with production");
    let begin = Instant::now();
    let mut in_ci = ci.connect()?;
    let facts = Facts::gather(&mut in_ci)?;
    let values = production.originals.compare(&mut in_ci)?;
    done(begin.elapsed());
    summary.facts(&production.facts, &facts);
    summary.values(&values);

    step(&format!("searching for {} originals with grep", count(production.originals.needles())));
    let begin = Instant::now();
    let scratch = production.data.with_extension("originals");
    let in_clone = production.originals.grep(&ci.data, &scratch)?;
    let in_production = production.originals.grep(&production.data, &scratch)?;
    done(begin.elapsed());
    for file in in_clone.iter().take(10) {
        eprintln!("  found in {file}");
    }
    summary.grep(production.originals.needles(), in_production.len(), in_clone.len());

    step("writing to one clone, then resetting it");
    let mut in_dev = dev.connect()?;
    let pristine = fingerprint(&mut in_ci)?;
    let same_at_first = fingerprint(&mut in_dev)? == pristine;
    in_dev.batch_execute(
        "UPDATE public.customers SET last_name = 'Written', balance = 0 WHERE id <= 10000;
         DROP TABLE support.tickets",
    )?;
    let dev_changed = fingerprint(&mut in_dev)? != pristine;
    let ci_unchanged = fingerprint(&mut in_ci)? == pristine;
    drop(in_dev);
    let written = thinveil.json(&["clone", "show", &dev.id], None)?;
    let reset = thinveil.json(&["clone", "reset", &dev.id], None)?;
    if reset.json.get("state").and_then(|state| state.as_str()) != Some("running") {
        thinveil.json(&["clone", "start", &dev.id], None)?;
    }
    let mut in_dev = dev.connect()?;
    let dev_reset = fingerprint(&mut in_dev)? == pristine;
    in_dev
        .query_one("SELECT count(*) FROM support.tickets", &[])
        .context("the dropped table is back after the reset")?;
    println!("  reset {}", seconds(reset.elapsed));
    summary.check("both clones begin as the same snapshot", same_at_first);
    summary.check("a write shows in the clone that was written to", dev_changed);
    summary.check("the other clone does not see it", ci_unchanged);
    summary.check("reset brings back the snapshot, which is unchanged", dev_reset);
    summary.reset(reset.elapsed, written.number("own_bytes").ok());
    drop((in_dev, in_ci));

    step("destroying both clones");
    let begin = Instant::now();
    for clone in [&dev, &ci] {
        thinveil.json(&["clone", "destroy", &clone.id], None)?;
        ensure!(!clone.data.exists(), "{} is still there", clone.data.display());
    }
    done(begin.elapsed());
    Ok(())
}

impl Clone {
    fn create(thinveil: &Thinveil, snapshot: &str, name: &'static str) -> Result<Clone> {
        let password = password()?;
        let begin = Instant::now();
        let created = thinveil.json(
            &[
                "clone",
                "create",
                "--snapshot",
                snapshot,
                "--name",
                name,
                "--user",
                "demo",
                "--password-stdin",
            ],
            Some(&password),
        )?;
        let mut config = postgres::Config::new();
        config
            .host(created.text("host")?)
            .port(u16::try_from(created.number("port")?).context("a port")?)
            .user(created.text("user")?)
            .password(password)
            .dbname(DATABASE)
            .connect_timeout(Duration::from_secs(10));
        let mut client = config.connect(NoTls).context("connect to the clone")?;
        client.query_one("SELECT city FROM public.customers WHERE id = 4711", &[])?;
        Ok(Clone {
            name,
            first_answer: begin.elapsed(),
            id: created.text("id")?.to_owned(),
            config,
            data: created.text("data_dir")?.into(),
            own_bytes: created.number("own_bytes").ok(),
            shared_bytes: created.number("shared_bytes").ok(),
        })
    }

    fn connect(&self) -> Result<Client> {
        self.config.connect(NoTls).with_context(|| format!("connect to clone {}", self.name))
    }
}

fn password() -> Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
