//! Rule sets.

use std::ffi::c_char;
use std::sync::Arc;

use serde_json::json;
use thinveil::plan::suggest;
use thinveil::pool::Source;
use thinveil::rules::RuleSet;

use crate::border::call;
use crate::handle::{self, tv_pool, tv_rules};
use crate::pointer::{Out, text};
use crate::snapshot::{snapshot_options, tv_snapshot_options};
use crate::status::tv_status;
use crate::text::{give, give_json};

/// Reads a rule file's text (docs/rules.md). All its problems come in one `TV_ERROR_REFUSED`.
///
/// # Safety
/// `toml` is a string, `rules` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_rules_parse(
    toml: *const c_char,
    rules: *mut *mut tv_rules,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let toml = text(toml, "toml")?;
        let out = Out::new(rules, "rules")?;
        out.write(handle::put(Arc::new(RuleSet::from_toml(toml)?)));
        Ok(())
    })
}

/// Checks rules against a source (a data directory or a connection string) and changes nothing:
/// the source is staged in the pool, planned and thrown away. Every problem comes in one
/// `TV_ERROR_REFUSED`; `json` (`rules_check` in docs/json) says what would be masked.
///
/// # Safety
/// Strings are strings, `options` is NULL or as its `size` says, `json` points to room for a
/// pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_rules_check(
    pool: *const tv_pool,
    source: *const c_char,
    rules: *const tv_rules,
    options: *const tv_snapshot_options,
    json: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let source = Source::parse(text(source, "source")?);
        let options = snapshot_options(options)?;
        let out = Out::new(json, "json")?;
        let (pool, rules) = (handle::get(pool)?, handle::get(rules)?);
        pool.audit("rules check", &source.to_string(), &[])?;
        let planned = pool.stage(&source, options)?.plan(&rules)?;
        let plan = planned.mask_plan();
        let relations = plan.databases.iter().flat_map(|database| &database.relations);
        let masked = relations.filter(|relation| relation.is_masked()).count();
        let indexes: usize = plan.databases.iter().map(|database| database.indexes.len()).sum();
        let record = json!({
            "rules_hash": rules.hash, "tables_masked": masked, "indexes_to_rebuild": indexes,
        });
        give_json(out, &record)
    })
}

/// A rule file for a source, guessed from names, types and indexes; every line of it wants reading.
/// Free it with `tv_string_free`.
///
/// # Safety
/// As for `tv_rules_check`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_rules_suggest(
    pool: *const tv_pool,
    source: *const c_char,
    options: *const tv_snapshot_options,
    toml: *mut *mut c_char,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let source = Source::parse(text(source, "source")?);
        let options = snapshot_options(options)?;
        let out = Out::new(toml, "toml")?;
        let pool = handle::get(pool)?;
        pool.audit("rules suggest", &source.to_string(), &[])?;
        let staged = pool.stage(&source, options)?;
        give(out, &suggest(&staged.catalog()?))
    })
}

/// Closes a rule set.
#[unsafe(no_mangle)]
pub extern "C" fn tv_rules_close(rules: *mut tv_rules) -> tv_status {
    call(|| handle::close(rules))
}
