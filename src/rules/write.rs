//! Rule set → rule file.

use std::fmt::Write as _;

use super::{
    ColumnRule, LargeObjects, MaskOptions, ObjectRule, PartDefault, Parts, RuleSet, Unlisted,
    UnlistedDatabases,
};

impl RuleSet {
    /// The rule file that says the same, without the comments of the one that was read.
    pub fn to_toml(&self) -> String {
        let mut text = head(self.unlisted, self.unlisted_databases, &self.allow_preload);
        for (database, rules) in &self.databases {
            let mut lines = Vec::new();
            lines.extend(rules.drop.then(|| "drop = true".to_owned()));
            lines.extend(
                rules
                    .unlisted
                    .map(|unlisted| format!("unlisted = {}", string(unlisted_word(unlisted)))),
            );
            lines.extend(
                rules.large_objects.map(|policy| {
                    format!("large_objects = {}", string(large_objects_word(policy)))
                }),
            );
            lines.extend(rules.keep_comments.then(|| "comments = \"keep\"".to_owned()));
            if !lines.is_empty() || rules.tables.is_empty() && rules.objects.is_empty() {
                lines.insert(0, format!("\n[databases.{}]", key(database)));
            }
            for line in lines {
                let _ = writeln!(text, "{line}");
            }
            if !rules.objects.is_empty() {
                let _ = writeln!(text, "\n{}", objects_header(database));
            }
            for (object, rule) in &rules.objects {
                let _ = writeln!(text, "{}", object_line(object, *rule));
            }
            for (table, columns) in &rules.tables {
                let _ = write!(text, "\n{}\n", table_header(database, table));
                if rules.allow_relayout.contains(table) {
                    text.push_str("allow_relayout = true\n");
                }
                if let Some(columns) = rules.quasi_identifiers.get(table) {
                    let names: Vec<String> = columns.iter().map(|name| string(name)).collect();
                    let _ = writeln!(text, "quasi_identifiers = [{}]", names.join(", "));
                }
                for (column, rule) in columns {
                    let _ = writeln!(text, "{}", rule_line(column, rule));
                }
            }
        }
        text
    }
}

/// The lines above the first section.
pub(super) fn head(
    unlisted: Unlisted,
    unlisted_databases: UnlistedDatabases,
    allow_preload: &[String],
) -> String {
    let mut text = format!("version = 1\nunlisted = {}\n", string(unlisted_word(unlisted)));
    if unlisted_databases == UnlistedDatabases::Drop {
        text.push_str("unlisted_databases = \"drop\"\n");
    }
    if !allow_preload.is_empty() {
        let names: Vec<String> = allow_preload.iter().map(|name| string(name)).collect();
        // Writing to a String can't fail.
        let _ = writeln!(text, "allow_preload = [{}]", names.join(", "));
    }
    text
}

fn unlisted_word(unlisted: Unlisted) -> &'static str {
    match unlisted {
        Unlisted::Deny => "deny",
        Unlisted::Keep => "keep",
    }
}

fn large_objects_word(policy: LargeObjects) -> &'static str {
    match policy {
        LargeObjects::Deny => "deny",
        LargeObjects::Blank => "blank",
        LargeObjects::Keep => "keep",
    }
}

/// `[databases.shop]`
pub fn database_header(database: &str) -> String {
    format!("[databases.{}]", key(database))
}

/// `[databases.shop.objects]`
pub fn objects_header(database: &str) -> String {
    format!("[databases.{}.objects]", key(database))
}

/// `"view public.vip" = "keep"`
pub fn object_line(object: &str, rule: ObjectRule) -> String {
    let word = match rule {
        ObjectRule::Keep => "keep",
        ObjectRule::Rewrite => "rewrite",
    };
    format!("{} = {}", string(object), string(word))
}

/// `[databases.shop.tables."public.customers"]`
pub fn table_header(database: &str, table: &str) -> String {
    format!("[databases.{}.tables.{}]", key(database), string(table))
}

/// `email = "email"`, or with a table where the rule says more than its mask.
pub fn rule_line(column: &str, rule: &ColumnRule) -> String {
    format!("{} = {}", key(column), rule_value(rule))
}

fn rule_value(rule: &ColumnRule) -> String {
    let mut parts = Vec::new();
    match rule.parts.as_deref() {
        None => parts.push(format!("mask = {}", string(rule.mask.as_str()))),
        Some(Parts::Paths(rules, default)) => {
            let lines = rules.iter().map(|(path, rule)| (string(&path.to_string()), rule));
            parts.push(format!("paths = {}", inline_table(lines)));
            parts.extend(default_entry(default));
        }
        Some(Parts::Keys(rules, default)) => {
            let lines = rules.iter().map(|(name, rule)| (key(name), rule));
            parts.push(format!("keys = {}", inline_table(lines)));
            parts.extend(default_entry(default));
        }
        Some(Parts::Fields(rules)) => {
            let lines = rules.iter().map(|(name, rule)| (key(name), rule));
            parts.push(format!("fields = {}", inline_table(lines)));
        }
    }
    parts.extend(options(&rule.options));
    parts.extend(rule.domain.as_ref().map(|domain| format!("domain = {}", string(domain))));
    parts.extend(rule.subject.as_ref().map(|subject| format!("subject = {}", string(subject))));
    if !rule.persona.is_empty() {
        let columns: Vec<String> = rule.persona.iter().map(|column| string(column)).collect();
        parts.push(format!("persona = [{}]", columns.join(", ")));
    }
    if let Some(when) = &rule.when {
        parts.push(format!("when = {}", string(&when.condition)));
        parts.push(format!("else = {}", rule_value(&when.otherwise)));
    }
    parts.extend(rule.confirm_check.then(|| "confirm_check = true".to_owned()));
    parts.extend(rule.accept_originals.then(|| "accept_originals = true".to_owned()));
    if rule.parts.is_none() && parts.len() == 1 {
        return string(rule.mask.as_str());
    }
    format!("{{ {} }}", parts.join(", "))
}

fn inline_table<'r>(rules: impl Iterator<Item = (String, &'r ColumnRule)>) -> String {
    let lines: Vec<String> =
        rules.map(|(name, rule)| format!("{name} = {}", rule_value(rule))).collect();
    if lines.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", lines.join(", ")) }
}

/// `default = "keep"`; nothing where parts without a rule are refused.
fn default_entry(default: &PartDefault) -> Option<String> {
    match default {
        PartDefault::Deny => None,
        PartDefault::Rule(rule) => Some(format!("default = {}", rule_value(rule))),
    }
}

/// A mask's options, each as `name = value`, in order of their names.
fn options(options: &MaskOptions) -> Vec<String> {
    let written = options.given().into_iter().map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name} = {}", string(text)),
        None => format!("{name} = {value}"),
    });
    written.collect()
}

/// A TOML key, quoted where it has to be.
pub(super) fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { name.to_owned() } else { string(name) }
}

/// A TOML string.
pub(super) fn string(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04X}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}
