//! Rule file → rule set, with every problem found in one pass.

mod options;

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::{did_you_mean, nearest};
use super::{ColumnRule, MaskName, RuleSet, Unlisted, UnlistedDatabases};
use crate::error::{Error, Refusal, Result};

/// The version of the rule file's form that this program reads.
const VERSION: &str = "1";

/// Keys of a rule that every mask takes.
const RULE_KEYS: [&str; 8] =
    ["mask", "domain", "subject", "persona", "when", "else", "confirm_check", "accept_originals"];

impl RuleSet {
    /// Reads a rule file.
    ///
    /// # Errors
    /// [`Error::Refused`] with every problem of the file, each with its line.
    pub fn from_toml(text: &str) -> Result<RuleSet> {
        let (file, syntax) = DeTable::parse_recoverable(text);
        let mut reader = Reader { text, problems: Vec::new() };
        for error in syntax {
            let span = error.span().unwrap_or(0..0);
            reader.problem(&span, error.message(), "mend the TOML");
        }
        let rules = reader.rule_set(&file);
        if reader.problems.is_empty() { Ok(rules) } else { Err(Error::Refused(reader.problems)) }
    }
}

pub(super) struct Reader<'t> {
    text: &'t str,
    problems: Vec<Refusal>,
}

/// Where in the rule set a value stands, for refusals.
#[derive(Clone, Copy, Default)]
pub(super) struct At<'n> {
    pub(super) database: Option<&'n str>,
    pub(super) table: Option<&'n str>,
    pub(super) column: Option<&'n str>,
}

pub(super) type Value<'i> = Spanned<DeValue<'i>>;

impl Reader<'_> {
    pub(super) fn problem(
        &mut self,
        span: &Range<usize>,
        what: impl AsRef<str>,
        remedy: impl Into<String>,
    ) {
        self.problem_at(At::default(), span, what, remedy);
    }

    pub(super) fn problem_at(
        &mut self,
        at: At<'_>,
        span: &Range<usize>,
        what: impl AsRef<str>,
        remedy: impl Into<String>,
    ) {
        let before = self.text.get(..span.start.min(self.text.len())).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let mut refusal =
            Refusal::new("rule_file", format!("line {line}: {}", what.as_ref()), remedy);
        refusal.database = at.database.map(str::to_owned);
        refusal.table = at.table.map(str::to_owned);
        refusal.column = at.column.map(str::to_owned);
        self.problems.push(refusal);
    }

    fn rule_set(&mut self, file: &Spanned<DeTable<'_>>) -> RuleSet {
        let known = ["version", "unlisted", "unlisted_databases", "allow_preload", "databases"];
        let mut rules = RuleSet {
            unlisted: Unlisted::Deny,
            unlisted_databases: UnlistedDatabases::Deny,
            allow_preload: Vec::new(),
            databases: BTreeMap::new(),
            hash: blake3::hash(self.text.as_bytes()).to_hex().to_string(),
        };
        let mut version = false;
        for (key, value) in file.get_ref() {
            match &**key.get_ref() {
                "version" => {
                    version = true;
                    let found = value.get_ref().as_integer().map(|number| number.as_str());
                    if found != Some(VERSION) {
                        self.problem(
                            &value.span(),
                            "this thinveil reads version 1 of rule files",
                            "version = 1",
                        );
                    }
                }
                "unlisted" => rules.unlisted = self.unlisted(At::default(), value),
                "unlisted_databases" => rules.unlisted_databases = self.unlisted_databases(value),
                "allow_preload" => rules.allow_preload = self.strings(value),
                "databases" => {
                    for (name, section) in self.table(At::default(), value, "databases") {
                        let at = At { database: Some(name.get_ref()), ..At::default() };
                        let section = self.database(at, section);
                        rules.databases.insert(name.get_ref().to_string(), section);
                    }
                }
                other => self.unknown_key(At::default(), &key.span(), other, &known),
            }
        }
        if !version {
            self.problem(&(0..0), "the file does not say its version", "version = 1");
        }
        rules
    }

    pub(super) fn rule(&mut self, at: At<'_>, value: &Value<'_>) -> Option<ColumnRule> {
        let table = match value.get_ref() {
            DeValue::String(_) => return self.mask(at, value).map(ColumnRule::new),
            DeValue::Table(table) => table,
            _ => {
                self.problem_at(
                    at,
                    &value.span(),
                    "a rule is a mask's name or a table with `mask`",
                    "column = \"keep\"",
                );
                return None;
            }
        };
        let Some(mask) = table.get("mask") else {
            return self.parts_rule(at, value, table);
        };
        let mask = self.mask(at, mask)?;
        let mut rule = ColumnRule::new(mask);
        for (key, value) in table {
            match &**key.get_ref() {
                "mask" | "when" | "else" => {}
                "domain" => {
                    rule.domain = self.string(at, value).filter(|domain| {
                        let named = !domain.is_empty();
                        if !named {
                            self.problem_at(at, &value.span(), "the domain has no name", "name it");
                        }
                        named
                    })
                }
                "persona" => rule.persona = self.persona(at, value, mask),
                "subject" => rule.subject = self.subject(at, value, Some(mask)),
                "confirm_check" => rule.confirm_check = self.boolean(at, value),
                "accept_originals" => rule.accept_originals = self.boolean(at, value),
                option if mask.options().contains(&option) => {
                    self.option(at, option, value, &mut rule.options);
                }
                other => self.unknown_option(at, mask, other, &key.span()),
            }
        }
        rule.when = self.when(at, value, table);
        if rule.options.unique && !rule.persona.is_empty() {
            self.problem_at(
                at,
                &value.span(),
                "a permutation is not made of names",
                "leave `unique` out, or `persona`",
            );
        }
        if rule.when.is_some() && mask == MaskName::Keep {
            self.problem_at(
                at,
                &value.span(),
                "the column is kept whatever the condition says",
                "leave `when` and `else` out, or name a mask",
            );
        }
        if rule.accept_originals && !matches!(mask, MaskName::Keep | MaskName::Shuffle) {
            self.problem_at(
                at,
                &value.span(),
                "accept_originals is for columns alone that are kept or shuffled",
                "leave accept_originals out, or keep the column",
            );
        }
        if mask == MaskName::Constant && rule.options.value.is_none() {
            self.problem_at(
                at,
                &value.span(),
                "mask \"constant\" needs a `value`",
                "{ mask = \"constant\", value = \"…\" }",
            );
        }
        Some(rule)
    }

    fn unknown_option(&mut self, at: At<'_>, mask: MaskName, option: &str, span: &Range<usize>) {
        let taken: Vec<&str> = mask.options().iter().chain(&RULE_KEYS).copied().collect();
        let remedy = match nearest(option, taken.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("{mask} takes: {}", taken.join(", ")),
        };
        self.problem_at(
            at,
            span,
            format!("mask {mask:?} takes no {option:?}", mask = mask.as_str()),
            remedy,
        );
    }

    fn mask(&mut self, at: At<'_>, value: &Value<'_>) -> Option<MaskName> {
        let name = self.string(at, value)?;
        let mask = name.parse().ok();
        if mask.is_none() {
            self.problem_at(
                at,
                &value.span(),
                format!("there is no mask {name:?}"),
                did_you_mean(&name, MaskName::ALL.map(MaskName::as_str)),
            );
        }
        mask
    }

    pub(super) fn unknown_key(
        &mut self,
        at: At<'_>,
        span: &Range<usize>,
        key: &str,
        known: &[&str],
    ) {
        let remedy = did_you_mean(key, known.iter().copied());
        self.problem_at(at, span, format!("unknown key {key:?}"), remedy);
    }

    pub(super) fn table<'v, 'i>(
        &mut self,
        at: At<'_>,
        value: &'v Value<'i>,
        what: &str,
    ) -> Vec<(&'v Spanned<std::borrow::Cow<'i, str>>, &'v Value<'i>)> {
        match value.get_ref().as_table() {
            Some(table) => table.iter().collect(),
            None => {
                self.problem_at(at, &value.span(), format!("{what} is no table"), "make it one");
                Vec::new()
            }
        }
    }

    pub(super) fn strings(&mut self, value: &Value<'_>) -> Vec<String> {
        let Some(array) = value.get_ref().as_array() else {
            self.problem(&value.span(), "a list of names is wanted here", "allow_preload = []");
            return Vec::new();
        };
        array.iter().filter_map(|item| self.string(At::default(), item)).collect()
    }

    pub(super) fn string(&mut self, at: At<'_>, value: &Value<'_>) -> Option<String> {
        let string = value.get_ref().as_str().map(str::to_owned);
        if string.is_none() {
            self.problem_at(at, &value.span(), "a string is wanted here", "put it in quotes");
        }
        string
    }

    pub(super) fn boolean(&mut self, at: At<'_>, value: &Value<'_>) -> bool {
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.problem_at(at, &value.span(), "true or false is wanted here", "write true");
            false
        })
    }

    fn whole<T: std::str::FromStr>(&mut self, at: At<'_>, value: &Value<'_>) -> Option<T> {
        let number = value.get_ref().as_integer().filter(|number| number.radix() == 10);
        let number = number.and_then(|number| number.as_str().parse().ok());
        if number.is_none() {
            let remedy = "write digits only, 30 say";
            self.problem_at(at, &value.span(), "a whole number is wanted here", remedy);
        }
        number
    }

    fn number(&mut self, at: At<'_>, value: &Value<'_>) -> Option<f64> {
        let number = match value.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.problem_at(at, &value.span(), "a number is wanted here", "write 0.1, say");
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        match RuleSet::from_toml(text) {
            Err(Error::Refused(refusals)) => {
                assert!(refusals.iter().all(|r| r.code == "rule_file" && !r.remedy.is_empty()));
                refusals.into_iter().map(|r| format!("{} | {}", r.message, r.remedy)).collect()
            }
            Err(error) => panic!("{error}"),
            Ok(_) => Vec::new(),
        }
    }

    const GOOD: &str = r#"version = 1
unlisted = "keep"
allow_preload = ["pg_stat_statements"]

[databases.shop]
unlisted = "deny"

[databases.shop.tables."public.customers"]
born = { mask = "date_shift", days = 30, domain = "birth", subject = "patient id" }
first_name = { mask = "first_name", locale = "fr", confirm_check = true }
id = { mask = "keep", accept_originals = true }
"odd \"name" = { mask = "constant", value = "x\ty" }
pay = { mask = "noise", distribution = "laplace", share = 0.25 }
phone = { mask = "partial", keep_first = 2, keep_last = 3 }
seen = { mask = "timestamp_shift", seconds = 86400 }
via = { mask = "ip", keep_bits = 16 }
"#;

    #[test]
    fn reads_what_it_writes() {
        let rules = RuleSet::from_toml(GOOD).unwrap();
        assert_eq!(rules.to_toml(), GOOD);
        assert_eq!(rules.unlisted_in("shop"), Unlisted::Deny);
        assert_eq!(rules.unlisted_in("other"), Unlisted::Keep);
        assert_eq!(rules.hash, blake3::hash(GOOD.as_bytes()).to_hex().to_string());
        let made = RuleSet::new(rules.unlisted, rules.allow_preload, rules.databases);
        assert_eq!(made.hash, rules.hash);
    }

    #[test]
    fn names_every_problem_with_its_line() {
        let found = problems(
            r#"version = 2
unlistd = "keep"
[databases.shop]
unlisted = "maybe"
[databases.shop.tables."public.t"]
a = "e-mail"
b = { mask = "email", day = 3 }
c = { mask = "date_shift", day = 3 }
d = { domain = "x" }
e = 5
f = { mask = "date_shift", days = -3 }
g = { mask = "constant" }
h = { mask = "text", confirm_check = "yes", accept_originals = true }
i = { mask = "noise", share = "much", domain = "" }
"#,
        );
        let lines: BTreeMap<usize, usize> =
            found.iter().fold(BTreeMap::new(), |mut lines, text| {
                let line = text.trim_start_matches("line ").split(':').next().unwrap();
                *lines.entry(line.parse().unwrap()).or_default() += 1;
                lines
            });
        let expected = [1, 2, 4, 6, 7, 8, 9, 10, 11, 12].map(|line| (line, 1));
        assert_eq!(lines, expected.into_iter().chain([(13, 2), (14, 2)]).collect(), "{found:#?}");
        let has = |part: &str| assert!(found.iter().any(|text| text.contains(part)), "{part}");
        has("unknown key \"unlistd\" | did you mean \"unlisted\"?");
        has("there is no mask \"e-mail\" | did you mean \"email\"?");
        has("mask \"email\" takes no \"day\"");
        has("mask \"date_shift\" takes no \"day\" | did you mean \"days\"?");
    }

    #[test]
    fn wants_a_version_and_tables_with_a_schema() {
        assert!(problems("").iter().any(|text| text.contains("does not say its version")));
        let found =
            problems("version = 1\n[databases.shop.tables.public.customers]\nid = \"keep\"");
        assert!(found[0].contains("[databases.shop.tables.\"public.customers\"]"), "{found:?}");
        let found = problems("version = 1\n[databases.shop.tables.customers]\nid = \"keep\"");
        assert!(found[0].contains("[databases.shop.tables.\"public.customers\"]"), "{found:?}");
    }

    #[test]
    fn broken_toml_is_refused_with_its_line() {
        let found = problems("version = 1\nunlisted = \"keep\"\nx = [\n");
        assert!(found.iter().any(|text| text.starts_with("line 3")), "{found:?}");
    }
}
