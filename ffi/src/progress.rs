//! Progress to a host, and cancellation by it.

use std::ffi::{c_char, c_int, c_void};
use std::sync::{Mutex, PoisonError};

use thinveil::progress::{Cancel, Progress, Stage};

use crate::border::call;
use crate::failure::c_text;
use crate::handle::{self, tv_cancel};
use crate::pointer::Out;
use crate::status::tv_status;

/// A stage has begun.
pub const TV_PROGRESS_BEGIN: i32 = 0;
/// `done` of `total` bytes or steps; `total` may grow.
pub const TV_PROGRESS_UPDATE: i32 = 1;
/// The stage has ended well, after `seconds`.
pub const TV_PROGRESS_END: i32 = 2;

/// What a progress callback is told.
#[allow(non_camel_case_types)]
#[repr(C)]
pub struct tv_progress {
    /// `TV_PROGRESS_BEGIN`, `_UPDATE` or `_END`.
    pub event: i32,
    /// `stage`, `plan`, `rewrite`, `finish`, `audit` or `seal`. Valid during the call.
    pub stage: *const c_char,
    /// Of an update.
    pub done: u64,
    /// Of an update.
    pub total: u64,
    /// Of an end.
    pub seconds: f64,
}

/// Watches a snapshot being made. Called from the library's threads, one call at a time; it should
/// return at once, and must not unwind or jump out. Anything but 0 cancels the work.
#[allow(non_camel_case_types)]
pub type tv_progress_fn =
    Option<unsafe extern "C" fn(context: *mut c_void, progress: *const tv_progress) -> c_int>;

type Callback = unsafe extern "C" fn(*mut c_void, *const tv_progress) -> c_int;

/// A host's callback.
pub(crate) struct HostProgress {
    callback: Callback,
    context: Mutex<Context>,
    cancel: Cancel,
}

struct Context(*mut c_void);

// SAFETY: the pointer is only ever handed back to the host, which was told that calls come from
// other threads.
unsafe impl Send for Context {}

impl HostProgress {
    pub(crate) fn new(callback: Callback, context: *mut c_void, cancel: Cancel) -> HostProgress {
        HostProgress { callback, context: Mutex::new(Context(context)), cancel }
    }

    fn tell(&self, event: i32, stage: Stage, done: u64, total: u64, seconds: f64) {
        let name = c_text(stage.name());
        let progress = tv_progress { event, stage: name.as_ptr(), done, total, seconds };
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        // After a cancellation the host may have let go of what it watches with.
        if self.cancel.is_cancelled() {
            return;
        }
        // SAFETY: the host gave function and context together; the lock keeps calls apart.
        if unsafe { (self.callback)(context.0, &raw const progress) } != 0 {
            self.cancel.cancel();
        }
    }
}

impl Progress for HostProgress {
    fn begin(&self, stage: Stage) {
        self.tell(TV_PROGRESS_BEGIN, stage, 0, 0, 0.0);
    }

    fn update(&self, stage: Stage, done: u64, total: u64) {
        self.tell(TV_PROGRESS_UPDATE, stage, done, total, 0.0);
    }

    fn end(&self, stage: Stage, seconds: f64) {
        self.tell(TV_PROGRESS_END, stage, 0, 0, seconds);
    }
}

/// Something to stop work with.
///
/// # Safety
/// `cancel` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_cancel_new(cancel: *mut *mut tv_cancel) -> tv_status {
    // SAFETY: the caller's promise.
    call(|| unsafe {
        let out = Out::new(cancel, "cancel")?;
        out.write(handle::put(Cancel::new()));
        Ok(())
    })
}

/// Asks all work that was given this to stop, from any thread. The work undoes what it did, and its
/// call returns `TV_ERROR_CANCELLED`.
#[unsafe(no_mangle)]
pub extern "C" fn tv_cancel_now(cancel: *const tv_cancel) -> tv_status {
    call(|| {
        handle::get(cancel)?.cancel();
        Ok(())
    })
}

/// Closes it. Work that was given it goes on.
#[unsafe(no_mangle)]
pub extern "C" fn tv_cancel_close(cancel: *mut tv_cancel) -> tv_status {
    call(|| handle::close(cancel))
}
