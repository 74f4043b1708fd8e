//! Production's credentials: passwords of roles, connection strings, user mappings. None stays.

use super::session::Session;
use crate::error::Result;

/// Settings through which a role or database would load production's libraries.
const PRELOAD: &str = "^(session|local)_preload_libraries=";

/// Scrubs the catalogs that all databases share; returns the number of passwords removed.
pub(super) fn scrub_shared(session: &mut Session) -> Result<u64> {
    let passwords = session.execute(
        "remove passwords",
        "UPDATE pg_authid SET rolpassword = NULL WHERE rolpassword IS NOT NULL",
        &[],
    )?;
    session.execute(
        "remove preloaded libraries from role and database settings",
        "UPDATE pg_db_role_setting
         SET setconfig = ARRAY(SELECT s FROM unnest(setconfig) s WHERE s !~ $1)
         WHERE EXISTS (SELECT FROM unnest(setconfig) s WHERE s ~ $1)",
        &[&PRELOAD],
    )?;
    session.execute(
        "remove empty role and database settings",
        "DELETE FROM pg_db_role_setting WHERE setconfig = '{}'",
        &[],
    )?;
    session.execute(
        "disable subscriptions and remove their connection strings",
        "UPDATE pg_subscription SET subenabled = false, subslotname = NULL, subconninfo = ''",
        &[],
    )?;
    for catalog in ["pg_authid", "pg_db_role_setting", "pg_subscription"] {
        session.compact(catalog)?;
    }
    Ok(passwords)
}

/// Shared catalogs that tell of databases.
const OF_DATABASES: [&str; 5] =
    ["pg_database", "pg_shdepend", "pg_shdescription", "pg_shseclabel", "pg_replication_origin"];

/// Removes from the shared catalogs the row versions of databases that were dropped.
pub(super) fn forget_databases(session: &mut Session) -> Result<()> {
    OF_DATABASES.iter().try_for_each(|catalog| session.compact(catalog))
}

/// Scrubs the catalogs of one database. Whoever analyzed a catalog of secrets left some of them in
/// the statistics.
pub(super) fn scrub_database(session: &mut Session) -> Result<()> {
    session.execute(
        "remove statistics of credentials",
        "DELETE FROM pg_statistic WHERE starelid IN (
             'pg_authid'::regclass, 'pg_db_role_setting'::regclass, 'pg_subscription'::regclass,
             'pg_user_mapping'::regclass, 'pg_foreign_server'::regclass, 'pg_database'::regclass,
             'pg_shdescription'::regclass)",
        &[],
    )?;
    let mappings = session.execute(
        "remove the options of user mappings",
        "UPDATE pg_user_mapping SET umoptions = NULL WHERE umoptions IS NOT NULL",
        &[],
    )?;
    if mappings > 0 {
        session.compact("pg_user_mapping")?;
    }
    Ok(())
}
