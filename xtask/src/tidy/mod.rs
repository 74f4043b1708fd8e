//! `cargo xtask tidy`: what neither rustc nor clippy says.
//!
//! A check is a function from the [`Tree`] to its [`Finding`]s, so that its tests plant a fault in
//! a tree of their own and see it found.

mod documents;
mod floors;
mod rust_code;
mod source;

use std::fmt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};

/// The files that git knows or would take: path relative to the root, and text.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    files: Vec<(String, String)>,
}

/// Something that a check has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// File, relative to the root.
    pub path: String,
    /// Line (1-based), or 0 for the file as a whole.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub message: String,
    /// False for advice that fails nothing.
    pub is_error: bool,
}

impl Finding {
    fn error(path: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, message: message.into(), is_error: true }
    }

    fn warning(path: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { is_error: false, ..Finding::error(path, line, message) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_error { "error" } else { "warning" };
        write!(f, "{kind}: {}", self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl Tree {
    /// A tree from paths and texts.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Tree {
        Tree { files: files.into_iter().map(|(p, t)| (p.to_owned(), t.to_owned())).collect() }
    }

    /// The checkout at `root`: tracked files and those that `.gitignore` does not name. Files
    /// that are not UTF-8 are left out.
    pub fn read(root: &Path) -> Result<Tree> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("run git ls-files")?;
        ensure!(
            output.status.success(),
            "git ls-files: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut files = Vec::new();
        for path in String::from_utf8(output.stdout)?.split('\0').filter(|path| !path.is_empty()) {
            // A file that is deleted and not yet staged is listed, but not there.
            let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
            if let Ok(text) = String::from_utf8(bytes) {
                files.push((path.to_owned(), text));
            }
        }
        files.sort();
        files.dedup();
        Ok(Tree { files })
    }

    fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    fn rust_files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| path.ends_with(".rs"))
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.files().find(|(candidate, _)| *candidate == path).map(|(_, text)| text)
    }
}

/// Every check, on one tree.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let checks: [fn(&Tree) -> Vec<Finding>; 7] = [
        floors::imports,
        rust_code::file_length,
        rust_code::unfinished,
        documents::required_files,
        documents::changelog,
        documents::machine_paths,
        documents::shell_scripts,
    ];
    checks.iter().flat_map(|check| check(tree)).collect()
}

/// The chore: prints what was found; fails if any of it is an error.
pub fn run(root: &Path) -> ExitCode {
    let tree = match Tree::read(root) {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("tidy: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let mut findings = check(&tree);
    findings.extend(documents::checkout_path(&tree, root));
    for finding in &findings {
        eprintln!("{finding}");
    }
    let errors = findings.iter().filter(|finding| finding.is_error).count();
    println!("tidy: {} files, {errors} errors", tree.files.len());
    if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_this_checkout() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask has a parent");
        let tree = Tree::read(root).expect("the tests run in a checkout");
        assert!(tree.text("xtask/src/tidy/mod.rs").is_some());
        assert!(tree.files().all(|(path, _)| !path.starts_with("target/")));
    }

    #[test]
    fn prints_where_and_what() {
        let finding = Finding::error("src/a.rs", 3, "is wrong");
        assert_eq!(finding.to_string(), "error: src/a.rs:3: is wrong");
        assert_eq!(Finding::warning("b", 0, "is odd").to_string(), "warning: b: is odd");
    }
}
