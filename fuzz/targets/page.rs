//! A block: header, line pointers, tuples, attributes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinveil::page::{
    BLCKSZ, PageError, PageHeader, Storage, line_pointers, page_checksum, walk_attributes,
};

fuzz_target!(|data: &[u8]| {
    // The start of a block and its end; zeroes between.
    let mut block = [0; BLCKSZ];
    let (head, tail) = data.split_at(data.len() / 2);
    let (head, tail) = (&head[..head.len().min(BLCKSZ / 2)], &tail[..tail.len().min(BLCKSZ / 2)]);
    block[..head.len()].copy_from_slice(head);
    block[BLCKSZ - tail.len()..].copy_from_slice(tail);
    page_checksum(&block, 1);
    let Ok(Some(header)) = PageHeader::read(&block) else { return };
    let storage = [(4, 4), (-1, 4), (8, 8), (-1, 1), (-2, 1), (1, 1), (-1, 4)]
        .map(|(attlen, align)| Storage::new(attlen, align).unwrap());
    for pointer in line_pointers(&block, &header) {
        let Ok(pointer) = pointer else { continue };
        let tuple = &block[pointer.offset..pointer.offset + pointer.len];
        let _ = walk_attributes(tuple, &storage, |attribute| {
            assert!(attribute.start <= attribute.end && attribute.end <= tuple.len());
            Ok::<_, PageError>(())
        });
    }
});
