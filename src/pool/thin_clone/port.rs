//! Finding a port that nobody has.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use super::{CloneRecord, PortRange};
use crate::error::{Error, Result};

/// A port of `range` that is free at every address, not in `tried`. The pool's lock is held, and
/// `records` are all there are: a clone's port is its own while it is stopped, too.
pub(super) fn choose(
    range: PortRange,
    listen: &[IpAddr],
    records: &[CloneRecord],
    tried: &[u16],
) -> Result<u16> {
    let holder = |port: u16| records.iter().find(|record| record.port == port);
    for port in range.iter() {
        let taken = tried.contains(&port) || holder(port).is_some() || !is_free(port, listen);
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

/// Free at 127.0.0.1 and at the addresses of `listen`. Found by binding, which tells the truth for
/// the moment; the server's own bind decides. An address that this machine does not have is for the
/// server to complain about.
pub(super) fn is_free(port: u16, listen: &[IpAddr]) -> bool {
    let taken = |address: IpAddr| {
        TcpListener::bind((address, port))
            .is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
    };
    let local = IpAddr::from(Ipv4Addr::LOCALHOST);
    TcpListener::bind((local, port)).is_ok()
        && !listen.iter().any(|address| *address != local && taken(*address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_where_nobody_listens_at_any_address() {
        let other: IpAddr = "127.0.0.2".parse().unwrap();
        let stranger = TcpListener::bind((other, 0)).unwrap();
        let port = stranger.local_addr().unwrap().port();
        assert!(is_free(port, &[]));
        assert!(!is_free(port, &[other]));
        let range = PortRange::new(port, port + 1).unwrap();
        assert_eq!(choose(range, &[], &[], &[]).unwrap(), port);
        assert!(choose(range, &[other], &[], &[]).is_ok_and(|chosen| chosen > port));
        assert!(choose(PortRange::from(port), &[other], &[], &[]).is_err());
        drop(stranger);
        assert!(is_free(port, &[other]));
        // Nobody has it: for the server to say.
        assert!(is_free(port, &["192.0.2.1".parse().unwrap()]));
    }
}
