//! The page walk and the checksum: bytes and values a second.
//!
//! `cargo bench --bench pages`. The masks' own figures are in `benches/masks.rs`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use thinveil::page::{
    BLCKSZ, Block, PageError, PageHeader, Storage, line_pointers, page_checksum, walk_attributes,
};

/// Tuples on the page.
const TUPLES: usize = 60;
/// `bigint`, four short texts, a date and a numeric, as they are stored.
const LAYOUT: [(i16, u8); 7] = [(8, 8), (-1, 4), (-1, 4), (-1, 4), (-1, 4), (4, 4), (-1, 4)];

/// A full page of such tuples.
fn page() -> Block {
    let mut tuple = vec![0; 24];
    tuple[18..20].copy_from_slice(&(LAYOUT.len() as u16).to_le_bytes());
    tuple[22] = 24;
    tuple.extend_from_slice(&42i64.to_le_bytes());
    for text in ["Clementine", "Schneider", "clementine.schneider@mailbox.example", "+44 7301"] {
        tuple.push(((text.len() + 1) << 1 | 1) as u8);
        tuple.extend_from_slice(text.as_bytes());
    }
    tuple.resize(tuple.len().next_multiple_of(4), 0);
    tuple.extend_from_slice(&9000i32.to_le_bytes());
    tuple.extend_from_slice(&[(7 << 1) | 1, 0, 0x81, 1, 0, 2, 0]);

    let mut block = [0; BLCKSZ];
    let mut upper = BLCKSZ;
    for number in 0..TUPLES {
        upper -= tuple.len().next_multiple_of(8);
        block[upper..upper + tuple.len()].copy_from_slice(&tuple);
        let item = upper as u32 | 1 << 15 | (tuple.len() as u32) << 17;
        block[24 + 4 * number..28 + 4 * number].copy_from_slice(&item.to_le_bytes());
    }
    block[12..14].copy_from_slice(&(24 + 4 * TUPLES as u16).to_le_bytes());
    block[14..16].copy_from_slice(&(upper as u16).to_le_bytes());
    block[16..18].copy_from_slice(&(BLCKSZ as u16).to_le_bytes());
    block[18..20].copy_from_slice(&(BLCKSZ as u16 | 4).to_le_bytes());
    block
}

fn values(block: &Block, storage: &[Storage]) -> Result<usize, PageError> {
    let mut values = 0;
    if let Some(header) = PageHeader::read(block)? {
        for line_pointer in line_pointers(block, &header) {
            let line_pointer = line_pointer?;
            let tuple = &block[line_pointer.offset..line_pointer.offset + line_pointer.len];
            walk_attributes(tuple, storage, |attribute| {
                values += black_box(attribute).end.min(1);
                Ok::<_, PageError>(())
            })?;
        }
    }
    Ok(values)
}

fn pages(criterion: &mut Criterion) {
    let block = page();
    let storage: Vec<Storage> =
        LAYOUT.iter().filter_map(|(len, align)| Storage::new(*len, *align)).collect();
    assert_eq!(
        values(&block, &storage),
        Ok(TUPLES * LAYOUT.len()),
        "the page is what it should be"
    );

    let mut group = criterion.benchmark_group("page");
    group.throughput(Throughput::Bytes(BLCKSZ as u64));
    group.bench_function("checksum", |b| b.iter(|| page_checksum(black_box(&block), 7)));
    group.bench_function("walk, bytes", |b| b.iter(|| values(black_box(&block), &storage)));
    group.throughput(Throughput::Elements((TUPLES * LAYOUT.len()) as u64));
    group.bench_function("walk, values", |b| b.iter(|| values(black_box(&block), &storage)));
    group.finish();
}

criterion_group!(benches, pages);
criterion_main!(benches);
