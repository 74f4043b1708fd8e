//! Keys.

use std::ffi::c_char;
use std::sync::Arc;

use thinveil::mask::MaskKey;
use zeroize::Zeroizing;

use crate::border::call;
use crate::failure::Failure;
use crate::handle::{self, tv_key};
use crate::pointer::{Out, slice};
use crate::status::tv_status;
use crate::text::give;

/// A key from its 32 bytes. The library keeps a copy, zeroed by `tv_key_close`; zero your own.
///
/// # Safety
/// `bytes` points to `len` bytes, `key` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_key_from_bytes(
    bytes: *const u8,
    len: usize,
    key: *mut *mut tv_key,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let bytes = slice(bytes, len, "bytes")?;
        let out = Out::new(key, "key")?;
        let bytes = <[u8; 32]>::try_from(bytes).map(Zeroizing::new);
        let bytes =
            bytes.map_err(|_| Failure::argument(format!("a key has 32 bytes, not {len}")))?;
        out.write(handle::put(Arc::new(MaskKey::from_bytes(*bytes))));
        Ok(())
    })
}

/// A key from the operating system's random source, for one snapshot: it can't be had again.
///
/// # Safety
/// `key` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_key_generate(key: *mut *mut tv_key) -> tv_status {
    // SAFETY: the caller's promise.
    call(|| unsafe {
        let out = Out::new(key, "key")?;
        out.write(handle::put(Arc::new(MaskKey::generate()?)));
        Ok(())
    })
}

/// What manifests call the key: 16 hexadecimal digits that tell keys apart and reveal nothing.
/// Free it with `tv_string_free`.
///
/// # Safety
/// `id` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_key_id(key: *const tv_key, id: *mut *mut c_char) -> tv_status {
    // SAFETY: the caller's promise.
    call(|| unsafe {
        let out = Out::new(id, "id")?;
        give(out, &handle::get(key)?.id().0)
    })
}

/// Closes a key. It is zeroed when the last mask call that uses it returns.
#[unsafe(no_mangle)]
pub extern "C" fn tv_key_close(key: *mut tv_key) -> tv_status {
    call(|| handle::close(key))
}
