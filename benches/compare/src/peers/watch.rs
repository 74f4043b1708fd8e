//! What a run takes besides time: memory of all its processes together, and bytes that reach the
//! device.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks at the processes.
const PAUSE: Duration = Duration::from_millis(200);

/// A run that is watched.
pub(crate) struct Watch {
    device: Option<(u32, u32)>,
    written: Option<u64>,
    peak: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    sampler: Option<JoinHandle<()>>,
}

/// What it came to.
pub(crate) struct Watched {
    /// Most memory (PSS) that this program's children and the servers under a directory held at a
    /// time: shared memory counts once.
    pub(crate) peak_bytes: u64,
    /// Bytes that the file system's device took; `None` if it has no device of its own.
    pub(crate) written_bytes: Option<u64>,
}

impl Watch {
    /// Watches the servers whose data is under `place`, and whatever this program starts.
    pub(crate) fn start(place: &Path) -> Watch {
        rustix::fs::sync();
        let device = fs::metadata(place).ok().map(|metadata| {
            let device = metadata.dev();
            (rustix::fs::major(device), rustix::fs::minor(device))
        });
        let (peak, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let sampler = std::thread::spawn({
            let (place, peak, over) = (place.to_path_buf(), Arc::clone(&peak), Arc::clone(&over));
            move || {
                while !over.load(Ordering::Relaxed) {
                    peak.fetch_max(memory(&place), Ordering::Relaxed);
                    std::thread::sleep(PAUSE);
                }
            }
        });
        let written = device.and_then(bytes_written);
        Watch { device, written, peak, over, sampler: Some(sampler) }
    }

    pub(crate) fn finish(mut self) -> Watched {
        self.over.store(true, Ordering::Relaxed);
        if let Some(sampler) = self.sampler.take() {
            // It holds nothing that a panic could have spoilt.
            drop(sampler.join());
        }
        rustix::fs::sync();
        let now = self.device.and_then(bytes_written);
        Watched {
            peak_bytes: self.peak.load(Ordering::Relaxed),
            written_bytes: now.zip(self.written).map(|(now, before)| now.saturating_sub(before)),
        }
    }
}

/// Bytes written to a device since it is there.
fn bytes_written((major, minor): (u32, u32)) -> Option<u64> {
    let text = fs::read_to_string("/proc/diskstats").ok()?;
    sectors_written(&text, major, minor).map(|sectors| sectors * 512)
}

fn sectors_written(diskstats: &str, major: u32, minor: u32) -> Option<u64> {
    diskstats.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let is = words.next()? == major.to_string() && words.next()? == minor.to_string();
        if is { words.nth(7)?.parse().ok() } else { None }
    })
}

/// The memory of this program's children and theirs, and of servers under `place`.
fn memory(place: &Path) -> u64 {
    let mut parents: HashMap<u32, u32> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(parent) = parent_of(&entry.path()) {
            parents.insert(pid, parent);
        }
    }
    let here = std::process::id();
    let is_ours = |pid: &u32| {
        let mut at = *pid;
        while let Some(parent) = parents.get(&at) {
            if *parent == here {
                return true;
            }
            at = *parent;
        }
        fs::read_link(process(*pid).join("cwd")).is_ok_and(|cwd| cwd.starts_with(place))
    };
    parents.keys().filter(|pid| is_ours(pid)).map(|pid| pss(&process(*pid))).sum()
}

fn process(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

fn parent_of(process: &Path) -> Option<u32> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn pss(process: &Path) -> u64 {
    let text = fs::read_to_string(process.join("smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_device_was_written() {
        let text =
            "   7       0 loop0 1 2 3 4 5 6 7 8\n 254       1 vda1 10 0 80 5 20 0 4096 9 0 1 1\n";
        assert_eq!(sectors_written(text, 254, 1), Some(4096));
        assert_eq!(sectors_written(text, 254, 2), None);
    }

    #[test]
    fn counts_the_memory_of_children() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().expect("sleep");
        let memory = memory(Path::new("/nowhere"));
        drop(child.kill());
        drop(child.wait());
        assert!(memory > 0);
    }
}
