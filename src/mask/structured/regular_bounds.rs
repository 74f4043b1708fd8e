//! Bounds made regular: values one behind the other, the least that are in order.

use std::cmp::Ordering;

use super::bounds::is_compared_whole;
use super::number_order;
use super::ranked::{is_infinite, limits, read, write};
use crate::datum::structure::{Layout, Stored};
use crate::datum::{DatumError, ValueType, network, range};

/// Of a range's or a multirange's bounds, which are in ascending order, makes those that begin at
/// `from` or behind it the least of their forms that keep it, or numbers of many ones. Equal ones
/// stay equal; infinities stay.
pub(super) fn make_regular(
    value: &mut [u8],
    bound: ValueType,
    layout: Layout,
    is_multirange: bool,
    from: usize,
) -> Result<(), DatumError> {
    let mut bounds = Vec::new();
    if is_multirange {
        range::multirange_bounds(value, layout, &mut bounds)?;
    } else {
        range::range_bounds(value, layout, &mut bounds)?;
    }
    let first = bounds.partition_point(|bound| bound.start < from);
    if bound == ValueType::Numeric {
        number_order::make_regular(value, &bounds, first)
    } else if is_compared_whole(bound) {
        make_wholes_least(value, bound, &bounds, first);
        Ok(())
    } else {
        make_numbers_least(value, bound, &bounds, first)
    }
}

fn make_numbers_least(
    value: &mut [u8],
    value_type: ValueType,
    bounds: &[Stored],
    first: usize,
) -> Result<(), DatumError> {
    let Some((min, max)) = limits(value_type) else { return Ok(()) };
    let mut last: Option<(i64, i64)> = None;
    for (index, bound) in bounds.iter().enumerate() {
        let bytes = value.get_mut(bound.data.clone()).unwrap_or_default();
        let before = read(value_type, bytes)?;
        if is_infinite(value_type, before) {
            continue;
        }
        let after = match last {
            _ if index < first => before,
            Some((equal, after)) if equal == before => after,
            Some((_, below)) => below + 1,
            None => origin(value_type).filter(|it| max - it > bounds.len() as i64).unwrap_or(min),
        };
        write(value_type, bytes, after);
        last = Some((before, after));
    }
    Ok(())
}

/// The number that a type's values are counted from, if it is not the least.
fn origin(value_type: ValueType) -> Option<i64> {
    match value_type {
        ValueType::Float4 => Some(i64::from(1f32.to_bits())),
        ValueType::Float8 => Some(1f64.to_bits() as i64),
        ValueType::Macaddr | ValueType::Macaddr8 => None,
        value_type if value_type.is_unsigned() => None,
        _ => Some(0),
    }
}

fn make_wholes_least(value: &mut [u8], value_type: ValueType, bounds: &[Stored], first: usize) {
    let mut last: Option<(Vec<u8>, Vec<u8>)> = None;
    for (index, bound) in bounds.iter().enumerate() {
        let bytes = value.get_mut(bound.data.clone()).unwrap_or_default();
        let before = bytes.to_vec();
        match &last {
            _ if index < first => {}
            Some((equal, after)) if *equal == before => bytes.copy_from_slice(after),
            last => write_above(value_type, last.as_ref().map(|(_, below)| &below[..]), bytes),
        }
        last = Some((before, bytes.to_vec()));
    }
}

/// Writes the least value of a place's form that is greater than the one `below`.
fn write_above(value_type: ValueType, below: Option<&[u8]>, place: &mut [u8]) {
    if value_type == ValueType::Uuid {
        let least = below.map_or(Some(0), |below| number(below).checked_add(1));
        if let Some(least) = least {
            write_number(place, least);
        }
        return;
    }
    let family = place.first().copied();
    let Ok(network) = network::open(place) else { return };
    let width = 8 * network.address.len() as u32;
    let bits = u32::from(*network.bits);
    let least = match below {
        Some([other, below_bits, below @ ..]) if Some(*other) == family => {
            let (below, below_bits) = (number(below), u32::from(*below_bits));
            let next = |bits: u32| {
                let unit = 1u128.checked_shl(width - bits)?;
                (below & !(unit - 1)).checked_add(unit)
            };
            match bits.cmp(&below_bits) {
                // The network itself, with more bits, is greater already.
                Ordering::Greater => Some(below & u128::MAX.unbounded_shl(width - below_bits)),
                Ordering::Equal if value_type == ValueType::Inet => next(width),
                _ => next(bits),
            }
        }
        _ => Some(0),
    };
    if let Some(least) = least.filter(|least| least.unbounded_shr(width) == 0) {
        write_number(network.address, least);
    }
}

/// A number whose first byte is the highest.
fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn write_number(bytes: &mut [u8], number: u128) {
    for (to, from) in bytes.iter_mut().rev().zip(number.to_le_bytes()) {
        *to = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datum::structure::aligned;

    const INT4: Layout = Layout { len: 4, align: 4 };
    const VARLENA: Layout = Layout { len: -1, align: 1 };

    /// A multirange of finite bounds that have no varlena header, and have become the least from
    /// bound `first` on.
    fn least(value_type: ValueType, layout: Layout, bounds: &[Vec<u8>], first: usize) -> Vec<u8> {
        let count = bounds.len() / 2;
        let mut value = vec![66, 15, 0, 0];
        value.extend((count as u32).to_le_bytes());
        value.extend(vec![0; 4 * (count - 1)]);
        value.extend(vec![0x02; count]);
        value.resize(aligned(value.len(), layout.align), 0);
        let start = value.len();
        value.extend(bounds.concat());
        let from = start + bounds[..first].concat().len();
        make_regular(&mut value, value_type, layout, true, from).unwrap();
        value.split_off(start)
    }

    fn numbers(value_type: ValueType, bounds: &[i32], first: usize) -> Vec<i32> {
        let bounds: Vec<_> = bounds.iter().map(|bound| bound.to_le_bytes().to_vec()).collect();
        let least = least(value_type, INT4, &bounds, first);
        least.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect()
    }

    #[test]
    fn numbers_are_counted_from_zero_or_from_the_one_before() {
        assert_eq!(numbers(ValueType::Int4, &[-70, -9, 5, 99], 0), [0, 1, 2, 3]);
        assert_eq!(numbers(ValueType::Int4, &[-70, -9, 5, 99], 2), [-70, -9, -8, -7]);
        assert_eq!(numbers(ValueType::Int4, &[-70, -9, -9, 99], 2), [-70, -9, -9, -8]);
        assert_eq!(numbers(ValueType::Int4, &[-70, -9, -9, 99], 4), [-70, -9, -9, 99]);
        let infinite = [i32::MIN, 5, 70, i32::MAX];
        assert_eq!(numbers(ValueType::Date, &infinite, 0), [i32::MIN, 0, 1, i32::MAX]);
        assert_eq!(numbers(ValueType::Oid, &[5, 7, -9, -1], 0), [0, 1, 2, 3]);
        let floats = [-1.5f32, 2.0, 7.0, f32::INFINITY].map(|it| it.to_bits() as i32);
        let one = 1f32.to_bits() as i32;
        assert_eq!(numbers(ValueType::Float4, &floats, 0), [one, one + 1, one + 2, floats[3]]);
    }

    #[test]
    fn uuids_and_mac_addresses_rise_in_their_last_byte() {
        let uuids: Vec<_> = (1..=4u8).map(|byte| vec![byte; 16]).collect();
        let layout = Layout { len: 16, align: 1 };
        let value = least(ValueType::Uuid, layout, &uuids, 0);
        let counted: Vec<_> = value.chunks(16).map(number).collect();
        assert_eq!(counted, [0, 1, 2, 3]);
        let value = least(ValueType::Uuid, layout, &uuids, 2);
        assert_eq!(value[..32], uuids[..2].concat());
        assert_eq!(number(&value[48..]), number(&uuids[1]) + 2);
    }

    /// Stored `inet`s with short headers.
    fn addresses(texts: &[&str]) -> Vec<Vec<u8>> {
        let stored = texts.iter().map(|text| {
            let (address, bits) = network::parse(text).unwrap();
            let address = network::octets(address);
            let family = if address.len() == 4 { 2 } else { 3 };
            let len = (address.len() + 3) as u8;
            [&[len << 1 | 1, family, bits], &address[..]].concat()
        });
        stored.collect()
    }

    #[test]
    fn addresses_keep_their_netmasks_and_families() {
        let before =
            addresses(&["10.0.0.7/8", "10.0.0.9/8", "10.9.0.0/16", "11.1.1.1", "::1", "ff::/16"]);
        let inet = addresses(&["0.0.0.0/8", "0.0.0.1/8", "0.0.0.0/16", "0.0.0.0", "::", "1::/16"]);
        assert_eq!(least(ValueType::Inet, VARLENA, &before, 0), inet.concat());
        let before = addresses(&["10.0.0.0/8", "12.0.0.0/8", "12.1.0.0/16", "99.0.0.0/8"]);
        let cidr = addresses(&["0.0.0.0/8", "1.0.0.0/8", "1.0.0.0/16", "2.0.0.0/8"]);
        assert_eq!(least(ValueType::Cidr, VARLENA, &before, 0), cidr.concat());
        let sorted = [inet, cidr].map(|all| {
            all.is_sorted_by(|a, b| network::compared(&a[1..], &b[1..]) == Ordering::Less)
        });
        assert_eq!(sorted, [true, true]);
    }
}
