//! Where clusters and pools of a run are kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{Owner, Undo, UndoGuard, bytes, run};

/// A directory of one run. Removed when dropped, with what is mounted in it.
pub struct Workplace {
    path: PathBuf,
    _removal: Option<UndoGuard>,
}

impl Workplace {
    /// An empty directory: `preferred` if PostgreSQL's user can reach it, else one under
    /// `/var/tmp`. What an earlier run left there is removed. At least `space` bytes are free.
    pub fn create(preferred: &Path, owner: Owner, space: u64, undo: &Undo) -> Result<Workplace> {
        let mut path = preferred.to_path_buf();
        clear(&path)?;
        fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        if !owner.can_use(&path) {
            fs::remove_dir(&path).with_context(|| format!("remove {}", path.display()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().replace('.', "");
            let uid = rustix::process::getuid().as_raw();
            path = PathBuf::from(format!("/var/tmp/thinveil-{name}-{uid}"));
            println!("PostgreSQL's user can't reach this checkout: working in {}", path.display());
            clear(&path)?;
            fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        }
        let removal = undo.push({
            let path = path.clone();
            move || {
                if let Err(error) = clear(&path) {
                    eprintln!("left behind: {error:#}");
                }
            }
        });
        let workplace = Workplace { path, _removal: Some(removal) };
        let free = workplace.free_bytes()?;
        ensure!(
            free >= space,
            "{} has {} free, {} are needed",
            workplace.path.display(),
            bytes(free),
            bytes(space)
        );
        Ok(workplace)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory where it is.
    pub fn keep(mut self) -> PathBuf {
        if let Some(removal) = self._removal.take() {
            Undo::forget(removal);
        }
        std::mem::take(&mut self.path)
    }

    /// The file system's type, as `stat -f` calls it.
    pub fn file_system(&self) -> String {
        let mut stat = Command::new("stat");
        stat.args(["--file-system", "--format=%T"]).arg(&self.path);
        run(&mut stat).map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
    }

    fn free_bytes(&self) -> Result<u64> {
        let stat = rustix::fs::statvfs(&self.path)
            .with_context(|| format!("look at the file system of {}", self.path.display()))?;
        Ok(stat.f_bavail * stat.f_frsize)
    }
}

/// A file system in a sparse file, mounted. Unmounted and deleted when dropped.
pub struct LoopMount {
    mount: PathBuf,
    _unmount: UndoGuard,
}

impl LoopMount {
    /// XFS with reflinks, of `size` bytes, inside `place`. Needs root, as they all do.
    pub fn xfs(place: &Path, size: u64, undo: &Undo) -> Result<LoopMount> {
        LoopMount::create(place, "xfs", &["-q", "-m", "reflink=1"], size, undo)
    }

    /// Btrfs.
    pub fn btrfs(place: &Path, size: u64, undo: &Undo) -> Result<LoopMount> {
        LoopMount::create(place, "btrfs", &["--quiet"], size, undo)
    }

    fn create(
        place: &Path,
        kind: &str,
        options: &[&str],
        size: u64,
        undo: &Undo,
    ) -> Result<LoopMount> {
        let image = place.join(kind).with_extension("img");
        let mount = place.join(kind);
        let file =
            fs::File::create(&image).with_context(|| format!("create {}", image.display()))?;
        file.set_len(size).with_context(|| format!("make {} long", image.display()))?;
        drop(file);
        run(Command::new(format!("mkfs.{kind}")).args(options).arg(&image))?;
        fs::create_dir_all(&mount).with_context(|| format!("create {}", mount.display()))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount))?;
        let unmount = undo.push({
            let mount = mount.clone();
            move || {
                drop(run(Command::new("umount").arg(&mount)));
                drop(fs::remove_file(&image));
            }
        });
        Ok(LoopMount { mount, _unmount: unmount })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.mount
    }
}

/// Removes a directory: what runs there is stopped, what is mounted there unmounted.
fn clear(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let prefix = format!("{}/", path.display());
    // Later mounts first: one may lie on top of another.
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for target in mounts.lines().rev().filter_map(|line| line.split(' ').nth(1)) {
        if target.starts_with(&prefix) {
            stop_servers(Path::new(target));
            run(Command::new("umount").arg(target))?;
        }
    }
    stop_servers(path);
    fs::remove_dir_all(path).with_context(|| format!("remove {}", path.display()))
}

/// Stops PostgreSQL servers whose data directory is under `path`, at once: their data is about to
/// be deleted.
fn stop_servers(path: &Path) {
    let mut find = Command::new("find");
    find.arg(path).args(["-maxdepth", "9", "-name", "postmaster.pid"]);
    for file in run(&mut find).unwrap_or_default().lines() {
        if let Some(data) = Path::new(file).parent() {
            // The server's working directory proves that the number in the file is still its own.
            let text = fs::read_to_string(file).unwrap_or_default();
            let pid = text.lines().next().unwrap_or_default();
            if fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data) {
                drop(run(Command::new("kill").args(["-QUIT", pid])));
                std::thread::sleep(std::time::Duration::from_millis(500));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workplace_is_gone_when_dropped_and_stays_when_kept() {
        let preferred = std::env::temp_dir().join(format!("thinveil-place-{}", std::process::id()));
        let undo = Undo::default();
        let make = || Workplace::create(&preferred, Owner::Myself, 1, &undo).expect("a directory");
        let place = make();
        fs::write(place.path().join("file"), "text").expect("it is writable");
        drop(place);
        assert!(!preferred.exists());
        let kept = make().keep();
        assert!(kept.exists());
        clear(&kept).expect("it is ours");
    }

    #[test]
    fn refuses_a_file_system_with_too_little_space() {
        let preferred = std::env::temp_dir().join(format!("thinveil-full-{}", std::process::id()));
        let undo = Undo::default();
        assert!(Workplace::create(&preferred, Owner::Myself, u64::MAX, &undo).is_err());
        assert!(!preferred.exists());
    }
}
