//! PostgreSQL's two compression formats for TOAST: decoders, and encoders that hit a size exactly.
//!
//! Both formats let a match be spelled out as literals, so one text has encodings of nearly every
//! size from the best up to its own length. The encoders find the best one, then spell out matches
//! from the front until the size is right.

mod finder;
mod fit;
mod lz4;
mod parse;
mod pglz;

pub(crate) use fit::{Form, Part, fit_parts};

use super::DatumError;

/// How a varlena is compressed: `ToastCompressionId`, access/toast_compression.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// `TOAST_PGLZ_COMPRESSION_ID`.
    Pglz,
    /// `TOAST_LZ4_COMPRESSION_ID`.
    Lz4,
}

impl Method {
    /// The method with this number in the two highest bits of `va_tcinfo` and `va_extinfo`.
    pub(crate) fn from_id(id: u32) -> Result<Method, DatumError> {
        match id {
            0 => Ok(Method::Pglz),
            1 => Ok(Method::Lz4),
            _ => Err(DatumError("a value is compressed by a method that does not exist")),
        }
    }
}

/// Bits of `va_tcinfo` that hold the raw size; the two above hold the method; `varatt.h`.
pub(crate) const RAWSIZE_BITS: u32 = 30;

/// Unpacks a compressed value, what follows its `va_tcinfo`.
pub(crate) fn unpack(tcinfo: u32, stream: &[u8], raw: &mut Vec<u8>) -> Result<Method, DatumError> {
    let method = Method::from_id(tcinfo >> RAWSIZE_BITS)?;
    decompress(method, stream, (tcinfo & ((1 << RAWSIZE_BITS) - 1)) as usize, raw)?;
    Ok(method)
}

/// Decodes `data` into `out`, which is cleared first. An error unless exactly `raw_len` bytes come
/// out and all of `data` is used.
pub(crate) fn decompress(
    method: Method,
    data: &[u8],
    raw_len: usize,
    out: &mut Vec<u8>,
) -> Result<(), DatumError> {
    out.clear();
    match method {
        Method::Pglz => pglz::decompress(data, raw_len, out),
        Method::Lz4 => lz4::decompress(data, raw_len, out),
    }
}

/// Encodes `raw` in exactly `target` bytes, which are then all of `out`. False if there is no such
/// encoding; `out` is then empty.
#[cfg(test)]
pub(crate) fn compress_to(method: Method, raw: &[u8], target: usize, out: &mut Vec<u8>) -> bool {
    try_compress_to(method, raw, target, out).is_ok()
}

/// What does not fit: from this position of the text on, at the latest, nothing does.
struct TooLarge {
    from: usize,
}

fn try_compress_to(
    method: Method,
    raw: &[u8],
    target: usize,
    out: &mut Vec<u8>,
) -> Result<(), TooLarge> {
    /// Encoders need a little more on the way.
    const GAP: usize = 8;
    out.clear();
    out.reserve_exact(target.min(raw.len() * 2) + GAP);
    let result = match method {
        Method::Pglz => pglz::compress_to(raw, target, out),
        Method::Lz4 => lz4::compress_to(raw, target, out),
    };
    if result.is_err() {
        out.clear();
    }
    result
}

/// Appends `len` bytes of `out` that start `distance` before its end; they may reach into
/// themselves. The caller has checked that `distance` is between 1 and the length of `out`.
fn copy_back(out: &mut Vec<u8>, distance: usize, len: usize) {
    let start = out.len().saturating_sub(distance);
    let mut left = len;
    while left > 0 && start < out.len() {
        let step = left.min(out.len() - start);
        out.extend_from_within(start..start + step);
        left -= step;
    }
}

/// Makes room for `raw_len` bytes, after a look whether `data` can hold so many: a damaged length
/// must not ask for memory that nothing fills.
fn reserve(
    data: &[u8],
    max_ratio: usize,
    raw_len: usize,
    out: &mut Vec<u8>,
) -> Result<(), DatumError> {
    if raw_len / max_ratio > data.len() {
        return Err(DatumError("a compressed value is too short for the length in its header"));
    }
    out.reserve_exact(raw_len);
    Ok(())
}

#[cfg(test)]
mod tests;
