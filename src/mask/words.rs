//! Short values as whole words, read without going byte by byte.

/// The bytes as little-endian words, zeros behind them; `None` if there are more than `8 * W`.
#[inline]
pub(crate) fn words<const W: usize>(bytes: &[u8]) -> Option<[u64; W]> {
    let (whole, rest) = bytes.as_chunks::<8>();
    let mut words = [0; W];
    words.get_mut(..whole.len())?.iter_mut().zip(whole).for_each(|(word, chunk)| {
        *word = u64::from_le_bytes(*chunk);
    });
    if !rest.is_empty() {
        let missing = 8 * (8 - rest.len());
        // The last eight bytes hold the rest at their end.
        *words.get_mut(whole.len())? = match bytes.last_chunk::<8>() {
            Some(last) => u64::from_le_bytes(*last) >> missing,
            None => short(rest),
        };
    }
    Some(words)
}

/// Up to seven bytes.
#[inline]
fn short(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>(), bytes) {
        // They overlap in equal bytes.
        (Some(first), Some(last), _) => {
            let last = u64::from(u32::from_le_bytes(*last));
            u64::from(u32::from_le_bytes(*first)) | last << (8 * (bytes.len() - 4))
        }
        (_, _, &[a]) => u64::from(a),
        (_, _, &[a, b]) => u64::from(u16::from_le_bytes([a, b])),
        (_, _, &[a, b, c]) => u64::from(u32::from_le_bytes([a, b, c, 0])),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_reads_like_padded_bytes() {
        let bytes: Vec<u8> = (1..=40).collect();
        for len in 0..=40 {
            let mut padded = [[0; 8]; 4];
            let value = &bytes[..len];
            let expected = padded.as_flattened_mut().get_mut(..len).map(|room| {
                room.copy_from_slice(value);
            });
            assert_eq!(words(value), expected.map(|()| padded.map(u64::from_le_bytes)), "{len}");
        }
    }
}
