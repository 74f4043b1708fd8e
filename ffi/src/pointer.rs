//! Pointers from the other side: read here, and nowhere else.
//!
//! What can be known of a pointer is checked: NULL, alignment, UTF-8, the size of a struct. What
//! can't (that it points to as much memory as its type and length say, which nobody changes during
//! the call) is what the header asks of callers, and what every `SAFETY` comment of this crate
//! rests on.

use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::failure::{Failure, Result};
use crate::status::{TV_ERROR_ARGUMENT, TV_ERROR_UTF8};

fn check<T>(pointer: *const T, name: &str) -> Result {
    if pointer.is_null() {
        return Err(Failure::null(name));
    }
    if !pointer.is_aligned() {
        return Err(Failure::new(TV_ERROR_ARGUMENT, format!("{name} is not aligned")));
    }
    Ok(())
}

/// A text.
///
/// # Safety
/// NULL, or a string with a NUL at its end that lives, unchanged, for `'a`.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str> {
    // SAFETY: the same promise.
    unsafe { optional_text(pointer, name) }?.ok_or_else(|| Failure::null(name))
}

/// A text, or NULL for none.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn optional_text<'a>(
    pointer: *const c_char,
    name: &str,
) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and so a string with a NUL at its end.
    let text = unsafe { CStr::from_ptr(pointer) }.to_str();
    text.map(Some).map_err(|_| Failure::new(TV_ERROR_UTF8, format!("{name} is not UTF-8")))
}

/// A path: any bytes, as the operating system has it.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn path<'a>(pointer: *const c_char, name: &str) -> Result<&'a Path> {
    // SAFETY: the same promise.
    unsafe { optional_path(pointer, name) }?.ok_or_else(|| Failure::null(name))
}

/// A path, or NULL for none.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn optional_path<'a>(
    pointer: *const c_char,
    name: &str,
) -> Result<Option<&'a Path>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and so a string with a NUL at its end.
    let bytes = unsafe { CStr::from_ptr(pointer) }.to_bytes();
    if bytes.is_empty() {
        return Err(Failure::argument(format!("{name} is empty")));
    }
    Ok(Some(Path::new(OsStr::from_bytes(bytes))))
}

/// An array. NULL is an empty one.
///
/// # Safety
/// NULL, or `len` values of `T` that live, unchanged, for `'a`.
pub(crate) unsafe fn slice<'a, T>(pointer: *const T, len: usize, name: &str) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    check(pointer, name)?;
    if len > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Failure::argument(format!("{name} is longer than memory")));
    }
    // SAFETY: neither NULL nor unaligned, of a length that can be; the rest is promised.
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

/// Writes `from` over the array at `to`, which may be the one that `from` was copied of.
///
/// # Safety
/// NULL, or room for as many values of `T`, that nobody else reads or writes during the call.
pub(crate) unsafe fn fill<T: Copy>(to: *mut T, from: &[T], name: &str) -> Result {
    if from.is_empty() {
        return Ok(());
    }
    check(to, name)?;
    // SAFETY: neither NULL nor unaligned; room is promised; `from` is this library's own.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
    Ok(())
}

/// Moves a value out of the caller's place and leaves `instead`.
///
/// # Safety
/// NULL, or a `T` that nobody else reads or writes during the call.
#[cfg(feature = "arrow")]
pub(crate) unsafe fn take<T>(pointer: *mut T, instead: T, name: &str) -> Result<T> {
    check(pointer, name)?;
    // SAFETY: neither NULL nor unaligned; a `T` is promised.
    Ok(unsafe { pointer.replace(instead) })
}

/// Where an output goes. Made before the work is done, so that a bad place is told first.
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// # Safety
    /// NULL, or room for a `T` that nobody else reads or writes during the call.
    pub(crate) unsafe fn new(pointer: *mut T, name: &str) -> Result<Out<T>> {
        check(pointer, name)?;
        Ok(Out(pointer))
    }

    /// Writes the output. What was there is not dropped.
    pub(crate) fn write(self, value: T) {
        // SAFETY: `new` checked it, and had the promise.
        unsafe { self.0.write(value) }
    }
}

/// A struct whose first member is its size in bytes, as the caller was compiled with it: members
/// that were added since read as zero.
pub(crate) trait Options: Copy {
    /// All zero: what members that a caller does not know yet are.
    const ZERO: Self;
}

/// A struct of options, or NULL for none.
///
/// # Safety
/// NULL, or as many bytes as its first member (a `size_t`) says, laid out as a `T` so far.
pub(crate) unsafe fn options<T: Options>(pointer: *const T, name: &str) -> Result<Option<T>> {
    if pointer.is_null() {
        return Ok(None);
    }
    check(pointer, name)?;
    // SAFETY: every such struct begins with its size.
    let size = unsafe { pointer.cast::<usize>().read() };
    if size < size_of::<usize>() || size > size_of::<T>() {
        return Err(Failure::argument(format!(
            "{name}: size {size}, this library knows {}; set it to sizeof",
            size_of::<T>()
        )));
    }
    let mut value = T::ZERO;
    // SAFETY: `size` bytes can be read and are no more than a `T`; all of them are integers and
    // pointers, for which any bytes are valid.
    unsafe {
        std::ptr::copy_nonoverlapping(pointer.cast::<u8>(), (&raw mut value).cast::<u8>(), size);
    }
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::status::TV_ERROR_NULL;

    #[test]
    fn null_and_texts_that_are_not_utf8_are_told() {
        // SAFETY: NULL and strings of this function.
        unsafe {
            assert_eq!(text(ptr::null(), "a").unwrap_err().status, TV_ERROR_NULL);
            assert_eq!(text(c"\xff".as_ptr(), "a").unwrap_err().status, TV_ERROR_UTF8);
            assert_eq!(text(c"ok".as_ptr(), "a").unwrap(), "ok");
            assert_eq!(optional_text(ptr::null(), "a").unwrap(), None);
            assert_eq!(path(c"\xff".as_ptr(), "a").unwrap().as_os_str().len(), 1);
        }
    }

    #[test]
    fn arrays_are_checked_for_what_can_be_known() {
        let numbers = [1u64, 2];
        // SAFETY: NULL, an address that is not read, and an array of this function.
        unsafe {
            assert_eq!(slice::<u64>(ptr::null(), 0, "a").unwrap(), [0; 0]);
            assert_eq!(slice::<u64>(ptr::null(), 1, "a").unwrap_err().status, TV_ERROR_NULL);
            let odd = numbers.as_ptr().cast::<u8>().wrapping_add(1).cast::<u64>();
            assert_eq!(slice(odd, 1, "a").unwrap_err().status, TV_ERROR_ARGUMENT);
            assert_eq!(slice(numbers.as_ptr(), usize::MAX, "a").unwrap_err().status, 103);
            assert_eq!(slice(numbers.as_ptr(), 2, "a").unwrap(), numbers);
        }
    }

    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Grown {
        size: usize,
        old: usize,
        new: usize,
    }

    impl Options for Grown {
        const ZERO: Grown = Grown { size: 0, old: 0, new: 0 };
    }

    #[test]
    fn a_struct_of_an_older_caller_has_zeros_for_what_it_does_not_know() {
        let read = |size| {
            let given = Grown { size, old: 7, new: 9 };
            // SAFETY: a struct of this function, at least as long as the size that is accepted.
            unsafe { options(&raw const given, "options") }.map(|got| got.map(|g| (g.old, g.new)))
        };
        assert_eq!(read(16).unwrap(), Some((7, 0)));
        assert_eq!(read(24).unwrap(), Some((7, 9)));
        assert!(read(0).is_err());
        assert!(read(25).is_err());
    }

    #[test]
    fn outputs_are_written_whole_and_not_to_null() {
        let mut room = [0u8; 3];
        let mut number = 0u32;
        // SAFETY: NULL and variables of this function.
        unsafe {
            fill(room.as_mut_ptr(), &[1, 2, 3], "a").unwrap();
            assert_eq!(fill(ptr::null_mut(), &[1u8], "a").unwrap_err().status, TV_ERROR_NULL);
            fill(ptr::null_mut(), &[0u8; 0], "a").unwrap();
            assert!(Out::<u32>::new(ptr::null_mut(), "a").is_err());
            Out::new(&raw mut number, "a").unwrap().write(5);
        }
        assert_eq!((room, number), ([1, 2, 3], 5));
    }
}
