//! `cargo xtask CHORE`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  tidy    check the tree: floors, file length, changelog, what must not be there
  demo    make a production cluster, mask it, clone it, and show what came out
          (--customers N: fewer for a quick look; --keep: leave the pool and the cluster)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (chore, rest) = match arguments.split_first() {
        Some((chore, rest)) => (chore.as_str(), rest),
        None => ("", [].as_slice()),
    };
    match chore {
        "tidy" if rest.is_empty() => xtask::tidy::run(&repository()),
        "demo" => match xtask::demo::Options::parse(rest) {
            Ok(options) => xtask::demo::run(&repository(), &options),
            Err(problem) => usage(&problem.to_string()),
        },
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        "" => usage("no chore given"),
        _ => usage(&format!("no chore {arguments:?}")),
    }
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("xtask: {problem}\n{USAGE}");
    ExitCode::from(2)
}

/// The repository's root: the parent of this package.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
