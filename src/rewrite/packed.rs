//! Compressed values: unpacked, masked, and packed again in exactly as many bytes.

use super::heap::Column;
use crate::datum::DatumError;
use crate::datum::compressed::{Method, Part, fit_parts, unpack};
use crate::mask;

/// Larger buffers are given back.
const KEPT: usize = 4 << 20;

/// One thread's memory for values that are compressed.
#[derive(Default)]
pub(super) struct Packer {
    raw: Vec<u8>,
    /// The parts of it that may be made more regular.
    parts: Vec<Part>,
    packed: Vec<u8>,
}

impl Packer {
    /// Masks a compressed value, what follows its `va_tcinfo`. Counts what it masked. On an error
    /// the value is as it was.
    pub(super) fn mask(
        &mut self,
        column: &mut Column<'_>,
        tcinfo: u32,
        stream: &mut [u8],
    ) -> Result<u64, DatumError> {
        let method = unpack(tcinfo, stream, &mut self.raw)?;
        let masked = self.mask_raw(column)?;
        let mut packed = std::mem::take(&mut self.packed);
        self.pack(column, method, stream.len(), &mut packed)?;
        stream.copy_from_slice(&packed);
        self.packed = packed;
        give_back(&mut self.packed);
        Ok(masked)
    }

    /// The same for a value that begins with its `va_tcinfo`, and may be large: `stored` is given
    /// back while the mask works. On an error the value is lost.
    pub(super) fn mask_whole(
        &mut self,
        column: &mut Column<'_>,
        stored: &mut Vec<u8>,
    ) -> Result<u64, DatumError> {
        let (&tcinfo, stream) = stored
            .split_first_chunk()
            .ok_or(DatumError("a compressed value is shorter than its header"))?;
        let size = stream.len();
        let method = unpack(u32::from_le_bytes(tcinfo), stream, &mut self.raw)?;
        give_back(stored);
        let masked = self.mask_raw(column)?;
        self.pack(column, method, size, stored)?;
        stored.splice(..0, tcinfo);
        Ok(masked)
    }

    fn mask_raw(&mut self, column: &mut Column<'_>) -> Result<u64, DatumError> {
        self.parts.clear();
        column.mask_value(&mut self.raw, &mut self.parts)
    }

    /// Packs what was unpacked in exactly `size` bytes.
    fn pack(
        &mut self,
        column: &mut Column<'_>,
        method: Method,
        size: usize,
        packed: &mut Vec<u8>,
    ) -> Result<(), DatumError> {
        let Packer { raw, parts, .. } = self;
        let is_utf8 = column.is_utf8();
        let fits = fit_parts(method, raw, parts, size, is_utf8, mask::regularize, packed);
        column.note_output(raw);
        give_back(raw);
        if !fits || packed.len() != size {
            return Err(DatumError("the masked value does not compress to the original's size"));
        }
        Ok(())
    }
}

fn give_back(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT {
        *buffer = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datum::compressed::{RAWSIZE_BITS, compress_to, decompress};

    /// Nothing is left of a dropped column's compressed value but its two sizes.
    #[test]
    fn a_value_of_a_dropped_column_becomes_zeros_of_its_size() {
        let text =
            b"what a dropped column said, and said again: what a dropped column said".repeat(9);
        for (id, method) in [(0, Method::Pglz), (1, Method::Lz4)] {
            let mut stream = Vec::new();
            let size = (1..text.len()).find(|&size| compress_to(method, &text, size, &mut stream));
            let tcinfo = id << RAWSIZE_BITS | text.len() as u32;
            let masked = Packer::default().mask(&mut Column::Zero, tcinfo, &mut stream);
            assert_eq!((masked, Some(stream.len())), (Ok(0), size));
            let mut raw = Vec::new();
            decompress(method, &stream, text.len(), &mut raw).unwrap();
            assert_eq!(raw, vec![0; text.len()]);
            assert!(!stream.windows(4).any(|bytes| bytes == b"what"));
        }
    }

    #[test]
    fn what_is_no_compressed_value_stays_and_is_an_error() {
        for tcinfo in [0, 9, 1 << RAWSIZE_BITS | 9, 3 << RAWSIZE_BITS | 9, u32::MAX] {
            let mut stream = [0xFF, 0xFF];
            assert!(Packer::default().mask(&mut Column::Zero, tcinfo, &mut stream).is_err());
            assert_eq!(stream, [0xFF, 0xFF]);
        }
    }
}
