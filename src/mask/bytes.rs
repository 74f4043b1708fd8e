//! `bytes`: other bytes or bits, drawn from the value.

use super::prf::{Prf, Stream};
use crate::datum::{DatumError, ValueType, bits};

/// Replaces a `bytea` or bit string by random bytes; what is behind the last bit is zero.
pub(crate) fn mask(value: &mut [u8], value_type: ValueType, prf: &Prf) -> Result<(), DatumError> {
    let mut stream = prf.stream(value);
    match value_type {
        ValueType::Bit => {
            let (bytes, last_bits) = bits::open(value)?;
            fill(bytes, &mut stream);
            bits::pad(bytes, last_bits);
        }
        _ => fill(value, &mut stream),
    }
    Ok(())
}

fn fill(bytes: &mut [u8], stream: &mut Stream) {
    for chunk in bytes.chunks_mut(8) {
        for (to, from) in chunk.iter_mut().zip(stream.next().to_le_bytes()) {
            *to = from;
        }
    }
}
