//! Original values of masked columns, in the form in which pages hold them.

use super::cluster::Queries;
use super::needles::Needles;
use super::rules::{Column, Rules, quoted};

/// Every original value of a masked column that is long enough to be told from chance, and the
/// words that only dead rows, dropped columns and secrets of `shop.sql` hold.
pub(crate) fn originals_of(raw: &impl Queries, rules: &Rules) -> Needles {
    let mut needles = Needles::new();
    for planted in ["zqdeadrow", "zqdropcol", "zqaborted", "zworiginaltier"] {
        needles.add(planted, planted.as_bytes());
    }
    for secret in ["zqapppassword", "zqconninfopassword", "md5aabbccddeeff00112233445566778899"] {
        needles.add(secret, secret.as_bytes());
    }
    for database in raw.databases() {
        for (table, columns) in rules.columns(raw, &database) {
            for column in columns.iter().filter(|column| column.masked) {
                let Some(sent) = sent_form(column) else { continue };
                let sql = format!("SELECT DISTINCT encode({sent}, 'hex') FROM {}", quoted(&table));
                let label = format!("{database}.{table}.{}", column.name);
                for value in raw.column(&database, &sql) {
                    if let Some(stored) = stored_form(&column.type_name, &unhex(&value)) {
                        needles.add(&label, &stored);
                    }
                }
            }
        }
    }
    needles
}

/// SQL for a column's bytes; none for types whose values meet by chance, or take few values.
fn sent_form(column: &Column) -> Option<String> {
    let name = quoted(&column.name);
    match column.type_name.as_str() {
        "text" | "character varying" => Some(format!("convert_to({name}, 'UTF8')")),
        "character" => Some(format!("convert_to(rtrim({name}::text), 'UTF8')")),
        "uuid" => Some(format!("uuid_send({name})")),
        "bigint" => Some(format!("int8send({name})")),
        "numeric" => Some(format!("numeric_send({name})")),
        "timestamp without time zone" => Some(format!("timestamp_send({name})")),
        "timestamp with time zone" => Some(format!("timestamptz_send({name})")),
        _ => None,
    }
}

/// What a page holds of what the wire holds; none where it can't be told from chance.
fn stored_form(type_name: &str, sent: &[u8]) -> Option<Vec<u8>> {
    match type_name {
        "bigint" | "timestamp without time zone" | "timestamp with time zone" => {
            Some(sent.iter().rev().copied().collect())
        }
        "numeric" => {
            let digits = sent.get(8..)?;
            Some(digits.chunks(2).flat_map(|digit| digit.iter().rev().copied()).collect())
        }
        _ => Some(sent.to_vec()),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).expect("hex"))
        .collect()
}
