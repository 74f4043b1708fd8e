//! Compressed values whose content is taken away: they decompress to as many zeros.
//!
//! A stream of pglz (`common/pg_lzcompress.c`) or LZ4 blocks is literals and matches. With every
//! literal a zero, and every match one that repeats the byte before it, nothing else comes out.
//! What stays is how long the literals and matches were.

/// Bits of `va_tcinfo` below the compression method; `varatt.h`.
const EXTSIZE_BITS: u32 = 30;
/// `TOAST_LZ4_COMPRESSION_ID`; 0 is pglz. PostgreSQL 13 knows no other and leaves the bits empty.
const LZ4: u32 = 1;

/// Blanks a compressed value: `va_tcinfo` and the stream behind it. What is no such stream becomes
/// zeros as it is.
pub(super) fn blank(tcinfo: u32, stream: &mut [u8]) {
    let blanked = match tcinfo >> EXTSIZE_BITS {
        0 => pglz(stream),
        LZ4 => lz4(stream),
        _ => None,
    };
    if blanked.is_none() {
        stream.fill(0);
    }
}

/// A control byte, then eight items: a literal byte, or a match of two or three bytes.
fn pglz(stream: &mut [u8]) -> Option<()> {
    let mut at = 0;
    while let Some(&control) = stream.get(at) {
        at += 1;
        for item in 0..8 {
            if at >= stream.len() {
                break;
            }
            if control >> item & 1 == 0 {
                *stream.get_mut(at)? = 0;
                at += 1;
                continue;
            }
            // The length's low bits, under the offset's high ones; the offset's low ones.
            let Some([length, offset]) = stream.get_mut(at..at + 2) else { return None };
            *length &= 0x0F;
            *offset = 1;
            at += if *length == 0x0F { 3 } else { 2 };
        }
    }
    (at == stream.len()).then_some(())
}

/// Sequences: a token, literals, an offset of two bytes and a match; the last one ends behind its
/// literals.
fn lz4(stream: &mut [u8]) -> Option<()> {
    let mut at = 0;
    while let Some(&token) = stream.get(at) {
        at += 1;
        let literals = lz4_length(stream, &mut at, token >> 4)?;
        let end = at.checked_add(literals)?;
        stream.get_mut(at..end)?.fill(0);
        at = end;
        if at == stream.len() {
            return Some(());
        }
        stream.get_mut(at..at + 2)?.copy_from_slice(&1u16.to_le_bytes());
        at += 2;
        lz4_length(stream, &mut at, token & 0x0F)?;
    }
    None
}

/// A length of four bits, and the bytes that go on with it.
fn lz4_length(stream: &[u8], at: &mut usize, start: u8) -> Option<usize> {
    let mut length = usize::from(start);
    if start == 0x0F {
        loop {
            let more = *stream.get(*at)?;
            *at += 1;
            length += usize::from(more);
            if more != 0xFF {
                break;
            }
        }
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What PostgreSQL makes of a pglz stream.
    fn unpack_pglz(stream: &[u8]) -> Vec<u8> {
        let (mut out, mut at) = (Vec::new(), 0);
        while at < stream.len() {
            let control = stream[at];
            at += 1;
            for item in 0..8 {
                if at >= stream.len() {
                    break;
                }
                if control >> item & 1 == 0 {
                    out.push(stream[at]);
                    at += 1;
                    continue;
                }
                let mut length = usize::from(stream[at] & 0x0F) + 3;
                let offset = usize::from(stream[at] & 0xF0) << 4 | usize::from(stream[at + 1]);
                at += 2;
                if length == 18 {
                    length += usize::from(stream[at]);
                    at += 1;
                }
                (0..length).for_each(|_| out.push(out[out.len() - offset]));
            }
        }
        out
    }

    #[test]
    fn pglz_of_text_becomes_as_many_zeros() {
        // "abc", a match of 5 at 3, one of 20 at 8, "z".
        let mut stream = vec![0b0001_1000, b'a', b'b', b'c', 2, 3, 0x0F, 8, 2, b'z'];
        let before = unpack_pglz(&stream);
        assert_eq!(before.len(), 3 + 5 + 20 + 1);
        pglz(&mut stream).unwrap();
        assert_eq!(unpack_pglz(&stream), vec![0; before.len()]);
    }

    #[test]
    fn lz4_of_text_becomes_as_many_zeros() {
        // Four literals and a match of 5 + 4, then 16 literals.
        let mut stream = vec![0x45, b'a', b'b', b'c', b'd', 4, 0, 0xF0, 1];
        stream.extend([b'x'; 16]);
        lz4(&mut stream).unwrap();
        assert_eq!(stream[..9], [0x45, 0, 0, 0, 0, 1, 0, 0xF0, 1]);
        assert_eq!(stream[9..], [0; 16]);
    }

    #[test]
    fn rejects_what_ends_too_early() {
        assert!(pglz(&mut [1, 2]).is_none());
        assert!(pglz(&mut [1, 0x0F, 2]).is_none());
        assert!(lz4(&mut []).is_none());
        assert!(lz4(&mut [0x40, 1, 2]).is_none());
        assert!(lz4(&mut [0xF0]).is_none());
        assert!(lz4(&mut [0x10, 1, 2]).is_none());
        for method in [0, 1, 3] {
            let mut stream = [0xFF, 0xFF];
            blank(method << 30, &mut stream);
            assert_eq!(stream, [0, 0]);
        }
    }

    /// Items of a pglz stream: a literal, or length and offset of a match.
    fn pack_pglz(items: &[(u8, usize, usize)]) -> Vec<u8> {
        let (mut stream, mut written) = (Vec::new(), 0);
        for items in items.chunks(8) {
            let control = stream.len();
            stream.push(0);
            for (item, &(literal, length, offset)) in items.iter().enumerate() {
                if offset == 0 || offset > written {
                    stream.push(literal);
                    written += 1;
                    continue;
                }
                stream[control] |= 1 << item;
                let low = (length - 3).min(15) as u8;
                stream.extend([(offset >> 4 & 0xF0) as u8 | low, offset as u8]);
                if low == 15 {
                    stream.push((length - 18) as u8);
                }
                written += length;
            }
        }
        stream
    }

    proptest! {
        #[test]
        fn any_pglz_stream_becomes_as_many_zeros(
            items in proptest::collection::vec((any::<u8>(), 3usize..273, 0usize..4096), 1..100)
        ) {
            let mut stream = pack_pglz(&items);
            let (packed, unpacked) = (stream.len(), unpack_pglz(&stream).len());
            blank(0, &mut stream);
            prop_assert_eq!(stream.len(), packed);
            prop_assert_eq!(unpack_pglz(&stream), vec![0; unpacked]);
        }

        #[test]
        fn garbage_ends(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), method: u32) {
            let len = bytes.len();
            blank(method, &mut bytes);
            prop_assert_eq!(bytes.len(), len);
        }
    }
}
