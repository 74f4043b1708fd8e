//! Texts that callers come to own. They may hold a password, and are zeroed when they are freed.

use std::collections::HashMap;
use std::ffi::{CString, c_char};
use std::sync::{LazyLock, Mutex, PoisonError};

use serde::Serialize;
use zeroize::{Zeroize, Zeroizing};

use crate::border::call;
use crate::failure::{Failure, Result};
use crate::pointer::Out;
use crate::status::{TV_ERROR_HANDLE, tv_status};

/// Every text given out and not freed yet, by its address: a second `tv_string_free` finds nothing.
static GIVEN: LazyLock<Mutex<HashMap<usize, CString>>> = LazyLock::new(Mutex::default);

/// Gives a text to the caller.
pub(crate) fn give(out: Out<*mut c_char>, text: &str) -> Result {
    let text = CString::new(text)
        .map_err(|_| Failure::argument("the result has a NUL in it, which no C string can hold"))?;
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let address = text.as_ptr();
    given.insert(address.addr(), text);
    // Not written to by this library; C's `char *` says who frees it.
    out.write(address.cast_mut());
    Ok(())
}

/// Gives a record to the caller, as JSON.
pub(crate) fn give_json(out: Out<*mut c_char>, record: &impl Serialize) -> Result {
    let text = serde_json::to_string(record)
        .map_err(|error| Failure::argument(format!("the result is no JSON: {error}")))?;
    give(out, &Zeroizing::new(text))
}

/// Frees a text that this library gave out, and zeroes it. NULL is free already; one that was freed
/// before, or came from elsewhere, is `TV_ERROR_HANDLE`.
///
/// # Safety
/// Nobody reads the text any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_string_free(text: *mut c_char) -> tv_status {
    call(|| {
        if text.is_null() {
            return Ok(());
        }
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        let text = given.remove(&text.addr()).ok_or_else(|| {
            Failure::new(TV_ERROR_HANDLE, "not a text of this library, or freed before")
        })?;
        text.into_bytes().zeroize();
        Ok(())
    })
}

/// How many texts were given out and not freed, for tests of hosts.
#[unsafe(no_mangle)]
pub extern "C" fn tv_open_strings() -> usize {
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner).len()
}
