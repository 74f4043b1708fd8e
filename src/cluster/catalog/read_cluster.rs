//! What all databases share.

use postgres::Client;

use super::model::{ClusterInfo, DatabaseInfo, Role, Tablespace};
use super::sql;
use super::value::{cell, oid, rows, sql_error};
use crate::error::{Error, Result};
use crate::ids::PgMajor;

/// Reads what all databases share. `client` may be connected to any database, as a superuser.
pub fn read_cluster(client: &mut Client) -> Result<ClusterInfo> {
    let mut databases = Vec::new();
    let what = "databases";
    for row in rows(client, what, sql::DATABASES)? {
        databases.push(DatabaseInfo {
            oid: oid(&row, 0, what)?,
            name: cell(&row, 1, what)?,
            encoding: cell(&row, 2, what)?,
            allows_connections: cell(&row, 3, what)?,
            is_template: cell(&row, 4, what)?,
        });
    }
    let mut tablespaces = Vec::new();
    let what = "tablespaces";
    for row in rows(client, what, sql::TABLESPACES)? {
        tablespaces.push(Tablespace { oid: oid(&row, 0, what)?, name: cell(&row, 1, what)? });
    }
    let mut roles = Vec::new();
    let what = "roles";
    for row in rows(client, what, sql::ROLES)? {
        roles.push(Role {
            oid: oid(&row, 0, what)?,
            name: cell(&row, 1, what)?,
            can_login: cell(&row, 2, what)?,
            is_superuser: cell(&row, 3, what)?,
        });
    }
    Ok(ClusterInfo { major: server_major(client)?, databases, tablespaces, roles })
}

/// The server's major version.
pub(super) fn server_major(client: &mut Client) -> Result<PgMajor> {
    let what = "the server's version";
    let row = client
        .query_one("SELECT current_setting('server_version_num')::int4", &[])
        .map_err(|error| sql_error(what, &error))?;
    let number: i32 = cell(&row, 0, what)?;
    u16::try_from(number / 10_000)
        .ok()
        .and_then(PgMajor::new)
        .ok_or_else(|| Error::invalid(format!("PostgreSQL {} is not supported", number / 10_000)))
}
