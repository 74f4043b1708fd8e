//! What is refused, with every reason at once, before anything is written.

use serde_json::Value;

use crate::common::{Base, Cluster, Outcome, Pool, Queries, Rules, Sandbox};

/// A cluster with these tables in `postgres`, a pool, and an attempt with these rules.
struct Attempt {
    raw: Cluster,
    pool: Pool,
    sandbox: Sandbox,
}

impl Attempt {
    fn new(sql: &str) -> Attempt {
        let sandbox = Sandbox::new();
        let mut raw = Base::Empty.copy(&sandbox, "raw");
        raw.start();
        for statement in sql.split("\n--\n") {
            raw.exec("postgres", statement);
        }
        raw.stop();
        let pool = Pool::new(&sandbox);
        Attempt { raw, pool, sandbox }
    }

    fn run(&self, tables: &[(&str, &str)]) -> Outcome {
        let rules = Rules::for_tables(&self.sandbox, "rules.toml", "postgres", tables);
        self.pool.try_snapshot(self.raw.source(), rules.path(), &[])
    }

    /// Refused; nothing is left; the reasons.
    #[track_caller]
    fn refused(&self, tables: &[(&str, &str)]) -> Vec<Value> {
        let outcome = self.run(tables);
        let refusals = outcome.refusals();
        assert_eq!(self.pool.remains(), Vec::<String>::new());
        assert_eq!(self.pool.ids("snapshot"), Vec::<String>::new());
        refusals
    }

    #[track_caller]
    fn accepted(&self, tables: &[(&str, &str)]) {
        self.run(tables).expect_code(0);
    }
}

/// The refusals of one column.
fn of<'a>(refusals: &'a [Value], table: &str, column: &str) -> Vec<&'a Value> {
    refusals
        .iter()
        .filter(|refusal| refusal["table"] == table && refusal["column"] == column)
        .collect()
}

#[track_caller]
fn assert_one(refusals: &[Value], table: &str, column: &str, words: &[&str]) {
    let found = of(refusals, table, column);
    assert_eq!(found.len(), 1, "{table}.{column} in {refusals:#?}");
    let text = format!("{} {}", found[0]["message"], found[0]["remedy"]).to_lowercase();
    for word in words {
        assert!(text.contains(&word.to_lowercase()), "{word:?} is not in {text}");
    }
    assert_eq!(found[0]["database"], "postgres");
}

#[test]
fn unlisted_columns_are_listed_all_with_their_types_and_lines_to_paste() {
    let attempt = Attempt::new(
        "CREATE TABLE a (id integer PRIMARY KEY, email varchar(80), amount numeric(10, 2));
         CREATE SCHEMA s; CREATE TABLE s.b (born date, \"Odd name\" text)",
    );
    let refusals = attempt.refused(&[("public.a", "id = \"keep\"")]);
    assert_eq!(refusals.len(), 4, "{refusals:#?}");
    assert_one(&refusals, "public.a", "email", &["character varying(80)", "email"]);
    assert_one(&refusals, "public.a", "amount", &["numeric(10,2)", "amount = "]);
    assert_one(&refusals, "s.b", "born", &["date", "born = "]);
    assert_one(&refusals, "s.b", "Odd name", &["text", "\\\"Odd name\\\" = "]);

    // The lines that are offered for pasting are rules.
    let line = |table: &str, column: &str| {
        let found = of(&refusals, table, column);
        let remedy = found[0]["remedy"].as_str().unwrap();
        let line = remedy.lines().find(|line| line.contains(" = ")).unwrap_or_default();
        line.trim().to_owned()
    };
    let a = format!("id = \"keep\"\n{}\n{}", line("public.a", "email"), line("public.a", "amount"));
    let b = format!("{}\n{}", line("s.b", "born"), line("s.b", "Odd name"));
    attempt.accepted(&[("public.a", &a), ("s.b", &b)]);
}

#[test]
fn a_refusal_reads_well_without_json() {
    let attempt = Attempt::new("CREATE TABLE a (id integer, email text, note text)");
    let rules = Rules::for_tables(&attempt.sandbox, "rules.toml", "postgres", &[]);
    let create = ["snapshot", "create", "--source", attempt.raw.source()];
    let mut command = attempt.pool.command_for_people(&create);
    command.arg("--rules").arg(rules.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stderr).unwrap();
    for word in ["public.a.id", "public.a.email", "public.a.note", "integer", "text"] {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

#[test]
fn unknown_names_are_refused_together() {
    let attempt = Attempt::new("CREATE TABLE a (id integer, email text)");
    let refusals = attempt.refused(&[
        ("public.a", "id = \"keep\"\nemail = \"email\"\nemial = \"email\""),
        ("public.gone", "id = \"keep\""),
    ]);
    assert_one(&refusals, "public.a", "emial", &["does not have", "did you mean"]);
    assert!(refusals.iter().any(|refusal| refusal["table"] == "public.gone"), "{refusals:#?}");
    let rules = Rules::for_tables(&attempt.sandbox, "other.toml", "nowhere", &[]);
    let text = std::fs::read_to_string(rules.path()).unwrap()
        + "[databases.nowhere.tables.\"public.t\"]\nid = \"keep\"\n\
           [databases.postgres.tables.\"public.a\"]\nid = \"keep\"\nemail = \"email\"\n";
    let rules = Rules::write(&attempt.sandbox, "other.toml", &text);
    let outcome = attempt.pool.try_snapshot(attempt.raw.source(), rules.path(), &[]);
    assert!(outcome.refusals().iter().any(|refusal| refusal["database"] == "nowhere"));
}

#[test]
fn a_mask_that_does_not_go_with_the_type_is_refused() {
    let attempt = Attempt::new(
        "CREATE TABLE a (n integer, d date, t text, j jsonb, p tsquery, k tsvector, r int4range[], u regclass)",
    );
    let rules = "n = \"email\"\nd = \"first_name\"\nt = \"integer\"\nj = \"date_shift\"\np = \"redact\"\n\
                 k = \"keep\"\nr = \"keep\"\nu = \"redact\"";
    let refusals = attempt.refused(&[("public.a", rules)]);
    assert_one(&refusals, "public.a", "n", &["email", "integer"]);
    assert_one(&refusals, "public.a", "d", &["first_name", "date"]);
    assert_one(&refusals, "public.a", "t", &["integer", "text"]);
    assert_one(&refusals, "public.a", "j", &["date_shift"]);
    assert_one(&refusals, "public.a", "p", &["lexemes", "alphanumeric"]);
    assert_one(&refusals, "public.a", "u", &["regclass"]);
    assert_eq!(refusals.len(), 6, "{refusals:#?}");
}

#[test]
fn a_unique_column_needs_a_permutation() {
    let attempt = Attempt::new(
        "CREATE TABLE a (id integer PRIMARY KEY, email text UNIQUE, code text UNIQUE, host text);
         CREATE UNIQUE INDEX host_lower ON a (lower(host));
         INSERT INTO a SELECT i, 'u' || i || '@x.org', 'code-' || i, 'Host' || i FROM generate_series(1, 99) AS i",
    );
    let refusals = attempt.refused(&[(
        "public.a",
        "id = \"keep\"\nemail = \"email\"\ncode = \"alphanumeric\"\nhost = \"city\"",
    )]);
    assert_one(&refusals, "public.a", "email", &["unique", "alphanumeric"]);
    assert_one(&refusals, "public.a", "host", &["unique"]);
    assert_eq!(refusals.len(), 2, "{refusals:#?}");
    attempt.accepted(&[(
        "public.a",
        "id = \"integer\"\nemail = \"alphanumeric\"\ncode = \"alphanumeric\"\nhost = \"keep\"",
    )]);
}

#[test]
fn a_check_that_masked_data_could_break_is_refused_until_confirmed() {
    let attempt = Attempt::new(
        "CREATE TABLE a (id integer PRIMARY KEY, country text CONSTRAINT known CHECK (country IN ('DE', 'FR')));
         INSERT INTO a VALUES (1, 'DE')",
    );
    let refusals = attempt.refused(&[("public.a", "id = \"keep\"\ncountry = \"redact\"")]);
    assert_one(&refusals, "public.a", "country", &["known", "confirm_check"]);
    let rule = "id = \"keep\"\ncountry = { mask = \"redact\", confirm_check = true }";
    attempt.accepted(&[("public.a", rule)]);
}

#[test]
fn partition_keys_and_generated_columns_are_refused() {
    let attempt = Attempt::new(
        "CREATE TABLE p (day date, who text) PARTITION BY RANGE (day);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
         CREATE TABLE l (country text, who text) PARTITION BY LIST (lower(country));
         CREATE TABLE l1 PARTITION OF l FOR VALUES IN ('de');
         CREATE TABLE g (email text, host text GENERATED ALWAYS AS (split_part(email, '@', 2)) STORED)",
    );
    let refusals = attempt.refused(&[
        ("public.p", "day = { mask = \"date_shift\", days = 3 }\nwho = \"keep\""),
        ("public.l", "country = \"redact\"\nwho = \"keep\""),
        ("public.g", "email = \"email\"\nhost = \"keep\""),
    ]);
    assert_one(&refusals, "public.p", "day", &["partition"]);
    assert_one(&refusals, "public.l", "country", &["partition"]);
    let generated = refusals.iter().any(|refusal| {
        refusal["table"] == "public.g" && refusal["message"].as_str().unwrap().contains("generated")
    });
    assert!(generated, "{refusals:#?}");
}

#[test]
fn indexes_over_masked_columns_are_no_obstacle() {
    let attempt = Attempt::new(
        "CREATE TABLE a (id integer PRIMARY KEY, email text, n numeric);
         CREATE INDEX ON a (lower(email)) WHERE n > 10; CREATE INDEX ON a USING hash (email);
         CREATE INDEX ON a (id) INCLUDE (email); CREATE INDEX ON a USING brin (n);
         INSERT INTO a SELECT i, md5(i::text), i FROM generate_series(1, 500) AS i",
    );
    attempt.accepted(&[("public.a", "id = \"keep\"\nemail = \"text\"\nn = \"numeric\"")]);
}

#[test]
fn a_rule_against_its_foreign_key_is_refused_and_none_is_needed() {
    let attempt = Attempt::new(
        "CREATE TABLE a (code text PRIMARY KEY); CREATE TABLE b (code text REFERENCES a);
         INSERT INTO a VALUES ('code-one'); INSERT INTO b VALUES ('code-one')",
    );
    let parent = ("public.a", "code = \"alphanumeric\"");
    let refusals = attempt.refused(&[parent, ("public.b", "code = \"keep\"")]);
    assert_one(&refusals, "public.b", "code", &["public.a"]);
    attempt.accepted(&[parent]);
}

#[test]
fn rule_files_with_mistakes_are_refused_by_place() {
    let attempt = Attempt::new("CREATE TABLE a (id integer)");
    for (mistake, word) in [
        ("version = 1\nthis is no TOML", "line 2"),
        ("version = 7\n", "version"),
        ("version = 1\nunlisted = \"perhaps\"\n", "unlisted"),
        (
            "version = 1\n[databases.postgres.tables.\"public.a\"]\nid = \"no_such_mask\"",
            "no_such_mask",
        ),
        (
            "version = 1\n[databases.postgres.tables.\"public.a\"]\nid = { mask = \"keep\", dayz = 1 }",
            "dayz",
        ),
    ] {
        let rules = Rules::write(&attempt.sandbox, "mistake.toml", mistake);
        let outcome = attempt.pool.try_snapshot(attempt.raw.source(), rules.path(), &[]);
        assert!([1, 2, 3].contains(&outcome.code()), "{outcome:?}");
        assert!(outcome.text().contains(word), "{word:?} is not in {outcome:?}");
        assert!(outcome.text().contains("mistake.toml") || outcome.code() == 3, "{outcome:?}");
    }
    let missing = attempt.sandbox.join("missing.toml");
    let outcome = attempt.pool.try_snapshot(attempt.raw.source(), &missing, &[]);
    assert!([1, 2, 4].contains(&outcome.code()), "{outcome:?}");
    assert!(outcome.text().contains("missing.toml"), "{outcome:?}");
    assert_eq!(attempt.pool.remains(), Vec::<String>::new());
}

#[test]
fn rules_check_finds_what_snapshot_create_would_and_suggest_writes_rules_that_pass() {
    let attempt = Attempt::new(
        "CREATE TABLE people (id integer PRIMARY KEY, email text, first_name text, born date);
         INSERT INTO people SELECT i, md5(i::text) || '@example.org', 'Jane', '1980-01-01'
         FROM generate_series(1, 100) AS i",
    );
    let rules = Rules::for_tables(&attempt.sandbox, "none.toml", "postgres", &[]);
    let check = |path: &str| {
        attempt.pool.run(&["rules", "check", "--source", attempt.raw.source(), "--rules", path])
    };
    let unlisted = check(rules.path().to_str().unwrap()).refusals();
    assert_eq!(unlisted.iter().filter(|refusal| refusal["code"] == "unlisted_column").count(), 4);

    let mut suggest = attempt.pool.command(&["rules", "suggest", "--source", attempt.raw.source()]);
    let output = suggest.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = json["rules"].as_str().unwrap_or_else(|| panic!("no rules in {json}"));
    assert!(text.contains("email"), "{text}");
    let suggested = Rules::write(&attempt.sandbox, "suggested.toml", text);
    check(suggested.path().to_str().unwrap()).expect_code(0);
    assert_eq!(attempt.pool.remains(), Vec::<String>::new());
}
