//! Length of files, and what finished library code does not hold.

use super::source::{code_of, without_unit_tests};
use super::{Finding, Tree};

const MAX_LINES: usize = 450;
const MANY_LINES: usize = 400;

/// Never in code that is merged.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!"];
/// A library writes to nobody's standard output.
const PRINTING: &[&str] = &["println!", "print!", "eprintln!", "eprint!"];

/// A file that holds tests alone.
fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Files stay short enough to be read: so many lines before the unit tests.
pub(super) fn file_length(tree: &Tree) -> Vec<Finding> {
    let measured = |(path, text): (&str, &str)| {
        let lines = without_unit_tests(text).lines().count();
        let message = || format!("{lines} lines before its tests: {MAX_LINES} at most, split it");
        if lines > MAX_LINES {
            Some(Finding::error(path, 0, message()))
        } else if lines > MANY_LINES {
            Some(Finding::warning(path, 0, message()))
        } else {
            None
        }
    };
    tree.rust_files().filter_map(measured).collect()
}

/// No placeholders anywhere under `src/`, no printing in the library.
pub(super) fn unfinished(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust_files().filter(|(path, _)| path.starts_with("src/")) {
        if is_test_file(path) {
            continue;
        }
        let printing = if path.starts_with("src/bin/") { &[] } else { PRINTING };
        for (index, line) in code_of(without_unit_tests(text)).lines().enumerate() {
            for name in UNFINISHED.iter().chain(printing) {
                if calls(line, name) {
                    findings.push(Finding::error(path, index + 1, format!("`{name}` in src/")));
                }
            }
        }
    }
    findings
}

/// True if `line` has the macro `name`, not as the end of a longer name.
fn calls(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_file_that_is_too_long_and_warns_of_a_long_one() {
        for (lines, errors, warnings) in [(400, 0, 0), (401, 0, 1), (450, 0, 1), (451, 1, 0)] {
            let text = "x();\n".repeat(lines);
            let found = file_length(&Tree::new([("tests/a.rs", text.as_str())]));
            assert_eq!(found.iter().filter(|f| f.is_error).count(), errors, "{lines}");
            assert_eq!(found.iter().filter(|f| !f.is_error).count(), warnings, "{lines}");
        }
    }

    #[test]
    fn does_not_count_unit_tests() {
        let text = format!("x();\n#[cfg(test)]\nmod tests {{\n{}}}\n", "y();\n".repeat(1000));
        assert_eq!(file_length(&Tree::new([("src/page/a.rs", text.as_str())])), []);
    }

    #[test]
    fn finds_placeholders_and_printing_in_the_library() {
        for name in UNFINISHED.iter().chain(PRINTING) {
            let text = format!("fn f() {{\n    {name}(\"\")\n}}\n");
            let found = unfinished(&Tree::new([("src/page/a.rs", text.as_str())]));
            assert_eq!(found.len(), 1, "{name}");
            assert_eq!(found[0].line, 2, "{name}");
        }
    }

    #[test]
    fn a_command_may_print_and_must_be_finished() {
        let text = "fn f() { println!(); todo!() }";
        assert_eq!(unfinished(&Tree::new([("src/bin/thinveil/main.rs", text)])).len(), 1);
    }

    #[test]
    fn tests_documentation_and_other_packages_may_print() {
        let text =
            "/// println!(\"\");\nfn f() {}\n#[cfg(test)]\nmod tests { fn g() { dbg!(1) } }\n";
        let tree =
            Tree::new([("src/page/a.rs", text), ("xtask/src/a.rs", "fn f() { println!() }")]);
        assert_eq!(unfinished(&tree), []);
    }
}
