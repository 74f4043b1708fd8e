//! Floor order: a floor of `src/` imports only from floors above it.

use std::collections::BTreeMap;

use super::source::code_of;
use super::{Finding, Tree};

/// The floors, topmost first, as the design lists them. Modules of one floor are single files
/// that belong together; every other floor is one folder.
const FLOORS: &[&[&str]] = &[
    &["error", "failpoint", "ids", "progress", "removal"],
    &["page"],
    &["datum"],
    &["rules"],
    &["storage"],
    &["mask"],
    &["arrow"],
    &["fingerprint"],
    &["cluster"],
    &["plan"],
    &["rewrite"],
    &["finish"],
    &["audit"],
    &["pool"],
    &["canary"],
];

/// What a floor must not see although it is above: `(floor, what, why)`.
const BLIND: &[(&str, &str, &str)] = &[
    ("storage", "page", "storage is blind to PostgreSQL"),
    ("storage", "datum", "storage is blind to PostgreSQL"),
    ("storage", "rules", "storage is blind to PostgreSQL"),
    ("mask", "page", "masks are blind to pages"),
    ("mask", "storage", "masks perform no I/O"),
];

/// Standard modules that mean I/O, which these floors do not perform.
const NO_IO: &[&str] = &["page", "datum", "mask", "arrow"];
const IO_MODULES: &[&str] = &["std::fs", "std::net", "std::process"];

/// A use of `crate::…`: the line and the first segment after `crate`.
type Import = (usize, String);

pub(super) fn imports(tree: &Tree) -> Vec<Finding> {
    let reexports = tree.text("src/lib.rs").map(reexports).unwrap_or_default();
    let mut findings = Vec::new();
    for (path, text) in tree.rust_files() {
        let Some(module) = module_of(path) else { continue };
        let Some(floor) = floor_of(module) else {
            findings.push(Finding::error(
                path,
                0,
                format!(
                    "`{module}` is on no floor: add it to the list in xtask/src/tidy/floors.rs"
                ),
            ));
            continue;
        };
        let code = code_of(text);
        for (line, name) in crate_imports(&code) {
            let target = reexports.get(&name).unwrap_or(&name);
            if target != module
                && let Some(problem) = problem(module, floor, target)
            {
                findings.push(Finding::error(path, line, problem));
            }
        }
        if NO_IO.contains(&module) {
            findings.extend(io_uses(path, module, &code));
        }
    }
    findings
}

fn problem(module: &str, floor: usize, target: &str) -> Option<String> {
    if let Some((_, _, why)) = BLIND.iter().find(|(from, to, _)| *from == module && *to == target) {
        return Some(format!("`{module}` imports `{target}`: {why}"));
    }
    match floor_of(target) {
        None => Some(format!(
            "`crate::{target}` is neither a floor nor exported by src/lib.rs from one"
        )),
        Some(target_floor) if target_floor > floor => Some(format!(
            "`{module}` imports `{target}`, which is below it: a floor imports only from above"
        )),
        Some(_) => None,
    }
}

fn io_uses<'a>(path: &'a str, module: &'a str, code: &'a str) -> impl Iterator<Item = Finding> {
    code.lines().enumerate().flat_map(move |(index, line)| {
        IO_MODULES.iter().filter(move |io| line.contains(**io)).map(move |io| {
            Finding::error(path, index + 1, format!("`{module}` uses `{io}`: it performs no I/O"))
        })
    })
}

/// The module under `src/` that a file belongs to. The front page and the binaries are on no
/// floor: they may see everything.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let first = inside.split('/').next()?;
    match first {
        "bin" | "lib.rs" => None,
        _ => Some(first.strip_suffix(".rs").unwrap_or(first)),
    }
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// What `src/lib.rs` exports under another path: item name to module.
fn reexports(lib: &str) -> BTreeMap<String, String> {
    let code = code_of(lib);
    let mut names = BTreeMap::new();
    for statement in code.split(';') {
        let Some((_, tree)) = statement.split_once("pub use ") else { continue };
        let Some((module, items)) = tree.trim().split_once("::") else { continue };
        for item in items.split(|c: char| !c.is_alphanumeric() && c != '_') {
            names.insert(item.to_owned(), module.to_owned());
        }
    }
    names
}

/// Every `crate::name` and `crate::{name, …}` in code.
fn crate_imports(code: &str) -> Vec<Import> {
    let mut imports = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let line = 1 + code[..at].matches('\n').count();
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => imports.extend(group_heads(group).map(|name| (line, name))),
            None => imports.push((line, head(rest))),
        }
    }
    imports.retain(|(_, name)| !name.is_empty());
    imports
}

/// The first segment of each path in `a::b, c::{d, e}, f}…`, up to the brace that closes it.
fn group_heads(group: &str) -> impl Iterator<Item = String> {
    let mut depth = 0;
    let mut heads = vec![String::new()];
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(String::new()),
            _ => {}
        }
        if let (0, Some(last)) = (depth, heads.last_mut())
            && c != ','
        {
            last.push(c);
        }
    }
    heads.into_iter().map(|path| head(path.trim()))
}

fn head(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: (&str, &str) =
        ("src/lib.rs", "pub use error::{Error, Result};\npub use pool::Pool;");

    fn messages(path: &str, text: &str) -> Vec<String> {
        imports(&Tree::new([LIB, (path, text)])).into_iter().map(|f| f.to_string()).collect()
    }

    #[test]
    fn accepts_imports_from_above_and_from_itself() {
        let text = "use crate::page::Header;\nuse crate::plan::x;\nuse crate::{Error, mask::y};";
        assert_eq!(messages("src/plan/a.rs", text), [] as [&str; 0]);
        assert_eq!(messages("src/error.rs", "use crate::ids::Oid;"), [] as [&str; 0]);
        assert_eq!(messages("src/bin/thinveil/main.rs", "use crate::anything;"), [] as [&str; 0]);
        assert_eq!(messages("src/page/a.rs", "pub(crate) fn f() {}"), [] as [&str; 0]);
    }

    #[test]
    fn finds_an_import_from_below() {
        let found = messages("src/page/a.rs", "\nuse crate::cluster::Cluster;");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("src/page/a.rs:2"), "{found:?}");
    }

    #[test]
    fn finds_an_import_from_below_within_a_group_or_an_expression() {
        assert_eq!(messages("src/mask/a.rs", "use crate::{Error, plan::{a, b}, ids::c};").len(), 1);
        assert_eq!(messages("src/rules.rs", "fn f() { crate::audit::g() }").len(), 1);
    }

    #[test]
    fn finds_an_import_from_below_through_the_front_page() {
        assert_eq!(messages("src/finish/a.rs", "use crate::Pool;").len(), 1);
    }

    #[test]
    fn finds_what_is_on_no_floor() {
        assert_eq!(messages("src/sundries/a.rs", "").len(), 1);
        assert_eq!(messages("src/plan/a.rs", "use crate::sundries::b;").len(), 1);
    }

    #[test]
    fn finds_what_a_floor_must_not_see() {
        assert_eq!(messages("src/storage/a.rs", "use crate::page::Header;").len(), 1);
        assert_eq!(messages("src/mask/a.rs", "use crate::page::Header;").len(), 1);
        assert_eq!(messages("src/page/a.rs", "use std::fs::File;").len(), 1);
    }

    #[test]
    fn comments_and_strings_import_nothing() {
        let text = "//! See [`crate::pool`].\nconst A: &str = \"crate::pool\";";
        assert_eq!(messages("src/page/a.rs", text), [] as [&str; 0]);
    }
}
