//! The production cluster: filled, worn, and looked at before it is masked.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use postgres::Client;

use super::proof::{Facts, Originals};
use super::words::filled_in;
use crate::lab::{Cluster, ClusterOptions, Owner, Undo, seconds};

pub(super) const DATABASE: &str = "shop";

/// What production is, and what it holds that must not get out. The server is stopped.
pub(super) struct Production {
    pub(super) data: PathBuf,
    pub(super) facts: Facts,
    pub(super) originals: Originals,
    pub(super) customers: u64,
    pub(super) referring_rows: u64,
    pub(super) bytes: u64,
    pub(super) seconds: Duration,
}

impl Production {
    pub(super) fn make(data: &Path, customers: u64, undo: &Undo) -> Result<Production> {
        let begin = Instant::now();
        let mut cluster = Cluster::create(Owner::here(), data, undo)?;
        cluster.start(&ClusterOptions::bulk_load())?;
        cluster.connect("postgres")?.batch_execute(&format!("CREATE DATABASE {DATABASE}"))?;
        fill(&cluster, customers)?;
        println!("  filled in {}", seconds(begin.elapsed()));
        let before_wear = Originals::before_wear(&mut cluster.connect(DATABASE)?, customers)?;
        run(&mut cluster.connect(DATABASE)?, "wear", include_str!("sql/wear.sql"), customers)?;
        // The generator's functions held the names that it made; they were never production's.
        cluster.connect(DATABASE)?.batch_execute("VACUUM FULL pg_catalog.pg_proc")?;
        println!("  worn after {}", seconds(begin.elapsed()));
        analyze(&cluster)?;
        cluster.stop()?;

        // A day in production: statements go to a log, changed pages into the WAL.
        let log_all = ClusterOptions::plain()
            .set("fsync", "off")
            .set("logging_collector", "on")
            .set("log_min_duration_statement", "0")
            .set("autovacuum", "off");
        cluster.start(&log_all)?;
        let mut client = cluster.connect(DATABASE)?;
        let email: String =
            client.query_one("SELECT email FROM public.customers WHERE id = 400", &[])?.get(0);
        client.batch_execute(&format!(
            "UPDATE public.customers SET note = 'wrote from ' || email WHERE id BETWEEN 5 AND 900;
             SELECT count(*) FROM public.customers WHERE email = '{email}'"
        ))?;
        let facts = Facts::gather(&mut client)?;
        let originals = before_wear.and_of_today(&mut client)?;
        let referring_rows = client
            .query_one(
                "SELECT (SELECT count(*) FROM public.orders) + (SELECT count(*) FROM public.payments)
                     + (SELECT count(*) FROM support.tickets)",
                &[],
            )?
            .get::<_, i64>(0);
        let counted: i64 = client.query_one("SELECT count(*) FROM public.customers", &[])?.get(0);
        let bytes: i64 =
            client.query_one("SELECT pg_database_size(current_database())", &[])?.get(0);
        drop(client);
        cluster.stop()?;
        Ok(Production {
            data: cluster.data().to_path_buf(),
            facts,
            originals,
            customers: counted.unsigned_abs(),
            referring_rows: referring_rows.unsigned_abs(),
            bytes: bytes.unsigned_abs(),
            seconds: begin.elapsed(),
        })
    }
}

/// Fills customers and what refers to them at the same time.
fn fill(cluster: &Cluster, customers: u64) -> Result<()> {
    let orders = cluster.connect(DATABASE)?;
    let client = cluster.connect(DATABASE)?;
    std::thread::scope(|scope| {
        let orders =
            scope.spawn(|| generate(orders, "orders", include_str!("sql/orders.sql"), customers));
        generate(client, "customers", include_str!("sql/customers.sql"), customers)?;
        match orders.join() {
            Ok(result) => result,
            Err(_) => bail!("filling the orders panicked"),
        }
    })
}

fn generate(mut client: Client, what: &str, sql: &str, customers: u64) -> Result<()> {
    run(&mut client, "functions", include_str!("sql/functions.sql"), customers)?;
    run(&mut client, what, sql, customers)
}

fn run(client: &mut Client, what: &str, sql: &str, customers: u64) -> Result<()> {
    for statements in transactions(sql) {
        client
            .batch_execute(&filled_in(&statements, customers))
            .with_context(|| format!("make production: {what}"))?;
    }
    Ok(())
}

/// ALTER SYSTEM wants to be alone; all else of a file is one transaction.
fn transactions(sql: &str) -> Vec<String> {
    let (alone, together): (Vec<&str>, Vec<&str>) =
        sql.lines().partition(|line| line.starts_with("ALTER SYSTEM"));
    let mut transactions = vec![together.join("\n")];
    transactions.extend(alone.into_iter().map(str::to_owned));
    transactions
}

fn analyze(cluster: &Cluster) -> Result<()> {
    let mut others = cluster.connect(DATABASE)?;
    let mut customers = cluster.connect(DATABASE)?;
    std::thread::scope(|scope| {
        let others = scope.spawn(move || {
            others.batch_execute("ANALYZE public.orders, public.payments, support.tickets")
        });
        customers.batch_execute("ANALYZE public.customers")?;
        match others.join() {
            Ok(result) => Ok(result?),
            Err(_) => bail!("analyzing panicked"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::proof::fingerprint;
    use crate::lab::Workplace;

    /// On few customers; `THINVEIL_DEMO_CUSTOMERS` tells how many, to time it.
    #[test]
    fn makes_a_worn_cluster_whose_originals_grep_and_comparison_find() {
        let customers = std::env::var("THINVEIL_DEMO_CUSTOMERS")
            .map_or(20_000, |number| number.parse().expect("THINVEIL_DEMO_CUSTOMERS is a number"));
        let undo = Undo::default();
        let preferred = std::env::temp_dir().join(format!("thinveil-demo-{}", std::process::id()));
        let place = Workplace::create(&preferred, Owner::here(), 1, &undo).expect("a directory");
        let data = place.path().join("production");
        let production = Production::make(&data, customers, &undo).expect("PostgreSQL is here");
        println!("{customers} customers, {} bytes: {:?}", production.bytes, production.seconds);
        assert_eq!(production.customers, customers);
        assert_eq!(production.referring_rows, customers * 3);

        // The judges find fault with a "clone" that is production itself.
        let scratch = place.path().join("originals");
        let begin = Instant::now();
        let found = production.originals.grep(&data, &scratch).expect("grep runs");
        println!(
            "{} needles, {:?}, in {found:#?}",
            production.originals.needles(),
            begin.elapsed()
        );
        assert!(found.iter().any(|file| file.contains("/pg_wal/")), "{found:?}");
        assert!(found.iter().any(|file| file.contains("/log/")), "{found:?}");
        assert!(!scratch.exists());

        let mut cluster = Cluster::open(Owner::here(), &data, &undo).expect("it is there");
        cluster.start(&ClusterOptions::plain()).expect("it was stopped");
        let mut client = cluster.connect(DATABASE).expect("it runs");
        let findings = production.originals.compare(&mut client).expect("customers are there");
        assert!(findings.compared > 0 && findings.unchanged == findings.compared);
        let begin = Instant::now();
        let facts = Facts::gather(&mut client).expect("tables are there");
        println!("facts: {:?}\n{facts:#?}", begin.elapsed());
        assert_eq!(facts, production.facts);
        let before = fingerprint(&mut client).expect("customers are there");
        client
            .batch_execute("UPDATE public.customers SET note = 'other' WHERE id = 7")
            .expect("it is writable");
        assert_ne!(fingerprint(&mut client).expect("customers are there"), before);
        assert_ne!(Facts::gather(&mut client).expect("tables are there"), production.facts);
        drop(client);
        cluster.stop().expect("nobody is connected");
    }
}
