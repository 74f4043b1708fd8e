//! Parts that need a look of their own: elements of arrays by number, fields that are compressed.

use crate::common::{Base, Cluster, Pool, Queries, Rules, Sandbox, assert_all_judges_pass};

fn cluster(sandbox: &Sandbox, schema: &str) -> Cluster {
    let mut raw = Base::Empty.copy(sandbox, "raw");
    raw.start();
    raw.exec("postgres", schema);
    raw.stop();
    raw
}

const TRACKS: &str = r#"
CREATE TABLE tracks (id integer PRIMARY KEY, b jsonb, j json);
INSERT INTO tracks SELECT i, value::jsonb, value::json FROM generate_series(1, 500) AS i, LATERAL
    (SELECT format('{"geo": [%s.5, %s.25, "at %s"], "people": [{"name": "host %s"}, {"name": "guest %s"}, {"name": "guest %s"}]}',
        i, 1000 + i, md5(i::text), md5((-i)::text), md5((i + 10000)::text), md5((i + 20000)::text)) AS value) AS v;
"#;

const PATHS: &str = r#""$.geo[0]" = "keep", "$.geo[1]" = "numeric", "$.people[0].name" = "keep", "$.people[*].name" = "redact""#;

#[test]
fn one_element_of_an_array_has_a_rule_of_its_own() {
    let sandbox = Sandbox::new();
    let mut raw = cluster(&sandbox, TRACKS);
    let pool = Pool::new(&sandbox);
    let named = |name: &str, paths: &str| {
        let columns = format!(
            "id = \"keep\"\nb = {{ paths = {{ {paths} }} }}\nj = {{ paths = {{ {paths} }} }}"
        );
        Rules::for_tables(&sandbox, name, "postgres", &[("public.tracks", &columns)])
    };
    let outcome = pool.try_snapshot(raw.source(), named("few.toml", PATHS).path(), &[]);
    let refusals = outcome.refusals();
    assert_eq!(refusals.len(), 2, "{refusals:?}");
    for refusal in &refusals {
        let message = refusal["message"].as_str().unwrap();
        assert!(message.ends_with(": $.geo[*] (500)"), "{message}");
    }
    let rules = named("all.toml", &format!(r#"{PATHS}, "$.geo[2]" = "redact""#));
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    let clone = pool.clone_of(&snapshot.id, &[]);
    raw.start();
    for column in ["b", "j"] {
        let kept = format!(
            "SELECT id, {column}->'geo'->>0, {column}->'people'->0->>'name' FROM tracks ORDER BY id"
        );
        assert_eq!(clone.rows("postgres", &kept), raw.rows("postgres", &kept));
        let all = format!(
            "SELECT count(*) FROM tracks WHERE {column}->'geo'->>2 ~ '^[*]+$'
             AND {column}->'people'->1->>'name' ~ '^[*]+$' AND {column}->'people'->2->>'name' ~ '^[*]+$'"
        );
        assert_eq!(clone.value("postgres", &all), "500");
        let moved = format!("SELECT {column}->'geo'->>1 FROM tracks ORDER BY id");
        let pairs: Vec<_> = raw
            .column("postgres", &moved)
            .into_iter()
            .zip(clone.column("postgres", &moved))
            .collect();
        assert!(pairs.iter().filter(|(a, b)| a != b).count() > 450);
    }
    assert_all_judges_pass(&raw, &rules, &snapshot, &clone);
}

const LETTERS: &str = r#"
CREATE TYPE letter AS (n integer, note text, subject text);
CREATE TABLE drafts (id integer PRIMARY KEY, note text);
INSERT INTO drafts SELECT i, repeat('Patient ' || md5(i::text) || ' called. ', 80 + i % 40)
FROM generate_series(1, 60) AS i;
CREATE TABLE letters (id integer PRIMARY KEY, letter letter, many letter[]);
INSERT INTO letters SELECT id, ROW(id, note, 'about ' || md5(id::text))::letter,
    ARRAY[ROW(id, note, NULL)::letter, NULL] FROM drafts;
"#;

#[test]
fn a_compressed_field_of_a_composite_is_masked_at_its_size() {
    let sandbox = Sandbox::new();
    let mut raw = cluster(&sandbox, LETTERS);
    let pool = Pool::new(&sandbox);
    let fields = r#"{ fields = { n = "integer", note = "text", subject = "text" } }"#;
    let letters = format!("id = \"keep\"\nletter = {fields}\nmany = {fields}");
    let tables =
        [("public.drafts", "id = \"keep\"\nnote = \"text\""), ("public.letters", &letters)];
    let rules = Rules::for_tables(&sandbox, "rules.toml", "postgres", &tables);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    assert_eq!(snapshot.count("layout_deviations"), 0);
    let clone = pool.clone_of(&snapshot.id, &[]);
    raw.start();
    let packed = "SELECT count(*) FROM letters WHERE length((letter).note) > 3000
                  AND pg_column_size((letter).note) < 1000 AND pg_column_size((many[1]).note) < 1000";
    assert_eq!(raw.value("postgres", packed), "60");
    let sizes = "SELECT id, length((letter).note), pg_column_size((letter).note),
                        pg_column_size((many[1]).note), pg_column_size(letter) FROM letters ORDER BY id";
    assert_eq!(clone.rows("postgres", sizes), raw.rows("postgres", sizes));
    let left = "SELECT count(*) FROM letters WHERE letters::text LIKE '%' || md5(id::text) || '%'";
    assert_eq!(raw.value("postgres", left), "60");
    assert_eq!(clone.value("postgres", left), "0");
    // The same text at the same size masks alike, as a column or as a field.
    let agreed = "SELECT count(*) FROM letters JOIN drafts USING (id)
                  WHERE (letter).note = note AND (many[1]).note = note";
    assert_eq!(clone.value("postgres", agreed), "60");
    assert_all_judges_pass(&raw, &rules, &snapshot, &clone);
}
