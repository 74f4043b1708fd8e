//! Snapshots of clones, and the tree of all of them.

use thinveil::pool::{Branch, Pool, SnapshotOptions};

use crate::args::KeyArguments;
use crate::commands::{Context, Result};
use crate::input::read_key_if_given;
use crate::output::{snapshot_text, word};

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

    pub(crate) fn snapshot_log(&self) -> Result<()> {
        let tree = self.read("snapshot log", "", Pool::tree)?;
        self.output.result(&tree, || match tree.as_slice() {
            [] => "no snapshots".to_owned(),
            tree => tree.iter().map(text).collect(),
        })
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
