//! Rules for the parts of structured values, as the rule file has them.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::read::{At, Reader, Value};
use super::{ColumnRule, JsonPath, MaskName, PartDefault, Parts};

/// Keys of a rule that say which parts it has rules for.
const KINDS: [&str; 3] = ["paths", "keys", "fields"];

impl Reader<'_> {
    /// Reads a rule that names no mask: it has to have rules for parts.
    pub(super) fn parts_rule(
        &mut self,
        at: At<'_>,
        value: &Value<'_>,
        table: &DeTable<'_>,
    ) -> Option<ColumnRule> {
        let mut given = KINDS.into_iter().filter(|kind| table.contains_key(*kind));
        let (kind, more) = (given.next(), given.next());
        let Some(kind) = kind.filter(|_| more.is_none()) else {
            let what = match more {
                Some(_) => "a rule has only one of `paths`, `keys` and `fields`",
                None => "the rule names no mask",
            };
            self.problem_at(at, &value.span(), what, "column = { mask = \"keep\" }");
            return None;
        };
        let mut rule = ColumnRule::new(MaskName::Text);
        let mut default = PartDefault::Deny;
        let (mut paths, mut named) = (BTreeMap::new(), BTreeMap::new());
        for (key, value) in table {
            match &**key.get_ref() {
                "paths" => paths = self.paths(at, value),
                "keys" | "fields" => named = self.named_parts(at, value, kind),
                "default" if kind != "fields" => default = self.part_default(at, value),
                "subject" => rule.subject = self.subject(at, value, None),
                "confirm_check" => rule.confirm_check = self.boolean(at, value),
                "when" | "else" => {}
                other => {
                    let default = (kind != "fields").then_some("default");
                    let known = [kind, "subject", "when", "else", "confirm_check"]
                        .into_iter()
                        .chain(default);
                    self.unknown_key(at, &key.span(), other, &known.collect::<Vec<_>>());
                }
            }
        }
        rule.when = self.when(at, value, table);
        rule.parts = Some(Box::new(match kind {
            "paths" => Parts::Paths(paths, default),
            "keys" => Parts::Keys(named, default),
            _ => Parts::Fields(named),
        }));
        Some(rule)
    }

    fn paths(&mut self, at: At<'_>, value: &Value<'_>) -> BTreeMap<JsonPath, ColumnRule> {
        let mut rules = BTreeMap::new();
        for (path, value) in self.table(at, value, "paths") {
            let rule = self.scalar_rule(at, value);
            match path.get_ref().parse::<JsonPath>() {
                Ok(path) => {
                    rules.extend(rule.map(|rule| (path, rule)));
                }
                Err(wanted) => self.problem_at(
                    at,
                    &path.span(),
                    format!("{:?} is no path: {wanted}", path.get_ref()),
                    "\"$.name\" = \"keep\"",
                ),
            }
        }
        rules
    }

    fn named_parts(
        &mut self,
        at: At<'_>,
        value: &Value<'_>,
        kind: &str,
    ) -> BTreeMap<String, ColumnRule> {
        let mut rules = BTreeMap::new();
        for (name, value) in self.table(at, value, kind) {
            let rule = match kind {
                "keys" => self.scalar_rule(at, value),
                _ => self.rule(at, value).filter(|rule| self.is_of_part(at, value, rule)),
            };
            rules.extend(rule.map(|rule| (name.get_ref().to_string(), rule)));
        }
        rules
    }

    fn part_default(&mut self, at: At<'_>, value: &Value<'_>) -> PartDefault {
        if matches!(value.get_ref(), DeValue::String(word) if word == "deny") {
            return PartDefault::Deny;
        }
        let rule = self.scalar_rule(at, value);
        rule.map_or(PartDefault::Deny, |rule| PartDefault::Rule(Box::new(rule)))
    }

    /// Whose a value is, and when it is masked, is said once for a column.
    fn is_of_part(&mut self, at: At<'_>, value: &Value<'_>, rule: &ColumnRule) -> bool {
        let own = match rule {
            ColumnRule { subject: Some(_), .. } => "subject",
            ColumnRule { when: Some(_), .. } => "condition",
            ColumnRule { persona, .. } if !persona.is_empty() => "persona",
            _ => return true,
        };
        self.problem_at(
            at,
            &value.span(),
            format!("there is no {own} of its own for a part, or for `else`"),
            format!(
                "give the {own} in the column's rule, beside `mask`, `paths`, `keys` or `fields`"
            ),
        );
        false
    }

    /// A rule for values that have no parts.
    pub(super) fn scalar_rule(&mut self, at: At<'_>, value: &Value<'_>) -> Option<ColumnRule> {
        let rule = self.rule(at, value).filter(|rule| self.is_of_part(at, value, rule))?;
        if rule.parts.is_some() || rule.confirm_check || rule.accept_originals {
            self.problem_at(
                at,
                &value.span(),
                "this rule is for single values: it takes a mask with its options and a domain",
                "\"email\", say",
            );
            return None;
        }
        if rule.mask == MaskName::Shuffle {
            self.problem_at(
                at,
                &value.span(),
                "shuffle moves whole values of a column, not parts of them or what is left over",
                "\"text\", say",
            );
            return None;
        }
        Some(rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::rules::RuleSet;

    fn read(rule: &str) -> Result<ColumnRule, String> {
        let text = format!(
            "version = 1\nunlisted = \"deny\"\n\n[databases.d.tables.\"public.t\"]\nc = {rule}\n"
        );
        match RuleSet::from_toml(&text) {
            Ok(rules) => {
                assert_eq!(rules.to_toml(), text);
                Ok(rules.databases["d"].tables["public.t"]["c"].clone())
            }
            Err(Error::Refused(refusals)) => Err(refusals[0].message.clone()),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn reads_paths_keys_and_fields_and_writes_them_again() {
        let rule = read(
            "{ paths = { \"$.name\" = \"full_name\", \"$.pay[*]\" = { mask = \"noise\", share = 0.5 } }, default = \"keep\" }",
        )
        .unwrap();
        let Some(Parts::Paths(paths, PartDefault::Rule(default))) = rule.parts.as_deref() else {
            panic!("{rule:?}");
        };
        assert_eq!(paths.len(), 2);
        assert_eq!(default.mask, MaskName::Keep);
        let rule = read("{ mask = \"email\", when = \"a = 'b'\", else = { mask = \"constant\", value = \"x\" } }")
            .unwrap();
        let when = rule.when.unwrap();
        assert_eq!((when.condition.as_str(), when.otherwise.mask), ("a = 'b'", MaskName::Constant));
        let rule =
            read("{ paths = { \"$.a\" = \"text\" }, when = \"b\", else = \"keep\" }").unwrap();
        assert!(rule.when.is_some());
        let rule = read("{ mask = \"email\", persona = [\"given\", \"family\"] }").unwrap();
        assert_eq!(rule.persona, ["given", "family"]);
        let rule = read("{ keys = { phone = \"phone\" }, subject = \"id\" }").unwrap();
        assert_eq!(rule.subject.as_deref(), Some("id"));
        assert!(matches!(rule.parts.as_deref(), Some(Parts::Keys(_, PartDefault::Deny))));
        let rule = read(
            "{ fields = { \"a b\" = { paths = { \"$.**\" = \"text\" } }, city = \"city\" }, confirm_check = true }",
        )
        .unwrap();
        let Some(Parts::Fields(fields)) = rule.parts.as_deref() else { panic!("{rule:?}") };
        assert!(rule.confirm_check && fields["a b"].parts.is_some());
    }

    #[test]
    fn says_what_is_wrong_with_parts() {
        for (rule, expected) in [
            ("{ paths = { \"name\" = \"text\" } }", "is no path"),
            ("{ paths = {}, keys = {} }", "only one of"),
            ("{ default = \"keep\" }", "names no mask"),
            ("{ fields = {}, default = \"keep\" }", "unknown key \"default\""),
            ("{ keys = { a = { fields = {} } } }", "single values"),
            (
                "{ paths = { \"$.a\" = { mask = \"text\", confirm_check = true } } }",
                "single values",
            ),
            ("{ paths = { \"$.a\" = \"deny\" } }", "no mask \"deny\""),
            (
                "{ paths = { \"$.a\" = { mask = \"text\", subject = \"b\" } } }",
                "is no subject of its own",
            ),
            (
                "{ fields = { a = { mask = \"text\", subject = \"b\" } } }",
                "is no subject of its own",
            ),
            ("{ mask = \"email\", persona = [] }", "a persona is one column"),
            ("{ mask = \"email\", persona = \"a\" }", "a persona is one column"),
            ("{ mask = \"text\", persona = [\"a\"] }", "is not made of names"),
            ("{ mask = \"email\", unique = true, persona = [\"a\"] }", "a permutation is not"),
            (
                "{ paths = { \"$.a\" = { mask = \"email\", persona = [\"b\"] } } }",
                "is no persona of its own",
            ),
            ("{ mask = \"text\", when = \"a = 1\" }", "does not say what happens"),
            ("{ mask = \"text\", else = \"keep\" }", "`else` without `when`"),
            ("{ mask = \"keep\", when = \"a\", else = \"text\" }", "whatever the condition"),
            (
                "{ mask = \"text\", when = \"a\", else = { mask = \"text\", when = \"b\", else = \"keep\" } }",
                "is no condition of its own",
            ),
            ("{ mask = \"redact\", subject = \"b\" }", "takes no subject"),
            ("{ mask = \"text\", subject = \"\" }", "has no name"),
        ] {
            let found = read(rule).unwrap_err();
            assert!(found.contains(expected), "{rule}: {found}");
        }
    }
}
