//! Every major but Debian's, by servers from npm. Those packages hold no client programs, so SQL
//! judges alone. `make test-matrix` runs all other tests on them.

use crate::common::{
    Needles, Pool, Queries, Rules, Sandbox, Servers, assert_foreign_keys_hold, assert_same_layout,
    originals_of, verify_heapam_findings,
};
use crate::dependencies::assert_gone;

fn masks_a_cluster_of(major: u16) {
    let sandbox = Sandbox::new();
    let servers = Servers::npm(major);
    let mut raw = servers.init(&sandbox, "raw", &["--data-checksums"]);
    raw.start();
    raw.exec(
        "postgres",
        "CREATE TABLE people (
             id integer PRIMARY KEY, code text UNIQUE, ghost text, email text, phone text,
             amount numeric(12, 2), born date, seen timestamptz, token uuid
         );
         INSERT INTO people
         SELECT i, 'code-' || md5(i::text), 'zqdropcol' || i, md5('e' || i) || '@example.org',
                '+49 30 ' || 1000000 + i * 7919 % 9000000, i * 1.37, date '1950-01-01' + i,
                timestamptz '2020-01-01' + i * interval '7919.5 s', md5('t' || i)::uuid
         FROM generate_series(1, 5000) AS i;
         ALTER TABLE people DROP COLUMN ghost;
         ALTER TABLE people ADD COLUMN late text DEFAULT 'zworiginaltier';
         CREATE INDEX ON people (lower(email)) WHERE amount > 100;
         CREATE TABLE calls (id integer PRIMARY KEY, code text REFERENCES people (code));
         INSERT INTO calls SELECT id, code FROM people",
    );
    raw.exec("postgres", "UPDATE people SET email = 'zqdeadrow@example.org' WHERE id % 4 = 0");
    raw.exec("postgres", "UPDATE people SET email = md5(email || id) WHERE id % 4 = 0; ANALYZE");
    raw.stop();
    let people = "id = \"keep\"\ncode = \"alphanumeric\"\nemail = \"email\"\nphone = \"phone\"\n\
                  amount = \"numeric\"\nborn = { mask = \"date_shift\", days = 30 }\n\
                  seen = { mask = \"timestamp_shift\", seconds = 9999 }\ntoken = \"uuid\"\n\
                  late = \"text\"";
    let tables = [("public.people", people), ("public.calls", "id = \"keep\"")];
    let rules = Rules::for_tables(&sandbox, "rules.toml", "postgres", &tables);
    let mut pool = Pool::new(&sandbox);
    let bin = servers.bin().to_str().expect("a path in UTF-8").to_owned();
    pool.env.push(("THINVEIL_PG_BIN".into(), bin));
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    assert_eq!(snapshot.json["major"], major);
    assert_eq!(snapshot.count("layout_deviations"), 0);

    let clone = pool.clone_of(&snapshot.id, &[]);
    let number = clone.value("postgres", "SHOW server_version_num");
    assert!(number.starts_with(&major.to_string()), "{number}");
    raw.start();
    assert_same_layout(&raw, &clone, &rules);
    let needles: Needles = originals_of(&raw, &rules);
    assert!(needles.len() > 20_000, "{}", needles.len());
    let hits = needles.find_below(pool.dir());
    assert!(hits.is_empty(), "{:#?}", &hits[..hits.len().min(20)]);
    assert_foreign_keys_hold(&clone);
    assert_eq!(verify_heapam_findings(&clone, "postgres"), Vec::<String>::new());
    pool.json(&["clone", "stop", &clone.id]);
    pool.json(&["clone", "start", &clone.id]);
    assert_eq!(clone.value("postgres", "SELECT count(*) FROM people"), "5000");
    pool.json(&["clone", "reset", &clone.id]);
    pool.json(&["clone", "destroy", &clone.id]);
}

#[test]
fn postgresql_13_is_masked_and_cloned() {
    masks_a_cluster_of(13);
}

#[test]
fn postgresql_14_is_masked_and_cloned() {
    masks_a_cluster_of(14);
}

#[test]
fn postgresql_16_is_masked_and_cloned() {
    masks_a_cluster_of(16);
}

#[test]
fn postgresql_17_is_masked_and_cloned() {
    masks_a_cluster_of(17);
}

#[test]
fn postgresql_18_is_masked_and_cloned() {
    masks_a_cluster_of(18);
}

fn drops_blanks_and_computes_on(major: u16) {
    let sandbox = Sandbox::new();
    let servers = Servers::npm(major);
    let mut raw = servers.init(&sandbox, "raw", &["--data-checksums"]);
    raw.start();
    raw.exec("postgres", "CREATE DATABASE gone");
    raw.exec(
        "postgres",
        "CREATE DATABASE old ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    );
    raw.exec(
        "gone",
        "CREATE TABLE t AS SELECT 'zqsecret row ' || i AS a FROM generate_series(1, 99) i",
    );
    raw.exec(
        "old",
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN RAISE EXCEPTION ''fired''; END';
         CREATE TABLE t (id int PRIMARY KEY, name text,
             large text GENERATED ALWAYS AS (upper(name)) STORED);
         CREATE TRIGGER tell BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tell();
         ALTER TABLE t ENABLE ALWAYS TRIGGER tell;
         CREATE INDEX ON t (large);
         INSERT INTO t SELECT i, 'jérôme original ' || i FROM generate_series(1, 500) AS i;
         SELECT lo_from_bytea(0, convert_to(repeat('zqlarge object', 900), 'UTF8'))",
    );
    if major >= 18 {
        raw.exec("old", "ALTER TABLE t ADD seen text GENERATED ALWAYS AS (name || '!') VIRTUAL");
    }
    raw.stop();
    let text = "version = 1\nunlisted_databases = \"drop\"\n\
                [databases.old]\nlarge_objects = \"blank\"\n\
                [databases.old.tables.\"public.t\"]\n\
                id = \"keep\"\nname = \"text\"\nallow_relayout = true\n";
    let rules = Rules::write(&sandbox, "rules.toml", text);
    let mut pool = Pool::new(&sandbox);
    pool.env.push(("THINVEIL_PG_BIN".into(), servers.bin().to_str().unwrap().to_owned()));
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    let mut originals = vec!["zqsecret row".to_owned(), "zqlarge object".to_owned()];
    originals.extend((100..=500).map(|i| format!("original {i}")));
    originals.extend((100..=500).map(|i| format!("ORIGINAL {i}")));
    assert_gone(&snapshot, &originals);
    let clone = pool.clone_of(&snapshot.id, &[]);
    assert_eq!(clone.databases(), ["old", "postgres"]);
    assert_eq!(verify_heapam_findings(&clone, "old"), Vec::<String>::new());
    let masked = "SELECT count(*) FROM t WHERE large = upper(name) AND octet_length(name) > 16
                  AND name !~* 'original'";
    assert_eq!(clone.value("old", masked), "500");
    let object =
        "SELECT length(lo_get(oid)) || ' ' || (lo_get(oid) = decode(repeat('00', 12600), 'hex'))
                  FROM pg_largeobject_metadata";
    assert_eq!(clone.value("old", object), "12600 true");
    if major >= 18 {
        assert_eq!(clone.value("old", "SELECT count(*) FROM t WHERE seen = name || '!'"), "500");
    }
}

#[test]
fn the_oldest_major_drops_blanks_and_computes() {
    drops_blanks_and_computes_on(13);
}

#[test]
fn the_newest_major_drops_blanks_and_computes() {
    drops_blanks_and_computes_on(18);
}
