//! Who may log in before anything is known of a cluster: the superuser that `initdb` made.

use std::path::Path;

use super::leading::{for_each_row, relation_map};
use crate::error::{Error, Result};
use crate::ids::Oid;

/// `AuthIdRelationId`; `catalog/pg_authid.h`.
const PG_AUTHID: u32 = 1260;

/// Names that role 10 has or had, read from the pages of `pg_authid`. A crashed cluster may know a
/// newer one in its write-ahead log alone.
pub fn superuser_names(pgdata: &Path) -> Result<Vec<String>> {
    let global = Path::new("global");
    let number = relation_map(pgdata, global)?
        .and_then(|map| map.get(&PG_AUTHID).copied())
        .ok_or_else(|| Error::invalid(format!("{}: pg_authid is in no map", pgdata.display())))?;
    let mut names = Vec::new();
    // `oid oid`, `rolname name` in every supported version.
    for_each_row(pgdata, &global.join(number.to_string()), |row| {
        if Oid(row.oid(0)) == Oid::BOOTSTRAP_SUPERUSER {
            names.push(row.name(4));
        }
    })?;
    names.dedup();
    Ok(names)
}
