//! A database's section of the rule file, and what it says besides masks.

use toml::Spanned;
use toml::de::DeValue;

use super::read::{At, Reader, Value};
use super::{DatabaseRules, LargeObjects, ObjectRule, TableRules, Unlisted, UnlistedDatabases};

/// A table's section.
#[derive(Default)]
struct TableSection {
    columns: TableRules,
    allow_relayout: bool,
    quasi_identifiers: Vec<String>,
}

impl Reader<'_> {
    pub(super) fn database(&mut self, at: At<'_>, section: &Value<'_>) -> DatabaseRules {
        let known = ["drop", "unlisted", "large_objects", "comments", "objects", "tables"];
        let mut rules = DatabaseRules::default();
        for (key, value) in self.table(at, section, "a database's section") {
            match &**key.get_ref() {
                "drop" => rules.drop = self.boolean(at, value),
                "unlisted" => rules.unlisted = Some(self.unlisted(at, value)),
                "large_objects" => rules.large_objects = self.large_objects(at, value),
                "comments" => rules.keep_comments = self.comments(at, value),
                "objects" => {
                    for (name, rule) in self.table(at, value, "objects") {
                        if let Some(rule) = self.object_rule(at, rule) {
                            rules.objects.insert(name.get_ref().to_string(), rule);
                        }
                    }
                }
                "tables" => {
                    for (name, columns) in self.table(at, value, "tables") {
                        let at = At { table: Some(name.get_ref()), ..at };
                        if !self.table_name(at, name, columns) {
                            continue;
                        }
                        let section = self.columns(at, columns);
                        let name = name.get_ref().to_string();
                        if section.allow_relayout {
                            rules.allow_relayout.insert(name.clone());
                        }
                        if !section.quasi_identifiers.is_empty() {
                            rules.quasi_identifiers.insert(name.clone(), section.quasi_identifiers);
                        }
                        rules.tables.insert(name, section.columns);
                    }
                }
                other => self.unknown_key(at, &key.span(), other, &known),
            }
        }
        let says_more = !rules.tables.is_empty()
            || rules.unlisted.is_some()
            || rules.large_objects.is_some()
            || rules.keep_comments
            || !rules.objects.is_empty();
        if rules.drop && says_more {
            self.problem_at(
                at,
                &section.span(),
                "the database is dropped: no other rule is for it",
                "leave out `drop`, or the rest of its section",
            );
        }
        rules
    }

    /// Tables are named `schema.table`, in quotes: without them TOML makes two keys of it.
    fn table_name(
        &mut self,
        at: At<'_>,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        columns: &Value<'_>,
    ) -> bool {
        let table = name.get_ref();
        if table.contains('.') {
            return true;
        }
        let inner = columns.get_ref().as_table().and_then(|table| {
            let (key, value) = table.iter().next()?;
            let inner = value.get_ref().as_table()?;
            (!inner.contains_key("mask")).then(|| key.get_ref().to_string())
        });
        let database = at.database.unwrap_or_default();
        let (full, remedy) = match inner {
            Some(inner) => (format!("{table}.{inner}"), "put schema and table into one quoted key"),
            None => (format!("public.{table}"), "name the schema, too"),
        };
        self.problem_at(
            at,
            &name.span(),
            format!("{table:?} is no schema.table"),
            format!("{remedy}: [databases.{}.tables.{full:?}]", super::write::key(database)),
        );
        false
    }

    /// Rules by column, and what is said of the table. A column may be called `allow_relayout` or
    /// `quasi_identifiers`, too: its rule is no boolean, and no list.
    fn columns(&mut self, at: At<'_>, value: &Value<'_>) -> TableSection {
        let mut section = TableSection::default();
        for (name, rule) in self.table(at, value, "a table's section") {
            match (&**name.get_ref(), rule.get_ref()) {
                ("allow_relayout", DeValue::Boolean(allowed)) => {
                    section.allow_relayout = *allowed;
                    continue;
                }
                ("quasi_identifiers", DeValue::Array(_)) => {
                    section.quasi_identifiers = self.strings(rule);
                    continue;
                }
                _ => {}
            }
            let at = At { column: Some(name.get_ref()), ..at };
            if let Some(rule) = self.rule(at, rule) {
                section.columns.insert(name.get_ref().to_string(), rule);
            }
        }
        section
    }

    fn large_objects(&mut self, at: At<'_>, value: &Value<'_>) -> Option<LargeObjects> {
        let policy = match value.get_ref().as_str() {
            Some("deny") => Some(LargeObjects::Deny),
            Some("blank") => Some(LargeObjects::Blank),
            Some("keep") => Some(LargeObjects::Keep),
            _ => None,
        };
        if policy.is_none() {
            self.problem_at(
                at,
                &value.span(),
                "`large_objects` is none of \"deny\", \"blank\" and \"keep\"",
                "large_objects = \"blank\"",
            );
        }
        policy
    }

    fn object_rule(&mut self, at: At<'_>, value: &Value<'_>) -> Option<ObjectRule> {
        match value.get_ref().as_str() {
            Some("keep") => return Some(ObjectRule::Keep),
            Some("rewrite") => return Some(ObjectRule::Rewrite),
            _ => {}
        }
        self.problem_at(
            at,
            &value.span(),
            "the rule for an object is neither \"keep\" nor \"rewrite\"",
            "\"view public.vip\" = \"keep\"",
        );
        None
    }

    fn comments(&mut self, at: At<'_>, value: &Value<'_>) -> bool {
        let word = value.get_ref().as_str();
        if !matches!(word, Some("keep" | "remove")) {
            self.problem_at(
                at,
                &value.span(),
                "`comments` is neither \"keep\" nor \"remove\"",
                "comments = \"remove\"",
            );
        }
        word == Some("keep")
    }

    pub(super) fn unlisted(&mut self, at: At<'_>, value: &Value<'_>) -> Unlisted {
        match value.get_ref().as_str() {
            Some("deny") => Unlisted::Deny,
            Some("keep") => Unlisted::Keep,
            _ => {
                self.problem_at(
                    at,
                    &value.span(),
                    "`unlisted` is neither \"deny\" nor \"keep\"",
                    "unlisted = \"deny\"",
                );
                Unlisted::Deny
            }
        }
    }

    pub(super) fn unlisted_databases(&mut self, value: &Value<'_>) -> UnlistedDatabases {
        match value.get_ref().as_str() {
            Some("deny") => UnlistedDatabases::Deny,
            Some("drop") => UnlistedDatabases::Drop,
            _ => {
                self.problem(
                    &value.span(),
                    "`unlisted_databases` is neither \"deny\" nor \"drop\"",
                    "unlisted_databases = \"drop\"",
                );
                UnlistedDatabases::Deny
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::rules::RuleSet;

    const GOOD: &str = r#"version = 1
unlisted = "deny"
unlisted_databases = "drop"

[databases.archive]
drop = true

[databases.shop]
large_objects = "blank"
comments = "keep"

[databases.shop.objects]
"default value for public.customers.email" = "rewrite"
"view public.vip" = "keep"

[databases.shop.tables."public.customers"]
allow_relayout = true
quasi_identifiers = ["zip", "born"]
email = "email"

[databases.shop.tables."public.odd"]
allow_relayout = "keep"
quasi_identifiers = "keep"

[databases.shop.tables."public.orders"]
allow_relayout = true
"#;

    #[test]
    fn reads_what_it_writes() {
        let rules = RuleSet::from_toml(GOOD).unwrap();
        assert_eq!(rules.to_toml(), GOOD);
        assert!(rules.databases["archive"].drop);
        let shop = &rules.databases["shop"];
        assert_eq!(shop.large_objects, Some(LargeObjects::Blank));
        assert!(shop.allow_relayout.iter().eq(["public.customers", "public.orders"]));
        assert!(shop.tables["public.odd"].contains_key("allow_relayout"));
    }

    #[test]
    fn names_what_makes_no_sense() {
        let text = r#"version = 1
unlisted_databases = "keep"
[databases.a]
drop = true
unlisted = "keep"
[databases.b]
large_objects = "zero"
drop = "yes"
"#;
        let Err(Error::Refused(found)) = RuleSet::from_toml(text) else { panic!("accepted") };
        let lines: Vec<&str> = found.iter().map(|r| r.message.split(':').next().unwrap()).collect();
        assert_eq!(lines.len(), 4, "{found:?}");
        for line in ["line 2", "line 3", "line 7", "line 8"] {
            assert!(lines.contains(&line), "{line} in {found:?}");
        }
    }
}
