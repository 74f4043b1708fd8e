//! Where users' code and its constants stand in the catalogs.

use std::collections::BTreeSet;

use postgres::Client;

use super::sql;
use super::value::{cell, rows};
use crate::error::Result;
use crate::ids::PgMajor;

/// The objects of a database that hold code, by kind and identity.
pub(super) fn names(client: &mut Client, major: PgMajor) -> Result<BTreeSet<String>> {
    let what = "objects with code";
    rows(client, what, &sql::code_names(major))?.iter().map(|row| cell(row, 0, what)).collect()
}

/// The query for each piece of code: object, catalog, column of it, the catalog's key column, the
/// key, form (`tree`, `fixed` for a tree that must stay, `body`, `label`, `opaque`), language and
/// the text itself. Objects are named as by [`Database::code`](super::Database::code) if the search
/// path holds no schema of a user's.
pub(crate) fn code_with_text(major: PgMajor) -> String {
    sql::code(major)
}
