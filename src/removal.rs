//! What is removed so that nothing is left, by name: so that tests can switch off one of them and
//! see the leak audit catch what stays.
//!
//! Outside of this crate's own tests nothing can be switched off; every look here is a constant.

/// One removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// Masking rows that a transaction has deleted, replaced or never committed.
    DeadRows,
    /// Zeroing the hole between line pointers and tuples.
    PageHoles,
    /// Zeroing what a dropped column left in rows.
    DroppedColumns,
    /// Masking values that rows take from `pg_attribute.attmissingval`.
    MissingValues,
    /// Masking values out of line.
    Toast,
    /// Zeroing chunks that no row refers to.
    OrphanedToast,
    /// Clearing what the maps of visibility and free space say of no block.
    Maps,
    /// Rebuilding indexes.
    Indexes,
    /// Refreshing materialized views.
    MaterializedViews,
    /// Removing planner statistics.
    Statistics,
    /// Removing connection strings, settings and options.
    Credentials,
    /// Removing comments and security labels.
    FreeText,
    /// Writing catalogs anew, without dead rows.
    DeadCatalogRows,
    /// Removing files that no start needs: logs, keys, configuration, labels, leftovers.
    Files,
    /// Emptying directories of state, and those of temporary files.
    State,
    /// Removing files of relations that do not exist, and segments past a relation's end.
    OrphanedRelations,
    /// Reducing the write-ahead log.
    Wal,
}

#[cfg(test)]
impl Removal {
    /// All of them.
    pub(crate) const ALL: [Removal; 17] = [
        Removal::DeadRows,
        Removal::PageHoles,
        Removal::DroppedColumns,
        Removal::MissingValues,
        Removal::Toast,
        Removal::OrphanedToast,
        Removal::Maps,
        Removal::Indexes,
        Removal::MaterializedViews,
        Removal::Statistics,
        Removal::Credentials,
        Removal::FreeText,
        Removal::DeadCatalogRows,
        Removal::Files,
        Removal::State,
        Removal::OrphanedRelations,
        Removal::Wal,
    ];

    /// The environment variable that names the one to switch off in a test's process.
    pub(crate) const VARIABLE: &str = "THINVEIL_TEST_WITHOUT";

    /// True if this process leaves it out.
    pub(crate) fn is_off(self) -> bool {
        use std::sync::OnceLock;
        static OFF: OnceLock<Option<Removal>> = OnceLock::new();
        let off = OFF.get_or_init(|| {
            let name = std::env::var(Removal::VARIABLE).ok()?;
            Removal::ALL.into_iter().find(|removal| format!("{removal:?}") == name)
        });
        *off == Some(self)
    }
}

#[cfg(not(test))]
impl Removal {
    /// Nothing is left out.
    #[inline(always)]
    pub(crate) const fn is_off(self) -> bool {
        false
    }
}
