//! Which library this is.

use std::ffi::{CStr, c_char};

/// The version of the ABI that the header describes.
pub const TV_ABI_VERSION: u32 = 1;

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// The version of the ABI that the library has: the header's `TV_ABI_VERSION`, or a later one that
/// only added to it. A library with another number in its name is another ABI.
#[unsafe(no_mangle)]
pub extern "C" fn tv_abi_version() -> u32 {
    TV_ABI_VERSION
}

/// thinveil's own version, such as `0.1.0`.
#[unsafe(no_mangle)]
pub extern "C" fn tv_version() -> *const c_char {
    VERSION.as_ptr()
}
