//! Queries of full text search: masked so that they find in masked vectors what they found.

use crate::common::{Base, Pool, Queries, Rules, Sandbox, assert_all_judges_pass};

const SCHEMA: &str = r#"
CREATE DOMAIN alert AS tsquery;
CREATE TABLE searches (id integer PRIMARY KEY, words tsvector, query tsquery, alerts alert[],
    joined tsquery);
INSERT INTO searches SELECT i,
    to_tsvector('simple', format('patient%s diabetes %s met Größe%s again', i, md5(i::text), i % 7)),
    CASE i % 4
        WHEN 0 THEN to_tsquery('simple', format('%s & !gone%s', md5(i::text), i))
        WHEN 1 THEN to_tsquery('simple', format('patient%s <-> diabetes & (nothing | Größe%s:*)', i, i % 7))
        WHEN 2 THEN phraseto_tsquery('simple', format('diabetes %s', md5(i::text)))
        ELSE format('''it''''s'' | ''two words'':*AB | !!( ''%s'':D <12> met ) | ''b\\\\s''', md5(i::text))::tsquery
    END,
    ARRAY[to_tsquery('simple', 'alert' || md5(i::text)), NULL, 'x & y']::alert[],
    to_tsquery('simple', 'a' || md5(i::text)) && 'b <-> c'::tsquery || to_tsquery('simple', 'd' || i)
FROM generate_series(1, 2000) AS i;
INSERT INTO searches (id, query, joined) VALUES (0, '', NULL);
CREATE INDEX ON searches USING gin (words);
CREATE INDEX ON searches USING gist (query);
CREATE UNIQUE INDEX ON searches (joined);
"#;

const RULES: &str = r#"
id = "keep"
words = "alphanumeric"
query = "alphanumeric"
alerts = "alphanumeric"
joined = "alphanumeric"
"#;

#[test]
fn a_masked_query_finds_what_it_found() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    raw.exec("postgres", SCHEMA);
    raw.stop();
    let pool = Pool::new(&sandbox);
    let tables = [("public.searches", RULES)];
    let rules = Rules::for_tables(&sandbox, "rules.toml", "postgres", &tables);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    assert_eq!(snapshot.count("layout_deviations"), 0);
    let clone = pool.clone_of(&snapshot.id, &[]);
    raw.start();
    let same = |sql: &str| {
        let found = raw.rows("postgres", sql);
        assert_eq!(clone.rows("postgres", sql), found, "{sql}");
        found
    };
    // Each query against its own row, and against all of them.
    let own = same("SELECT id, words @@ query FROM searches ORDER BY id");
    let hits = own.iter().filter(|row| row[1].as_deref() == Some("t")).count();
    assert!(hits > 1000 && hits < own.len(), "{hits}");
    same(
        "SELECT s.id, count(*) FROM searches AS s JOIN searches AS t ON t.words @@ s.query
         WHERE s.id <= 200 GROUP BY s.id ORDER BY s.id",
    );
    // Operators, weights, prefixes and lengths.
    same(
        r#"SELECT id, numnode(query), numnode(joined), pg_column_size(query),
                regexp_replace(query::text COLLATE "C", '[^ !-/:-@A-Z]', 'x', 'g') FROM searches ORDER BY id"#,
    );
    for (column, kind) in [("query", "tsquery"), ("alerts", "alert[]"), ("joined", "tsquery")] {
        // Input of the output is the value, byte for byte. What operators make can differ from
        // that in the order of its texts, before and after alike.
        let broken = format!(
            "SELECT id FROM searches
             WHERE record_image_ne(ROW({column}::text::{kind}), ROW({column})) ORDER BY id"
        );
        let broken = same(&broken);
        assert!(column == "joined" || broken.is_empty(), "{column}: {}", broken.len());
        // `=` goes by the hashes that are kept beside the lexemes.
        let equal =
            format!("SELECT count(*) FROM searches WHERE {column}::text::{kind} <> {column}");
        assert_eq!(clone.value("postgres", &equal), "0", "{column}");
        let left = format!(
            "SELECT count(*) FROM searches WHERE {column}::text LIKE '%' || md5(id::text) || '%'"
        );
        assert_eq!(clone.value("postgres", &left), "0", "{column}");
        assert_ne!(raw.value("postgres", &left), "0", "{column}");
    }
    let by = |setting: &str| {
        let sql = "SELECT count(*) FROM searches
                   WHERE query @> (SELECT query FROM searches WHERE id = 4)";
        clone.value("postgres", &format!("SET {setting} = off; {sql}"))
    };
    assert_eq!(by("enable_seqscan"), by("enable_indexscan"));
    assert_all_judges_pass(&raw, &rules, &snapshot, &clone);
}
