//! Shuffled columns whose values don't fit in the memory that they may take.

use super::*;
use crate::mask::MaskKey;
use crate::rules::RuleSet;

/// The rewritten heap of table `t`, with so much memory for its values.
fn rewritten(pool: &Pool, memory: usize, rules: &str) -> Result<Vec<u8>> {
    let source = Source::get();
    let from = crate::pool::Source::parse(&source.path().join("data").display().to_string());
    let options = SnapshotOptions { shuffle_memory: memory, ..SnapshotOptions::default() };
    let rules = RuleSet::from_toml(&format!("version = 1\nunlisted = \"keep\"\n{rules}")).unwrap();
    let planned = pool.stage(&from, options)?.plan(&rules)?;
    let relations = planned.mask_plan().databases.iter().flat_map(|database| &database.relations);
    let path = relations.clone().find(|it| it.name == "t").unwrap().path.clone();
    let staging = pool.staging_dir().join(subdirs(&pool.staging_dir()).unwrap().remove(0));
    let files = |directory: &Path| {
        let entries = walkdir::WalkDir::new(directory).into_iter().map(|entry| entry.unwrap());
        entries.filter(|entry| entry.file_type().is_file()).count()
    };
    let before = files(&staging);
    let rewritten = planned.rewrite(&MaskKey::from_bytes([7; 32]))?;
    assert_eq!(files(&staging), before, "files of the staging volume");
    let heap = fs::read(staging.join("volume/data").join(path)).unwrap();
    drop(rewritten);
    Ok(heap)
}

#[test]
fn values_beyond_memory_give_the_same_heap_and_a_refusal_leaves_nothing() {
    let home = Home::new(DriverKind::Copy);
    let (pool, _) = Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Copy)).unwrap();
    let rules = "[databases.postgres.tables.\"public.t\"]\nid = \"shuffle\"\nnote = \"shuffle\"\n";
    let all = rewritten(&pool, usize::MAX >> 1, rules).unwrap();
    for memory in [0, 1000, 30_000] {
        assert!(all == rewritten(&pool, memory, rules).unwrap(), "{memory} bytes of memory");
    }
    let alone =
        format!("{rules}[databases.postgres.tables.\"public.in_space\"]\nid = \"shuffle\"\n");
    match rewritten(&pool, 1000, &alone) {
        Err(Error::Refused(refusals)) => assert_eq!(refusals[0].code, "shuffle_alone"),
        other => panic!("{:?}", other.map(|heap| heap.len())),
    }
    assert_eq!(subdirs(&pool.staging_dir()).unwrap(), Vec::<String>::new());
}
