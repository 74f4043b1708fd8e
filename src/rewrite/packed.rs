//! Compressed values: unpacked, masked, and packed again in exactly as many bytes.

use std::ops::Range;

use super::heap::Column;
use crate::datum::DatumError;
use crate::datum::compressed::{Method, decompress, fit_parts};

/// `va_tcinfo`: the raw size, and the compression method in the two highest bits; `varatt.h`.
const VA_TCINFO: usize = 4;
const RAWSIZE_BITS: u32 = 30;

/// Larger buffers are given back.
const KEPT: usize = 4 << 20;

/// One thread's memory for values that are compressed.
#[derive(Default)]
pub(super) struct Packer {
    raw: Vec<u8>,
    /// The parts of it that may be made more regular.
    text: Vec<Range<usize>>,
    packed: Vec<u8>,
}

impl Packer {
    /// Masks a compressed value, `va_tcinfo` and the stream behind it. Counts what it masked.
    pub(super) fn mask(
        &mut self,
        column: &mut Column<'_>,
        stored: &mut [u8],
    ) -> Result<u64, DatumError> {
        let Some((tcinfo, stream)) = stored.split_first_chunk_mut::<VA_TCINFO>() else {
            return Err(DatumError("a compressed value is shorter than its header"));
        };
        let tcinfo = u32::from_le_bytes(*tcinfo);
        let method = Method::from_id(tcinfo >> RAWSIZE_BITS)?;
        let raw_len = (tcinfo & ((1 << RAWSIZE_BITS) - 1)) as usize;
        decompress(method, stream, raw_len, &mut self.raw)?;
        self.text.clear();
        let masked = column.mask_value(&mut self.raw, &mut self.text)?;
        let Packer { raw, text, packed } = self;
        let fits = fit_parts(method, raw, text, stream.len(), column.is_utf8(), packed);
        if !fits || stream.len() != self.packed.len() {
            return Err(DatumError("the masked value does not compress to the original's size"));
        }
        stream.copy_from_slice(&self.packed);
        for buffer in [&mut self.raw, &mut self.packed] {
            if buffer.capacity() > KEPT {
                *buffer = Vec::new();
            }
        }
        Ok(masked)
    }
}
