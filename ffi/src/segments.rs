//! Clusters rewritten file by file, on as many machines as there are.

use std::ffi::c_char;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::json;
use thinveil::cluster::ControlFile;
use thinveil::mask::MaskKey;
use thinveil::plan::MaskPlan;
use thinveil::pool::Source;
use thinveil::progress::{Cancel, NoProgress};
use thinveil::rewrite::{PlannedSegment, SegmentRewriter, ToastMap};

use crate::border::call;
use crate::failure::{Failure, Result};
use crate::handle::{self, tv_key, tv_pool, tv_rules};
use crate::pointer::{Out, path, text};
use crate::snapshot::{snapshot_options, tv_snapshot_options};
use crate::status::tv_status;
use crate::text::give_json;

/// Bytes of lists of TOAST values that one task holds in memory.
const TOAST_MEMORY: usize = 64 << 20;

/// Plans what is to be done to a source (a data directory or a connection string), which is staged in
/// the pool for as long as that takes: `plan`, a text in JSON, says it all to the calls below, on any
/// machine. It holds no key and no value. Free it with `tv_string_free`.
///
/// # Safety
/// Strings are strings, `options` is NULL or as its `size` says, `plan` points to room for a
/// pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_plan_make(
    pool: *const tv_pool,
    source: *const c_char,
    rules: *const tv_rules,
    options: *const tv_snapshot_options,
    plan: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let source = Source::parse(text(source, "source")?);
        let options = snapshot_options(options)?;
        let out = Out::new(plan, "plan")?;
        let (pool, rules) = (handle::get(pool)?, handle::get(rules)?);
        pool.audit("plan make", &source.to_string(), &[])?;
        let planned = pool.stage(&source, options)?.plan(&rules)?;
        give_json(out, planned.mask_plan())
    })
}

/// The tasks that a plan comes to for the stopped data directory `raw`: `json` is a list of
/// `planned_segment` (docs/json), one for each file of each planned table. A plan whose masks look at
/// more than one file is `TV_ERROR_REFUSED`.
///
/// # Safety
/// Strings are strings, `json` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_plan_segments(
    plan: *const c_char,
    raw: *const c_char,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let plan = parse(text(plan, "plan")?, "plan")?;
        let raw = path(raw, "raw")?;
        let out = Out::new(json, "json")?;
        // No key is asked for.
        let key = MaskKey::generate()?;
        let segments = with_rewriter(&plan, &key, raw, raw, |it| it.segments())?;
        give_json(out, &segments)
    })
}

/// Masks one file of the raw data directory `raw` and writes it below `masked`, under the name that
/// it has in `raw`, when it is whole. What becomes of it depends on nothing but these arguments and
/// what is in `raw`, where nothing is written: a task that was broken off can be done again.
/// `json` is a `rewritten_segment` (docs/json); its `toast_map` is for `tv_toast_rewrite`.
///
/// # Safety
/// Strings are strings, `json` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_segment_rewrite(
    plan: *const c_char,
    key: *const tv_key,
    segment: *const c_char,
    raw: *const c_char,
    masked: *const c_char,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let plan = parse(text(plan, "plan")?, "plan")?;
        let segment: PlannedSegment = parse(text(segment, "segment")?, "segment")?;
        let (raw, masked) = (path(raw, "raw")?, path(masked, "masked")?);
        let out = Out::new(json, "json")?;
        let key = handle::get(key)?;
        let task = |rewriter: &SegmentRewriter<'_>| rewriter.rewrite_segment(&segment);
        let (report, map) = with_rewriter(&plan, &key, raw, masked, task)?;
        give_json(out, &json!({ "report": report, "toast_map": map }))
    })
}

/// Masks what the table of `segment`, any of its files, has out of line. `toast_maps` is a list, in
/// JSON, of the `toast_map` of every one of its files. `json` is a `segment_report` (docs/json).
///
/// # Safety
/// Strings are strings, `json` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_toast_rewrite(
    plan: *const c_char,
    key: *const tv_key,
    segment: *const c_char,
    toast_maps: *const c_char,
    raw: *const c_char,
    masked: *const c_char,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let plan = parse(text(plan, "plan")?, "plan")?;
        let segment: PlannedSegment = parse(text(segment, "segment")?, "segment")?;
        let maps: Vec<ToastMap> = parse(text(toast_maps, "toast_maps")?, "toast_maps")?;
        let (raw, masked) = (path(raw, "raw")?, path(masked, "masked")?);
        let out = Out::new(json, "json")?;
        let key = handle::get(key)?;
        let mut all = ToastMap::default();
        maps.into_iter().for_each(|map| all.merge(map));
        let task = |rewriter: &SegmentRewriter<'_>| rewriter.rewrite_toast(&segment, all);
        give_json(out, &with_rewriter(&plan, &key, raw, masked, task)?)
    })
}

/// Does what is left when all files are rewritten and lie, with all others of `raw`, in the data
/// directory `masked`: maps of tables, and values that rows take from the catalog.
/// `json` is a `segment_report` (docs/json).
///
/// # Safety
/// Strings are strings, `json` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_segments_finish(
    plan: *const c_char,
    key: *const tv_key,
    raw: *const c_char,
    masked: *const c_char,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let plan = parse(text(plan, "plan")?, "plan")?;
        let (raw, masked) = (path(raw, "raw")?, path(masked, "masked")?);
        let out = Out::new(json, "json")?;
        let key = handle::get(key)?;
        give_json(out, &with_rewriter(&plan, &key, raw, masked, |it| it.finish())?)
    })
}

fn parse<T: DeserializeOwned>(json: &str, name: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        Failure::argument(format!("{name} is not what this library wrote: {error}"))
    })
}

fn with_rewriter<T>(
    plan: &MaskPlan,
    key: &MaskKey,
    raw: &Path,
    masked: &Path,
    task: impl FnOnce(&SegmentRewriter<'_>) -> thinveil::Result<T>,
) -> Result<T> {
    let rewriter = SegmentRewriter {
        plan,
        key,
        raw,
        control: &ControlFile::of(raw)?,
        masked,
        toast_memory: TOAST_MEMORY,
        threads: 0,
        cancel: &Cancel::new(),
        progress: &NoProgress,
    };
    Ok(task(&rewriter)?)
}
