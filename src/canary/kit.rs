//! The kit's own tables: one column for every masked domain of a database, under the same rule.

use std::collections::BTreeMap;

use crate::datum::ValueType;
use crate::mask::supports;
use crate::rules::{ColumnRule, DatabaseRules, MaskName, PartDefault, Parts, RuleSet, TableRules};

/// The schema that planting adds.
pub(super) const SCHEMA: &str = "thinveil_canary";
/// Its tables; see `places.rs` for what is in them.
pub(super) const TABLES: [&str; 6] = ["rows", "holes", "long", "quick", "frequent", KNOWN];
/// The one that has a row for canaries that are in no other: so the leak audit knows them.
pub(super) const KNOWN: &str = "known";

/// The domains of one database that canaries are planted for.
pub(super) struct Domains {
    pub(super) database: String,
    /// One rule each, of masks on text; the kit's columns `d1`, `d2`, … in their order.
    pub(super) rules: Vec<ColumnRule>,
    pub(super) large_objects: bool,
    pub(super) keeps_comments: bool,
}

impl Domains {
    /// Names of the kit's columns.
    pub(super) fn columns(&self) -> Vec<String> {
        (1..=self.rules.len()).map(|number| format!("d{number}")).collect()
    }
}

/// The domains of every database with one, and those that no canary can be planted for:
/// `database: mask (domain)`.
pub(super) fn domains(rules: &RuleSet) -> (Vec<Domains>, Vec<String>) {
    let mut all = Vec::new();
    let mut left_out = Vec::new();
    for (database, of_database) in rules.databases.iter().filter(|(_, rules)| !rules.drop) {
        let mut found: BTreeMap<String, ColumnRule> = BTreeMap::new();
        for rule in of_database.tables.values().flat_map(TableRules::values) {
            collect(rule, &mut found);
        }
        let (suited, others): (Vec<_>, Vec<_>) =
            found.into_values().partition(|rule| supports(rule.mask, ValueType::Text));
        left_out.extend(
            others
                .iter()
                .map(|rule| format!("{database}: {} ({})", rule.mask.as_str(), rule.domain())),
        );
        if !suited.is_empty() {
            all.push(Domains {
                database: database.clone(),
                rules: suited,
                large_objects: of_database.large_objects == Some(crate::rules::LargeObjects::Blank),
                keeps_comments: of_database.keep_comments,
            });
        }
    }
    (all, left_out)
}

/// The masks of a rule, as rules that need no other column, by what tells them apart.
fn collect(rule: &ColumnRule, found: &mut BTreeMap<String, ColumnRule>) {
    match rule.parts.as_deref() {
        Some(Parts::Paths(rules, default)) => {
            rules.values().for_each(|rule| collect(rule, found));
            collect_default(default, found);
        }
        Some(Parts::Keys(rules, default)) => {
            rules.values().for_each(|rule| collect(rule, found));
            collect_default(default, found);
        }
        Some(Parts::Fields(rules)) => rules.values().for_each(|rule| collect(rule, found)),
        None if rule.mask == MaskName::Keep => {}
        None => {
            let alone = ColumnRule {
                domain: Some(rule.domain().to_owned()),
                options: rule.options.clone(),
                ..ColumnRule::new(rule.mask)
            };
            found.insert(crate::rules::rule_line("d", &alone), alone);
        }
    }
    if let Some(when) = &rule.when {
        collect(&when.otherwise, found);
    }
}

fn collect_default(default: &PartDefault, found: &mut BTreeMap<String, ColumnRule>) {
    if let PartDefault::Rule(rule) = default {
        collect(rule, found);
    }
}

/// The rule set with the kit's tables in it.
pub(super) fn with_kit(rules: &RuleSet, domains: &[Domains]) -> RuleSet {
    let mut databases = rules.databases.clone();
    for Domains { database, rules, .. } in domains {
        let of_database = databases.entry(database.clone()).or_default();
        add_tables(of_database, rules);
    }
    let mut extended = RuleSet::new(rules.unlisted, rules.allow_preload.clone(), databases);
    extended.unlisted_databases = rules.unlisted_databases;
    extended
}

fn add_tables(database: &mut DatabaseRules, rules: &[ColumnRule]) {
    for table in TABLES {
        let mut columns = TableRules::new();
        columns.insert("id".to_owned(), ColumnRule::new(MaskName::Keep));
        for (number, rule) in (1..).zip(rules) {
            columns.insert(format!("d{number}"), rule.clone());
        }
        if let (true, Some(first)) = (table == "rows", rules.first()) {
            columns.insert("missing".to_owned(), first.clone());
        }
        database.tables.insert(format!("{SCHEMA}.{table}"), columns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_domain_is_planted_once_and_dates_are_said_to_be_left_out() {
        let rules = RuleSet::from_toml(
            r#"version = 1
[databases.shop.tables."public.people"]
id = "keep"
email = { mask = "email", unique = true }
work_email = { mask = "email", unique = true }
other = { mask = "email", domain = "staff" }
born = { mask = "date_shift", days = 9 }
extra = { paths = { "$.name" = "first_name" }, default = "keep" }
[databases.gone]
drop = true
"#,
        )
        .unwrap();
        let (domains, left_out) = domains(&rules);
        assert_eq!(left_out, ["shop: date_shift (date_shift)"]);
        let [shop] = domains.as_slice() else { panic!("one database has masks") };
        assert_eq!(shop.columns(), ["d1", "d2", "d3"]);
        let text = with_kit(&rules, &domains).to_toml();
        let again = RuleSet::from_toml(&text).unwrap();
        let tables = &again.databases["shop"].tables;
        assert_eq!(tables.len(), 1 + TABLES.len());
        let masks: Vec<_> = tables["thinveil_canary.rows"].values().map(|r| r.mask).collect();
        assert_eq!(masks.iter().filter(|mask| **mask == MaskName::Email).count(), 3);
    }
}
