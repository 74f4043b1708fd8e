//! Columns whose values change places among their rows.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::dependencies::{Scene, assert_gone};
use crate::common::{Base, Pool, Queries, Rules, Sandbox, heap_files};

const COLUMNS: [&str; 9] =
    ["salary", "grade", "day", "name", "code", "packed", "long", "doc", "marks"];

/// Values of every stored form; dead versions of every kind.
const STAFF: [&str; 11] = [
    "CREATE TABLE staff (id int PRIMARY KEY, salary int, grade char(2), day date, name text,
         code varchar(20) CHECK (code LIKE 'c%'), packed text, long text, doc jsonb, marks int[],
         touched int) WITH (autovacuum_enabled = false, fillfactor = 70);
     ALTER TABLE staff ALTER packed SET STORAGE MAIN;
     ALTER TABLE staff ALTER long SET STORAGE EXTERNAL;
     CREATE UNIQUE INDEX staff_code ON staff (code);
     CREATE UNIQUE INDEX staff_code_upper ON staff (upper(code)) WHERE code IS NOT NULL",
    "CREATE FUNCTION fill(first int, last int) RETURNS void LANGUAGE sql AS $$
     INSERT INTO staff SELECT i, 30000 + i, CASE i % 4 WHEN 0 THEN 'A1' WHEN 1 THEN 'B2' ELSE 'C3' END,
         date '1990-01-01' + i, CASE WHEN i % 7 > 0 THEN 'Person number ' || i || ' of staff' END,
         'c' || i, repeat('over and over ', 300) || md5(i::text),
         CASE WHEN i % 3 = 0 THEN 'long ' || repeat(md5(i::text), 90 + i % 5) END,
         jsonb_build_object('of', i, 'x', md5(i::text)), ARRAY[i, -i], 0
     FROM generate_series(first, last) AS i $$",
    "SELECT fill(1, 3000)",
    // Dead versions that share what is out of line with the live one.
    "UPDATE staff SET touched = 1 WHERE id % 3 = 0",
    "BEGIN; UPDATE staff SET salary = -1, name = 'Never said', touched = 2; ROLLBACK",
    "BEGIN; SELECT FROM staff WHERE id < 90 FOR UPDATE; COMMIT",
    // Several transactions in one xmax: the one that wrote gave up, or did not.
    "BEGIN; SELECT FROM staff WHERE id BETWEEN 100 AND 160 FOR KEY SHARE; SAVEPOINT s;
     UPDATE staff SET touched = 3 WHERE id BETWEEN 100 AND 160; ROLLBACK TO s; COMMIT",
    "BEGIN; SELECT FROM staff WHERE id BETWEEN 200 AND 260 FOR KEY SHARE; SAVEPOINT s;
     UPDATE staff SET touched = 3 WHERE id BETWEEN 200 AND 260; RELEASE s; COMMIT",
    "DELETE FROM staff WHERE id % 10 = 7",
    "BEGIN; SAVEPOINT s; SELECT fill(3001, 3100); RELEASE s; COMMIT",
    "BEGIN; SAVEPOINT s; DELETE FROM staff WHERE id > 3000; ROLLBACK TO s; COMMIT",
];

fn staff() -> Vec<(&'static str, &'static str)> {
    STAFF.iter().map(|sql| ("postgres", *sql)).collect()
}

/// `alone` where lengths differ; all of `code` but the first rows are of one length.
fn rules() -> String {
    let mut rules =
        "[databases.postgres.tables.\"public.staff\"]\nid = \"keep\"\ntouched = \"keep\"\n"
            .to_owned();
    for column in COLUMNS {
        rules += &format!("{column} = {{ mask = \"shuffle\", alone = \"keep\" }}\n");
    }
    rules
}

fn values(server: &impl Queries, column: &str) -> Vec<(String, Option<String>)> {
    let rows =
        server.rows("postgres", &format!("SELECT id, {column}::text FROM staff ORDER BY id"));
    rows.into_iter().map(|mut row| (row.remove(0).unwrap(), row.remove(0))).collect()
}

fn counts(values: &[(String, Option<String>)]) -> BTreeMap<Option<String>, usize> {
    let mut counts = BTreeMap::new();
    for (_, value) in values {
        *counts.entry(value.clone()).or_default() += 1;
    }
    counts
}

#[test]
fn live_rows_exchange_their_values_and_keep_them_all() {
    let mut scene = Scene::new(&staff());
    let (snapshot, clone) = scene.masked(&rules());
    assert_eq!(snapshot.count("layout_deviations"), 0);
    scene.raw.start();
    for column in COLUMNS {
        let (before, after) = (values(&scene.raw, column), values(&clone, column));
        assert_eq!(counts(&before), counts(&after), "{column}");
        let some = before.iter().zip(&after).filter(|(before, _)| before.1.is_some());
        let (mut moved, mut all) = (0, 0);
        for (before, after) in some {
            all += 1;
            moved += usize::from(before.1 != after.1);
        }
        let nulls = |values: &[(String, Option<String>)]| {
            values.iter().filter(|row| row.1.is_none()).map(|row| row.0.clone()).collect::<Vec<_>>()
        };
        assert_eq!(nulls(&before), nulls(&after), "{column}");
        // Every fourth is an A1, every fourth a B2: many meet their like.
        let least = if column == "grade" { all / 3 } else { all - 12 };
        assert!(moved >= least, "{column}: {moved} of {all}");
    }
    // Two columns of one table don't change places together.
    let apart = "SELECT count(*) FROM staff WHERE salary - 30000 <> day - date '1990-01-01'";
    assert!(clone.value("postgres", apart).parse::<u32>().unwrap() > 2700);
    let report = snapshot.json["shuffled"].as_array().unwrap();
    assert_eq!(report.len(), COLUMNS.len());
    let of = |column: &str| report.iter().find(|of| of["column"] == column).unwrap();
    let live: u64 = clone.value("postgres", "SELECT count(*) FROM staff").parse().unwrap();
    assert_eq!(of("salary")["values"], live);
    assert_eq!((&of("salary")["classes"], &of("salary")["alone"]), (&1.into(), &0.into()));
    assert_eq!(of("salary")["unchanged"], 0);
    assert_eq!(of("grade")["alone"], 0);
    // Values that only dead versions had are gone.
    let deleted = (1..=3000).filter(|id| id % 10 == 7 && id % 7 > 0);
    assert_gone(
        &snapshot,
        &deleted.map(|id| format!("Person number {id} of staff")).collect::<Vec<_>>(),
    );
    assert_gone(&snapshot, &["Never said".to_owned()]);
}

#[test]
fn dead_versions_hold_none_of_their_own_values() {
    let mut scene = Scene::new(&staff());
    let (snapshot, clone) = scene.masked(&rules());
    // A server that reads a table cleans up in it: so it looks at copies.
    scene.raw.start();
    let path = heap_files(&scene.raw, "postgres").remove("staff").unwrap();
    scene.raw.stop();
    for (name, data) in [("before", scene.raw.data()), ("after", &snapshot.data())] {
        let copy = scene.raw.data().join(name);
        fs::copy(data.join(&path), &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).unwrap();
    }
    scene.raw.start();
    scene.raw.exec("postgres", "CREATE EXTENSION pageinspect");
    let items = |name: &str| {
        format!(
            "SELECT p, lp, t_attrs[2], t_attrs[4], t_attrs[5], t_attrs[7], t_attrs[8], t_attrs[9]
             FROM generate_series(0, (pg_stat_file('{name}')).size / 8192 - 1) AS p,
                  heap_page_item_attrs(pg_read_binary_file('{name}', p * 8192, 8192), 'staff')
             WHERE t_attrs IS NOT NULL ORDER BY p, lp"
        )
    };
    let [before, after] = ["before", "after"].map(|name| scene.raw.rows("postgres", &items(name)));
    assert_eq!(before.len(), after.len());
    let live: usize = clone.value("postgres", "SELECT count(*) FROM staff").parse().unwrap();
    assert!(before.len() > live + 1500, "{} versions, {live} live", before.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before[..2], after[..2]);
        for (column, (before, after)) in before.iter().zip(after).enumerate().skip(2).take(6) {
            // A few sizes of packed texts have one value, which is kept in its row.
            let alone = column == 5;
            assert!(before.is_none() || before != after || alone, "{column}: {before:?}");
        }
    }
}

#[test]
fn the_order_depends_on_the_key_and_not_on_threads() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    for sql in STAFF {
        raw.exec("postgres", sql);
    }
    // More than one task's worth of pages.
    raw.exec("postgres", "SELECT fill(4000, 24000)");
    raw.stop();
    let mut pool = Pool::new(&sandbox);
    let rules = Rules::write(&sandbox, "rules.toml", &format!("version = 1\n{}", rules()));
    let one = pool.snapshot(raw.source(), rules.path(), &["--threads", "1"]);
    let eight = pool.snapshot(raw.source(), rules.path(), &["--threads", "8"]);
    pool.env = vec![("THINVEIL_KEY".into(), "77".repeat(32))];
    let other = pool.snapshot(raw.source(), rules.path(), &[]);
    raw.start();
    let path = heap_files(&raw, "postgres").remove("staff").unwrap();
    let heaps = [one, eight, other].map(|of| fs::read(of.data().join(&path)).unwrap());
    assert!(heaps[0].len() > 1024 * 8192, "{} bytes are too few tasks", heaps[0].len());
    assert!(heaps[0] == heaps[1], "one thread and eight");
    let differing = |left: &[u8], right: &[u8]| {
        let pages = left.chunks(8192).zip(right.chunks(8192));
        pages.filter(|(left, right)| left != right).count()
    };
    let raw_heap = fs::read(raw.data().join(&path)).unwrap();
    for heap in [&heaps[2], &raw_heap] {
        assert_eq!(differing(&heaps[0], heap), heap.len() / 8192);
    }
}

#[test]
fn values_that_are_alone_are_refused_kept_or_masked() {
    let mut scene = Scene::new(&[(
        "postgres",
        "CREATE TABLE t (id int PRIMARY KEY, status text, note text, fact boolean);
         ALTER TABLE t ALTER note SET STORAGE EXTERNAL;
         INSERT INTO t SELECT i, CASE WHEN i % 3 = 0 THEN 'active' ELSE 'inactive' END,
             CASE i WHEN 7 THEN 'the only long one ' || repeat(md5('x'), 100)
                    WHEN 8 THEN '' WHEN 9 THEN 'a single one of its size'
                    ELSE 'note ' || 100 + i END, i % 2 = 0
         FROM generate_series(1, 100) AS i",
    )]);
    let rules = |status: &str, note: &str| {
        format!(
            "[databases.postgres.tables.\"public.t\"]\nid = \"keep\"\nfact = \"shuffle\"\n\
             status = {status}\nnote = {note}\n"
        )
    };
    let plain = "\"shuffle\"";
    let outcome = scene.attempt(&rules(plain, plain));
    let refusals = outcome.refusals();
    let codes: Vec<_> =
        refusals.iter().map(|it| (it["column"].as_str(), it["code"].as_str())).collect();
    let alone = Some("shuffle_alone");
    assert_eq!(codes, [(Some("status"), alone), (Some("note"), alone)]);
    let text = outcome.text();
    assert!(
        text.contains("100 of its 100 values") && text.contains("2 of its 99 values"),
        "{text}"
    );
    let masked = "{ mask = \"shuffle\", alone = \"redact\" }";
    let kept = "{ mask = \"shuffle\", alone = \"keep\" }";
    assert_eq!(
        scene.refused(&rules("{ mask = \"shuffle\", alone = \"email\" }", plain)),
        ["mask_options"]
    );

    let (snapshot, clone) = scene.masked(&rules(kept, masked));
    scene.raw.start();
    let same = "SELECT string_agg(status, ',' ORDER BY id), count(*) FILTER (WHERE fact) FROM t";
    assert_eq!(scene.raw.rows("postgres", same), clone.rows("postgres", same));
    let of = |id: u32| clone.value("postgres", &format!("SELECT note FROM t WHERE id = {id}"));
    assert_eq!((of(8), of(9)), (String::new(), "*".repeat(24)));
    assert!(of(7).len() == 3218 && of(7).bytes().all(|byte| byte == b'*'));
    assert_gone(
        &snapshot,
        &["the only long one".to_owned(), "a single one of its size".to_owned()],
    );
    let notes = "SELECT string_agg(note, ',' ORDER BY note) FROM t WHERE id NOT IN (7, 9)";
    assert_eq!(scene.raw.value("postgres", notes), clone.value("postgres", notes));
    let report = snapshot.json["shuffled"].as_array().unwrap();
    let alone: Vec<_> = report.iter().map(|of| of["alone"].as_u64().unwrap()).collect();
    assert_eq!(alone, [100, 2, 0]);
}

#[test]
fn constraints_over_one_column_hold_and_others_are_refused() {
    let scene = Scene::new(&[(
        "postgres",
        "CREATE TABLE places (id int PRIMARY KEY, x int, y int, UNIQUE (x, y));
         CREATE TABLE visits (id int PRIMARY KEY, place int REFERENCES places,
             at int4range, EXCLUDE USING gist (at WITH &&), low int, high int,
             CHECK (low < high), CHECK (low > 0));
         INSERT INTO places SELECT i, i, 1000 - i FROM generate_series(1, 300) AS i;
         INSERT INTO visits SELECT i, 1 + i % 300, int4range(10 * i, 10 * i + 5), i, i + 1
             FROM generate_series(1, 900) AS i",
    )]);
    let rules = |places: &str, visits: &str| {
        format!(
            "unlisted = \"keep\"\n[databases.postgres.tables.\"public.places\"]\n{places}\n\
             [databases.postgres.tables.\"public.visits\"]\n{visits}\n"
        )
    };
    assert_eq!(scene.refused(&rules("id = \"shuffle\"", "")), ["shuffle_referenced"]);
    assert_eq!(scene.refused(&rules("x = \"shuffle\"", "")), ["unique_shuffle"]);
    assert_eq!(scene.refused(&rules("", "low = \"shuffle\"")), ["check_constraint"]);
    let masked = "place = { mask = \"shuffle\", alone = \"redact\" }";
    assert_eq!(scene.refused(&rules("", masked)), ["shuffle_foreign_key"]);
    assert_eq!(
        scene.refused(&rules("id = \"integer\"", "place = \"shuffle\"")),
        ["foreign_key_conflict"]
    );
    let (snapshot, clone) =
        scene.masked(&rules("", "place = \"shuffle\"\nat = \"shuffle\"\nid = \"shuffle\""));
    assert_eq!(snapshot.json["shuffled"].as_array().unwrap().len(), 3);
    let moved = "SELECT count(*) > 800 FROM visits WHERE place <> 1 + lower(at) / 10 % 300";
    assert_eq!(clone.value("postgres", moved), "t");
    // The user's word; the rebuild has the last.
    scene.masked(&rules("x = { mask = \"shuffle\", confirm_check = true }", ""));
}

/// What a shuffled column holds is as real as what a kept one does.
#[test]
fn originals_of_another_column_in_a_shuffled_one_are_refused() {
    let scene = Scene::new(&[(
        "postgres",
        "CREATE TABLE people (id int, email text);
         CREATE TABLE letters (id int, email text);
         INSERT INTO people SELECT i, 'someone.' || 1000 + i || '@production.example'
             FROM generate_series(1, 50) AS i;
         INSERT INTO letters SELECT * FROM people",
    )]);
    let rules = |letters: &str| {
        format!(
            "unlisted = \"keep\"\n[databases.postgres.tables.\"public.people\"]\nemail = \"email\"\n\
             [databases.postgres.tables.\"public.letters\"]\nemail = {letters}\n"
        )
    };
    // In the table, and in its statistics.
    assert_eq!(scene.refused(&rules("\"shuffle\"")), ["unmasked_column", "residue"]);
    scene.masked(&rules("{ mask = \"shuffle\", accept_originals = true }"));
}

#[test]
#[cfg(feature = "sql")]
fn only_rows_for_which_the_condition_is_true_take_part() {
    let mut scene = Scene::new(&staff());
    let (_, clone) = scene.masked(
        "unlisted = \"keep\"\n[databases.postgres.tables.\"public.staff\"]\n\
         salary = { mask = \"shuffle\", when = \"grade = 'A1'\", else = \"keep\" }\n\
         name = { mask = \"shuffle\", alone = \"keep\", when = \"id > 500\", else = \"redact\" }\n\
         long = { mask = \"shuffle\", when = \"id > 100\", else = \"digits\" }\n",
    );
    scene.raw.start();
    let salaries =
        "SELECT grade = 'A1', string_agg(salary::text, ',' ORDER BY salary) FROM staff GROUP BY 1";
    assert_eq!(scene.raw.rows("postgres", salaries), clone.rows("postgres", salaries));
    let others = "SELECT string_agg(salary::text, ',' ORDER BY id) FROM staff WHERE grade <> 'A1'";
    assert_eq!(scene.raw.value("postgres", others), clone.value("postgres", others));
    let own = "SELECT count(*) FROM staff WHERE grade = 'A1' AND salary = 30000 + id";
    assert_eq!(clone.value("postgres", own), "0");
    for (column, from) in [("name", 500), ("long", 100)] {
        let of = |than: &str| {
            format!(
                "SELECT string_agg({column}, ',' ORDER BY {column}) FROM staff WHERE id {than} {from}"
            )
        };
        assert_eq!(scene.raw.value("postgres", &of(">")), clone.value("postgres", &of(">")));
        assert_ne!(scene.raw.value("postgres", &of("<=")), clone.value("postgres", &of("<=")));
    }
}

#[test]
fn what_nothing_can_be_exchanged_of_is_refused_beforehand() {
    let mut sql = "CREATE TABLE t (id int, doc jsonb); INSERT INTO t SELECT i, '{}'
                   FROM generate_series(1, 10) AS i; ALTER TABLE t ADD late text DEFAULT 'x'"
        .to_owned();
    sql += "; CREATE TYPE pair AS (a text, b int); ALTER TABLE t ADD two pair";
    let scene = Scene::new(&[("postgres", &sql)]);
    let rules = |line: &str| {
        format!("unlisted = \"keep\"\n[databases.postgres.tables.\"public.t\"]\n{line}\n")
    };
    assert_eq!(scene.refused(&rules("late = \"shuffle\"")), ["missing_value_by_row"]);
    for line in [
        "doc = { paths = { \"$.a\" = \"shuffle\" } }",
        "two = { fields = { a = \"shuffle\", b = \"keep\" } }",
        "late = { mask = \"redact\", when = \"id > 1\", else = \"shuffle\" }",
    ] {
        let codes = scene.refused(&rules(line));
        assert!(!codes.is_empty(), "{line}");
    }
    let alone = rules("doc = { mask = \"shuffle\", alone = \"redact\" }");
    assert_eq!(scene.refused(&alone), ["mask_options"]);
}
