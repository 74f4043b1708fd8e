//! `pg_dump`, a filter over its text, and `psql`, all at once: into a new database that takes the
//! place of the old one.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::{Bench, Copy, Watch, Work, timed};
use crate::dataset::DATABASE;

const FIRST: [&str; 8] = ["Alma", "Anton", "Bela", "Boris", "Carla", "David", "Eva", "Fritz"];
const LAST: [&str; 8] = ["Adler", "Bauer", "Christ", "Decker", "Ernst", "Frank", "Geiger", "Huber"];

pub(super) fn run(bench: &Bench<'_>) -> Result<Work> {
    let copy = bench.copy()?;
    let mut client = copy.cluster.connect("postgres")?;
    let watch = Watch::start(bench.place);
    let mut stages = vec![timed("dump, filter, restore", || {
        client.batch_execute("CREATE DATABASE masked")?;
        transfer(&copy)
    })?];
    stages.push(timed("replace, ANALYZE", || {
        client.batch_execute(&format!("DROP DATABASE {DATABASE}"))?;
        client.batch_execute(&format!("ALTER DATABASE masked RENAME TO {DATABASE}"))?;
        let mut client = copy.cluster.connect(DATABASE)?;
        client.batch_execute("VACUUM (ANALYZE) public.people")?;
        client.batch_execute("CHECKPOINT").context("checkpoint")
    })?);
    let watched = watch.finish();
    let version: String = client.query_one("SHOW server_version", &[])?.get(0);
    drop(client);
    bench.finish(copy, format!("pg_dump {version}"), stages, watched)
}

fn transfer(copy: &Copy) -> Result<()> {
    let at = |program: &str| {
        let mut command = copy.cluster.client(program);
        command.stderr(Stdio::inherit());
        command
    };
    let mut dump = spawn(at("pg_dump").args(["--dbname", DATABASE]).stdout(Stdio::piped()))?;
    let mut restore = spawn(
        at("psql")
            .args(["--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1"])
            .args(["--dbname", "masked"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null()),
    )?;
    let from = BufReader::with_capacity(1 << 20, dump.stdout.take().context("pg_dump's output")?);
    let to = BufWriter::with_capacity(1 << 20, restore.stdin.take().context("psql's input")?);
    filter(from, to)?;
    for (name, child) in [("pg_dump", &mut dump), ("psql", &mut restore)] {
        let status = child.wait().with_context(|| format!("wait for {name}"))?;
        ensure!(status.success(), "{name} failed ({status})");
    }
    Ok(())
}

fn spawn(command: &mut Command) -> Result<std::process::Child> {
    command.spawn().with_context(|| format!("run {}", command.get_program().to_string_lossy()))
}

/// Masks the rows between `COPY public.people` and `\.`.
fn filter(mut from: impl BufRead, mut to: impl Write) -> Result<()> {
    let (mut line, mut in_table) = (Vec::new(), false);
    loop {
        line.clear();
        if from.read_until(b'\n', &mut line).context("read the dump")? == 0 {
            break;
        }
        if line.starts_with(b"COPY public.people ") {
            in_table = true;
        } else if line == b"\\.\n" {
            in_table = false;
        } else if in_table {
            mask(&line, &mut to)?;
            continue;
        }
        to.write_all(&line).context("write to psql")?;
    }
    to.flush().context("write to psql")
}

/// `id email first_name last_name phone born …`, between tabs.
fn mask(line: &[u8], to: &mut impl Write) -> Result<()> {
    for (number, field) in line.split(|byte| *byte == b'\t').enumerate() {
        let mut hasher = DefaultHasher::new();
        (number, field).hash(&mut hasher);
        let hash = hasher.finish();
        let one_of = |names: [&'static str; 8]| names.get(hash as usize % 8).copied();
        if number > 0 {
            to.write_all(b"\t")?;
        }
        match number {
            1 => write!(to, "{hash:016x}@masked.example")?,
            2 => to.write_all(one_of(FIRST).unwrap_or_default().as_bytes())?,
            3 => to.write_all(one_of(LAST).unwrap_or_default().as_bytes())?,
            4 => write!(to, "+44 7{:011}", hash % 100_000_000_000)?,
            5 => write!(to, "19{:02}-{:02}-{:02}", 40 + hash % 60, 1 + hash % 12, 1 + hash % 28)?,
            _ => to.write_all(field)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_the_rows_of_one_table_and_nothing_else() {
        let dump = b"SET x;\nCOPY public.people (id, email) FROM stdin;\n\
            1\ta.b1@mailbox.example\tAgnes\tCosta\t+44 7123 45678901\t1950-01-02\tnew\t1.5\n\\.\n\
            COPY public.other (id, email) FROM stdin;\n1\ta.b1@mailbox.example\n\\.\n";
        let mut out = Vec::new();
        filter(dump.as_slice(), &mut out).expect("memory takes it");
        let text = String::from_utf8(out).expect("a text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 7);
        let row: Vec<&str> = lines[2].split('\t').collect();
        assert_eq!((row.len(), row[0], row[6], row[7]), (8, "1", "new", "1.5"));
        assert!(row[1].ends_with("@masked.example") && row[5].len() == 10);
        assert_eq!(lines[5], "1\ta.b1@mailbox.example");
    }
}
