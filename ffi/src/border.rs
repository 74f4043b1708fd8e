//! The border: nothing unwinds across it, and what fails is remembered.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::failure::{Failure, Result, remember};
use crate::status::{TV_ERROR_PANIC, TV_OK, tv_status};

/// Runs a call. A panic inside of it is a status, its message (which may quote a value) is not
/// shown.
pub(crate) fn call(run: impl FnOnce() -> Result) -> tv_status {
    // What a panic leaves half done is dropped with the closure: handles hold finished objects.
    let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(Failure::new(TV_ERROR_PANIC, "a defect of thinveil; please report this"))
    });
    match outcome {
        Ok(()) => TV_OK,
        Err(failure) => {
            let status = failure.status;
            remember(failure);
            status
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::tv_last_error_code;

    #[test]
    fn a_panic_is_a_status() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let status = call(|| panic!("inside"));
        std::panic::set_hook(hook);
        assert_eq!(status, TV_ERROR_PANIC);
        assert_eq!(tv_last_error_code(), TV_ERROR_PANIC);
    }
}
