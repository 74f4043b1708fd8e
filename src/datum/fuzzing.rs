//! What fuzz targets reach of the internals. No part of the API.

use super::compressed::{Method, compress_to, decompress, fit_text};

/// pglz: decodes `data`, then encodes it.
pub fn pglz(data: &[u8]) {
    compression(Method::Pglz, data);
}

/// lz4: decodes `data`, then encodes it.
pub fn lz4(data: &[u8]) {
    compression(Method::Lz4, data);
}

/// Two bytes are a length: of what comes out, and of what text is encoded in.
fn compression(method: Method, data: &[u8]) {
    let Some((&len, data)) = data.split_first_chunk::<2>() else { return };
    let len = usize::from(u16::from_le_bytes(len));
    let (mut encoded, mut decoded) = (Vec::new(), Vec::new());
    if decompress(method, data, len, &mut decoded).is_ok() {
        assert!(decoded.len() == len, "a decoded value has another length");
    }
    if compress_to(method, data, len, &mut encoded) {
        assert!(encoded.len() == len, "an encoding has another size");
        assert!(decompress(method, &encoded, data.len(), &mut decoded).is_ok());
        assert!(decoded == data, "an encoding is of another text");
    }
    let mut text = data.to_vec();
    if let Ok(valid) = std::str::from_utf8(data)
        && fit_text(method, &mut text, len, true, &mut encoded)
    {
        let lens = |text: &str| text.chars().map(char::len_utf8).collect::<Vec<_>>();
        let fitted = std::str::from_utf8(&text);
        assert!(fitted.is_ok_and(|it| lens(it) == lens(valid)), "characters have other lengths");
        assert!(decompress(method, &encoded, text.len(), &mut decoded).is_ok());
        assert!(encoded.len() == len && decoded == text, "an encoding is of another text");
    }
}
