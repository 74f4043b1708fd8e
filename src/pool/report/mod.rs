//! A snapshot's report: one page without anything from elsewhere, for whoever has to sign that no
//! personal data is in it. Everything on it comes from the manifest; `maud` escapes it.

mod sections;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::evidence::PublicKey;
use super::{Manifest, Pool, Snapshot};
use crate::error::{Error, Result};
use crate::finish::{Anonymity, ObjectLiterals};
use crate::plan::ColumnRecord;
use crate::rewrite::{NullCounts, ShuffleReport, SmallDomain};
use crate::rules::MaskName;

/// What the report is made from.
struct Report<'a> {
    manifest: &'a Manifest,
    /// By database.
    columns: Vec<(String, Vec<ColumnRecord>)>,
    literals: Vec<ObjectLiterals>,
    anonymity: Vec<Anonymity>,
    small_domains: Vec<SmallDomain>,
    nulls: NullCounts,
    shuffled: Vec<ShuffleReport>,
    sequences: Vec<String>,
    signer: Option<PublicKey>,
}

impl Pool {
    /// A snapshot's report, as HTML.
    pub fn report_snapshot(&self, wanted: &str) -> Result<String> {
        self.reading("snapshot report", wanted, || self.snapshot(wanted)?.report())
    }
}

impl Snapshot {
    fn report(&self) -> Result<String> {
        let manifest = self.manifest();
        let unreadable = |error: serde_json::Error| {
            Error::invalid(format!("the manifest of {} can't be read: {error}", self.id()))
        };
        let columns: std::collections::BTreeMap<String, Vec<ColumnRecord>> =
            manifest.read("columns").map_err(unreadable)?;
        let report = Report {
            manifest,
            columns: columns.into_iter().collect(),
            literals: manifest.read("literals").map_err(unreadable)?,
            anonymity: manifest.read("anonymity").map_err(unreadable)?,
            small_domains: manifest.read("small_domains").map_err(unreadable)?,
            nulls: manifest.read("nulls").map_err(unreadable)?,
            shuffled: manifest.read("shuffled").map_err(unreadable)?,
            sequences: manifest.read("sequences").map_err(unreadable)?,
            signer: self.signer()?,
        };
        Ok(report.page().into_string())
    }
}

impl Report<'_> {
    fn page(&self) -> Markup {
        let manifest = self.manifest;
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta http-equiv="Content-Security-Policy"
                        content="default-src 'none'; style-src 'unsafe-inline'";
                    title { "Masked snapshot " (manifest.name) }
                    style { (PreEscaped(include_str!("style.css"))) }
                }
                body {
                    header {
                        h1 { "Masked snapshot " (manifest.name) }
                        p.soft {
                            "Made " (manifest.created_at.strftime("%Y-%m-%d %H:%M:%S UTC"))
                            " from " (manifest.source) " by thinveil " (manifest.thinveil_version)
                        }
                    }
                    main {
                        (self.cards())
                        (self.made())
                        (self.masked())
                        (self.kept())
                        (self.audit())
                        (self.literals())
                        (self.removed())
                        (self.risk())
                        (self.verifying())
                    }
                }
            }
        }
    }

    fn count(&self, which: impl Fn(&ColumnRecord) -> bool) -> usize {
        self.columns.iter().flat_map(|(_, columns)| columns).filter(|column| which(column)).count()
    }

    fn cards(&self) -> Markup {
        let masked = self.count(|column| column.mask != MaskName::Keep);
        let kept = self.count(|column| column.mask == MaskName::Keep);
        let found: u64 = self.manifest.residue.values().sum();
        html! {
            div.cards {
                div.card { b { (masked) } "columns masked, " (kept) " kept" }
                div.card {
                    @match self.manifest.lineage.as_ref().and_then(|all| all.ancestors.last()) {
                        Some(first) => { b { (first.name) } "is the snapshot in which they were masked" }
                        None => { b { (grouped(self.manifest.values_masked)) } "values masked" }
                    }
                }
                div.card {
                    @if self.manifest.extra.contains_key("audit") {
                        b.(if found == 0 { "good" } else { "bad" }) { (grouped(found)) }
                        "originals left, by the leak audit"
                    } @else {
                        b.warn { "not searched" } "for originals that people brought into it"
                    }
                }
                div.card {
                    @match &self.manifest.signed_by {
                        Some(key) => { b.hash { (key) } "is the key that signed this snapshot" }
                        None => { b.warn { "not signed" } "nobody vouches for this snapshot" }
                    }
                }
            }
        }
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
