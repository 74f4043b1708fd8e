//! The settings under which thinveil runs PostgreSQL; the one place that knows which major version
//! has which.

use crate::ids::PgMajor;

/// For a server that nobody but thinveil talks to. They are given on the command line, where they
/// beat every file in the data directory.
pub(super) fn private(major: PgMajor) -> Vec<(&'static str, &'static str)> {
    let mut settings = vec![
        // Nobody else gets in, nothing goes out.
        ("listen_addresses", ""),
        ("ssl", "off"),
        ("bonjour", "off"),
        ("external_pid_file", ""),
        ("archive_mode", "off"),
        ("archive_command", ""),
        ("archive_cleanup_command", ""),
        ("recovery_end_command", ""),
        ("restore_command", ""),
        ("primary_conninfo", ""),
        ("primary_slot_name", ""),
        ("hot_standby", "off"),
        ("wal_level", "minimal"),
        ("max_wal_senders", "0"),
        ("max_replication_slots", "0"),
        ("max_logical_replication_workers", "0"),
        // No code of production's choosing.
        ("shared_preload_libraries", ""),
        ("session_preload_libraries", ""),
        ("local_preload_libraries", ""),
        ("jit", "off"),
        // Nothing in the background, not even against wraparound: copies don't live that long.
        ("autovacuum", "off"),
        ("autovacuum_freeze_max_age", "2000000000"),
        ("autovacuum_multixact_freeze_max_age", "2000000000"),
        // A crash loses the staging volume anyway; the volume is synced as a whole at the end.
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("restart_after_crash", "off"),
        // The log tells about the server and never quotes a statement or a value.
        ("logging_collector", "off"),
        ("log_destination", "stderr"),
        ("log_line_prefix", ""),
        ("log_min_error_statement", "panic"),
        ("log_statement", "none"),
        ("log_min_duration_statement", "-1"),
        ("log_duration", "off"),
        ("log_error_verbosity", "terse"),
        ("log_checkpoints", "off"),
        ("lc_messages", "C"),
        ("cluster_name", ""),
        ("huge_pages", "off"),
        ("shared_memory_type", "mmap"),
        ("dynamic_shared_memory_type", "posix"),
    ];
    if major.number() >= 14 {
        settings.push(("log_recovery_conflict_waits", "off"));
    }
    if major.number() >= 15 {
        settings.push(("archive_library", ""));
    }
    if major.number() >= 17 {
        settings.push(("event_triggers", "off"));
        settings.push(("summarize_wal", "off"));
        settings.push(("sync_replication_slots", "off"));
    }
    if major.number() >= 18 {
        settings.push(("max_active_replication_origins", "0"));
    }
    settings
}

/// For each connection to a private server: beats what `ALTER ROLE` and `ALTER DATABASE` set.
pub(super) fn session(major: PgMajor) -> Vec<(&'static str, &'static str)> {
    let mut settings = vec![
        ("session_preload_libraries", ""),
        ("local_preload_libraries", ""),
        ("search_path", "pg_catalog"),
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("default_transaction_read_only", "off"),
        ("default_transaction_isolation", "read committed"),
        ("default_transaction_deferrable", "off"),
        ("row_security", "off"),
        ("client_min_messages", "error"),
        ("log_statement", "none"),
        ("log_min_duration_statement", "-1"),
        ("log_min_error_statement", "panic"),
        ("log_error_verbosity", "terse"),
        ("default_tablespace", ""),
        ("temp_tablespaces", ""),
        ("default_table_access_method", "heap"),
        ("vacuum_cost_delay", "0"),
        ("bytea_output", "hex"),
        ("DateStyle", "ISO, YMD"),
        ("IntervalStyle", "postgres"),
        ("standard_conforming_strings", "on"),
        ("jit", "off"),
    ];
    if major.number() >= 14 {
        settings.push(("idle_session_timeout", "0"));
    }
    // No event trigger of production's fires for what thinveil does.
    if major.number() >= 17 {
        settings.push(("event_triggers", "off"));
        settings.push(("transaction_timeout", "0"));
    } else {
        settings.push(("session_replication_role", "replica"));
    }
    settings
}

/// `-c name=value …` as one string for the `options` of a connection: blanks and backslashes are
/// escaped.
pub(super) fn as_options(settings: &[(&str, &str)]) -> String {
    let words: Vec<String> = settings
        .iter()
        .map(|(name, value)| {
            format!("-c {name}={}", value.replace('\\', "\\\\").replace(' ', "\\ "))
        })
        .collect();
    words.join(" ")
}
