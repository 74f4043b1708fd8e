//! The leak audit on real clusters: originals in every stored form of an unmasked column, in a
//! snapshot's files, and what must not be mistaken for one.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;

use serde_json::Value;

use crate::common::simple_search::{columns_with, files_with};
use crate::common::{Base, Cluster, Pool, Queries, Rules, Sandbox, Servers, files_under};

/// Unmasked columns, each with how the original of a row stands in it. `%` is an address, `&` a
/// name of ten letters, and `#` one of five.
const PLACES: [(&str, &str, &str); 19] = [
    ("whole", "text", "%"),
    ("word", "text", "'call ' || % || ' at once'"),
    ("odd", "text", "'xyz' || %"),
    (
        "pglz",
        "text COMPRESSION pglz",
        "repeat('so much for that. ', 80) || % || repeat(' and on', 90)",
    ),
    (
        "lz4",
        "text COMPRESSION lz4",
        "repeat('so much for that. ', 80) || % || repeat(' and on', 90)",
    ),
    ("toast_pglz", "text COMPRESSION pglz", "noise(1, 9000) || % || noise(2, 9000)"),
    ("toast_lz4", "text COMPRESSION lz4", "noise(3, 9000) || % || noise(4, 9000)"),
    // Across the border of two chunks of 1,996 bytes.
    ("toast_plain", "text", "repeat('.', 2 * 1996 - 9) || % || repeat('.', 9000)"),
    ("utf16", "bytea", "utf16(%)"),
    ("hex", "text", "'\\x' || encode(%::bytea, 'hex')"),
    ("base64", "text", "encode(('a' || % || 'bc')::bytea, 'base64')"),
    (
        "base64_lines",
        "text",
        "encode((repeat('.', 100) || % || repeat('.', 100))::bytea, 'base64')",
    ),
    ("json", "json", "('{\"a\": \"' || replace(%, '@', '\\u0040') || '\"}')::json"),
    ("jsonb", "jsonb", "jsonb_build_object('a', jsonb_build_array(1, %))"),
    ("xml", "xml", "('<a b=\"' || % || '\"/>')::xml"),
    ("list", "text[]", "ARRAY['a', %]"),
    ("short", "text", "&"),
    ("short_word", "text", "'call ' || & || ', please'"),
    ("shortest", "varchar(9)", "#"),
];

/// What looks like an original in one of these forms, and is none.
const ALMOST: [(&str, &str, &str); 12] = [
    ("cut", "text", "left(%, length(%) - 1)"),
    ("changed", "text", "overlay(% placing '_' from 20)"),
    ("blank", "text", "left(%, 20) || ' ' || substr(%, 21)"),
    ("capitals", "text", "upper(%)"),
    ("cut_pglz", "text COMPRESSION pglz", "repeat(left(%, 40) || '. ', 90)"),
    ("cut_toast", "text COMPRESSION lz4", "noise(5, 9000) || left(%, 40) || noise(6, 9000)"),
    ("cut_hex", "text", "'a' || left(encode(%::bytea, 'hex'), 96)"),
    ("cut_utf16", "bytea", "utf16(left(%, 40))"),
    ("cut_base64", "text", "encode(left(%, 40)::bytea, 'base64')"),
    ("in_a_word", "text", "'x' || & || 'y'"),
    ("too_short_for_a_word", "text", "'call ' || # || ' now'"),
    ("none", "text", "NULL"),
];

const FUNCTIONS: &str = "
    CREATE FUNCTION noise(seed int, len int) RETURNS text LANGUAGE sql AS
      $$ SELECT left(string_agg(repeat(md5((seed * 1000000 + i)::text), 2), ' '), len)
         FROM generate_series(1, len / 60) AS i $$;
    CREATE FUNCTION utf16(t text) RETURNS bytea LANGUAGE sql AS
      $$ SELECT decode(string_agg(lpad(to_hex(ascii(c)), 2, '0') || '00', ''), 'hex')
         FROM regexp_split_to_table(t, '') AS c $$;
    CREATE TABLE people (id integer PRIMARY KEY, email text, nick text, tiny text);
    INSERT INTO people
      SELECT i, md5(i::text) || '@mail.example.org', 'robert' || 1000 + i,
        'xz' || translate(to_hex(255 + i), '0123456789', 'ghijklmnop')
      FROM generate_series(1, 3000) AS i;";
const PEOPLE: &str = "id = \"keep\"\nemail = \"email\"\nnick = \"redact\"\ntiny = \"redact\"";
/// Distinct values of these.
const ORIGINALS: u64 = 9000;

/// Those that the servers under test can store, with types that they know.
fn storable(
    places: &[(&'static str, &'static str, &'static str)],
) -> Vec<(&'static str, &'static str, &'static str)> {
    let servers = Servers::tested();
    let places = places.iter().filter(|(_, kind, _)| servers.have_lz4() || !kind.ends_with("lz4"));
    let known = |kind: &'static str| match kind.split_once(" COMPRESSION ") {
        Some((before, _)) if servers.major() < 14 => before,
        _ => kind,
    };
    places.map(|(column, kind, value)| (*column, known(kind), *value)).collect()
}

fn originals(raw: &Cluster) -> Vec<String> {
    let query = "SELECT email FROM people UNION ALL SELECT nick FROM people
                 UNION ALL SELECT tiny FROM people";
    raw.rows("postgres", query).into_iter().map(|row| row[0].clone().expect("a value")).collect()
}

#[test]
fn every_stored_form_in_an_unmasked_column_refuses_with_column_and_row() {
    let sandbox = Sandbox::new();
    let places = storable(&PLACES);
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    raw.exec("postgres", FUNCTIONS);
    for (column, type_name, value) in places.iter().copied().chain(storable(&ALMOST)) {
        let of = |column: &str| format!("(SELECT {column} FROM people WHERE id = 1234)");
        let value = value.replace('%', &of("email")).replace('&', &of("nick"));
        let value = value.replace('#', &of("tiny"));
        raw.exec(
            "postgres",
            &format!(
                "CREATE TABLE t_{column} (id integer, {column} {type_name});
                 INSERT INTO t_{column} VALUES (1, NULL);
                 INSERT INTO t_{column} SELECT 2, {value};"
            ),
        );
    }
    raw.exec(
        "postgres",
        "ALTER TABLE t_toast_plain ALTER toast_plain SET STORAGE external;
         UPDATE t_toast_plain SET toast_plain = toast_plain || '' WHERE id = 2;
         DROP FUNCTION noise, utf16",
    );
    // Without this the first place is in the row's old version.
    raw.exec("postgres", "VACUUM t_toast_plain");
    // They are stored as they are meant to be.
    let compressed =
        [("pglz", "pglz"), ("lz4", "lz4"), ("toast_pglz", "pglz"), ("toast_lz4", "lz4")];
    let is_there = |column: &str| places.iter().any(|(name, ..)| *name == column);
    let tells = Servers::tested().major() >= 14;
    for (column, wanted) in compressed.into_iter().filter(|(column, _)| tells && is_there(column)) {
        let query = format!("SELECT pg_column_compression({column}) FROM t_{column} WHERE id = 2");
        assert_eq!(raw.value("postgres", &query), wanted, "{column}");
    }
    let chunked = [("toast_pglz", 1), ("toast_lz4", 1), ("toast_plain", 3)];
    for (column, at_least) in chunked.into_iter().filter(|(column, _)| is_there(column)) {
        let toast = raw.value(
            "postgres",
            &format!("SELECT reltoastrelid::regclass FROM pg_class WHERE relname = 't_{column}'"),
        );
        let chunks = raw.value("postgres", &format!("SELECT count(*) FROM {toast}"));
        assert!(chunks.parse::<u32>().unwrap() >= at_least, "{column}: {chunks}");
    }
    let email = raw.value("postgres", "SELECT email FROM people WHERE id = 1234");
    let masked = ["public.people.email", "public.people.nick", "public.people.tiny"];
    let expected = columns_with(&raw, "postgres", &masked, &originals(&raw));
    assert_eq!(expected.len(), places.len(), "{expected:?}");
    raw.stop();

    let pool = Pool::new(&sandbox);
    let rules = |keep: &str| {
        format!(
            "version = 1\nunlisted = \"keep\"\n\
             [databases.postgres.tables.\"public.people\"]\n{PEOPLE}\n{keep}"
        )
    };
    let careless = Rules::write(&sandbox, "careless.toml", &rules(""));
    let outcome = pool.try_snapshot(raw.source(), careless.path(), &[]);
    let refusals = outcome.refusals();
    for (column, ..) in &places {
        let row = &expected[&format!("public.t_{column}.{column}")];
        let kept = format!("kept column postgres.public.t_{column}.{column} (first in row {row};");
        let of_column: Vec<_> =
            refusals.iter().filter(|it| it["message"].as_str().unwrap().contains(&kept)).collect();
        assert_eq!(of_column.len(), 1, "{column}: {refusals:#?}");
        assert_eq!(of_column[0]["code"], "unmasked_column", "{column}");
        let of = of_column[0]["column"].as_str().unwrap();
        assert_eq!(of == "email", !column.starts_with("short"), "{column}: {of}");
    }
    assert_eq!(refusals.len(), places.len(), "{refusals:#?}");
    assert!(!outcome.text().contains(&email) && !outcome.text().contains(&email[..32]));
    assert_eq!(pool.remains(), Vec::<String>::new());

    // Each of them can be accepted by name.
    let accepted = places.iter().map(|(column, ..)| {
        format!(
            "[databases.postgres.tables.\"public.t_{column}\"]\n\
             {column} = {{ mask = \"keep\", accept_originals = true }}\n"
        )
    });
    let accepted = Rules::write(&sandbox, "accepted.toml", &rules(&accepted.collect::<String>()));
    let snapshot = pool.snapshot(raw.source(), accepted.path(), &[]);
    let audit = &snapshot.json["audit"];
    assert_eq!(
        (&audit["values_searched"], &audit["values_set_apart"]),
        (&ORIGINALS.into(), &3.into())
    );
}

#[test]
fn an_index_over_a_kept_copy_is_the_copys_business() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    raw.exec("postgres", FUNCTIONS);
    raw.exec(
        "postgres",
        "CREATE TABLE copies AS SELECT id, email FROM people;
         CREATE INDEX copies_email ON copies (email);
         ANALYZE copies",
    );
    raw.stop();
    let pool = Pool::new(&sandbox);
    let rules = [("public.people", PEOPLE), ("public.copies", "id = \"keep\"\nemail = \"keep\"")];
    let rules = Rules::for_tables(&sandbox, "rules.toml", "postgres", &rules);
    let refusals = pool.try_snapshot(raw.source(), rules.path(), &[]).refusals();
    let remedy = |place: &str| {
        let is = |it: &&Value| it["message"].as_str().unwrap().contains(place);
        let found = refusals.iter().find(is).unwrap_or_else(|| panic!("{place}: {refusals:#?}"));
        found["remedy"].as_str().unwrap().to_owned()
    };
    assert!(remedy("kept column postgres.public.copies.email").contains("accept_originals"));
    for place in ["copies_email", "pg_statistic"] {
        assert!(remedy(place).starts_with("see to the kept columns"), "{refusals:#?}");
    }
}

#[test]
fn a_sealed_snapshot_is_audited_again_and_whatever_was_put_there_is_found() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    raw.exec("postgres", FUNCTIONS);
    let email = raw.value("postgres", "SELECT email FROM people WHERE id = 77");
    let addresses: Vec<String> =
        originals(&raw).into_iter().filter(|original| original.contains('@')).collect();
    let base64 = raw.value(
        "postgres",
        "SELECT translate(encode(('a' || email || 'z')::bytea, 'base64'), E'\\n', '')
         FROM people WHERE id = 77",
    );
    let people_heap = raw.value("postgres", "SELECT pg_relation_filepath('people')");
    raw.stop();
    let pool = Pool::new(&sandbox);
    let people = ("public.people", PEOPLE);
    let rules = Rules::for_tables(&sandbox, "rules.toml", "postgres", &[people]);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &["--name", "again"]);
    let audited = pool.json(&["snapshot", "audit", "again"]);
    assert_eq!(audited["again"], true);
    assert_eq!(audited["audit"], snapshot.json["audit"]);

    let data = snapshot.data();
    let wal = files_under(&data.join("pg_wal")).pop().unwrap();
    let heap = data.join(people_heap);
    // Of a catalog, all of which were written anew: its TOAST table.
    let toast = files_under(&data.join("base"))
        .into_iter()
        .map(|file| data.join("base").join(file))
        .filter(|file| fs::metadata(file).unwrap().len() >= 20 * 8192)
        .max_by_key(|file| file.file_name().unwrap().to_string_lossy().parse::<u32>().unwrap_or(0))
        .unwrap();
    let utf16: Vec<u8> = email.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let hex: String = email.bytes().map(|byte| format!("{byte:02X}")).collect();
    let at = |at: usize| format!("byte {at}");
    let plain = email.clone().into_bytes();
    let places = [
        (data.join("pg_wal").join(wal), 1_000_003, plain.clone(), at(1_000_003)),
        (data.join("PG_VERSION"), 3, utf16, at(3)),
        (data.join("pg_xact/0000"), 4099, hex.into_bytes(), at(4099)),
        // Files that PostgreSQL does not know. Of "a" and an address in base64, the first character
        // is of "a" alone.
        (data.join("notes.txt"), 0, base64.into_bytes(), at(1)),
        (heap.with_file_name("notes"), 70_001, plain.clone(), at(70_001)),
        // Across the border of two pages, in the last tuple of one and the header of the other.
        (heap.clone(), 8192 - 9, plain.clone(), at(8192 - 9)),
        (toast.clone(), 8192 - 9, plain.clone(), at(8192 - 9)),
        // In a chunk of a value, which is told by its row.
        (toast, 2 * 8192 - 99, plain, "pg_rewrite.ev_action, row ".to_owned()),
    ];
    for (file, at, bytes, place) in places {
        let before = fs::read(&file).ok();
        let mut room = before.clone().unwrap_or_default();
        room.resize(room.len().max(at + bytes.len()), b' ');
        room[at..at + bytes.len()].copy_from_slice(&bytes);
        fs::write(&file, room).unwrap();
        let outcome = pool.run(&["snapshot", "audit", "again"]);
        assert_eq!(outcome.code(), 3, "{file:?}: {outcome:?}");
        let refusals = outcome.refusals();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let simple = files_with(&data, &addresses[..100]);
        assert!(simple.len() == 1 && simple[0].ends_with(&name), "{simple:?}");
        assert_eq!(refusals.len(), 1, "{file:?}: {refusals:#?}");
        let message = refusals[0]["message"].as_str().unwrap();
        assert!(message.contains(&name) && message.contains(&place), "{file:?}: {message}");
        assert!(!outcome.text().contains(&email));
        match before {
            Some(before) => fs::write(&file, before).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
    }
    assert_eq!(pool.json(&["snapshot", "audit", "again"])["again"], true);

    // A masked cell that holds what no mask made is residue, even though it is masked.
    let clone_file = fs::OpenOptions::new().read(true).write(true).open(&heap).unwrap();
    let bytes = fs::read(&heap).unwrap();
    let at = bytes.windows(9).position(|window| window.starts_with(b"@example")).unwrap() - 32;
    clone_file.write_all_at(&email.as_bytes()[..49], at as u64).unwrap();
    let outcome = pool.run(&["snapshot", "audit", "again"]);
    let codes: BTreeSet<String> =
        outcome.refusals().iter().map(|it| it["code"].as_str().unwrap().to_owned()).collect();
    assert!(codes.contains("residue"), "{outcome:?}");
    fs::write(&heap, bytes).unwrap();
}

#[test]
fn an_audit_needs_the_key_that_masked_and_an_ephemeral_one_is_gone() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    raw.exec("postgres", FUNCTIONS);
    raw.stop();
    let mut pool = Pool::new(&sandbox);
    let people = ("public.people", PEOPLE);
    let rules = Rules::for_tables(&sandbox, "rules.toml", "postgres", &[people]);
    let kept = pool.snapshot(raw.source(), rules.path(), &["--name", "kept"]);
    let gone = pool.snapshot(raw.source(), rules.path(), &["--name", "gone", "--ephemeral-key"]);
    assert_eq!(
        (&kept.json["audit_again"], &gone.json["audit_again"]),
        (&true.into(), &false.into())
    );
    let sealed = |id: &str| pool.dir().join("snapshots").join(id).join("fingerprints.sealed");
    assert!(sealed(&kept.id).exists() && !sealed(&gone.id).exists());
    let outcome = pool.run(&["snapshot", "audit", "gone"]).expect_code(1);
    assert!(outcome.text().contains("ephemeral"), "{outcome:?}");
    let other = sandbox.file("other.key", &"5".repeat(64));
    let arguments = ["snapshot", "audit", "kept", "--key-file", other.to_str().unwrap()];
    let outcome = pool.run(&arguments).expect_code(1);
    assert!(outcome.text().contains("did not mask"), "{outcome:?}");
    // Without a key it says what was recorded.
    pool.env.clear();
    for name in ["kept", "gone"] {
        let recorded = pool.json(&["snapshot", "audit", name]);
        assert_eq!(recorded["again"], false);
        assert_eq!(recorded["audit"]["values_searched"], ORIGINALS);
    }
}

#[test]
fn an_original_that_a_mask_makes_elsewhere_is_set_apart_and_counted() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    raw.exec(
        "postgres",
        "CREATE TABLE notes (id integer, note text);
         INSERT INTO notes SELECT i, 'somebody wrote number ' || i FROM generate_series(1, 900) AS i;
         INSERT INTO notes VALUES (1000, 'nothing to be said here'), (1001, 'NOTHING to be said here');
         CREATE TABLE letters (id integer, body text);
         INSERT INTO letters VALUES (1, 'dear all, nothing to be said here but this');",
    );
    raw.stop();
    let pool = Pool::new(&sandbox);
    let rules = |name: &str, value: &str| {
        let note = format!("id = \"keep\"\nnote = {{ mask = \"constant\", value = \"{value}\" }}");
        let letters = ("public.letters", "id = \"keep\"\nbody = \"keep\"");
        Rules::for_tables(&sandbox, name, "postgres", &[("public.notes", &note), letters])
    };
    // The constant is as long as one original, and becomes that.
    let apart = rules("apart.toml", "nothing to be said here");
    let snapshot = pool.snapshot(raw.source(), apart.path(), &[]);
    let audit = &snapshot.json["audit"];
    assert_eq!((&audit["values_searched"], &audit["values_set_apart"]), (&902.into(), &1.into()));
    let other = rules("other.toml", "whatever");
    let refusals = pool.try_snapshot(raw.source(), other.path(), &[]).refusals();
    assert_eq!(refusals.len(), 1, "{refusals:#?}");
    assert!(refusals[0]["message"].as_str().unwrap().contains("public.letters.body"));
}

#[test]
fn numbers_and_words_that_are_there_by_accident_do_not_refuse() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    raw.exec(
        "postgres",
        "SELECT setseed(0.5);
         CREATE TABLE visits (id integer, at timestamp, amount bigint, name text);
         INSERT INTO visits SELECT i,
           '2024-01-01'::timestamp + trunc(random() * 2000000) * interval '1 second',
           10000000000000 + trunc(random() * 2000000), 'Guest ' || i
         FROM generate_series(1, 100000) AS i;
         CREATE TABLE other (id integer, at timestamp, amount bigint);
         INSERT INTO other SELECT i,
           '2024-01-01'::timestamp + trunc(random() * 2000000) * interval '1 second',
           10000000000000 + trunc(random() * 2000000)
         FROM generate_series(1, 100000) AS i;
         CREATE TABLE copied AS SELECT id, at FROM visits;",
    );
    raw.stop();
    let rules = |copied: &str| {
        format!(
            "version = 1\nunlisted = \"keep\"\n[databases.postgres.tables.\"public.visits\"]\n\
             at = \"timestamp_shift\"\namount = \"integer\"\nname = \"full_name\"\n\
             [databases.postgres.tables.\"public.copied\"]\nat = \"{copied}\"\n"
        )
    };
    let pool = Pool::new(&sandbox);
    let masked = Rules::write(&sandbox, "masked.toml", &rules("timestamp_shift"));
    let snapshot = pool.snapshot(raw.source(), masked.path(), &[]);
    let coincidences = snapshot.json["audit"]["coincidences"].as_u64().unwrap();
    assert!(coincidences > 5000, "{coincidences}");
    // A column with nearly all of them has them not by accident.
    let kept = Rules::write(&sandbox, "kept.toml", &rules("keep"));
    let refusals = pool.try_snapshot(raw.source(), kept.path(), &[]).refusals();
    assert_eq!(refusals.len(), 1, "{refusals:#?}");
    assert!(refusals[0]["message"].as_str().unwrap().contains("public.copied.at"), "{refusals:#?}");
}
