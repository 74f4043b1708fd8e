//! What a snapshot can be held to: its signature and the hashes of its files.

use std::path::Path;

use indicatif::HumanBytes;
use serde_json::json;
use thinveil::Error;
use thinveil::pool::{SignatureState, Verification};

use crate::Failure;
use crate::commands::{Context, Result};
use crate::input::read_public_key;
use crate::output::lines;

/// So many names of files that differ are told to people; JSON has them all.
const NAMED: usize = 20;

impl Context<'_> {
    pub(crate) fn report(&self, id: &str, path: &Path) -> Result<()> {
        let page = self.open()?.report_snapshot(id)?;
        std::fs::write(path, page).map_err(Error::io("write", path))?;
        self.output.result(&json!({ "file": path }), || format!("wrote {}", path.display()))
    }

    pub(crate) fn verify(&self, id: &str, public_key: Option<&str>) -> Result<()> {
        let key = public_key.map(read_public_key).transpose()?;
        let found = self.open()?.verify_snapshot(id, key.as_ref(), &self.cancel)?;
        self.output.result(&found, || text(&found))?;
        if found.verified { Ok(()) } else { Err(Failure::Told) }
    }
}

fn text(found: &Verification) -> String {
    let by = found.signed_by.as_deref().unwrap_or_default();
    let signature = match (found.signature, found.by_given_key) {
        (SignatureState::Valid, true) => format!("valid, by the given key ({by})"),
        (SignatureState::Valid, false) => {
            format!(
                "fits the public key beside the snapshot ({by}); whose that is, you have to know"
            )
        }
        (SignatureState::Invalid, _) => {
            format!("INVALID: it is not by key {by}, or the manifest was changed")
        }
        (SignatureState::Missing, _) => format!("MISSING: the manifest says it is signed by {by}"),
        (SignatureState::Unsigned, true) => "NONE: the snapshot is not signed".to_owned(),
        (SignatureState::Unsigned, false) => "none: the snapshot is not signed".to_owned(),
    };
    let content = &found.content;
    let list = if content.list_intact {
        "the one that the manifest names"
    } else {
        "CHANGED: it is not the one that the manifest names"
    };
    let mut text = lines(&[
        ("snapshot", format!("{} ({})", found.id, found.name)),
        ("signature", signature),
        ("list of files", list.to_owned()),
        ("files", format!("{}, {}", content.files, HumanBytes(content.bytes))),
        ("verified", if found.verified { "yes" } else { "NO" }.to_owned()),
    ]);
    for (what, names) in [
        ("changed", &content.changed),
        ("missing", &content.missing),
        ("unknown", &content.unknown),
    ] {
        for name in names.iter().take(NAMED) {
            text.push_str(&format!("{what}: {name}\n"));
        }
        if names.len() > NAMED {
            text.push_str(&format!("{what}: {} more\n", names.len() - NAMED));
        }
    }
    text
}
