//! Production's configuration, as far as clones need it to choose production's plans.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How deep `include` may nest; PostgreSQL's own limit.
const DEPTH: usize = 10;

/// Settings that shape plans and results. Nothing here names a host, a path or a library.
const KEPT: &[&str] = &[
    "work_mem",
    "hash_mem_multiplier",
    "maintenance_work_mem",
    "effective_cache_size",
    "effective_io_concurrency",
    "random_page_cost",
    "seq_page_cost",
    "cpu_tuple_cost",
    "cpu_index_tuple_cost",
    "cpu_operator_cost",
    "parallel_setup_cost",
    "parallel_tuple_cost",
    "parallel_leader_participation",
    "min_parallel_table_scan_size",
    "min_parallel_index_scan_size",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "max_parallel_maintenance_workers",
    "max_worker_processes",
    "max_connections",
    "max_locks_per_transaction",
    "max_pred_locks_per_transaction",
    "max_prepared_transactions",
    "default_statistics_target",
    "constraint_exclusion",
    "cursor_tuple_fraction",
    "from_collapse_limit",
    "join_collapse_limit",
    "recursive_worktable_factor",
    "plan_cache_mode",
    "jit",
    "jit_above_cost",
    "jit_inline_above_cost",
    "jit_optimize_above_cost",
    "timezone",
    "timezone_abbreviations",
    "datestyle",
    "intervalstyle",
    "extra_float_digits",
    "bytea_output",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "default_text_search_config",
    "standard_conforming_strings",
    "escape_string_warning",
    "backslash_quote",
    "array_nulls",
    "transform_null_equals",
    "quote_all_identifiers",
    "gin_fuzzy_search_limit",
    "default_transaction_isolation",
    "default_toast_compression",
];

/// Families of such settings.
const KEPT_FAMILIES: &[&str] = &["enable_", "geqo"];

/// The settings of a data directory that clones take over, by lower-case name.
///
/// Reads the configuration file that the server was last started with (`postmaster.opts`), else the
/// one in the data directory, else the one in Debian's place, with what it includes; then
/// `postgresql.auto.conf`; then settings of the command line. What can't be read or understood is
/// passed over: a clone with a default plan is better than none.
pub fn planner_settings(data_dir: &Path) -> BTreeMap<String, String> {
    let mut settings = all_settings(data_dir);
    settings.retain(|name, _| is_kept(name));
    settings
}

/// Every setting found, by lower-case name; what `planner_settings` chooses from.
pub fn all_settings(data_dir: &Path) -> BTreeMap<String, String> {
    let started_with = start_arguments(data_dir);
    let mut settings = BTreeMap::new();
    if let Some(file) = config_file(data_dir, &started_with) {
        read_into(&file, &mut settings, &mut Vec::new());
    }
    read_into(&data_dir.join("postgresql.auto.conf"), &mut settings, &mut Vec::new());
    settings.extend(started_with);
    settings
}

fn is_kept(name: &str) -> bool {
    KEPT.contains(&name) || KEPT_FAMILIES.iter().any(|family| name.starts_with(family))
}

fn config_file(data_dir: &Path, started_with: &[(String, String)]) -> Option<PathBuf> {
    let named = started_with
        .iter()
        .rev()
        .find(|(name, _)| name == "config_file")
        .map(|(_, value)| PathBuf::from(value));
    let inside = data_dir.join("postgresql.conf");
    let debian = data_dir
        .strip_prefix("/var/lib/postgresql")
        .ok()
        .map(|cluster| Path::new("/etc/postgresql").join(cluster).join("postgresql.conf"));
    named.into_iter().chain([inside]).chain(debian).find(|path| path.is_file())
}

/// `-c name=value` and `--name=value` of the last start.
fn start_arguments(data_dir: &Path) -> Vec<(String, String)> {
    let text = std::fs::read(data_dir.join("postmaster.opts")).unwrap_or_default();
    let words = shell_words(&String::from_utf8_lossy(&text));
    let mut settings = Vec::new();
    let mut words = words.into_iter().skip(1);
    while let Some(word) = words.next() {
        let assignment = if word == "-c" {
            words.next()
        } else {
            word.strip_prefix("--").or_else(|| word.strip_prefix("-c")).map(str::to_owned)
        };
        if let Some((name, value)) = assignment.as_deref().and_then(|text| text.split_once('=')) {
            settings.push((name.replace('-', "_").to_ascii_lowercase(), value.to_owned()));
        }
    }
    settings
}

/// `postmaster.opts` quotes each argument with `"` and escapes nothing.
fn shell_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            blank if blank.is_whitespace() && !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

fn read_into(file: &Path, settings: &mut BTreeMap<String, String>, open: &mut Vec<PathBuf>) {
    // A file that includes itself is read once.
    if open.len() > DEPTH || open.iter().any(|path| path == file) {
        return;
    }
    let Ok(bytes) = std::fs::read(file) else { return };
    open.push(file.to_path_buf());
    let beside = |path: &str| file.parent().unwrap_or(Path::new("/")).join(path);
    for line in String::from_utf8_lossy(&bytes).lines() {
        let Some((name, value)) = setting(line) else { continue };
        match name.as_str() {
            "include" | "include_if_exists" => read_into(&beside(&value), settings, open),
            "include_dir" => {
                for file in conf_files(&beside(&value)) {
                    read_into(&file, settings, open);
                }
            }
            _ => {
                settings.insert(name, value);
            }
        }
    }
    open.pop();
}

/// `*.conf`, not hidden, in the order of the C locale.
fn conf_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".conf") && !name.starts_with('.') && path.is_file()
        })
        .collect();
    files.sort();
    files
}

/// One line: `name = value`, `name value`, `name = 'it''s'  # why`.
fn setting(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let end = line
        .find(|letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '$')))
        .unwrap_or(line.len());
    let (name, rest) = line.split_at_checked(end)?;
    if name.is_empty() {
        return None;
    }
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    let value = match rest.strip_prefix('\'') {
        Some(quoted) => unquoted(quoted)?,
        None => {
            rest.split(|letter: char| letter == '#' || letter.is_whitespace()).next()?.to_owned()
        }
    };
    (!value.is_empty() || rest.starts_with('\'')).then(|| (name.to_ascii_lowercase(), value))
}

/// Up to the closing quote; `''` and backslash escapes as PostgreSQL reads them.
fn unquoted(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut letters = text.chars().peekable();
    loop {
        match letters.next()? {
            '\'' if letters.peek() == Some(&'\'') => {
                letters.next();
                value.push('\'');
            }
            '\'' => return Some(value),
            '\\' => value.push(match letters.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            }),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_postgresql_reads_them() {
        let read = |line: &str| setting(line);
        let some = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(read("work_mem = 4MB  # more"), some("work_mem", "4MB"));
        assert_eq!(read("  Work_Mem 4MB"), some("work_mem", "4MB"));
        assert_eq!(read("datestyle = 'iso, mdy' # x"), some("datestyle", "iso, mdy"));
        assert_eq!(read("x = 'it''s'"), some("x", "it's"));
        assert_eq!(read("x = ''"), some("x", ""));
        assert_eq!(read("# work_mem = 1"), None);
        assert_eq!(read("x = 'open"), None);
        assert_eq!(read("!!!"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn includes_auto_conf_and_arguments_override_in_that_order() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        std::fs::create_dir(dir.path().join("conf.d")).unwrap();
        let conf = dir.path().join("main.conf");
        write(
            "main.conf",
            "work_mem = 1MB\nrandom_page_cost = 1\ninclude_dir 'conf.d'\ninclude_if_exists 'no'\n\
             archive_command = 'curl secret'\ninclude 'main.conf'\n",
        );
        write("conf.d/a.conf", "work_mem = 2MB\nenable_seqscan = off\n");
        write("conf.d/b.txt", "work_mem = 3MB\n");
        write("postgresql.auto.conf", "random_page_cost = '2'\njit = off\n");
        write(
            "postmaster.opts",
            &format!(
                "/usr/bin/postgres \"-D\" \"/x y\" \"-c\" \"config_file={}\" \"--jit=on\"\n",
                conf.display()
            ),
        );
        let settings = planner_settings(dir.path());
        let get = |name: &str| settings.get(name).map(String::as_str);
        assert_eq!(get("work_mem"), Some("2MB"));
        assert_eq!(get("enable_seqscan"), Some("off"));
        assert_eq!(get("random_page_cost"), Some("2"));
        assert_eq!(get("jit"), Some("on"));
        assert_eq!(get("archive_command"), None);
        assert_eq!(get("config_file"), None);
    }
}
