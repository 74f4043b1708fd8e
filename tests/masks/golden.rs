//! Golden vectors: what each mask makes of what, in bytes.

use std::path::Path;

use serde::{Deserialize, Serialize};
use thinveil::datum::ValueType;
use thinveil::rules::{MaskName, MaskOptions};

use super::*;

const GOLDEN: &str = "tests/golden/masks.json";

/// What stands for bytes that are text where they are: read in a diff, checked by nobody else.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vector {
    mask: MaskName,
    value_type: ValueType,
    options: MaskOptions,
    value: String,
    masked: String,
    value_hex: String,
    masked_hex: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value for people to read.
fn readable(value_type: ValueType, bytes: &[u8]) -> String {
    match (value_type, bytes) {
        (ValueType::Text | ValueType::Bpchar, _) => String::from_utf8_lossy(bytes).into_owned(),
        (ValueType::Float4, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]).to_string(),
        (ValueType::Float8, &[a, b, c, d, e, f, g, h]) => {
            f64::from_le_bytes([a, b, c, d, e, f, g, h]).to_string()
        }
        (ValueType::Numeric, [head @ .., _, _]) if !head.is_empty() => bytes
            .chunks_exact(2)
            .skip(1)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]).to_string())
            .collect::<Vec<_>>()
            .join("_"),
        (ValueType::Citext | ValueType::Name, _) => {
            String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
        }
        (ValueType::Uuid | ValueType::Numeric, _) => hex(bytes),
        _ if bytes.len() > 8 || value_type.width().is_none() => hex(bytes),
        _ => {
            let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
            let mut wide = if negative { [0xFF; 8] } else { [0; 8] };
            wide[..bytes.len()].copy_from_slice(bytes);
            i64::from_le_bytes(wide).to_string()
        }
    }
}

#[test]
fn golden_vectors_hold() {
    let mut vectors = Vec::new();
    for (mask, value_type, options) in specs() {
        let compiled = compile(mask, value_type, &options);
        for value in samples(value_type) {
            let Some(masked) = try_apply(&compiled, &value) else { continue };
            vectors.push(Vector {
                mask,
                value_type,
                options: options.clone(),
                value: readable(value_type, &value),
                masked: readable(value_type, &masked),
                value_hex: hex(&value),
                masked_hex: hex(&masked),
            });
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    if std::env::var_os("THINVEIL_BLESS").is_some() {
        let lines: Vec<String> =
            vectors.iter().map(|vector| serde_json::to_string(vector).unwrap()).collect();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
        return;
    }
    let text = std::fs::read_to_string(&path).expect("golden vectors; make them: THINVEIL_BLESS=1");
    let golden: Vec<Vector> = serde_json::from_str(&text).unwrap();
    assert_eq!(golden.len(), vectors.len(), "vectors were added: THINVEIL_BLESS=1, read the diff");
    for (golden, vector) in golden.iter().zip(&vectors) {
        assert_eq!(golden, vector, "a mask changed: that is a new mask version");
    }
}
