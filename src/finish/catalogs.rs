//! Catalogs that hold what people wrote: free text goes, and so do old row versions.
//!
//! A catalog's pages keep what was changed or dropped until somebody vacuums them, and what lay
//! there even longer. So every catalog with text in it is written anew, touched or not.

use super::session::Session;
use crate::error::Result;
use crate::removal::Removal;

/// With text, names or expressions of the user's making, in each database.
const WRITTEN_ANEW: [&str; 23] = [
    "pg_attrdef",
    "pg_attribute",
    "pg_class",
    "pg_constraint",
    "pg_description",
    "pg_enum",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_index",
    "pg_partitioned_table",
    "pg_policy",
    "pg_proc",
    "pg_publication_rel",
    "pg_rewrite",
    "pg_seclabel",
    "pg_statistic",
    "pg_statistic_ext",
    "pg_statistic_ext_data",
    "pg_trigger",
    "pg_ts_dict",
    "pg_type",
    "pg_user_mapping",
];

/// The same, of those that all databases share.
const SHARED_WRITTEN_ANEW: [&str; 9] = [
    "pg_authid",
    "pg_database",
    "pg_db_role_setting",
    "pg_replication_origin",
    "pg_shdepend",
    "pg_shdescription",
    "pg_shseclabel",
    "pg_subscription",
    "pg_tablespace",
];

/// Comments and labels that were removed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FreeText {
    pub(super) comments: u64,
    pub(super) labels: u64,
}

impl FreeText {
    pub(super) fn add(&mut self, other: FreeText) {
        self.comments += other.comments;
        self.labels += other.labels;
    }
}

/// Removes comments on databases, roles and tablespaces, and their security labels.
pub(super) fn remove_shared_text(session: &mut Session) -> Result<FreeText> {
    if Removal::FreeText.is_off() {
        return Ok(FreeText::default());
    }
    let comments = session.execute(
        "remove comments on shared objects",
        "DELETE FROM pg_shdescription",
        &[],
    )?;
    let labels = session.execute(
        "remove security labels of shared objects",
        "DELETE FROM pg_shseclabel",
        &[],
    )?;
    Ok(FreeText { comments, labels })
}

/// Removes a database's security labels, and its comments unless the rules keep them. Comments on
/// PostgreSQL's own functions and types stay, but for those on schemas, which people change.
pub(super) fn remove_text(session: &mut Session, keep_comments: bool) -> Result<FreeText> {
    if Removal::FreeText.is_off() {
        return Ok(FreeText::default());
    }
    let comments = if keep_comments {
        0
    } else {
        session.execute(
            "remove comments",
            "DELETE FROM pg_description
             WHERE objoid >= 16384 OR classoid = 'pg_namespace'::regclass",
            &[],
        )?
    };
    let labels = session.execute("remove security labels", "DELETE FROM pg_seclabel", &[])?;
    Ok(FreeText { comments, labels })
}

/// True for a catalog that is written anew.
pub(super) fn is_written_anew(catalog: &str) -> bool {
    WRITTEN_ANEW.iter().chain(&SHARED_WRITTEN_ANEW).any(|name| *name == catalog)
}

/// Writes a database's catalogs anew.
pub(super) fn write_anew(session: &mut Session) -> Result<()> {
    if Removal::DeadCatalogRows.is_off() {
        return Ok(());
    }
    WRITTEN_ANEW.iter().try_for_each(|catalog| session.compact(catalog))
}

/// Writes the shared catalogs anew.
pub(super) fn write_shared_anew(session: &mut Session) -> Result<()> {
    if Removal::DeadCatalogRows.is_off() {
        return Ok(());
    }
    SHARED_WRITTEN_ANEW.iter().try_for_each(|catalog| session.compact(catalog))
}
