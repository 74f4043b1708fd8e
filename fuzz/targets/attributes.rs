//! A tuple of a table of any layout.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinveil::page::{PageError, Storage, nulled_tuple, walk_attributes};

fuzz_target!(|data: &[u8]| {
    // How many attributes, two bytes for each, then the tuple.
    let Some((&count, rest)) = data.split_first() else { return };
    let Some((layout, tuple)) = rest.split_at_checked(2 * usize::from(count)) else { return };
    let storage: Option<Vec<Storage>> = layout
        .chunks_exact(2)
        .map(|it| Storage::new(i16::from(it[0] as i8), 1 << (it[1] % 4)))
        .collect();
    let Some(storage) = storage else { return };
    let mut before = 0;
    let end = walk_attributes(tuple, &storage, |attribute| {
        assert!(attribute.start >= before && attribute.end >= attribute.start);
        assert!(attribute.end <= tuple.len());
        before = attribute.end;
        Ok::<_, PageError>(())
    });
    if let Ok(end) = end {
        assert!(end.data_end >= before && end.data_end <= tuple.len());
        without_some(tuple, &storage);
    }
});

/// Formed anew, a tuple has every value but those that became NULL.
fn without_some(tuple: &[u8], storage: &[Storage]) {
    let values = |tuple: &[u8]| {
        let mut values = Vec::new();
        walk_attributes(tuple, storage, |attribute| {
            values.push((attribute.index, tuple[attribute.start..attribute.end].to_vec()));
            Ok::<_, PageError>(())
        })
        .unwrap();
        values
    };
    let before = values(tuple);
    for (from, step) in [(0, 2), (1, 3), (before.len() / 2, 1)] {
        let is_nulled = |index: usize| index >= from && (index - from).is_multiple_of(step);
        let mut formed = Vec::new();
        nulled_tuple(tuple, storage, is_nulled, tuple.len(), &mut formed).unwrap();
        let kept: Vec<_> = before.iter().filter(|(index, _)| !is_nulled(*index)).collect();
        assert!(values(&formed).iter().eq(kept));
    }
}
