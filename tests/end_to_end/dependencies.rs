//! What hangs together: trees of tables, keys, indexes, generated columns, databases, and large
//! objects.

use crate::common::{
    Base, Clone, Cluster, Needles, Outcome, Pool, Queries, Rules, Sandbox, Servers, Snapshot,
    assert_checkers_find_nothing, dump,
};

/// A stopped cluster in which statements have run, and a pool.
pub(crate) struct Scene {
    pub(crate) raw: Cluster,
    pool: Pool,
    sandbox: Sandbox,
}

impl Scene {
    pub(crate) fn new(statements: &[(&str, &str)]) -> Scene {
        let sandbox = Sandbox::new();
        let mut raw = Base::Empty.copy(&sandbox, "raw");
        raw.start();
        for (database, sql) in statements {
            raw.exec(database, sql);
        }
        raw.stop();
        let pool = Pool::new(&sandbox);
        Scene { raw, pool, sandbox }
    }

    pub(crate) fn attempt(&self, rules: &str) -> Outcome {
        let rules = Rules::write(&self.sandbox, "rules.toml", &format!("version = 1\n{rules}"));
        self.pool.try_snapshot(self.raw.source(), rules.path(), &[])
    }

    #[track_caller]
    pub(crate) fn refused(&self, rules: &str) -> Vec<String> {
        let refusals = self.attempt(rules).refusals();
        assert_eq!(self.pool.remains(), Vec::<String>::new());
        refusals.iter().map(|refusal| refusal["code"].as_str().unwrap().to_owned()).collect()
    }

    /// One more clone, which nobody has looked at.
    pub(crate) fn clone_of(&self, snapshot: &Snapshot) -> Clone {
        self.pool.clone_of(&snapshot.id, &[])
    }

    /// A snapshot, and a clone that every checker has looked at.
    #[track_caller]
    pub(crate) fn masked(&self, rules: &str) -> (Snapshot, Clone) {
        let rules = Rules::write(&self.sandbox, "rules.toml", &format!("version = 1\n{rules}"));
        let snapshot = self.pool.snapshot(self.raw.source(), rules.path(), &[]);
        let clone = self.pool.clone_of(&snapshot.id, &[]);
        assert_checkers_find_nothing(&snapshot, &clone);
        (snapshot, clone)
    }
}

#[track_caller]
pub(crate) fn assert_gone(snapshot: &Snapshot, originals: &[String]) {
    let mut needles = Needles::new();
    let taken = originals.iter().filter(|original| needles.add(original, original.as_bytes()));
    assert!(taken.count() > 0, "nothing to look for");
    assert_eq!(needles.find_below(&snapshot.volume), Vec::<String>::new());
}

#[test]
fn trees_of_tables_and_keys_across_schemas_are_masked_as_one() {
    let scene = Scene::new(&[(
        "postgres",
        "CREATE SCHEMA crm;
         CREATE TABLE crm.people (code text PRIMARY KEY);
         CREATE TABLE visits (day date, who text REFERENCES crm.people, note text)
             PARTITION BY RANGE (day);
         CREATE TABLE visits_20 PARTITION OF visits
             FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY LIST (note);
         CREATE TABLE visits_20_a (note text, gone int, who text, day date);
         ALTER TABLE visits_20_a DROP COLUMN gone;
         ALTER TABLE visits_20 ATTACH PARTITION visits_20_a FOR VALUES IN ('a');
         CREATE TABLE visits_21 (who text, note text, day date);
         ALTER TABLE visits ATTACH PARTITION visits_21
             FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
         CREATE TABLE visits_19 (note text, who text, day date);
         ALTER TABLE visits ATTACH PARTITION visits_19
             FOR VALUES FROM ('2019-01-01') TO ('2020-01-01');
         CREATE TABLE base (id int, body text);
         CREATE TABLE middle (extra text, body text, id int);
         ALTER TABLE middle INHERIT base;
         CREATE TABLE leaf (own text, body text, extra text, id int) ;
         ALTER TABLE leaf INHERIT middle;
         INSERT INTO crm.people SELECT 'original-' || i FROM generate_series(1, 300) AS i;
         INSERT INTO visits SELECT date '2019-01-01' + i * 3, 'original-' || i, 'a'
             FROM generate_series(1, 300) AS i;
         INSERT INTO base SELECT i, 'body-of-base-' || i FROM generate_series(1, 50) AS i;
         INSERT INTO middle SELECT 'extra-of-middle-' || i, 'body-of-middle-' || i, i
             FROM generate_series(1, 50) AS i;
         INSERT INTO leaf SELECT 'own-of-leaf-' || i, 'body-of-leaf-' || i, 'extra-of-leaf-' || i, i
             FROM generate_series(1, 50) AS i;
         ALTER TABLE visits DETACH PARTITION visits_19",
    )]);
    let rules = |detached: &str| {
        format!(
            "[databases.postgres.tables]
             \"crm.people\" = {{ code = \"alphanumeric\" }}
             \"public.visits\" = {{ day = \"keep\", note = \"keep\" }}
             \"public.base\" = {{ id = \"keep\", body = \"text\" }}
             \"public.middle\" = {{ extra = \"text\" }}
             \"public.leaf\" = {{ own = \"text\" }}
             {detached}"
        )
    };
    // A detached partition is a table of its own: its key follows, its other columns don't.
    assert_eq!(scene.refused(&rules("")), ["unlisted_column", "unlisted_column"]);
    let (snapshot, clone) =
        scene.masked(&rules("\"public.visits_19\" = { day = \"keep\", note = \"keep\" }"));
    let mut originals: Vec<String> = (1..=300).map(|i| format!("original-{i}")).collect();
    for table in ["base", "middle", "leaf"] {
        originals.extend((1..=50).map(|i| format!("body-of-{table}-{i}")));
    }
    originals.extend((1..=50).map(|i| format!("extra-of-leaf-{i}")));
    originals.extend((1..=50).map(|i| format!("own-of-leaf-{i}")));
    assert_gone(&snapshot, &originals);
    let rows = "SELECT count(*) FROM crm.people JOIN (SELECT who FROM visits UNION ALL
                SELECT who FROM visits_19) AS v ON v.who = code";
    assert_eq!(clone.value("postgres", rows), "300");
}

#[test]
fn indexes_of_every_access_method_find_what_the_tables_hold() {
    let statistics = match Servers::tested().major() {
        13 => "CREATE STATISTICS t_stats ON code, note FROM t",
        _ => "CREATE STATISTICS t_stats ON code, note, (lower(code)) FROM t",
    };
    let tables = (
        "postgres",
        "CREATE TABLE t (id int PRIMARY KEY, code text NOT NULL, note text, born date,
             EXCLUDE USING hash (code WITH =));
         CREATE UNIQUE INDEX t_code ON t (code);
         CREATE INDEX t_lower ON t (lower(code) text_pattern_ops);
         CREATE INDEX t_partial ON t (code) WHERE note > 'm';
         CREATE INDEX t_hash ON t USING hash (note);
         CREATE INDEX t_gin ON t USING gin (to_tsvector('simple'::regconfig, note));
         CREATE INDEX t_gin_array ON t USING gin ((ARRAY[note, code]));
         CREATE INDEX t_gist ON t USING gist (to_tsvector('simple'::regconfig, note));
         CREATE INDEX t_spgist ON t USING spgist (code);
         CREATE INDEX t_brin ON t USING brin (born, code);
         CREATE INDEX t_include ON t (id) INCLUDE (note);
         INSERT INTO t SELECT i, 'Code-' || i, 'note number ' || i % 500, date '1950-01-01' + i
             FROM generate_series(1, 4000) AS i",
    );
    let scene = Scene::new(&[tables, ("postgres", statistics), ("postgres", "ANALYZE t")]);
    let (snapshot, clone) = scene.masked(
        "[databases.postgres.tables.\"public.t\"]
         id = \"keep\"\ncode = { mask = \"alphanumeric\", confirm_check = true }\nnote = \"text\"
         born = { mask = \"date_shift\", days = 300 }",
    );
    assert_gone(&snapshot, &(1000..=4000).map(|i| format!("Code-{i}")).collect::<Vec<_>>());
    let some = clone.rows("postgres", "SELECT code, note, born FROM t WHERE id % 97 = 5");
    assert!(some.len() > 40);
    for row in some {
        let [code, note, born] = <[Option<String>; 3]>::try_from(row).unwrap().map(Option::unwrap);
        let word = note.split([' ', '.']).max_by_key(|word| word.len()).unwrap().to_lowercase();
        for (condition, indexes) in [
            (format!("code = '{code}'"), "t_code t_code_excl t_spgist t_partial"),
            (format!("lower(code) = lower('{code}')"), "t_lower"),
            (format!("note = '{note}'"), "t_hash"),
            (format!("note > 'm' AND code > '{code}'"), "t_partial"),
            (
                format!("to_tsvector('simple'::regconfig, note) @@ '{word}'::tsquery"),
                "t_gin t_gist",
            ),
            (format!("ARRAY[note, code] @> ARRAY['{code}']"), "t_gin_array"),
            (format!("born = '{born}'"), "t_brin"),
        ] {
            let mut found = Vec::new();
            for scan in ["seqscan", "indexscan", "bitmapscan"] {
                let mut sql = String::new();
                for other in ["seqscan", "indexscan", "bitmapscan", "indexonlyscan"] {
                    let on = if other == scan { "on" } else { "off" };
                    sql += &format!("SET enable_{other} = {on};");
                }
                sql += &format!("SELECT count(*) FROM t WHERE {condition}");
                found.push(clone.value("postgres", &sql));
            }
            assert_ne!(found[0], "0", "{condition}");
            assert!(
                found.iter().all(|count| *count == found[0]),
                "{condition}: {found:?} {indexes}"
            );
        }
    }
    let statistics = "SELECT count(*) FROM pg_statistic_ext_data";
    assert_eq!(clone.value("postgres", statistics), "1");
}

#[test]
fn a_unique_index_over_small_letters_holds_without_anybodys_word() {
    let scene = Scene::new(&[(
        "postgres",
        "CREATE TABLE people (email text, nick varchar(20));
         INSERT INTO people SELECT
             CASE i % 3 WHEN 0 THEN upper(e || '.org') WHEN 1 THEN initcap(e) || '.org'
                        ELSE e || '.org' END,
             CASE WHEN i % 2 = 0 THEN upper(n) ELSE n END
         FROM (SELECT i, 'u' || i % 3 || '.' || i || '@example' AS e, 'n' || to_hex(i) AS n
               FROM generate_series(1, 3000) AS i) AS all_of_them;
         CREATE UNIQUE INDEX ON people (lower(email));
         CREATE UNIQUE INDEX ON people (upper(nick)) INCLUDE (email)",
    )]);
    let (_, clone) = scene.masked(
        "[databases.postgres.tables.\"public.people\"]
         email = { mask = \"email\", unique = true }
         nick = { mask = \"username\", unique = true }",
    );
    let distinct = "SELECT count(DISTINCT lower(email)) || ' ' || count(DISTINCT upper(nick))
                    FROM people";
    assert_eq!(clone.value("postgres", distinct), "3000 3000");
}

#[test]
fn generated_columns_are_computed_anew_where_the_table_may_be_rebuilt() {
    let scene = Scene::new(&[(
        "postgres",
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN INSERT INTO told VALUES (OLD.host); RETURN NEW; END';
         CREATE TABLE told (host text);
         CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, email text, kept text,
             host text GENERATED ALWAYS AS ('of:' || upper(email)) STORED CHECK (host <> ''),
             next int GENERATED ALWAYS AS (id + 1) STORED,
             packed text GENERATED ALWAYS AS (upper(email) || repeat('-', 3000)) STORED,
             long text GENERATED ALWAYS AS (upper(email) || repeat('-', 3000)) STORED);
         ALTER TABLE t ALTER long SET STORAGE EXTERNAL;
         CREATE TRIGGER tell BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tell();
         ALTER TABLE t ENABLE ALWAYS TRIGGER tell;
         CREATE RULE none AS ON UPDATE TO t WHERE NEW.id > 100 DO INSTEAD NOTHING;
         CREATE INDEX t_host ON t (host);
         CREATE UNIQUE INDEX t_next ON t (next);
         CREATE MATERIALIZED VIEW hosts AS SELECT host FROM t;
         CREATE TABLE p (day date, email text,
             host text GENERATED ALWAYS AS (upper(email)) STORED) PARTITION BY RANGE (day);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
         INSERT INTO t (email, kept)
             SELECT 'person' || i || '@original.example', repeat('kept ' || i, 50)
             FROM generate_series(1, 2000) AS i;
         DELETE FROM t WHERE id % 7 = 0;
         INSERT INTO p (day, email) SELECT '2020-05-05', 'member' || i || '@original.example'
             FROM generate_series(1, 500) AS i;
         ANALYZE",
    )]);
    let rules = |allowed: &str| {
        format!(
            "[databases.postgres.tables.\"public.t\"]
             id = {{ mask = \"integer\", confirm_check = true }}
             email = {{ mask = \"email\", confirm_check = true }}\nkept = \"keep\"
             {allowed}
             [databases.postgres.tables.\"public.p\"]\nday = \"keep\"\nemail = \"email\"\n{allowed}
             [databases.postgres.tables.\"public.told\"]\nhost = \"keep\""
        )
    };
    let codes = scene.refused(&rules(""));
    assert_eq!(codes, ["generated_stored"; 5]);
    let (snapshot, clone) = scene.masked(&rules("allow_relayout = true"));
    let named = &snapshot.json["layout_not_preserved"];
    assert_eq!(*named, serde_json::json!(["postgres.public.p1", "postgres.public.t"]));
    assert_eq!(snapshot.count("layout_deviations"), 0);
    let wrong =
        "SELECT (SELECT count(*) FROM t WHERE host <> 'of:' || upper(email) OR next <> id + 1
                    OR packed <> upper(email) || repeat('-', 3000) OR long <> packed)
                 + (SELECT count(*) FROM p WHERE host <> upper(email))
                 + (SELECT count(*) FROM hosts) - (SELECT count(*) FROM t)
                 + (SELECT count(*) FROM told)";
    assert_eq!(clone.value("postgres", wrong), "0");
    assert_eq!(clone.value("postgres", "SELECT count(*) FROM t"), "1715");
    assert_eq!(clone.value("postgres", "SELECT count(*) FROM t WHERE kept ~ '^kept '"), "1715");
    let catalog = "SELECT (SELECT count(*) FROM pg_index WHERE NOT indisvalid OR NOT indisready)
                   || ' ' || (SELECT attidentity::text FROM pg_attribute
                              WHERE attrelid = 't'::regclass AND attname = 'id')
                   || ' ' || (SELECT relhastriggers::text || relhasrules FROM pg_class
                              WHERE oid = 't'::regclass)";
    assert_eq!(clone.value("postgres", catalog), "0 a truetrue");
    let mut originals = Vec::new();
    for i in 1..=2000 {
        originals.push(format!("person{i}@original.example"));
        originals.push(format!("PERSON{i}@ORIGINAL.EXAMPLE"));
    }
    originals.extend((1..=500).map(|i| format!("MEMBER{i}@ORIGINAL.EXAMPLE")));
    assert_gone(&snapshot, &originals);
}

#[test]
fn databases_without_a_section_are_refused_or_dropped_with_all_they_hold() {
    let table = |word: &str| {
        format!(
            "CREATE TABLE {word}_table AS SELECT '{word} row ' || i AS a FROM generate_series(1, 500) i"
        )
    };
    let (secret, other) = (table("zqsecret"), table("zqother"));
    let scene = Scene::new(&[
        ("postgres", "CREATE DATABASE zqdropped"),
        ("postgres", "COMMENT ON DATABASE zqdropped IS 'zqcomment on a database'"),
        ("postgres", "ALTER DATABASE zqdropped SET myapp.word = 'zqsetting of a database'"),
        ("postgres", "CREATE DATABASE zqtemplate IS_TEMPLATE true"),
        ("postgres", "CREATE DATABASE shop"),
        ("postgres", "CREATE TABLE kept (a int)"),
        ("zqdropped", &secret),
        ("zqdropped", "SELECT lo_from_bytea(0, 'zqlarge object of a database')"),
        (
            "zqdropped",
            "CREATE SUBSCRIPTION zqsub CONNECTION 'host=zqhost.invalid dbname=d' PUBLICATION p WITH (connect = false)",
        ),
        ("zqtemplate", &other),
        ("postgres", "ALTER DATABASE zqtemplate ALLOW_CONNECTIONS false"),
        ("shop", "CREATE TABLE t (a text); INSERT INTO t VALUES ('an original text')"),
        ("postgres", "VACUUM ANALYZE"),
    ]);
    let rules = "[databases.shop.tables.\"public.t\"]\na = \"text\"
                 [databases.postgres.tables.\"public.kept\"]\na = \"keep\"\n";
    let codes = scene.refused(rules);
    for code in ["unlisted_database", "database_not_connectable", "large_objects"] {
        assert!(codes.iter().any(|found| found == code), "{code} in {codes:?}");
    }
    let told = format!("unlisted_databases = \"drop\"\n{rules}");
    let named =
        format!("{rules}[databases.zqdropped]\ndrop = true\n[databases.zqtemplate]\ndrop = true\n");
    for rules in [told, named] {
        let (snapshot, clone) = scene.masked(&rules);
        assert_eq!(
            snapshot.json["databases_dropped"],
            serde_json::json!(["zqdropped", "zqtemplate"])
        );
        assert_eq!(clone.databases(), ["postgres", "shop"]);
        let traces = [
            "zqsecret row",
            "zqother row",
            "zqdropped",
            "zqtemplate",
            "zqcomment on",
            "zqsetting of",
            "zqlarge object",
            "zqhost.invalid",
        ];
        assert_gone(&snapshot, &traces.map(str::to_owned));
    }
}

#[test]
fn large_objects_are_refused_blanked_with_their_sizes_or_kept() {
    let lz4 = match Servers::tested().have_lz4() {
        true => "ALTER DATABASE postgres SET default_toast_compression = 'lz4'",
        false => "SELECT 'pglz is all there is'",
    };
    let scene = Scene::new(&[
        (
            "postgres",
            "CREATE TABLE files (id int, object oid);
             INSERT INTO files SELECT i, lo_from_bytea(0, convert_to(
                 CASE WHEN i % 2 = 0 THEN repeat('zqlarge ' || i || ' object ', 900)
                 ELSE (SELECT string_agg(md5((g * i)::text), '') FROM generate_series(1, 300) g) END,
                 'UTF8')) FROM generate_series(1, 20) AS i;
             SELECT lo_put(object, 50000, 'zqbehind a hole') FROM files WHERE id = 1;
             SELECT lo_unlink(object) FROM files WHERE id = 20",
        ),
        ("postgres", "DELETE FROM files WHERE id = 20"),
        (
            "postgres",
            lz4,
        ),
        (
            "postgres",
            "INSERT INTO files SELECT 21, lo_from_bytea(0, convert_to(
                 (SELECT string_agg(md5((g % 3)::text) || g, 'zqlz4 ') FROM generate_series(1, 300) g),
                 'UTF8'))",
        ),
    ]);
    let rules = |policy: &str| {
        format!(
            "[databases.postgres]\n{policy}
             [databases.postgres.tables.\"public.files\"]\nid = \"keep\"\nobject = \"keep\""
        )
    };
    assert_eq!(scene.refused(&rules("")), ["large_objects"]);
    assert_eq!(scene.refused(&rules("large_objects = \"deny\"")), ["large_objects"]);
    let sizes = "SELECT id, length(lo_get(object)) FROM files ORDER BY id";
    let bytes =
        "SELECT count(*) FROM files WHERE replace(encode(lo_get(object), 'hex'), '0', '') <> ''";
    let (_, kept) = scene.masked(&rules("large_objects = \"keep\""));
    assert_eq!(kept.value("postgres", bytes), "20");
    let (snapshot, blanked) = scene.masked(&rules("large_objects = \"blank\""));
    assert_eq!(blanked.value("postgres", bytes), "0");
    assert_eq!(blanked.rows("postgres", sizes), kept.rows("postgres", sizes));
    let digests = "SELECT md5((g * 3)::text) FROM generate_series(1, 20) g";
    let mut originals = kept.column("postgres", digests);
    originals.extend([
        "zqlarge 4 object".to_owned(),
        "zqlarge 20 object".into(),
        "zqbehind a hole".into(),
    ]);
    assert_gone(&snapshot, &originals);
    dump(&blanked, "postgres", &["--blobs"]);
}

#[test]
fn unlogged_tables_are_masked_temporary_files_gone_and_policies_hide_nothing() {
    let scene = Scene::new(&[(
        "postgres",
        "CREATE TABLE secret (owner text, note text);
         ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
         ALTER TABLE secret FORCE ROW LEVEL SECURITY;
         CREATE POLICY none ON secret USING (false);
         CREATE MATERIALIZED VIEW secrets AS SELECT count(*) AS n, min(note) AS first FROM secret;
         CREATE UNLOGGED TABLE scratch (id bigint GENERATED BY DEFAULT AS IDENTITY, line text);
         INSERT INTO secret SELECT 'me', 'original secret ' || i FROM generate_series(1, 300) AS i;
         INSERT INTO scratch (line) SELECT 'original line ' || i FROM generate_series(1, 300) AS i;
         REFRESH MATERIALIZED VIEW secrets;
         CREATE TEMPORARY TABLE passing AS SELECT 'passing by ' || i FROM generate_series(1, 300) AS i",
    )]);
    let base = std::fs::read_dir(scene.raw.data().join("base")).unwrap();
    let database =
        base.map(|entry| entry.unwrap().path()).find(|path| path.join("PG_VERSION").exists());
    let name = database.unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    // What a session that crashed leaves.
    scene.raw.plant(&format!("base/{name}/t7_99001"), b"passing by in a temporary table");
    scene.raw.plant(&format!("base/{name}/t7_99001_fsm"), b"passing by in a temporary table");
    let rules = "[databases.postgres.tables.\"public.secret\"]\nowner = \"keep\"\nnote = \"text\"
                 [databases.postgres.tables.\"public.scratch\"]\nid = \"keep\"\nline = \"text\"";
    let (snapshot, clone) = scene.masked(rules);
    let mut originals: Vec<String> = (1..=300).map(|i| format!("original secret {i}")).collect();
    originals.extend((1..=300).map(|i| format!("original line {i}")));
    originals.push("passing by".to_owned());
    assert_gone(&snapshot, &originals);
    assert_eq!(clone.value("postgres", "SELECT count(*) FROM scratch"), "300");
    assert_eq!(clone.value("postgres", "SELECT n FROM secrets"), "300");
    let policies = "SELECT count(*) FROM pg_policy JOIN pg_class c ON c.oid = polrelid
                    WHERE relrowsecurity AND relforcerowsecurity";
    assert_eq!(clone.value("postgres", policies), "1");
}
