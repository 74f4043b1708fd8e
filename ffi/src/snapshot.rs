//! Snapshots.

use std::ffi::{c_char, c_void};
use std::path::Path;
use std::ptr;
use std::sync::Arc;

use serde_json::json;
use thinveil::pool::{SnapshotOptions, Source};
use thinveil::progress::Cancel;

use crate::border::call;
use crate::failure::Result;
use crate::handle::{self, tv_cancel, tv_key, tv_pool, tv_rules};
use crate::pointer::{Options, Out, optional_path, optional_text, options, text};
use crate::progress::{HostProgress, tv_progress_fn};
use crate::status::tv_status;
use crate::text::give_json;

/// How to make a snapshot. Zero it and set `size`: that is a good one (`TV_SNAPSHOT_OPTIONS_INIT`).
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tv_snapshot_options {
    /// `sizeof(tv_snapshot_options)`.
    pub size: usize,
    /// The snapshot's name; its id if NULL.
    pub name: *const c_char,
    /// Where PostgreSQL's programs are; found if NULL.
    pub pg_bin: *const c_char,
    /// The operating system user that owns what `pg_basebackup` brings, if the caller is root;
    /// `postgres` if NULL.
    pub os_user: *const c_char,
    /// Threads; 0 for one per core.
    pub threads: usize,
    /// What stops the work from another thread; may be NULL.
    pub cancel: *const tv_cancel,
    /// Watches the work; may be NULL.
    pub progress: tv_progress_fn,
    /// Handed to `progress`, and used by nobody else.
    pub progress_context: *mut c_void,
}

impl Options for tv_snapshot_options {
    const ZERO: Self = tv_snapshot_options {
        size: 0,
        name: ptr::null(),
        pg_bin: ptr::null(),
        os_user: ptr::null(),
        threads: 0,
        cancel: ptr::null(),
        progress: None,
        progress_context: ptr::null_mut(),
    };
}

/// # Safety
/// NULL, or as its `size` says, with strings that are strings.
pub(crate) unsafe fn snapshot_options(
    given: *const tv_snapshot_options,
) -> Result<SnapshotOptions> {
    let mut made = SnapshotOptions::default();
    // SAFETY: the same promise.
    unsafe {
        let Some(given) = options(given, "options")? else { return Ok(made) };
        made.name = optional_text(given.name, "options.name")?.map(str::to_owned);
        made.binaries = optional_path(given.pg_bin, "options.pg_bin")?.map(Path::to_owned);
        if let Some(user) = optional_text(given.os_user, "options.os_user")? {
            made.os_user = user.to_owned();
        }
        made.threads = given.threads;
        made.cancel = handle::get_optional(given.cancel)?.unwrap_or_else(Cancel::new);
        if let Some(callback) = given.progress {
            let progress = HostProgress::new(callback, given.progress_context, made.cancel.clone());
            made.progress = Arc::new(progress);
        }
    }
    Ok(made)
}

/// Makes a masked snapshot of a source (a data directory or a connection string) and says what
/// came out (`snapshot` in docs/json). A failure, a refusal or a cancellation leaves no snapshot.
/// Free `json` with `tv_string_free`.
///
/// # Safety
/// Strings are strings, `options` is NULL or as its `size` says, `json` points to room for a
/// pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_snapshot_create(
    pool: *const tv_pool,
    source: *const c_char,
    rules: *const tv_rules,
    key: *const tv_key,
    options: *const tv_snapshot_options,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let source = Source::parse(text(source, "source")?);
        let options = snapshot_options(options)?;
        let out = Out::new(json, "json")?;
        let (pool, rules, key) = (handle::get(pool)?, handle::get(rules)?, handle::get(key)?);
        let staged = pool.stage(&source, options)?;
        let snapshot = staged.plan(&rules)?.rewrite(&key)?.finish()?.audit()?.seal()?;
        give_json(out, snapshot.manifest())
    })
}

/// Makes a snapshot of what a clone (its id or name) holds now, and says what came out (`snapshot` in
/// docs/json). With the `key` that masked the clone's snapshot, every original is searched for; it
/// may be NULL. The clone goes on; a failure, a refusal or a cancellation leaves no snapshot. Free
/// `json` with `tv_string_free`.
///
/// # Safety
/// As for `tv_snapshot_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_snapshot_of_clone(
    pool: *const tv_pool,
    clone: *const c_char,
    key: *const tv_key,
    options: *const tv_snapshot_options,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let clone = text(clone, "clone")?;
        let options = snapshot_options(options)?;
        let out = Out::new(json, "json")?;
        let (pool, key) = (handle::get(pool)?, handle::get_optional(key)?);
        let snapshot = pool.snapshot_of_clone(clone, key.as_deref(), options)?;
        give_json(out, snapshot.manifest())
    })
}

/// Every snapshot, oldest first: an array of `snapshot`. Free it with `tv_string_free`.
///
/// # Safety
/// `json` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_snapshot_list(
    pool: *const tv_pool,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promise.
    call(|| unsafe {
        let out = Out::new(json, "json")?;
        let pool = handle::get(pool)?;
        pool.audit("snapshot list", "", &[])?;
        let snapshots = pool.snapshots()?;
        let manifests: Vec<_> = snapshots.iter().map(|snapshot| snapshot.manifest()).collect();
        give_json(out, &manifests)
    })
}

/// The snapshot of an id or a name (`snapshot` in docs/json). Free it with `tv_string_free`.
///
/// # Safety
/// `id` is a string, `json` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_snapshot_show(
    pool: *const tv_pool,
    id: *const c_char,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let id = text(id, "id")?;
        let out = Out::new(json, "json")?;
        let pool = handle::get(pool)?;
        pool.audit("snapshot show", id, &[])?;
        give_json(out, pool.snapshot(id)?.manifest())
    })
}

/// What the leak audit of a snapshot searched for and found (`snapshot_audit` in docs/json). Free
/// it with `tv_string_free`.
///
/// # Safety
/// `id` is a string, `json` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_snapshot_audit(
    pool: *const tv_pool,
    id: *const c_char,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let id = text(id, "id")?;
        let out = Out::new(json, "json")?;
        let pool = handle::get(pool)?;
        pool.audit("snapshot audit", id, &[])?;
        let snapshot = pool.snapshot(id)?;
        let manifest = snapshot.manifest();
        let audit = manifest.extra.get("audit").cloned().unwrap_or_default();
        let record = json!({
            "id": manifest.id, "name": manifest.name, "residue": manifest.residue, "audit": audit,
        });
        give_json(out, &record)
    })
}

/// Removes a snapshot that no clone was made of: `TV_ERROR_BUSY` names its clones.
///
/// # Safety
/// `id` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_snapshot_destroy(pool: *const tv_pool, id: *const c_char) -> tv_status {
    // SAFETY: the caller's promise.
    call(|| unsafe {
        let id = text(id, "id")?;
        handle::get(pool)?.destroy_snapshot(id)?;
        Ok(())
    })
}
