//! The role that a clone's user connects as, put in place before any port opens.

use postgres_protocol::password::scram_sha_256;
use zeroize::Zeroizing;

use crate::cluster::{SingleUser, quote_ident, quote_literal};
use crate::error::{Error, Result};

/// A password's SCRAM verifier, `SCRAM-SHA-256$…`.
pub(super) fn verifier_of(password: &str) -> Zeroizing<String> {
    Zeroizing::new(scram_sha_256(password.as_bytes()))
}

/// 144 random bits in letters, digits and two signs that no shell and no URI minds.
pub(super) fn random_password() -> Result<Zeroizing<String>> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = Zeroizing::new([0_u8; 24]);
    getrandom::fill(random.as_mut_slice())
        .map_err(|error| Error::invalid(format!("no random numbers: {error}")))?;
    let letters = random
        .iter()
        .filter_map(|&byte| LETTERS.get(usize::from(byte & 63)))
        .map(|&letter| char::from(letter));
    Ok(Zeroizing::new(letters.collect()))
}

/// What PostgreSQL would refuse, or store differently than it was given.
pub(super) fn check_user(user: &str) -> Result<()> {
    let reserved = user.starts_with("pg_") || matches!(user, "public" | "none");
    if user.is_empty() || user.len() > 63 || user.contains(char::is_control) || reserved {
        return Err(Error::invalid(format!(
            "{user:?} can't be the name of a role: use 1 to 63 bytes, not beginning with pg_"
        )));
    }
    Ok(())
}

/// A password must be something that a client can send.
pub(super) fn check_password(password: &str) -> Result<()> {
    if password.is_empty() || password.contains('\0') {
        return Err(Error::invalid("an empty password, or one with a NUL byte, lets nobody in"));
    }
    Ok(())
}

/// Makes the role, or takes over an existing one, and checks that it is as told.
///
/// The verifier goes through a pipe; with the session's settings no log quotes a statement.
pub(super) fn install(session: &SingleUser<'_>, user: &str, verifier: &str) -> Result<()> {
    let (role, name) = (quote_ident(user), quote_literal(user));
    let secret = Zeroizing::new(quote_literal(verifier));
    let statements = [
        // Fails if it exists; the last statement tells whether all is well.
        Zeroizing::new(format!("CREATE ROLE {role}")),
        Zeroizing::new(format!(
            "ALTER ROLE {role} LOGIN SUPERUSER INHERIT CONNECTION LIMIT -1 VALID UNTIL 'infinity' \
             PASSWORD {}",
            secret.as_str()
        )),
        Zeroizing::new(format!(
            "SELECT 'yes' AS thinveil_ok FROM pg_catalog.pg_authid WHERE rolname = {name} \
             AND rolsuper AND rolcanlogin AND rolpassword = {}",
            secret.as_str()
        )),
    ];
    let printed = session.run("template1", &statements)?;
    if printed.values("thinveil_ok").is_empty() {
        return Err(Error::Server {
            what: format!(
                "PostgreSQL did not take the role {user:?}: {}",
                printed.error().unwrap_or("it gave no reason")
            ),
        });
    }
    Ok(())
}

/// The verifier that a role has now.
pub(super) fn read_verifier(session: &SingleUser<'_>, user: &str) -> Result<Zeroizing<String>> {
    let query = format!(
        "SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = {} AND rolpassword LIKE \
         'SCRAM-SHA-256$%'",
        quote_literal(user)
    );
    let printed = session.run("template1", &[Zeroizing::new(query)])?;
    printed.values("rolpassword").into_iter().next().ok_or_else(|| {
        Error::invalid(format!(
            "the clone has no password for role {user:?} any more: give one with --password-stdin"
        ))
    })
}
