//! A clone as `--json` shows it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::ThinClone;
use super::lifecycle::PATIENCE;
use crate::cluster::find_postmaster;
use crate::error::Result;
use crate::storage::DriverKind;

/// How long between two looks at a server that is starting or stopping.
const TICK: Duration = Duration::from_millis(5);

/// Whether a clone's server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CloneState {
    /// It accepts connections, or will in a moment.
    Running,
    /// It does not run.
    Stopped,
}

/// What there is to say about a clone. The keys are stable.
#[derive(Clone, Debug, Serialize)]
pub struct CloneView {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// The snapshot's id.
    pub snapshot: String,
    /// Whether its server runs.
    pub state: CloneState,
    /// Where to connect.
    pub host: String,
    /// Where to connect.
    pub port: u16,
    /// Role.
    pub user: String,
    /// Database.
    pub database: String,
    /// Connection string, without the password.
    pub dsn: String,
    /// Data directory.
    pub data_dir: PathBuf,
    /// How it shares blocks.
    pub driver: DriverKind,
    /// Bytes that the snapshot holds as well.
    pub shared_bytes: u64,
    /// Bytes of its own.
    pub own_bytes: u64,
    /// Milliseconds that the driver took to make its volume.
    pub storage_ms: Option<u64>,
    /// Milliseconds from the call that made it until a query was answered; from the call that last
    /// started or reset it until it accepted connections.
    pub ready_ms: Option<u64>,
}

impl ThinClone {
    /// Whether its server runs. One that is starting or stopping, on the word of a caller that is
    /// gone perhaps, is waited for.
    pub fn state(&self) -> Result<CloneState> {
        let begun = Instant::now();
        loop {
            match find_postmaster(&self.data_dir())? {
                None => return Ok(CloneState::Stopped),
                Some(server) if server.is_ready() || begun.elapsed() > PATIENCE => {
                    return Ok(CloneState::Running);
                }
                Some(_) => std::thread::sleep(TICK),
            }
        }
    }

    /// Everything there is to say.
    pub fn view(&self) -> Result<CloneView> {
        let usage = self.usage()?;
        Ok(CloneView {
            id: self.record.id.clone(),
            name: self.record.name.clone(),
            snapshot: self.record.snapshot.clone(),
            state: self.state()?,
            host: "127.0.0.1".to_owned(),
            port: self.record.port,
            user: self.record.user.clone(),
            database: self.record.database.clone(),
            dsn: self.dsn(),
            data_dir: self.data_dir(),
            driver: self.pool.driver.kind(),
            shared_bytes: usage.shared_bytes,
            own_bytes: usage.own_bytes,
            storage_ms: self.record.storage_ms,
            ready_ms: self.record.ready_ms,
        })
    }

    /// `postgresql://user@127.0.0.1:6000/database`: no password.
    pub fn dsn(&self) -> String {
        format!(
            "postgresql://{}@127.0.0.1:{}/{}",
            percent(&self.record.user),
            self.record.port,
            percent(&self.record.database)
        )
    }
}

/// Percent-encodes what has a meaning in a URI.
fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn names_with_signs_survive_a_uri() {
        assert_eq!(percent("a b@c/ü"), "a%20b%40c%2F%C3%BC");
    }
}
