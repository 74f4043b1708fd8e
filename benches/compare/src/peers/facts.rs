//! What is compared between the raw cluster and a masked one: where rows are, how queries are
//! planned, what of the originals is in the files.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

/// What the raw cluster's e-mail addresses look like, and no masked one's.
const ORIGINAL: &str = r"[a-z]+\.[a-z]+[0-9]+@mailbox\.example";

/// Queries as an application has them; `:email`, `:first`, `:last`, `:phone` and `:born` are those of
/// one row.
const QUERIES: [&str; 12] = [
    "SELECT * FROM people WHERE id = 4711",
    "SELECT * FROM people WHERE email = :email",
    "SELECT * FROM people WHERE last_name = :last AND first_name = :first",
    "SELECT * FROM people WHERE last_name = :last ORDER BY first_name LIMIT 20",
    "SELECT count(*) FROM people WHERE last_name = :last AND born = :born",
    "SELECT * FROM people WHERE phone = :phone",
    "SELECT status, count(*), sum(amount) FROM people GROUP BY status",
    "SELECT last_name, count(*) FROM people GROUP BY last_name",
    "SELECT first_name, last_name, count(*) FROM people GROUP BY first_name, last_name",
    "SELECT * FROM people WHERE id BETWEEN 1000 AND 90000 ORDER BY email",
    "SELECT * FROM people a JOIN people b USING (email) WHERE a.id < 50",
    "SELECT born, count(*) FROM people GROUP BY born ORDER BY born LIMIT 10",
];

/// Where rows are and how queries are planned.
pub(crate) struct Facts {
    /// Every row's `ctid`, in the order of `id`.
    ctids: PathBuf,
    plans: Vec<String>,
}

impl Facts {
    pub(crate) fn read(client: &mut Client, ctids: &Path) -> Result<Facts> {
        let copy = "COPY (SELECT ctid FROM public.people ORDER BY id) TO STDOUT";
        let mut rows = client.copy_out(copy).context("read ctids")?;
        let mut file =
            File::create(ctids).with_context(|| format!("create {}", ctids.display()))?;
        std::io::copy(&mut rows, &mut file).context("write ctids")?;
        file.flush()?;
        drop(rows);
        let plans = QUERIES.iter().map(|query| plan(client, query)).collect::<Result<_>>()?;
        Ok(Facts { ctids: ctids.to_path_buf(), plans })
    }

    /// How many rows are where they are in `raw`.
    pub(crate) fn rows_in_place(&self, raw: &Facts) -> Result<u64> {
        let open = |path: &Path| {
            let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
            Ok::<_, anyhow::Error>(BufReader::new(file).lines())
        };
        let mut same = 0;
        for (here, there) in open(&self.ctids)?.zip(open(&raw.ctids)?) {
            same += u64::from(here? == there?);
        }
        Ok(same)
    }

    /// How many queries have another plan than in `raw`.
    pub(crate) fn plans_changed(&self, raw: &Facts) -> usize {
        self.plans.iter().zip(&raw.plans).filter(|(here, there)| here != there).count()
    }

    pub(crate) fn plans() -> usize {
        QUERIES.len()
    }
}

/// The plan's shape, without costs and without the values asked for.
fn plan(client: &mut Client, query: &str) -> Result<String> {
    let of_row = "SELECT email, first_name, last_name, phone, born::text
                  FROM public.people WHERE id = (SELECT max(id) / 2 FROM public.people)";
    let row = client.query_one(of_row, &[]).context("read a row")?;
    let mut query = query.to_owned();
    let mut values = Vec::new();
    for (at, name) in [":email", ":first", ":last", ":phone", ":born"].into_iter().enumerate() {
        let quoted = format!("'{}'", row.get::<_, &str>(at).replace('\'', "''"));
        query = query.replace(name, &quoted);
        values.push(quoted);
    }
    let rows = client.query(&format!("EXPLAIN (COSTS OFF) {query}"), &[]).context("explain")?;
    let lines: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    Ok(values.iter().fold(lines.join("\n"), |text, value| text.replace(value, "?")))
}

/// Original e-mail addresses in all files of a stopped cluster, as grep finds them.
pub(crate) fn originals_left(data: &Path) -> Result<u64> {
    let mut grep = Command::new("grep")
        .env("LC_ALL", "C")
        .args(["--recursive", "--text", "--only-matching", "--no-filename", "--extended-regexp"])
        .arg(ORIGINAL)
        .arg(data)
        .stdout(Stdio::piped())
        .spawn()
        .context("run grep")?;
    let mut out = grep.stdout.take().context("grep's output")?;
    let (mut found, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        let len = out.read(&mut buffer).context("read what grep finds")?;
        if len == 0 {
            break;
        }
        let read = buffer.get(..len).unwrap_or_default();
        found += read.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    // 1: nothing found.
    let status = grep.wait().context("wait for grep")?;
    ensure!(matches!(status.code(), Some(0 | 1)), "grep failed ({status})");
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_originals_as_they_stand_in_any_file() {
        let place = std::env::temp_dir().join(format!("thinveil-grep-{}", std::process::id()));
        std::fs::create_dir_all(place.join("base")).expect("a directory");
        let page = b"\0\x11anna.smith17@mailbox.example\x05xx\0bob.b1@masked.example\0\
                     e.f9@mailbox.exampl\n\xffa.b2@mailbox.example";
        std::fs::write(place.join("base/1"), page).expect("a file");
        let found = originals_left(&place);
        std::fs::remove_dir_all(&place).expect("it is ours");
        assert_eq!(found.expect("grep runs"), 2);
    }

    #[test]
    fn rows_are_in_place_where_both_files_say_so() {
        let place = std::env::temp_dir().join(format!("thinveil-ctids-{}", std::process::id()));
        std::fs::create_dir_all(&place).expect("a directory");
        let facts = |name: &str, text: &str| {
            std::fs::write(place.join(name), text).expect("a file");
            Facts { ctids: place.join(name), plans: vec![name.to_owned(), "same".to_owned()] }
        };
        let raw = facts("raw", "(0,1)\n(0,2)\n(0,3)\n");
        let masked = facts("masked", "(0,1)\n(1,2)\n(0,3)\n");
        let same = masked.rows_in_place(&raw);
        std::fs::remove_dir_all(&place).expect("it is ours");
        assert_eq!((same.expect("both are there"), masked.plans_changed(&raw)), (2, 1));
    }
}
