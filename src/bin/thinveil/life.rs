//! How long snapshots and clones live: tags, protection, leases, destruction, retention.

use std::collections::BTreeMap;

use indicatif::HumanBytes;
use serde_json::{Value, json};
use thinveil::Error;
use thinveil::pool::{Care, CloneView, Created, GcItem, GcPolicy, Pool, Snapshot, ThinClone};

use crate::commands::{Context, Result};
use crate::output::{clone_text, snapshot_text, table, word};

/// A record with what people want of it.
fn with_care(record: &impl serde::Serialize, care: &Care) -> Result<Value> {
    let no_json = |error| Error::invalid(format!("the result is no JSON: {error}"));
    let mut value = serde_json::to_value(record).map_err(no_json)?;
    if let Some(object) = value.as_object_mut() {
        if let Some(name) = &care.name {
            object.insert("name".to_owned(), name.as_str().into());
        }
        object.insert("tags".to_owned(), json!(care.tags));
        object.insert("protected".to_owned(), care.is_protected().into());
        object.insert("protected_until".to_owned(), json!(care.protected_until));
        object.insert("lease_until".to_owned(), json!(care.lease_until));
    }
    Ok(value)
}

/// What people want of it, a line each.
fn care_text(care: &Care) -> String {
    let mut text = String::new();
    if !care.tags.is_empty() {
        text.push_str(&format!("tags  {}\n", tags_text(care)));
    }
    if care.is_protected() {
        let until = care.protected_until.map_or("for good".to_owned(), |at| format!("until {at}"));
        text.push_str(&format!("protected  {until}\n"));
    }
    if let Some(end) = care.lease_until {
        text.push_str(&format!("lease  until {end}\n"));
    }
    text
}

fn tags_text(care: &Care) -> String {
    let tag = |(key, value): (&String, &String)| match value.as_str() {
        "" => key.clone(),
        value => format!("{key}={value}"),
    };
    care.tags.iter().map(tag).collect::<Vec<_>>().join(" ")
}

impl Context<'_> {
    pub(crate) fn list_snapshots(&self, tags: &[String]) -> Result<()> {
        let snapshots = self.read("snapshot list", "", Pool::snapshots)?;
        let mut listed = Vec::new();
        for snapshot in &snapshots {
            let care = snapshot.care()?;
            if tags.iter().all(|tag| care.has_tag(tag)) {
                listed.push((snapshot.manifest(), care));
            }
        }
        let values: Vec<Value> = listed
            .iter()
            .map(|(manifest, care)| with_care(manifest, care))
            .collect::<Result<_>>()?;
        self.output.result(&values, || {
            let rows = listed.iter().map(|(manifest, care)| {
                [
                    manifest.id.clone(),
                    care.name.as_ref().unwrap_or(&manifest.name).clone(),
                    manifest.created_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                    manifest.major.to_string(),
                    HumanBytes(manifest.raw_bytes).to_string(),
                    manifest.source.clone(),
                    tags_text(care),
                ]
            });
            table(["ID", "NAME", "MADE", "MAJOR", "SIZE", "SOURCE", "TAGS"], rows.collect())
        })
    }

    pub(crate) fn show_snapshot(&self, id: &str) -> Result<()> {
        let snapshot = self.read("snapshot show", id, |pool| pool.snapshot(id))?;
        self.show_with_care(&snapshot, &snapshot.care()?)
    }

    pub(crate) fn show_with_care(&self, snapshot: &Snapshot, care: &Care) -> Result<()> {
        let manifest = snapshot.manifest();
        let value = with_care(manifest, care)?;
        self.output.result(&value, || snapshot_text(manifest) + &care_text(care))
    }

    pub(crate) fn list_clones(&self) -> Result<()> {
        let clones = self.read("clone list", "", Pool::clones)?;
        let looked_at = |clone: &ThinClone| Ok((clone.view()?, clone.care()?));
        let listed: Vec<(CloneView, Care)> =
            clones.iter().map(looked_at).collect::<thinveil::Result<_>>()?;
        let values: Vec<Value> =
            listed.iter().map(|(view, care)| with_care(view, care)).collect::<Result<_>>()?;
        self.output.result(&values, || {
            let rows = listed.iter().map(|(view, care)| {
                [
                    view.id.clone(),
                    view.name.clone(),
                    view.snapshot.clone(),
                    word(&view.state),
                    view.port.to_string(),
                    HumanBytes(view.own_bytes).to_string(),
                    care.lease_until.map(|at| at.to_string()).unwrap_or_default(),
                ]
            });
            table(["ID", "NAME", "SNAPSHOT", "STATE", "PORT", "OWN", "LEASE"], rows.collect())
        })
    }

    pub(crate) fn show_clone(&self, clone: &ThinClone) -> Result<()> {
        let (view, care) = (clone.view()?, clone.care()?);
        let value = with_care(&view, &care)?;
        self.output.result(&value, || clone_text(&view) + &care_text(&care))
    }

    pub(crate) fn care_for_snapshot(
        &self,
        verb: &str,
        id: &str,
        change: impl FnOnce(&Snapshot) -> thinveil::Result<Care>,
    ) -> Result<()> {
        let pool = self.open()?;
        let snapshot = pool.logged(&format!("snapshot {verb}"), id, || pool.snapshot(id))?;
        let care = change(&snapshot)?;
        self.show_with_care(&snapshot, &care)
    }

    pub(crate) fn care_for_clone(
        &self,
        verb: &str,
        id: &str,
        change: impl FnOnce(&ThinClone) -> thinveil::Result<Care>,
    ) -> Result<()> {
        let clone = self.find(&format!("clone {verb}"), id, self.open()?)?;
        change(&clone)?;
        self.show_clone(&clone)
    }

    pub(crate) fn tag_snapshot(&self, id: &str, tags: &[String], remove: &[String]) -> Result<()> {
        let pair = |tag: &String| {
            let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
            (key.to_owned(), value.to_owned())
        };
        let add: BTreeMap<String, String> = tags.iter().map(pair).collect();
        self.care_for_snapshot("tag", id, |snapshot| snapshot.tag(add, remove))
    }

    pub(crate) fn destroy_snapshot(&self, id: &str, cascade: bool) -> Result<()> {
        let pool = self.open()?;
        let (snapshot, clones) = if cascade {
            let gone = pool.destroy_snapshot_and_clones(id)?;
            (gone.snapshot, gone.clones)
        } else {
            (pool.destroy_snapshot(id)?, Vec::new())
        };
        let value = json!({ "id": snapshot.id(), "destroyed": true, "clones": clones });
        self.output.result(&value, || {
            let clones = clones.iter().map(|id| format!("destroyed clone {id}\n"));
            clones.collect::<String>() + &format!("destroyed snapshot {}", snapshot.id())
        })
    }

    /// New clones, with the passwords that were drawn for them.
    pub(crate) fn show_created(&self, made: &[Created], as_list: bool) -> Result<()> {
        let mut values = Vec::new();
        let mut text = String::new();
        for created in made {
            let (view, care) = (created.clone.view()?, created.clone.care()?);
            let mut value = with_care(&view, &care)?;
            text.push_str(&(clone_text(&view) + &care_text(&care)));
            if let (Some(password), Some(object)) = (&created.password, value.as_object_mut()) {
                object.insert("password".to_owned(), password.as_str().into());
                text.push_str(&format!(
                    "password  {}   (shown this once, stored nowhere)\n",
                    password.as_str()
                ));
            }
            values.push(value);
        }
        match values.as_slice() {
            [value] if !as_list => self.output.result(value, || text),
            values => self.output.result(&values, || text),
        }
    }

    pub(crate) fn gc(&self, policy: GcPolicy) -> Result<()> {
        let report = self.open()?.gc(policy)?;
        self.output.result(&report, || {
            let gone = if report.dry_run { "would go" } else { "removed" };
            let row = |state: &str, item: &GcItem| {
                let own = HumanBytes(item.own_bytes).to_string();
                let name = item.name.clone();
                [
                    state.to_owned(),
                    item.what.to_owned(),
                    item.id.clone(),
                    name,
                    own,
                    item.why.clone(),
                ]
            };
            let removed = report.removed.iter().map(|item| row(gone, item));
            let rows = removed.chain(report.kept.iter().map(|item| row("stays", item)));
            let mut text = table(["", "WHAT", "ID", "NAME", "OWN", "WHY"], rows.collect());
            text.push_str(&format!("{} freed\n", HumanBytes(report.freed_bytes)));
            text
        })
    }
}
