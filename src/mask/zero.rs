//! `redact` of the types that are no number and no text: the type's zero in the stored length.

use crate::datum::interval::{self, Interval};
use crate::datum::text::units;
use crate::datum::{
    DatumError, ValueType, bits, cube, geometry, jsonpath, ltree, network, snapshot, vector,
};

/// Writes the type's zero. Infinite intervals stay.
pub(crate) fn write(
    value: &mut [u8],
    value_type: ValueType,
    buffer: &mut Vec<u8>,
) -> Result<(), DatumError> {
    match value_type {
        ValueType::Snapshot => snapshot::clear(value)?,
        ValueType::Jsonpath => jsonpath::clear(value)?,
        ValueType::TimeTz => {
            interval::time_of_day(value)?;
            value.fill(0);
        }
        ValueType::Interval => {
            if !Interval::read(value)?.is_infinite() {
                value.fill(0);
            }
        }
        ValueType::Inet | ValueType::Cidr => {
            let network = network::open(value)?;
            network.address.fill(0);
            let whole = 8 * network.address.len() as u8;
            *network.bits = if value_type == ValueType::Cidr { 0 } else { whole };
        }
        ValueType::Macaddr | ValueType::Macaddr8 => {
            if Some(value.len()) != value_type.width() {
                return Err(DatumError("a MAC address is not as wide as its type"));
            }
            value.fill(0);
        }
        ValueType::Bytea => value.fill(0),
        ValueType::Bit => bits::open(value)?.0.fill(0),
        ValueType::Cube => {
            let mut cube = cube::open(value)?;
            cube.coordinates.fill([0; 8]);
            cube.mend();
        }
        ValueType::Ltree => ltree::each_label(value, |label| {
            buffer.clear();
            for unit in units(label) {
                let letter = stand_in(unit.len());
                buffer.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            super::overlay::write_back(label, buffer);
        })?,
        ValueType::Vector | ValueType::Halfvec => {
            vector::elements(value, value_type)?.0.fill(0);
        }
        _ => {
            let doubles = geometry::doubles(value, value_type)?;
            doubles.fill([0; 8]);
            if let (ValueType::Line, [_, b, _]) = (value_type, doubles) {
                // The axis: no line has zeros throughout.
                *b = (-1f64).to_le_bytes();
            }
            geometry::mend(value, value_type);
        }
    }
    Ok(())
}

/// A letter of one to four bytes: labels of an ltree have no other characters.
fn stand_in(len: usize) -> char {
    match len {
        2 => '\u{E4}',
        3 => '\u{6771}',
        4 => '\u{20000}',
        _ => 'x',
    }
}
