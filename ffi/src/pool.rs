//! Pools.

use std::ffi::c_char;
use std::sync::Arc;

use thinveil::Error;
use thinveil::pool::Pool;
use thinveil::storage::DriverChoice;

use crate::border::call;
use crate::handle::{self, tv_pool};
use crate::pointer::{Out, optional_text, path};
use crate::status::tv_status;
use crate::text::give_json;

/// Makes a pool of an empty or missing directory. `driver` is `auto` (also NULL), `zfs`, `btrfs`,
/// `reflink`, `overlay` or `copy`.
///
/// # Safety
/// Strings are strings, `pool` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_pool_init(
    dir: *const c_char,
    driver: *const c_char,
    pool: *mut *mut tv_pool,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let dir = path(dir, "dir")?;
        let driver = optional_text(driver, "driver")?.unwrap_or("auto");
        let out = Out::new(pool, "pool")?;
        let driver: DriverChoice = driver.parse().map_err(|error: Error| error)?;
        let (pool, _) = Pool::init(dir, driver)?;
        out.write(handle::put(Arc::new(pool)));
        Ok(())
    })
}

/// Opens a pool, and puts right what crashes left.
///
/// # Safety
/// `dir` is a string, `pool` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_pool_open(dir: *const c_char, pool: *mut *mut tv_pool) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let dir = path(dir, "dir")?;
        let out = Out::new(pool, "pool")?;
        out.write(handle::put(Arc::new(Pool::open(dir)?)));
        Ok(())
    })
}

/// What is in the pool (`pool_status` in docs/json). Free it with `tv_string_free`.
///
/// # Safety
/// `json` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_pool_status(pool: *const tv_pool, json: *mut *mut c_char) -> tv_status {
    // SAFETY: the caller's promise.
    call(|| unsafe {
        let out = Out::new(json, "json")?;
        let pool = handle::get(pool)?;
        pool.audit("pool status", "", &[])?;
        give_json(out, &pool.status()?)
    })
}

/// Puts right what crashes left since the pool was opened, and says what it was (`recovery` in
/// docs/json). Free it with `tv_string_free`.
///
/// # Safety
/// `json` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_pool_recover(
    pool: *const tv_pool,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promise.
    call(|| unsafe {
        let out = Out::new(json, "json")?;
        let recovered = handle::get(pool)?.recover()?;
        give_json(out, &recovered)
    })
}

/// Closes a pool. Its snapshots and clones stay, running clones go on running.
#[unsafe(no_mangle)]
pub extern "C" fn tv_pool_close(pool: *mut tv_pool) -> tv_status {
    call(|| handle::close(pool))
}
