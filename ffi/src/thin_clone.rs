//! Clones.

use std::ffi::c_char;
use std::net::IpAddr;
use std::path::Path;
use std::ptr;

use serde::Serialize;
use thinveil::pool::{CloneRequest, CloneView, PortRange, ThinClone};
use thinveil::progress::Cancel;
use zeroize::Zeroizing;

use crate::border::call;
use crate::failure::{Failure, Result};
use crate::handle::{self, tv_cancel, tv_pool};
use crate::pointer::{Options, Out, optional_path, optional_text, options, text};
use crate::status::tv_status;
use crate::text::give_json;

/// A clone to be made. Zero it and set `size`: that is a good one (`TV_CLONE_OPTIONS_INIT`).
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tv_clone_options {
    /// `sizeof(tv_clone_options)`.
    pub size: usize,
    /// The clone's name; its id if NULL.
    pub name: *const c_char,
    /// The first port to try; with both ports 0, 6000 to 6100.
    pub first_port: u16,
    /// The last port to try; `first_port` alone if 0.
    pub last_port: u16,
    /// The role to connect as, a superuser of the clone; `thinveil` if NULL.
    pub user: *const c_char,
    /// Its password; drawn and returned once if NULL.
    pub password: *const c_char,
    /// The database that the connection string names; the snapshot's first one if NULL.
    pub database: *const c_char,
    /// Addresses to listen on besides 127.0.0.1, with commas between them; they need TLS.
    pub listen: *const c_char,
    /// Certificate for TLS.
    pub tls_cert: *const c_char,
    /// Its private key.
    pub tls_key: *const c_char,
    /// Where PostgreSQL's programs are; found if NULL.
    pub pg_bin: *const c_char,
    /// What stops the making from another thread; may be NULL.
    pub cancel: *const tv_cancel,
}

impl Options for tv_clone_options {
    const ZERO: Self = tv_clone_options {
        size: 0,
        name: ptr::null(),
        first_port: 0,
        last_port: 0,
        user: ptr::null(),
        password: ptr::null(),
        database: ptr::null(),
        listen: ptr::null(),
        tls_cert: ptr::null(),
        tls_key: ptr::null(),
        pg_bin: ptr::null(),
        cancel: ptr::null(),
    };
}

/// # Safety
/// NULL, or as its `size` says, with strings that are strings.
unsafe fn request(given: *const tv_clone_options) -> Result<CloneRequest> {
    let mut made = CloneRequest::default();
    // SAFETY: the same promise.
    unsafe {
        let Some(given) = options(given, "options")? else { return Ok(made) };
        made.name = optional_text(given.name, "options.name")?.map(str::to_owned);
        made.ports = match (given.first_port, given.last_port) {
            (0, 0) => PortRange::default(),
            (first, 0) => PortRange::new(first, first)?,
            (first, last) => PortRange::new(first, last)?,
        };
        if let Some(user) = optional_text(given.user, "options.user")? {
            made.user = user.to_owned();
        }
        made.password = secret(given.password, "options.password")?;
        made.database = optional_text(given.database, "options.database")?.map(str::to_owned);
        made.listen = addresses(optional_text(given.listen, "options.listen")?.unwrap_or(""))?;
        made.tls_cert = optional_path(given.tls_cert, "options.tls_cert")?.map(Path::to_owned);
        made.tls_key = optional_path(given.tls_key, "options.tls_key")?.map(Path::to_owned);
        made.pg_bin = optional_path(given.pg_bin, "options.pg_bin")?.map(Path::to_owned);
        made.cancel = handle::get_optional(given.cancel)?.unwrap_or_else(Cancel::new);
    }
    Ok(made)
}

fn addresses(list: &str) -> Result<Vec<IpAddr>> {
    let each = list.split(',').map(str::trim).filter(|text| !text.is_empty());
    each.map(|text| {
        text.parse().map_err(|_| Failure::argument(format!("{text:?} is no IP address")))
    })
    .collect()
}

/// # Safety
/// NULL or a string.
unsafe fn secret(given: *const c_char, name: &str) -> Result<Option<Zeroizing<String>>> {
    // SAFETY: the same promise.
    let text = unsafe { optional_text(given, name) }?;
    Ok(text.map(|text| Zeroizing::new(text.to_owned())))
}

/// A clone that was just made.
#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    view: &'a CloneView,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

/// Makes a clone of a snapshot (its id or name) and starts its server. `json` is a `clone` of
/// docs/json, with the password if one was drawn: shown this once, stored nowhere. Free it with
/// `tv_string_free`.
///
/// # Safety
/// Strings are strings, `options` is NULL or as its `size` says, `json` points to room for a
/// pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_clone_create(
    pool: *const tv_pool,
    snapshot: *const c_char,
    options: *const tv_clone_options,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let snapshot = text(snapshot, "snapshot")?;
        let request = request(options)?;
        let out = Out::new(json, "json")?;
        let created = handle::get(pool)?.snapshot(snapshot)?.create_clone(request)?;
        let view = created.clone.view()?;
        let password = created.password.as_ref().map(|password| password.as_str());
        give_json(out, &Made { view: &view, password })
    })
}

/// Every clone: an array of `clone`. Free it with `tv_string_free`.
///
/// # Safety
/// `json` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_clone_list(pool: *const tv_pool, json: *mut *mut c_char) -> tv_status {
    // SAFETY: the caller's promise.
    call(|| unsafe {
        let out = Out::new(json, "json")?;
        let pool = handle::get(pool)?;
        pool.audit("clone list", "", &[])?;
        let clones = pool.clones()?;
        let views: Vec<_> = clones.iter().map(ThinClone::view).collect::<thinveil::Result<_>>()?;
        give_json(out, &views)
    })
}

/// Finds a clone, does something with it, and gives the caller what it has become.
///
/// # Safety
/// `id` is NULL or a string, `json` NULL or room for a pointer.
unsafe fn with_clone(
    pool: *const tv_pool,
    id: *const c_char,
    json: *mut *mut c_char,
    run: impl FnOnce(ThinClone) -> Result<ThinClone>,
) -> Result {
    // SAFETY: the same promise.
    unsafe {
        let id = text(id, "id")?;
        let out = Out::new(json, "json")?;
        let clone = handle::get(pool)?.find_clone(id)?;
        give_json(out, &run(clone)?.view()?)
    }
}

/// The clone of an id or a name (`clone` in docs/json). Free it with `tv_string_free`.
///
/// # Safety
/// `id` is a string, `json` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_clone_show(
    pool: *const tv_pool,
    id: *const c_char,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let named = text(id, "id")?;
        handle::get(pool)?.audit("clone show", named, &[])?;
        with_clone(pool, id, json, Ok)
    })
}

/// Starts a clone that was stopped; a running one is left alone. `json` as for `tv_clone_show`.
///
/// # Safety
/// As for `tv_clone_show`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_clone_start(
    pool: *const tv_pool,
    id: *const c_char,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe { with_clone(pool, id, json, |clone| Ok(clone.start()?)) })
}

/// Stops a running clone; its port stays its own. `json` as for `tv_clone_show`.
///
/// # Safety
/// As for `tv_clone_show`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_clone_stop(
    pool: *const tv_pool,
    id: *const c_char,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe { with_clone(pool, id, json, |clone| Ok(clone.stop()?)) })
}

/// Takes a clone back to its snapshot. Name, port, user and password stay, unless `password` is not
/// NULL. `cancel` may be NULL. `json` as for `tv_clone_show`.
///
/// # Safety
/// As for `tv_clone_show`; `password` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_clone_reset(
    pool: *const tv_pool,
    id: *const c_char,
    password: *const c_char,
    cancel: *const tv_cancel,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let password = secret(password, "password")?;
        let cancel = handle::get_optional(cancel)?.unwrap_or_else(Cancel::new);
        with_clone(pool, id, json, |clone| Ok(clone.reset(password, &cancel)?))
    })
}

/// Takes a clone to another snapshot (its id or name) of the same major version, as
/// `tv_clone_reset` takes it back to its own: from then on it is a clone of that.
///
/// # Safety
/// As for `tv_clone_reset`; `snapshot` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_clone_reset_to(
    pool: *const tv_pool,
    id: *const c_char,
    snapshot: *const c_char,
    password: *const c_char,
    cancel: *const tv_cancel,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let snapshot = text(snapshot, "snapshot")?;
        let password = secret(password, "password")?;
        let cancel = handle::get_optional(cancel)?.unwrap_or_else(Cancel::new);
        with_clone(pool, id, json, |clone| Ok(clone.reset_to(snapshot, password, &cancel)?))
    })
}

/// Stops and removes a clone.
///
/// # Safety
/// `id` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_clone_destroy(pool: *const tv_pool, id: *const c_char) -> tv_status {
    // SAFETY: the caller's promise.
    call(|| unsafe {
        let id = text(id, "id")?;
        handle::get(pool)?.find_clone(id)?.destroy()?;
        Ok(())
    })
}
