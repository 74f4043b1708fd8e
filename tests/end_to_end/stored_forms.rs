//! Values in every stored form: compressed, out of line, both, in one tuple or in many.

use crate::common::{
    Base, Cluster, Needles, Pool, Queries, Rules, Sandbox, Servers, assert_all_judges_pass,
};

/// How a column is stored, and with what it is compressed.
const FORMS: [(&str, &str, &str); 5] = [
    ("inline", "MAIN", "pglz"),
    ("inline_lz4", "MAIN", "lz4"),
    ("outside", "EXTENDED", "pglz"),
    ("outside_lz4", "EXTENDED", "lz4"),
    ("plain", "EXTERNAL", "pglz"),
];

/// Those that the servers under test can make.
fn forms() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let has_lz4 = Servers::tested().have_lz4();
    FORMS.into_iter().filter(move |(.., compression)| has_lz4 || *compression != "lz4")
}

/// True if a column can choose its compression, and tell it.
pub(crate) fn have_compression() -> bool {
    Servers::tested().major() >= 14
}

/// Texts from one line to megabytes, regular and not, with letters of several bytes.
const NOTE: &str = "CASE g % 8
        WHEN 0 THEN 'Patient ' || g || ' came in on Monday and left on Friday.'
        WHEN 1 THEN repeat('Visit ' || g || ' of Doctor Quimby, room 42; ', 40)
        WHEN 2 THEN repeat('Größe und Gewicht von Fräulein Zoë ' || g || '. ', 60 + g)
        WHEN 3 THEN (SELECT string_agg(md5((g * i)::text), ' ') FROM generate_series(1, 120) AS i)
        WHEN 4 THEN (SELECT string_agg('Case ' || i * g || ' by Ms Abernathy', ', ')
                     FROM generate_series(1, 1500) AS i)
        WHEN 5 THEN repeat('东京都港区 ' || g || ' ', 900)
        WHEN 6 THEN repeat('w', 3000 + g)
        ELSE repeat(md5(g::text), 70 * g)
    END";

fn filled(sandbox: &Sandbox) -> Cluster {
    let mut raw = Base::Empty.copy(sandbox, "raw");
    raw.start();
    let columns: Vec<String> = forms().map(|(name, ..)| format!("{name} text")).collect();
    raw.exec(
        "postgres",
        &format!(
            "CREATE TABLE notes (id int PRIMARY KEY, kept text, touched int, {}, doc jsonb, \
             tags text[], page json)",
            columns.join(", ")
        ),
    );
    for (name, storage, compression) in forms() {
        raw.exec("postgres", &format!("ALTER TABLE notes ALTER {name} SET STORAGE {storage}"));
        if have_compression() {
            let set = format!("ALTER TABLE notes ALTER {name} SET COMPRESSION {compression}");
            raw.exec("postgres", &set);
        }
    }
    let notes = vec![NOTE; forms().count()].join(", ");
    raw.exec(
        "postgres",
        &format!(
            "ALTER TABLE notes ALTER kept SET STORAGE EXTERNAL;
             INSERT INTO notes SELECT g, repeat('kept ' || g, 1000), 0, {notes},
                 jsonb_build_object('name', 'Ms Abernathy ' || g, 'visits', (SELECT
                     jsonb_agg(jsonb_build_object('at', 'Ward ' || i * g, 'cost', i * 1.5))
                     FROM generate_series(1, 40 * g) AS i)),
                 (SELECT array_agg('Tag of Abernathy ' || i * g) FROM generate_series(1, 9 * g) AS i),
                 (SELECT json_agg(json_build_object('by', 'Ms \"Abernathy\" ' || i * g, 'at', 'Ward'))
                     FROM generate_series(1, 20 * g) AS i)
             FROM generate_series(1, 64) AS g;
             -- Several versions of a row refer to one value; and values that no row has any more.
             UPDATE notes SET touched = 1 WHERE id % 3 = 0;
             UPDATE notes SET outside = 'short now' WHERE id = 12;
             DELETE FROM notes WHERE id = 20"
        ),
    );
    raw.stop();
    raw
}

fn rules(sandbox: &Sandbox) -> Rules {
    let masked: String = forms().map(|(name, ..)| format!("{name} = \"text\"\n")).collect();
    let lines = format!(
        "id = \"keep\"\nkept = \"keep\"\ntouched = \"keep\"\n{masked}\
         tags = \"text\"\npage = \"text\"\ndoc = {{ paths = {{ \"$.name\" = \"full_name\" }}, default = \"text\" }}"
    );
    Rules::for_tables(sandbox, "rules.toml", "postgres", &[("public.notes", &lines)])
}

#[test]
fn compressed_and_out_of_line_values_keep_their_sizes_and_lose_their_content() {
    let sandbox = Sandbox::new();
    let mut raw = filled(&sandbox);
    let (rules, pool) = (rules(&sandbox), Pool::new(&sandbox));
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    let again = pool.snapshot(raw.source(), rules.path(), &["--threads", "1"]);
    raw.start();
    let clone = pool.clone_of(&snapshot.id, &[]);
    assert_all_judges_pass(&raw, &rules, &snapshot, &clone);

    let compression = if have_compression() { "pg_column_compression" } else { "pg_column_size" };
    let mut methods = std::collections::BTreeSet::new();
    for (name, ..) in forms() {
        // PostgreSQL unpacks all of it: lengths, and the form that it is stored in.
        let sql = format!(
            "SELECT id, octet_length({name}), char_length({name}), pg_column_size({name}),
                    {compression}({name}) FROM notes ORDER BY id"
        );
        let (before, after) = (raw.rows("postgres", &sql), clone.rows("postgres", &sql));
        assert_eq!(before, after, "{name}");
        methods.extend(after.into_iter().filter_map(|row| row[4].clone()));
        let sql = format!("SELECT id || md5({name}) FROM notes ORDER BY id");
        let (before, after) = (raw.column("postgres", &sql), clone.column("postgres", &sql));
        let same: Vec<_> =
            before.iter().zip(&after).filter(|(raw, masked)| raw == masked).collect();
        assert!(same.is_empty(), "{name}: {same:?}");
    }
    if have_compression() {
        let expected = if Servers::tested().have_lz4() { &["lz4", "pglz"][..] } else { &["pglz"] };
        assert_eq!(methods.into_iter().collect::<Vec<_>>(), expected);
    }

    for unchanged in [
        "SELECT md5(string_agg(kept, ',' ORDER BY id)) FROM notes",
        "SELECT md5(string_agg(pg_column_size(doc) || ',' || pg_column_size(tags)
             || ',' || cardinality(tags), ';' ORDER BY id)) FROM notes",
        "SELECT count(*) FROM notes, jsonb_array_elements(doc -> 'visits')",
        "SELECT count(*) || ',' || sum(pg_column_size(page)) FROM notes, json_array_elements(page)",
    ] {
        assert_eq!(raw.value("postgres", unchanged), clone.value("postgres", unchanged));
    }
    let residue = "SELECT count(*) FROM notes WHERE notes::text ~ 'Abernathy|Quimby|Ward'";
    assert_eq!(raw.value("postgres", residue), "63");
    assert_eq!(clone.value("postgres", residue), "0");
    // What deleted rows referred to is gone as well; plain chunks show it.
    let mut needles = Needles::new();
    needles.add("a note", b"Ms Abernathy");
    assert_ne!(needles.find_below(raw.data()), Vec::<String>::new());
    assert_eq!(needles.find_below(&snapshot.data()), Vec::<String>::new());

    for path in raw.column(
        "postgres",
        "SELECT pg_relation_filepath(o) FROM (SELECT 'notes'::regclass
        UNION SELECT reltoastrelid FROM pg_class WHERE relname = 'notes') AS t (o)",
    ) {
        let read = |data: std::path::PathBuf| std::fs::read(data.join(&path)).expect("a heap");
        assert!(read(snapshot.data()) == read(again.data()), "{path} differs from run to run");
    }
}

#[test]
fn a_chunk_that_is_missing_leaves_nothing_of_its_value() {
    let sandbox = Sandbox::new();
    let mut raw = filled(&sandbox);
    raw.start();
    let path = raw.value(
        "postgres",
        "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE relname = 'notes'",
    );
    raw.exec("postgres", "DELETE FROM notes");
    raw.stop();
    // The second line pointer of every page becomes LP_DEAD, as vacuum leaves it on its way.
    let path = raw.data().join(path);
    let mut file = std::fs::read(&path).expect("a TOAST table");
    for page in file.chunks_mut(8192) {
        page[28..32].copy_from_slice(&(3u32 << 15).to_le_bytes());
    }
    std::fs::write(&path, file).expect("a TOAST table");
    let (rules, pool) = (rules(&sandbox), Pool::new(&sandbox));
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    let mut needles = Needles::new();
    needles.add("a note", b"Ms Abernathy");
    needles.add("a note", b"Doctor Quimby");
    assert_eq!(needles.find_below(&snapshot.data()), Vec::<String>::new());
}
