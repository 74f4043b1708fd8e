//! Debian's client programs on a clone.

use std::process::Command;

use super::pool::Clone;
use super::servers::Servers;

/// One of them, for a database of the clone.
pub(crate) fn client_program(clone: &Clone, name: &str, database: &str) -> Command {
    let mut command = Servers::debian().program(name);
    command.args(["-h", &clone.host(), "-p", &clone.port().to_string(), "-U", &clone.user()]);
    command.args(["-d", database]).env("PGPASSWORD", &clone.password);
    command
}

/// What `pg_dump` writes; `None` of a server that it does not know.
#[track_caller]
pub(crate) fn dump(clone: &Clone, database: &str, arguments: &[&str]) -> Option<Vec<u8>> {
    if !Servers::tested().known_to_clients() {
        return None;
    }
    let output = client_program(clone, "pg_dump", database).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}
