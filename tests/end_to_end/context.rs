//! Masks that look at other columns of the row.

use std::collections::{BTreeMap, BTreeSet};

use super::dependencies::Scene;
use crate::common::Queries;

/// Numbers by a row's key: what `sql` selects, which has two columns.
fn numbers(server: &impl Queries, sql: &str) -> BTreeMap<String, i64> {
    let rows = server.rows("postgres", sql).into_iter();
    rows.map(|row| {
        let number = row[1].as_ref().map_or(i64::MAX, |number| number.parse().expect("a number"));
        (row[0].clone().expect("a key"), number)
    })
    .collect()
}

/// How far each number has moved, by its row's key.
fn distances(
    raw: &impl Queries,
    clone: &impl Queries,
    table: &str,
    number: &str,
) -> BTreeMap<String, i64> {
    let sql = format!("SELECT row, {number} FROM {table} WHERE {number} IS NOT NULL");
    let (before, after) = (numbers(raw, &sql), numbers(clone, &sql));
    assert!(before.keys().eq(after.keys()) && !before.is_empty(), "{table}");
    before
        .into_iter()
        .map(|(row, from)| {
            let to = after[&row];
            (row, to - from)
        })
        .collect()
}

/// The one distance of each subject in production; panics where there are two.
#[track_caller]
fn by_subject(
    raw: &impl Queries,
    table: &str,
    subject: &str,
    moved: &BTreeMap<String, i64>,
) -> BTreeMap<String, i64> {
    let sql = format!("SELECT row, {subject} FROM {table} WHERE {subject} IS NOT NULL");
    let mut found = BTreeMap::new();
    for row in raw.rows("postgres", &sql) {
        let (row, subject) = (row[0].clone().unwrap(), row[1].clone().unwrap());
        let Some(distance) = moved.get(&row) else { continue };
        let known = *found.entry(subject.clone()).or_insert(*distance);
        assert_eq!(known, *distance, "{table}: row {row} of subject {subject}");
    }
    found
}

#[test]
fn intervals_of_one_patient_are_kept_across_tables_types_partitions_and_stored_forms() {
    let mut scene = Scene::new(&[(
        "postgres",
        "CREATE TABLE patients (row int PRIMARY KEY, id bigint UNIQUE NOT NULL, born date);
         INSERT INTO patients SELECT i, 1000000 + i, date '1950-01-01' + 37 * i
             FROM generate_series(1, 300) AS i;
         CREATE TABLE visits (row int, visited date, patient int REFERENCES patients (id),
             gone text, came timestamptz, stay daterange, calls date[], wakes time)
             PARTITION BY RANGE (row);
         CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (1000);
         CREATE TABLE visits_2 (calls date[], wakes time, patient int, stay daterange, row int,
             came timestamptz, visited date, gone text);
         ALTER TABLE visits ATTACH PARTITION visits_2 FOR VALUES FROM (1000) TO (9999);
         ALTER TABLE visits DROP COLUMN gone;
         INSERT INTO visits SELECT i, day, CASE WHEN i % 10 > 0 THEN 1000001 + i % 300 END,
             day + time '08:00' + i * interval '1 minute', daterange(day, day + 1 + i % 9),
             ARRAY[day + 3, NULL, day + 400], time '00:00' + i * interval '17 seconds'
         FROM (SELECT i, date '2019-01-01' + i AS day FROM generate_series(1, 2000) AS i) AS days;
         UPDATE visits SET visited = visited + 1 WHERE row % 7 = 0;
         DELETE FROM visits WHERE row % 97 = 0;
         CREATE TABLE labs (row int PRIMARY KEY, who text NOT NULL, taken timestamp,
             UNIQUE (who, taken));
         ALTER TABLE labs ALTER who SET STORAGE MAIN;
         INSERT INTO labs SELECT i, 1000001 + i % 300, '2020-02-03 04:05:06.7'::timestamp
             + i * interval '1 day 17 minutes' FROM generate_series(1, 900) AS i;
         INSERT INTO labs SELECT i, repeat('compressed ' || i % 2, 200), '2021-01-01'::timestamp
             + i * interval '1 day' FROM generate_series(901, 910) AS i;
         CREATE TABLE bills (row int PRIMARY KEY, sent date);
         INSERT INTO bills SELECT i, date '2020-01-01' + i FROM generate_series(1, 50) AS i;
         ALTER TABLE bills ADD COLUMN payer numeric DEFAULT 1000007.00, ADD COLUMN other numeric;
         INSERT INTO bills SELECT i, date '2020-01-01' + i, 1000001 + i % 3, i
             FROM generate_series(51, 100) AS i",
    )]);
    let shift = "mask = \"date_shift\", days = 900, domain = \"life\"";
    let rules = format!(
        r#"
[databases.postgres.tables."public.patients"]
row = "keep"
id = "integer"
born = {{ {shift}, subject = "id" }}
[databases.postgres.tables."public.visits"]
row = "keep"
visited = {{ {shift}, subject = "patient" }}
came = {{ {shift}, subject = "patient" }}
stay = {{ {shift}, subject = "patient" }}
calls = {{ {shift}, subject = "patient" }}
wakes = {{ mask = "timestamp_shift", subject = "patient" }}
[databases.postgres.tables."public.labs"]
row = "keep"
who = {{ mask = "digits" }}
taken = {{ {shift}, subject = "who" }}
[databases.postgres.tables."public.bills"]
row = "keep"
payer = "numeric"
other = "keep"
sent = {{ {shift}, subject = "payer" }}
"#
    );
    let (snapshot, clone) = scene.masked(&rules);
    assert_eq!(snapshot.count("layout_deviations"), 0);
    scene.raw.start();
    let raw = &scene.raw;
    let days = |column: &str| format!("{column} - date '2000-01-01'");
    let seconds = |column: &str| format!("extract(epoch FROM {column})::bigint");

    let born = distances(raw, &clone, "patients", &days("born"));
    let life = by_subject(raw, "patients", "id", &born);
    let different: BTreeSet<i64> = life.values().copied().collect();
    assert!(different.len() > 200 && !different.contains(&0), "{different:?}");
    for (table, subject, number, unit) in [
        ("visits", "patient", days("visited"), 1),
        ("visits", "patient", seconds("came"), 86_400),
        ("visits", "patient", days("lower(stay)"), 1),
        ("visits", "patient", days("upper(stay)"), 1),
        ("visits", "patient", days("calls[1]"), 1),
        ("visits", "patient", days("calls[3]"), 1),
        ("labs", "who", seconds("taken"), 86_400),
        ("bills", "trunc(payer)", days("sent"), 1),
    ] {
        let moved = distances(raw, &clone, table, &number);
        let by_patient = by_subject(raw, table, subject, &moved);
        assert!(by_patient.len() > 2);
        for (patient, distance) in by_patient {
            if let Some(days) = life.get(&patient) {
                assert_eq!(distance, unit * days, "{table} {number} {patient}");
            }
        }
    }
    // Without a subject, each date moves by itself.
    let visited = distances(raw, &clone, "visits", &days("visited"));
    let none = "SELECT row, 1 FROM visits WHERE patient IS NULL";
    let of_nobody: BTreeSet<i64> = numbers(raw, none).keys().map(|row| visited[row]).collect();
    assert!(of_nobody.len() > 100 && !of_nobody.contains(&0));
    let wakes = distances(raw, &clone, "visits", "extract(epoch FROM wakes)::int + 86400");
    assert!(wakes.values().all(|distance| *distance != 0));
    // Subjects are masked themselves, and still join.
    let joined = "SELECT count(*) FROM visits JOIN patients ON id = patient";
    assert_eq!(raw.value("postgres", joined), clone.value("postgres", joined));
    let ids = "SELECT row, id FROM patients";
    assert_ne!(numbers(raw, ids), numbers(&clone, ids));
}

#[test]
fn a_subject_gives_names_and_numbers_of_its_own() {
    let mut scene = Scene::new(&[(
        "postgres",
        "CREATE TABLE calls (row int PRIMARY KEY, who uuid, phone text, code text, sum int,
             doc jsonb);
         INSERT INTO calls SELECT i, md5((i % 50)::text)::uuid, '+49 30 1234567', 'ABC-' || i % 5,
             700000 + i % 5, jsonb_build_object('n', 'Anna Abernathy', 'k', 4)
         FROM generate_series(1, 500) AS i",
    )]);
    let (_, clone) = scene.masked(
        r#"
[databases.postgres.tables."public.calls"]
row = "keep"
who = "uuid"
phone = { mask = "phone", subject = "who" }
code = { mask = "alphanumeric", subject = "who" }
sum = { mask = "integer", subject = "who" }
doc = { paths = { "$.n" = "full_name" }, default = "keep", subject = "who" }
"#,
    );
    scene.raw.start();
    let groups = |server: &dyn Fn(&str) -> String, by: &str| {
        server(&format!("SELECT count(DISTINCT ({by})) FROM calls"))
    };
    let raw = |sql: &str| scene.raw.value("postgres", sql);
    let masked = |sql: &str| clone.value("postgres", sql);
    // Equal for one subject, as often as before; different between subjects.
    for column in ["phone", "code", "sum", "doc"] {
        let by = format!("who, {column}");
        assert_eq!(groups(&raw, &by), groups(&masked, &by), "{column}");
        let (before, after) = (groups(&raw, column), groups(&masked, column));
        let (before, after): (u32, u32) = (before.parse().unwrap(), after.parse().unwrap());
        assert!(after > 5 * before, "{column}: {before} became {after}");
    }
}

#[test]
fn subjects_that_mean_nothing_are_refused_and_stored_forms_that_hide_them_stop_the_run() {
    let scene = Scene::new(&[(
        "postgres",
        "CREATE TABLE t (id int, who jsonb, day date, note text);
         CREATE TABLE u (id int PRIMARY KEY, long text, day date);
         ALTER TABLE u ALTER long SET STORAGE EXTERNAL;
         INSERT INTO u VALUES (1, 'short', '2020-01-01'), (2, repeat('out of line', 900), now())",
    )]);
    let keep_u = "[databases.postgres.tables.\"public.u\"]\nid = \"keep\"\nlong = \"keep\"\n";
    let t = |day: &str| {
        format!(
            "{keep_u}day = \"keep\"\n[databases.postgres.tables.\"public.t\"]\nid = \"keep\"\n\
             who = \"text\"\nnote = \"keep\"\nday = {{ mask = \"date_shift\", {day} }}\n"
        )
    };
    for (day, code) in [
        ("subject = \"whom\"", "unknown_subject"),
        ("subject = \"who\"", "subject_type"),
        ("subject = \"day\"", "subject_type"),
        ("subject = 3", "rule_file"),
    ] {
        assert_eq!(scene.refused(&t(day)), [code], "{day}");
    }
    let by_long = format!(
        "{keep_u}day = {{ mask = \"date_shift\", subject = \"long\" }}\n\
         [databases.postgres.tables.\"public.t\"]\nid = \"keep\"\nwho = \"keep\"\n\
         note = \"keep\"\nday = \"keep\"\n"
    );
    let outcome = scene.attempt(&by_long).expect_code(1);
    let text = outcome.text();
    assert!(text.contains("public.u") && text.contains("long"), "{text}");
    assert!(text.contains("out of line here"), "{text}");
}

#[test]
fn names_addresses_and_user_names_of_one_row_are_one_persons() {
    let mut scene = Scene::new(&[(
        "postgres",
        "CREATE TABLE people (login varchar(40), row int PRIMARY KEY, email text, given text,
             family char(20), whole text, work text);
         INSERT INTO people (row, given, family, whole, email, login)
         SELECT i, given, family, given || ' ' || family,
             lower(given || '.' || family) || i || '@production.example.com',
             lower(left(given, 1) || family) || i
         FROM (SELECT i, (ARRAY['Jane', 'Bartholomew', 'Eva', 'MARIA', 'Christopher'])[1 + i % 5] AS given,
                   (ARRAY['Doe', 'Abernathy', 'QUIMBY', 'Lindqvist'])[1 + i % 4] AS family
               FROM generate_series(1, 800) AS i) AS names;
         UPDATE people SET work = 'j@corp.example.com' WHERE row % 2 = 0;
         UPDATE people SET work = repeat('x', 40) || '@corp.example.com' WHERE row % 2 = 1;
         INSERT INTO people (row, email) VALUES (801, 'no.name@production.example.com')",
    )]);
    let persona = "persona = [\"given\", \"family\"]";
    let (_, clone) = scene.masked(&format!(
        r#"
[databases.postgres.tables."public.people"]
row = "keep"
given = {{ mask = "first_name", subject = "row" }}
family = {{ mask = "last_name", subject = "row" }}
whole = {{ mask = "full_name", {persona} }}
email = {{ mask = "email", {persona} }}
work = {{ mask = "email", {persona} }}
login = {{ mask = "username", {persona} }}
"#
    ));
    scene.raw.start();
    let count = |server: &dyn Fn(&str) -> String, condition: &str| -> u32 {
        let sql = format!(
            "SELECT count(*) FROM (SELECT *,
                 lower(regexp_replace(given, '[^A-Za-z]', '', 'g')) AS g,
                 lower(regexp_replace(family, '[^A-Za-z]', '', 'g')) AS f,
                 split_part(email, '@', 1) AS local FROM people) AS people WHERE {condition}"
        );
        server(&sql).parse().expect("a count")
    };
    let masked = |condition: &str| count(&|sql| clone.value("postgres", sql), condition);
    let named = "given ~ '^[A-Za-z]+$' AND family ~ '^[A-Za-z]+ *$'";
    let all = masked(named);
    assert!(all > 250, "{all}");
    for agreed in [
        "length(local) < length(g || '.' || f) OR local LIKE g || '.' || f || '%'",
        "length(login) <> length(left(g, 1) || f) + length(row::text)
             OR login ~ ('^' || left(g, 1) || f || '[0-9]*$') OR login ~ ('^' || g)",
        "lower(whole) = g || ' ' || f",
        "work ~ ('^' || left(g, 1)) OR work ~ '@x.test$'",
        "split_part(work, '@', 1) LIKE g || '.' || f || '.' || left(g, 1) || '%' OR row % 2 = 0",
        "email ~ '@example\\.(com|net|org)$'",
    ] {
        assert_eq!(masked(&format!("({named}) AND ({agreed})")), all, "{agreed}");
    }
    assert_eq!(masked("email IS NULL OR email !~ '@example'"), 0);
    // People of one name in production have different ones here, and different addresses.
    let distinct: u32 =
        clone.value("postgres", "SELECT count(DISTINCT email) FROM people").parse().unwrap();
    assert!(distinct > 780, "{distinct} of 801");
    let originals = "SELECT email FROM people";
    let left = clone.column("postgres", originals);
    assert!(scene.raw.column("postgres", originals).iter().all(|email| !left.contains(email)));
}
