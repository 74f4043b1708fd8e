//! Canaries: planted in a copy, looked for in its snapshot.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use indicatif::HumanBytes;
use serde_json::json;
use thinveil::Error;
use thinveil::canary::{CanaryList, CheckJob, Found, PlantJob};
use thinveil::progress::{Progress as _, Stage};

use crate::Failure;
use crate::args::CanaryVerb;
use crate::commands::{Context, Result};
use crate::input::read_rules;
use crate::output::{lines, table};
use crate::progress::Bars;

impl Context<'_> {
    pub(crate) fn canary(&self, verb: &CanaryVerb) -> Result<()> {
        match verb {
            CanaryVerb::Plant { into, rules, list, rules_out } => {
                self.plant(into, rules, list, rules_out)
            }
            CanaryVerb::Check { list, id, dir, raw } => match (id, dir, raw) {
                (Some(id), ..) => {
                    let snapshot = self.read("canary check", id, |pool| pool.snapshot(id))?;
                    self.check(list, &snapshot.volume(), false)
                }
                (_, Some(dir), _) => self.check(list, dir, false),
                (.., raw) => self.check(list, raw.as_deref().unwrap_or(Path::new(".")), true),
            },
        }
    }

    fn plant(&self, into: &Path, rules: &Path, list: &Path, rules_out: &Path) -> Result<()> {
        let rules = read_rules(rules)?;
        // Before the copy is changed: nothing may stand where the results go.
        let (mut list_file, mut rules_file) = (new_file(list)?, new_file(rules_out)?);
        let job = PlantJob {
            data_dir: into,
            rules: &rules,
            binaries: self.pg_bin.as_deref(),
            cancel: &self.cancel,
        };
        let planted = job.run().inspect_err(|_| {
            for file in [list, rules_out] {
                let _ = std::fs::remove_file(file);
            }
        })?;
        let write = |file: &mut std::fs::File, path: &Path, text: &str| {
            file.write_all(text.as_bytes()).map_err(Error::io("write", path))
        };
        write(&mut list_file, list, &planted.list.to_json()?)?;
        write(&mut rules_file, rules_out, &planted.rules.to_toml())?;
        let canaries: usize = planted.list.places.iter().map(|place| place.canaries.len()).sum();
        let value = json!({
            "places": planted.list.places.len(), "canaries": canaries, "list": list,
            "rules": rules_out, "left_out": planted.left_out,
        });
        self.output.result(&value, || {
            let mut pairs = vec![
                ("places", planted.list.places.len().to_string()),
                ("canaries", canaries.to_string()),
                ("list", list.display().to_string()),
                ("rules to mask it by", rules_out.display().to_string()),
            ];
            for domain in &planted.left_out {
                pairs.push(("no canary for", domain.clone()));
            }
            lines(&pairs)
        })
    }

    fn check(&self, list: &Path, dir: &Path, raw: bool) -> Result<()> {
        let text = std::fs::read_to_string(list).map_err(Error::io("read", list))?;
        let list = CanaryList::from_json(&text)?;
        let bars = Bars::new();
        bars.begin(Stage::Audit);
        let progress = |done, total| bars.update(Stage::Audit, done, total);
        let begin = std::time::Instant::now();
        let job = CheckJob { dir, list: &list, cancel: &self.cancel, progress: &progress };
        let found = job.run()?;
        bars.end(Stage::Audit, begin.elapsed().as_secs_f64());
        self.output.result(&found, || text_of(&found))?;
        let good = if raw { found.missing().next().is_none() } else { found.is_clean() };
        if good { Ok(()) } else { Err(Failure::Told) }
    }
}

/// A file that was not there, for its owner alone.
fn new_file(path: &Path) -> Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    Ok(file.map_err(Error::io("create", path))?)
}

fn text_of(found: &Found) -> String {
    let rows = found.places.iter().map(|place| {
        [
            place.place.clone(),
            place.database.clone().unwrap_or_default(),
            place.planted.to_string(),
            place.found.to_string(),
        ]
    });
    let mut text = table(["PLACE", "DATABASE", "PLANTED", "FOUND"], rows.collect());
    for hit in &found.hits {
        let place = format!("{} at {}", hit.file.display(), hit.offset);
        text.push_str(&format!("{}: {place}\n", hit.place));
    }
    let summary = format!(
        "searched {} files, {}: {} canaries found\n",
        found.files,
        HumanBytes(found.bytes),
        found.hits.len()
    );
    text + &summary
}
