//! Snapshots of clones, the tree of all of them, and what a clone has changed.

use indicatif::HumanBytes;
use thinveil::pool::{Branch, CloneDiff, FilesDiff, Pool, RelationDiff, SnapshotOptions};

use crate::args::KeyArguments;
use crate::commands::{Context, Result};
use crate::input::read_key_if_given;
use crate::output::{snapshot_text, table, word};

impl Context<'_> {
    pub(crate) fn snapshot_of_clone(
        &self,
        clone: &str,
        key: KeyArguments,
        options: SnapshotOptions,
    ) -> Result<()> {
        let key = read_key_if_given(key.key_file)?;
        let pool = self.open_for_servers()?;
        let snapshot = pool.snapshot_of_clone(clone, key.as_ref(), options)?;
        let manifest = snapshot.manifest();
        self.output.result(manifest, || snapshot_text(manifest))
    }

    pub(crate) fn clone_diff(&self, id: &str) -> Result<()> {
        let diff = self.read("clone diff", id, |pool| pool.find_clone(id)?.diff(&self.cancel))?;
        self.output.result(&diff, || diff_text(&diff))
    }

    pub(crate) fn snapshot_log(&self) -> Result<()> {
        let tree = self.read("snapshot log", "", Pool::tree)?;
        self.output.result(&tree, || match tree.as_slice() {
            [] => "no snapshots".to_owned(),
            tree => tree.iter().map(text).collect(),
        })
    }
}

/// What differs, the most of it first.
fn diff_text(diff: &CloneDiff) -> String {
    let own = |files: &FilesDiff| match files.own_bytes {
        Some(bytes) => HumanBytes(bytes).to_string(),
        None => "not known".to_owned(),
    };
    let changed = |files: &FilesDiff| HumanBytes(files.changed_bytes).to_string();
    let relation = |relation: &RelationDiff| {
        let files = &relation.files;
        [relation.name.clone(), word(&relation.change), changed(files), own(files)]
    };
    let mut rows: Vec<_> = diff.relations.iter().map(relation).collect();
    let others = &diff.others;
    if others.files > 0 {
        let name = format!("{} files that are no relation's", others.files);
        rows.push([name, String::new(), changed(others), own(others)]);
    }
    match rows.as_slice() {
        [] => "nothing differs".to_owned(),
        _ => table(["RELATION", "", "DIFFERENT", "OWN"], rows),
    }
}

/// A snapshot, and what hangs below it.
fn text(branch: &Branch) -> String {
    let made = branch.created_at.strftime("%Y-%m-%d %H:%M:%SZ");
    let mut text = format!("{}  {}  made {made} of {}\n", branch.name, branch.id, branch.source);
    let clones =
        branch.clones.iter().map(|clone| format!("clone {}  {}\n", clone.name, word(&clone.state)));
    let below: Vec<String> = clones.chain(branch.snapshots.iter().map(self::text)).collect();
    for (number, below_it) in below.iter().enumerate() {
        let is_last = number + 1 == below.len();
        for (line, text_of_line) in below_it.lines().enumerate() {
            text.push_str(match (line, is_last) {
                (0, false) => "├─ ",
                (0, true) => "└─ ",
                (_, false) => "│  ",
                (_, true) => "   ",
            });
            text.push_str(text_of_line);
            text.push('\n');
        }
    }
    text
}
