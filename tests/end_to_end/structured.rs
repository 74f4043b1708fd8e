//! Values that have parts: masked part by part, valid and canonical afterwards.

use crate::common::{
    Base, Cluster, Pool, Queries, Rules, Sandbox, Servers, assert_all_judges_pass,
};

const SCHEMA: &str = r#"
CREATE EXTENSION hstore;
CREATE TYPE address AS (street text, house integer, geo double precision, tags text[]);
CREATE DOMAIN tag_list AS text[];
CREATE TYPE floatrange AS RANGE (subtype = double precision, subtype_diff = float8mi);
CREATE TABLE people (
    id integer PRIMARY KEY, tags text[], cubes integer[], labels tag_list, prices numeric[],
    profile jsonb, notes json, home address, homes address[], events jsonb[],
    seats int4range, paid numrange, stay daterange, shift tstzrange, slots int4multirange,
    absences datemultirange, bids nummultirange, spans floatrange, attributes hstore, words tsvector,
    letter xml);
INSERT INTO people SELECT i,
    ARRAY['tag' || i, NULL, 'secret word ' || md5(i::text)],
    ARRAY[[i, 2 * i], [NULL, 100000 + i]],
    ARRAY['label ' || md5((i + 1)::text)],
    ARRAY[i * 1.25, -i, 0, 'NaN'],
    jsonb_build_object('name', 'Person Number ' || md5(i::text), 'age', i % 90, 'vip', i % 2 = 0,
        'email', 'p' || i || '@corp.example', 'nothing', NULL,
        'orders', jsonb_build_array(
            jsonb_build_object('id', i, 'total', i * 17.55, 'note', 'left with ' || md5(i::text)),
            jsonb_build_object('id', -i, 'total', 1e10 + i, 'paid', true)),
        'by_key', jsonb_build_object('k' || i, 'value ' || md5(i::text), 'x', '[]'::jsonb)),
    format('{ "name": "Ren\u00e9 \"%s\"", "n": [%s, -0.5e3, 0, %s.75], "ok": false,  "yes": true , "z": null }',
        md5(i::text), i, i)::json,
    ROW('Street ' || md5(i::text), i, i / 7.0, ARRAY['home', md5(i::text)])::address,
    ARRAY[ROW('Old street ' || md5(i::text), NULL, NULL, NULL)::address, NULL],
    ARRAY[jsonb_build_object('name', 'event ' || md5(i::text)), '"plain"'],
    int4range(i, i + 1 + i % 50), numrange(i * 0.5, i * 0.5 + 0.25 + i % 3, '[]'),
    daterange(date '2020-01-01' + i, date '2020-01-08' + i),
    tstzrange('2020-01-01 00:00+00'::timestamptz + i * interval '1 minute', 'infinity'),
    int4multirange(int4range(i, i + 10), int4range(i + 20, i + 21), int4range(i + 5000, NULL)),
    datemultirange(daterange(date '2019-01-01' + i, date '2019-02-01' + i), daterange('2024-01-01', NULL)),
    nummultirange(numrange(-i - 0.5, -i), numrange(0, i * 0.001), numrange(i, i + 0.25), numrange(i + 0.2501, i + 1)),
    floatrange(i / 7.0, i / 3.0),
    hstore(ARRAY['phone', '+49 30 ' || (1000000 + i), 'kind', 'private', 'none', NULL]),
    to_tsvector('simple', 'the quick ' || md5(i::text) || ' fox ' || i || ' met fox') || 'bare'::tsvector,
    xmlparse(content format('<p xmlns:a="urn:x" a:name="Ann &amp; %s"><!-- by %s -->  Dear %s,<br/><![CDATA[raw %s]]></p>',
        md5(i::text), md5(i::text), md5(i::text), md5(i::text)))
FROM generate_series(1, 2000) AS i;
INSERT INTO people (id, tags, seats, paid, slots, attributes, words, profile, notes)
VALUES (0, '{}', 'empty', 'empty', '{}', '', '', '"scalar"', '[]'),
       (-1, NULL, '(,)', '(,)', '{(,)}', NULL, NULL, '{}', ' "alone" ');
CREATE INDEX ON people USING gin (profile);
CREATE INDEX ON people USING gin (profile jsonb_path_ops);
CREATE INDEX ON people USING gin (tags);
CREATE INDEX ON people USING gin (words);
CREATE INDEX ON people USING gist (words);
CREATE INDEX ON people USING gin (attributes);
CREATE INDEX ON people USING gist (seats);
CREATE INDEX ON people USING gist (stay);
CREATE INDEX ON people USING gist (slots);
CREATE INDEX ON people (home);
CREATE INDEX ON people (cubes);
CREATE UNIQUE INDEX ON people (labels);
"#;

const RULES: &str = r#"
id = "keep"
tags = "text"
cubes = "integer"
labels = "alphanumeric"
prices = "numeric"
profile = { paths = { "$" = "text", "$.name" = "full_name", "$.age" = "keep", "$.vip" = "redact", "$.email" = "email", "$.orders[*].total" = { mask = "numeric" }, "$.orders[*].note" = "text", "$.orders[*].*" = "keep", "$.by_key.*" = "text" } }
notes = { paths = { "$.name" = "full_name" }, default = "text" }
home = { fields = { street = "street_address", house = "integer", geo = "redact", tags = "text" } }
homes = { fields = { street = "street_address", house = "integer", geo = "redact", tags = "text" } }
events = "text"
seats = "integer"
paid = "numeric"
stay = { mask = "date_shift", days = 300 }
shift = "timestamp_shift"
slots = "integer"
absences = "date_shift"
bids = "numeric"
spans = "noise"
attributes = { keys = { phone = "phone" }, default = "keep" }
words = "alphanumeric"
letter = "text"
"#;

const STRUCTURED: [&str; 20] = [
    "tags",
    "cubes",
    "labels",
    "prices",
    "profile",
    "notes",
    "home",
    "homes",
    "events",
    "seats",
    "paid",
    "stay",
    "shift",
    "slots",
    "absences",
    "bids",
    "spans",
    "attributes",
    "words",
    "letter",
];

fn cluster(sandbox: &Sandbox, schema: &str) -> Cluster {
    let mut raw = Base::Empty.copy(sandbox, "raw");
    raw.start();
    raw.exec("postgres", &for_major(schema));
    raw.stop();
    raw
}

/// PostgreSQL 13 has no multiranges: their first ranges stand in for them.
fn for_major(schema: &str) -> String {
    if Servers::tested().major() >= 14 {
        return schema.to_owned();
    }
    let ranges = [
        ("slots int4multirange", "slots int4range"),
        ("absences datemultirange", "absences daterange"),
        ("bids nummultirange", "bids numrange"),
        (
            "nummultirange(numrange(-i - 0.5, -i), numrange(0, i * 0.001), numrange(i, i + 0.25), numrange(i + 0.2501, i + 1))",
            "numrange(i, i + 0.25)",
        ),
        (
            "int4multirange(int4range(i, i + 10), int4range(i + 20, i + 21), int4range(i + 5000, NULL))",
            "int4range(i, i + 10)",
        ),
        (
            "datemultirange(daterange(date '2019-01-01' + i, date '2019-02-01' + i), daterange('2024-01-01', NULL))",
            "daterange(date '2019-01-01' + i, date '2019-02-01' + i)",
        ),
        ("'{}', '', '', '\"scalar\"'", "'empty', '', '', '\"scalar\"'"),
        ("'{(,)}'", "'(,)'"),
    ];
    let replace =
        |schema: String, (multirange, range): &(&str, &str)| schema.replace(multirange, range);
    ranges.iter().fold(schema.to_owned(), replace)
}

pub(crate) fn rules(sandbox: &Sandbox, name: &str, columns: &str) -> Rules {
    Rules::for_tables(sandbox, name, "postgres", &[("public.people", columns)])
}

/// What is masked in a column of `people` is valid, canonical, as large as it was, and something
/// else in nearly all rows.
pub(crate) fn assert_reads_back(raw: &Cluster, clone: &impl Queries, column: &str) {
    let kind = clone.value(
        "postgres",
        &format!(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute
             WHERE attrelid = 'people'::regclass AND attname = '{column}'"
        ),
    );
    // Input of the output is the value, byte for byte (they are compared as stored).
    let broken = format!(
        "SELECT count(*) FROM people
         WHERE record_image_ne(ROW({column}::text::{kind}), ROW({column}))"
    );
    assert_eq!(clone.value("postgres", &broken), "0", "{column}");
    let sizes = format!(
        "SELECT md5(string_agg(coalesce(pg_column_size({column})::text, '-'), ',' ORDER BY id)) FROM people"
    );
    assert_eq!(clone.value("postgres", &sizes), raw.value("postgres", &sizes), "{column}");
    let all = format!("SELECT id, {column}::text FROM people WHERE id > 0 ORDER BY id");
    let (before, after) = (raw.rows("postgres", &all), clone.rows("postgres", &all));
    let same = before.iter().zip(&after).filter(|(a, b)| a == b).count();
    assert!(same * 20 < before.len(), "{column}: {same} rows are as they were");
}

#[test]
fn masks_every_part_and_postgres_reads_all_of_it_back() {
    let sandbox = Sandbox::new();
    let mut raw = cluster(&sandbox, SCHEMA);
    let pool = Pool::new(&sandbox);
    let rules = rules(&sandbox, "rules.toml", RULES);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    assert_eq!(snapshot.count("layout_deviations"), 0);
    let clone = pool.clone_of(&snapshot.id, &[]);
    raw.start();
    for column in STRUCTURED {
        assert_reads_back(&raw, &clone, column);
    }
    let none = |what: &str, sql: &str| assert_eq!(clone.value("postgres", sql), "0", "{what}");
    none(
        "e-mail",
        "SELECT count(*) FROM people WHERE id > 0 AND profile->>'email' !~ '@.*(example\\.(com|net|org)|(test|example|invalid|localhost))$'",
    );
    none("booleans", "SELECT count(*) FROM people WHERE profile->>'vip' = 'true'");
    none("json booleans", "SELECT count(*) FROM people WHERE id > 0 AND notes->>'ok' <> 'true'");
    none("order", "SELECT count(*) FROM people WHERE lower(stay) >= upper(stay)");
    none("length", "SELECT count(*) FROM people WHERE id > 0 AND upper(stay) - lower(stay) <> 7");
    none(
        "md5",
        "SELECT count(*) FROM people AS p WHERE id > 0 AND p::text LIKE '%' || md5(id::text) || '%'",
    );
    let kept = "SELECT md5(string_agg(concat_ws(',', profile->'age', profile->'orders'->0->'id',
                    profile->'orders'->1->'paid', attributes->'kind', jsonb_typeof(profile),
                    (SELECT string_agg(k, ',') FROM jsonb_object_keys(
                        CASE WHEN id > 0 THEN profile ELSE '{}' END) AS k)), ';' ORDER BY id)) FROM people";
    assert_eq!(clone.value("postgres", kept), raw.value("postgres", kept));

    assert_all_judges_pass(&raw, &rules, &snapshot, &clone);
    let counts = |condition: &str| {
        let sql = format!("SELECT count(*) FROM people WHERE {condition}");
        let by = |setting: &str| clone.value("postgres", &format!("{setting}; {sql}"));
        (
            by("SET enable_seqscan = off"),
            by("SET enable_indexscan = off; SET enable_bitmapscan = off"),
        )
    };
    for condition in [
        "profile @> (SELECT jsonb_build_object('name', profile->'name') FROM people WHERE id = 7)",
        "tags && (SELECT tags FROM people WHERE id = 7)",
        "words @@ (SELECT quote_literal(lexeme)::tsquery FROM people, unnest(words) WHERE id = 7 LIMIT 1)",
        "attributes @> (SELECT slice(attributes, ARRAY['phone']) FROM people WHERE id = 7)",
        "seats && (SELECT seats FROM people WHERE id = 7)",
        "slots @> (SELECT lower(slots) FROM people WHERE id = 7)",
    ] {
        let (by_index, by_scan) = counts(condition);
        assert_eq!(by_index, by_scan, "{condition}");
        assert_ne!(by_scan, "0", "{condition}");
    }
}

#[test]
fn a_path_that_no_rule_names_refuses_the_snapshot_with_its_count() {
    let sandbox = Sandbox::new();
    let raw = cluster(
        &sandbox,
        r#"CREATE TABLE people (id integer PRIMARY KEY, profile jsonb, notes json);
           INSERT INTO people SELECT i, jsonb_build_object('name', 'Jane', 'pets', '[{"chip": 1}]'::jsonb,
               'by', jsonb_build_object('jane' || i || '@corp.example', jsonb_build_object('age', i))),
               '{"a": {"b": [1, "x"]}}' FROM generate_series(1, 300) AS i"#,
    );
    let pool = Pool::new(&sandbox);
    let columns = "id = \"keep\"\nprofile = { paths = { \"$.name\" = \"text\", \"$.by.*.name\" = \"text\" } }\nnotes = { paths = {} }";
    let outcome = pool.try_snapshot(raw.source(), rules(&sandbox, "few.toml", columns).path(), &[]);
    let refusals = outcome.refusals();
    let messages: Vec<_> = refusals.iter().map(|r| r["message"].as_str().unwrap()).collect();
    assert!(refusals.iter().all(|refusal| refusal["code"] == "unknown_path"), "{refusals:?}");
    assert!(messages[0].ends_with("$.by.*.age (300), $.pets[*].chip (300)"), "{messages:?}");
    assert!(messages[1].ends_with("$.a.b[*] (600)"), "{messages:?}");
    assert!(!outcome.text().contains("corp.example"));
}

#[test]
fn the_planner_names_what_structured_columns_need() {
    let sandbox = Sandbox::new();
    let raw = cluster(&sandbox, SCHEMA);
    let pool = Pool::new(&sandbox);
    let columns = RULES
        .replace("cubes = \"integer\"", "cubes = \"text\"")
        .replace("home = { fields = { street = \"street_address\", house", "home = { fields = { steet = \"street_address\", house")
        .replace("homes = { fields = { street = \"street_address\", house = \"integer\", geo = \"redact\", tags = \"text\" } }", "homes = \"text\"")
        .replace("paid = \"numeric\"", "paid = \"redact\"")
        .replace("words = \"alphanumeric\"", "words = \"text\"")
        .replace("labels = \"alphanumeric\"", "labels = \"text\"")
        .replace("letter = \"text\"", "");
    let rules = rules(&sandbox, "bad.toml", &columns);
    let refusals = pool.try_snapshot(raw.source(), rules.path(), &[]).refusals();
    let brief: Vec<_> = refusals
        .iter()
        .map(|r| format!("{} {}", r["code"].as_str().unwrap(), r["column"].as_str().unwrap()))
        .collect();
    assert_eq!(
        brief,
        [
            "mask_type_mismatch cubes",
            "unknown_field home",
            "unlisted_field home",
            "fields_needed homes",
            "unique_needs_injective labels",
            "unlisted_column letter",
            "mask_type_mismatch paid",
            "mask_type_mismatch words",
        ],
        "{refusals:#?}"
    );
    let suggested = pool.run(&["rules", "suggest", "--source", raw.source()]);
    let text = suggested.text();
    for line in ["fields = {", "keys = {}", "paths = {}"] {
        assert!(text.contains(line), "{text}");
    }
}
