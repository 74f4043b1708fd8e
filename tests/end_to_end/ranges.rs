//! Ranges over types that PostgreSQL itself has no ranges for.

use crate::common::{Base, Pool, Queries, Sandbox, Servers, assert_all_judges_pass};
use crate::structured::{assert_reads_back, rules};

/// Range types of a user's own, and what fills them for a row `i`, with two texts `a` and `b`.
const RANGES: [(&str, &str, &str); 12] = [
    ("words", "text", "{}(least(a, b), greatest(a, b), '[]')"),
    (
        "names",
        "text, collation = \"C\"",
        "{}(least(a COLLATE \"C\", b), greatest(a COLLATE \"C\", b))",
    ),
    ("shouted", "citext", "{}(least(a::citext, b::citext), greatest(a::citext, b::citext), '(]')"),
    ("padded", "bpchar", "{}(least(a::bpchar, b::bpchar), greatest(a::bpchar, b::bpchar))"),
    (
        "halves",
        "text",
        "{}(CASE i % 3 WHEN 0 THEN '' WHEN 1 THEN a END, CASE WHEN i % 3 <> 1 THEN a END, '[]')",
    ),
    (
        "long",
        "text",
        "{}('left ' || repeat(a, CASE i % 10 WHEN 0 THEN 200 ELSE 1 END), 'right ' || repeat(b || '; ', 2))",
    ),
    (
        "ids",
        "uuid",
        "{}(least(md5(a)::uuid, md5(b)::uuid), greatest(md5(a)::uuid, md5(b)::uuid), '[]')",
    ),
    (
        "hosts",
        "inet",
        "{}(CASE i % 2 WHEN 0 THEN '10.0.0.0'::inet + i ELSE '10.0.0.0/8' END,
           CASE i % 3 WHEN 0 THEN '2001:db8::'::inet + i ELSE '10.9.0.0'::inet + i END)",
    ),
    (
        "cards",
        "macaddr",
        "{}(('08002b' || lpad(to_hex(i), 6, '0'))::macaddr,
           ('a8002b' || lpad(to_hex(i), 6, '0'))::macaddr)",
    ),
    ("sums", "money", "{}((i * 1.5)::numeric::money, (i * 1.5 + 10)::numeric::money)"),
    ("places", "pg_lsn", "{}(('0/' || to_hex(i))::pg_lsn, ('FFFFFFF0/' || to_hex(i))::pg_lsn)"),
    ("numbers", "oid", "{}((4000 + i)::oid, (4294900000 + i)::oid)"),
];

/// Multiranges: so many texts that their beginnings take two letters, texts of one byte, and
/// addresses of both families.
const MULTIRANGES: [(&str, &str, &str); 3] = [
    (
        "many",
        "names_multirange",
        "(SELECT names_multirange(variadic array_agg(
                     names_range(chr(64 + n) || 'left ' || a, chr(64 + n) || 'right ' || b)))
          FROM generate_series(1, 9) n)",
    ),
    (
        "short",
        "words_multirange",
        "words_multirange(words_range('', 'A'), words_range('B', 'C' || a), words_range('y', NULL))",
    ),
    (
        "blocks",
        "hosts_multirange",
        "hosts_multirange(hosts_range('10.0.0.0'::inet + i, '10.1.0.0'::inet + i),
                          hosts_range('10.2.0.0', '2001:db8::'::inet + i))",
    ),
];

/// Ranges of other types than PostgreSQL has ranges for: over texts in the order of their
/// collation, and over what is compared byte by byte.
#[test]
fn ranges_over_texts_and_addresses_keep_the_order_of_their_bounds() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    let mut ranges = RANGES.to_vec();
    let german = "SELECT count(*) FROM pg_collation WHERE collname = 'de-x-icu'";
    let has_icu = raw.value("postgres", german) != "0";
    if has_icu {
        ranges.push((
            "german",
            "text, collation = \"de-x-icu\"",
            "{}(least(a COLLATE \"de-x-icu\", b), greatest(a COLLATE \"de-x-icu\", b))",
        ));
    }
    let mut schema = "CREATE EXTENSION citext;".to_owned();
    let mut columns = Vec::new();
    for (name, of, value) in ranges {
        schema += &format!("CREATE TYPE {name}_range AS RANGE (subtype = {of});");
        let range = format!("{name}_range");
        columns.push((name, range.clone(), value.replace("{}", &range)));
    }
    if Servers::tested().major() >= 14 {
        columns
            .extend(MULTIRANGES.map(|(name, kind, value)| (name, kind.into(), value.to_owned())));
    }
    let names: Vec<&str> = columns.iter().map(|(name, _, _)| *name).collect();
    let of_columns = |each: &dyn Fn(&(&str, String, String)) -> String, between: &str| {
        columns.iter().map(each).collect::<Vec<_>>().join(between)
    };
    schema += &format!(
        "CREATE TABLE people (id integer PRIMARY KEY, {});
         INSERT INTO people SELECT i, {} FROM generate_series(1, 300) AS i,
             LATERAL (SELECT md5(i::text) || ' é日 ' || i AS a,
                             chr(65 + i % 57) || md5((-i)::text) AS b) AS texts;
         INSERT INTO people (id, words, hosts) VALUES (0, 'empty', 'empty'), (-1, '(,)', '(,)');
         CREATE INDEX ON people USING gist (words); CREATE INDEX ON people USING spgist (names);
         CREATE INDEX ON people USING gist (hosts); CREATE INDEX ON people (ids);",
        of_columns(&|(name, kind, _)| format!("{name} {kind}"), ", "),
        of_columns(&|(_, _, value)| value.clone(), ", "),
    );
    raw.exec("postgres", &schema);
    raw.stop();

    let pool = Pool::new(&sandbox);
    let mask = |name: &str| match name {
        "ids" => "uuid",
        "hosts" | "blocks" => "ip",
        "cards" => "mac",
        "sums" | "places" | "numbers" => "integer",
        "names" => "full_name",
        "german" => "email",
        "many" => "redact",
        _ => "text",
    };
    let lines = of_columns(&|(name, _, _)| format!("{name} = \"{}\"", mask(name)), "\n");
    let lines = format!("id = \"keep\"\n{lines}");
    let fit = rules(&sandbox, "rules.toml", &lines);
    let snapshot = pool.snapshot(raw.source(), fit.path(), &[]);
    assert_eq!(snapshot.count("layout_deviations"), 0);
    let clone = pool.clone_of(&snapshot.id, &[]);
    raw.start();
    for name in &names {
        assert_reads_back(&raw, &clone, name);
        let sides = format!(
            "SELECT string_agg(concat(lower({name}) IS NULL, upper({name}) IS NULL,
                        lower_inc({name}), upper_inc({name}), isempty({name}),
                        lower({name}) = upper({name})), ',' ORDER BY id)
             FROM people"
        );
        assert_eq!(clone.value("postgres", &sides), raw.value("postgres", &sides), "{name}");
    }
    let left = "SELECT count(*) FROM people p WHERE id > 0
                AND p::text ~ (substr(md5(id::text), 8) || '|' || substr(md5((-id)::text), 8))";
    assert_eq!(clone.value("postgres", left), "0");
    assert_eq!(raw.value("postgres", left), "300");
    assert_all_judges_pass(&raw, &fit, &snapshot, &clone);
    raw.stop();

    let unfit = lines.replace("\"ip\"", "\"redact\"").replace("\"uuid\"", "\"redact\"");
    let unfit = rules(&sandbox, "unfit.toml", &unfit);
    let refusals = pool.try_snapshot(raw.source(), unfit.path(), &[]).refusals();
    let permuted = names.iter().filter(|name| ["uuid", "ip"].contains(&mask(name)));
    assert_eq!(refusals.len(), permuted.count(), "{refusals:#?}");
    assert!(refusals.iter().all(|refusal| refusal["code"] == "mask_type_mismatch"));

    if has_icu && Servers::tested().major() >= 16 {
        raw.start();
        raw.exec(
            "postgres",
            "CREATE COLLATION odd (provider = icu, locale = 'und', rules = '&a < t');
             CREATE TYPE odd_range AS RANGE (subtype = text, collation = odd);
             ALTER TABLE people ADD COLUMN odd odd_range",
        );
        raw.stop();
        let rules = rules(&sandbox, "odd.toml", &format!("{lines}\nodd = \"text\""));
        let refusals = pool.try_snapshot(raw.source(), rules.path(), &[]).refusals();
        assert_eq!(refusals.len(), 1, "{refusals:#?}");
        assert_eq!(refusals[0]["column"], "odd");
    }
}
