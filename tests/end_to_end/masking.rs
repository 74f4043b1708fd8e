//! What a masked snapshot is: everything in its place, nothing left of the originals.

use std::collections::BTreeMap;
use std::fs;

use crate::common::{
    Base, Cluster, Pool, Queries, Rules, Sandbox, Servers, Snapshot, assert_all_judges_pass,
    heap_files, originals_of,
};

/// Masks a cluster, asks every judge about a clone, and searches the volume and the whole pool.
#[track_caller]
pub(crate) fn assert_masked_well(pool: &Pool, raw: &Cluster, rules: &Rules, snapshot: &Snapshot) {
    let needles = originals_of(raw, rules);
    assert!(needles.len() > 1000, "the raw cluster holds only {} originals", needles.len());
    let hits = needles.find_below(&snapshot.data());
    assert!(hits.is_empty(), "originals in the snapshot: {:#?}", &hits[..hits.len().min(40)]);
    let clone = pool.clone_of(&snapshot.id, &[]);
    assert_all_judges_pass(raw, rules, snapshot, &clone);
    assert_eq!(snapshot.count("layout_deviations"), 0);
    let residue = &snapshot.json["residue"];
    let counts = residue.as_object().unwrap_or_else(|| panic!("residue: {residue}"));
    assert!(counts.values().all(|count| count == 0), "{residue}");
    pool.json(&["clone", "destroy", &clone.id]);
    let hits = needles.find_below(pool.dir());
    assert!(hits.is_empty(), "originals in the pool: {:#?}", &hits[..hits.len().min(40)]);
}

#[test]
fn masks_a_cluster_and_judges_find_nothing() {
    masks_and_judges_find_nothing(Base::Shop);
}

#[test]
fn masks_a_cluster_with_checksums_and_judges_find_nothing() {
    masks_and_judges_find_nothing(Base::ShopWithChecksums);
}

fn masks_and_judges_find_nothing(base: Base) {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = base.copy(&sandbox, "raw");
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &["--name", "nightly"]);
    assert_eq!(snapshot.json["name"], "nightly");
    assert_eq!(snapshot.json["major"], Servers::tested().major());
    assert!(snapshot.count("values_masked") > 150_000, "{}", snapshot.json);
    assert!(snapshot.count("pages_rewritten") > 300, "{}", snapshot.json);
    assert!(snapshot.count("pages_scanned") >= snapshot.count("pages_rewritten"));
    for stage in ["stage", "plan", "rewrite", "finish", "audit", "seal"] {
        assert!(snapshot.json["stages"][stage].is_number(), "{stage}: {}", snapshot.json["stages"]);
    }
    raw.start();
    assert_masked_well(&pool, &raw, &rules, &snapshot);
}

#[test]
fn masked_values_are_of_their_kind_and_agree_across_tables_and_databases() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = Base::Shop.copy(&sandbox, "raw");
    let pool = Pool::new(&sandbox);
    let snapshot = pool.snapshot(raw.source(), rules.path(), &[]);
    let clone = pool.clone_of(&snapshot.id, &[]);
    let none = |what: &str, sql: &str| assert_eq!(clone.value("shop", sql), "0", "{what}");
    // Rows whose e-mail address was changed after it was copied differ in production too.
    none(
        "one domain",
        "SELECT count(*) FROM customers JOIN crm.contacts USING (id)
          WHERE (id % 5 <> 1 AND customers.email IS DISTINCT FROM contacts.email)
             OR customers.token <> contacts.token",
    );
    none(
        "deliverable e-mail",
        "SELECT count(*) FROM customers
         WHERE email !~ '@.*(example\\.(com|net|org)|(test|example|invalid|localhost))$'",
    );
    none(
        "phone of another form",
        "SELECT count(*) FROM customers WHERE phone !~ '^\\+\\d\\d \\d+ \\d+$'",
    );
    none("digits", "SELECT count(*) FROM customers WHERE card !~ '^[0-9]{16}$'");
    none("classes", "SELECT count(*) FROM customers WHERE code !~ '^[A-Z]{4}-[0-9]{7}$'");
    none(
        "far dates",
        "SELECT count(*) FROM customers WHERE born NOT BETWEEN '1939-11-30' AND '2010-01-01'",
    );
    none("times", "SELECT count(*) FROM customers WHERE wakes NOT BETWEEN '00:00' AND '24:00'");
    none(
        "rows of the chain",
        "SELECT count(*) FROM crm.uses LEFT JOIN crm.staff USING (badge)
          WHERE staff.badge IS NULL",
    );
    none(
        "bosses",
        "SELECT count(*) FROM crm.staff AS s LEFT JOIN crm.staff AS b ON b.badge = s.boss
          WHERE s.boss IS NOT NULL AND b.badge IS NULL",
    );
    none(
        "codes of orders",
        "SELECT count(*) FROM orders JOIN customers AS c ON c.id = customer_id
          WHERE c.code <> customer_code",
    );
    none(
        "views of masked data",
        "SELECT count(*) FROM mailing JOIN customers AS c USING (id)
          WHERE c.email <> mailing.email",
    );
    none(
        "statistics of other values",
        "SELECT count(*) FROM pg_stats, unnest(most_common_vals::text::text[]) AS common
         WHERE tablename = 'customers' AND attname = 'city'
           AND common NOT IN (SELECT city FROM customers WHERE city IS NOT NULL)",
    );
    let statistics = "SELECT count(*) FROM pg_stats WHERE tablename = 'customers'";
    assert_eq!(clone.value("shop", statistics), "30");

    raw.start();
    let pairs = |column: &str| -> BTreeMap<String, String> {
        let sql = format!("SELECT id, {column}::text FROM customers WHERE {column} IS NOT NULL");
        let masked: BTreeMap<_, _> = clone.rows("shop", &sql).into_iter().map(pair).collect();
        raw.rows("shop", &sql)
            .into_iter()
            .map(pair)
            .map(|(id, v)| (v, masked[&id].clone()))
            .collect()
    };
    for column in ["code", "card", "rank", "big", "token", "email", "born", "joined", "credit"] {
        let masks = pairs(column);
        let same = masks.iter().filter(|(before, after)| before == after).count();
        assert!(same * 10 < masks.len(), "{column}: {same} of {} unchanged", masks.len());
    }
    for column in ["code", "card", "rank", "big", "token"] {
        let masks = pairs(column);
        let mut after: Vec<_> = masks.values().collect();
        after.sort();
        after.dedup();
        assert_eq!(after.len(), masks.len(), "{column} is not injective");
    }
    let eras = "SELECT sum(born - date '2000-01-01') FROM old_people";
    assert_ne!(raw.value("archive", eras), clone.value("archive", eras));
}

fn pair(row: crate::common::Row) -> (String, String) {
    let [left, right] = <[Option<String>; 2]>::try_from(row).expect("two columns");
    (left.expect("not null"), right.expect("not null"))
}

/// Bytes of every table of the two databases, by `database.table`.
fn heaps(raw: &Cluster, snapshot: &Snapshot) -> BTreeMap<String, Vec<u8>> {
    let mut heaps = BTreeMap::new();
    for database in ["shop", "archive"] {
        for (table, path) in heap_files(raw, database) {
            let bytes = fs::read(snapshot.data().join(path)).expect("a heap file");
            heaps.insert(format!("{database}.{table}"), bytes);
        }
    }
    heaps
}

/// Tables whose bytes differ.
fn differing(left: &BTreeMap<String, Vec<u8>>, right: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    assert!(left.keys().eq(right.keys()));
    left.iter().filter(|(table, bytes)| right[*table] != **bytes).map(|(t, _)| t.clone()).collect()
}

#[test]
fn two_runs_with_one_key_give_identical_heap_files_and_another_key_gives_others() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = Base::ShopWithChecksums.copy(&sandbox, "raw");
    let mut pool = Pool::new(&sandbox);
    let first = pool.snapshot(raw.source(), rules.path(), &["--threads", "1"]);
    let again = pool.snapshot(raw.source(), rules.path(), &["--threads", "8"]);
    assert_ne!(first.id, again.id);
    assert_eq!(first.json["key_id"], again.json["key_id"]);
    assert_eq!(first.json["rules_hash"], again.json["rules_hash"]);
    pool.env = vec![("THINVEIL_KEY".into(), "77".repeat(32))];
    let other = pool.snapshot(raw.source(), rules.path(), &[]);
    assert_ne!(first.json["key_id"], other.json["key_id"]);
    let ephemeral = pool.snapshot(raw.source(), rules.path(), &["--ephemeral-key"]);
    raw.start();
    let heaps = [first, again, other, ephemeral].map(|snapshot| heaps(&raw, &snapshot));
    assert_eq!(differing(&heaps[0], &heaps[1]), Vec::<String>::new());
    for table in ["shop.customers", "shop.crm.contacts", "archive.old_people"] {
        assert!(differing(&heaps[0], &heaps[2]).contains(&table.to_owned()), "{table}");
        assert!(differing(&heaps[0], &heaps[3]).contains(&table.to_owned()), "{table}");
        assert!(differing(&heaps[2], &heaps[3]).contains(&table.to_owned()), "{table}");
    }
}

#[test]
fn the_source_is_not_touched() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let raw = Base::Shop.copy(&sandbox, "raw");
    let before = crate::common::tree_digest(raw.data());
    Pool::new(&sandbox).snapshot(raw.source(), rules.path(), &[]);
    assert_eq!(before, crate::common::tree_digest(raw.data()));
}
