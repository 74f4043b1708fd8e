//! The whole audit on made-up volumes, against a search that writes every form of every value down
//! and compares byte by byte.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::cluster::FileMap;
use crate::datum::ValueType;
use crate::error::Error;
use crate::fingerprint::{Collector, ColumnName, Gathered, Limits};
use crate::mask::{MaskKey, Witness};
use crate::plan::MaskPlan;
use crate::progress::{Cancel, NoProgress};

const CHUNK: usize = 4 << 20;

fn gather(values: &[String], scratch: &Path) -> Gathered {
    let collector = Collector::new(&MaskKey::from_bytes([3; 32]), scratch, Limits::default());
    let mut notes = collector.notes(0);
    for value in values {
        notes.original(ValueType::Text, value.as_bytes());
    }
    drop(notes);
    let column =
        ColumnName { database: "d".into(), table: "public.people".into(), column: "name".into() };
    let threads = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    collector.gather(vec![column], &threads).unwrap()
}

/// The files that the audit finds something in, and what it says of them.
fn audit(values: &[String], volume: &Path) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let (cancel, progress) = (Cancel::new(), NoProgress);
    let job = AuditJob {
        volume,
        plan: &MaskPlan::default(),
        fingerprints: gather(values, scratch.path()),
        files: &FileMap::default(),
        threads: 2,
        cancel: &cancel,
        progress: &progress,
    };
    match job.run() {
        Ok(report) => {
            assert!(report.residue.values().all(|count| *count == 0));
            Vec::new()
        }
        Err(Error::Refused(refusals)) => refusals.iter().map(|it| it.message.clone()).collect(),
        Err(error) => panic!("{error}"),
    }
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = bytes.iter().flat_map(|b| (0..8).rev().map(move |n| b >> n & 1)).collect();
    let digit = |six: &[u8]| DIGITS[usize::from(six.iter().fold(0, |all, bit| all << 1 | bit))];
    bits.chunks_exact(6).map(digit).collect()
}

/// A value in every form, each with a name, and the part of that which is of the value alone: in
/// base64, characters at either end are of its neighbours too.
fn forms(value: &str) -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let mut forms: Vec<_> =
        whole_forms(value).into_iter().map(|(n, f)| (n, f.clone(), f)).collect();
    for (before, cut) in [(0, 0), (1, 2), (2, 3)] {
        let whole = base64(&[&b"xy"[..before], value.as_bytes(), b"zzz"].concat());
        let end = (8 * (before + value.len())) / 6;
        forms.push(("base64", whole.clone(), whole[cut..end].to_vec()));
    }
    forms
}

fn whole_forms(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = value.as_bytes();
    let mut forms = vec![("plain", bytes.to_vec())];
    forms.push(("UTF-16LE", value.encode_utf16().flat_map(u16::to_le_bytes).collect()));
    forms.push(("UTF-16BE", value.encode_utf16().flat_map(u16::to_be_bytes).collect()));
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    forms.push(("HEX", hex.to_uppercase().into_bytes()));
    forms.push(("hex", hex.into_bytes()));
    let escape = |c: char| match c {
        '"' | '\\' | '/' => format!("\\{c}"),
        c if c.is_ascii() => c.to_string(),
        c => c.encode_utf16(&mut [0; 2]).iter().map(|u| format!("\\u{u:04x}")).collect(),
    };
    let json: String = value.chars().map(escape).collect();
    forms.push(("JSON", json.into_bytes()));
    forms
}

/// The simple search: true if any form of any value is there.
fn naive(values: &[String], bytes: &[u8]) -> bool {
    let mut all = values.iter().flat_map(|value| forms(value));
    all.any(|(_, _, form)| bytes.windows(form.len()).any(|window| window == form))
}

/// Bytes that repeat themselves only after a long time.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn values() -> Vec<String> {
    let plain = (0..500).map(|n| format!("Jane {n} Quimby-Abernathy"));
    let special = ["Ren\u{e9} \"R\" \u{1f600} Descartes/Sons", "a/very\\odd \"value\" indeed"];
    plain.chain(special.map(String::from)).collect()
}

#[test]
fn finds_every_form_wherever_it_stands_and_says_where() {
    let values = values();
    for value in [&values[77], &values[500], &values[501]] {
        for (number, (form, bytes, _)) in forms(value).into_iter().enumerate() {
            let volume = tempfile::tempdir().unwrap();
            for (file, at) in [(0, 0), (1, 1), (2, 8187), (3, 17_001)] {
                let mut content = noise(20_000, number as u64 + 1);
                // What stands around it is no part of it.
                content.splice(at..at + bytes.len(), bytes.iter().copied());
                content[at + bytes.len()] = b'~';
                if at > 0 {
                    content[at - 1] = b'~';
                }
                assert!(at > 0 || naive(&values, &content));
                std::fs::write(volume.path().join(file.to_string()), content).unwrap();
            }
            std::fs::write(volume.path().join("nothing"), noise(90_000, 5)).unwrap();
            let found = audit(&values, volume.path());
            assert_eq!(found.len(), 4, "{form} of {value}: {found:#?}");
            let text = found.join("\n");
            assert!(text.contains("byte 1700") && !text.contains("Quimby"), "{text}");
        }
    }
}

#[test]
fn finds_what_lies_across_the_borders_of_what_is_read_at_once() {
    let values = values();
    for (form, bytes, _) in forms(&values[77]) {
        let volume = tempfile::tempdir().unwrap();
        let shifts = [1, 2, 3, bytes.len() / 2, bytes.len() - 1, bytes.len()];
        for (number, shift) in shifts.into_iter().enumerate() {
            let mut content = vec![b'~'; CHUNK + 1000];
            let at = CHUNK - shift;
            content[at..at + bytes.len()].copy_from_slice(&bytes);
            std::fs::write(volume.path().join(number.to_string()), content).unwrap();
        }
        let found = audit(&values, volume.path());
        let files: BTreeSet<&String> = found.iter().collect();
        assert_eq!(files.len(), shifts.len(), "{form}: {found:#?}");
    }
}

#[test]
fn agrees_with_the_simple_search_on_noise_and_on_what_almost_is_a_value() {
    let values = values();
    let volume = tempfile::tempdir().unwrap();
    let mut expected = BTreeSet::new();
    let mut number = 0;
    for value in [&values[7], &values[500]] {
        for (_, bytes, core) in forms(value) {
            for (cut, changed) in [(0, None), (1, None), (0, Some(bytes.len() / 2))] {
                let len = if cut > 0 { core.len() - cut } else { bytes.len() };
                let mut part = bytes[..len].to_vec();
                if let Some(at) = changed {
                    part[at] = if part[at] == b'Q' { b'R' } else { b'Q' };
                }
                let mut content = noise(5000, number + 1);
                content.push(b'~');
                content.extend_from_slice(&part);
                content.extend_from_slice(b"~~~~");
                let name = format!("file-{number}-");
                if naive(&values, &content) {
                    expected.insert(name.clone());
                }
                std::fs::write(volume.path().join(&name), content).unwrap();
                number += 1;
            }
        }
    }
    let found = audit(&values, volume.path());
    let names = (0..number).map(|number| format!("file-{number}-"));
    let found: BTreeSet<String> =
        names.filter(|name| found.iter().any(|it| it.contains(name.as_str()))).collect();
    assert_eq!(found, expected);
    assert!(expected.len() * 3 >= number as usize, "{} of {number}", expected.len());
}
