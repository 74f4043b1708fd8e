//! What parts that are no text become where masked values are too irregular for their size.

use super::regular_bounds;
use crate::datum::compressed::Form;
use crate::datum::{ValueType, tsquery, tsvector};
use crate::mask::masker::{Kind, Masker};
use crate::mask::write_zero;

/// What a masker's values are made of.
pub(super) fn form(masker: &Masker<'_>) -> Form {
    let label = match &masker.hand.mask.kind {
        Kind::Label(labels) => labels.oid(0),
        _ => None,
    };
    label.map_or(masker.value_type().into(), Form::Labels)
}

/// Makes a part as regular as its form allows, as far as it begins at `from` or behind it: values
/// become zeros, labels one label, bounds the least that are in order, lexemes numbered `x`s. What
/// can't become so stays.
pub(crate) fn regularize(form: Form, part: &mut [u8], from: usize) {
    match form {
        // A match in a text shows itself; there is no more to be had.
        Form::Text | Form::Digits => {}
        Form::Values(value_type) => {
            for value in behind(part, width(value_type, part.len()), from) {
                write_zero(value_type, value);
            }
        }
        Form::Labels(oid) => {
            for label in behind(part, width(ValueType::Enum, part.len()), from) {
                if let Some(label) = label.first_chunk_mut() {
                    *label = oid.to_le_bytes();
                }
            }
        }
        // What is no such value stays, and has stopped the mask already.
        Form::Bounds { bound, layout, is_multirange } => {
            let _ = regular_bounds::make_regular(part, bound, layout, is_multirange, from);
        }
        Form::TsVector => {
            let _ = tsvector::number_lexemes(part, from);
        }
        Form::TsQuery => {
            let _ = tsquery::blur_lexemes(part, from);
        }
    }
}

/// Bytes of each value of those in a part.
fn width(value_type: ValueType, len: usize) -> usize {
    match value_type {
        ValueType::Bytea => 1,
        value_type => value_type.width().unwrap_or(len).max(1),
    }
}

/// The values that begin at `from` or behind it.
fn behind(part: &mut [u8], width: usize, from: usize) -> impl Iterator<Item = &mut [u8]> {
    let first = from.next_multiple_of(width).min(part.len());
    part.get_mut(first..).unwrap_or_default().chunks_mut(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zeroed(value_type: ValueType, len: usize, from: usize) -> Vec<u8> {
        let mut value = vec![7; len];
        regularize(Form::Values(value_type), &mut value, from);
        value
    }

    #[test]
    fn values_that_begin_behind_become_zeros() {
        assert_eq!(zeroed(ValueType::Int4, 12, 5), [[7; 8].as_slice(), &[0; 4]].concat());
        assert_eq!(zeroed(ValueType::Int4, 12, 0), [0; 12]);
        assert_eq!(zeroed(ValueType::Int4, 12, 11), [7; 12]);
        assert_eq!(zeroed(ValueType::Bytea, 3, 1), [7, 0, 0]);
    }

    #[test]
    fn labels_become_one() {
        let mut labels = [20u32, 10, 30].map(u32::to_le_bytes).concat();
        regularize(Form::Labels(10), &mut labels, 1);
        assert_eq!(labels, [20u32, 10, 10].map(u32::to_le_bytes).concat());
    }
}
