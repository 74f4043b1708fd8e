//! A clone's own configuration files, outside its data directory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::ThinClone;
use crate::cluster::sandbox::Owner;
use crate::cluster::server::SOCKET_DIR_MAX;
use crate::error::{Error, Result};
use crate::pool::Manifest;

/// Writes configuration for the clone's current generation and returns `postgresql.conf`'s path.
///
/// Production's planner settings come first, then the user's own, then what keeps a clone to
/// itself: in PostgreSQL the last line wins.
pub(super) fn write(clone: &ThinClone, manifest: &Manifest, owner: Owner) -> Result<PathBuf> {
    let run = clone.dir.join("run");
    match fs::create_dir(&run) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(Error::io("create", &run)(error));
        }
        _ => (),
    }
    fs::set_permissions(&run, fs::Permissions::from_mode(0o700))
        .map_err(Error::io("chmod", &run))?;
    owner.give(&run)?;

    for (name, text) in [
        ("pg_hba.conf", hba(clone)),
        ("pg_ident.conf", String::new()),
        ("postgresql.conf", settings(clone, manifest, &run)?),
    ] {
        let path = clone.dir.join(name);
        fs::write(&path, text).map_err(Error::io("write", &path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .map_err(Error::io("chmod", &path))?;
        owner.give(&path)?;
    }
    Ok(clone.dir.join("postgresql.conf"))
}

/// Passwords only; other hosts only with TLS.
fn hba(clone: &ThinClone) -> String {
    let mut text = String::from(
        "local all all scram-sha-256\n\
         host all all 127.0.0.1/32 scram-sha-256\n\
         host all all ::1/128 scram-sha-256\n",
    );
    if clone.record.tls.is_some() && !clone.record.listen.is_empty() {
        text.push_str("hostssl all all all scram-sha-256\n");
    }
    text
}

fn settings(clone: &ThinClone, manifest: &Manifest, run: &Path) -> Result<String> {
    let record = &clone.record;
    let mut text = format!(
        "# Clone {} of snapshot {}. Written by thinveil at every start.\n\n# Production's plans.\n",
        record.name, record.snapshot
    );
    let mut settings: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in &manifest.planner_settings {
        settings.insert(name, value);
    }
    let prepared = prepared_transactions(&clone.data_dir()).to_string();
    if prepared != "0" {
        settings.insert("max_prepared_transactions", &prepared);
    }
    for (name, value) in settings {
        line(&mut text, name, value)?;
    }
    if clone.pool.driver().capabilities().shares_blocks {
        text.push_str(
            "\n# A segment of WAL takes the room that is written: a clone is to be small.\n",
        );
        line(&mut text, "wal_init_zero", "off")?;
    }
    if !record.settings.is_empty() {
        text.push_str("\n# As asked for.\n");
        for (name, value) in &record.settings {
            line(&mut text, name, value)?;
        }
    }

    text.push_str("\n# What keeps a clone to itself.\n");
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let mut listen = vec!["127.0.0.1".to_owned()];
    listen.extend(record.listen.iter().map(ToString::to_string));
    let sockets = if run.as_os_str().len() <= SOCKET_DIR_MAX {
        format!("\"{}\"", path(run).replace('"', "\"\""))
    } else {
        String::new()
    };
    let mut own = vec![
        ("data_directory", path(&clone.data_dir())),
        ("hba_file", path(&clone.dir.join("pg_hba.conf"))),
        ("ident_file", path(&clone.dir.join("pg_ident.conf"))),
        ("external_pid_file", String::new()),
        ("listen_addresses", listen.join(",")),
        ("port", record.port.to_string()),
        ("unix_socket_directories", sockets),
        ("password_encryption", "scram-sha-256".to_owned()),
        ("shared_preload_libraries", preload(&manifest.allow_preload)),
        ("session_preload_libraries", String::new()),
        ("local_preload_libraries", String::new()),
        ("wal_level", "minimal".to_owned()),
        ("max_wal_senders", "0".to_owned()),
        ("max_replication_slots", "0".to_owned()),
        ("max_logical_replication_workers", "0".to_owned()),
        ("archive_mode", "off".to_owned()),
        ("archive_command", String::new()),
        ("restore_command", String::new()),
        ("primary_conninfo", String::new()),
        ("logging_collector", "off".to_owned()),
        ("log_destination", "stderr".to_owned()),
        ("lc_messages", "C".to_owned()),
        // The log's age says when the clone was last used: `ThinClone::last_used`.
        ("log_connections", "on".to_owned()),
        ("log_disconnections", "on".to_owned()),
        ("cluster_name", record.name.clone()),
        ("dynamic_shared_memory_type", "posix".to_owned()),
        ("huge_pages", "off".to_owned()),
        ("ssl", if record.tls.is_some() { "on" } else { "off" }.to_owned()),
    ];
    if manifest.major.number() >= 18 {
        own.push(("max_active_replication_origins", "0".to_owned()));
    }
    if let Some(tls) = &record.tls {
        own.push(("ssl_cert_file", path(&tls.cert)));
        own.push(("ssl_key_file", path(&tls.key)));
    }
    for (name, value) in own {
        line(&mut text, name, &value)?;
    }
    Ok(text)
}

fn preload(libraries: &[String]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./$".contains(&byte);
    let quoted = libraries.iter().map(|library| match library.bytes().all(plain) {
        true => library.clone(),
        false => format!("\"{}\"", library.replace('"', "\"\"")),
    });
    quoted.collect::<Vec<_>>().join(", ")
}

fn line(text: &mut String, name: &str, value: &str) -> Result<()> {
    let good = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        && !name.is_empty()
        && !name.starts_with("include")
        && !value.contains(['\n', '\r', '\0']);
    if !good {
        return Err(Error::invalid(format!("{name:?} is not a setting that a clone can take")));
    }
    let value = value.replace('\\', "\\\\").replace('\'', "''");
    // Writing to a String can't fail.
    let _ = writeln!(text, "{name} = '{value}'");
    Ok(())
}

/// How many transactions wait for their second phase: a server that allows fewer does not start.
pub(super) fn prepared_transactions(data_dir: &Path) -> usize {
    fs::read_dir(data_dir.join("pg_twophase")).map_or(0, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_can_not_break_out_of_their_line() {
        let mut text = String::new();
        line(&mut text, "work_mem", "4MB").unwrap();
        line(&mut text, "x", "it's \\").unwrap();
        assert_eq!(text, "work_mem = '4MB'\nx = 'it''s \\\\'\n");
        assert!(line(&mut text, "x", "a\nport = 1").is_err());
        assert!(line(&mut text, "include_dir", "/").is_err());
        assert!(line(&mut text, "a b", "1").is_err());
    }
}
