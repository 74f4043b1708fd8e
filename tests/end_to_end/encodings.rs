//! Databases in other server encodings than UTF8.

use std::process::Stdio;

use crate::common::{Clone, Queries, client_program, dump};
use crate::dependencies::Scene;

/// Words in a script that the encoding has, and the encoding.
const ENCODINGS: [(&str, &str); 10] = [
    ("LATIN1", "Müller Ångström été ÀÉÎ"),
    ("LATIN2", "Kowalski Łódź Škoda ČŘŽ"),
    ("LATIN9", "Œuvre Šárka Ÿ"),
    ("WIN1251", "Иванов Пётр ЖУК"),
    ("WIN1252", "Müller „Ž“ Šárka"),
    ("KOI8R", "Иванов Пётр ЖУК"),
    ("ISO_8859_7", "Παπαδόπουλος ΑΘΗΝΑ"),
    ("EUC_JP", "山田太郎 はなこ タナカ ﾀﾅｶ 東京都1-2"),
    ("EUC_KR", "김철수 서울 漢字"),
    ("EUC_CN", "张伟 北京 上海"),
];

#[test]
fn text_in_every_kind_of_server_encoding_stays_valid_and_as_long() {
    let mut statements: Vec<(String, String)> = Vec::new();
    let mut rules = String::new();
    for (encoding, words) in ENCODINGS {
        let database = format!("db_{}", encoding.to_lowercase());
        statements.push((
            "postgres".into(),
            format!(
                "CREATE DATABASE {database} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
            ),
        ));
        statements.push((
            database.clone(),
            format!(
                "CREATE TABLE t (id int PRIMARY KEY, code text UNIQUE, name varchar(60), note text,
                     short char(40), plain text, star text);
                 INSERT INTO t SELECT i, '{words}' || i, '{words}', '{words} ' || i, '{words}',
                     '{words}', '{words}' FROM generate_series(1, 200) AS i"
            ),
        ));
        rules += &format!(
            "[databases.{database}.tables.\"public.t\"]\nid = \"keep\"\ncode = \"alphanumeric\"
             name = \"full_name\"\nnote = \"text\"\nshort = \"city\"\nplain = \"email\"
             star = {{ mask = \"constant\", value = \"naïve 山\" }}\n"
        );
    }
    // Anything goes in SQL_ASCII: bytes of LATIN1 here.
    statements.push((
        "postgres".into(),
        "CREATE DATABASE db_sql_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0".into(),
    ));
    statements.push((
        "db_sql_ascii".into(),
        "SET client_encoding = 'SQL_ASCII'; CREATE TABLE t (id int, name text);
         INSERT INTO t SELECT i, E'J\\xe9r\\xf4me original ' || i FROM generate_series(1, 99) AS i"
            .into(),
    ));
    rules += "[databases.db_sql_ascii.tables.\"public.t\"]\nid = \"keep\"\nname = \"full_name\"\n";
    let statements: Vec<(&str, &str)> =
        statements.iter().map(|(database, sql)| (database.as_str(), sql.as_str())).collect();
    let mut scene = Scene::new(&statements);
    let (_, clone) = scene.masked(&rules);
    scene.raw.start();
    for (encoding, words) in ENCODINGS {
        let database = format!("db_{}", encoding.to_lowercase());
        let columns = ["code", "name", "note", "short", "plain", "star"];
        let lengths = columns.map(|c| format!("char_length({c}), octet_length({c})")).join(", ");
        let sql = format!("SELECT id, {lengths} FROM t ORDER BY id");
        assert_eq!(scene.raw.rows(&database, &sql), clone.rows(&database, &sql), "{encoding}");
        assert_eq!(clone.value(&database, "SELECT count(DISTINCT code) FROM t"), "200");
        for column in columns {
            // Every character has one in UTF-8: the client asks for that.
            for value in clone.column(&database, &format!("SELECT {column} FROM t")) {
                for word in words
                    .split(' ')
                    .filter(|word| word.chars().filter(|c| c.is_alphabetic()).count() > 2)
                {
                    assert!(!value.contains(word), "{encoding} {column}: {value}");
                }
            }
        }
        // The alphabet stays: letters beyond ASCII become others of their kind.
        let letters = clone.column(&database, "SELECT code FROM t").concat();
        assert!(letters.chars().any(|c| !c.is_ascii() && c.is_alphabetic()), "{encoding}");
        dump(&clone, &database, &["-E", "UTF8"]);
        let Some(text) = dump(&clone, &database, &[]) else { continue };
        let again = format!("again_{}", encoding.to_lowercase());
        clone.exec(
            "postgres",
            &format!("CREATE DATABASE {again} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"),
        );
        restore(&clone, &again, &text);
        let digest = "SELECT md5(string_agg(t::text, ' ' ORDER BY id)) FROM t";
        assert_eq!(clone.value(&database, digest), clone.value(&again, digest), "{encoding}");
    }
    let left = "SELECT count(*) FROM t WHERE name LIKE '%original%' OR length(name) < 15";
    assert_eq!(clone.value("db_sql_ascii", left), "0");
    dump(&clone, "db_sql_ascii", &[]);
}

/// Runs what `pg_dump` wrote.
#[track_caller]
fn restore(clone: &Clone, database: &str, text: &[u8]) {
    use std::io::Write as _;

    let mut command = client_program(clone, "psql", database);
    command.args(["-qX", "-v", "ON_ERROR_STOP=1"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    assert!(child.wait().unwrap().success());
}
