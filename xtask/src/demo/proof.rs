//! What is compared between production and a clone, and how it is searched for what must not be
//! there. None of it asks thinveil.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use postgres::Client;

/// Every this many customers, one is looked at value by value.
const SAMPLE: i64 = 200;

/// What masking leaves as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// By table: rows, pages, bytes, and a sum over the places (ctid) of all rows.
    pub(super) tables: BTreeMap<String, TableFacts>,
    /// What the planner makes of some questions.
    pub(super) plans: Vec<String>,
    /// Tickets whose address is that of their customer.
    pub(super) tickets_joined_by_email: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableFacts {
    rows: i64,
    pages: i32,
    bytes: i64,
    places: i64,
}

/// `(table, key)`: its rows are where they were if the sum over places and keys is the same.
const TABLES: &[(&str, &str)] = &[
    ("public.customers", "id"),
    ("public.orders", "id"),
    ("public.payments_2025_q1", "id"),
    ("public.payments_2025_q2", "id"),
    ("public.payments_later", "id"),
    ("support.tickets", "id"),
];

/// Questions of an ordinary day; the second asks by a masked column, with any value.
const QUESTIONS: &[&str] = &[
    "PREPARE q0(date) AS SELECT c.city, count(*), sum(o.total) FROM public.orders o
     JOIN public.customers c ON c.id = o.customer_id WHERE o.ordered_at >= $1 GROUP BY c.city",
    "PREPARE q1(text) AS SELECT * FROM public.customers WHERE email = $1",
    "PREPARE q2(bigint) AS SELECT t.subject, t.message FROM support.tickets t
     JOIN public.customers c USING (customer_no) WHERE c.id = $1",
    "PREPARE q3(bigint) AS SELECT * FROM public.payments WHERE order_id = $1",
];

impl Facts {
    pub(super) fn gather(client: &mut Client) -> Result<Facts> {
        let mut tables = BTreeMap::new();
        for (table, key) in TABLES {
            let row = client.query_one(
                &format!(
                    "SELECT count(*), coalesce(bit_xor(hashtextextended(ctid::text, {key})), 0),
                        pg_relation_size('{table}'),
                        (SELECT relpages FROM pg_class WHERE oid = '{table}'::regclass)
                     FROM {table}"
                ),
                &[],
            )?;
            let facts = TableFacts {
                rows: row.get(0),
                places: row.get(1),
                bytes: row.get(2),
                pages: row.get(3),
            };
            tables.insert((*table).to_owned(), facts);
        }
        let joined = client.query_one(
            "SELECT count(*) FROM support.tickets t JOIN public.customers c USING (customer_no)
             WHERE t.contact_email = c.email",
            &[],
        )?;
        Ok(Facts { tables, plans: plans(client)?, tickets_joined_by_email: joined.get(0) })
    }

    pub(super) fn pages(&self) -> u64 {
        self.tables.values().map(|table| u64::from(table.pages.unsigned_abs())).sum()
    }

    pub(super) fn rows(&self) -> u64 {
        self.tables.values().map(|table| table.rows.unsigned_abs()).sum()
    }
}

fn plans(client: &mut Client) -> Result<Vec<String>> {
    client.batch_execute("SET plan_cache_mode = force_generic_plan")?;
    let mut plans = Vec::new();
    for (number, question) in QUESTIONS.iter().enumerate() {
        client.batch_execute(question)?;
        let rows = client.query(&format!("EXPLAIN (COSTS OFF) EXECUTE q{number}(NULL)"), &[])?;
        plans.push(rows.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>().join("\n"));
    }
    client.batch_execute("DEALLOCATE ALL")?;
    Ok(plans)
}

/// Some of production's values.
pub(super) struct Originals {
    /// Long enough to be found nowhere by chance.
    needles: Vec<String>,
    /// Values of some customers, by id.
    rows: BTreeMap<i64, Vec<Option<String>>>,
}

/// What a look at each sampled value in a clone found.
pub(super) struct ValueFindings {
    pub(super) compared: u64,
    /// Still the original.
    pub(super) unchanged: u64,
    /// Of another length than the original, or null where it was not.
    pub(super) misfits: u64,
}

const VALUES: &str = "SELECT id, email, customer_no, phone, note, balance::text
    FROM public.customers WHERE id % 200 = 0 ORDER BY id";

impl Originals {
    /// Of columns and rows that wear takes away: a dropped column, deleted and updated rows.
    pub(super) fn before_wear(client: &mut Client, customers: u64) -> Result<Originals> {
        let mut needles = Vec::new();
        for row in client.query(
            &format!(
                "SELECT national_id, email FROM public.customers
                 WHERE id % {SAMPLE} = 0 OR id % 400 = 1 OR id > {}",
                customers + customers / 200
            ),
            &[],
        )? {
            needles.push(row.get(0));
            needles.push(row.get(1));
        }
        Ok(Originals { needles, rows: BTreeMap::new() })
    }

    /// And of what is there today.
    pub(super) fn and_of_today(mut self, client: &mut Client) -> Result<Originals> {
        self.rows = values(client)?;
        for row in self.rows.values() {
            // The last value, a balance, is too short to be searched for among bytes.
            self.needles.extend(row.iter().take(4).flatten().cloned());
        }
        for row in client.query("SELECT message FROM support.tickets WHERE id % 300 = 0", &[])? {
            self.needles.push(row.get(0));
        }
        self.needles.push("the-production-password".to_owned());
        self.needles.push("the-standby-password".to_owned());
        self.needles.retain(|needle| needle.len() >= 10);
        self.needles.sort();
        self.needles.dedup();
        Ok(self)
    }

    pub(super) fn needles(&self) -> u64 {
        self.needles.len() as u64
    }

    /// The files under `directory` in which grep finds any of the originals.
    pub(super) fn grep(&self, directory: &Path, scratch: &Path) -> Result<Vec<String>> {
        let mut file = fs::File::create(scratch).context("write the originals down for grep")?;
        file.write_all(self.needles.join("\n").as_bytes())?;
        drop(file);
        let output = Command::new("grep")
            .args(["--recursive", "--files-with-matches", "--text", "--fixed-strings", "--file"])
            .arg(scratch)
            .arg(directory)
            .env("LC_ALL", "C")
            .output()
            .context("run grep")?;
        fs::remove_file(scratch).context("remove the list of originals")?;
        // 1: nothing found. A running server's files may come and go: 2 with nothing but that.
        let said = String::from_utf8_lossy(&output.stderr);
        if let Some(line) = said.lines().find(|line| !line.contains("No such file")) {
            bail!("grep: {line}");
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    /// Looks at the same customers in a clone.
    pub(super) fn compare(&self, client: &mut Client) -> Result<ValueFindings> {
        let mut findings = ValueFindings { compared: 0, unchanged: 0, misfits: 0 };
        let masked = values(client)?;
        for (id, originals) in &self.rows {
            let row =
                masked.get(id).with_context(|| format!("customer {id} is not in the clone"))?;
            for (original, value) in originals.iter().zip(row) {
                match (original, value) {
                    (None, None) => {}
                    (Some(original), Some(value)) => {
                        findings.compared += 1;
                        findings.unchanged += u64::from(original == value);
                        findings.misfits += u64::from(original.len() != value.len());
                    }
                    _ => findings.misfits += 1,
                }
            }
        }
        Ok(findings)
    }
}

fn values(client: &mut Client) -> Result<BTreeMap<i64, Vec<Option<String>>>> {
    let rows = client.query(VALUES, &[])?;
    Ok(rows.iter().map(|row| (row.get(0), (1..6).map(|at| row.get(at)).collect())).collect())
}

/// A sum over everything that a clone holds of customers and tickets: equal if and only if, but
/// for a chance of one in 2^64, the rows are.
pub(super) fn fingerprint(client: &mut Client) -> Result<(i64, i64)> {
    let row = client.query_one(
        "SELECT count(*), bit_xor(hashtextextended(c::text, 0)) FROM public.customers c",
        &[],
    )?;
    Ok((row.get(0), row.get(1)))
}
