//! Originals that stand as literals in code: named, kept by the user's word, or rewritten.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::{
    Base, Cluster, Needles, Pool, Queries, Rules, Sandbox, Servers, assert_checkers_find_nothing,
};

/// `%n%` is the address of row n.
const SCHEMA: &str = "
    CREATE VIEW vip WITH (security_barrier) AS SELECT id AS who, email FROM people WHERE email = '%1%';
    CREATE MATERIALIZED VIEW vips AS SELECT id FROM people WHERE email IN ('%2%', '%20%');
    CREATE RULE r AS ON UPDATE TO people WHERE OLD.email = '%3%' DO INSTEAD NOTHING;
    CREATE FUNCTION f() RETURNS int LANGUAGE sql AS
        'SELECT id FROM people WHERE email = ''%4%'' -- as agreed';
    CREATE FUNCTION g(x text) RETURNS boolean LANGUAGE plpgsql AS
        $$BEGIN IF x = '%5%' THEN RETURN true; END IF; RETURN false; END$$;
    CREATE FUNCTION h() RETURNS int BEGIN ATOMIC SELECT id FROM people WHERE email = '%6%'; END;
    CREATE FUNCTION k(x text DEFAULT '%7%') RETURNS text LANGUAGE sql AS 'SELECT x';
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER t BEFORE UPDATE ON people FOR EACH ROW WHEN (NEW.email = '%8%')
        EXECUTE FUNCTION nothing();
    ALTER TABLE people ALTER email SET DEFAULT '%9%';
    ALTER TABLE people ADD CONSTRAINT only_ten CHECK (email <> '%10%' OR id = 10);
    CREATE INDEX eleven ON people (id) WHERE email = '%11%';
    CREATE PUBLICATION p FOR TABLE people WHERE (email <> '%12%');
    CREATE TYPE mood AS ENUM ('%13%', 'other');
    CREATE POLICY pol ON people USING (email <> '%14%') WITH CHECK (email <> '%14%');
    CREATE DOMAIN d AS text DEFAULT '%15%' CONSTRAINT dc CHECK (VALUE <> '%16%');
    CREATE STATISTICS s ON (email = '%17%'), id FROM people;
    CREATE VIEW large AS SELECT id FROM people;
    CREATE TABLE parts (k text) PARTITION BY LIST (k);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN ('%18%');
    CREATE FUNCTION dynamic() RETURNS void LANGUAGE plpgsql AS
        $$BEGIN EXECUTE 'SELECT ''%19%'''; END$$;";

/// The objects of the schema, as the rules name them, with true for those that can be rewritten.
const OBJECTS: [(&str, bool); 20] = [
    ("default value for public.people.email", true),
    ("domain constraint dc on public.d", true),
    ("function public.dynamic()", false),
    ("function public.f()", true),
    ("function public.g(pg_catalog.text)", true),
    ("function public.h()", true),
    ("function public.k(pg_catalog.text)", true),
    ("index public.eleven", true),
    ("materialized view public.vips", true),
    ("policy pol on public.people", true),
    ("publication relation public.people in publication p", true),
    ("rule r on public.people", true),
    ("statistics object public.s", true),
    ("table constraint only_ten on public.people", true),
    ("table public.parts_1", false),
    ("trigger t on public.people", true),
    ("type public.d", true),
    ("type public.mood", true),
    ("view public.large", true),
    ("view public.vip", true),
];

/// What PostgreSQL says that the objects are, one line each.
const DEFINITIONS: &str = "
    SELECT 'vip', pg_get_viewdef('vip'::regclass) || reloptions::text FROM pg_class
        WHERE oid = 'vip'::regclass
    UNION ALL SELECT 'large', pg_get_viewdef('large'::regclass)
    UNION ALL SELECT 'vips', pg_get_viewdef('vips'::regclass)
    UNION ALL SELECT rulename, pg_get_ruledef(oid) FROM pg_rewrite WHERE rulename = 'r'
    UNION ALL SELECT proname, pg_get_functiondef(oid) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'default', pg_get_expr(adbin, adrelid) FROM pg_attrdef
    UNION ALL SELECT conname, pg_get_constraintdef(oid) || convalidated FROM pg_constraint
        WHERE conname IN ('only_ten', 'dc')
    UNION ALL SELECT 'eleven', pg_get_indexdef('eleven'::regclass)
    UNION ALL SELECT 'publication', pg_get_expr(prqual, prrelid) FROM pg_publication_rel
    UNION ALL SELECT 'mood', enum_range(NULL::mood)::text
    UNION ALL SELECT 'pol', pg_get_expr(polqual, polrelid) || pg_get_expr(polwithcheck, polrelid)
        FROM pg_policy
    UNION ALL SELECT 'd', typdefault || pg_get_expr(typdefaultbin, 0) FROM pg_type WHERE typname = 'd'
    UNION ALL SELECT 's', pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
    UNION ALL SELECT 'parts_1', pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'parts_1'";

const ROWS: usize = 500;

/// Row filters came with 15, bodies in standard SQL with 14.
fn knows_all_kinds() -> bool {
    let major = Servers::tested().major();
    if major < 15 {
        eprintln!("skipped: PostgreSQL {major} does not have all kinds of objects");
    }
    major >= 15
}

fn emails(server: &impl Queries) -> Vec<String> {
    let rows = server.rows("postgres", "SELECT email FROM people ORDER BY id");
    rows.into_iter().map(|row| row[0].clone().expect("an address")).collect()
}

fn planted(sandbox: &Sandbox, schema: &str) -> (Cluster, Vec<String>) {
    let mut raw = Base::Empty.copy(sandbox, "raw");
    raw.start();
    raw.exec(
        "postgres",
        &format!(
            "CREATE TABLE people (id integer PRIMARY KEY, email text);
             INSERT INTO people
                 SELECT i, md5(i::text) || '@example.org' FROM generate_series(1, {ROWS}) AS i"
        ),
    );
    let emails = emails(&raw);
    let mut schema = schema.to_owned();
    for (email, row) in emails.iter().zip(1..) {
        schema = schema.replace(&format!("%{row}%"), email);
    }
    raw.exec("postgres", &schema);
    // A view whose tree does not fit into its row.
    let others =
        "SELECT string_agg(quote_literal(md5(i::text)), ',') FROM generate_series(1000, 1200) AS i";
    let others = raw.value("postgres", others);
    let large = schema.contains("VIEW large").then(|| {
        format!(
            "CREATE OR REPLACE VIEW large AS SELECT id FROM people
             WHERE email = '{}' AND email NOT IN ({others})",
            emails[20]
        )
    });
    large.into_iter().for_each(|large| raw.exec("postgres", &large));
    (raw, emails)
}

fn rules(sandbox: &Sandbox, name: &str, objects: &str) -> Rules {
    let text = format!(
        "version = 1\n[databases.postgres]\nunlisted = \"keep\"\n[databases.postgres.objects]\n\
         {objects}\n[databases.postgres.tables.\"public.people\"]\nid = \"keep\"\n\
         email = {{ mask = \"email\", confirm_check = true }}\n"
    );
    Rules::write(sandbox, name, &text)
}

fn lines(rule: impl Fn(bool) -> &'static str) -> String {
    let line = |(object, can): &(&str, bool)| format!("{object:?} = \"{}\"\n", rule(*can));
    OBJECTS.iter().map(line).collect()
}

fn text(refusal: &Value, key: &str) -> String {
    refusal[key].as_str().unwrap_or_default().to_owned()
}

/// Values, and how they stand in the trees of catalogs.
fn needles<'a>(values: impl IntoIterator<Item = &'a String>) -> Needles {
    let mut needles = Needles::new();
    for value in values {
        needles.add(value, value.as_bytes());
        let numbers: Vec<String> = value.bytes().map(|byte| byte.to_string()).collect();
        needles.add(&format!("{value} in a tree"), numbers.join(" ").as_bytes());
    }
    needles
}

#[test]
fn every_kind_of_object_with_an_original_is_refused_by_name_and_accepted_by_name() {
    if !knows_all_kinds() {
        return;
    }
    let sandbox = Sandbox::new();
    let (mut raw, emails) = planted(&sandbox, SCHEMA);
    raw.stop();
    let pool = Pool::new(&sandbox);
    let outcome = pool.try_snapshot(raw.source(), rules(&sandbox, "none.toml", "").path(), &[]);
    let refusals = outcome.refusals();
    assert_eq!(refusals.len(), OBJECTS.len(), "{refusals:#?}");
    for (refusal, (object, _)) in refusals.iter().zip(OBJECTS) {
        assert_eq!(text(refusal, "code"), "literal");
        assert_eq!(text(refusal, "database"), "postgres");
        assert!(text(refusal, "message").ends_with(&format!("in {object}")), "{refusal}");
        assert!(text(refusal, "remedy").ends_with(&format!("{object:?} = \"keep\"")), "{refusal}");
    }
    for email in &emails {
        assert!(!outcome.text().contains(email), "the refusal shows what it found");
    }
    assert_eq!(pool.remains(), Vec::<String>::new());

    // The lines of the remedies, pasted.
    let pasted: Vec<String> = refusals
        .iter()
        .map(|refusal| text(refusal, "remedy").lines().last().unwrap_or_default().to_owned())
        .collect();
    let kept = rules(&sandbox, "kept.toml", &pasted.join("\n"));
    let snapshot = pool.snapshot(raw.source(), kept.path(), &[]);
    let named: Vec<String> = snapshot.json["literals"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|object| {
            assert_eq!(text(object, "rule"), "keep");
            assert_eq!(object["columns"][0], "public.people.email");
            text(object, "object")
        })
        .collect();
    assert!(named.iter().eq(OBJECTS.iter().map(|(object, _)| object)), "{named:?}");
    assert_eq!(snapshot.count("literals_accepted"), 21);
    let clone = pool.clone_of(&snapshot.id, &[]);
    let default = clone.value("postgres", "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef");
    assert_eq!(default, format!("'{}'::text", emails[8]));

    let page = sandbox.join("report.html");
    pool.json(&["snapshot", "report", &snapshot.id, "--html", page.to_str().unwrap()]);
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("postgres: table constraint only_ten on public.people"));

    // One that is left out is refused all the same.
    let all_but_one = rules(&sandbox, "one.toml", &pasted[1..].join("\n"));
    let refusals = pool.try_snapshot(raw.source(), all_but_one.path(), &[]).refusals();
    assert_eq!(refusals.len(), 1, "{refusals:#?}");
}

#[test]
fn rewritten_objects_differ_in_their_literals_alone_and_work_on_masked_rows() {
    if !knows_all_kinds() {
        return;
    }
    let sandbox = Sandbox::new();
    let (mut raw, before) = planted(&sandbox, SCHEMA);
    let pool = Pool::new(&sandbox);
    raw.stop();
    let all = rules(&sandbox, "all.toml", &lines(|_| "rewrite"));
    let refusals = pool.try_snapshot(raw.source(), all.path(), &[]).refusals();
    assert_eq!(refusals.len(), 2, "{refusals:#?}");
    for (refusal, object) in
        refusals.iter().zip(["function public.dynamic()", "table public.parts_1"])
    {
        assert_eq!(text(refusal, "code"), "literal_rewrite");
        assert!(text(refusal, "message").contains(object), "{refusal}");
    }

    let some = rules(&sandbox, "some.toml", &lines(|can| if can { "rewrite" } else { "keep" }));
    let snapshot = pool.snapshot(raw.source(), some.path(), &[]);
    assert_eq!(snapshot.count("layout_deviations"), 0);
    let clone = pool.clone_of(&snapshot.id, &[]);
    let after = emails(&clone);
    raw.start();
    let definitions = |server: &dyn Fn(&str) -> Vec<Vec<Option<String>>>| {
        let rows = server(DEFINITIONS).into_iter();
        rows.map(|row| (row[0].clone(), row[1].clone().expect("a definition")))
            .collect::<BTreeMap<_, _>>()
    };
    let mut expected = definitions(&|sql| raw.rows("postgres", sql));
    for (name, definition) in &mut expected {
        if !["parts_1", "dynamic"].contains(&name.as_deref().unwrap_or_default()) {
            for (from, to) in before.iter().zip(&after) {
                *definition = definition.replace(from, to);
            }
        }
    }
    assert_eq!(expected.len(), 21);
    assert_eq!(definitions(&|sql| clone.rows("postgres", sql)), expected);

    // The same rows as in production.
    for (sql, row) in [
        ("SELECT who FROM vip", "1"),
        ("SELECT string_agg(id::text, ',' ORDER BY id) FROM vips", "2,20"),
        ("SELECT f()", "4"),
        ("SELECT id FROM people WHERE g(email)", "5"),
        ("SELECT h()", "6"),
        ("SELECT id FROM large", "21"),
        ("SELECT id FROM people WHERE email = k()", "7"),
        ("SELECT id FROM people WHERE email = enum_first(NULL::mood)::text", "13"),
    ] {
        assert_eq!(raw.value("postgres", sql), row, "{sql}");
        assert_eq!(clone.value("postgres", sql), row, "{sql}");
    }
    let indexed = format!("SELECT id FROM people WHERE email = '{}'", after[10]);
    let plan = clone.value("postgres", &format!("SET enable_seqscan = off; EXPLAIN {indexed}"));
    assert!(plan.contains("eleven"), "{plan}");
    assert_eq!(clone.value("postgres", &indexed), "11");
    assert_checkers_find_nothing(&snapshot, &clone);

    let gone = before.iter().enumerate().filter(|(index, _)| ![17, 18].contains(index));
    let needles = needles(gone.map(|(_, value)| value));
    assert_eq!(needles.find_below(&snapshot.data()), Vec::<String>::new());

    // A view's tree is compressed and out of line: of the old one, some chunk is nowhere.
    let mut old = Needles::new();
    let chunks = raw.rows(
        "postgres",
        "SELECT encode(chunk_data, 'hex'), chunk_seq FROM pg_toast.pg_toast_2618
         WHERE chunk_id = (SELECT max(chunk_id) FROM pg_toast.pg_toast_2618)
               AND chunk_id >= 16384",
    );
    for chunk in &chunks {
        let hex = chunk[0].as_deref().expect("a chunk");
        let digits = hex.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("digits"));
        let bytes = digits.map(|pair| u8::from_str_radix(pair, 16).expect("a byte"));
        old.add(chunk[1].as_deref().expect("a number"), &bytes.collect::<Vec<u8>>());
    }
    assert!(old.len() == chunks.len() && !chunks.is_empty());
    let found_in = |directory: &std::path::Path| {
        let found = old.find_below(directory).into_iter();
        let chunk = |hit: String| {
            hit.split_once(": ").expect("a file").1.split(' ').next().map(str::to_owned)
        };
        found.filter_map(chunk).collect::<std::collections::BTreeSet<_>>().len()
    };
    raw.stop();
    assert_eq!(found_in(raw.data()), chunks.len());
    assert!(found_in(&snapshot.data()) < chunks.len());
}

#[test]
fn the_search_for_originals_in_catalogs_finds_what_is_kept() {
    let sandbox = Sandbox::new();
    let default = "ALTER TABLE people ALTER email SET DEFAULT '%1%'";
    let (mut raw, emails) = planted(&sandbox, default);
    raw.stop();
    let pool = Pool::new(&sandbox);
    let kept = rules(&sandbox, "kept.toml", "\"default value for public.people.email\" = \"keep\"");
    let snapshot = pool.snapshot(raw.source(), kept.path(), &[]);
    assert_ne!(needles(&emails[..1]).find_below(&snapshot.data()), Vec::<String>::new());
}

#[test]
fn an_original_of_two_columns_with_different_masks_is_not_rewritten() {
    let sandbox = Sandbox::new();
    let schema = "CREATE TABLE others (mail text); INSERT INTO others SELECT email FROM people;
                  CREATE VIEW vip AS SELECT id FROM people WHERE email = '%1%'";
    let (mut raw, _) = planted(&sandbox, schema);
    raw.stop();
    let pool = Pool::new(&sandbox);
    let with = |name: &str, mask: &str| {
        let one = rules(&sandbox, name, "\"view public.vip\" = \"rewrite\"");
        let mut text = std::fs::read_to_string(one.path()).unwrap();
        text += &format!("[databases.postgres.tables.\"public.others\"]\nmail = {mask}\n");
        Rules::write(&sandbox, name, &text)
    };
    let differ = with("differ.toml", "\"text\"");
    let refusals = pool.try_snapshot(raw.source(), differ.path(), &[]).refusals();
    assert_eq!(refusals.len(), 1, "{refusals:#?}");
    assert_eq!(text(&refusals[0], "code"), "literal_rewrite");
    assert!(text(&refusals[0], "message").contains("different values"), "{}", refusals[0]);
    pool.snapshot(raw.source(), with("agree.toml", "\"email\"").path(), &[]);
}

#[test]
fn a_rule_for_an_object_that_is_not_there_is_refused_with_the_nearest() {
    let sandbox = Sandbox::new();
    let (mut raw, _) = planted(&sandbox, "CREATE VIEW vip AS SELECT id FROM people");
    raw.stop();
    let wrong = rules(&sandbox, "wrong.toml", "\"view public.vipp\" = \"keep\"");
    let refusals = Pool::new(&sandbox).try_snapshot(raw.source(), wrong.path(), &[]).refusals();
    assert_eq!(refusals.len(), 1, "{refusals:#?}");
    assert_eq!(text(&refusals[0], "code"), "unknown_object");
    assert_eq!(text(&refusals[0], "remedy"), "did you mean \"view public.vip\"?");
}

#[test]
fn a_constraint_that_is_not_true_of_masked_rows_is_refused() {
    let sandbox = Sandbox::new();
    // The column that it is about is kept, and holds the literal.
    let schema = "CREATE TABLE codes (code text CONSTRAINT one CHECK (code = '%1%' || 'x'))";
    let (mut raw, emails) = planted(&sandbox, schema);
    raw.exec("postgres", &format!("INSERT INTO codes VALUES ('{}x')", emails[0]));
    raw.stop();
    let rewritten =
        rules(&sandbox, "rules.toml", "\"table constraint one on public.codes\" = \"rewrite\"");
    let refusals = Pool::new(&sandbox).try_snapshot(raw.source(), rewritten.path(), &[]).refusals();
    assert_eq!(refusals.len(), 1, "{refusals:#?}");
    assert_eq!(text(&refusals[0], "code"), "literal_rewrite");
    assert!(text(&refusals[0], "message").contains("not true"), "{}", refusals[0]);
}

#[test]
fn literals_of_other_types_are_found_as_they_are_stored_and_still_find_their_row() {
    let sandbox = Sandbox::new();
    let schema = "
        CREATE TABLE cards (id int, number bigint, token uuid, holder char(30), paid timestamptz);
        INSERT INTO cards SELECT i, 4111000000000000 + i * 7919, md5(i::text)::uuid,
            'Holder of number ' || i, '2020-01-01 00:00:01+00'::timestamptz + i * interval '1 day 1 s'
            FROM generate_series(1, 300) AS i;
        CREATE VIEW by_number AS SELECT id FROM cards WHERE number = 4111000000007919;
        CREATE VIEW by_token AS SELECT id FROM cards WHERE token = 'c81e728d-9d4c-2f63-6f06-7f89cc14862c';
        CREATE VIEW by_holder AS SELECT id FROM cards WHERE holder = 'Holder of number 3';
        CREATE VIEW by_time AS SELECT id FROM cards
            WHERE paid = '2020-01-05 00:00:05+00'::timestamptz;";
    let (mut raw, _) = planted(&sandbox, schema);
    raw.stop();
    let with = |name: &str, objects: &str| {
        let mut text = std::fs::read_to_string(rules(&sandbox, name, objects).path()).unwrap();
        text += "[databases.postgres.tables.\"public.cards\"]\nid = \"keep\"\nnumber = \"integer\"\n\
                 token = \"uuid\"\nholder = \"text\"\n\
                 paid = { mask = \"date_shift\", days = 900 }\n";
        Rules::write(&sandbox, name, &text)
    };
    let pool = Pool::new(&sandbox);
    let views = [
        "view public.by_holder",
        "view public.by_number",
        "view public.by_time",
        "view public.by_token",
    ];
    let refusals = pool.try_snapshot(raw.source(), with("none.toml", "").path(), &[]).refusals();
    assert_eq!(refusals.len(), 4, "{refusals:#?}");
    let lines: String = views.iter().map(|view| format!("{view:?} = \"rewrite\"\n")).collect();
    let snapshot = pool.snapshot(raw.source(), with("all.toml", &lines).path(), &[]);
    let clone = pool.clone_of(&snapshot.id, &[]);
    for (view, row) in [("by_number", "1"), ("by_token", "2"), ("by_holder", "3"), ("by_time", "4")]
    {
        assert_eq!(clone.value("postgres", &format!("SELECT id FROM {view}")), row, "{view}");
    }
}
