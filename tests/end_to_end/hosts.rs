//! Other hosts: over TLS, where asked for, and not at all otherwise.

use std::net::{IpAddr, TcpStream, UdpSocket};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::clones::small;
use crate::common::{Clone, Pool, Sandbox, Servers, Snapshot};

/// An address of this machine at which its own connections look like another host's. `None`, said
/// aloud, on a machine without network.
fn own_address() -> Option<IpAddr> {
    // Connecting a datagram socket sends nothing: it looks up which address would be used.
    let address = UdpSocket::bind("0.0.0.0:0")
        .and_then(|socket| socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()))
        .map(|address| address.ip())
        .ok()
        .filter(|address| !address.is_loopback() && !address.is_unspecified());
    if address.is_none() {
        eprintln!("skipped: this machine has no address but its loopback's");
    }
    address
}

/// A certificate for an address, and its key; both the servers' owner's.
fn certificate(sandbox: &Sandbox, address: IpAddr) -> (PathBuf, PathBuf) {
    let home = sandbox.postgres_dir("tls");
    let (certificate, key) = (home.join("server.crt"), home.join("server.key"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=clone.example", "-addext"]);
    openssl.arg(format!("subjectAltName=IP:{address}"));
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    let output = openssl.output().expect("openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let owner = home.metadata().map(|metadata| {
        use std::os::unix::fs::MetadataExt;
        (metadata.uid(), metadata.gid())
    });
    let (uid, gid) = owner.unwrap();
    for path in [&certificate, &key] {
        chown(path, Some(uid), Some(gid)).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    // The client's own copy: it is root's.
    std::fs::copy(&certificate, sandbox.join("root.crt")).unwrap();
    (certificate, key)
}

/// `psql` from the tests' user, with more for the connection string.
fn psql(clone: &Clone, password: &str, more: &str) -> Output {
    let mut command = Servers::debian().program("psql");
    let connection = format!("port={} user={} dbname=postgres {more}", clone.port(), clone.user());
    command.args(["-X", "-A", "-t", "-d", &connection, "-c"]);
    command.arg("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    command.env("PGPASSWORD", password).output().expect("psql")
}

fn listening_clone(pool: &Pool, snapshot: &Snapshot, sandbox: &Sandbox, at: IpAddr) -> Clone {
    let (certificate, key) = certificate(sandbox, at);
    let [certificate, key] = [&certificate, &key].map(|path| path.to_str().unwrap());
    let listen = at.to_string();
    pool.clone_of(&snapshot.id, &["--listen", &listen, "--tls-cert", certificate, "--tls-key", key])
}

#[test]
fn other_hosts_are_served_over_tls_and_refused_in_the_clear() {
    let Some(address) = own_address() else { return };
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let clone = listening_clone(&pool, &snapshot, &sandbox, address);
    let root = sandbox.join("root.crt");
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o644)).unwrap();
    let verified = format!("host={address} sslmode=verify-full sslrootcert={}", root.display());
    let clear = format!("host={address} sslmode=disable");
    for round in ["created", "started again", "reset"] {
        let output = psql(&clone, &clone.password, &verified);
        assert!(output.status.success(), "{round}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "t", "{round}");
        let output = psql(&clone, &clone.password, &clear);
        assert!(!output.status.success(), "{round}: in the clear, from {address}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("no pg_hba.conf entry"), "{round}: {said}");
        assert!(!psql(&clone, "wrong", &verified).status.success(), "{round}: wrong password");
        // From this machine itself, as ever.
        let output = psql(&clone, &clone.password, "host=127.0.0.1 sslmode=disable");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "f", "{round}: {output:?}");
        match round {
            "created" => {
                pool.json(&["clone", "stop", &clone.id]);
                pool.json(&["clone", "start", &clone.id]);
            }
            _ => drop(pool.json(&["clone", "reset", &clone.id])),
        }
    }
}

#[test]
fn nobody_listens_to_other_hosts_unasked_or_without_tls() {
    let Some(address) = own_address() else { return };
    let sandbox = Sandbox::new();
    let (pool, snapshot) = small(&sandbox);
    let clone = pool.clone_of(&snapshot.id, &[]);
    assert!(TcpStream::connect(("127.0.0.1", clone.port())).is_ok());
    assert!(TcpStream::connect((address, clone.port())).is_err(), "it listens at {address}");
    let listen = address.to_string();
    let create = ["clone", "create", "--snapshot", &snapshot.id, "--listen", &listen];
    let outcome = pool.run(&create).expect_code(2);
    assert!(outcome.text().contains("--tls-cert"), "{outcome:?}");
    assert_eq!(pool.ids("clone").len(), 1);
}
