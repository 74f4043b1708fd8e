//! The report's sections.

use maud::{Markup, html};
use serde_json::Value;

use super::{Report, grouped};
use crate::plan::{ColumnRecord, Word};
use crate::rules::{MaskName, ObjectRule, Order};

/// Groups smaller than this count as a risk.
const SMALL: i64 = 5;

impl Report<'_> {
    pub(super) fn made(&self) -> Markup {
        let manifest = self.manifest;
        html! {
            h2 { "What was made" }
            dl {
                dt { "Snapshot" } dd.hash { (manifest.id) }
                @if let Some(lineage) = &manifest.lineage {
                    dt { "Made of" } dd { "clone " (lineage.clone_name) }
                    @for ancestor in &lineage.ancestors {
                        dt { "which was made of" }
                        dd {
                            "snapshot " (ancestor.name) " (" (ancestor.id) ", files "
                            span.hash { (ancestor.content_hash) } ")"
                        }
                    }
                }
                dt { "PostgreSQL" } dd { (manifest.major) }
                dt { "Databases" } dd { (manifest.databases.join(", ")) }
                dt { "Size" }
                dd {
                    (grouped(manifest.raw_bytes)) " bytes from the source, "
                    (grouped(manifest.masked_bytes)) " masked"
                }
                @if manifest.lineage.is_none() {
                    dt { "Pages" }
                    dd {
                        (grouped(manifest.pages_rewritten)) " of "
                        (grouped(manifest.pages_scanned)) " rewritten, "
                        (manifest.layout_deviations) " with another layout than before"
                    }
                }
                @if self.nulls.values > 0 {
                    dt { "NULL" }
                    dd {
                        (grouped(self.nulls.values)) " values became NULL, in "
                        (grouped(self.nulls.tuples)) " row versions, each formed anew in its place and "
                        "compared attribute by attribute; " (grouped(self.nulls.moved))
                        " row versions moved within their pages to make room"
                    }
                }
                dt { "Masking key" } dd.hash { (manifest.key_id) }
                dt { "Rule file (blake3)" } dd.hash { (manifest.rules_hash) }
                dt { "Files (blake3)" } dd.hash { (manifest.content_hash) }
            }
        }
    }

    pub(super) fn masked(&self) -> Markup {
        html! {
            h2 { "What is masked, how, and what that still shows" }
            p {
                "A masked value has the length and type of the original, unless it became NULL. “Equality” means that equal "
                "originals have equal masked values, so that a reader can count how often each comes "
                "and may guess the most frequent ones."
            }
            @for (database, columns) in &self.columns {
                @let masked = columns.iter().filter(|column| column.mask != MaskName::Keep);
                @if masked.clone().next().is_some() {
                    h3 { "Database " (database) }
                    div.scroll { table.wide {
                        thead { tr {
                            th { "Column" } th { "Type" } th { "Mask" } th { "By" }
                            th { "Length" } th { "Equality" } th { "Order" } th { "NULL" } th { "Besides" }
                        } }
                        tbody { @for column in masked { tr {
                            td { (column.table) "." b { (column.column) } }
                            td { (column.column_type) }
                            td { (mask(column)) }
                            td { (word(column.by)) }
                            td { (shown(column.leaks.length)) }
                            td { (shown(column.leaks.equality)) }
                            td { (order(column.leaks.order)) }
                            td { (shown(column.leaks.nulls)) }
                            td { (column.leaks.also) }
                        } } }
                    } }
                }
            }
        }
    }

    pub(super) fn kept(&self) -> Markup {
        html! {
            h2 { "What is kept, and by whose word" }
            p { "These columns hold production's values." }
            @for (database, columns) in &self.columns {
                @let kept = columns.iter().filter(|column| column.mask == MaskName::Keep);
                @if kept.clone().next().is_some() {
                    h3 { "Database " (database) }
                    div.scroll { table {
                        thead { tr { th { "Column" } th { "Type" } th { "By" } th { "Note" } } }
                        tbody { @for column in kept { tr {
                            td { (column.table) "." b { (column.column) } }
                            td { (column.column_type) }
                            td.(if column.by == Word::Unlisted { "warn" } else { "" }) { (word(column.by)) }
                            td { @if column.accept_originals {
                                span.warn { "may hold values that another column masks" }
                            } }
                        } } }
                    } }
                }
            }
        }
    }

    pub(super) fn audit(&self) -> Markup {
        let figures = self.manifest.extra.get("audit").and_then(Value::as_object);
        html! {
            h2 { "Leak audit" }
            p {
                @if figures.is_some() {
                    "Before the snapshot was sealed, every byte of every file was searched for "
                    "original values of the masked columns. One that is found where it has no "
                    "business refuses the snapshot."
                } @else {
                    "It was made of a clone without a key: what people wrote to the clone was not "
                    "searched for original values."
                }
            }
            dl {
                @for (name, value) in figures.into_iter().flatten() {
                    @if let Some(number) = value.as_u64() {
                        dt { (spoken(name)) } dd { (grouped(number)) }
                    }
                }
                @for (kind, count) in &self.manifest.residue {
                    dt { "Found in " (spoken(kind)) }
                    dd.(if *count == 0 { "good" } else { "bad" }) { (grouped(*count)) }
                }
            }
        }
    }

    pub(super) fn literals(&self) -> Markup {
        html! {
            @if !self.literals.is_empty() {
                h2 { "Originals in code" }
                p {
                    "Views, functions, defaults and other objects with an original value of a masked "
                    "column as a literal, each named in the rules. In those that are kept it can "
                    "still be read; in the others it was masked like the column."
                }
                table {
                    tr { th { "Object" } th { "Values" } th { "Of" } th { "Literals" } }
                    @for object in &self.literals { tr {
                        td { (object.database) ": " (object.object) }
                        td { (object.values) }
                        td { @for column in &object.columns { (column) " " } }
                        td { @match object.rule {
                            ObjectRule::Keep => { span.warn { "kept" } }
                            ObjectRule::Rewrite => { "masked" }
                        } }
                    } }
                }
            }
        }
    }

    pub(super) fn removed(&self) -> Markup {
        let removed = self.manifest.extra.get("removed").and_then(Value::as_object);
        let of = |key: &str| removed.and_then(|removed| removed.get(key));
        let files = of("files").and_then(Value::as_object);
        let unknown = of("unknown_files").and_then(Value::as_array);
        html! {
            h2 { "What was removed" }
            dl {
                @for (name, value) in removed.into_iter().flatten() {
                    @if let Some(number) = value.as_u64() {
                        dt { (spoken(name)) } dd { (grouped(number)) }
                    }
                }
                @for (kind, value) in files.into_iter().flatten() {
                    dt { "Files: " (spoken(kind)) } dd { (grouped(value.as_u64().unwrap_or_default())) }
                }
            }
            @if let Some(unknown) = unknown && !unknown.is_empty() {
                h3 { "Files that PostgreSQL does not know" }
                p { @for (number, name) in unknown.iter().enumerate() {
                    @if number > 0 { ", " }
                    code { (name.as_str().unwrap_or_default()) }
                } }
            }
        }
    }

    pub(super) fn risk(&self) -> Markup {
        html! {
            h2 { "Residual risk" }
            @if self.anonymity.is_empty() {
                p.warn {
                    "The rules declare no quasi-identifiers, so nothing is known of how well people "
                    "hide among each other: what is kept of them (a postcode, a year of birth) may "
                    "tell them apart."
                }
            } @else {
                p {
                    "Rows that agree in all quasi-identifiers of a table can't be told apart by them. "
                    "k is the number of rows in the smallest such group; a row in a group of fewer "
                    "than five is a person who may be recognised."
                }
                div.scroll { table {
                    thead { tr {
                        th { "Table" } th { "Quasi-identifiers" } th { "Masked" }
                        th.number { "Rows" } th.number { "Groups" } th.number { "k" }
                        th.number { "Rows under k = 5" }
                    } }
                    tbody { @for table in &self.anonymity { tr {
                        td { (table.database) "." (table.table) }
                        td { (table.columns.join(", ")) }
                        td { (table.masked.join(", ")) }
                        td.number { (table.rows) }
                        td.number { (table.groups) }
                        td.number.(if table.k_min < SMALL && table.rows > 0 { "bad" } else { "good" }) {
                            (table.k_min)
                        }
                        td.number { (table.rows_under_5) " (" (share(table.rows_under_5, table.rows)) ")" }
                    } } }
                } }
            }
            (self.small_domains())
            (self.shuffled())
            (self.counters())
        }
    }

    fn small_domains(&self) -> Markup {
        html! {
            @if !self.small_domains.is_empty() {
                h3 { "Values that hide among few" }
                p {
                    "In these columns, a permutation had at least one value with fewer than a "
                    "million others to take it to: one of few digits, say. Who knows some pairs of "
                    "original and masked values may guess such a value."
                }
                div.scroll { table {
                    thead { tr { th { "Column" } th.number { "Smallest domain" } } }
                    tbody { @for column in &self.small_domains { tr {
                        td { (column.database) "." (column.table) "." b { (column.column) } }
                        td.number.warn { (grouped(column.smallest)) }
                    } } }
                } }
            }
        }
    }

    fn counters(&self) -> Markup {
        html! {
            @if !self.sequences.is_empty() {
                h3 { "Counters that stay" }
                p {
                    "These sequences feed masked columns. The numbers in the columns are masked; "
                    "the counters still say where production's stood."
                }
                ul { @for sequence in &self.sequences { li { (sequence) } } }
            }
        }
    }

    fn shuffled(&self) -> Markup {
        html! {
            @if !self.shuffled.is_empty() {
                h3 { "Values in other rows" }
                p {
                    "These columns are shuffled: all of their values are still there, and how often "
                    "each comes; which row a value was in is what is gone. A value changes places "
                    "with others that are stored in as many bytes. One that is alone with its size "
                    "can't; a row may get a value that equals its own."
                }
                div.scroll { table {
                    thead { tr {
                        th { "Column" } th.number { "Values" } th.number { "Sizes" }
                        th.number { "Fewest of a size" } th.number { "Alone" }
                        th.number { "Equal to their own" }
                    } }
                    tbody { @for column in &self.shuffled { tr {
                        td { (column.database) "." (column.table) "." b { (column.column) } }
                        td.number { (grouped(column.values)) }
                        td.number { (grouped(column.classes)) }
                        td.number { (grouped(column.smallest)) }
                        td.number.(if column.alone > 0 { "warn" } else { "good" }) {
                            (grouped(column.alone))
                        }
                        td.number { (grouped(column.unchanged)) }
                    } } }
                } }
            }
        }
    }

    pub(super) fn verifying(&self) -> Markup {
        html! {
            h2 { "How to verify" }
            p {
                "With thinveil, and the public key from whoever you trust to have signed it:"
            }
            pre { "thinveil --pool POOL snapshot verify " (self.manifest.id) " --public-key FILE" }
            p { "Without it, in the snapshot's directory (" code { "POOL/snapshots/" (self.manifest.id) } "):" }
            pre {
                @if self.signer.is_some() {
                    "openssl pkeyutl -verify -pubin -inkey signer.pem -rawin \\\n"
                    "    -in manifest.json -sigfile manifest.json.sig\n"
                }
                "b3sum files.b3                        # content_hash in manifest.json\n"
                "cd volume && b3sum --quiet --check ../files.b3"
            }
            @match self.signer.as_ref().and_then(|key| key.to_pem().ok()) {
                Some(pem) => {
                    p {
                        "It is signed with this key (id "
                        code { (self.manifest.signed_by.as_deref().unwrap_or_default()) }
                        "); compare it with the one that you know:"
                    }
                    pre { (pem) }
                }
                None => { p.warn { "The snapshot is not signed: hashes show that files were not changed by accident, not who made them." } }
            }
        }
    }
}

fn mask(column: &ColumnRecord) -> Markup {
    let name = column.mask.as_str();
    html! {
        @if column.by_parts { "by parts" } @else { code { (name) } }
        @for (option, value) in &column.options {
            " " span.soft { (option) " " (value.as_str().map_or_else(|| value.to_string(), str::to_owned)) }
        }
        @if let Some(subject) = &column.subject {
            " " span.soft { "by subject " (subject) }
        }
        @if let Some(otherwise) = column.otherwise {
            " " span.warn { "in some rows; in others " code { (otherwise.as_str()) } }
        }
        @if let Some(domain) = column.domain.as_deref().filter(|domain| *domain != name) {
            " " span.soft { "domain " (domain) }
        }
    }
}

fn word(word: Word) -> &'static str {
    match word {
        Word::Rule => "a rule",
        Word::Parent => "its parent's rule",
        Word::ForeignKey => "the rule of what it refers to",
        Word::Unlisted => "unlisted = \"keep\"",
        Word::Generated => "generated from other columns",
    }
}

fn shown(leaks: bool) -> &'static str {
    if leaks { "shown" } else { "hidden" }
}

fn order(order: Order) -> &'static str {
    match order {
        Order::None => "hidden",
        Order::Rough => "roughly",
        Order::Full => "shown",
    }
}

/// A key of the manifest, for people.
fn spoken(key: &str) -> String {
    key.replace('_', " ")
}

fn share(part: i64, whole: i64) -> String {
    if whole == 0 {
        return "0 %".to_owned();
    }
    format!("{:.1} %", 100.0 * part as f64 / whole as f64)
}
