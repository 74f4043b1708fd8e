//! What calls return. Numbers are never given to another meaning; each hundred is a kind.

/// What every call returns: `TV_OK`, or why nothing was done.
#[allow(non_camel_case_types)]
pub type tv_status = i32;

/// Done; outputs are written.
pub const TV_OK: tv_status = 0;

// 100 to 199: the call itself is wrong.
/// An argument that must not be NULL is.
pub const TV_ERROR_NULL: tv_status = 100;
/// A text is not UTF-8.
pub const TV_ERROR_UTF8: tv_status = 101;
/// A handle was closed before, is of another type, or never was one.
pub const TV_ERROR_HANDLE: tv_status = 102;
/// An argument makes no sense; the message says what would.
pub const TV_ERROR_ARGUMENT: tv_status = 103;

// 200 to 299: thinveil says no, and everything is as it was.
/// Policy, plan or audit refused; every reason is listed.
pub const TV_ERROR_REFUSED: tv_status = 200;
/// Nothing has that name.
pub const TV_ERROR_NOT_FOUND: tv_status = 201;
/// Something else holds what is needed.
pub const TV_ERROR_BUSY: tv_status = 202;
/// The caller cancelled.
pub const TV_ERROR_CANCELLED: tv_status = 203;

// 300 to 399: the data.
/// Bytes that PostgreSQL would not have written.
pub const TV_ERROR_CORRUPT: tv_status = 300;
/// A page whose checksum does not match.
pub const TV_ERROR_CHECKSUM: tv_status = 301;
/// A stored form that masks can't rewrite.
pub const TV_ERROR_UNSUPPORTED: tv_status = 302;
/// A rewritten page differs outside of masked values: a defect of thinveil.
pub const TV_ERROR_LAYOUT: tv_status = 303;
/// Bytes that are no value of the mask's type, or a value that the mask can't take.
pub const TV_ERROR_VALUE: tv_status = 304;
/// A custom mask failed, or its output does not fit exactly.
pub const TV_ERROR_CUSTOM_MASK: tv_status = 305;

// 400 to 499: the surroundings.
/// The operating system said no.
pub const TV_ERROR_IO: tv_status = 400;
/// A PostgreSQL server did not do what it was started for.
pub const TV_ERROR_SERVER: tv_status = 401;
/// A statement failed.
pub const TV_ERROR_SQL: tv_status = 402;

// 900 to 999: thinveil's own.
/// A defect of thinveil, stopped at the border.
pub const TV_ERROR_PANIC: tv_status = 900;
/// An error that this version of the ABI has no number for.
pub const TV_ERROR_OTHER: tv_status = 901;
