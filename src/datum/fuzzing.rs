//! What fuzz targets reach of the internals. No part of the API.

use super::compressed::{Form, Method, Part, decompress, fit_parts};

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
    let whole = Part { range: 0..data.len(), form: Form::Text };
    for parts in [&[][..], std::slice::from_ref(&whole)] {
        let mut text = data.to_vec();
        let valid = std::str::from_utf8(data);
        if !fit_parts(method, &mut text, parts, len, valid.is_ok(), |_, _, _| {}, &mut encoded) {
            continue;
        }
        assert!(encoded.len() == len, "an encoding has another size");
        assert!(decompress(method, &encoded, text.len(), &mut decoded).is_ok());
        assert!(decoded == text, "an encoding is of another text");
        assert!(!parts.is_empty() || text == data, "what is no part has changed");
        if let Ok(valid) = valid {
            let lens = |text: &str| text.chars().map(char::len_utf8).collect::<Vec<_>>();
            let fitted = std::str::from_utf8(&text).map(lens);
            assert!(fitted.is_ok_and(|it| it == lens(valid)), "characters have other lengths");
        }
    }
}
