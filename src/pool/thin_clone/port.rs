//! Finding a port that nobody has.

use std::net::{Ipv4Addr, TcpListener};

use super::{CloneRecord, PortRange};
use crate::error::{Error, Result};

/// A free port of `range`, not in `tried`. The pool's lock is held, and `records` are all there are:
/// a clone's port is its own while it is stopped, too.
pub(super) fn choose(range: PortRange, records: &[CloneRecord], tried: &[u16]) -> Result<u16> {
    let holder = |port: u16| records.iter().find(|record| record.port == port);
    for port in range.iter() {
        let taken = tried.contains(&port) || holder(port).is_some() || !is_free(port);
        if !taken {
            return Ok(port);
        }
        if range.is_single() {
            return Err(busy(port, holder(port)));
        }
    }
    Err(Error::Busy {
        what: format!("no free port in {range}: destroy a clone, or give other ports with --ports"),
    })
}

/// Says who has a port.
pub(super) fn busy(port: u16, holder: Option<&CloneRecord>) -> Error {
    let who = match holder {
        Some(record) => format!("belongs to clone {}", record.name),
        None => "is in use by another program".to_owned(),
    };
    Error::Busy { what: format!("port {port} {who}; give another one, or a range with --ports") }
}

/// Found by binding, which tells the truth for the moment; the server's own bind decides.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
