//! Constants in a `pg_node_tree`, as stored values.
//!
//! `{CONST … :constlen -1 :constbyval false :constisnull false … :constvalue 8 [ 32 0 0 0 65 … ]}`:
//! the datum's bytes as signed decimal numbers; `_outConst`, `nodes/outfuncs.c`. A masked value is
//! as long as the original one, so that nothing else of the tree changes.

use std::ops::Range;

/// One constant that is not null.
pub(super) struct Constant {
    /// Where its numbers stand in the tree.
    numbers: Range<usize>,
    /// All of its bytes,
    bytes: Vec<u8>,
    /// and which of them are the value, without varlena header or what pads a by-value datum.
    value: Range<usize>,
}

impl Constant {
    /// The value as it is stored.
    pub(super) fn value(&self) -> &[u8] {
        self.bytes.get(self.value.clone()).unwrap_or_default()
    }

    /// A short integer as the `bigint` that it is compared with.
    pub(super) fn widened(&self) -> Option<[u8; 8]> {
        let value = self.value();
        match value.len() {
            4 => Some(i64::from(i32::from_le_bytes(*value.first_chunk()?)).to_le_bytes()),
            2 => Some(i64::from(i16::from_le_bytes(*value.first_chunk()?)).to_le_bytes()),
            _ => None,
        }
    }
}

/// All constants of a tree, in order.
pub(super) fn constants(tree: &str) -> Vec<Constant> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = tree.get(from..).and_then(|rest| rest.find("{CONST ")) {
        let start = from + at;
        from = start + 1;
        let Some(rest) = tree.get(start..) else { break };
        let Some(field) = rest.find(":constvalue ") else { break };
        let (head, value) = rest.split_at(field);
        // The next constant's value, if this one is null.
        if head.contains(":constisnull true") {
            continue;
        }
        let Some((open, close)) = value.find('[').zip(value.find(']')) else { continue };
        let Some(numbers) = value.get(open + 1..close) else { continue };
        let bytes: Vec<u8> = numbers
            .split_ascii_whitespace()
            .filter_map(|number| number.parse::<i16>().ok())
            .map(|number| number as u8)
            .collect();
        let value = match length(head) {
            Some(-1) if bytes.first().is_some_and(|first| first & 1 == 1) => 1..bytes.len(),
            Some(-1) => 4.min(bytes.len())..bytes.len(),
            // `name`: padded with zeros.
            Some(64) => 0..bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()),
            Some(len) => 0..usize::try_from(len).unwrap_or(bytes.len()).min(bytes.len()),
            None => continue,
        };
        let begin = start + field + open + 1;
        found.push(Constant { numbers: begin..begin + numbers.len(), bytes, value });
    }
    found
}

fn length(head: &str) -> Option<i64> {
    let (_, rest) = head.split_once(":constlen ")?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// The tree with other values in place of some constants, each as long as what it replaces.
pub(super) fn replaced(tree: &str, changes: &[(Constant, Vec<u8>)]) -> Option<String> {
    let mut text = String::with_capacity(tree.len());
    let mut from = 0;
    for (constant, masked) in changes {
        let mut bytes = constant.bytes.clone();
        let place = bytes.get_mut(constant.value.clone())?;
        if place.len() != masked.len() {
            return None;
        }
        place.copy_from_slice(masked);
        text.push_str(tree.get(from..constant.numbers.start)?);
        for byte in bytes {
            text.push(' ');
            text.push_str(&(byte as i8).to_string());
        }
        text.push(' ');
        from = constant.numbers.end;
    }
    text.push_str(tree.get(from..)?);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "({OPEXPR :args ({CONST :consttype 25 :constlen -1 :constbyval false \
         :constisnull true :location 3 :constvalue <>} {CONST :consttype 25 :constlen -1 :constbyval \
         false :constisnull false :location 5 :constvalue 8 [ 32 0 0 0 65 110 -61 97 ]} {CONST \
         :consttype 23 :constlen 4 :constbyval true :constisnull false :location 9 :constvalue 4 [ \
         7 0 0 0 0 0 0 0 ]})})";

    #[test]
    fn reads_values_of_any_length_and_skips_nulls() {
        let found = constants(TREE);
        let values: Vec<&[u8]> = found.iter().map(Constant::value).collect();
        assert_eq!(values, [&b"An\xC3a"[..], &[7, 0, 0, 0]]);
        assert_eq!(found[1].widened(), Some(7i64.to_le_bytes()));
    }

    #[test]
    fn replaces_a_value_and_nothing_else() {
        let first = constants(TREE).remove(0);
        let text = replaced(TREE, &[(first, b"Otto".to_vec())]).unwrap();
        assert_eq!(text, TREE.replace("65 110 -61 97", "79 116 116 111"));
        let first = constants(TREE).remove(0);
        assert!(replaced(TREE, &[(first, b"Otto1".to_vec())]).is_none());
    }
}
