//! Every scalar type, masked in place and read back: PostgreSQL's own functions are the judge.

use crate::common::{Base, Pool, Queries, Rules, Sandbox, Servers, assert_all_judges_pass};

/// A column of the table: its type, its rule, a value made of `g`, and values at the type's ends.
struct Column {
    name: &'static str,
    type_name: &'static str,
    rule: &'static str,
    value: &'static str,
    ends: &'static [&'static str],
}

const fn column(
    name: &'static str,
    type_name: &'static str,
    rule: &'static str,
    value: &'static str,
    ends: &'static [&'static str],
) -> Column {
    Column { name, type_name, rule, value, ends }
}

const LONGEST_NAME: &str = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";

const COLUMNS: &[Column] = &[
    column("c", "\"char\"", "\"alphanumeric\"", "chr(97 + g % 26)", &["", "-", "\\351"]),
    column("n", "name", "\"last_name\"", "'User' || g", &["", LONGEST_NAME]),
    column("ci", "citext", "\"email\"", "'Person' || g || '@Shop.test'", &["", "ÉMILE@x.fr"]),
    column("ca", "citext", "\"alphanumeric\"", "'Key' || g", &["", "ÉÀ", "straße"]),
    column("o", "oid", "\"integer\"", "100000 + 37 * g", &["0", "4294967295", "2147483648"]),
    column("x", "xid8", "\"integer\"", "(1000000 + 41 * g)::text", &["0", "18446744073709551615"]),
    column(
        "l",
        "pg_lsn",
        "{ mask = \"noise\", share = 0.5 }",
        "'1/' || to_hex(65536 * g)",
        &["0/0", "FFFFFFFF/FFFFFFFF"],
    ),
    column(
        "m",
        "money",
        "\"integer\"",
        "1000.25 + 7 * g",
        &["-92233720368547758.07", "92233720368547758.07", "0"],
    ),
    column(
        "tz",
        "timetz",
        "\"timestamp_shift\"",
        "'08:00:00.5+02'::timetz + g * interval '61 seconds'",
        &["00:00:00+15:59:59", "24:00:00-15:59"],
    ),
    column(
        "i",
        "interval",
        "\"timestamp_shift\"",
        "make_interval(0, g, 0, 2 * g, 3, g, 0.25)",
        &[
            "-178956970 years -8 mons",
            "178956970 years 7 mons 2147483647 days 2562047788:00:54.775807",
            "-2147483648 days -2562047788:00:54.775807",
            "00:00:00",
            "-1 mons +3 days -00:00:00.000001",
        ],
    ),
    column(
        "id2",
        "interval",
        "{ mask = \"date_shift\", days = 7 }",
        "make_interval(0, 0, 0, 5 * g)",
        &["1 mon"],
    ),
    column(
        "net",
        "inet",
        "\"ip\"",
        "'10.20.' || g || '.' || 3 * g",
        &[
            "0.0.0.0/0",
            "255.255.255.255",
            "10.1.2.3/24",
            "::",
            "::ffff:1.2.3.4",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/3",
        ],
    ),
    column(
        "dom",
        "address",
        "{ mask = \"ip\", keep_bits = 20 }",
        "'2001:db8::' || g",
        &["10.9.8.7"],
    ),
    column(
        "cid",
        "cidr",
        "{ mask = \"ip\", keep_bits = 8 }",
        "'10.' || g || '.0.0/16'",
        &["0.0.0.0/0", "::/0", "255.255.255.255/32", "2001:db8:8000::/33"],
    ),
    column(
        "mac",
        "macaddr",
        "\"mac\"",
        "'00:1b:63:00:01:' || lpad(to_hex(g), 2, '0')",
        &["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"],
    ),
    column(
        "mac8",
        "macaddr8",
        "\"mac\"",
        "'00:1b:63:ff:fe:00:01:' || lpad(to_hex(g), 2, '0')",
        &["00:00:00:00:00:00:00:00", "01:02:03:04:05:06:07:08"],
    ),
    column("by", "bytea", "\"bytes\"", "decode(md5(g::text), 'hex')", &["", "\\x00"]),
    column("b", "bit(11)", "\"bytes\"", "(g * 37)::bit(11)", &["00000000000", "11111111111"]),
    column("vb", "varbit", "\"bytes\"", "(g * 37)::bit(29)", &["", "1", "01010101"]),
    column(
        "e",
        "mood",
        "\"enum\"",
        "(ARRAY['sad', 'low', 'fine', 'glad'])[1 + g % 4]",
        &["sad", "glad"],
    ),
    column(
        "p",
        "point",
        "\"noise\"",
        "point(g + 0.25, -g)",
        &["(NaN,Infinity)", "(0,-0)", "(1.7976931348623157e308,5e-324)"],
    ),
    column(
        "ls",
        "lseg",
        "\"noise\"",
        "lseg(point(g, 1), point(2, g))",
        &["[(1,2),(1,2)]", "[(-Infinity,0),(0,NaN)]"],
    ),
    column(
        "bx",
        "box",
        "\"noise\"",
        "box(point(g, 1), point(2.5, g))",
        &["(NaN,1),(2,3)", "(1,1),(1,1)", "(9.99,9.98),(9.97,9.96)", "(-3,-4),(-5,-0)"],
    ),
    column(
        "li",
        "line",
        "{ mask = \"noise\", share = 1 }",
        "'{' || g || ',-1.5,' || 3 * g || '}'",
        &["{0.0000011,0,5}", "{0,-0.000001001,0}", "{NaN,1,Infinity}"],
    ),
    column(
        "pa",
        "path",
        "\"noise\"",
        "'[(1,2),(' || g || ',4)]'",
        &["((1,2))", "((0,0),(NaN,1),(-Infinity,-0))"],
    ),
    column(
        "po",
        "polygon",
        "\"noise\"",
        "'((1,2),(' || g || ',4),(5.5,-' || g || '))'",
        &["((1,2))", "((0,-0),(-0,0),(NaN,2))"],
    ),
    column(
        "ci2",
        "circle",
        "\"noise\"",
        "circle(point(g, 2), 3 + g)",
        &["<(0,0),0>", "<(1,2),NaN>", "<(1,2),Infinity>"],
    ),
    column(
        "cu",
        "cube",
        "{ mask = \"noise\", share = 1 }",
        "cube(ARRAY[g, 2.5]::float8[], ARRAY[g + 1, 7]::float8[])",
        &["()", "(1,2,3)", "(9.9),(9.98)", "(5),(-5)", "(99.1,9.1),(99.2,9.2)"],
    ),
    column(
        "lt",
        "ltree",
        "\"alphanumeric\"",
        "'Top.Science_' || g || '.Été'",
        &["", "A", "東京.Straße"],
    ),
    column("sn", "pg_snapshot", "\"redact\"", "g || ':' || g + 9 || ':' || g + 3", &["5:5:"]),
    column(
        "ts",
        "txid_snapshot",
        "\"redact\"",
        "g || ':' || g + 90 || ':' || g + 3 || ',' || g + 5",
        &["1:18446744073709551:"],
    ),
    column(
        "jp",
        "jsonpath",
        "\"redact\"",
        "'$.\"key' || g || '\"[*] ? (@.x > 3)'",
        &["$", "true", "strict $.a", "\"\"", "null", "0", "$.*", "strict $.a.size()"],
    ),
    column(
        "ti",
        "text",
        "\"ip\"",
        "'10.20.' || g || '.' || 3 * g",
        &["::1", "not one", "192.168.1.300", "2001:DB8::A", "10.0.0.0/8", ""],
    ),
    column("tm", "varchar(40)", "\"mac\"", "'00-1B-63-00-01-' || 10 + g", &["001b.6300.0102", "x"]),
];

/// Constants by type; other types have none.
const CONSTANTS: &[(&str, &str)] = &[
    ("\"char\"", "z"),
    ("name", "somebody"),
    ("citext", "Some Body"),
    ("oid", "4294967295"),
    ("xid8", "18446744073709551615"),
    ("pg_lsn", "16B/374D848"),
    ("money", "-1999"),
    ("timetz", "12:30:00+02"),
    ("interval", "1 month 2 days 3 hours"),
    ("inet", "192.0.2.1/24"),
    ("address", "::1"),
    ("cidr", "192.0.2.0/24"),
    ("macaddr", "02:00:00:00:00:01"),
    ("macaddr8", "02:00:00:ff:fe:00:00:01"),
    ("bytea", "\\\\x00ff10"),
    ("bit(11)", "110"),
    ("varbit", "01"),
    ("mood", "low"),
];

const SETUP: &str = "CREATE EXTENSION citext; CREATE EXTENSION cube; CREATE EXTENSION ltree;
    CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN address AS inet";

/// Columns that are added to a filled table: older rows take their values from the catalog.
const ADDED: &[(&str, &str, &str, &str)] = &[
    ("late_name", "name", "\"text\"", "late name of all"),
    ("late_net", "inet", "\"ip\"", "198.51.100.77"),
    ("late_span", "interval", "\"timestamp_shift\"", "3 days 04:05:06"),
    ("late_mac", "macaddr", "\"mac\"", "00:1b:63:84:45:e6"),
    ("late_spot", "polygon", "\"noise\"", "((1,2),(3,4))"),
    ("late_mood", "mood", "\"enum\"", "fine"),
    ("late_bytes", "bytea", "\"bytes\"", "\\x0102030405"),
    ("late_lsn", "pg_lsn", "\"integer\"", "16B/374D848"),
];

/// SQL for a table of these columns with sixty rows, and one for each end of a type.
fn table(name: &str, columns: &[&Column]) -> String {
    let declared: Vec<String> =
        columns.iter().map(|column| format!("{} {}", column.name, column.type_name)).collect();
    let values: Vec<String> =
        columns.iter().map(|c| format!("({})::text::{}", c.value, c.type_name)).collect();
    let mut sql = format!(
        "CREATE TABLE {name} (id int, {}, kept interval);
         INSERT INTO {name} SELECT g, {}, g * interval '1 day 1 second'
         FROM generate_series(1, 60) AS g;
         INSERT INTO {name} (id) VALUES (100);",
        declared.join(", "),
        values.join(", "),
    );
    // Servers before 15 store longer intervals than they read.
    let readable = |end: &str| Servers::tested().major() >= 15 || !end.contains("2562047788:");
    let ends = columns.iter().flat_map(|c| c.ends.iter().map(move |end| (c, end)));
    for (column, end) in ends.filter(|(_, end)| readable(end)) {
        sql += &format!("INSERT INTO {name} (id, {}) SELECT max(id) + 1, ", column.name);
        sql += &format!("'{end}'::{} FROM {name};\n", column.type_name);
    }
    sql
}

#[test]
fn every_scalar_type_is_masked_and_reads_back_as_it_is_stored() {
    let all: Vec<&Column> = COLUMNS.iter().collect();
    let binary: Vec<&Column> = all.iter().filter(|c| !c.name.starts_with('t')).copied().collect();
    let constant = |column: &Column| CONSTANTS.iter().find(|(known, _)| *known == column.type_name);
    let constants: Vec<&Column> = all.iter().filter(|c| constant(c).is_some()).copied().collect();

    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    raw.exec("postgres", SETUP);
    // Labels that are out of order by oid.
    raw.exec("postgres", "ALTER TYPE mood ADD VALUE 'fine' BEFORE 'glad'");
    raw.exec("postgres", "ALTER TYPE mood ADD VALUE 'low' BEFORE 'fine'");
    raw.exec("postgres", &table("masked", &all));
    raw.exec("postgres", &table("redacted", &binary));
    raw.exec("postgres", &table("fixed", &constants));
    for (name, type_name, _, value) in ADDED {
        let sql = format!("ALTER TABLE masked ADD COLUMN {name} {type_name} DEFAULT '{value}'");
        raw.exec("postgres", &sql);
    }
    for unique in ["ca", "o", "x", "net", "cid", "lt", "ti"] {
        raw.exec("postgres", &format!("CREATE UNIQUE INDEX ON masked ({unique})"));
    }
    raw.exec("postgres", "CREATE INDEX ON masked USING gist (po); CREATE INDEX ON masked (i)");
    raw.exec("postgres", "ANALYZE");
    raw.stop();

    let keep = "id = \"keep\"\nkept = \"keep\"\n";
    let rules = |columns: &[&Column], rule: &dyn Fn(&Column) -> String| -> String {
        let lines = columns.iter().map(|column| format!("{} = {}\n", column.name, rule(column)));
        lines.chain([keep.to_owned()]).collect()
    };
    let added: String =
        ADDED.iter().map(|(name, _, rule, _)| format!("{name} = {rule}\n")).collect();
    let masked = rules(&all, &|column| column.rule.to_owned()) + &added;
    let redacted = rules(&binary, &|_| "\"redact\"".to_owned());
    let fixed = rules(&constants, &|column| {
        let (_, value) = constant(column).expect("filtered");
        format!("{{ mask = \"constant\", value = \"{value}\" }}")
    });
    let tables =
        [("public.masked", &*masked), ("public.redacted", &*redacted), ("public.fixed", &*fixed)];
    let rules = Rules::for_tables(&sandbox, "rules.toml", "postgres", &tables);
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    raw.start();
    let clone = pool.clone_of(&snapshot.id, &[]);
    assert_all_judges_pass(&raw, &rules, &snapshot, &clone);

    for (table, columns) in [("masked", &all), ("redacted", &binary), ("fixed", &constants)] {
        for Column { name, type_name, .. } in columns.iter() {
            // Row images are compared byte by byte.
            let sql = format!(
                "SELECT id, {name}::text FROM {table}
                 WHERE record_image_ne(ROW({name}), ROW({name}::text::{type_name}))"
            );
            let odd = clone.rows("postgres", &sql);
            assert!(odd.is_empty(), "{table}.{name}: {odd:?}");
        }
    }
    for Column { name, type_name, .. } in all.iter().filter(|c| !c.rule.contains("redact")) {
        let sql = format!("SELECT {name}::text FROM masked WHERE id <= 60 ORDER BY id");
        let before = raw.column("postgres", &sql);
        let after = clone.column("postgres", &sql);
        let same = before.iter().zip(&after).filter(|(before, after)| before == after).count();
        assert_eq!((before.len(), after.len()), (60, 60));
        assert!(same < 20, "{name} {type_name}: {same} of 60 stayed");
    }
    for Column { name, .. } in &binary {
        let sql = format!("SELECT count(DISTINCT {name}::text) FROM redacted WHERE id <= 60");
        let forms: u32 = clone.value("postgres", &sql).parse().expect("a number");
        // Texts show their length.
        assert!(forms <= 4, "redacted.{name}: {forms}");
    }
    for (name, type_name, ..) in ADDED {
        let sql = format!("SELECT DISTINCT {name}::text::{type_name}::text FROM masked");
        let (before, after) = (raw.column("postgres", &sql), clone.column("postgres", &sql));
        assert_eq!((before.len(), after.len()), (1, 1), "{name}");
        assert_ne!(before, after, "{name}");
    }
    let fixed = [
        ("c", "z"),
        ("o", "4294967295"),
        ("l", "16B/374D848"),
        ("tz", "12:30:00+02"),
        ("i", "1 mon 2 days 03:00:00"),
        ("net", "192.0.2.1/24"),
        ("mac", "02:00:00:00:00:01"),
        ("b", "11011011011"),
        ("e", "low"),
    ];
    for (name, value) in fixed {
        let sql = format!("SELECT DISTINCT {name}::text FROM fixed WHERE id <= 60");
        assert_eq!(clone.column("postgres", &sql), [value], "{name}");
    }
}
