//! Mask `null`: values leave their tuples, and everything else stays where it was.

use std::path::PathBuf;

use super::dependencies::{Scene, assert_gone};
use crate::common::{Queries, Row, Servers, Snapshot, heap_files};

/// A table in which every stored form becomes NULL, with versions that are dead, a column dropped,
/// and one added later.
const PEOPLE: [(&str, &str); 5] = [
    (
        "postgres",
        "CREATE TABLE people (gone text, id int PRIMARY KEY, name text, born date, kept text,
             note text, packed text, doc jsonb, tags text[], login text, score bigint, flag bool)
             WITH (autovacuum_enabled = false);
         ALTER TABLE people ALTER note SET STORAGE EXTERNAL, ALTER packed SET STORAGE MAIN;
         CREATE UNIQUE INDEX ON people (name);
         CREATE UNIQUE INDEX ON people (lower(login)) WHERE id > 0;
         CREATE INDEX ON people (born, kept);
         CREATE INDEX ON people USING gin (doc);
         CREATE FUNCTION fill(first int, last int) RETURNS void LANGUAGE sql AS $$
         INSERT INTO people SELECT 'Dropped text ' || i, i, 'Person Number ' || i * 7919,
             date '1950-01-01' + i, 'kept ' || repeat('k', i % 11),
             CASE WHEN i % 3 = 0 THEN repeat(md5(i::text || 'note'), 200) ELSE 'Short ' || md5(i::text) END,
             repeat('Packed story of ' || md5(i::text || 'p') || '. ', 90),
             jsonb_build_object('city', 'Town of ' || md5(i::text || 'd'), 'n', i),
             ARRAY['Tag ' || md5(i::text || 't'), NULL], 'login.' || i || '@shop.test', i,
             CASE WHEN i % 2 = 0 THEN i % 4 = 0 END
         FROM generate_series(first, last) AS i $$;
         SELECT fill(1, 400);
         ALTER TABLE people ADD COLUMN added text DEFAULT 'Missing value of old rows';
         ALTER TABLE people DROP COLUMN gone",
    ),
    ("postgres", "BEGIN; DELETE FROM people; ROLLBACK"),
    ("postgres", "DELETE FROM people WHERE id % 9 = 5"),
    ("postgres", "UPDATE people SET kept = kept || '!' WHERE id % 4 = 1"),
    // Nobody comes by and prunes what this leaves.
    ("postgres", "UPDATE people SET name = 'Renamed ' || id * 13 WHERE id % 10 = 3"),
];

const RULES: &str = r#"
[databases.postgres.tables."public.people"]
id = "keep"
name = "null"
born = "null"
kept = "keep"
note = "null"
packed = "null"
doc = "null"
tags = "null"
login = { mask = "email", unique = true, confirm_check = true }
score = "keep"
flag = "null"
added = "null"
"#;

/// What no mask may change, by ctid.
const STAYS: &str = "SELECT ctid, xmin, xmax, id, kept, score FROM people ORDER BY ctid";

/// Every line pointer with what its tuple's header says, flags about nulls and lengths left out.
const ITEMS: &str = "SELECT page, lp, lp_off, lp_flags, t_xmin, t_xmax, t_field3, t_ctid,
        t_infomask2, t_infomask & ~7
    FROM generate_series(0, pg_relation_size('people') / 8192 - 1) AS page,
         LATERAL heap_page_items(get_raw_page('people', page::int)) ORDER BY 1, 2";

/// Values of an attribute in every tuple that has storage, dead or alive.
fn stored(server: &impl Queries, attribute: &str) -> i64 {
    let sql = format!(
        "SELECT count(t_attrs[(SELECT attnum FROM pg_attribute
                 WHERE attrelid = 'people'::regclass AND attname = '{attribute}')])
         FROM generate_series(0, pg_relation_size('people') / 8192 - 1) AS page,
              LATERAL heap_page_item_attrs(get_raw_page('people', page::int), 'people')"
    );
    server.value("postgres", &sql).parse().unwrap()
}

fn nulls(snapshot: &Snapshot, count: &str) -> u64 {
    snapshot.json["nulls"][count].as_u64().unwrap_or_else(|| panic!("{}", snapshot.json))
}

#[test]
fn values_of_every_form_leave_live_and_dead_tuples_and_nothing_else_changes() {
    let mut scene = Scene::new(&PEOPLE);
    let (snapshot, clone) = scene.masked(RULES);
    assert_eq!((snapshot.count("layout_deviations"), nulls(&snapshot, "moved")), (0, 0));

    // Once more, with the same key.
    let (second, _) = scene.masked(RULES);

    // Before anything else looks at it: a server that reads a page may prune it.
    let again = scene.clone_of(&snapshot);
    scene.raw.start();
    scene.raw.exec("postgres", "CREATE EXTENSION pageinspect");
    again.exec("postgres", "CREATE EXTENSION pageinspect");
    assert_eq!(scene.raw.rows("postgres", ITEMS), again.rows("postgres", ITEMS));
    let raw_names = stored(&scene.raw, "name");
    // 356 rows are left.
    assert!(raw_names > 380, "{raw_names} versions");
    assert_eq!(stored(&again, "id"), stored(&scene.raw, "id"));
    let mut all = 0;
    for attribute in ["name", "born", "note", "packed", "doc", "tags", "flag", "added"] {
        all += stored(&scene.raw, attribute);
        assert_eq!(stored(&again, attribute), 0, "{attribute}");
    }
    assert_eq!(
        (nulls(&snapshot, "values"), nulls(&snapshot, "tuples")),
        (all as u64, raw_names as u64)
    );

    assert_eq!(scene.raw.rows("postgres", STAYS), clone.rows("postgres", STAYS));
    let size =
        "SELECT relpages, reltuples, pg_relation_size(oid) FROM pg_class WHERE relname = 'people'";
    assert_eq!(scene.raw.rows("postgres", size), clone.rows("postgres", size));
    let left = "SELECT count(*) FROM people WHERE num_nonnulls(name, born, note, packed, doc, tags,
                                                              flag, added) > 0";
    assert_eq!(clone.value("postgres", left), "0");
    let missing = "SELECT count(*) FROM pg_attribute
                   WHERE attrelid = 'people'::regclass AND (atthasmissing OR attmissingval IS NOT NULL)";
    assert_eq!(
        (scene.raw.value("postgres", missing), clone.value("postgres", missing)),
        ("1".to_owned(), "0".to_owned())
    );
    let share = "SELECT null_frac FROM pg_stats WHERE tablename = 'people' AND attname = 'name'";
    assert_eq!(clone.value("postgres", share), "1");

    let originals = "SELECT name FROM people UNION ALL SELECT substr(note, 1, 38) FROM people
         UNION ALL SELECT substr(packed, 1, 48) FROM people UNION ALL SELECT doc ->> 'city' FROM people
         UNION ALL SELECT tags[1] FROM people UNION ALL SELECT login FROM people";
    assert_gone(&snapshot, &scene.raw.column("postgres", originals));
    let dead = (1..=400).filter(|id| id % 10 == 3).map(|id| format!("Person Number {}", id * 7919));
    assert_gone(&snapshot, &dead.collect::<Vec<_>>());

    // The clone works on: rows can be written, deleted and vacuumed.
    clone.exec(
        "postgres",
        "UPDATE people SET name = 'new ' || id, note = repeat('n', 9000) WHERE id < 50",
    );
    clone.exec("postgres", "VACUUM FULL people");
    assert_eq!(clone.value("postgres", "SELECT count(name) FROM people WHERE id < 50"), "44");

    let toast = "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE relname = 'people'";
    let toast = PathBuf::from(scene.raw.value("postgres", toast));
    for file in heap_files(&scene.raw, "postgres").values().chain([&toast]) {
        let read = |of: &Snapshot| std::fs::read(of.data().join(file)).unwrap();
        assert!(read(&snapshot) == read(&second), "{}", file.display());
    }
}

/// Thirteen columns without a NULL: a null bitmap takes eight bytes.
fn wide(fill_factor: u32) -> Scene {
    Scene::new(&[(
        "postgres",
        &format!(
            "CREATE TABLE wide (id int, a int, b int, c int, born date, d int, e int, f int, g int,
                 i int, big bigint, h int, last int) WITH (fillfactor = {fill_factor});
             INSERT INTO wide SELECT n, n, n, n, date '1960-01-01' + n, n, n, n, n, n, 12345678900 + n,
                 n, 777000000 + n FROM generate_series(1, 5000) AS n"
        ),
    )])
}

fn wide_rules(nulled: &str) -> String {
    let kept = ["id", "a", "b", "c", "born", "d", "e", "f", "g", "i", "big", "h", "last"];
    let lines = kept.map(|name| {
        format!(
            "{name} = {}",
            if nulled.split(' ').any(|it| it == name) { "\"null\"" } else { "\"keep\"" }
        )
    });
    format!("[databases.postgres.tables.\"public.wide\"]\n{}\n", lines.join("\n"))
}

#[test]
fn a_bitmap_takes_what_the_value_leaves_or_of_the_page_or_the_row_is_named() {
    let all = "SELECT ctid, xmin, id, a, b, c, d, e, f, g, i FROM wide ORDER BY ctid";
    let size = "SELECT relpages, pg_relation_size(oid) FROM pg_class WHERE relname = 'wide'";
    let full = wide(100);
    let refused = full.attempt(&wide_rules("born")).refusals();
    assert_eq!(refused[0]["code"], "null_no_room");
    let message = refused[0]["message"].as_str().unwrap();
    for part in ["postgres.public.wide", "block ", "line pointer ", "column born"] {
        assert!(message.contains(part), "{message}");
    }
    let compare = |mut scene: Scene, nulled: &str, moves: bool| {
        let (snapshot, clone) = scene.masked(&wide_rules(nulled));
        let left = nulled.split(' ').map(|name| format!("count({name})")).collect::<Vec<_>>();
        let left = format!("SELECT {} FROM wide", left.join(" + "));
        assert_eq!(clone.value("postgres", &left), "0", "{nulled}");
        assert_eq!(nulls(&snapshot, "moved") > 0, moves, "{nulled}");
        assert_eq!(nulls(&snapshot, "tuples"), 5000);
        scene.raw.start();
        assert_eq!(scene.raw.rows("postgres", all), clone.rows("postgres", all), "{nulled}");
        assert_eq!(scene.raw.rows("postgres", size), clone.rows("postgres", size), "{nulled}");
        scene.raw.stop();
        scene
    };
    // Eight bytes are enough, of one value or several, and the last value needs no bitmap.
    let full = compare(full, "big", false);
    let full = compare(full, "last", false);
    compare(full, "born h last", false);
    compare(wide(80), "born", true);
}

#[test]
fn types_that_no_mask_knows_become_null_and_nothing_else() {
    let mut scene = Scene::new(&[(
        "postgres",
        "CREATE EXTENSION seg; CREATE EXTENSION isn; CREATE SCHEMA odd;
         CREATE TYPE odd.secret;
         CREATE FUNCTION odd.secret_in(cstring) RETURNS odd.secret
             LANGUAGE internal IMMUTABLE STRICT AS 'textin';
         CREATE FUNCTION odd.secret_out(odd.secret) RETURNS cstring
             LANGUAGE internal IMMUTABLE STRICT AS 'textout';
         CREATE TYPE odd.secret (INPUT = odd.secret_in, OUTPUT = odd.secret_out, STORAGE = extended);
         CREATE TABLE things (id int PRIMARY KEY, span seg, book isbn13, own odd.secret,
             list odd.secret[], kept text);
         INSERT INTO things SELECT i, (i || ' .. ' || i + 1)::seg, '978-0-306-40615-7'::isbn13,
             ('secret words of ' || md5(i::text))::odd.secret,
             ARRAY[repeat('secret list of ' || md5(i::text || 'l'), 300)::odd.secret], 'kept ' || i
         FROM generate_series(1, 200) AS i",
    )]);
    let rules = |mask: &str| {
        format!(
            "[databases.postgres.tables.\"public.things\"]\nid = \"keep\"\nspan = {mask}\n\
             book = {mask}\nown = {mask}\nlist = {mask}\nkept = \"keep\"\n"
        )
    };
    for mask in ["\"redact\"", "\"text\"", "{ mask = \"constant\", value = \"x\" }"] {
        let refused = scene.attempt(&rules(mask)).refusals();
        let messages: Vec<&str> =
            refused.iter().map(|refusal| refusal["message"].as_str().unwrap()).collect();
        for type_name in ["public.seg", "public.isbn13", "odd.secret"] {
            assert!(messages.iter().any(|it| it.contains(type_name)), "{type_name}: {messages:?}");
        }
        assert!(refused.iter().all(|refusal| refusal["code"] == "unsupported_type"));
        assert_eq!(refused.len(), 4);
    }
    scene.masked(&rules("\"keep\""));
    let (snapshot, clone) = scene.masked(&rules("\"null\""));
    let left = "SELECT count(span) + count(book) + count(own) + count(list) FROM things";
    assert_eq!((clone.value("postgres", left), nulls(&snapshot, "values")), ("0".to_owned(), 800));
    scene.raw.start();
    let kept = "SELECT ctid, id, kept FROM things ORDER BY ctid";
    assert_eq!(scene.raw.rows("postgres", kept), clone.rows("postgres", kept));
    let originals =
        "SELECT own::text FROM things UNION ALL SELECT substr(list[1]::text, 1, 47) FROM things";
    assert_gone(&snapshot, &scene.raw.column("postgres", originals));
}

#[test]
fn columns_that_demand_a_value_are_refused_in_one_message() {
    let scene = Scene::new(&[(
        "postgres",
        "CREATE DOMAIN filled AS text NOT NULL;
         CREATE TABLE t (id int PRIMARY KEY, must text NOT NULL, auto int GENERATED ALWAYS AS IDENTITY,
             dom filled, demanded text CHECK (demanded IS NOT NULL OR a < 0), fine text CHECK (length(fine) < 80),
             source text, made text GENERATED ALWAYS AS (lower(source)) STORED,
             a int, b int, one text, UNIQUE (a, b));
         CREATE UNIQUE INDEX ON t (one);
         CREATE TABLE parts (day date, v text) PARTITION BY RANGE (day);
         CREATE TABLE child (a int, b int, must text NOT NULL,
             FOREIGN KEY (a, b) REFERENCES t (a, b) MATCH FULL)",
    )]);
    let refusals = scene
        .attempt(
            "[databases.postgres.tables.\"public.t\"]\nid = \"null\"\nmust = \"null\"\nauto = \"null\"\n\
             dom = \"null\"\ndemanded = \"null\"\nfine = \"null\"\nsource = \"null\"\na = \"keep\"\n\
             b = \"keep\"\none = \"null\"\n\
             [databases.postgres.tables.\"public.parts\"]\nday = \"null\"\nv = \"null\"\n\
             [databases.postgres.tables.\"public.child\"]\na = \"null\"\nmust = \"keep\"\n",
        )
        .refusals();
    let mut found: Vec<(&str, &str)> = refusals
        .iter()
        .map(|it| (it["code"].as_str().unwrap(), it["column"].as_str().unwrap()))
        .collect();
    found.sort_unstable();
    let check = if cfg!(feature = "sql") { vec![] } else { vec![("check_constraint", "fine")] };
    let mut wanted = vec![
        ("check_constraint", "demanded"),
        ("generated_stored", "source"),
        ("null_domain", "dom"),
        ("null_match_full", "a"),
        ("null_not_null", "auto"),
        ("null_not_null", "id"),
        ("null_not_null", "must"),
        ("partition_key", "day"),
    ];
    wanted.extend(check);
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    for (column, part) in [("id", "primary key"), ("auto", "identity"), ("must", "NOT NULL")] {
        let refusal = refusals.iter().find(|it| it["column"] == column).unwrap();
        assert!(refusal["message"].as_str().unwrap().contains(part), "{refusal}");
        assert!(refusal["remedy"].as_str().unwrap().contains("redact"), "{refusal}");
    }
    if Servers::tested().major() < 15 {
        return;
    }
    // A second NULL in this index would be one too many; and a part of a value is no column.
    let scene = Scene::new(&[(
        "postgres",
        "CREATE TABLE t (one text, tags jsonb); CREATE UNIQUE INDEX ON t (one) NULLS NOT DISTINCT",
    )]);
    let codes = scene.refused(
        "[databases.postgres.tables.\"public.t\"]\none = \"null\"\n\
         tags = { paths = { \"$.a\" = \"null\" }, default = \"text\" }",
    );
    assert_eq!(codes, ["unique_nulls", "mask_type_mismatch"]);
}

#[test]
#[cfg(feature = "sql")]
fn conditions_keys_and_partitions_decide_which_rows_become_null() {
    let mut scene = Scene::new(&[
        (
            "postgres",
            "CREATE TABLE owners (code text PRIMARY KEY, nick text UNIQUE);
             CREATE TABLE pets (id int PRIMARY KEY, kind text, owner text REFERENCES owners,
                 nick text REFERENCES owners (nick), story text, phone text UNIQUE CHECK (phone <> ''),
                 weight int CHECK (weight > 0), touched int) WITH (autovacuum_enabled = false);
             ALTER TABLE pets ALTER story SET STORAGE EXTERNAL;
             CREATE TABLE log (day date, who text, what text) PARTITION BY RANGE (day);
             CREATE TABLE log_a (what text, gone int, day date NOT NULL, who text);
             ALTER TABLE log_a DROP COLUMN gone;
             ALTER TABLE log ATTACH PARTITION log_a FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
             INSERT INTO owners SELECT 'Owner ' || i, 'Nick of ' || i FROM generate_series(1, 100) AS i;
             INSERT INTO pets SELECT i, CASE WHEN i % 2 = 0 THEN 'cat' ELSE 'dog' END,
                 'Owner ' || 1 + i % 100, 'Nick of ' || 1 + i % 100, 'Story ' || repeat(md5(i::text), 200),
                 '+49 30 5' || 100000 + i, i, 0 FROM generate_series(1, 300) AS i;
             INSERT INTO log SELECT date '2020-01-01' + i % 300, 'Visitor ' || md5(i::text), 'kept ' || i
             FROM generate_series(1, 500) AS i",
        ),
        // Versions share what is out of line; some were dogs before.
        ("postgres", "UPDATE pets SET touched = 1 WHERE id % 3 = 0"),
        ("postgres", "UPDATE pets SET kind = 'cat' WHERE id % 10 = 1"),
    ]);
    let when = "when = \"kind = 'cat'\"";
    let (snapshot, clone) = scene.masked(&format!(
        r#"
[databases.postgres.tables."public.owners"]
code = {{ mask = "keep", accept_originals = true }}
nick = "null"
[databases.postgres.tables."public.pets"]
id = "keep"
kind = "keep"
owner = {{ mask = "null", {when}, else = "keep" }}
story = {{ mask = "null", {when}, else = "keep" }}
phone = {{ mask = "digits", {when}, else = "null" }}
weight = {{ mask = "null", {when}, else = "keep" }}
touched = "keep"
[databases.postgres.tables."public.log"]
day = "keep"
who = "null"
what = "keep"
"#
    ));
    scene.raw.start();
    let pets = "SELECT ctid, id, kind, owner, story, weight, phone, nick FROM pets ORDER BY ctid";
    let (before, after) = (scene.raw.rows("postgres", pets), clone.rows("postgres", pets));
    assert_eq!(before.len(), after.len());
    let mut cats = 0;
    for (before, after) in before.iter().zip(&after) {
        let is_cat = before[2].as_deref() == Some("cat");
        cats += u32::from(is_cat);
        assert_eq!(before[..3], after[..3]);
        let wanted: Row = if is_cat { vec![None; 3] } else { before[3..6].to_vec() };
        assert_eq!(after[3..6], wanted, "{:?}", &after[..3]);
        assert_eq!(after[6].is_some(), is_cat);
        assert_ne!(after[6], before[6]);
        assert_eq!(after[7], None, "follows the key");
    }
    assert!(cats > 150 && cats < 300, "{cats}");
    let log = "SELECT ctid, tableoid::regclass, day, what, NULL FROM log ORDER BY 1";
    assert_eq!(scene.raw.rows("postgres", log), clone.rows("postgres", log));
    assert_eq!(clone.value("postgres", "SELECT count(who) FROM log"), "0");
    let gone = "SELECT substr(story, 7, 32) FROM pets WHERE kind = 'cat'
                UNION ALL SELECT nick FROM owners UNION ALL SELECT who FROM log
                UNION ALL SELECT phone FROM pets";
    assert_gone(&snapshot, &scene.raw.column("postgres", gone));
}
