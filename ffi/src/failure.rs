//! Why a call failed, and the thread's memory of it.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::ptr;

use serde_json::json;
use thinveil::mask::{AnyMask, DatumError};
use thinveil::{Error, Place, Refusal};

use crate::status::*;

/// Why a call did nothing.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: tv_status,
    message: String,
    place: Box<Place>,
    refused: Vec<Refusal>,
}

pub(crate) type Result<T = (), E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn new(status: tv_status, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into(), place: Box::default(), refused: Vec::new() }
    }

    pub(crate) fn argument(message: impl Into<String>) -> Failure {
        Failure::new(TV_ERROR_ARGUMENT, message)
    }

    pub(crate) fn null(name: &str) -> Failure {
        Failure::new(TV_ERROR_NULL, format!("{name} is NULL"))
    }

    /// The same, about one of several values.
    pub(crate) fn at_value(mut self, number: usize) -> Failure {
        self.message = format!("value {number}: {}", self.message);
        self
    }

    /// What a mask says of a value.
    pub(crate) fn of_mask(mask: &AnyMask, error: DatumError) -> Failure {
        let status = match mask {
            AnyMask::Built(_) => TV_ERROR_VALUE,
            AnyMask::Custom(_) => TV_ERROR_CUSTOM_MASK,
        };
        Failure::new(status, error.0)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let status = match &error {
            Error::Io { .. } => TV_ERROR_IO,
            Error::Corrupt { .. } => TV_ERROR_CORRUPT,
            Error::ChecksumMismatch { .. } => TV_ERROR_CHECKSUM,
            Error::UnsupportedDatum { .. } => TV_ERROR_UNSUPPORTED,
            Error::Refused(_) => TV_ERROR_REFUSED,
            Error::LayoutDeviation { .. } => TV_ERROR_LAYOUT,
            Error::NotFound { .. } => TV_ERROR_NOT_FOUND,
            Error::Busy { .. } => TV_ERROR_BUSY,
            Error::Invalid { .. } => TV_ERROR_ARGUMENT,
            Error::Server { .. } => TV_ERROR_SERVER,
            Error::Sql { .. } => TV_ERROR_SQL,
            Error::Cancelled => TV_ERROR_CANCELLED,
            _ => TV_ERROR_OTHER,
        };
        let mut failure = Failure::new(status, error.to_string());
        match error {
            Error::Refused(refusals) => failure.refused = refusals,
            Error::Corrupt { place, .. }
            | Error::ChecksumMismatch { place, .. }
            | Error::UnsupportedDatum { place, .. }
            | Error::LayoutDeviation { place } => failure.place = place,
            _ => (),
        }
        failure
    }
}

#[cfg(feature = "arrow")]
impl From<thinveil::arrow::MaskError> for Failure {
    fn from(error: thinveil::arrow::MaskError) -> Failure {
        use thinveil::arrow::Cause;

        let status = match error.cause {
            Cause::Type(_) => TV_ERROR_ARGUMENT,
            Cause::Malformed(_) => TV_ERROR_CORRUPT,
            Cause::Custom(_) => TV_ERROR_CUSTOM_MASK,
            _ => TV_ERROR_VALUE,
        };
        Failure::new(status, error.to_string())
    }
}

/// A failure as C sees it.
struct Last {
    status: tv_status,
    message: CString,
    json: CString,
    place: Place,
    relation: CString,
    column: Option<CString>,
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// Text for C: what follows a NUL is not seen there, so none is left in.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

pub(crate) fn remember(failure: Failure) {
    let Failure { status, message, place, refused } = failure;
    let block = place.block.map(|block| u64::from(block.0));
    let json = json!({
        "code": status, "message": message, "refused": refused,
        "place": {
            "relation": place.relation, "block": block,
            "line_pointer": place.line_pointer, "column": place.column,
        },
    });
    let last = Last {
        status,
        message: c_text(&message),
        json: c_text(&json.to_string()),
        relation: c_text(&place.relation),
        column: place.column.as_deref().map(c_text),
        place: *place,
    };
    LAST.with_borrow_mut(|slot| *slot = Some(last));
}

fn last<T>(or: T, read: impl FnOnce(&Last) -> T) -> T {
    LAST.with_borrow(|last| last.as_ref().map_or(or, read))
}

/// The status of this thread's last call that failed; `TV_OK` if none has.
#[unsafe(no_mangle)]
pub extern "C" fn tv_last_error_code() -> tv_status {
    last(TV_OK, |last| last.status)
}

/// Its message, for people. Never NULL; valid until the next call that fails on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn tv_last_error_message() -> *const c_char {
    last(c"".as_ptr(), |last| last.message.as_ptr())
}

/// All of it as JSON (`error` in docs/json): code, message, place, and for `TV_ERROR_REFUSED` every
/// reason with its remedy. Never NULL; valid until the next call that fails on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn tv_last_error_json() -> *const c_char {
    last(c"{}".as_ptr(), |last| last.json.as_ptr())
}

/// The relation or file that it is about, or NULL. Valid until the next call that fails on this
/// thread.
#[unsafe(no_mangle)]
pub extern "C" fn tv_last_error_relation() -> *const c_char {
    last(ptr::null(), |last| match last.place.relation.as_str() {
        "" => ptr::null(),
        _ => last.relation.as_ptr(),
    })
}

/// The column that it is about, or NULL. Valid until the next call that fails on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn tv_last_error_column() -> *const c_char {
    last(ptr::null(), |last| last.column.as_ref().map_or(ptr::null(), |column| column.as_ptr()))
}

/// The block of the relation's main fork that it is about, or -1.
#[unsafe(no_mangle)]
pub extern "C" fn tv_last_error_block() -> i64 {
    last(-1, |last| last.place.block.map_or(-1, |block| i64::from(block.0)))
}

/// The line pointer (1-based) that it is about, or -1.
#[unsafe(no_mangle)]
pub extern "C" fn tv_last_error_line_pointer() -> i32 {
    last(-1, |last| last.place.line_pointer.map_or(-1, i32::from))
}
