//! Signatures and hashes: what was changed is named, and other tools come to the same answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::clones::small_source;
use crate::common::{Base, Needles, Pool, Queries, Rules, Sandbox, Snapshot, text};

/// A new signing key's file, and its public half in PEM.
fn signing_key(pool: &Pool, sandbox: &Sandbox, name: &str) -> (PathBuf, String) {
    let path = sandbox.join(name);
    let key = pool.json(&["key", "new", "--signing", "--file", path.to_str().unwrap()]);
    (path, text(&key, "public_key"))
}

fn directory(pool: &Pool, snapshot: &Snapshot) -> PathBuf {
    pool.dir().join("snapshots").join(&snapshot.id)
}

/// Runs `change` on a file of the snapshot, verifies, and puts the file back.
fn verified_with(
    pool: &Pool,
    path: &Path,
    change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>,
) -> Value {
    let before = fs::read(path).unwrap();
    match change(before.clone()) {
        Some(bytes) => fs::write(path, bytes).unwrap(),
        None => fs::remove_file(path).unwrap(),
    }
    let found = pool.run(&["snapshot", "verify", "signed"]).expect_code(1).json();
    assert_eq!(found["verified"], false, "{found}");
    fs::write(path, before).unwrap();
    found
}

fn flipped(at: usize) -> impl FnOnce(Vec<u8>) -> Option<Vec<u8>> {
    move |mut bytes| {
        bytes[at] ^= 1;
        Some(bytes)
    }
}

#[test]
fn what_was_changed_after_the_seal_is_named() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let pool = Pool::new(&sandbox);
    let (key, public) = signing_key(&pool, &sandbox, "sign.pem");
    let more = ["--name", "signed", "--signing-key-file", key.to_str().unwrap()];
    let snapshot = pool.snapshot(&source, rules.path(), &more);
    let public_file = sandbox.join("sign.pub");
    fs::write(&public_file, &public).unwrap();
    let with_key = ["snapshot", "verify", "signed", "--public-key", public_file.to_str().unwrap()];

    let found = pool.json(&with_key);
    assert_eq!((&found["verified"], &found["signature"]), (&true.into(), &"valid".into()));
    // A clone at work changes nothing.
    let clone = pool.clone_of(&snapshot.id, &[]);
    assert_eq!(pool.json(&["snapshot", "verify", "signed"])["verified"], true);
    pool.json(&["clone", "destroy", &clone.id]);

    let dir = directory(&pool, &snapshot);
    let version = dir.join("volume/data/PG_VERSION");
    let found = verified_with(&pool, &version, flipped(0));
    assert_eq!(found["content"]["changed"], serde_json::json!(["data/PG_VERSION"]));
    let found = verified_with(&pool, &version, |_| None);
    assert_eq!(found["content"]["missing"], serde_json::json!(["data/PG_VERSION"]));
    let stray = dir.join("volume/data/base/stray");
    fs::write(&stray, "x").unwrap();
    let found = pool.run(&["snapshot", "verify", "signed"]).expect_code(1).json();
    assert_eq!(found["content"]["unknown"], serde_json::json!(["data/base/stray"]));
    fs::remove_file(&stray).unwrap();
    // Somebody who changes the list of hashes along with a file.
    let found = verified_with(&pool, &dir.join("files.b3"), flipped(0));
    assert_eq!(found["content"]["list_intact"], false);
    // And the manifest.
    let found = verified_with(&pool, &dir.join("manifest.json"), |bytes| {
        Some(String::from_utf8(bytes).unwrap().replacen("15", "14", 1).into_bytes())
    });
    assert_eq!(found["signature"], "invalid");
    let found = verified_with(&pool, &dir.join("manifest.json.sig"), flipped(10));
    assert_eq!(found["signature"], "invalid");
    let found = verified_with(&pool, &dir.join("manifest.json.sig"), |_| None);
    assert_eq!(found["signature"], "missing");
    assert_eq!(pool.json(&with_key)["verified"], true, "all is put back");

    // And signs it anew with another key, or not at all.
    let (_, other) = signing_key(&pool, &sandbox, "other.pem");
    let other_file = sandbox.join("other.pub");
    fs::write(&other_file, other).unwrap();
    let by_other = ["snapshot", "verify", "signed", "--public-key", other_file.to_str().unwrap()];
    assert_eq!(pool.run(&by_other).expect_code(1).json()["signature"], "invalid");
    let unsigned = pool.snapshot(&source, rules.path(), &["--name", "unsigned"]);
    let found = pool.json(&["snapshot", "verify", &unsigned.id]);
    assert_eq!((&found["verified"], &found["signature"]), (&true.into(), &"unsigned".into()));
    let by_key = ["snapshot", "verify", "unsigned", "--public-key", public_file.to_str().unwrap()];
    assert_eq!(pool.run(&by_key).expect_code(1).json()["verified"], false);
}

#[test]
fn openssl_and_b3sum_come_to_the_same_answer() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let pool = Pool::new(&sandbox);
    // A key of OpenSSL's making.
    let key = sandbox.join("sign.pem");
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().expect("openssl runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", key.to_str().unwrap()]);
    let more = ["--signing-key-file", key.to_str().unwrap()];
    let snapshot = pool.snapshot(&source, rules.path(), &more);
    let dir = directory(&pool, &snapshot);
    let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let said = openssl(&[
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        &file("signer.pem"),
        "-rawin",
        "-in",
        &file("manifest.json"),
        "-sigfile",
        &file("manifest.json.sig"),
    ]);
    assert!(said.contains("Verified Successfully"), "{said}");
    // OpenSSL reads a key of ours.
    let (ours, public) = signing_key(&pool, &sandbox, "ours.pem");
    assert_eq!(openssl(&["pkey", "-in", ours.to_str().unwrap(), "-pubout"]), public);
    // The key itself is nowhere in the pool.
    let pem = fs::read_to_string(&key).unwrap();
    let mut needles = Needles::new();
    assert!(needles.add("signing key", pem.lines().nth(1).unwrap().as_bytes()));
    assert_eq!(needles.find_below(pool.dir()), Vec::<String>::new());

    let list = fs::read_to_string(dir.join("files.b3")).unwrap();
    for line in list.lines() {
        let (hash, path) = line.split_once("  ").unwrap();
        let bytes = fs::read(dir.join("volume").join(path)).unwrap();
        assert_eq!(blake3::hash(&bytes).to_hex().as_str(), hash, "{path}");
    }
    assert_eq!(list.lines().count(), crate::common::files_under(&snapshot.volume).len());
    assert_eq!(
        text(&snapshot.json, "content_hash"),
        blake3::hash(list.as_bytes()).to_hex().to_string()
    );
}

#[test]
fn a_file_that_is_no_signing_key_stops_the_snapshot_and_is_not_quoted() {
    let sandbox = Sandbox::new();
    let (source, rules) = small_source(&sandbox);
    let pool = Pool::new(&sandbox);
    let key = sandbox.join("sign.pem");
    fs::write(&key, "-----BEGIN PRIVATE KEY-----\nzqnokey\n-----END PRIVATE KEY-----\n").unwrap();
    let outcome =
        pool.try_snapshot(&source, rules.path(), &["--signing-key-file", key.to_str().unwrap()]);
    assert!(!outcome.text().contains("zqnokey"), "{outcome:?}");
    outcome.expect_code(1);
    assert_eq!(pool.remains(), Vec::<String>::new());
}

#[test]
fn the_report_counts_escapes_and_needs_nothing_from_elsewhere() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    // Zip codes of 100, 40, 3 and 1 rows; born within them in two years but for the last.
    raw.exec(
        "postgres",
        "CREATE TABLE people (id integer PRIMARY KEY, zip text, born date, email text, plan json);
         INSERT INTO people SELECT i,
             CASE WHEN i <= 100 THEN '10115' WHEN i <= 140 THEN '20095' WHEN i <= 143 THEN '80331'
                  ELSE '99999' END,
             '1980-01-01'::date, md5(i::text) || '@example.org', '{}'
         FROM generate_series(1, 144) AS i;
         CREATE TABLE \"<b>&\" (\"<script>alert(1)</script>\" integer);",
    );
    raw.stop();
    let rules = Rules::write(
        &sandbox,
        "rules.toml",
        r#"version = 1
[databases.postgres.tables."public.people"]
quasi_identifiers = ["zip", "plan", "email"]
id = "integer"
zip = "keep"
born = { mask = "date_shift", days = 10 }
email = "email"
plan = { mask = "keep", accept_originals = true }
[databases.postgres.tables."public.<b>&"]
"<script>alert(1)</script>" = "keep"
"#,
    );
    let pool = Pool::new(&sandbox);
    let (key, _) = signing_key(&pool, &sandbox, "sign.pem");
    let more = ["--name", "signed", "--signing-key-file", key.to_str().unwrap()];
    let snapshot = pool.snapshot(raw.source(), rules.path(), &more);
    let measured = &snapshot.json["anonymity"][0];
    let expected = [("rows", 144), ("groups", 4), ("k_min", 1), ("rows_under_5", 4)];
    for (name, count) in expected {
        assert_eq!(measured[name], count, "{name} in {measured}");
    }
    assert_eq!(measured["columns"], serde_json::json!(["zip", "plan"]));
    assert_eq!(measured["masked"], serde_json::json!(["email"]));
    let few = serde_json::json!([{
        "database": "postgres", "table": "public.people", "column": "id", "smallest": 9
    }]);
    assert_eq!(snapshot.json["small_domains"], few, "numbers of one digit");

    let page = sandbox.join("report.html");
    pool.json(&["snapshot", "report", "signed", "--html", page.to_str().unwrap()]);
    let html = fs::read_to_string(&page).unwrap();
    assert!(!html.contains("<script") && !html.contains("<b>&<"), "names are escaped");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    for elsewhere in ["http:", "https:", "src=", "href=", "url(", "@import"] {
        assert!(!html.contains(elsewhere), "{elsewhere}");
    }
    let signer = fs::read_to_string(directory(&pool, &snapshot).join("signer.pem")).unwrap();
    for told in [
        signer.trim(),
        &text(&snapshot.json, "content_hash"),
        &text(&snapshot.json, "rules_hash"),
        "days</",
        "4 (2.8 %)",
        "Values that hide among few",
        "the time of day; the date, to within the shift",
        "may hold values that another column masks",
    ] {
        let told = told.replace("days</", "days 10");
        assert!(html.contains(&told), "{told} is not on the page");
    }
    let values = raw.data().join("base");
    assert!(values.exists() && !html.contains("10115"), "no value is on the page");
    let unknown = pool.snapshot(
        raw.source(),
        Rules::write(
            &sandbox,
            "plain.toml",
            "version = 1\nunlisted = \"keep\"\n[databases.postgres.tables.\"public.people\"]\nemail = \"email\"\n",
        )
        .path(),
        &["--name", "plain"],
    );
    pool.json(&["snapshot", "report", &unknown.id, "--html", page.to_str().unwrap()]);
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("declare no quasi-identifiers") && html.contains("not signed"));

    let wrong = Rules::write(
        &sandbox,
        "wrong.toml",
        "version = 1\nunlisted = \"keep\"\n[databases.postgres.tables.\"public.people\"]\nquasi_identifiers = [\"zap\"]\n",
    );
    let refusals = pool.try_snapshot(raw.source(), wrong.path(), &[]).refusals();
    assert_eq!(refusals[0]["code"], "unknown_column");
    assert_eq!(refusals[0]["column"], "zap");
}
