//! A cluster rewritten file by file, by tasks that know nothing of each other, against one run.

use std::collections::BTreeMap;
use std::sync::Barrier;

use super::*;
use crate::cluster::ControlFile;
use crate::mask::MaskKey;
use crate::plan::MaskPlan;
use crate::progress::NoProgress;
use crate::rewrite::{PlannedSegment, SegmentRewriter, ToastMap};
use crate::rules::RuleSet;

const RULES: &str = r#"
version = 1
unlisted = "keep"
[databases.postgres.tables."public.t"]
note = "text"
[databases.postgres.tables."public.long"]
note = "text"
packed = "text"
[databases.postgres.tables."public.grown"]
word = "redact"
"#;

/// Runs a task as another process would: what it knows came as text.
fn with_rewriter<T>(
    plan: &str,
    raw: &Path,
    masked: &Path,
    task: impl FnOnce(&SegmentRewriter<'_>) -> Result<T>,
) -> Result<T> {
    let plan: MaskPlan = serde_json::from_str(plan).unwrap();
    task(&SegmentRewriter {
        plan: &plan,
        key: &MaskKey::from_bytes([7; 32]),
        raw,
        control: &ControlFile::read(raw, major()).unwrap(),
        masked,
        toast_memory: 4096,
        threads: 1,
        cancel: &Cancel::new(),
        progress: &NoProgress,
    })
}

fn plan(pool: &Pool, rules: &str) -> Planned {
    let from = crate::pool::Source::parse(&Source::get().path().join("data").to_string_lossy());
    let rules = RuleSet::from_toml(rules).unwrap();
    pool.stage(&from, SnapshotOptions::default()).unwrap().plan(&rules).unwrap()
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").args(["--archive", "--no-target-directory"]).arg(from).arg(to));
}

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = walkdir::WalkDir::new(directory).into_iter().map(|entry| entry.unwrap());
    let entries = entries.filter(|entry| entry.file_type().is_file());
    let name = |path: &Path| path.strip_prefix(directory).unwrap().to_path_buf();
    entries.map(|entry| (name(entry.path()), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn segments_rewritten_by_themselves_are_those_of_one_run() {
    let _source = Source::get();
    let home = Home::new(DriverKind::Copy);
    let pool = Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Copy)).unwrap().0;
    let planned = plan(&pool, RULES);
    let text = serde_json::to_string(planned.mask_plan()).unwrap();
    let staging = pool.staging_dir().join(subdirs(&pool.staging_dir()).unwrap().remove(0));
    let data = staging.join("volume/data");
    let (raw, masked) = (home.dir.join("raw"), home.dir.join("masked"));
    copy(&data, &raw);
    let before = files(&raw);
    let rewritten = planned.rewrite(&MaskKey::from_bytes([7; 32])).unwrap();

    let mut segments = with_rewriter(&text, &raw, &masked, |it| it.segments()).unwrap();
    assert!(segments.iter().any(|segment| segment.table == "postgres.public.long"));
    let sent = serde_json::to_string(&segments).unwrap();
    assert_eq!(serde_json::from_str::<Vec<PlannedSegment>>(&sent).unwrap(), segments);
    // In another order, each by two workers at once: one was thought to be dead.
    segments.reverse();
    let mut maps: BTreeMap<String, (PlannedSegment, ToastMap)> = BTreeMap::new();
    for segment in &segments {
        let both = Barrier::new(2);
        let task = || {
            both.wait();
            with_rewriter(&text, &raw, &masked, |it| it.rewrite_segment(segment)).unwrap()
        };
        let (one, other) = std::thread::scope(|scope| {
            let twin = scope.spawn(task);
            (task(), twin.join().unwrap())
        });
        assert_eq!(one, other);
        assert_eq!(one.0.pages_scanned * 8192, segment.bytes);
        let map = ToastMap::from_bytes(&one.1.to_bytes()).unwrap();
        let of_table = maps.entry(segment.table.clone());
        of_table.or_insert_with(|| (segment.clone(), ToastMap::default())).1.merge(map);
    }
    for (segment, map) in maps.values() {
        let task =
            || with_rewriter(&text, &raw, &masked, |it| it.rewrite_toast(segment, map.clone()));
        let report = task().unwrap();
        assert_eq!(report.values_masked > 0, segment.table == "postgres.public.long");
        assert_eq!(task().unwrap(), report);
    }
    // A task that was tampered with reaches no other file.
    let odd = PlannedSegment { path: "../outside".into(), ..segments.last().unwrap().clone() };
    fs::write(home.dir.join("outside"), [1; 8192]).unwrap();
    with_rewriter(&text, &raw, &masked, |it| it.rewrite_segment(&odd)).unwrap();
    assert_eq!(fs::read(home.dir.join("outside")).unwrap(), [1; 8192]);
    assert!(before == files(&raw), "the raw directory was written to");
    let done = files(&masked);
    assert!(done.len() > segments.len(), "TOAST tables are missing");
    assert!(done.iter().filter(|(name, bytes)| before[*name] != **bytes).count() > 1);

    // All the rest, and what is done last.
    let whole = home.dir.join("whole");
    copy(&raw, &whole);
    copy(&masked, &whole);
    // Of a worker that was killed.
    fs::create_dir(whole.join(".thinveil-dead")).unwrap();
    fs::write(whole.join(".thinveil-dead/1259"), "half a file").unwrap();
    with_rewriter(&text, &raw, &whole, |it| it.finish()).unwrap();
    let (one, many) = (files(&data), files(&whole));
    assert_eq!(one.keys().collect::<Vec<_>>(), many.keys().collect::<Vec<_>>());
    for (name, bytes) in &one {
        assert!(*bytes == many[name], "{}", name.display());
    }
    drop(rewritten);
}

#[test]
fn what_is_no_business_of_one_segment_is_refused() {
    let _source = Source::get();
    let home = Home::new(DriverKind::Copy);
    let pool = Pool::init(&home.pool(), DriverChoice::Only(DriverKind::Copy)).unwrap().0;
    let rules = RULES.replace("note = \"text\"\npacked", "note = \"shuffle\"\npacked");
    let planned = plan(&pool, &rules);
    let text = serde_json::to_string(planned.mask_plan()).unwrap();
    let raw = Source::get().path().join("data");
    let masked = home.dir.join("masked");
    match with_rewriter(&text, &raw, &masked, |it| it.segments()) {
        Err(Error::Refused(refusals)) => {
            let [refusal] = refusals.as_slice() else { panic!("{refusals:?}") };
            assert_eq!(refusal.code, "not_by_segment");
            assert_eq!(refusal.column.as_deref(), Some("note"));
        }
        other => panic!("{other:?}"),
    }
}
