//! The leak audit once more, written to be obviously right: what PostgreSQL can read is read through
//! PostgreSQL, which unpacks it; each form of each original is written down, and compared.

use std::collections::BTreeMap;

use memchr::memmem;

use super::cluster::{Cluster, Queries};
use super::needles::files_under;

/// From so many bytes on, a text counts wherever it stands.
const LONG: usize = 12;
/// From so many on, it counts as a word.
const WORD: usize = 6;

/// Columns of ordinary tables of a database that hold an original, each with the first row that does:
/// `schema.table.column` and `(block,line pointer)`. `masked` are the columns not to be looked at.
pub(crate) fn columns_with(
    raw: &Cluster,
    database: &str,
    masked: &[&str],
    originals: &[String],
) -> BTreeMap<String, String> {
    let columns = raw.rows(
        database,
        "SELECT n.nspname, c.relname, a.attname, a.atttypid = 'bytea'::regtype
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND c.oid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped",
    );
    let mut found = BTreeMap::new();
    for column in columns {
        let [schema, table, column, is_bytes] = <[_; 4]>::try_from(column).expect("four");
        let [schema, table, column] = [schema, table, column].map(|name| name.expect("a name"));
        let name = format!("{schema}.{table}.{column}");
        if masked.contains(&name.as_str()) {
            continue;
        }
        let bytes = match is_bytes.as_deref() {
            Some("t") => format!("\"{column}\""),
            _ => format!("convert_to(\"{column}\"::text, 'UTF8')"),
        };
        let cells = raw.rows(
            database,
            &format!(
                "SELECT ctid::text, encode({bytes}, 'hex') FROM \"{schema}\".\"{table}\" ORDER BY ctid"
            ),
        );
        let holds = |cell: &[Option<String>]| {
            let value = cell.get(1).cloned().flatten().map(|hex| unhex(&hex));
            value.is_some_and(|value| holds(&value, originals))
        };
        if let Some(row) = cells.iter().find(|cell| holds(cell)) {
            found.insert(name, row[0].clone().expect("a ctid"));
        }
    }
    found
}

/// Files below a directory that hold a form of a long original.
pub(crate) fn files_with(directory: &std::path::Path, originals: &[String]) -> Vec<String> {
    let forms: Vec<Vec<u8>> = originals.iter().flat_map(|original| forms(original)).collect();
    let finders: Vec<memmem::Finder<'_>> = forms.iter().map(memmem::Finder::new).collect();
    let mut found = Vec::new();
    for file in files_under(directory) {
        let bytes = std::fs::read(directory.join(&file)).expect("a readable file");
        if finders.iter().any(|finder| finder.find(&bytes).is_some()) {
            found.push(file.display().to_string());
        }
    }
    found
}

/// True if a value holds an original in any form.
fn holds(value: &[u8], originals: &[String]) -> bool {
    let unescaped = without_json_escapes(value);
    let in_one_line: Vec<u8> = value.iter().copied().filter(|byte| *byte != b'\n').collect();
    originals.iter().filter(|original| original.len() <= value.len()).any(|original| {
        if original.len() < LONG {
            return stands_alone(value, original.as_bytes());
        }
        memmem::find(&unescaped, original.as_bytes()).is_some()
            || forms(original).iter().any(|form| memmem::find(&in_one_line, form).is_some())
    })
}

/// A short text: all of the value, or a word of it.
fn stands_alone(value: &[u8], original: &[u8]) -> bool {
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    value == original
        || original.len() >= WORD
            && memmem::find_iter(value, original).any(|at| {
                let before = at.checked_sub(1).and_then(|before| value.get(before));
                !before.is_some_and(in_word) && !value.get(at + original.len()).is_some_and(in_word)
            })
}

/// An original as it may stand somewhere: of base64, the digits that are of its bytes alone.
fn forms(original: &str) -> Vec<Vec<u8>> {
    let bytes = original.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        bytes.to_vec(),
        original.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        original.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
    ];
    for before in 0..3usize {
        let whole = [&b"xy"[..before], bytes].concat();
        let digits = base64(&whole);
        forms.push(digits[(8 * before).div_ceil(6)..8 * whole.len() / 6].to_vec());
    }
    forms
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = bytes.iter().flat_map(|b| (0..8).rev().map(move |n| b >> n & 1)).collect();
    let digit = |six: &[u8]| DIGITS[usize::from(six.iter().fold(0, |all, bit| all << 1 | bit))];
    bits.chunks_exact(6).map(digit).collect()
}

/// Of JSON's escapes, those that the tests write: `\u` and four digits.
fn without_json_escapes(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = value;
    while let Some((first, behind)) = rest.split_first() {
        let digits = rest.strip_prefix(b"\\u").and_then(|behind| behind.get(..4));
        let unit = digits.and_then(|it| u32::from_str_radix(str::from_utf8(it).ok()?, 16).ok());
        match unit.and_then(char::from_u32) {
            Some(c) => {
                plain.extend_from_slice(c.to_string().as_bytes());
                rest = &rest[6..];
            }
            None => {
                plain.push(*first);
                rest = behind;
            }
        }
    }
    plain
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("digits"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("a byte")).collect()
}
