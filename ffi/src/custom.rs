//! Masks of a host's own, as functions in C.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use thinveil::mask::{AnyMask, CustomMask, DatumError};

use crate::border::call;
use crate::failure::Failure;
use crate::handle::{self, tv_mask};
use crate::mask::value_type;
use crate::pointer::{Out, text};
use crate::status::tv_status;

/// Masks one value: reads `len` bytes at `value`, writes as many at `out`, and stores how many it
/// wrote in `written`, which has to be `len`. Returns 0, or anything else to fail the call that
/// masks. Must give equal outputs for equal values, may be called from several threads at once, and
/// must not unwind or jump out.
#[allow(non_camel_case_types)]
pub type tv_custom_fn = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        value: *const u8,
        len: usize,
        out: *mut u8,
        written: *mut usize,
    ) -> c_int,
>;

/// Called once with `context` when the mask is closed and no call uses it any more.
#[allow(non_camel_case_types)]
pub type tv_release_fn = Option<unsafe extern "C" fn(context: *mut c_void)>;

type Function = unsafe extern "C" fn(*mut c_void, *const u8, usize, *mut u8, *mut usize) -> c_int;

/// Bytes behind the output that a function must leave alone.
const FENCE: [u8; 16] = *b"thinveil's fence";

/// A host's function, with what it works on.
struct HostMask {
    function: Function,
    context: *mut c_void,
    release: Option<unsafe extern "C" fn(*mut c_void)>,
}

// SAFETY: the pointer is only ever handed back to the host, whose function, as it was told, may be
// called from several threads at once.
unsafe impl Send for HostMask {}
// SAFETY: the same.
unsafe impl Sync for HostMask {}

impl HostMask {
    fn apply(&self, value: &[u8]) -> Result<Vec<u8>, DatumError> {
        let len = value.len();
        let mut out = vec![0; len];
        out.extend(FENCE);
        let mut written = 0;
        // SAFETY: the host gave function and context together; the arrays are as long as it was
        // told, and live during the call.
        let status = unsafe {
            let (from, to) = (value.as_ptr(), out.as_mut_ptr());
            (self.function)(self.context, from, len, to, &raw mut written)
        };
        if status != 0 {
            return Err(DatumError("a custom mask failed"));
        }
        if out.get(len..) != Some(&FENCE) {
            return Err(DatumError("a custom mask wrote behind its output"));
        }
        if written != len {
            return Err(DatumError("a custom mask's output has another length than the value"));
        }
        out.truncate(len);
        Ok(out)
    }
}

impl Drop for HostMask {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the host gave both, and nothing uses the context any more.
            unsafe { release(self.context) }
        }
    }
}

/// A mask of the host's own on a type (`text`, `int4`, … as in `tv_mask_compile`), for the mask
/// engine. Every output is checked: as many bytes as the value, as many characters, and a valid
/// value of the type, or the call fails with `TV_ERROR_CUSTOM_MASK`. `release` may be NULL; if this
/// call fails it is not called.
///
/// # Safety
/// `type_name` is a string, `function` and `release` keep what is said at their types, `mask`
/// points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_mask_custom(
    type_name: *const c_char,
    function: tv_custom_fn,
    context: *mut c_void,
    release: tv_release_fn,
    mask: *mut *mut tv_mask,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let value_type = value_type(text(type_name, "type_name")?)?;
        let function = function.ok_or_else(|| Failure::null("function"))?;
        let out = Out::new(mask, "mask")?;
        // Tried before the host's context is taken over: a refusal does not release it.
        CustomMask::new(value_type, |value| Ok(value.to_vec()))?;
        let host = HostMask { function, context, release };
        let made = CustomMask::new(value_type, move |value| host.apply(value))?;
        out.write(handle::put(Arc::new(AnyMask::Custom(made))));
        Ok(())
    })
}
