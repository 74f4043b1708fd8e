//! The planner on catalogs made for the purpose.

use std::collections::BTreeSet;

use super::{Action, MaskPlan, plan, suggest};
use crate::cluster::catalog::sample::Sample;
use crate::cluster::catalog::{Catalog, Generated, PartitionKey, RelationKind, TypeName};
use crate::error::{Error, Refusal};
use crate::mask::MaskSpec;
use crate::rules::{MaskName, RuleSet};

/// Rules of database `d`: lines like `t.c = "keep"`, tables in schema `s`.
fn rules(unlisted: &str, lines: &[&str]) -> RuleSet {
    let mut text = format!("version = 1\nunlisted = {unlisted:?}\n[databases.d.tables]\n");
    for line in lines {
        let (table, rule) = line.split_once('.').unwrap();
        text.push_str(&format!("\"s.{table}\".{rule}\n"));
    }
    RuleSet::from_toml(&text).unwrap()
}

fn refused(rules: &RuleSet, catalog: &Catalog) -> Vec<Refusal> {
    match plan(rules, catalog) {
        Err(Error::Refused(refusals)) => refusals,
        Err(error) => panic!("{error}"),
        Ok(_) => Vec::new(),
    }
}

/// `code table.column`, without the schema.
fn brief(rules: &RuleSet, catalog: &Catalog) -> Vec<String> {
    let refusals = refused(rules, catalog);
    assert!(refusals.iter().all(|refusal| !refusal.remedy.is_empty()));
    refusals
        .iter()
        .map(|refusal| {
            let table = refusal.table.as_deref().unwrap_or("-").trim_start_matches("s.");
            format!("{} {table}.{}", refusal.code, refusal.column.as_deref().unwrap_or("-"))
        })
        .collect()
}

fn planned(rules: &RuleSet, catalog: &Catalog) -> MaskPlan {
    plan(rules, catalog).unwrap_or_else(|error| panic!("{error}"))
}

fn spec(plan: &MaskPlan, table: &str, column: &str) -> Option<MaskSpec> {
    let relation = plan.databases[0].relations.iter().find(|r| r.name == table)?;
    let attribute = relation.attributes.iter().find(|a| a.name == column)?;
    match &attribute.action {
        Action::Mask(mask) => mask.value().cloned(),
        _ => None,
    }
}

#[test]
fn foreign_keys_hand_mask_and_domain_along_a_chain_and_to_themselves() {
    let mut sample = Sample::new("d");
    sample.table("s.c", &["b_x int4", "b_y text"]);
    sample.table("s.b", &["x int4", "y text", "up int4"]);
    sample.table("s.a", &["x int8", "y text"]);
    sample.foreign_key("s.b", &["x", "y"], "s.a", &["x", "y"]);
    sample.foreign_key("s.c", &["b_x", "b_y"], "s.b", &["x", "y"]);
    sample.foreign_key("s.b", &["up"], "s.b", &["x"]);
    let rules = rules(
        "deny",
        &["a.x = { mask = \"integer\", domain = \"customer\" }", "a.y = \"alphanumeric\""],
    );
    let plan = planned(&rules, &sample.catalog());
    for (table, column) in [("a", "x"), ("b", "x"), ("b", "up"), ("c", "b_x")] {
        let spec = spec(&plan, table, column).unwrap();
        assert_eq!((spec.mask, spec.domain.as_str()), (MaskName::Integer, "customer"), "{table}");
    }
    assert_eq!(spec(&plan, "c", "b_y").unwrap().domain, "alphanumeric");
}

#[test]
fn refuses_foreign_keys_that_would_break() {
    let mut sample = Sample::new("d");
    sample.table("s.a", &["x int8", "code bpchar", "kept int8"]);
    sample.table("s.b", &["x int8", "code text", "kept int8"]);
    for column in ["x", "code", "kept"] {
        sample.foreign_key("s.b", &[column], "s.a", &[column]);
    }
    let rules = rules(
        "deny",
        &[
            "a.x = \"integer\"",
            "a.code = \"alphanumeric\"",
            "a.kept = \"keep\"",
            "b.x = { mask = \"integer\", domain = \"other\" }",
            "b.kept = \"integer\"",
        ],
    );
    assert_eq!(
        brief(&rules, &sample.catalog()),
        ["foreign_key_type b.code", "foreign_key_to_kept b.kept", "foreign_key_conflict b.x"]
    );
}

#[test]
fn the_same_rule_said_twice_is_no_conflict() {
    let mut sample = Sample::new("d");
    sample.table("s.a", &["x int8"]);
    sample.table("s.b", &["x int8"]);
    sample.foreign_key("s.b", &["x"], "s.a", &["x"]);
    let rules = rules("deny", &["a.x = \"integer\"", "b.x = \"integer\""]);
    assert!(plan(&rules, &sample.catalog()).is_ok());
}

#[test]
fn lists_only_the_end_of_a_chain_of_unlisted_foreign_keys() {
    let mut sample = Sample::new("d");
    sample.table("s.a", &["x int8"]);
    sample.table("s.b", &["x int8"]);
    sample.table("s.ring1", &["x int8"]);
    sample.table("s.ring2", &["x int8"]);
    sample.table("s.into", &["x int8"]);
    sample.foreign_key("s.b", &["x"], "s.a", &["x"]);
    sample.foreign_key("s.ring1", &["x"], "s.ring2", &["x"]);
    sample.foreign_key("s.ring2", &["x"], "s.ring1", &["x"]);
    sample.foreign_key("s.into", &["x"], "s.ring2", &["x"]);
    assert_eq!(
        brief(&rules("deny", &[]), &sample.catalog()),
        ["unlisted_column a.x", "unlisted_column ring1.x"]
    );
}

#[test]
fn a_child_with_a_foreign_key_of_its_own_needs_its_parent_to_agree() {
    let mut sample = Sample::new("d");
    sample.table("s.a", &["x int8"]);
    sample.table("s.parent", &["x int8"]);
    sample.child("s.child", "s.parent", &["x int8"]);
    sample.foreign_key("s.child", &["x"], "s.a", &["x"]);
    let catalog = sample.catalog();
    assert_eq!(
        brief(&rules("keep", &["a.x = \"integer\""]), &catalog),
        ["foreign_key_conflict child.x"]
    );
    let agreed = rules("deny", &["a.x = \"integer\"", "parent.x = \"integer\""]);
    assert!(plan(&agreed, &catalog).is_ok());
}

#[test]
fn children_take_their_parents_rule_and_no_other() {
    let mut sample = Sample::new("d");
    sample.table("s.p1", &["x text"]);
    sample.table("s.p2", &["x text"]);
    sample.child("s.child", "s.p1", &["other int4", "x text"]);
    sample.child("s.grandchild", "s.child", &["x text", "other int4"]).is_partition = true;
    let p2 = sample.oid("s.p2");
    let one = ["p1.x = \"text\"", "p2.x = \"text\"", "child.other = \"keep\""];
    sample.0.relations[2].parents.push(p2);
    let catalog = sample.catalog();
    let plan = planned(&rules("deny", &one), &catalog);
    assert_eq!(spec(&plan, "grandchild", "x").unwrap().mask, MaskName::Text);
    let two = [
        "p1.x = \"text\"",
        "p2.x = \"redact\"",
        "child.other = \"keep\"",
        "grandchild.x = \"city\"",
    ];
    assert_eq!(
        brief(&rules("deny", &two), &catalog),
        ["inheritance_conflict child.x", "partition_conflict grandchild.x"]
    );
    assert_eq!(
        brief(&rules("keep", &["child.x = \"text\""]), &catalog),
        ["inheritance_conflict child.x", "inheritance_conflict child.x"]
    );
}

#[test]
fn a_child_of_a_foreign_table_is_listed_itself() {
    let mut sample = Sample::new("d");
    sample.relation(RelationKind::ForeignTable, "s.far", &["a text"]);
    sample.child("s.near", "s.far", &["a text"]);
    assert_eq!(brief(&rules("deny", &[]), &sample.catalog()), ["unlisted_column near.a"]);
}

#[test]
fn every_masked_column_of_a_unique_index_needs_a_permutation() {
    let mut sample = Sample::new("d");
    sample.table("s.t", &["a text", "b int4", "c text", "d text"]);
    sample.unique("s.t", &["a", "b", "c"]).include_columns.insert(4);
    let catalog = sample.catalog();
    let good = ["t.a = \"digits\"", "t.b = \"integer\"", "t.c = \"keep\"", "t.d = \"text\""];
    let planned = planned(&rules("deny", &good), &catalog);
    assert!(planned.databases[0].indexes[0].unique);
    let bad = [
        "t.a = \"email\"",
        "t.b = { mask = \"noise\", share = 0.1 }",
        "t.c = \"keep\"",
        "t.d = \"text\"",
    ];
    let refusals = refused(&rules("deny", &bad), &catalog);
    assert_eq!(refusals.len(), 2);
    assert!(refusals[0].remedy.contains("a = \"alphanumeric\""), "{}", refusals[0].remedy);
    assert!(refusals[0].remedy.contains("a = { mask = \"email\", unique = true }"));
    assert!(refusals[1].remedy.contains("b = \"integer\""), "{}", refusals[1].remedy);
}

#[test]
fn unique_indexes_beyond_plain_columns_are_refused_unless_confirmed() {
    let mut sample = Sample::new("d");
    sample.table("s.t", &["a text", "b text", "c text", "d int4", "e text"]);
    sample.unique("s.t", &[]).expression_columns.insert(1);
    sample.unique("s.t", &["e"]).predicate_columns.insert(2);
    sample.unique("s.t", &["c"]).nondeterministic_collation = true;
    sample.unique("s.t", &["d"]).exclusion_operators = Some(vec!["<>".to_owned()]);
    let catalog = sample.catalog();
    let all = |confirm: &str| {
        let rule = |column: &str, mask: &str| {
            format!("t.{column} = {{ mask = {mask:?}, confirm_check = {confirm} }}")
        };
        let lines = [
            rule("a", "alphanumeric"),
            rule("b", "alphanumeric"),
            rule("c", "alphanumeric"),
            rule("d", "integer"),
            "t.e = \"keep\"".to_owned(),
        ];
        rules("deny", &lines.each_ref().map(String::as_str))
    };
    assert_eq!(
        brief(&all("false"), &catalog),
        [
            "unique_expression t.a",
            "unique_predicate t.b",
            "unique_collation t.c",
            "exclusion_operator t.d"
        ]
    );
    assert_eq!(
        brief(&all("true"), &catalog),
        ["unique_collation t.c", "exclusion_operator t.d"],
        "the user's word is enough where a rebuild would fail"
    );
}

#[test]
fn an_exclusion_constraint_holds_where_it_excludes_equal_values() {
    let mut sample = Sample::new("d");
    sample.table("s.t", &["room int4", "during tsrange"]);
    let index = sample.unique("s.t", &["room", "during"]);
    index.unique = false;
    index.exclusion_operators = Some(vec!["=".to_owned(), "&&".to_owned()]);
    let catalog = sample.catalog();
    let lines = ["t.room = \"integer\"", "t.during = \"keep\""];
    assert!(plan(&rules("deny", &lines), &catalog).is_ok());
}

#[test]
fn a_partitions_index_is_reported_with_its_parents() {
    let mut sample = Sample::new("d");
    sample.relation(RelationKind::PartitionedTable, "s.p", &["a text"]);
    sample.child("s.p1", "s.p", &["a text"]).is_partition = true;
    let parent = sample.unique("s.p", &["a"]);
    parent.partitioned = true;
    let parent = parent.oid;
    sample.unique("s.p1", &["a"]).parent = Some(parent);
    let catalog = sample.catalog();
    assert_eq!(
        brief(&rules("deny", &["p.a = \"email\""]), &catalog),
        ["unique_needs_injective p.a"]
    );
    let plan = planned(&rules("deny", &["p.a = \"digits\""]), &catalog);
    let names: Vec<_> = plan.databases[0].indexes.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["unique1"], "what has storage is rebuilt");
    assert_eq!(plan.databases[0].relations.len(), 1);
}

#[test]
fn check_constraints_need_the_users_word() {
    let mut sample = Sample::new("d");
    sample.table("s.t", &["a text", "n int4", "kept int4"]);
    sample.check("s.t", &["a", "n"], "((a ~ 'x'::text) OR (n > 3))");
    sample.check("s.t", &["kept"], "(kept > 3)");
    let catalog = sample.catalog();
    let lines = ["t.a = \"text\"", "t.n = \"integer\"", "t.kept = \"keep\""];
    assert_eq!(
        brief(&rules("deny", &lines), &catalog),
        ["check_constraint t.a", "check_constraint t.n"]
    );
    let confirmed = [
        "t.a = { mask = \"text\", confirm_check = true }",
        "t.n = { mask = \"integer\", confirm_check = true }",
        "t.kept = \"keep\"",
    ];
    assert!(plan(&rules("deny", &confirmed), &catalog).is_ok());
}

#[cfg(feature = "sql")]
#[test]
fn conditions_that_masks_keep_need_no_word() {
    let masked = rules("keep", &["t.a = \"text\"", "t.n = \"integer\"", "t.b = \"phone\""]);
    for (expression, harmless) in [
        ("(a IS NOT NULL)", true),
        ("(n IS NULL)", true),
        ("(length(a) > 3)", true),
        ("((char_length((b)::text) >= 2) AND (octet_length(a) < 100))", true),
        ("((a <> ''::text) OR (kept > 3))", true),
        ("(length(a) = kept)", true),
        ("(kept = ANY (ARRAY[1, 2]))", true),
        ("(NOT (a = ''::text))", true),
        ("(a <> 'x'::text)", false),
        ("(n > 0)", false),
        ("(length((n)::text) > 3)", false),
        ("(length(btrim(a)) > 3)", false),
        ("(own.length(a) > 3)", false),
        ("(a ~~ 'x%'::text)", false),
        ("(a = ANY (ARRAY[''::text, 'x'::text]))", false),
        ("((a IS NOT NULL) AND (n > 0))", false),
        ("(t.* IS NOT NULL)", false),
        ("CASE WHEN (kept > 1) THEN true ELSE false END", false),
        ("this does not parse", false),
    ] {
        let mut sample = Sample::new("d");
        sample.table("s.t", &["a text", "n int4", "kept int4", "b varchar"]);
        sample.check("s.t", &["a", "n", "b"], expression);
        assert_eq!(brief(&masked, &sample.catalog()).is_empty(), harmless, "{expression}");
    }
}

#[cfg(feature = "sql")]
#[test]
fn a_predicate_on_null_alone_picks_the_same_rows() {
    let mut sample = Sample::new("d");
    sample.table("s.t", &["a int4", "b text"]);
    let index = sample.unique("s.t", &["a"]);
    index.predicate_columns.insert(2);
    index.predicate = Some("(b IS NOT NULL)".to_owned());
    assert!(plan(&rules("deny", &["t.a = \"keep\"", "t.b = \"text\""]), &sample.catalog()).is_ok());
}

#[test]
fn generated_columns_follow_what_they_are_over() {
    let mut sample = Sample::new("d");
    let table = sample.table("s.t", &["a text", "stored text", "virtual text", "b text"]);
    table.columns[1].generated = Some(Generated { stored: true, columns: BTreeSet::from([4]) });
    table.columns[2].generated = Some(Generated { stored: false, columns: BTreeSet::from([1]) });
    sample.check("s.t", &["virtual"], "(virtual ~ 'x'::text)");
    let catalog = sample.catalog();
    assert_eq!(
        brief(&rules("deny", &["t.a = \"keep\"", "t.b = \"text\""]), &catalog),
        ["generated_stored t.b"]
    );
    assert_eq!(
        brief(&rules("deny", &["t.a = \"text\"", "t.b = \"keep\""]), &catalog),
        ["check_constraint t.a"],
        "a check on a virtual column is one on what it is over"
    );
    assert_eq!(
        brief(&rules("keep", &["t.stored = \"text\""]), &catalog),
        ["generated_column t.stored"]
    );
}

#[test]
fn partition_keys_and_other_storage_are_refused() {
    let mut sample = Sample::new("d");
    let table = sample.relation(RelationKind::PartitionedTable, "s.p", &["a text", "b text"]);
    let definition = "LIST (lower(a))".to_owned();
    table.partition_key = Some(PartitionKey { columns: BTreeSet::from([1]), definition });
    sample.table("s.columnar", &["a text"]).access_method = Some("columnar".to_owned());
    sample.table("s.untouched", &["a text"]).access_method = Some("columnar".to_owned());
    sample.table("s.bytes", &["a bytea"]).columns[0].base_type = Some(TypeName {
        schema: "public".to_owned(),
        name: "text".to_owned(),
        ..TypeName::default()
    });
    let lines = [
        "p.a = \"text\"",
        "p.b = \"text\"",
        "columnar.a = \"text\"",
        "untouched.a = \"keep\"",
        "bytes.a = \"text\"",
    ];
    assert_eq!(
        brief(&rules("deny", &lines), &sample.catalog()),
        ["unsupported_type bytes.a", "access_method columnar.-", "partition_key p.a"]
    );
}

#[test]
fn materialized_views_are_refreshed_after_what_they_read() {
    let mut sample = Sample::new("d");
    sample.table("s.t", &["a text"]);
    sample.table("s.kept", &["a text"]);
    sample.view(RelationKind::View, "s.v", &["s.t"]);
    sample.view(RelationKind::MaterializedView, "s.late", &["s.v"]);
    sample.view(RelationKind::MaterializedView, "s.early", &["s.late", "s.kept"]);
    sample.view(RelationKind::MaterializedView, "s.alone", &["s.kept"]);
    let plan = planned(&rules("deny", &["t.a = \"text\"", "kept.a = \"keep\""]), &sample.catalog());
    assert_eq!(plan.databases[0].materialized_views, ["\"s\".\"late\"", "\"s\".\"early\""]);
}

#[test]
fn materialized_views_that_cannot_be_refreshed_are_refused() {
    let mut sample = Sample::new("d");
    sample.table("s.t", &["a text"]);
    sample.relation(RelationKind::ForeignTable, "s.far", &["a text"]);
    sample.view(RelationKind::MaterializedView, "s.both", &["s.t", "s.far"]);
    sample.view(RelationKind::MaterializedView, "s.far_alone", &["s.far"]);
    sample.view(RelationKind::MaterializedView, "s.empty", &["s.t"]).is_populated = false;
    sample.view(RelationKind::MaterializedView, "s.over_empty", &["s.empty"]);
    let catalog = sample.catalog();
    assert_eq!(
        brief(&rules("deny", &["t.a = \"text\""]), &catalog),
        [
            "materialized_view_foreign both.-",
            "materialized_view_foreign far_alone.-",
            "materialized_view_unpopulated over_empty.-",
        ]
    );
    assert_eq!(brief(&rules("keep", &[]), &catalog), Vec::<String>::new());
}

#[test]
fn templates_and_unread_databases() {
    let mut catalog = Sample::new("d").catalog();
    assert_eq!(planned(&rules("deny", &[]), &catalog).databases.len(), 1);
    catalog.databases[0].info.is_template = true;
    let none = RuleSet::from_toml("version = 1").unwrap();
    assert_eq!(planned(&none, &catalog).databases.len(), 0, "an empty template is left alone");
    catalog.databases.clear();
    assert_eq!(refused(&none, &catalog)[0].code, "database_unread");
}

#[test]
fn suggests_permutations_where_an_index_is_unique() {
    let mut sample = Sample::new("d");
    sample.table("s.t", &["id int8", "email text", "phone text", "born date", "vorname text"]);
    sample.unique("s.t", &["id"]).primary = true;
    sample.unique("s.t", &["email"]);
    sample.unique("s.t", &["phone"]);
    sample.unique("s.t", &["born"]);
    let catalog = sample.catalog();
    let text = suggest(&catalog);
    let rules = RuleSet::from_toml(&text).unwrap();
    assert!(plan(&rules, &catalog).is_ok(), "{text}");
    let table = &rules.databases["d"].tables["s.t"];
    assert_eq!(table["id"].mask, MaskName::Keep);
    assert_eq!((table["email"].mask, table["email"].options.unique), (MaskName::Email, true));
    assert_eq!(table["phone"].mask, MaskName::Digits);
    assert_eq!(table["born"].mask, MaskName::Keep);
    assert_eq!(table["vorname"].mask, MaskName::FirstName);
    assert!(text.contains("# date: unique"), "{text}");
}
