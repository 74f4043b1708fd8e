//! Values and bytes per second of each mask family. `cargo bench --bench masks`.
//!
//! Each family runs over values that differ and, where real columns repeat themselves, over values
//! that come again and again.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use thinveil::datum::{Encoding, EnumLabels, ValueType};
use thinveil::mask::{Mask, MaskKey, MaskSpec};
use thinveil::rules::{MaskName, MaskOptions};

const VALUES: usize = 50_000;

struct Family {
    name: &'static str,
    mask: MaskName,
    value_type: ValueType,
    options: MaskOptions,
    values: fn(u64) -> Vec<u8>,
}

fn random(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn word(number: u64, len: usize) -> String {
    let mut rest = random(number);
    (0..len)
        .map(|_| {
            let letter = (rest % 26) as u8;
            rest = rest / 26 + random(rest);
            char::from(b'a' + letter)
        })
        .collect()
}

fn email(n: u64) -> Vec<u8> {
    format!("{}.{}{}@mail.com", word(n, 6), word(n + 7, 5 + (n % 4) as usize), n).into_bytes()
}

fn name(n: u64) -> Vec<u8> {
    // As many different names as a country has, the frequent ones far more often.
    let among = [40, 300, 3000][(random(n) % 3) as usize];
    let which = random(n + 1) % among;
    word(which, 4 + (which % 5) as usize).into_bytes()
}

fn amount(n: u64) -> Vec<u8> {
    let (whole, cents) = (1 + random(n) % 9999, 1 + random(n + 1) % 99);
    let mut bytes = (0x8000u16 | 2 << 7).to_le_bytes().to_vec();
    bytes.extend((whole as u16).to_le_bytes());
    bytes.extend((cents as u16 * 100).to_le_bytes());
    bytes
}

fn uuid(n: u64) -> Vec<u8> {
    let mut bytes = [random(n).to_le_bytes(), random(n + 1).to_le_bytes()].concat();
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    bytes
}

fn families() -> Vec<Family> {
    let family = |name, mask, value_type, share, values| {
        let options = MaskOptions { share, ..MaskOptions::default() };
        Family { name, mask, value_type, options, values }
    };
    let unique = |name, mask, values| {
        let options = MaskOptions { unique: true, ..MaskOptions::default() };
        Family { name, mask, value_type: ValueType::Text, options, values }
    };
    use MaskName as M;
    use ValueType as T;
    vec![
        family("first_name", M::FirstName, T::Text, None, name),
        family("last_name/distinct", M::LastName, T::Text, None, |n| {
            word(n, 5 + (n % 6) as usize).into_bytes()
        }),
        family("full_name", M::FullName, T::Text, None, |n| {
            format!("{} {}", word(n, 6), word(n + 1, 5 + (n % 5) as usize)).into_bytes()
        }),
        family("full_name/beyond ascii", M::FullName, T::Text, None, |n| {
            format!("{} M\u{fc}ller-{}", word(n, 5), word(n + 1, 4)).into_bytes()
        }),
        family("email", M::Email, T::Text, None, email),
        family("phone", M::Phone, T::Text, None, |n| {
            let r = random(n);
            format!("+1 ({:03}) {:03}-{:04}", r % 1000, r / 1000 % 1000, r / 1_000_000 % 10_000)
                .into_bytes()
        }),
        family("street_address", M::StreetAddress, T::Text, None, |n| {
            format!("{} {} Street", 1 + n % 999, word(n, 7)).into_bytes()
        }),
        family("city", M::City, T::Text, None, name),
        family("company", M::Company, T::Text, None, |n| {
            format!("{} & {} Ltd", word(n, 6), word(n + 1, 7)).into_bytes()
        }),
        family("text/100", M::Text, T::Text, None, |n| word(n, 100).into_bytes()),
        family("text/2000", M::Text, T::Text, None, |n| word(n, 2000).into_bytes()),
        family("redact/20", M::Redact, T::Text, None, |n| word(n, 20).into_bytes()),
        family("digits/16", M::Digits, T::Text, None, |n| {
            format!("{:016}", random(n) % 10_000_000_000_000_000).into_bytes()
        }),
        family("alphanumeric/10", M::Alphanumeric, T::Text, None, |n| {
            format!("{}-{:05}", word(n, 4).to_uppercase(), random(n) % 100_000).into_bytes()
        }),
        family("alphanumeric/email", M::Alphanumeric, T::Text, None, email),
        family("integer/7 digits", M::Integer, T::Int4, None, |n| {
            (1_000_000 + (random(n) % 8_000_000) as i32).to_le_bytes().to_vec()
        }),
        family("integer/18 digits", M::Integer, T::Int8, None, |n| {
            (100_000_000_000_000_000 + (random(n) >> 8) as i64).to_le_bytes().to_vec()
        }),
        family("noise/integer", M::Noise, T::Int8, Some(0.1), |n| random(n).to_le_bytes().to_vec()),
        family("numeric", M::Numeric, T::Numeric, None, amount),
        family("noise/numeric", M::Noise, T::Numeric, Some(0.1), amount),
        family("noise/float", M::Noise, T::Float8, None, |n| {
            (random(n) as f64 / 1e12).to_le_bytes().to_vec()
        }),
        family("date_shift", M::DateShift, T::Date, None, |n| {
            (-14_000 + (random(n) % 20_000) as i32).to_le_bytes().to_vec()
        }),
        family("timestamp_shift", M::TimestampShift, T::TimestampTz, None, |n| {
            ((random(n) >> 14) as i64).to_le_bytes().to_vec()
        }),
        family("uuid", M::Uuid, T::Uuid, None, uuid),
        unique("email/unique", M::Email, email),
        unique("username/unique", M::Username, |n| {
            format!("{}{}", word(n, 8), n % 1000).into_bytes()
        }),
        family("username", M::Username, T::Text, None, |n| word(n, 9).into_bytes()),
        family("url", M::Url, T::Text, None, |n| {
            format!("https://{}.com/{}/{n}", word(n, 8), word(n + 1, 6)).into_bytes()
        }),
        family("iban", M::Iban, T::Text, None, |n| {
            let account = random(n) % 1_000_000_000_000_000_000;
            let rest = (u128::from(account) * 1_000_000 + 131_400) % 97;
            format!("DE{:02}{account:018}", 98 - rest).into_bytes()
        }),
        family("credit_card", M::CreditCard, T::Text, None, |n| {
            format!("4{:015}", random(n) % 1_000_000_000_000_000).into_bytes()
        }),
        family("hash/32", M::Hash, T::Text, None, |n| word(n, 32).into_bytes()),
    ]
}

fn run(
    group: &mut BenchmarkGroup<'_, criterion::measurement::WallTime>,
    family: &Family,
    bytes: bool,
) {
    let spec = MaskSpec {
        mask: family.mask,
        domain: "bench".into(),
        value_type: family.value_type,
        encoding: Encoding::Utf8,
        options: family.options.clone(),
        labels: EnumLabels::default(),
    };
    let mask = Mask::compile(&spec, &MaskKey::from_bytes([7; 32])).expect("a mask that compiles");
    let values: Vec<Vec<u8>> = (0..VALUES as u64).map(family.values).collect();
    let size: usize = values.iter().map(Vec::len).sum();
    group.throughput(if bytes {
        Throughput::Bytes(size as u64)
    } else {
        Throughput::Elements(VALUES as u64)
    });
    let mut masker = mask.masker();
    let mut buffer = Vec::new();
    group.bench_function(family.name, |bencher| {
        bencher.iter(|| {
            for value in &values {
                buffer.clear();
                buffer.extend_from_slice(value);
                masker.apply(&mut buffer).expect("a valid value");
                black_box(&buffer);
            }
        });
    });
}

fn masks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("values");
    families().iter().for_each(|family| run(&mut group, family, false));
    group.finish();
    let mut group = criterion.benchmark_group("bytes");
    families().iter().for_each(|family| run(&mut group, family, true));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = masks
}
criterion_main!(benches);
