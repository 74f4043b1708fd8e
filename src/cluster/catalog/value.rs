//! Cells of catalog queries, with an error that names the query instead of a panic.

use postgres::types::FromSql;
use postgres::{Client, Row};

use crate::error::{Error, Result};
use crate::ids::Oid;

/// Runs one catalog query. `what` names it in errors.
pub(super) fn rows(client: &mut Client, what: &'static str, query: &str) -> Result<Vec<Row>> {
    client.query(query, &[]).map_err(|error| sql_error(what, &error))
}

/// A cell by column number.
pub(super) fn cell<'a, T: FromSql<'a>>(
    row: &'a Row,
    index: usize,
    what: &'static str,
) -> Result<T> {
    row.try_get(index).map_err(|error| sql_error(what, &error))
}

/// An oid by column number.
pub(super) fn oid(row: &Row, index: usize, what: &'static str) -> Result<Oid> {
    cell::<u32>(row, index, what).map(Oid)
}

/// An error without PostgreSQL's DETAIL, which may quote values.
pub(super) fn sql_error(what: &'static str, error: &postgres::Error) -> Error {
    crate::cluster::sql_error(format!("read {what} from the catalog"), error)
}
