//! Processes and mounts below a directory: found in `/proc`, by whom it may concern alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Processes that work in `dir` or name it in their arguments, as `pid: arguments`.
pub(crate) fn processes_below(dir: &Path) -> Vec<(i32, String)> {
    let needle = dir.to_string_lossy().into_owned();
    let own = i32::try_from(std::process::id()).expect("a pid");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        let cwd = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        if pid != own && (arguments.contains(&needle) || cwd.starts_with(dir)) && !is_zombie(pid) {
            found.push((pid, arguments));
        }
    }
    found
}

fn is_zombie(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
}

/// Mount points at or below `dir`, innermost last.
pub(crate) fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc/self/mounts");
    mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(|path| PathBuf::from(path.replace("\\040", " ")))
        .filter(|path| path.starts_with(dir))
        .collect()
}

/// Everything that work below `dir` left running or mounted, in words; `dir` itself may be a mount.
pub(crate) fn leftovers_under(dir: &Path) -> Vec<String> {
    let mut found: Vec<String> = processes_below(dir)
        .into_iter()
        .map(|(pid, arguments)| format!("process {pid}: {arguments}"))
        .collect();
    found.extend(
        mounts_below(dir)
            .into_iter()
            .filter(|path| path != dir)
            .map(|path| format!("mount {}", path.display())),
    );
    found
}

/// Ends every process below `dir`, at once.
pub(crate) fn kill_below(dir: &Path) {
    let gone = wait_until(Duration::from_secs(20), || {
        let processes = processes_below(dir);
        for (pid, _) in &processes {
            if let Some(pid) = Pid::from_raw(*pid) {
                // It may have ended by itself since it was listed.
                kill_process(pid, Signal::KILL).ok();
            }
        }
        processes.is_empty()
    });
    if !gone {
        eprintln!("{} still has processes", dir.display());
    }
}

/// Unmounts all below `dir`, innermost first.
pub(crate) fn unmount_below(dir: &Path) {
    for mount in mounts_below(dir).into_iter().rev() {
        Command::new("umount").arg("-l").arg(mount).stderr(Stdio::null()).status().ok();
    }
}

/// Argument lists and environments of all processes that hold one of the secrets.
pub(crate) fn process_secrets(secrets: &[&str], in_environment_too: bool) -> Vec<String> {
    let files: &[&str] = if in_environment_too { &["cmdline", "environ"] } else { &["cmdline"] };
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        for file in files {
            let path = entry.path().join(file);
            let bytes = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            if secrets.iter().any(|secret| text.contains(secret)) {
                found.push(format!("{}: {}", path.display(), text.replace('\0', " ")));
            }
        }
    }
    found
}

/// Asks until the answer is yes; false once `patience` has run out.
pub(crate) fn wait_until(patience: Duration, mut ready: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if ready() {
            return true;
        }
        if start.elapsed() > patience {
            return false;
        }
        sleep(Duration::from_millis(20));
    }
}
