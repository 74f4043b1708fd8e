//! Production's credentials: passwords of roles, connection strings, options of foreign servers.
//! None stays.

use super::session::Session;
use crate::error::Result;
use crate::removal::Removal;

/// Settings through which a role or database would load production's libraries.
const PRELOAD: &str = "^(session|local)_preload_libraries=";

/// What was taken away.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scrubbed {
    pub(super) passwords: u64,
    pub(super) subscriptions: u64,
    pub(super) settings: u64,
}

/// Scrubs the catalogs that all databases share.
pub(super) fn scrub_shared(session: &mut Session) -> Result<Scrubbed> {
    if Removal::Credentials.is_off() {
        return Ok(Scrubbed::default());
    }
    let passwords = session.execute(
        "remove passwords",
        "UPDATE pg_authid SET rolpassword = NULL WHERE rolpassword IS NOT NULL",
        &[],
    )?;
    // Settings with a point in their name are an extension's or an application's: a tenant, a
    // token, whatever somebody needed.
    let settings = session.execute(
        "remove preloaded libraries and applications' own from role and database settings",
        "UPDATE pg_db_role_setting
         SET setconfig = ARRAY(SELECT s FROM unnest(setconfig) s
                               WHERE s !~ $1 AND split_part(s, '=', 1) !~ '[.]')
         WHERE EXISTS (SELECT FROM unnest(setconfig) s
                       WHERE s ~ $1 OR split_part(s, '=', 1) ~ '[.]')",
        &[&PRELOAD],
    )?;
    session.execute(
        "remove empty role and database settings",
        "DELETE FROM pg_db_role_setting WHERE setconfig = '{}'",
        &[],
    )?;
    let subscriptions = session.execute(
        "disable subscriptions and remove their connection strings",
        "UPDATE pg_subscription SET subenabled = false, subslotname = NULL, subconninfo = ''",
        &[],
    )?;
    Ok(Scrubbed { passwords, subscriptions, settings })
}

/// Catalogs whose options say how to reach, and log in to, somewhere else.
const OPTIONS: [(&str, &str); 5] = [
    ("pg_foreign_data_wrapper", "fdwoptions"),
    ("pg_foreign_server", "srvoptions"),
    ("pg_foreign_table", "ftoptions"),
    ("pg_user_mapping", "umoptions"),
    ("pg_attribute", "attfdwoptions"),
];

/// Scrubs the catalogs of one database; returns how many foreign objects lost their options.
/// Whoever analyzed a catalog left some of it in the statistics.
pub(super) fn scrub_database(session: &mut Session) -> Result<u64> {
    if Removal::Credentials.is_off() {
        return Ok(0);
    }
    session.execute(
        "remove statistics of catalogs",
        "DELETE FROM pg_statistic WHERE starelid < 16384",
        &[],
    )?;
    let mut scrubbed = 0;
    for (catalog, options) in OPTIONS {
        scrubbed += session.execute(
            &format!("remove the options in {catalog}"),
            &format!("UPDATE {catalog} SET {options} = NULL WHERE {options} IS NOT NULL"),
            &[],
        )?;
    }
    Ok(scrubbed)
}
