//! What is asked for when a clone is made.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::progress::Cancel;

/// Ports to choose from, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// From `first` to `last`, both included; an error if empty or with port 0.
    pub fn new(first: u16, last: u16) -> Result<PortRange> {
        if first == 0 || last < first {
            return Err(Error::invalid(format!("{first}..{last} is no range of ports")));
        }
        Ok(PortRange { first, last })
    }

    /// Each port.
    pub fn iter(self) -> impl Iterator<Item = u16> {
        self.first..=self.last
    }

    /// True for a single port: there is no other to turn to.
    pub fn is_single(self) -> bool {
        self.first == self.last
    }
}

impl Default for PortRange {
    fn default() -> PortRange {
        PortRange { first: 6000, last: 6100 }
    }
}

impl From<u16> for PortRange {
    fn from(port: u16) -> PortRange {
        PortRange { first: port, last: port }
    }
}

impl FromStr for PortRange {
    type Err = Error;

    /// `6000..6100`, `6000-6100` or `6000`.
    fn from_str(text: &str) -> Result<PortRange> {
        let bad = || Error::invalid(format!("{text:?} is no range of ports; write 6000..6100"));
        let (first, last) = text
            .split_once("..")
            .map(|(first, last)| (first, last.trim_start_matches('=')))
            .or_else(|| text.split_once('-'))
            .unwrap_or((text, text));
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| bad());
        PortRange::new(port(first)?, port(last)?)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_single() {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}..{}", self.first, self.last)
        }
    }
}

/// A clone to be made. `CloneRequest::default()` is a good one.
#[derive(Clone)]
pub struct CloneRequest {
    /// The clone's name; its id if `None`.
    pub name: Option<String>,
    /// Ports to choose from; a single one is taken or refused.
    pub ports: PortRange,
    /// The role to connect as: made a superuser of the clone, whether the snapshot has it or not.
    pub user: String,
    /// Its password; a random one is drawn if `None`.
    pub password: Option<Zeroizing<String>>,
    /// The database that the connection string names; the snapshot's first one if `None`.
    pub database: Option<String>,
    /// Addresses to listen on besides 127.0.0.1. They need TLS.
    pub listen: Vec<IpAddr>,
    /// Certificate for TLS, readable by the owner of the data files.
    pub tls_cert: Option<PathBuf>,
    /// Its private key.
    pub tls_key: Option<PathBuf>,
    /// Where the server's programs are; found if `None`.
    pub pg_bin: Option<PathBuf>,
    /// More settings for the clone's configuration; they can't undo what keeps it to itself.
    pub settings: Vec<(String, String)>,
    /// When `pool gc` may remove it; never if `None`.
    pub lease_until: Option<jiff::Timestamp>,
    /// Stops the making, and undoes it.
    pub cancel: Cancel,
}

impl Default for CloneRequest {
    fn default() -> CloneRequest {
        CloneRequest {
            name: None,
            ports: PortRange::default(),
            user: "thinveil".to_owned(),
            password: None,
            database: None,
            listen: Vec::new(),
            tls_cert: None,
            tls_key: None,
            pg_bin: None,
            settings: Vec::new(),
            lease_until: None,
            cancel: Cancel::new(),
        }
    }
}

impl fmt::Debug for CloneRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloneRequest")
            .field("name", &self.name)
            .field("ports", &self.ports)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("database", &self.database)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_ranges_are_read() {
        let read = |text: &str| text.parse::<PortRange>().ok().map(|range| range.to_string());
        assert_eq!(read("6000..6100").as_deref(), Some("6000..6100"));
        assert_eq!(read("6000-6001").as_deref(), Some("6000..6001"));
        assert_eq!(read("6000..=6001").as_deref(), Some("6000..6001"));
        assert_eq!(read("7000").as_deref(), Some("7000"));
        for bad in ["", "0", "7..6", "x", "70000", "6000.."] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_request_does_not_show_its_password() {
        let request = CloneRequest {
            password: Some(Zeroizing::new("hunter2".to_owned())),
            ..CloneRequest::default()
        };
        assert!(!format!("{request:?}").contains("hunter2"));
    }
}
