//! greenmask: `dump.transformation[].{schema, name, transformers[].{name, params}}`.

use serde_json::Value;

use super::{Imported, days_in};
use crate::error::{Error, Result};
use crate::rules::{ColumnRule, MaskName};

pub(super) fn read(text: &str, found: &mut Imported) -> Result<()> {
    let file: Value = serde_saphyr::from_str(text)
        .map_err(|error| Error::invalid(format!("the YAML does not parse: {error}")))?;
    let tables = file
        .pointer("/dump/transformation")
        .or_else(|| file.get("transformation"))
        .unwrap_or(&file)
        .as_array()
        .ok_or_else(|| Error::invalid("the YAML has no list `dump.transformation`"))?;
    for table in tables {
        let Some(name) = table.get("name").and_then(Value::as_str) else { continue };
        let schema = table.get("schema").and_then(Value::as_str).unwrap_or("public");
        let full_name = format!("{schema}.{name}");
        let transformers = table.get("transformers").and_then(Value::as_array);
        for transformer in transformers.into_iter().flatten() {
            read_transformer(&full_name, transformer, found);
        }
    }
    Ok(())
}

fn read_transformer(table: &str, transformer: &Value, found: &mut Imported) {
    let Some(name) = transformer.get("name").and_then(Value::as_str) else { return };
    let empty = Value::Null;
    let params = transformer.get("params").unwrap_or(&empty);
    let condition = transformer.get("when").is_some();
    let mut add = |column: &str, part: &str| match equivalent(name, params, part) {
        Some((rule, comment)) => {
            let comment = match (condition, comment) {
                (true, _) => Some(format!("{name} had a condition; a rule covers every row")),
                (false, comment) => comment.map(|comment| format!("was {name}: {comment}")),
            };
            found.rule(table, column, rule, comment);
        }
        None => found.nothing(table, column, name),
    };
    if let Some(column) = params.get("column").and_then(Value::as_str) {
        add(column, "");
    }
    for column in params.get("columns").and_then(Value::as_array).into_iter().flatten() {
        if let Some(column_name) = column.get("name").and_then(Value::as_str) {
            let template = column.get("template").and_then(Value::as_str).unwrap_or_default();
            add(column_name, template);
        }
    }
}

/// The rule that comes nearest, and what is not the same about it. `part` is the template of a
/// transformer that fills several columns.
fn equivalent(
    transformer: &str,
    params: &Value,
    part: &str,
) -> Option<(ColumnRule, Option<String>)> {
    let plain = |mask| Some((ColumnRule::new(mask), None));
    let noted = |mask, note: &str| Some((ColumnRule::new(mask), Some(note.to_owned())));
    match transformer {
        "RandomPerson" | "RandomName" => plain(match part {
            part if part.contains("FirstName") && part.contains("LastName") => MaskName::FullName,
            part if part.contains("FirstName") => MaskName::FirstName,
            part if part.contains("LastName") => MaskName::LastName,
            part if part.contains("Title") => MaskName::Alphanumeric,
            _ => MaskName::FullName,
        }),
        "RandomFirstName" | "RandomFirstNameMale" | "RandomFirstNameFemale" => {
            plain(MaskName::FirstName)
        }
        "RandomLastName" => plain(MaskName::LastName),
        "RandomEmail" => plain(MaskName::Email),
        "RandomPhoneNumber" | "RandomTollFreePhoneNumber" | "RandomE164PhoneNumber" => {
            plain(MaskName::Phone)
        }
        "RandomCompany" => plain(MaskName::Company),
        "RealAddress" | "RandomAddress" => plain(match part {
            part if part.contains("City") => MaskName::City,
            part if part.contains("PostalCode") => MaskName::Alphanumeric,
            part if part.contains("Latitude") => MaskName::Latitude,
            part if part.contains("Longitude") => MaskName::Longitude,
            _ => MaskName::StreetAddress,
        }),
        "RandomUuid" => plain(MaskName::Uuid),
        "RandomInt" => plain(MaskName::Integer),
        "RandomFloat" | "RandomNumeric" | "RandomAmount" => plain(MaskName::Numeric),
        "RandomLatitude" => plain(MaskName::Latitude),
        "RandomLongitude" => plain(MaskName::Longitude),
        "RandomUsername" => plain(MaskName::Username),
        "RandomURL" => plain(MaskName::Url),
        "RandomCCNumber" => plain(MaskName::CreditCard),
        "RandomString" => plain(MaskName::Alphanumeric),
        "Hash" => noted(MaskName::Hash, "the digits are cut to the length of the original"),
        "RandomWord" | "RandomSentence" | "RandomParagraph" => plain(MaskName::Text),
        "RandomPassword" => plain(MaskName::Redact),
        "RandomDate" | "RandomTimestamp" | "RandomUnixTimestamp" => {
            noted(MaskName::DateShift, "dates move by at most 30 days instead of anywhere")
        }
        "NoiseDate" => {
            let ratio = ["ratio", "max_ratio"].iter().find_map(|key| params.get(key)?.as_str());
            let days = ratio.and_then(days_in);
            let mut rule = ColumnRule::new(MaskName::DateShift);
            rule.options.days = Some(days.unwrap_or(30));
            Some((rule, days.is_none().then(|| "30 days are a guess".to_owned())))
        }
        "NoiseInt" | "NoiseFloat" | "NoiseNumeric" => {
            let ratio = ["ratio", "max_ratio"].iter().find_map(|key| params.get(key)?.as_f64());
            let ratio = ratio.filter(|ratio| *ratio > 0.0 && *ratio <= 1.0);
            let mut rule = ColumnRule::new(MaskName::Noise);
            rule.options.share = Some(ratio.unwrap_or(0.1));
            Some((rule, ratio.is_none().then(|| "0.1 is a guess".to_owned())))
        }
        "Masking" => plain(match params.get("type").and_then(Value::as_str) {
            Some("email") => MaskName::Email,
            Some("mobile" | "tel") => MaskName::Phone,
            Some("name") => MaskName::FullName,
            Some("addr" | "address") => MaskName::StreetAddress,
            Some("credit_card") => MaskName::CreditCard,
            Some("url") => MaskName::Url,
            Some("id") => MaskName::Alphanumeric,
            _ => MaskName::Redact,
        }),
        "Replace" => {
            let value = match params.get("value")? {
                Value::String(text) => text.clone(),
                Value::Null => return None,
                other => other.to_string(),
            };
            let mut rule = ColumnRule::new(MaskName::Constant);
            rule.options.value = Some(value);
            Some((rule, Some("the value is cut or padded to each one's length".to_owned())))
        }
        "SetNull" => plain(MaskName::Null),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::import::import_greenmask;
    use crate::rules::{MaskName, RuleSet};

    const FILE: &str = r#"
common:
  tmp_dir: "/tmp"
dump:
  pg_dump_options:
    dbname: "host=db user=postgres"
  transformation:
    - schema: "person"
      name: "people"
      transformers:
        - name: "RandomPerson"
          params:
            columns:
              - name: "given"
                template: "{{ .FirstName }}"
              - name: "family"
                template: "{{ .LastName }}"
        - name: "NoiseDate"
          params: { column: "born", ratio: "1 year" }
        - name: "NoiseInt"
          params: { column: "points", ratio: 0.25 }
        - name: "Replace"
          params: { column: "level", value: 3 }
        - name: "Hash"
          params: { column: "token" }
        - name: "SetNull"
          params: { column: "nick" }
        - name: "Cmd"
          params: { column: "odd name" }
        - name: "RandomEmail"
          when: "record.id > 5"
          params: { column: "mail" }
"#;

    #[test]
    fn imports_what_has_an_equivalent_and_names_the_rest() {
        let text = import_greenmask(FILE, "shop").unwrap();
        let rules = RuleSet::from_toml(&text).unwrap();
        let people = &rules.databases["shop"].tables["person.people"];
        let masks: Vec<_> = people.iter().map(|(name, rule)| (name.as_str(), rule.mask)).collect();
        assert_eq!(
            masks,
            [
                ("born", MaskName::DateShift),
                ("family", MaskName::LastName),
                ("given", MaskName::FirstName),
                ("level", MaskName::Constant),
                ("mail", MaskName::Email),
                ("nick", MaskName::Null),
                ("points", MaskName::Noise),
                ("token", MaskName::Hash),
            ]
        );
        assert_eq!(people["born"].options.days, Some(365));
        assert_eq!(people["points"].options.share, Some(0.25));
        assert_eq!(people["level"].options.value.as_deref(), Some("3"));
        assert!(text.contains("# \"odd name\": Cmd has no equivalent"));
        assert!(text.contains("had a condition"));
    }

    #[test]
    fn refuses_what_is_no_greenmask_file() {
        assert!(import_greenmask("a: 1", "shop").is_err());
        assert!(import_greenmask("[", "shop").is_err());
        assert!(import_greenmask("dump: {transformation: []}", "shop").is_err());
    }
}
