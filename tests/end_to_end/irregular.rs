//! Compressed values that a mask makes too irregular for their sizes.

use super::stored_forms::have_compression;
use crate::common::{Base, Pool, Queries, Rules, Sandbox, Servers, assert_all_judges_pass};

/// A column of values that compress well, until a mask makes them irregular.
struct Regular {
    name: &'static str,
    declared: &'static str,
    mask: &'static str,
    /// Over `i`, many times, and `g`, the row's number.
    value: &'static str,
}

const fn regular(
    name: &'static str,
    declared: &'static str,
    mask: &'static str,
    value: &'static str,
) -> Regular {
    Regular { name, declared, mask, value }
}

const VALUES: [Regular; 8] = [
    regular("ints", "bigint[]", "'integer'", "array_agg((i * g) % 900)"),
    regular("nums", "numeric[]", "'numeric'", "array_agg((i * g) % 7 + 0.25)"),
    regular("reals", "float8[]", "{ mask = 'noise', share = 0.1 }", "array_agg(i::float8)"),
    regular("ids", "uuid[]", "'uuid'", "array_agg(lpad(i::text, 32, '0')::uuid)"),
    regular(
        "way",
        "path",
        "'noise'",
        "('[' || string_agg(format('(%s,%s)', i, g), ',') || ']')::path",
    ),
    regular(
        "area",
        "polygon",
        "'noise'",
        "('(' || string_agg(format('(%s,%s)', i, i * g), ',') || ')')::polygon",
    ),
    regular(
        "raw",
        "bytea",
        "'bytes'",
        "decode(repeat('00ff' || lpad(to_hex(g), 4, '0'), 2 * count(*)::int), 'hex')",
    ),
    regular("doc", "jsonb", "{ paths = { '$.**' = 'numeric' } }", "jsonb_agg((i * g) % 1000)"),
];

#[test]
fn compressed_values_that_are_no_text_become_zeros_where_they_would_not_fit() {
    assert_masked_at_size(&VALUES, "");
}

/// Types that the ranges of some columns are of.
const TYPES: &str = "CREATE TYPE idrange AS RANGE (subtype = uuid);
    CREATE TYPE addressrange AS RANGE (subtype = inet);
    CREATE TYPE floatrange AS RANGE (subtype = float8);
    CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'glad');";

const RANGES: [Regular; 9] = [
    regular("bookings", "int4range[]", "'integer'", "array_agg(int4range(i * g, i * g + 2))"),
    regular("ids", "idrange[]", "'uuid'", "array_agg(idrange(lpad(i::text, 32, '0')::uuid, NULL))"),
    regular(
        "nets",
        "addressrange[]",
        "'ip'",
        "array_agg(addressrange('10.0.0.0/8'::inet + i, '11.0.0.0'::inet + i * g))",
    ),
    regular("reals", "floatrange[]", "'redact'", "array_agg(floatrange(i, i + 1))"),
    regular(
        "long",
        "numrange",
        "'numeric'",
        "numrange(('0.' || repeat((1000001 + g * 7919)::text, 100))::numeric,
            ('1.' || repeat((1000001 + g * 7919)::text, count(*)::int))::numeric)",
    ),
    regular("moods", "mood[]", "'enum'", "array_agg((enum_range(NULL::mood))[1 + (i * i) % 4])"),
    regular(
        "series",
        "json",
        "{ paths = { '$.**' = 'numeric' } }",
        "json_agg(json_build_object('at', 1000 + i, 'x', -i * 0.5))",
    ),
    regular("words", "tsvector", "'alphanumeric'", WORDS),
    regular(
        "queries",
        "tsquery[]",
        "'alphanumeric'",
        "array_agg(format('word%s:* & !other%s', i, i * g)::tsquery)",
    ),
];

/// Counted words, words of a language, positions and weights.
const WORDS: &str = "setweight(to_tsvector('simple', string_agg(format('counted%s %s %s', i,
    (ARRAY['the', 'patient', 'treatment', 'treated', 'pain', 'painful', 'painless'])[1 + (i * g) % 7],
    i % 37), ' ')), 'B') || 'bare words'::tsvector";

#[test]
fn compressed_ranges_lexemes_and_labels_become_regular_where_they_would_not_fit() {
    assert_masked_at_size(&RANGES, TYPES);
}

const MULTIRANGES: [Regular; 7] = [
    regular(
        "int4s",
        "int4multirange",
        "'integer'",
        "range_agg(int4range(i * g % 700 * 16, i * g % 700 * 16 + 2))",
    ),
    regular("int8s", "int8multirange", "'integer'", "range_agg(int8range(i * 3, i * 3 + 1))"),
    regular("nums", "nummultirange", "'numeric'", "range_agg(numrange(i + 0.25, i + 0.75, '(]'))"),
    regular(
        "dates",
        "datemultirange[]",
        "'date_shift'",
        "array_fill(range_agg(daterange('2024-01-01'::date + i * 3, '2024-01-02'::date + i * 3)), ARRAY[3])",
    ),
    regular(
        "timestamps",
        "tsmultirange",
        "'redact'",
        "range_agg(tsrange('2024-01-01'::timestamp + i * interval '1 day', '2024-01-01 09:00'::timestamp + i * interval '1 day'))",
    ),
    regular(
        "moments",
        "tstzmultirange",
        "'timestamp_shift'",
        "range_agg(tstzrange('2024-01-01 00:00+0'::timestamptz + i * interval '1 hour', '2024-01-01 00:30+0'::timestamptz + i * interval '1 hour'))",
    ),
    regular(
        "lists",
        "int8multirange[]",
        "'integer'",
        "ARRAY[range_agg(int8range(i * 3, i * 3 + 1)), range_agg(int8range(-i * 5, -i * 5 + 1))]",
    ),
];

#[test]
fn compressed_multiranges_become_regular_where_they_would_not_fit() {
    if Servers::tested().major() >= 14 {
        assert_masked_at_size(&MULTIRANGES, "");
    }
}

/// Masks two hundred rows of the columns. Each value keeps its size, stays canonical, and is
/// another than it was.
fn assert_masked_at_size(columns: &[Regular], types: &str) {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    raw.exec("postgres", types);
    let each = |form: fn(&Regular) -> String, separator: &str| {
        columns.iter().map(form).collect::<Vec<_>>().join(separator)
    };
    let declared = each(|column| format!("{} {}", column.name, column.declared), ", ");
    raw.exec(
        "postgres",
        &format!("CREATE TABLE t (id int PRIMARY KEY, {declared}) WITH (toast_tuple_target = 128)"),
    );
    for (at, Regular { name, .. }) in columns.iter().enumerate() {
        raw.exec("postgres", &format!("ALTER TABLE t ALTER {name} SET STORAGE MAIN"));
        if have_compression() && Servers::tested().have_lz4() && at % 2 == 1 {
            raw.exec("postgres", &format!("ALTER TABLE t ALTER {name} SET COMPRESSION lz4"));
        }
    }
    let values =
        each(|column| format!("(SELECT {} FROM generate_series(1, 150) AS i)", column.value), ", ");
    raw.exec(
        "postgres",
        &format!("INSERT INTO t SELECT g, {values} FROM generate_series(1, 200) AS g"),
    );
    if have_compression() {
        for Regular { name, .. } in columns {
            let compressed = format!("SELECT count(pg_column_compression({name})) FROM t");
            let count: u32 = raw.value("postgres", &compressed).parse().unwrap();
            assert!(count >= 100, "{name}: {count}");
        }
    }
    raw.stop();
    let lines = each(|column| format!("{} = {}", column.name, column.mask), "\n");
    let rules = Rules::for_tables(
        &sandbox,
        "rules.toml",
        "postgres",
        &[("public.t", &format!("id = \"keep\"\n{lines}"))],
    );
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    raw.start();
    let clone = pool.clone_of(&snapshot.id, &[]);
    assert_all_judges_pass(&raw, &rules, &snapshot, &clone);
    for Regular { name, declared, .. } in columns {
        let sizes =
            format!("SELECT md5(string_agg(pg_column_size({name})::text, ',' ORDER BY id)) FROM t");
        assert_eq!(clone.value("postgres", &sizes), raw.value("postgres", &sizes), "{name}");
        let canonical = format!(
            "SELECT count(*) FROM t WHERE {name}::text::{declared}::text IS DISTINCT FROM {name}::text"
        );
        assert_eq!(clone.value("postgres", &canonical), "0", "{name}");
        let all = format!("SELECT md5(string_agg({name}::text, ',' ORDER BY id)) FROM t");
        assert_ne!(clone.value("postgres", &all), raw.value("postgres", &all), "{name}");
    }
}
