//! What programs in other languages are built against.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use xtask::lab::run;

const INCLUDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/include");
const WARNINGS: [&str; 5] = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-g"];

/// A directory of the test's own, with the libraries under the names that they are installed as.
pub(crate) struct Bench {
    pub(crate) dir: PathBuf,
}

impl Bench {
    pub(crate) fn new(name: &str) -> Bench {
        let built = env::current_exe().expect("a test binary");
        let built = built.parent().expect("target/debug/deps");
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::remove_dir_all(&dir).ok();
        fs::create_dir_all(&dir).expect("a directory");
        let shared = built.join("libthinveil_ffi.so");
        fs::copy(shared, dir.join("libthinveil.so.1")).expect("the shared library");
        std::os::unix::fs::symlink("libthinveil.so.1", dir.join("libthinveil.so")).expect("a link");
        fs::copy(built.join("libthinveil_ffi.a"), dir.join("libthinveil.a")).expect("the archive");
        Bench { dir }
    }

    /// Compiles a program and returns where it is.
    pub(crate) fn compile_file(&self, compiler: &str, source: &Path, more: &[&str]) -> PathBuf {
        let name = source.file_name().expect("a file").to_string_lossy();
        let flat = more.concat().replace(['/', '='], "");
        let program = self.dir.join(format!("{name}.{compiler}{flat}").replace('+', "p"));
        let mut command = Command::new(compiler);
        command.args(WARNINGS).arg("-I").arg(INCLUDE).arg("-o").arg(&program);
        command.arg(source).args(more);
        command.arg("-L").arg(&self.dir).arg("-lthinveil");
        command.arg(format!("-Wl,-rpath,{}", self.dir.display()));
        run(command.args(["-lm", "-lpthread", "-ldl"])).expect("a program without warnings");
        program
    }
}
