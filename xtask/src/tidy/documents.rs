//! Files that must be there, and what must not be in any.

use std::path::Path;

use super::{Finding, Tree};

const REQUIRED: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "deny.toml",
    "Cargo.lock",
    ".ci/run",
];

/// Directories where checkouts live, on one machine or another. In two halves, so that this file
/// has none of them in it.
const HOMES: &[(&str, &str)] = &[("/wo", "rk/"), ("/ho", "me/"), ("/Us", "ers/"), ("/ro", "ot/")];

const STRICT_MODE: &str = "set -euo pipefail";

pub(super) fn required_files(tree: &Tree) -> Vec<Finding> {
    let missing = |path: &&&str| tree.text(path).is_none();
    REQUIRED
        .iter()
        .filter(missing)
        .map(|path| Finding::error(path, 0, "is missing from the repository"))
        .collect()
}

/// The changelog has an `Unreleased` section with something in it.
pub(super) fn changelog(tree: &Tree) -> Vec<Finding> {
    const PATH: &str = "CHANGELOG.md";
    let Some(text) = tree.text(PATH) else { return Vec::new() };
    let is_heading = |line: &&str| line.starts_with("## ");
    let mut lines = text.lines();
    if !lines.any(|line| is_heading(&line) && line.contains("Unreleased")) {
        return vec![Finding::error(PATH, 0, "has no section `## … Unreleased`")];
    }
    if lines.take_while(|line| !is_heading(line)).all(|line| !line.starts_with("- ")) {
        return vec![Finding::error(PATH, 0, "its `Unreleased` section lists nothing")];
    }
    Vec::new()
}

/// No file names a place on the machine where it was written.
pub(super) fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let homes: Vec<String> = HOMES.iter().map(|(a, b)| format!("{a}{b}")).collect();
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        for (index, line) in text.lines().enumerate() {
            for home in homes.iter().filter(|home| has_path(line, home)) {
                let message = format!("names a place under {home}, on somebody's machine");
                findings.push(Finding::error(path, index + 1, message));
            }
        }
    }
    findings
}

/// No file names this very checkout.
pub(super) fn checkout_path(tree: &Tree, root: &Path) -> Vec<Finding> {
    let root = root.display().to_string();
    let names_it = |line: &str| root.len() > 1 && line.contains(&root);
    tree.files()
        .flat_map(|(path, text)| text.lines().enumerate().map(move |line| (path, line)))
        .filter(|(_, (_, line))| names_it(line))
        .map(|(path, (index, _))| Finding::error(path, index + 1, "names the checkout's own path"))
        .collect()
}

/// Shell scripts stop at the first error.
pub(super) fn shell_scripts(tree: &Tree) -> Vec<Finding> {
    let is_script = |path: &str, text: &str| {
        let first = text.lines().next().unwrap_or_default();
        path.ends_with(".sh") || (first.starts_with("#!") && first.ends_with("sh"))
    };
    tree.files()
        .filter(|(path, text)| is_script(path, text))
        .filter(|(_, text)| !text.lines().any(|line| line.trim() == STRICT_MODE))
        .map(|(path, _)| Finding::error(path, 0, format!("a shell script without `{STRICT_MODE}`")))
        .collect()
}

/// True if `line` has an absolute path that starts with `prefix`.
fn has_path(line: &str, prefix: &str) -> bool {
    line.match_indices(prefix).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/}$)*>".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_missing_file() {
        assert_eq!(required_files(&Tree::default()).len(), REQUIRED.len());
        let all = Tree::new(REQUIRED.iter().map(|path| (*path, "")));
        assert_eq!(required_files(&all), []);
    }

    #[test]
    fn finds_a_changelog_without_an_unreleased_entry() {
        let found = |text: &str| changelog(&Tree::new([("CHANGELOG.md", text)])).len();
        assert_eq!(found("# Changelog\n\n## 0.1.0\n\n- A\n"), 1);
        assert_eq!(found("# Changelog\n\n## Unreleased\n\n## 0.1.0\n\n- A\n"), 1);
        assert_eq!(found("# Changelog\n\n## 0.2.0 (Unreleased)\n\n- A\n"), 0);
    }

    #[test]
    fn finds_paths_of_somebodys_machine() {
        for (a, b) in HOMES {
            let text = format!("one\ncd {a}{b}ann/thinveil\n");
            let found = machine_paths(&Tree::new([("README.md", text.as_str())]));
            assert_eq!(found.len(), 1, "{a}{b}");
            assert_eq!(found[0].line, 2);
        }
        let text = "target/wo".to_owned() + "rk/a and $DIR/ro" + "ot/b";
        assert_eq!(machine_paths(&Tree::new([("a", text.as_str())])), []);
    }

    #[test]
    fn finds_the_checkouts_own_path() {
        let tree = Tree::new([("a", "x\nsee /srv/build/7/thinveil/src\n")]);
        assert_eq!(checkout_path(&tree, Path::new("/srv/build/7/thinveil")).len(), 1);
        assert_eq!(checkout_path(&tree, Path::new("/srv/build/8")), []);
    }

    #[test]
    fn finds_a_shell_script_that_goes_on_after_errors() {
        let strict = format!("#!/usr/bin/env bash\n{STRICT_MODE}\n");
        let tree = Tree::new([
            ("tools/a", "#!/usr/bin/env bash\ntrue\n"),
            ("tools/b.sh", "true\n"),
            ("tools/c", strict.as_str()),
            ("tools/d", "#!/usr/bin/env python3\n"),
        ]);
        let paths: Vec<String> = shell_scripts(&tree).into_iter().map(|f| f.path).collect();
        assert_eq!(paths, ["tools/a", "tools/b.sh"]);
    }
}
