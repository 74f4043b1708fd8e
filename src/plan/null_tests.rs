//! Mask `null` on catalogs made for the purpose.

use super::{Action, plan, suggest};
use crate::cluster::catalog::sample::Sample;
use crate::cluster::catalog::{Catalog, TypeName};
use crate::datum::{Encoding, EnumLabels, Structure, ValueType};
use crate::error::Error;
use crate::mask::{ColumnMask, Mask, MaskKey, MaskSpec};
use crate::rules::{MaskName, MaskOptions, RuleSet};

/// `code table.column` of every refusal, for rules of database `d`.
fn refusals(lines: &[&str], catalog: &Catalog) -> Vec<String> {
    let mut text = "version = 1\n[databases.d.tables]\n".to_owned();
    for line in lines {
        let (table, rule) = line.split_once('.').unwrap();
        text.push_str(&format!("\"s.{table}\".{rule}\n"));
    }
    let refusals = match plan(&RuleSet::from_toml(&text).unwrap(), catalog) {
        Err(Error::Refused(refusals)) => refusals,
        Err(error) => panic!("{error}"),
        Ok(_) => return Vec::new(),
    };
    let brief = refusals.iter().map(|refusal| {
        let table = refusal.table.as_deref().unwrap_or("-").trim_start_matches("s.");
        format!("{} {table}.{}", refusal.code, refusal.column.as_deref().unwrap_or("-"))
    });
    brief.collect()
}

fn two_tables() -> Sample {
    let mut sample = Sample::new("d");
    sample.table("s.a", &["id int4", "code text", "nick text"]).columns[0].not_null = true;
    sample.table("s.b", &["a_id int4", "a_code text", "kind text"]);
    sample.foreign_key("s.b", &["a_id"], "s.a", &["id"]);
    sample.foreign_key("s.b", &["a_code"], "s.a", &["code"]);
    sample
}

const REST: [&str; 2] = ["a.nick = \"keep\"", "b.kind = \"keep\""];

#[test]
fn a_referencing_column_may_be_null_and_a_referenced_one_takes_it_along() {
    let catalog = two_tables().catalog();
    let check = |lines: &[&str]| refusals(&[lines, &REST[..]].concat(), &catalog);
    let none = Vec::<String>::new();
    assert_eq!(check(&["a.id = \"integer\"", "a.code = \"keep\"", "b.a_id = \"null\""]), none);
    assert_eq!(check(&["a.id = \"keep\"", "a.code = \"null\"", "b.a_code = \"null\""]), none);
    assert_eq!(check(&["a.id = \"keep\"", "a.code = \"null\""]), none);
    assert_eq!(
        check(&["a.id = \"keep\"", "a.code = \"null\"", "b.a_code = \"keep\""]),
        ["foreign_key_conflict b.a_code"]
    );
    // What can't be null at the one end can't be at the other.
    assert_eq!(check(&["a.id = \"null\"", "a.code = \"keep\""]), ["null_not_null a.id"]);
}

#[test]
#[cfg(feature = "sql")]
fn under_a_condition_a_referencing_column_is_null_or_what_it_was() {
    let catalog = two_tables().catalog();
    let check = |lines: &[&str]| refusals(&[lines, &REST[..]].concat(), &catalog);
    let when = "when = \"kind = 'x'\"";
    let own = format!("b.a_code = {{ mask = \"null\", {when}, else = \"keep\" }}");
    assert_eq!(check(&["a.id = \"keep\"", "a.code = \"keep\"", &own]), Vec::<String>::new());
    let other = check(&["a.id = \"keep\"", "a.code = \"alphanumeric\"", &own]);
    assert!(other.contains(&"foreign_key_condition b.a_code".to_owned()), "{other:?}");
}

#[test]
fn a_unique_index_holds_unless_nulls_are_equal_to_it() {
    let rules = ["t.a = \"null\"", "t.b = \"keep\""];
    let index = |nulls_not_distinct| {
        let mut sample = Sample::new("d");
        sample.table("s.t", &["a text", "b text"]);
        sample.unique("s.t", &["a", "b"]).nulls_not_distinct = nulls_not_distinct;
        sample.catalog()
    };
    assert_eq!(refusals(&rules, &index(false)), Vec::<String>::new());
    assert_eq!(refusals(&rules, &index(true)), ["unique_nulls t.a"]);
    assert_eq!(
        refusals(&["t.a = \"text\"", "t.b = \"keep\""], &index(false)),
        ["unique_needs_injective t.a"]
    );
}

#[test]
fn an_unknown_type_is_read_by_its_bytes_and_suggested_to_become_null() {
    let mut sample = Sample::new("d");
    let column = &mut sample.table("s.t", &["odd text", "must text"]).columns;
    for column in column.iter_mut() {
        column.base_type = Some(TypeName { schema: "s".into(), ..TypeName::default() });
        column.structure = Structure::Unknown;
    }
    column[1].not_null = true;
    let catalog = sample.catalog();
    let text = suggest(&catalog);
    assert!(text.contains("odd  = \"null\"") || text.contains("odd = \"null\""), "{text}");
    assert!(text.contains("must = \"keep\""), "{text}");
    let rules = "version = 1\n[databases.d.tables.\"s.t\"]\nodd = \"null\"\nmust = \"keep\"\n";
    let plan = plan(&RuleSet::from_toml(rules).unwrap(), &catalog).unwrap();
    let Action::Mask(mask) = &plan.databases[0].relations[0].attributes[0].action else {
        panic!("not masked");
    };
    let ColumnMask::Null(reader) = &**mask else { panic!("{mask:?}") };
    assert_eq!(reader.value().unwrap().value_type, ValueType::Bytea);
}

#[test]
fn no_value_has_a_mask_of_that_name() {
    let spec = MaskSpec {
        mask: MaskName::Null,
        domain: "null".into(),
        value_type: ValueType::Text,
        encoding: Encoding::Utf8,
        options: MaskOptions::default(),
        labels: EnumLabels::default(),
    };
    let error = Mask::compile(&spec, &MaskKey::from_bytes([7; 32])).err().unwrap();
    assert!(error.to_string().contains("makes no value"), "{error}");
}
