//! What becomes a condition, and what is refused.

use crate::cluster::catalog::sample::Sample;
use crate::cluster::catalog::{Catalog, Collation, MissingValue};
use crate::datum::EnumLabels;
use crate::datum::condition::{Comparison, Condition, Number, Operand, Value};
use crate::error::{Error, Refusal};
use crate::plan::{ConditionPlan, plan};
use crate::rules::RuleSet;

const COLUMNS: [&str; 16] = [
    "secret text",
    "country text",
    "code bpchar",
    "n int4",
    "price numeric",
    "share float8",
    "flag bool",
    "day date",
    "at timestamptz",
    "local timestamp",
    "who uuid",
    "mood mood",
    "doc jsonb",
    "c name",
    "anyhow text",
    "m int8",
];

fn catalog() -> Catalog {
    let mut sample = Sample::new("d");
    let table = sample.table("s.t", &COLUMNS);
    let mood = table.columns[11].base_type.as_mut().unwrap();
    mood.labels = Some(EnumLabels(vec![(7, "sad".to_owned()), (9, "glad".to_owned())]));
    table.columns[13].collation = Collation::Bytewise;
    table.columns[14].collation = Collation::Nondeterministic;
    sample.catalog()
}

fn planned(condition: &str, catalog: &Catalog) -> Result<ConditionPlan, Vec<Refusal>> {
    let rule = format!("secret = {{ mask = \"text\", when = '''{condition}''', else = \"keep\" }}");
    let text = format!("version = 1\nunlisted = \"keep\"\n[databases.d.tables.\"s.t\"]\n{rule}\n");
    match plan(&RuleSet::from_toml(&text).unwrap(), catalog) {
        Ok(plan) => {
            let attribute = &plan.databases[0].relations[0].attributes[0];
            Ok(*attribute.condition.clone().expect("a condition"))
        }
        Err(Error::Refused(refusals)) => Err(refusals),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn constants_take_the_type_of_what_they_are_compared_with() {
    let value = |condition: &str| match planned(condition, &catalog()).unwrap().condition {
        Condition::Compare(0, _, Operand::Value(value)) => value,
        other => panic!("{condition}: {other:?}"),
    };
    for (condition, expected) in [
        ("country = 'DE '", Value::Text(b"DE ".to_vec())),
        ("code = 'DE '", Value::Text(b"DE".to_vec())),
        ("n = 5", Value::Number(Number::Whole(5))),
        ("n = '-5'", Value::Number(Number::Whole(-5))),
        ("n = -5", Value::Number(Number::Whole(-5))),
        ("n < 9223372036854775807", Value::Number(Number::Whole(i64::MAX))),
        ("price >= 'NaN'", Value::Number(Number::NaN)),
        ("share > 1.5", Value::Float(1.5)),
        ("share < 'Infinity'", Value::Float(f64::INFINITY)),
        ("share > 2", Value::Float(2.0)),
        ("flag", Value::Bool(true)),
        ("flag = 'no'", Value::Bool(false)),
        ("day > '2000-01-31'", Value::Stored(30)),
        ("day > DATE '2000-01-31'", Value::Stored(30)),
        ("day < 'infinity'", Value::Stored(i32::MAX.into())),
        ("at < '2000-01-01 02:00+02'", Value::Stored(0)),
        ("at < TIMESTAMPTZ '2000-01-01 00:00:01Z'", Value::Stored(1_000_000)),
        ("local = '2000-01-01'", Value::Stored(0)),
        ("mood = 'glad'", Value::Stored(9)),
        ("c < 'm'", Value::Text(b"m".to_vec())),
        ("country < 'm' COLLATE \"C\"", Value::Text(b"m".to_vec())),
        ("anyhow COLLATE \"C\" = 'm'", Value::Text(b"m".to_vec())),
    ] {
        assert_eq!(value(condition), expected, "{condition}");
    }
    let mirrored = planned("5 < n", &catalog()).unwrap();
    let five = Operand::Value(Value::Number(Number::Whole(5)));
    assert_eq!(mirrored.condition, Condition::Compare(0, Comparison::Greater, five));
    assert_eq!(mirrored.columns[0].attribute, 3);
    let null = planned("n = NULL OR price = null::numeric", &catalog()).unwrap().condition;
    assert_eq!(null, Condition::Or(vec![Condition::Constant(None); 2]));
}

#[test]
fn one_column_is_looked_at_once() {
    let plan =
        planned("n BETWEEN 1 AND 5 AND n NOT IN (2, 3) AND doc IS NULL", &catalog()).unwrap();
    let attributes: Vec<usize> = plan.columns.iter().map(|column| column.attribute).collect();
    assert_eq!(attributes, [3, 12]);
    assert_eq!(plan.columns[1].value_type, None);
}

#[test]
fn what_postgres_might_see_otherwise_is_refused_with_its_reason() {
    for (condition, reason) in [
        ("lower(country) = 'de'", "a function call"),
        ("day < now()", "a function call"),
        ("day < current_date", "the current time or user"),
        ("n + 1 = 2", "an operator within a comparison"),
        ("country || 'x' = 'DEx'", "an operator within a comparison"),
        ("n = (SELECT 1)", "a subquery"),
        ("country ILIKE 'd%'", "ILIKE"),
        ("country ~ '^D'", "operator ~ is not known"),
        ("country < 'M'", "the order of text"),
        ("anyhow = 'x'", "holds different strings to be equal"),
        ("mood < 'glad'", "the order of an enum's labels"),
        ("mood = 'mad'", "a label of the type"),
        ("code LIKE 'D%'", "LIKE on type"),
        ("country LIKE 'D\\'", "ends in its escape"),
        ("country LIKE 'D!%' ESCAPE '!'", "a function call"),
        ("at < '2000-01-01 02:00'", "its offset from UTC"),
        ("local < '2000-01-01 02:00:60'", "plain ISO form"),
        ("local < '2000-01-01 02:00:00.1234567'", "plain ISO form"),
        ("day < 'tomorrow'", "a date such as"),
        ("day < local", "are compared, of types"),
        ("day < TIMESTAMP '2000-01-01'", "of another type"),
        ("share > '1e999'", "in the type's range"),
        ("n = 'x'", "a whole number"),
        ("n = '99999999999'", "a whole number"),
        ("country = 5", "of another type"),
        ("n = 1e3", "without an exponent"),
        ("n::text = '5'", "a cast of something"),
        ("doc = '{}'", "of another type"),
        ("contry = 'DE'", "is no column"),
        ("t.n = 5", "without a table"),
        ("1 = 1", "without a column"),
        ("5", "is no condition"),
        ("n", "of another type"),
        ("n = 5)--", "no SQL expression"),
        ("n = 5) AS x FROM t WHERE (true", "no SQL expression"),
        ("n = 5), (n = 6", "no SQL expression"),
        ("n = ", "no SQL expression"),
        ("", "no SQL expression"),
    ] {
        let refusals = planned(condition, &catalog()).expect_err(condition);
        let [refusal] = refusals.as_slice() else { panic!("{refusals:?}") };
        assert_eq!(refusal.code, "condition", "{condition}");
        assert!(refusal.message.contains(reason), "{condition}: {}", refusal.message);
        assert!(!refusal.remedy.is_empty());
    }
    let refusals = planned("contry = 'DE'", &catalog()).expect_err("refused");
    assert!(refusals[0].remedy.contains("country"), "{}", refusals[0].remedy);
    let mut latin = catalog();
    latin.databases[0].info.encoding = "LATIN1".to_owned();
    assert!(planned("country = 'DE'", &latin).is_ok());
    assert!(planned("country LIKE 'D%'", &latin).is_ok());
    assert!(planned("country LIKE 'D_'", &latin).is_err());
    assert!(planned("country = '\u{d6}'", &latin).is_err());
}

#[test]
fn older_rows_have_what_the_catalog_says_and_a_masked_column_must_not_be_one_of_theirs() {
    let mut with_default = catalog();
    let column = &mut with_default.databases[0].relations[0].columns[7];
    (column.has_missing, column.missing) = (true, Some(MissingValue("2000-01-31".to_owned())));
    let plan = planned("day < '2020-01-01'", &with_default).unwrap();
    assert_eq!(plan.columns[0].missing.as_ref().unwrap().0, Value::Stored(30));
    assert!(!serde_json::to_string(&plan).unwrap().contains("\"missing\""));
    let mut masked = catalog();
    masked.databases[0].relations[0].columns[0].has_missing = true;
    let refusals = planned("flag", &masked).expect_err("refused");
    assert_eq!(refusals[0].code, "missing_value_by_row");
}

#[test]
fn keys_and_unique_indexes_need_more_than_a_condition() {
    let codes = |rule: &str, sample: Sample| {
        let text = format!("version = 1\nunlisted = \"keep\"\n[databases.d.tables]\n{rule}\n");
        match plan(&RuleSet::from_toml(&text).unwrap(), &sample.catalog()) {
            Err(Error::Refused(refusals)) => refusals.iter().map(|r| r.code).collect(),
            Err(error) => panic!("{error}"),
            Ok(_) => Vec::new(),
        }
    };
    let sample = || {
        let mut sample = Sample::new("d");
        sample.table("s.t", &["a text", "b bool"]);
        sample.unique("s.t", &["a"]);
        sample
    };
    let none: [&str; 0] = [];
    let rule = |more: &str| format!("\"s.t\".a = {{ mask = \"digits\", when = \"b\", {more} }}");
    assert_eq!(codes(&rule("else = \"keep\""), sample()), ["unique_condition"]);
    let confirmed = rule("else = \"keep\", confirm_check = true");
    assert_eq!(codes(&confirmed, sample()), none);
    let redacted = rule("else = \"redact\", confirm_check = true");
    assert_eq!(codes(&redacted, sample()), ["unique_condition"]);
    let misfit = rule("else = \"uuid\", confirm_check = true");
    assert!(codes(&misfit, sample()).contains(&"mask_type_mismatch"));
    let mut joined = sample();
    joined.table("s.u", &["a text"]);
    joined.foreign_key("s.u", &["a"], "s.t", &["a"]);
    assert_eq!(codes(&confirmed, joined), ["foreign_key_condition"]);
    let mut child = sample();
    child.child("s.v", "s.t", &["b bool", "a text"]);
    assert_eq!(codes(&confirmed, child), none);
}
