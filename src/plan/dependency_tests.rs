//! The planner on what hangs together: databases, large objects, computed columns, encodings.

use std::collections::BTreeSet;

use super::{Action, MaskPlan, Relayout, plan};
use crate::cluster::catalog::sample::Sample;
use crate::cluster::catalog::{Catalog, Generated, RelationKind};
use crate::datum::Encoding;
use crate::error::{Error, Refusal};
use crate::rules::RuleSet;

fn rules(text: &str) -> RuleSet {
    RuleSet::from_toml(&format!("version = 1\n{text}")).unwrap()
}

fn planned(text: &str, catalog: &Catalog) -> MaskPlan {
    plan(&rules(text), catalog).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str, catalog: &Catalog) -> Vec<Refusal> {
    match plan(&rules(text), catalog) {
        Err(Error::Refused(refusals)) => {
            assert!(refusals.iter().all(|refusal| !refusal.remedy.is_empty()));
            refusals
        }
        Err(error) => panic!("{error}"),
        Ok(_) => Vec::new(),
    }
}

fn codes(text: &str, catalog: &Catalog) -> Vec<&'static str> {
    refused(text, catalog).iter().map(|refusal| refusal.code).collect()
}

/// A catalog of one database with a table `s.t`.
fn with_table(database: &str) -> Catalog {
    let mut sample = Sample::new(database);
    sample.table("s.t", &["a text"]);
    sample.catalog()
}

#[test]
fn a_database_is_dropped_by_its_section_or_for_having_none() {
    let catalog = with_table("shop");
    assert_eq!(codes("", &catalog), ["unlisted_database", "unlisted_column"]);
    for text in ["[databases.shop]\ndrop = true", "unlisted_databases = \"drop\""] {
        let plan = planned(text, &catalog);
        assert_eq!(plan.dropped, ["shop"]);
        assert_eq!(plan.databases.len(), 0);
    }
    let listed = "unlisted_databases = \"drop\"\n[databases.shop.tables.\"s.t\"]\na = \"keep\"";
    assert_eq!(planned(listed, &catalog).dropped, Vec::<String>::new());
}

#[test]
fn a_database_that_nobody_can_look_into_can_be_dropped() {
    let mut catalog = with_table("closed");
    catalog.cluster.databases[0].allows_connections = false;
    catalog.databases.clear();
    assert_eq!(codes("", &catalog), ["database_not_connectable"]);
    assert_eq!(planned("[databases.closed]\ndrop = true", &catalog).dropped, ["closed"]);
}

#[test]
fn templates_and_the_empty_default_database_are_not_dropped() {
    let empty = Sample::new("postgres").catalog();
    assert_eq!(planned("unlisted_databases = \"drop\"", &empty).dropped, Vec::<String>::new());
    let full = with_table("postgres");
    assert_eq!(planned("unlisted_databases = \"drop\"", &full).dropped, ["postgres"]);
    let template = with_table("template1");
    assert!(codes("unlisted_databases = \"drop\"", &template).contains(&"unlisted_database"));
    assert!(codes("[databases.template1]\ndrop = true", &template).contains(&"template_dropped"));
}

#[test]
fn large_objects_are_refused_blanked_or_kept() {
    let mut sample = Sample::new("d");
    sample.0.large_objects = 2;
    sample.0.pg_largeobject = Some("base/16384/2613".into());
    let catalog = sample.catalog();
    let refusals = refused("[databases.d]\nlarge_objects = \"deny\"", &catalog);
    assert_eq!(refusals[0].code, "large_objects");
    assert!(refusals[0].remedy.ends_with("[databases.d]\nlarge_objects = \"blank\""));
    assert_eq!(codes("[databases.d]", &catalog), ["large_objects"]);
    let blanked = planned("[databases.d]\nlarge_objects = \"blank\"", &catalog);
    let relation = &blanked.databases[0].relations[0];
    assert_eq!(relation.path.to_str(), Some("base/16384/2613"));
    let actions: Vec<_> = relation.attributes.iter().map(|a| a.action.clone()).collect();
    assert_eq!(actions, [Action::Keep, Action::Keep, Action::Zero]);
    for text in ["[databases.d]\nlarge_objects = \"keep\"", "unlisted = \"keep\""] {
        assert_eq!(planned(text, &catalog).databases[0].relations.len(), 0);
    }
    let both = "unlisted = \"keep\"\n[databases.d]\nlarge_objects = \"deny\"";
    assert_eq!(codes(both, &catalog), ["large_objects"]);
}

#[test]
fn what_is_left_of_removed_large_objects_goes() {
    let mut sample = Sample::new("d");
    sample.0.pg_largeobject = Some("base/16384/2613".into());
    assert_eq!(planned("[databases.d]", &sample.catalog()).databases[0].relations.len(), 1);
}

/// Table `s.t` with `id`, `email`, and `lowered`, a stored generated column over `email`.
fn with_generated() -> Sample {
    let mut sample = Sample::new("d");
    let table = sample.table("s.t", &["id int8", "email text", "lowered text"]);
    table.columns[2].generated = Some(Generated { stored: true, columns: BTreeSet::from([2]) });
    sample
}

const MASKED: &str = "[databases.d.tables.\"s.t\"]\nid = \"keep\"\nemail = \"email\"";
const ALLOWED: &str =
    "[databases.d.tables.\"s.t\"]\nid = \"keep\"\nemail = \"email\"\nallow_relayout = true";

#[test]
fn stored_generated_columns_are_computed_where_that_is_allowed() {
    let catalog = with_generated().catalog();
    let refusals = refused(MASKED, &catalog);
    assert_eq!(refusals[0].code, "generated_stored");
    assert!(refusals[0].remedy.contains("[databases.d.tables.\"s.t\"]\nallow_relayout = true"));
    let plan = planned(ALLOWED, &catalog);
    let relayout = Relayout { sources: vec!["email".into()], computed: vec![3] };
    let planned_table = &plan.databases[0].relations[0];
    assert_eq!(planned_table.relayout, Some(relayout));
    assert_eq!(planned_table.attributes[2].action, Action::Zero);
    let kept =
        "[databases.d.tables.\"s.t\"]\nid = \"keep\"\nemail = \"keep\"\nallow_relayout = true";
    assert_eq!(planned(kept, &catalog).databases[0].relations.len(), 0);
}

#[test]
fn indexes_over_computed_columns_are_rebuilt_and_unique_ones_refused() {
    let mut sample = with_generated();
    sample.unique("s.t", &["lowered"]).unique = false;
    assert_eq!(planned(ALLOWED, &sample.catalog()).databases[0].indexes.len(), 1);
    let mut sample = with_generated();
    sample.unique("s.t", &["lowered"]);
    assert_eq!(codes(ALLOWED, &sample.catalog()), ["unique_expression"]);
}

/// A table with a unique index of these keys, in which `email` is in an expression.
#[cfg(feature = "sql")]
fn with_expression(keys: &str) -> Catalog {
    let mut sample = Sample::new("d");
    sample.table("s.t", &["id int4", "email text", "nick text"]);
    let index = sample.unique("s.t", &[]);
    index.expression_columns = [2, 3].into();
    index.definition = format!("CREATE UNIQUE INDEX i ON s.t USING btree ({keys})");
    sample.catalog()
}

#[cfg(feature = "sql")]
#[test]
fn a_unique_index_over_small_letters_takes_masks_to_which_a_letter_is_one_large_and_small() {
    let catalog = with_expression("lower(email), upper(nick)");
    let with = |email: &str, nick: &str| {
        format!("[databases.d.tables.\"s.t\"]\nid = \"keep\"\nemail = {email}\nnick = {nick}")
    };
    let email = "{ mask = \"email\", unique = true }";
    let nick = "{ mask = \"username\", unique = true }";
    assert_eq!(planned(&with(email, nick), &catalog).databases[0].indexes.len(), 1);
    for other in [
        "\"alphanumeric\"",
        "\"email\"",
        "{ mask = \"username\", unique = true, when = \"id > 1\", else = \"keep\" }",
    ] {
        let refusals = refused(&with(other, nick), &catalog);
        assert!(refusals.iter().any(|it| it.code == "unique_expression"), "{other}: {refusals:?}");
        let remedy = &refusals[0].remedy;
        assert!(remedy.contains(&format!("email = {email}\nor email = {nick}")), "{remedy}");
    }
    assert_eq!(codes(&with(email, nick), &with_expression("lower(email), md5(nick)")).len(), 2);
    let suggested = super::suggest(&catalog);
    assert!(suggested.contains(&format!("email = {email}")), "{suggested}");
    assert!(suggested.contains(&format!("nick = {nick}")), "{suggested}");
    assert!(plan(&RuleSet::from_toml(&suggested).unwrap(), &catalog).is_ok());
}

#[test]
fn foreign_keys_over_computed_columns_are_refused() {
    let mut sample = with_generated();
    sample.table("s.u", &["lowered text"]);
    sample.foreign_key("s.u", &["lowered"], "s.t", &["lowered"]);
    let text = format!("{ALLOWED}\n[databases.d.tables.\"s.u\"]\nlowered = \"keep\"");
    assert_eq!(codes(&text, &sample.catalog()), ["generated_foreign_key"]);
}

#[test]
fn what_is_allowed_for_a_partitioned_table_is_for_its_partitions() {
    let mut sample = Sample::new("d");
    let columns = ["id int8", "email text", "lowered text"];
    for (kind, name) in [(RelationKind::PartitionedTable, "s.t"), (RelationKind::Table, "s.p")] {
        let table = sample.relation(kind, name, &columns);
        table.columns[2].generated = Some(Generated { stored: true, columns: BTreeSet::from([2]) });
    }
    let parent = sample.0.relations[0].oid;
    sample.0.relations[1].parents = vec![parent];
    let catalog = sample.catalog();
    assert_eq!(codes(MASKED, &catalog), ["generated_stored"]);
    let plan = planned(ALLOWED, &catalog);
    assert_eq!(plan.databases[0].relations.len(), 1);
    assert!(plan.databases[0].relations.iter().all(|relation| relation.relayout.is_some()));
}

#[test]
fn text_is_masked_in_its_databases_encoding() {
    let encoding = |name: &str| {
        let mut catalog = with_table("d");
        catalog.databases[0].info.encoding = name.to_owned();
        let text = "[databases.d.tables.\"s.t\"]\na = \"text\"";
        match plan(&rules(text), &catalog) {
            Ok(plan) => match &plan.databases[0].relations[0].attributes[0].action {
                Action::Mask(spec) => Ok(spec.value().unwrap().encoding),
                _ => panic!("not masked"),
            },
            Err(Error::Refused(refusals)) => Err(refusals[0].code),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(encoding("LATIN1"), Ok(Encoding::Latin1));
    assert_eq!(encoding("EUC_JP"), Ok(Encoding::EucJp));
    assert_eq!(encoding("MULE_INTERNAL"), Err("unsupported_encoding"));
}
