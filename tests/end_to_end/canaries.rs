//! A canary of every masked domain in every place that PostgreSQL keeps something in: all are in
//! the raw copy, none is in the sealed snapshot.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{Base, Cluster, Pool, Queries, Rules, Sandbox};

/// A copy with canaries in it, and what `canary plant` wrote.
struct Planted {
    raw: Cluster,
    list: PathBuf,
    rules: PathBuf,
    told: Value,
}

/// Masks on text of several kinds: words, permutations, what keeps some characters, what keeps none.
const PEOPLE: &str = r#"
id = "keep"
name = "full_name"
email = { mask = "email", unique = true }
phone = "digits"
code = { mask = "partial", keep_first = 4 }
born = "date_shift"
number = "integer"
extra = { paths = { "$.note" = "text" }, default = "keep" }
"#;

fn utf8(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn plant(sandbox: &Sandbox, pool: &Pool) -> Planted {
    let mut raw = Base::Empty.copy(sandbox, "raw");
    raw.start();
    raw.exec(
        "postgres",
        "CREATE TABLE people (id integer PRIMARY KEY, name text, email text UNIQUE, phone text,
             code text, born date, extra jsonb, number bigserial);
         INSERT INTO people SELECT i, 'Name ' || md5(i::text), md5(i::text) || '@example.org',
             '+44 ' || i * 7919, md5('c' || i), date '1970-01-01' + i, '{\"note\": \"as agreed\"}'
         FROM generate_series(1, 500) AS i",
    );
    raw.stop();
    let rules = format!(
        "version = 1\n[databases.postgres]\nlarge_objects = \"blank\"\n\
         [databases.postgres.tables.\"public.people\"]{PEOPLE}"
    );
    let rules = Rules::write(sandbox, "rules.toml", &rules);
    let (list, extended) = (sandbox.join("canaries.json"), sandbox.join("canary-rules.toml"));
    let outcome = pool.run(&[
        "canary",
        "plant",
        "--into",
        raw.source(),
        "--rules",
        utf8(rules.path()),
        "--list",
        utf8(&list),
        "--rules-out",
        utf8(&extended),
    ]);
    let told = outcome.expect_code(0).json();
    Planted { raw, list, rules: extended, told }
}

fn check(pool: &Pool, planted: &Planted, of: &[&str], code: i32) -> Value {
    let list = utf8(&planted.list);
    pool.run(&[&["canary", "check", "--list", list], of].concat()).expect_code(code).json()
}

#[test]
fn canaries_are_in_the_raw_copy_and_not_in_the_snapshot() {
    let sandbox = Sandbox::new();
    let pool = Pool::new(&sandbox);
    let planted = plant(&sandbox, &pool);
    assert_eq!(
        planted.told["left_out"],
        serde_json::json!(["postgres: date_shift (date_shift)", "postgres: integer (integer)"])
    );

    let source = planted.raw.source();
    let raw = check(&pool, &planted, &["--raw", source], 0);
    let places = raw["places"].as_array().unwrap();
    assert!(places.len() > 100, "{places:?}");
    assert!(places.iter().all(|place| place["found"] == place["planted"]), "{places:?}");
    // The same directory, looked at as if it were masked.
    check(&pool, &planted, &["--dir", source], 1);

    let snapshot = pool.snapshot(source, &planted.rules, &[]);
    let clean = check(&pool, &planted, &[&snapshot.id], 0);
    assert_eq!(clean["hits"], serde_json::json!([]));
    assert!(clean["bytes"].as_u64().unwrap() > 1_000_000, "{}", clean["bytes"]);
    assert_eq!(snapshot.json["prepared_transactions_removed"], 1);
    let sequences = serde_json::json!(["postgres.public.people_number_seq"]);
    assert_eq!(snapshot.json["sequences"], sequences);

    // What was removed is counted, and files that PostgreSQL does not know are named.
    let removed = &snapshot.json["removed"];
    for key in ["subscriptions", "settings", "foreign_options", "comments", "security_labels"] {
        assert!(removed[key].as_u64().unwrap() > 0, "{key}: {removed}");
    }
    let unknown = removed["unknown_files"].as_array().unwrap();
    for file in ["core.4711", ".psql_history", "dump.sql", "pg_hba.conf.orig"] {
        assert!(unknown.iter().any(|name| name == file), "{unknown:?}");
    }
    assert!(unknown.iter().any(|name| name.as_str().unwrap().ends_with("/people.csv")));

    // It starts, and the subscription does not.
    let clone = pool.clone_of(&snapshot.id, &[]);
    assert_eq!(clone.value("postgres", "SELECT count(*) FROM people"), "500");
    assert_eq!(clone.value("postgres", "SELECT bool_or(subenabled) FROM pg_subscription"), "f");
}

#[test]
fn planting_leaves_no_result_where_it_can_not_work() {
    let sandbox = Sandbox::new();
    let pool = Pool::new(&sandbox);
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    let rules = Rules::write(
        &sandbox,
        "rules.toml",
        "version = 1\n[databases.postgres.tables.\"public.t\"]\na = \"text\"\n",
    );
    let (list, out) = (sandbox.join("list.json"), sandbox.join("out.toml"));
    let source = raw.source().to_owned();
    let plant = |expected: i32| {
        let outcome = pool.run(&[
            "canary",
            "plant",
            "--into",
            &source,
            "--rules",
            utf8(rules.path()),
            "--list",
            utf8(&list),
            "--rules-out",
            utf8(&out),
        ]);
        let said = outcome.expect_code(expected).text();
        assert!(!list.exists() && !out.exists(), "{said}");
        said
    };
    // Somewhere else may be production.
    let wal = raw.data().join("pg_wal");
    let elsewhere = sandbox.join("elsewhere");
    fs::rename(&wal, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &wal).unwrap();
    assert!(plant(1).contains("is a link"));
    fs::remove_file(&wal).unwrap();
    fs::rename(&elsewhere, &wal).unwrap();
    raw.start();
    assert!(plant(3).contains("runs on"));
    raw.stop();
}

#[test]
fn comments_that_the_rules_keep_stay() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    raw.exec(
        "postgres",
        "CREATE TABLE people (id integer, email text); COMMENT ON TABLE people IS 'who they are'",
    );
    raw.stop();
    let pool = Pool::new(&sandbox);
    for (name, line, expected) in
        [("keep", "comments = \"keep\"\n", "who they are"), ("not", "", "")]
    {
        let rules = format!(
            "version = 1\nunlisted = \"keep\"\n[databases.postgres]\n{line}\
             [databases.postgres.tables.\"public.people\"]\nemail = \"email\"\n"
        );
        let rules = Rules::write(&sandbox, &format!("{name}.toml"), &rules);
        let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
        let clone = pool.clone_of(&snapshot.id, &[]);
        let query = "SELECT coalesce(obj_description('people'::regclass), '')";
        assert_eq!(clone.value("postgres", query), expected);
    }
}
