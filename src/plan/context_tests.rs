//! Masks that look at other columns of the row, on catalogs made for the purpose.

use super::plan;
use crate::cluster::catalog::sample::Sample;
use crate::cluster::catalog::{Catalog, Generated, MissingValue};
use crate::error::Error;
use crate::plan::MaskPlan;
use crate::rules::RuleSet;

fn planned(columns: &str, catalog: &Catalog) -> Result<MaskPlan, Vec<String>> {
    let text = format!("version = 1\nunlisted = \"keep\"\n[databases.d.tables]\n{columns}");
    match plan(&RuleSet::from_toml(&text).unwrap(), catalog) {
        Ok(plan) => Ok(plan),
        Err(Error::Refused(refusals)) => Err(refusals
            .iter()
            .map(|refusal| {
                assert!(!refusal.remedy.is_empty());
                let table = refusal.table.as_deref().unwrap_or("-");
                format!("{} {table}.{}", refusal.code, refusal.column.as_deref().unwrap_or("-"))
            })
            .collect()),
        Err(error) => panic!("{error}"),
    }
}

fn refused(columns: &str, catalog: &Catalog) -> Vec<String> {
    planned(columns, catalog).err().unwrap_or_default()
}

const VISITED: &str = "\"s.visits\".day = { mask = \"date_shift\", subject = \"patient\" }\n";

#[test]
fn a_subject_is_found_by_name_wherever_it_stands_and_children_have_the_parents() {
    let mut sample = Sample::new("d");
    sample.table("s.visits", &["patient int8", "day date"]);
    sample.child("s.old", "s.visits", &["day date", "gone text", "patient int8"]);
    let subjects: Vec<usize> = planned(VISITED, &sample.catalog()).unwrap().databases[0]
        .relations
        .iter()
        .flat_map(|relation| &relation.attributes)
        .filter_map(|attribute| Some(attribute.subject.as_ref()?.attribute))
        .collect();
    assert_eq!(subjects, [0, 2]);
    let mut sample = Sample::new("d");
    sample.table("s.visits", &["patient int8", "day date"]);
    sample.child("s.old", "s.visits", &["day date", "patient int8"]);
    let own = format!("{VISITED}\"s.old\".day = \"date_shift\"");
    assert_eq!(refused(&own, &sample.catalog()), ["inheritance_conflict s.old.day"]);
}

#[test]
fn columns_that_are_no_subject_are_refused() {
    for (subject, code) in [
        ("patiend", "unknown_subject"),
        ("day", "subject_type"),
        ("sure", "subject_type"),
        ("virtual", "subject_type"),
    ] {
        let mut sample = Sample::new("d");
        let columns = ["patient int8", "day date", "sure bool", "virtual int8"];
        let table = sample.table("s.visits", &columns);
        table.columns[3].generated = Some(Generated { stored: false, columns: [1].into() });
        let rule = VISITED.replace("\"patient\"", &format!("{subject:?}"));
        let expected = format!("{code} s.visits.day");
        assert_eq!(refused(&rule, &sample.catalog()), [expected], "{subject}");
    }
}

#[test]
fn rows_older_than_a_column_have_one_value_which_no_row_can_say_more_about() {
    let mut sample = Sample::new("d");
    let table = sample.table("s.visits", &["patient numeric", "day date"]);
    table.columns[1].has_missing = true;
    assert_eq!(refused(VISITED, &sample.catalog()), ["missing_value_by_row s.visits.day"]);
    // As a subject it is what the catalog says, which is written down nowhere.
    let mut sample = Sample::new("d");
    let column = &mut sample.table("s.visits", &["patient numeric", "day date"]).columns[0];
    (column.has_missing, column.missing) = (true, Some(MissingValue("70.50".to_owned())));
    let plan = planned(VISITED, &sample.catalog()).unwrap();
    let subject = plan.databases[0].relations[0].attributes[1].subject.as_ref().unwrap();
    assert_eq!(subject.missing.as_ref().unwrap().0, b"70.5");
    let written = format!("{plan:?}{}", serde_json::to_string(&plan).unwrap());
    assert!(!written.contains("70.5"), "{written}");
}

#[test]
fn a_foreign_key_joins_dates_if_it_joins_their_subjects_too() {
    let tables = |sample: &mut Sample| {
        sample.table("s.visits", &["patient int8", "day date"]);
        sample.table("s.bills", &["visited date", "payer int4"]);
    };
    let mut sample = Sample::new("d");
    tables(&mut sample);
    sample.foreign_key("s.bills", &["payer", "visited"], "s.visits", &["patient", "day"]);
    let plan = planned(VISITED, &sample.catalog()).unwrap();
    let bills = &plan.databases[0].relations[1];
    assert_eq!(bills.attributes[0].subject.as_ref().unwrap().attribute, 1);

    let mut sample = Sample::new("d");
    tables(&mut sample);
    sample.foreign_key("s.bills", &["visited"], "s.visits", &["day"]);
    let catalog = sample.catalog();
    assert_eq!(refused(VISITED, &catalog), ["foreign_key_subject s.bills.visited"]);
    let other =
        format!("{VISITED}\"s.bills\".visited = {{ mask = \"date_shift\", subject = \"payer\" }}");
    assert_eq!(refused(&other, &catalog), ["foreign_key_subject s.bills.visited"]);
}

#[test]
fn a_unique_index_over_dates_needs_their_subject_in_it() {
    let unique = |columns: &[&str], not_null: bool, rules: &str| {
        let mut sample = Sample::new("d");
        let table = sample.table("s.visits", &["patient int8", "day date", "code text"]);
        table.columns[0].not_null = not_null;
        sample.unique("s.visits", columns);
        refused(rules, &sample.catalog())
    };
    let refusal = ["unique_needs_injective s.visits.day"];
    let none: [&str; 0] = [];
    let code = "\"s.visits\".code = { mask = \"digits\", subject = \"patient\" }\n";
    assert_eq!(unique(&["patient", "day"], true, VISITED), none);
    assert_eq!(unique(&["patient", "code"], true, code), none);
    assert_eq!(unique(&["patient", "day"], false, VISITED), refusal);
    assert_eq!(unique(&["day"], true, VISITED), refusal);
    assert_eq!(unique(&["code"], true, code), ["unique_needs_injective s.visits.code"]);
    let masked = format!("{VISITED}\"s.visits\".patient = \"integer\"");
    assert_eq!(unique(&["patient", "day"], true, &masked), none);
    let noisy = format!("{VISITED}\"s.visits\".patient = \"noise\"");
    assert_eq!(unique(&["patient", "day"], true, &noisy).len(), 2);
}

#[test]
fn a_persona_is_made_of_columns_that_are_masked_as_names() {
    let refused_for = |persona: &str, names: &str| {
        let mut sample = Sample::new("d");
        let columns = ["email text", "given text", "family text", "n int4", "all text"];
        sample.table("s.people", &columns);
        let rules =
            format!("\"s.people\".email = {{ mask = \"email\", persona = {persona} }}\n{names}\n");
        refused(&rules, &sample.catalog())
    };
    let named = "\"s.people\".given = \"first_name\"\n\"s.people\".family = \"last_name\"";
    let none: [&str; 0] = [];
    let refusal = ["persona s.people.email"];
    assert_eq!(refused_for("[\"given\", \"family\"]", named), none);
    assert_eq!(refused_for("[\"given\", \"famly\"]", named), refusal);
    assert_eq!(refused_for("[\"n\"]", named), refusal);
    // Kept, or masked as something else: the address would show it.
    assert_eq!(refused_for("[\"all\"]", named), refusal);
    assert_eq!(refused_for("[\"all\"]", "\"s.people\".all = \"text\""), refusal);
    assert_eq!(refused_for("[\"all\"]", "\"s.people\".all = \"full_name\""), none);
    let mut sample = Sample::new("d");
    sample.table("s.people", &["email text", "given text"]);
    sample.unique("s.people", &["email"]);
    let rules = "\"s.people\".email = { mask = \"email\", persona = [\"given\"] }\n\
                 \"s.people\".given = \"first_name\"";
    assert_eq!(refused(rules, &sample.catalog()), ["unique_needs_injective s.people.email"]);
}
