//! Stored values of the types that are more than a number or a text.

use thinveil::datum::{EnumLabels, ValueType};

/// The labels of the `enum` that vectors are of.
pub(crate) fn labels(value_type: ValueType) -> EnumLabels {
    // Enough of them that two keys hardly ever agree.
    let labels = ["low", "middle", "high", "severe", "fatal", "none", "mild", "odd", "rare"];
    let oids = (16_400..).step_by(2);
    match value_type {
        ValueType::Enum => EnumLabels(oids.zip(labels.map(str::to_owned)).collect()),
        _ => EnumLabels::default(),
    }
}

/// What `constant` writes in the vectors.
pub(crate) fn constant(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::TimeTz => "12:00:00-05",
        ValueType::Interval => "1 month 2 days 3 hours",
        ValueType::Inet => "192.0.2.1/24",
        ValueType::Cidr => "2001:db8::/32",
        ValueType::Macaddr => "02:00:00:00:00:01",
        ValueType::Macaddr8 => "02:00:00:00:00:00:00:01",
        ValueType::Bytea => r"\x00ff10",
        ValueType::Bit => "1101",
        ValueType::Enum => "severe",
        ValueType::PgLsn => "16B/374D848",
        _ => "42",
    }
}

fn doubles(header: &[u8], doubles: &[f64]) -> Vec<u8> {
    let doubles = doubles.iter().flat_map(|double| double.to_le_bytes());
    header.iter().copied().chain(doubles).collect()
}

fn path(points: &[f64]) -> Vec<u8> {
    let count = points.len() as u8 / 2;
    doubles(&[count, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], points)
}

/// With the box that PostgreSQL keeps.
fn polygon(points: &[f64]) -> Vec<u8> {
    let axis = |at: usize| points.iter().skip(at).step_by(2).copied();
    let (high, low) =
        (|at| axis(at).fold(f64::MIN, f64::max), |at| axis(at).fold(f64::MAX, f64::min));
    let bound = [high(0), high(1), low(0), low(1)];
    doubles(&[points.len() as u8 / 2, 0, 0, 0], &[&bound[..], points].concat())
}

fn interval(micros: i64, days: i32, months: i32) -> Vec<u8> {
    [&micros.to_le_bytes()[..], &days.to_le_bytes(), &months.to_le_bytes()].concat()
}

fn time_tz(micros: i64, west: i32) -> Vec<u8> {
    [&micros.to_le_bytes()[..], &west.to_le_bytes()].concat()
}

fn ltree(labels: &[&str]) -> Vec<u8> {
    let mut value = vec![labels.len() as u8, 0, 0, 0];
    for label in labels {
        value.extend((label.len() as u16).to_le_bytes());
        value.extend(label.as_bytes());
        value.resize((value.len() + 4).next_multiple_of(8) - 4, 0);
    }
    value
}

fn name(text: &str) -> Vec<u8> {
    let mut value: Vec<u8> = text.bytes().take(63).collect();
    value.resize(64, 0);
    value
}

fn snapshot(running: u64) -> Vec<u8> {
    let numbers = [700, 700 + running].into_iter().chain(700..700 + running);
    let numbers = numbers.flat_map(u64::to_le_bytes);
    (running as u32).to_le_bytes().into_iter().chain(numbers).collect()
}

fn jsonpath(text: &str) -> Vec<u8> {
    let mut value = vec![1, 0, 0, 0x80, 1, 0, 0, 0, 0, 0, 0, 0];
    value.extend((text.len() as u32).to_le_bytes());
    value.extend(text.as_bytes());
    value.push(0);
    value
}

/// Values of a type, as stored.
pub(crate) fn samples(value_type: ValueType) -> Vec<Vec<u8>> {
    let v6 = |bits: u8, head: [u8; 4]| [&[3, bits][..], &head, &[0; 11], &[1]].concat();
    let unsigned = |numbers: &[u64]| -> Vec<Vec<u8>> {
        let width = value_type.width().unwrap();
        numbers.iter().map(|number| number.to_le_bytes()[..width].to_vec()).collect()
    };
    match value_type {
        ValueType::Citext => ["", "Jane.Doe@Example.org", "jane.doe@example.org", "ÉMILE", "x7"]
            .map(|text| text.as_bytes().to_vec())
            .to_vec(),
        ValueType::Name => ["", "jane", "Robert'); DROP TABLE", "Jürgen"].map(name).to_vec(),
        ValueType::Char => vec![vec![0], vec![b'r'], vec![b'7'], vec![b'-'], vec![0xE9]],
        ValueType::Oid => unsigned(&[0, 7, 16_384, 2_147_483_648, 4_294_967_295]),
        ValueType::Xid8 | ValueType::PgLsn => {
            unsigned(&[0, 750, 0x16B_0374_D848, 1 << 63, u64::MAX])
        }
        ValueType::Money => unsigned(&[0, 1999, -123_456i64 as u64, i64::MAX as u64]),
        ValueType::Snapshot => vec![snapshot(0), snapshot(3)],
        ValueType::TimeTz => {
            vec![time_tz(0, 0), time_tz(43_200_123_456, -7200), time_tz(86_400_000_000, 57_599)]
        }
        ValueType::Interval => vec![
            interval(0, 0, 0),
            interval(14_706_789_000, 3, 14),
            interval(-1, -40, 0),
            interval(i64::MAX, i32::MAX, i32::MAX),
            interval(i64::MIN, i32::MIN, i32::MIN),
        ],
        ValueType::Inet => vec![
            vec![2, 32, 192, 0, 2, 7],
            vec![2, 24, 10, 1, 2, 3],
            v6(128, [0x20, 1, 0x0D, 0xB8]),
            v6(64, [0xFE, 0x80, 0, 0]),
        ],
        ValueType::Cidr => vec![
            vec![2, 0, 0, 0, 0, 0],
            vec![2, 21, 10, 1, 8, 0],
            [&[3, 48, 0x20, 1, 0x0D, 0xB8, 0, 9][..], &[0; 10]].concat(),
        ],
        ValueType::Macaddr => vec![vec![0, 0x1B, 0x63, 1, 2, 3], vec![0xFF; 6]],
        ValueType::Macaddr8 => {
            vec![vec![0, 0x1B, 0x63, 0xFF, 0xFE, 1, 2, 3], vec![1, 2, 3, 4, 5, 6, 7, 8]]
        }
        ValueType::Bytea => vec![vec![], vec![0], vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
        ValueType::Bit => {
            vec![vec![0; 4], vec![1, 0, 0, 0, 0x80], vec![19, 0, 0, 0, 0xAB, 0xCD, 0xE0]]
        }
        ValueType::Enum => {
            labels(value_type).0.iter().map(|(oid, _)| oid.to_le_bytes().to_vec()).collect()
        }
        ValueType::Jsonpath => vec![
            vec![1, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0],
            vec![1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1],
            jsonpath("name"),
        ],
        ValueType::Point => vec![doubles(&[], &[13.4, -52.5]), doubles(&[], &[0.0, f64::INFINITY])],
        ValueType::Lseg => vec![doubles(&[], &[1.0, 2.0, 3.0, f64::NAN])],
        ValueType::Box => vec![doubles(&[], &[3.1, 4.1, 3.0, -4.0])],
        ValueType::Line => {
            vec![doubles(&[], &[1.5, -1.0, 7.25]), doubles(&[], &[1.05e-6, 0.0, 1.0])]
        }
        ValueType::Path => vec![path(&[1.0, 2.0]), path(&[1.0, 2.0, 3.0, 4.0, 5.0, -6.0])],
        ValueType::Polygon => vec![polygon(&[1.0, 2.0]), polygon(&[1.0, 2.0, 3.0, 4.0, 5.0, -6.0])],
        ValueType::Circle => vec![doubles(&[], &[1.0, 2.0, 3.5]), doubles(&[], &[1.0, 2.0, 0.0])],
        ValueType::Cube => vec![
            doubles(&[0, 0, 0, 0x80], &[]),
            doubles(&[2, 0, 0, 0x80], &[1.5, 2.5]),
            doubles(&[2, 0, 0, 0], &[1.5, 2.5, 1.5, 2.6]),
        ],
        ValueType::Ltree => vec![ltree(&[]), ltree(&["Top", "Science_2", "Été", "Astronomy"])],
        ValueType::Vector => {
            let elements = [0.25f32, -1.5, 0.0].into_iter().flat_map(f32::to_le_bytes);
            vec![[3, 0, 0, 0].into_iter().chain(elements).collect()]
        }
        ValueType::Halfvec => vec![vec![3, 0, 0, 0, 0, 0x34, 0, 0xBE, 0xFF, 0x7B]],
        _ => panic!("{value_type:?} has its samples elsewhere"),
    }
}

/// A valid value of a type, from whatever bits there are.
pub(crate) fn valid(value_type: ValueType, text: &str, bits: u64, more: u64) -> Vec<u8> {
    let some = |count: usize| -> Vec<f64> {
        let number = |at: usize| bits.rotate_left(13 * at as u32) % 100_000;
        (0..count).map(|at| number(at) as f64 / 64.0 - 700.0).collect()
    };
    let both = [bits.to_le_bytes(), more.to_le_bytes()].concat();
    let points = 1 + (more % 5) as usize;
    match value_type {
        ValueType::Citext => text.as_bytes().to_vec(),
        ValueType::Name => {
            let end = (0..=text.len().min(63)).rev().find(|&end| text.is_char_boundary(end));
            name(&text[..end.unwrap()])
        }
        ValueType::Char => vec![bits as u8],
        ValueType::Oid => bits.to_le_bytes()[..4].to_vec(),
        ValueType::Xid8 | ValueType::PgLsn | ValueType::Money => bits.to_le_bytes().to_vec(),
        ValueType::Snapshot => snapshot(more % 9),
        ValueType::TimeTz => {
            time_tz((bits % 86_400_000_001) as i64, (more % 115_199) as i32 - 57_599)
        }
        ValueType::Interval => {
            interval(bits as i64 >> (more % 64), more as i32, (bits >> 7) as i32)
        }
        ValueType::Inet | ValueType::Cidr => {
            let width = if more.is_multiple_of(2) { 4 } else { 16 };
            let netmask = (((bits >> 20) ^ (more / 2)) % (8 * width + 1)) as u8;
            let mut address = both[..width as usize].to_vec();
            if value_type == ValueType::Cidr {
                clear_behind(&mut address, netmask.into());
            }
            [&[if width == 4 { 2 } else { 3 }, netmask][..], &address].concat()
        }
        ValueType::Macaddr => both[..6].to_vec(),
        ValueType::Macaddr8 => both[..8].to_vec(),
        ValueType::Bytea => both[..points].to_vec(),
        ValueType::Bit => {
            let len = (more % 129) as usize;
            let mut bytes = both[..len.div_ceil(8)].to_vec();
            clear_behind(&mut bytes, len);
            [&(len as u32).to_le_bytes()[..], &bytes].concat()
        }
        ValueType::Enum => {
            let labels = labels(value_type).0;
            labels[bits as usize % labels.len()].0.to_le_bytes().to_vec()
        }
        ValueType::Jsonpath => jsonpath(&text.replace(['"', '\\'], "")),
        ValueType::Point => doubles(&[], &some(2)),
        ValueType::Lseg => doubles(&[], &some(4)),
        ValueType::Box => {
            let [a, b, c, d] = some(4).try_into().unwrap();
            doubles(&[], &[a.max(c), b.max(d), a.min(c), b.min(d)])
        }
        ValueType::Line => doubles(&[], &[0.5, some(2)[0], some(2)[1]]),
        ValueType::Circle => doubles(&[], &[some(1)[0], some(2)[1], (bits % 999) as f64]),
        ValueType::Path => path(&some(2 * points)),
        ValueType::Polygon => polygon(&some(2 * points)),
        ValueType::Cube => doubles(&[points as u8, 0, 0, 0], &some(2 * points)),
        ValueType::Ltree => {
            let labels: Vec<String> = text
                .split(|c: char| !c.is_ascii_alphanumeric())
                .filter(|label| !label.is_empty())
                .map(str::to_owned)
                .collect();
            ltree(&labels.iter().map(String::as_str).collect::<Vec<_>>())
        }
        ValueType::Vector => {
            let elements = some(points).into_iter().flat_map(|x| (x as f32).to_le_bytes());
            [points as u8, 0, 0, 0].into_iter().chain(elements).collect()
        }
        ValueType::Halfvec => {
            let elements = both.chunks(2).take(points).flat_map(|half| [half[0], half[1] & 0xBB]);
            [points as u8, 0, 0, 0].into_iter().chain(elements).collect()
        }
        _ => panic!("{value_type:?} has its values elsewhere"),
    }
}

/// Zeroes what is behind the first `bits` bits.
fn clear_behind(bytes: &mut [u8], bits: usize) {
    for at in bits..8 * bytes.len() {
        bytes[at / 8] &= !(0x80 >> (at % 8));
    }
}

/// What stands for all values that a type holds to be equal.
pub(crate) fn under_equals(value_type: ValueType, value: Vec<u8>) -> Vec<u8> {
    match (value_type, str::from_utf8(&value)) {
        (ValueType::Citext, Ok(text)) => text.to_lowercase().into_bytes(),
        _ => value,
    }
}

fn number(bytes: &[u8]) -> f64 {
    f64::from_le_bytes(bytes.try_into().unwrap())
}

/// What must hold of any masked value that was a valid one.
pub(crate) fn assert_sound(value_type: ValueType, value: &[u8], masked: &[u8]) {
    match value_type {
        ValueType::Name => {
            let end = |bytes: &[u8]| bytes.iter().position(|byte| *byte == 0).unwrap();
            assert_eq!(end(masked), end(value));
            assert!(masked[end(masked)..].iter().all(|byte| *byte == 0));
        }
        ValueType::TimeTz => {
            let micros = i64::from_le_bytes(masked[..8].try_into().unwrap());
            assert!((0..=86_400_000_000).contains(&micros));
        }
        ValueType::Inet => assert_eq!(masked[0], value[0]),
        ValueType::Cidr => {
            let mut cleared = masked[2..].to_vec();
            clear_behind(&mut cleared, masked[1].into());
            assert_eq!((masked[0], &masked[2..]), (value[0], &cleared[..]));
        }
        ValueType::Bit => {
            let bits = u32::from_le_bytes(value[..4].try_into().unwrap());
            let mut cleared = masked[4..].to_vec();
            clear_behind(&mut cleared, bits as usize);
            assert_eq!((&masked[..4], &masked[4..]), (&value[..4], &cleared[..]));
        }
        ValueType::Enum => {
            let oid = u32::from_le_bytes(masked.try_into().unwrap());
            assert!(labels(value_type).0.iter().any(|&(label, _)| label == oid));
        }
        ValueType::Box => {
            assert!(number(&masked[..8]) >= number(&masked[16..24]));
            assert!(number(&masked[8..16]) >= number(&masked[24..]));
        }
        ValueType::Circle => assert!(number(&masked[16..]) >= 0.0),
        ValueType::Polygon => {
            let points: Vec<f64> = masked[36..].chunks(8).map(number).collect();
            assert_eq!(masked, polygon(&points));
        }
        ValueType::Ltree => assert_eq!(masked[..6.min(masked.len())], value[..6.min(value.len())]),
        _ => {}
    }
}
