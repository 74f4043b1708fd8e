//! Databases that the rules drop from a snapshot.

use postgres::Client;

use crate::cluster::{quote_ident, quote_literal, sql_error};
use crate::error::Result;

/// Drops databases on the staging volume's private server. `client` is connected to none of them.
/// Their files go at once; what the shared catalogs knew of them is compacted away in the end.
pub(super) fn drop_databases(client: &mut Client, databases: &[String]) -> Result<()> {
    for name in databases {
        let literal = quote_literal(name);
        // Neither a template nor one with subscriptions can be dropped.
        let statements = [
            format!("UPDATE pg_database SET datistemplate = false WHERE datname = {literal}"),
            format!(
                "WITH gone AS (
                     DELETE FROM pg_subscription s USING pg_database d
                     WHERE d.oid = s.subdbid AND d.datname = {literal} RETURNING s.oid
                 ), origins AS (
                     DELETE FROM pg_replication_origin o USING gone
                     WHERE o.roname = 'pg_' || gone.oid
                 )
                 DELETE FROM pg_shdepend p USING gone
                 WHERE p.classid = 'pg_subscription'::regclass AND p.objid = gone.oid"
            ),
            format!("DROP DATABASE {}", quote_ident(name)),
        ];
        for statement in statements {
            client
                .batch_execute(&statement)
                .map_err(|error| sql_error(format!("drop database {name}"), &error))?;
        }
    }
    Ok(())
}
