//! Handles: numbers in the shape of pointers. Nothing is behind them, so a wrong one can be told.
//!
//! A number is never given out twice. A handle that was closed, one of another type and one that
//! was made up are all [`TV_ERROR_HANDLE`]. A call holds what it works on: closing a handle while
//! another thread uses it ends that object when the call ends.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use thinveil::mask::{AnyMask, MaskKey};
use thinveil::pool::Pool;
use thinveil::progress::Cancel;
use thinveil::rules::RuleSet;

use crate::failure::{Failure, Result};
use crate::status::TV_ERROR_HANDLE;

/// An open pool.
#[allow(non_camel_case_types)]
pub struct tv_pool {
    _opaque: [u8; 0],
}

/// A rule set.
#[allow(non_camel_case_types)]
pub struct tv_rules {
    _opaque: [u8; 0],
}

/// A key, zeroed in memory when it is closed.
#[allow(non_camel_case_types)]
pub struct tv_key {
    _opaque: [u8; 0],
}

/// What stops work from another thread.
#[allow(non_camel_case_types)]
pub struct tv_cancel {
    _opaque: [u8; 0],
}

/// A compiled mask, or a host's own.
#[allow(non_camel_case_types)]
pub struct tv_mask {
    _opaque: [u8; 0],
}

/// The masks of a table's columns.
#[allow(non_camel_case_types)]
pub struct tv_table {
    _opaque: [u8; 0],
}

/// What stands behind a handle.
pub(crate) enum Object {
    Pool(Arc<Pool>),
    Rules(Arc<RuleSet>),
    Key(Arc<MaskKey>),
    Cancel(Cancel),
    Mask(Arc<AnyMask>),
    #[cfg(feature = "arrow")]
    Table(Arc<crate::arrow::Table>),
}

/// The type of a handle, and of what it stands for.
pub(crate) trait Handle {
    type Object;
    const NAME: &'static str;
    fn into(object: Self::Object) -> Object;
    fn of(object: &Object) -> Option<Self::Object>;
}

macro_rules! handle {
    ($handle:ident, $variant:ident, $object:ty) => {
        impl Handle for $handle {
            type Object = $object;
            const NAME: &'static str = stringify!($handle);

            fn into(object: $object) -> Object {
                Object::$variant(object)
            }

            fn of(object: &Object) -> Option<$object> {
                match object {
                    Object::$variant(object) => Some(object.clone()),
                    _ => None,
                }
            }
        }
    };
}

handle!(tv_pool, Pool, Arc<Pool>);
handle!(tv_rules, Rules, Arc<RuleSet>);
handle!(tv_key, Key, Arc<MaskKey>);
handle!(tv_cancel, Cancel, Cancel);
handle!(tv_mask, Mask, Arc<AnyMask>);
#[cfg(feature = "arrow")]
handle!(tv_table, Table, Arc<crate::arrow::Table>);

struct Registry {
    last: usize,
    objects: HashMap<usize, Object>,
}

static REGISTRY: LazyLock<RwLock<Registry>> =
    LazyLock::new(|| RwLock::new(Registry { last: FIRST, objects: HashMap::new() }));

/// No number that a host would make up, and no address of a process on Linux (`tv` in ASCII).
const FIRST: usize = 0x7476_0000_0000_0000;
/// Handles look like pointers to whoever aligns them.
const STEP: usize = 16;

/// A handle to an object.
pub(crate) fn put<H: Handle>(object: H::Object) -> *mut H {
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    registry.last += STEP;
    let address = registry.last;
    registry.objects.insert(address, H::into(object));
    std::ptr::without_provenance_mut(address)
}

/// What a handle stands for.
pub(crate) fn get<H: Handle>(handle: *const H) -> Result<H::Object> {
    let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    registry.objects.get(&handle.addr()).and_then(H::of).ok_or_else(wrong::<H>)
}

/// What a handle stands for, if there is one.
pub(crate) fn get_optional<H: Handle>(handle: *const H) -> Result<Option<H::Object>> {
    if handle.is_null() { Ok(None) } else { get(handle).map(Some) }
}

/// Closes a handle; NULL is closed already.
pub(crate) fn close<H: Handle>(handle: *mut H) -> Result {
    if handle.is_null() {
        return Ok(());
    }
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    let known = registry.objects.get(&handle.addr()).and_then(H::of);
    let known = known.ok_or_else(wrong::<H>)?;
    let gone = registry.objects.remove(&handle.addr());
    drop(registry);
    // Not under the lock: a host's own mask has a function of the host's to be called.
    drop((known, gone));
    Ok(())
}

fn wrong<H: Handle>() -> Failure {
    let name = H::NAME;
    Failure::new(
        TV_ERROR_HANDLE,
        format!("not an open {name}: closed before, of another type, or never one"),
    )
}

/// How many handles are open, for tests of hosts: 0 once all are closed.
#[unsafe(no_mangle)]
pub extern "C" fn tv_open_handles() -> usize {
    REGISTRY.read().unwrap_or_else(PoisonError::into_inner).objects.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_handle_and_one_of_another_type_are_told() {
        let cancel = put::<tv_cancel>(Cancel::new());
        assert!(get(cancel).is_ok());
        assert_eq!(get(cancel.cast::<tv_pool>()).unwrap_err().status, TV_ERROR_HANDLE);
        assert_eq!(close(cancel.cast::<tv_pool>()).unwrap_err().status, TV_ERROR_HANDLE);
        assert!(close(cancel).is_ok());
        assert_eq!(close(cancel).unwrap_err().status, TV_ERROR_HANDLE);
        assert_eq!(get(cancel).unwrap_err().status, TV_ERROR_HANDLE);
        let next = put::<tv_cancel>(Cancel::new());
        assert_ne!(cancel, next, "a number was given out twice");
        assert!(close(next).is_ok());
        assert!(close::<tv_cancel>(std::ptr::null_mut()).is_ok());
    }
}
