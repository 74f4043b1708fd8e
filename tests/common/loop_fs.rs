//! File systems in files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::sandbox::{Sandbox, must};

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileSystem {
    /// XFS with reflinks.
    Xfs,
    /// btrfs.
    Btrfs,
    /// A pool of ZFS, where the kernel has it (`make test-zfs`).
    #[cfg(feature = "zfs")]
    Zfs,
}

/// A mounted file system, unmounted when dropped (and by its sandbox, should that come first).
#[derive(Debug)]
pub(crate) struct LoopFs {
    kind: FileSystem,
    mount: PathBuf,
}

impl LoopFs {
    /// Makes and mounts one of `megabytes`. Both kinds want at least 300.
    pub(crate) fn mount(sandbox: &Sandbox, kind: FileSystem, name: &str, megabytes: u64) -> LoopFs {
        let image = sandbox.join(format!("{name}.img"));
        let file = fs::File::create(&image).expect("an image");
        file.set_len(megabytes << 20).expect("a sparse image");
        let mount = sandbox.join(name);
        fs::create_dir(&mount).expect("a mount point");
        match kind {
            FileSystem::Xfs => {
                must(Command::new("/usr/sbin/mkfs.xfs").args(["-q", "-m", "reflink=1"]).arg(&image))
            }
            FileSystem::Btrfs => must(Command::new("/usr/sbin/mkfs.btrfs").arg("-q").arg(&image)),
            #[cfg(feature = "zfs")]
            FileSystem::Zfs => {
                // Whatever `zpool` is in PATH would be driven otherwise.
                assert!(Path::new("/sys/module/zfs").exists(), "no ZFS in this kernel");
                let mount_point = format!("mountpoint={}", mount.display());
                let mut create = Command::new("zpool");
                must(create.args(["create", "-O", &mount_point, name]).arg(&image));
                return LoopFs { kind, mount };
            }
        };
        must(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount));
        LoopFs { kind, mount }
    }

    /// A directory of which one snapshot holds all, owned by `postgres`.
    pub(crate) fn subvolume(&self, name: &str) -> PathBuf {
        let path = self.mount.join(name);
        match self.kind {
            FileSystem::Xfs => panic!("XFS has no snapshots"),
            FileSystem::Btrfs => {
                must(Command::new("btrfs").args(["subvolume", "create"]).arg(&path))
            }
            #[cfg(feature = "zfs")]
            FileSystem::Zfs => {
                let pool = self.mount.file_name().expect("a name").display();
                must(Command::new("zfs").args(["create", &format!("{pool}/{name}")]))
            }
        };
        must(Command::new("chown").arg("postgres:").arg(&path));
        path
    }

    pub(crate) fn path(&self) -> &Path {
        &self.mount
    }

    /// Bytes that are free.
    pub(crate) fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(&self.mount).expect("statvfs");
        stat.f_bavail * stat.f_frsize
    }

    /// Leaves only so many bytes free, by a file that `release` removes.
    pub(crate) fn fill_until(&self, free: u64) {
        let size = self.free().saturating_sub(free);
        must(Command::new("fallocate").arg("-l").arg(size.to_string()).arg(self.filler()));
    }

    /// Gives back what `fill_until` took.
    pub(crate) fn release(&self) {
        fs::remove_file(self.filler()).expect("the filler");
    }

    fn filler(&self) -> PathBuf {
        self.mount.join("filler")
    }
}

impl Drop for LoopFs {
    fn drop(&mut self) {
        super::processes::kill_below(&self.mount);
        super::processes::unmount_below(&self.mount);
        #[cfg(feature = "zfs")]
        if self.kind == FileSystem::Zfs {
            let name = self.mount.file_name().expect("a name");
            Command::new("zpool").args(["destroy", "-f"]).arg(name).status().ok();
        }
    }
}
