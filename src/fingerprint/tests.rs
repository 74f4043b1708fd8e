//! The search against one that is written to be obviously right, and sets that do not fit into
//! memory against those that do.

use proptest::prelude::*;

use super::collect::Limits;
use super::value::LONGEST;
use super::*;
use crate::datum::ValueType;
use crate::mask::{MaskKey, Witness};

/// What to collect: originals of numbered columns, and output.
#[derive(Clone, Debug, Default)]
struct Values {
    originals: Vec<(u32, Vec<u8>)>,
    outputs: Vec<Vec<u8>>,
}

fn gather(values: &Values, limits: Limits, scratch: &std::path::Path) -> Gathered {
    let collector = Collector::new(&MaskKey::from_bytes([7; 32]), scratch, limits);
    let columns = 1 + values.originals.iter().map(|(column, _)| *column).max().unwrap_or(0);
    for column in 0..columns {
        let mut notes = collector.notes(column);
        for (_, value) in values.originals.iter().filter(|(of, _)| *of == column) {
            notes.original(ValueType::Text, value);
        }
        if column == 0 {
            values.outputs.iter().for_each(|value| notes.output(ValueType::Text, value));
        }
    }
    let name = |number: u32| ColumnName {
        database: "d".into(),
        table: "s.t".into(),
        column: number.to_string(),
    };
    let threads = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    collector.gather((0..columns).map(name).collect(), &threads).unwrap()
}

/// By position and length: the columns of what was found there, and whether it counts.
type Finds = Vec<(usize, usize, Vec<u32>, bool)>;

fn fast(gathered: &mut Gathered, bytes: &[u8]) -> Finds {
    let mut found = Vec::new();
    let mut candidates = Candidates::default();
    while let Some(set) = gathered.next_set().unwrap() {
        set.search(
            bytes,
            (0, bytes.len()),
            true,
            &mut candidates,
            |Match { position, len, value, counts }| {
                let columns = gathered.columns_of(set.columns(value)).to_vec();
                found.push((position, len, columns, counts));
            },
        );
    }
    // Of the shortest only those that count are told.
    found.retain(|(_, len, _, counts)| *counts || *len >= 8);
    found.sort();
    found
}

/// A text that is worth searching for.
fn is_wanted(value: &[u8]) -> bool {
    let mut bytes: Vec<u8> = value.iter().copied().filter(|b| !matches!(b, 0 | b' ')).collect();
    bytes.sort_unstable();
    bytes.dedup();
    value.len() >= 4 && bytes.len() >= 3
}

fn naive(values: &Values, bytes: &[u8]) -> Finds {
    let cut =
        |value: &[u8]| value.trim_ascii_end()[..value.trim_ascii_end().len().min(LONGEST)].to_vec();
    let outputs: Vec<Vec<u8>> = values.outputs.iter().map(|value| cut(value)).collect();
    let mut found = Finds::new();
    for position in 0..bytes.len() {
        let mut here: Vec<Vec<u8>> = values.originals.iter().map(|(_, value)| cut(value)).collect();
        here.retain(|v| is_wanted(v) && !outputs.contains(v) && bytes[position..].starts_with(v));
        here.sort();
        here.dedup();
        for value in here {
            let mut columns: Vec<u32> = values
                .originals
                .iter()
                .filter(|(_, original)| cut(original) == value)
                .map(|(column, _)| *column)
                .collect();
            columns.sort_unstable();
            columns.dedup();
            let len = value.len();
            let before = &bytes[..position];
            let word =
                |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b >= 128);
            let whole = before.ends_with(&[(len as u8 + 1) * 2 + 1])
                || before.ends_with(&((len as u32 + 4) * 4).to_le_bytes());
            let alone = len >= 6 && !word(before.last()) && !word(bytes.get(position + len));
            let counts = len >= 12 || whole || alone;
            if counts || len >= 8 {
                found.push((position, len, columns, counts));
            }
        }
    }
    found.sort();
    found
}

fn agree(values: &Values, bytes: &[u8], limits: Limits) {
    let scratch = tempfile::tempdir().unwrap();
    let mut gathered = gather(values, limits, scratch.path());
    assert_eq!(fast(&mut gathered, bytes), naive(values, bytes));
}

fn one(value: &str) -> Values {
    Values { originals: vec![(0, value.as_bytes().to_vec())], outputs: vec![] }
}

#[test]
fn finds_words_and_datums_but_not_parts_of_words() {
    let count = |value: &str, text: &[u8]| {
        agree(&one(value), text, Limits::default());
        naive(&one(value), text).iter().filter(|(.., counts)| *counts).count()
    };
    assert_eq!(count("Johanna", b"call Johanna."), 1);
    assert_eq!(count("Johanna", b"call Johannas or xJohanna"), 0);
    assert_eq!(count("Anna", b"call Anna."), 0, "too short for a word");
    assert_eq!(count("Anna", b"x\x0bAnnaz"), 1, "short varlena header");
    assert_eq!(count("Anna", b"x\x20\0\0\0Annaz"), 1, "plain varlena header");
    assert_eq!(count("a long enough value", b"zza long enough valuezz"), 1);
    assert_eq!(count("canary-canary-canary", b"..canary-canary-canary"), 1);
    assert_eq!(count("canary-canary-canary", b"..canary-canary-canar"), 0);
    assert_eq!(count(&"long, and longer ".repeat(9), "long, and longer ".repeat(9).as_bytes()), 6);
}

#[test]
fn finds_every_length_at_every_alignment() {
    let letters: Vec<u8> = (0..200u8).map(|n| b'a' + n % 26).collect();
    for len in 4..=LONGEST {
        let value = letters[..len].to_vec();
        let values = Values { originals: vec![(0, value.clone())], outputs: vec![] };
        for shift in 0..=8 {
            let bytes = [&b"........"[..shift], &value, b". "].concat();
            let finds = naive(&values, &bytes);
            assert_eq!(finds.len(), usize::from(len >= 6), "{len} bytes at {shift}");
            agree(&values, &bytes, Limits::default());
        }
    }
}

#[test]
fn a_set_takes_less_than_forty_bytes_a_value() {
    // Just above a power of two, and just below the next: tables are of such sizes.
    for count in [33_000u32, 50_000, 65_000, 131_072] {
        let originals =
            (0..count).map(|n| (0, format!("{:08x}", n.wrapping_mul(2_654_435)).into_bytes()));
        let values = Values { originals: originals.collect(), outputs: vec![] };
        let scratch = tempfile::tempdir().unwrap();
        let mut gathered = gather(&values, Limits::default(), scratch.path());
        let set = gathered.next_set().unwrap().unwrap();
        // One byte more says whether it is set apart.
        let bytes = (set.memory() + set.len()) as f64 / set.len() as f64;
        assert!(set.len() as u32 > count / 2 && bytes < 40.0, "{bytes} bytes of {count} values");
    }
}

#[test]
fn output_is_set_apart_and_counted() {
    let values = Values {
        originals: vec![(0, b"Johanna Muster".to_vec()), (1, b"somebody else".to_vec())],
        outputs: vec![b"Johanna Muster  ".to_vec()],
    };
    let scratch = tempfile::tempdir().unwrap();
    let mut gathered = gather(&values, Limits::default(), scratch.path());
    assert_eq!((gathered.distinct(), gathered.also_output()), (2, 1));
    assert!(gathered.is_output(Some(ValueType::Text), b"Johanna Muster").unwrap());
    assert!(!gathered.is_output(Some(ValueType::Text), b"Johanna").unwrap());
    let find = |gathered: &Gathered, text: &[u8]| {
        let found = gathered.find(ValueType::Text, text).unwrap();
        found.map(|(original, columns)| (original, columns.to_vec()))
    };
    let (original, columns) = find(&gathered, b"somebody else ").unwrap();
    assert_eq!(columns, [1]);
    assert_eq!(find(&gathered, b"Johanna Muster"), None);
    assert!(gathered.forget(original));
    assert!(!gathered.forget(original));
    assert_eq!(find(&gathered, b"somebody else"), None);
    assert_eq!(gathered.also_output(), 2);
    assert_eq!(fast(&mut gathered, b"Johanna Muster, somebody else"), []);
}

#[test]
fn sets_that_spill_find_the_same() {
    let originals = (0..60_000u32).map(|n| (n % 5, format!("value-{}", n % 40_000).into_bytes()));
    let outputs = (0..20_000u32).map(|n| format!("value-{}", 2 * n).into_bytes());
    let values = Values { originals: originals.collect(), outputs: outputs.collect() };
    let text: Vec<u8> =
        (0..2000u32).flat_map(|n| format!("value-{}, ", n * 37 % 41_000).into_bytes()).collect();
    let find = |limits| {
        let scratch = tempfile::tempdir().unwrap();
        let mut gathered = gather(&values, limits, scratch.path());
        let counts = (gathered.distinct(), gathered.also_output());
        let written = std::fs::read_dir(scratch.path()).map_or(0, Iterator::count);
        let finds = fast(&mut gathered, &text);
        (counts, finds, written > 0)
    };
    let (counts, in_memory, written) = find(Limits::default());
    assert!(!written && in_memory.len() > 900);
    assert_eq!(counts, (40_000, 20_000));
    let small = Limits { originals: 10_000, outputs: 5000, searched: 3000 };
    assert_eq!(find(small), (counts, in_memory, true));
}

#[test]
fn a_sealed_set_finds_the_same_under_its_key() {
    let originals = (0..5000u32).map(|n| (n % 3, format!("value-{n}").into_bytes()));
    let outputs = (0..999u32).map(|n| format!("value-{}", 4 * n).into_bytes());
    let values = Values { originals: originals.collect(), outputs: outputs.collect() };
    let text = b"value-17, value-16; value-4999.";
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("sealed");
    let key = MaskKey::from_bytes([7; 32]);
    let mut gathered = gather(&values, Limits::default(), scratch.path());
    let forgotten = gathered.find(ValueType::Text, b"value-4999").unwrap().unwrap().0;
    assert!(gathered.forget(forgotten));
    gathered.seal(&path, &SealKey::new(&key).unwrap(), "context".into()).unwrap();
    let expected = fast(&mut gathered, text);
    assert!(!expected.is_empty());
    for originals in [100, 1 << 20] {
        let limits = Limits { originals, ..Limits::default() };
        let spill = tempfile::tempdir().unwrap();
        let (mut again, context) = Gathered::unseal(&path, &key, spill.path(), limits).unwrap();
        assert_eq!(context, "context");
        assert!(again.is_output(Some(ValueType::Text), b"value-16").unwrap());
        assert_eq!((again.distinct(), again.also_output()), (5000, 1000));
        assert_eq!(fast(&mut again, text), expected);
    }
    let other = MaskKey::from_bytes([8; 32]);
    assert!(Gathered::unseal(&path, &other, scratch.path(), Limits::default()).is_err());
}

proptest! {
    #[test]
    fn agrees_with_the_naive_search(
        originals in prop::collection::vec((0..3u32, "[abcd ]{3,20}"), 1..20),
        outputs in prop::collection::vec("[abcd]{3,8}", 0..5),
        text in "[abcd .\\x0b\\x0d\\x0f\\x11]{0,300}",
    ) {
        let originals = originals.into_iter().map(|(of, value)| (of, value.into_bytes()));
        let outputs = outputs.into_iter().map(String::into_bytes);
        let mut values = Values { originals: originals.collect(), outputs: outputs.collect() };
        // Some that are certainly there.
        for at in (0..text.len().saturating_sub(9)).step_by(40) {
            values.originals.push((1, text.as_bytes()[at..at + 9].to_vec()));
        }
        agree(&values, text.as_bytes(), Limits::default());
    }
}
