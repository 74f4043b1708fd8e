//! Masks that apply in some rows alone.

use super::dependencies::Scene;
#[cfg(feature = "sql")]
use super::dependencies::assert_gone;
use crate::common::{Queries, Servers};

const INFINITE: &str = "price < 'Infinity' AND price > '-Infinity'";

/// Conditions that PostgreSQL and thinveil are both asked about.
const CONDITIONS: [&str; 52] = [
    "country = 'DE'",
    "country <> 'DE'",
    "NOT country = 'DE'",
    "country IN ('DE', 'FR')",
    "country NOT IN ('DE', 'FR')",
    "country NOT IN ('DE', NULL)",
    "country IS NULL",
    "country IS NOT NULL AND n > 50",
    "country = NULL",
    "(country = 'DE') IS NULL",
    "(country = 'DE') IS NOT TRUE",
    "(n > 50) IS FALSE OR country = 'FR'",
    "country IS DISTINCT FROM 'DE'",
    "country IS NOT DISTINCT FROM NULL",
    "country IS NOT DISTINCT FROM other",
    "country = other",
    "country LIKE 'D%'",
    "country NOT LIKE '%E'",
    "name LIKE 'Zo_ %'",
    "name LIKE '%\\%%'",
    "name < 'M' COLLATE \"C\"",
    "name COLLATE \"C\" BETWEEN 'A' AND 'Zoe B'",
    "code = 'a'",
    "code = 'a  '",
    "code >= 'b' COLLATE \"C\"",
    "n BETWEEN 10 AND 20",
    "n NOT BETWEEN 10 AND 20",
    "n BETWEEN 10 AND NULL",
    "n = 7.0",
    "n > 49.5",
    "big > n",
    "big > 9223372036854775800",
    "n <= -5",
    "price > 12.5",
    "price = 12.50",
    "price > n",
    "price = 'NaN'",
    INFINITE,
    "price NOT IN (0, 1.25)",
    "share > 0.5",
    "share = 'nan' OR share <= 0.25",
    "flag",
    "NOT flag",
    "flag IS UNKNOWN OR flag = 'f'",
    "day >= '2020-02-01' AND day < DATE '2020-03-01'",
    "day = 'infinity' OR day IS NULL",
    "at < '2020-01-10 12:00:00+02'",
    "local > '2020-01-10 12:00:00.5' AND at > TIMESTAMPTZ '2020-01-11 00:00Z'",
    "who > '80000000-0000-0000-0000-000000000000'",
    "mood = 'sad' OR mood IN ('glad')",
    "added = 'from before' AND n < 80",
    "long LIKE 'packed %' AND masked_too LIKE '%5'",
];

/// True if numerics can be infinite.
fn have_infinite_numerics() -> bool {
    Servers::tested().major() >= 14
}

/// Those that the servers under test understand, others for the rest.
fn conditions() -> [&'static str; 52] {
    CONDITIONS.map(|condition| match condition {
        INFINITE if !have_infinite_numerics() => "price < 1000000 AND price > -1000000",
        condition => condition,
    })
}

fn schema() -> String {
    let infinite = if have_infinite_numerics() { "'Infinity', '-Infinity'," } else { "" };
    let columns = (0..CONDITIONS.len()).map(|number| format!("c{number} text"));
    let columns: Vec<String> = columns.collect();
    let values = vec!["'Secret of row ' || i"; CONDITIONS.len()].join(", ");
    format!(
        "CREATE TYPE mood AS ENUM ('sad', 'glad', 'bad');
         CREATE TABLE t (row int PRIMARY KEY, country text, other varchar, name text, code char(5),
             n smallint, big bigint, price numeric, share float8, flag boolean, day date,
             at timestamptz, local timestamp, who uuid, mood mood, long text, masked_too text,
             {});
         ALTER TABLE t ALTER long SET STORAGE MAIN;
         CREATE FUNCTION nth(i int, variadic texts text[]) RETURNS text LANGUAGE sql
             AS 'SELECT texts[1 + i % cardinality(texts)]';
         CREATE FUNCTION fill(first int, last int) RETURNS void LANGUAGE sql AS $$
         INSERT INTO t SELECT i, nth(i, 'DE', 'FR', NULL, 'de', 'D', ''),
             nth(i, 'DE', 'FR', NULL, 'D'),
             nth(i, 'Zoë Quimby', 'Zoe Abernathy', '100% Ann', 'zoë', 'Ädam', NULL),
             nth(i, 'a', 'b', 'ab ', NULL),
             i % 101 - 10, CASE i % 3 WHEN 0 THEN i WHEN 1 THEN 9223372036854775807 - i END,
             nth(i, '12.5', '12.50', '0', '1.25', '-7', 'NaN', {infinite} NULL,
                 '123456789012345678901234567890', '20')::numeric,
             nth(i, '0.5', '0.25', '-1', 'NaN', 'Infinity', NULL, '0.75')::float8,
             nth(i, 't', 'f', NULL)::boolean,
             CASE WHEN i % 20 > 2 THEN date '2020-01-01' + i % 90
                  WHEN i % 20 > 0 THEN 'infinity' END,
             timestamptz '2020-01-01 00:00+00' + i * interval '1 hour',
             timestamp '2020-01-01' + i * interval '1 hour',
             md5(i::text)::uuid, nth(i, 'sad', 'glad', 'bad', NULL)::mood,
             CASE WHEN i % 5 = 0 THEN 'packed ' || repeat('over and over ', 300) ELSE 'short' END,
             'Other secret ' || i, {values}
             FROM generate_series(first, last) AS i $$;
         SELECT fill(1, 600);
         ALTER TABLE t ADD COLUMN added text DEFAULT 'from before';
         SELECT fill(601, 700);
         UPDATE t SET added = NULL WHERE row > 650;
         DELETE FROM t WHERE row % 50 = 0",
        columns.join(", ")
    )
}

#[test]
fn values_are_masked_where_sql_says_so_and_stay_elsewhere() {
    let mut scene = Scene::new(&[("postgres", &schema())]);
    let mut rules = "[databases.postgres]\nunlisted = \"keep\"\n\
         [databases.postgres.tables.\"public.t\"]\nmasked_too = \"digits\"\n"
        .to_owned();
    for (number, condition) in conditions().iter().enumerate() {
        rules += &format!(
            "c{number} = {{ mask = \"redact\", when = '''{condition}''', else = \"keep\" }}\n"
        );
    }
    if cfg!(not(feature = "sql")) {
        let refused = scene.refused(&rules);
        assert!(refused.iter().all(|code| code == "condition") && refused.len() == 52);
        return;
    }
    let (snapshot, clone) = scene.masked(&rules);
    assert_eq!(snapshot.count("layout_deviations"), 0);
    scene.raw.start();
    let (mut masked_somewhere, mut kept_somewhere) = (0, 0);
    for (number, condition) in conditions().iter().enumerate() {
        let wanted = scene.raw.rows(
            "postgres",
            &format!(
                "SELECT row, CASE WHEN {condition} THEN regexp_replace(c{number}, '.', 'X', 'g')
                                  ELSE c{number} END FROM t ORDER BY row"
            ),
        );
        let found = clone.rows("postgres", &format!("SELECT row, c{number} FROM t ORDER BY row"));
        // What redact writes is not the question here.
        let redacted = |value: &str| value.bytes().all(|byte| byte == value.as_bytes()[0]);
        let (mut masked, mut kept) = (0, 0);
        for (wanted, found) in wanted.iter().zip(&found) {
            let (wanted, found) = (wanted[1].as_ref().unwrap(), found[1].as_ref().unwrap());
            assert_eq!(redacted(wanted), redacted(found), "{condition}: {wanted} {found}");
            if redacted(wanted) {
                masked += 1;
            } else {
                kept += 1;
                assert_eq!(wanted, found, "{condition}");
            }
        }
        assert_eq!(wanted.len(), found.len());
        masked_somewhere += u32::from(masked > 0);
        kept_somewhere += u32::from(kept > 0);
    }
    // All but `= NULL`, `NOT IN (…, NULL)` and `BETWEEN … AND NULL`, which are true of no row.
    assert_eq!((masked_somewhere, kept_somewhere), (49, 52));
}

#[test]
#[cfg(feature = "sql")]
fn dead_versions_are_masked_shared_values_are_the_live_rows_and_else_is_a_mask() {
    let mut scene = Scene::new(&[
        (
            "postgres",
            "CREATE TABLE people (row int PRIMARY KEY, kind text, email text, note text, born date,
                 touched int) WITH (autovacuum_enabled = false);
             ALTER TABLE people ALTER note SET STORAGE EXTERNAL;
             INSERT INTO people SELECT i, CASE WHEN i % 2 = 0 THEN 'person' ELSE 'robot' END,
                 'someone.' || i || '@production.example', 'note ' || repeat(md5(i::text), 200),
                 date '1980-01-01' + i, 0
             FROM generate_series(1, 300) AS i",
        ),
        // Robots become persons: older versions still say that they are none.
        ("postgres", "UPDATE people SET kind = 'person' WHERE row % 4 = 1"),
        // Versions share what is out of line.
        ("postgres", "UPDATE people SET touched = 1 WHERE row % 3 = 0"),
        ("postgres", "BEGIN; UPDATE people SET kind = 'robot', touched = 2; ROLLBACK"),
        ("postgres", "BEGIN; SELECT FROM people WHERE row < 50 FOR UPDATE; COMMIT"),
        ("postgres", "DELETE FROM people WHERE row % 5 = 3"),
    ]);
    let rule = "when = \"kind = 'person'\"";
    let (snapshot, clone) = scene.masked(&format!(
        r#"
[databases.postgres.tables."public.people"]
row = "keep"
kind = "keep"
touched = "keep"
email = {{ mask = "email", {rule}, else = "keep" }}
note = {{ mask = "digits", {rule}, else = "keep" }}
born = {{ mask = "date_shift", subject = "row", {rule}, else = {{ mask = "bucket", unit = "year" }} }}
"#
    ));
    scene.raw.start();
    let rows = |server: &dyn Fn(&str) -> Vec<crate::common::Row>| {
        server(
            "SELECT row, kind, email, note, born, born - date_trunc('year', born)::date FROM people ORDER BY row",
        )
    };
    let before = rows(&|sql| scene.raw.rows("postgres", sql));
    let after = rows(&|sql| clone.rows("postgres", sql));
    assert_eq!(before.len(), after.len());
    let mut kept = 0;
    for (before, after) in before.iter().zip(&after) {
        if before[1].as_deref() == Some("person") {
            assert_ne!(before[2], after[2]);
            assert_ne!(before[3], after[3]);
            assert_ne!(before[4], after[4]);
        } else {
            kept += 1;
            assert_eq!(before[..4], after[..4]);
            assert_eq!(after[5].as_deref(), Some("0"), "{after:?}");
        }
    }
    assert!(kept > 50, "{kept}");
    // Nothing of what is masked in live rows is left in dead ones.
    let persons = "SELECT email FROM people WHERE kind = 'person'
                   UNION ALL SELECT substr(note, 6, 32) FROM people WHERE kind = 'person'";
    assert_gone(&snapshot, &scene.raw.column("postgres", persons));
    let deleted: Vec<String> = (1..=300)
        .filter(|row| row % 5 == 3)
        .map(|row| format!("someone.{row}@production.example"))
        .collect();
    assert_gone(&snapshot, &deleted);
}

#[test]
#[cfg(feature = "sql")]
fn a_condition_on_a_value_out_of_line_stops_the_run_unless_another_decides() {
    let scene = Scene::new(&[(
        "postgres",
        "CREATE TABLE t (row int PRIMARY KEY, long text, name text);
         ALTER TABLE t ALTER long SET STORAGE EXTERNAL;
         INSERT INTO t SELECT i, repeat('out of line', 900), 'Name of ' || i
             FROM generate_series(1, 20) AS i",
    )]);
    let rules = |condition: &str| {
        format!(
            "[databases.postgres.tables.\"public.t\"]\nrow = \"keep\"\nlong = \"keep\"\n\
             name = {{ mask = \"text\", when = \"{condition}\", else = \"keep\" }}\n"
        )
    };
    let outcome = scene.attempt(&rules("long LIKE 'out%'")).expect_code(1);
    let text = outcome.text();
    assert!(
        text.contains("public.t") && text.contains("long") && text.contains("out of line here")
    );
    scene.masked(&rules("long LIKE 'out%' AND row < 0"));
    scene.masked(&rules("long IS NOT NULL"));
}
