//! Values of shuffled columns, and lists of values out of line, for which there is no memory.

use super::*;
use crate::mask::MaskKey;
use crate::rules::RuleSet;

/// The rewritten heap of a table, and its TOAST table's.
fn rewritten(
    pool: &Pool,
    table: &str,
    rules: &str,
    options: SnapshotOptions,
) -> Result<[Vec<u8>; 2]> {
    let source = Source::get();
    let from = crate::pool::Source::parse(&source.path().join("data").display().to_string());
    let rules = RuleSet::from_toml(&format!("version = 1\nunlisted = \"keep\"\n{rules}")).unwrap();
    let planned = pool.stage(&from, options)?.plan(&rules)?;
    let mut relations = planned.mask_plan().databases.iter().flat_map(|it| &it.relations);
    let relation = relations.find(|it| it.name == table).unwrap();
    let paths = [Some(relation.path.clone()), relation.toast_path.clone()];
    let staging = pool.staging_dir().join(subdirs(&pool.staging_dir()).unwrap().remove(0));
    let files = |directory: &Path| {
        let entries = walkdir::WalkDir::new(directory).into_iter().map(|entry| entry.unwrap());
        entries.filter(|entry| entry.file_type().is_file()).count()
    };
    let before = files(&staging);
    let rewritten = planned.rewrite(&MaskKey::from_bytes([7; 32]))?;
    assert_eq!(files(&staging), before, "files of the staging volume");
    let data = staging.join("volume/data");
    let bytes = paths.map(|path| path.map_or(vec![], |path| fs::read(data.join(path)).unwrap()));
    drop(rewritten);
    Ok(bytes)
}

fn pool(home: &Home) -> Pool {
    Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Copy)).unwrap().0
}

#[test]
fn toast_lists_beyond_memory_give_the_same_bytes() {
    let home = Home::new(DriverKind::Copy);
    let pool = pool(&home);
    let rules = "[databases.postgres.tables.\"public.long\"]\nnote = \"text\"\npacked = \"text\"\n";
    let with = |toast_memory| {
        let options = SnapshotOptions { toast_memory, ..SnapshotOptions::default() };
        rewritten(&pool, "long", rules, options).unwrap()
    };
    let all = with(usize::MAX >> 1);
    for memory in [0, 3000, 20_000] {
        assert!(all == with(memory), "{memory} bytes of memory");
    }
}

#[test]
fn values_beyond_memory_give_the_same_heap_and_a_refusal_leaves_nothing() {
    let home = Home::new(DriverKind::Copy);
    let pool = pool(&home);
    let rewritten = |memory, rules: &str| {
        let options = SnapshotOptions { shuffle_memory: memory, ..SnapshotOptions::default() };
        rewritten(&pool, "t", rules, options).map(|[heap, _]| heap)
    };
    let rules = "[databases.postgres.tables.\"public.t\"]\nid = \"shuffle\"\nnote = \"shuffle\"\n";
    let all = rewritten(usize::MAX >> 1, rules).unwrap();
    for memory in [0, 1000, 30_000] {
        assert!(all == rewritten(memory, rules).unwrap(), "{memory} bytes of memory");
    }
    let alone =
        format!("{rules}[databases.postgres.tables.\"public.in_space\"]\nid = \"shuffle\"\n");
    match rewritten(1000, &alone) {
        Err(Error::Refused(refusals)) => assert_eq!(refusals[0].code, "shuffle_alone"),
        other => panic!("{:?}", other.map(|heap| heap.len())),
    }
    assert_eq!(subdirs(&pool.staging_dir()).unwrap(), Vec::<String>::new());
}
