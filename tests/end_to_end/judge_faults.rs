//! Each judge finds a planted fault. A judge that can't is none.

use std::fs;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use memchr::memmem;

use crate::common::{
    Base, Cluster, FileSystem, LoopFs, Needles, Queries, Rules, Sandbox, Servers,
    assert_foreign_keys_hold, checksum_findings, layout_difference, leftovers_under, originals_of,
    tree_digest, verify_heapam_findings, wait_until,
};

#[test]
fn needles_are_found_at_every_offset_and_named() {
    let mut needles = Needles::new();
    assert!(needles.add("email", b"jane.doe@example.org"));
    assert!(needles.add("number", &1_234_567_890_123_456_789_i64.to_le_bytes()));
    assert!(!needles.add("short", b"1234567"));
    assert!(!needles.add("zeros", &[0; 12]));
    assert_eq!(needles.len(), 2);
    for offset in 0..17 {
        let mut haystack = vec![b'x'; 100];
        haystack[offset..offset + 20].copy_from_slice(b"jane.doe@example.org");
        assert_eq!(needles.find_in(&haystack), [format!("email at {offset}")]);
        haystack[offset] = b'k';
        assert!(needles.find_in(&haystack).is_empty());
    }
    let tail = 1_234_567_890_123_456_789_i64.to_le_bytes();
    assert_eq!(needles.find_in(&tail), ["number at 0"]);
}

#[test]
fn originals_of_every_masked_type_are_found_in_the_raw_files() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = Base::Shop.copy(&sandbox, "raw");
    raw.start();
    let needles = originals_of(&raw, &rules);
    raw.stop();
    assert!(needles.len() > 60_000, "{}", needles.len());
    let mut found: Vec<String> = Vec::new();
    for file in crate::common::files_under(&raw.data().join("base")) {
        let bytes = fs::read(raw.data().join("base").join(file)).unwrap();
        let hits = needles.find_in(&bytes);
        found.extend(hits.into_iter().map(|hit| hit.split(" at ").next().unwrap().to_owned()));
        found.sort();
        found.dedup();
    }
    for column in [
        "email",
        "phone",
        "street",
        "note",
        "secret",
        "card",
        "initials",
        "big",
        "credit",
        "seen",
        "joined",
        "token",
        "code",
        "late",
        "first_name",
    ] {
        let label = format!("shop.public.customers.{column}");
        assert!(found.contains(&label), "{column} is not in {found:?}");
    }
    for planted in ["zqdeadrow", "zqdropcol", "zqaborted", "zworiginaltier"] {
        assert!(found.iter().any(|label| label == planted), "{planted} is not in {found:?}");
    }
    let everywhere = needles.find_below(raw.data());
    for place in ["global/", "log/", "pg_wal/", "postgresql.auto.conf", "pg_stat/"] {
        assert!(everywhere.iter().any(|hit| hit.starts_with(place)), "nothing planted in {place}");
    }
}

#[test]
fn layout_comparison_notices_a_moved_row_and_a_changed_kept_value() {
    let sandbox = Sandbox::new();
    let rules = Rules::shop(&sandbox);
    let mut raw = Base::Shop.copy(&sandbox, "raw");
    let mut other = Base::Shop.copy(&sandbox, "other");
    raw.start();
    other.start();
    let differs = |other: &Cluster| layout_difference(&raw, other, &rules, "shop");
    assert_eq!(differs(&other), None);
    // In place, as masking does, at every place where the value stands.
    let edit = |other: &mut Cluster, file: &str, from: &[u8], to: &[u8]| {
        other.stop();
        let path = other.data().join(file);
        let mut bytes = fs::read(&path).unwrap();
        let places: Vec<usize> = memmem::find_iter(&bytes, from).collect();
        for offset in places {
            bytes[offset..offset + from.len()].copy_from_slice(to);
        }
        fs::write(path, bytes).unwrap();
        other.start();
    };
    let staff = raw.value("shop", "SELECT pg_relation_filepath('crm.staff')");
    let name = raw.value("shop", "SELECT full_name FROM crm.staff ORDER BY ctid LIMIT 1");
    edit(&mut other, &staff, name.as_bytes(), &name.to_lowercase().into_bytes());
    assert_eq!(differs(&other), None);
    other.exec(
        "shop",
        "UPDATE public.sites SET title = title WHERE site = (SELECT min(site) FROM sites)",
    );
    assert!(differs(&other).unwrap().starts_with("public.sites"));

    let mut third = Base::Shop.copy(&sandbox, "third");
    let customers = raw.value("shop", "SELECT pg_relation_filepath('customers')");
    third.start();
    edit(&mut third, &customers, b"business", b"buSiness");
    assert!(differs(&third).unwrap().starts_with("public.customers"));
}

#[test]
fn checkers_notice_flipped_bytes() {
    let sandbox = Sandbox::new();
    let servers = Servers::tested();
    let known = servers.have_pg_checksums();
    let mut summed = Base::ShopWithChecksums.copy(&sandbox, "summed");
    let mut plain = Base::Shop.copy(&sandbox, "plain");
    plain.start();
    assert_eq!(verify_heapam_findings(&plain, "shop"), Vec::<String>::new());
    let heap = plain.value("shop", "SELECT pg_relation_filepath('crm.contacts')");
    plain.stop();
    if known {
        assert_eq!(checksum_findings(&servers, summed.data()), None);
    }
    for cluster in [&plain, &summed] {
        let path = cluster.data().join(&heap);
        let page = fs::read(&path).unwrap();
        // The first line pointer leads to a tuple; byte 22 of its header is t_hoff.
        let pointer = u32::from_le_bytes(page[24..28].try_into().unwrap());
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(&[23], u64::from(pointer & 0x7fff) + 22).unwrap();
    }
    assert!(!known || checksum_findings(&servers, summed.data()).is_some());
    plain.start();
    // PostgreSQL 13 has no verify_heapam.
    let seen = !verify_heapam_findings(&plain, "shop").is_empty();
    assert!(seen || servers.major() == 13);
    summed.start();
    let broken = summed.client("shop").simple_query("SELECT * FROM crm.contacts");
    assert!(broken.is_err());
}

#[test]
fn foreign_keys_are_really_validated() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Shop.copy(&sandbox, "raw");
    raw.start();
    assert_foreign_keys_hold(&raw);
    raw.exec(
        "shop",
        "SET session_replication_role = replica; DELETE FROM crm.staff WHERE boss IS NULL",
    );
    let judged = std::panic::catch_unwind(|| assert_foreign_keys_hold(&raw));
    assert!(judged.is_err());
}

#[test]
fn leftovers_see_a_server_and_a_mount() {
    let sandbox = Sandbox::new();
    let mut raw = Base::Empty.copy(&sandbox, "raw");
    raw.start();
    let parent = raw.data().parent().unwrap().to_owned();
    assert!(leftovers_under(&parent).iter().any(|line| line.contains("postgres")));
    raw.stop();
    assert!(wait_until(Duration::from_secs(10), || leftovers_under(&parent).is_empty()));
    let mounted = LoopFs::mount(&sandbox, FileSystem::Xfs, "xfs", 300);
    assert_eq!(leftovers_under(sandbox.path()).len(), 1);
    drop(mounted);
    assert!(leftovers_under(sandbox.path()).is_empty());
}

#[test]
fn digests_see_one_byte() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.join("a")).unwrap();
    fs::write(sandbox.join("a/file"), b"one").unwrap();
    let before = tree_digest(&sandbox.join("a"));
    assert_eq!(before, tree_digest(&sandbox.join("a")));
    fs::write(sandbox.join("a/file"), b"onf").unwrap();
    assert_ne!(before, tree_digest(&sandbox.join("a")));
}
