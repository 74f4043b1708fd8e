use super::*;
use crate::error::Refusal;

fn log_of(count: usize) -> (tempfile::TempDir, AuditLog) {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::of_pool(dir.path());
    for number in 1..=count {
        append(&log, "clone create", &format!("c-{number}"));
    }
    (dir, log)
}

fn append(log: &AuditLog, verb: &str, object: &str) {
    log.append(verb, object, &Told::done(&[("port", "6000")])).unwrap();
}

fn text(log: &AuditLog) -> Vec<String> {
    fs::read_to_string(&log.path).unwrap().lines().map(str::to_owned).collect()
}

fn write(log: &AuditLog, lines: &[String]) {
    fs::write(&log.path, lines.join("\n") + "\n").unwrap();
}

/// The line that verifying names.
#[track_caller]
fn broken(log: &AuditLog) -> u64 {
    match log.verify(None) {
        Err(Error::AuditLogBroken { line, .. }) => line,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_untouched_log_verifies() {
    let (_dir, log) = log_of(3);
    let verified = log.verify(None).unwrap();
    assert_eq!((verified.entries, verified.first, verified.last), (3, 1, 3));
    assert_eq!(verified.head, hash(text(&log)[2].as_bytes()));
    assert!(verified.anchor.is_none());
}

#[test]
fn a_change_of_any_byte_is_found_at_its_line_or_the_next() {
    let (_dir, log) = log_of(3);
    let bytes = fs::read(&log.path).unwrap();
    let mut line = 1;
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&log.path, &changed).unwrap();
        let named = broken(&log);
        assert!((line..=line + 1).contains(&named), "byte {at} of line {line}: {named}");
        line += u64::from(bytes[at] == b'\n');
    }
}

#[test]
fn a_line_removed_inserted_or_moved_is_found_where_it_was() {
    let (_dir, log) = log_of(6);
    let lines = text(&log);
    for at in 0..lines.len() {
        let mut removed = lines.clone();
        removed.remove(at);
        write(&log, &removed);
        assert_eq!(broken(&log), at as u64 + 1, "without line {at}");
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at].clone());
        write(&log, &doubled);
        assert_eq!(broken(&log), at as u64 + 2, "line {at} twice");
        if at > 0 {
            let mut moved = lines.clone();
            moved.swap(at - 1, at);
            write(&log, &moved);
            assert_eq!(broken(&log), at as u64, "lines {at} swapped");
        }
    }
}

#[test]
fn a_log_cut_off_anywhere_is_found_also_after_more_was_appended() {
    for left in 0..5 {
        let (_dir, log) = log_of(5);
        let lines = text(&log)[..left].to_vec();
        let cut = if left == 0 { Vec::new() } else { lines };
        fs::write(&log.path, cut.iter().map(|line| format!("{line}\n")).collect::<String>())
            .unwrap();
        assert_eq!(broken(&log), left as u64 + 1);
        append(&log, "clone stop", "c-1");
        append(&log, "clone stop", "c-2");
        assert_eq!(broken(&log), left as u64 + 1, "entries 6 and 7 follow from entry 5");
    }
}

#[test]
fn a_last_line_that_was_changed_is_not_covered_up_by_the_next() {
    let (_dir, log) = log_of(3);
    let mut lines = text(&log);
    lines[2] = lines[2].replace("c-3", "c-9");
    write(&log, &lines);
    assert_eq!(broken(&log), 3);
    append(&log, "clone stop", "c-1");
    assert_eq!(broken(&log), 4, "it does not follow from line 3");
}

#[test]
fn a_head_record_that_is_gone_or_forged_is_found() {
    let (_dir, log) = log_of(3);
    let record = fs::read(&log.head).unwrap();
    fs::remove_file(&log.head).unwrap();
    assert_eq!(broken(&log), 4);
    append(&log, "clone stop", "c-1");
    assert_eq!(broken(&log), 4, "it is seen for ever");

    let (_dir, log) = log_of(3);
    fs::write(&log.head, record).unwrap();
    assert_eq!(broken(&log), 3, "another log's record");
}

#[test]
fn what_a_crash_leaves_verifies_and_is_gone_on_from() {
    let (_dir, log) = log_of(3);
    let record = fs::read(&log.head).unwrap();
    append(&log, "clone stop", "c-1");
    // The line was written, the record was not.
    fs::write(&log.head, record).unwrap();
    assert_eq!(log.verify(None).unwrap().last, 4);
    append(&log, "clone stop", "c-2");
    assert_eq!(log.verify(None).unwrap().last, 5);
    // A line was cut short.
    let mut text = fs::read(&log.path).unwrap();
    text.extend_from_slice(b"{\"sequence\":6,\"at");
    fs::write(&log.path, text).unwrap();
    append(&log, "clone stop", "c-1");
    assert_eq!(log.verify(None).unwrap().entries, 6);
    // The first line ever.
    let (_dir, log) = log_of(1);
    fs::remove_file(&log.head).unwrap();
    append(&log, "clone stop", "c-1");
    assert_eq!(log.verify(None).unwrap().entries, 2);
}

#[test]
fn lines_appended_behind_the_head_record_are_found() {
    let (_dir, log) = log_of(3);
    let record = fs::read(&log.head).unwrap();
    append(&log, "clone stop", "c-1");
    append(&log, "clone stop", "c-2");
    fs::write(&log.head, record).unwrap();
    assert_eq!(broken(&log), 5);
}

#[test]
fn pruning_keeps_the_chain_and_can_be_done_again() {
    let (_dir, log) = log_of(10);
    let whole = text(&log);
    let seen = hash(whole[7].as_bytes());
    let pruned = log.prune(Retention::Last(4)).unwrap();
    assert_eq!((pruned.removed, pruned.kept), (6, 5));
    assert_eq!(text(&log)[1..5], whole[6..]);
    let verified = log.verify(Some(&seen)).unwrap();
    assert_eq!((verified.entries, verified.first, verified.last), (5, 7, 11));
    assert_eq!(verified.anchor.unwrap().hash, hash(whole[5].as_bytes()));

    append(&log, "clone stop", "c-1");
    assert_eq!(log.prune(Retention::Last(1)).unwrap().removed, 5);
    assert_eq!(log.verify(None).unwrap().first, 12);
    assert!(log.verify(Some(&seen)).is_err(), "pruned by now");
    let pruned = log.prune(Retention::Last(100)).unwrap();
    assert_eq!((pruned.removed, pruned.kept), (0, 3));
    assert_eq!(log.entries().unwrap().len(), 3);
    assert_eq!(log.prune(Retention::Last(0)).unwrap().kept, 1);
    assert_eq!(log.verify(None).unwrap().entries, 1);
}

#[test]
fn pruning_by_age_keeps_what_is_young() {
    let (_dir, log) = log_of(4);
    let third = log.entries().unwrap()[2].at;
    assert_eq!(log.prune(Retention::Since(third)).unwrap().removed, 2);
    assert_eq!(log.entries().unwrap()[0].sequence, 3);
    assert_eq!(log.verify(None).unwrap().first, 3);
}

#[test]
fn an_anchor_of_somebody_elses_making_is_found() {
    let (_dir, log) = log_of(6);
    // Lines removed by hand, an anchor put in their place.
    let lines = text(&log);
    let entry: AuditEntry = serde_json::from_str(&lines[2]).unwrap();
    let anchor =
        Anchor { pruned_through: 3, written_at: entry.at, hash: hash(lines[2].as_bytes()) };
    let forged = [vec![serde_json::to_string(&anchor).unwrap()], lines[3..].to_vec()].concat();
    write(&log, &forged);
    assert_eq!(broken(&log), 1);
    // A true one that was moved along.
    write(&log, &lines);
    log.prune(Retention::Last(3)).unwrap();
    let lines = text(&log);
    let later = lines[0].replace("\"written_at\":\"2", "\"written_at\":\"3");
    write(&log, &[vec![later], lines[1..].to_vec()].concat());
    assert_eq!(broken(&log), 1, "an anchor with another date");
    write(&log, &lines[1..]);
    assert_eq!(broken(&log), 1, "without its anchor");
}

#[test]
fn a_broken_log_is_not_pruned() {
    let (_dir, log) = log_of(4);
    let mut lines = text(&log);
    lines.remove(1);
    write(&log, &lines);
    assert!(log.prune(Retention::Last(1)).is_err());
    assert_eq!(text(&log), lines);
}

#[test]
fn a_long_value_does_not_break_the_chain() {
    let (_dir, log) = log_of(3);
    for _ in 0..3 {
        let told = Told::done(&[("source", &"x".repeat(200_000))]);
        log.append("stage", &"ü".repeat(99_999), &told).unwrap();
    }
    assert_eq!(log.verify(None).unwrap().entries, 6);
}

#[test]
fn many_at_once_make_one_chain() {
    let (_dir, log) = log_of(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| append(&log, "clone show", "c-1")));
        }
        scope.spawn(|| log.prune(Retention::Last(3)).map(drop).ok());
    });
    assert!(log.verify(None).unwrap().last >= 20);
}

#[test]
fn a_refusal_is_told_by_its_codes() {
    let codes = ["unlisted_column", "partition_key", "unlisted_column"];
    let error = Error::Refused(codes.map(|code| Refusal::new(code, "", "")).to_vec());
    let told = Told::not_done(&error);
    let details: Vec<&str> = told.details.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!((told.outcome, details), ("refused", vec!["3", "partition_key unlisted_column"]));
    assert_eq!(Told::not_done(&Error::Cancelled).outcome, "cancelled");
}
