//! PostgreSQL Anonymizer: `SECURITY LABEL FOR anon ON COLUMN … IS 'MASKED WITH FUNCTION …'`.

use pg_query::protobuf::{AConst, FuncCall, Node, ObjectType, SecLabelStmt, a_const};
use pg_query::{NodeEnum, ParserOptions};

use super::{Imported, days_in};
use crate::error::{Error, Result};
use crate::rules::{ColumnRule, MaskName};

pub(super) fn read(text: &str, found: &mut Imported) -> Result<()> {
    let script = statements_alone(text);
    let fail = |error: pg_query::Error| Error::invalid(format!("the SQL does not parse: {error}"));
    for statement in pg_query::split_with_scanner(&script).map_err(fail)? {
        // Other statements may be of another version or another program: they don't matter.
        let mut words = statement.split_whitespace().filter(|word| !word.starts_with("--"));
        let labels = statement.to_uppercase().contains("SECURITY") && words.next().is_some();
        if !labels {
            continue;
        }
        let parsed = match pg_query::parse(statement, ParserOptions::DEFAULT) {
            Ok(parsed) => parsed,
            Err(error) if statement.to_uppercase().contains("MASKED WITH") => {
                return Err(fail(error));
            }
            Err(_) => continue,
        };
        for raw in parsed.protobuf.stmts {
            if let Some(NodeEnum::SecLabelStmt(label)) = raw.stmt.and_then(|node| node.node) {
                read_label(&label, found);
            }
        }
    }
    Ok(())
}

/// The script without what psql alone understands: backslash commands and the rows after COPY.
fn statements_alone(text: &str) -> String {
    let mut script = String::with_capacity(text.len());
    let mut in_rows = false;
    for line in text.lines() {
        if in_rows {
            in_rows = line != "\\.";
            continue;
        }
        if line.starts_with('\\') {
            continue;
        }
        let upper = line.to_uppercase();
        if upper.starts_with("COPY ") && upper.trim_end().ends_with("FROM STDIN;") {
            in_rows = true;
            continue;
        }
        script.push_str(line);
        script.push('\n');
    }
    script
}

fn read_label(label: &SecLabelStmt, found: &mut Imported) {
    let provider = label.provider.to_lowercase();
    if label.objtype != ObjectType::ObjectColumn as i32
        || !(provider.is_empty() || provider.starts_with("anon"))
    {
        return;
    }
    let Some(NodeEnum::List(name)) = label.object.as_ref().and_then(|node| node.node.as_ref())
    else {
        return;
    };
    let parts: Vec<&str> = name.items.iter().filter_map(string).collect();
    let (table, column) = match parts.as_slice() {
        [.., schema, table, column] => (format!("{schema}.{table}"), *column),
        [table, column] => (format!("public.{table}"), *column),
        _ => return,
    };
    let text = label.label.trim();
    let upper = text.to_uppercase();
    let expression = |prefix: &str| {
        upper.starts_with(prefix).then(|| text.get(prefix.len()..).unwrap_or_default().trim())
    };
    if upper == "NOT MASKED" {
        found.rule(&table, column, ColumnRule::new(MaskName::Keep), None);
    } else if let Some(call) = expression("MASKED WITH FUNCTION") {
        match parse_expression(call) {
            Some(NodeEnum::FuncCall(function)) => {
                read_function(&table, column, call, &function, found);
            }
            _ => found.nothing(&table, column, call),
        }
    } else if let Some(value) = expression("MASKED WITH VALUE") {
        match parse_expression(value).as_ref().and_then(constant) {
            Some(Some(value)) => {
                let mut rule = ColumnRule::new(MaskName::Constant);
                rule.options.value = Some(value);
                let note = "the value is cut or padded to each one's length".to_owned();
                found.rule(&table, column, rule, Some(note));
            }
            Some(None) => {
                found.rule(&table, column, ColumnRule::new(MaskName::Null), None);
            }
            None => found.nothing(&table, column, value),
        }
    } else if !text.is_empty() {
        found.nothing(&table, column, text);
    }
}

fn read_function(table: &str, column: &str, call: &str, function: &FuncCall, found: &mut Imported) {
    let name = function.funcname.last().and_then(string).unwrap_or_default().to_lowercase();
    let (name, locale) = match name.strip_suffix("_locale") {
        Some(name) => (name.to_owned(), function.args.first().and_then(text_of)),
        None => (name, None),
    };
    let arguments = &function.args;
    let mut note = None;
    let rule = match name.as_str() {
        "dnoise" => {
            let days = arguments.get(1).and_then(text_of).and_then(|text| days_in(&text));
            let mut rule = ColumnRule::new(MaskName::DateShift);
            rule.options.days = Some(days.unwrap_or(30));
            note = days.is_none().then(|| format!("was {call}: 30 days are a guess"));
            Some(rule)
        }
        "noise" => {
            let ratio = arguments.get(1).and_then(text_of).and_then(|text| text.parse().ok());
            let ratio = ratio.filter(|ratio| *ratio > 0.0);
            let mut rule = ColumnRule::new(MaskName::Noise);
            rule.options.share = Some(ratio.unwrap_or(0.1));
            note = ratio.is_none().then(|| format!("was {call}: 0.1 is a guess"));
            Some(rule)
        }
        "partial" => {
            let count = |at: usize| arguments.get(at).and_then(text_of)?.parse().ok();
            let (first, last) = (count(1), count(3));
            if first.is_none() || last.is_none() || first.max(last) == Some(0) {
                note = Some(format!("was {call}: nothing of the value stays readable"));
                Some(ColumnRule::new(MaskName::Redact))
            } else {
                let mut rule = ColumnRule::new(MaskName::Partial);
                (rule.options.keep_first, rule.options.keep_last) = (first, last);
                Some(rule)
            }
        }
        _ => mask_of(&name).map(ColumnRule::new),
    };
    let Some(mut rule) = rule else { return found.nothing(table, column, call) };
    match rule.mask {
        MaskName::DateShift if rule.options.days.is_none() => {
            note = Some(format!("was {call}: dates move by at most 30 days instead of anywhere"));
        }
        _ => {}
    }
    if rule.mask.options().contains(&"locale") {
        rule.options.locale = locale.and_then(|locale| locale.get(..2).map(str::to_lowercase));
    }
    found.rule(table, column, rule, note);
}

/// Families share their ending: `fake_email`, `pseudo_email`, `dummy_safe_email`.
fn mask_of(function: &str) -> Option<MaskName> {
    let families = ["fake_", "pseudo_", "random_", "dummy_", "partial_"];
    let kind = families.iter().find_map(|family| function.strip_prefix(family));
    Some(match (function, kind) {
        ("digest" | "hash", _) => MaskName::Hash,
        ("lorem_ipsum", _) => MaskName::Text,
        (_, Some(kind)) => match kind {
            kind if kind.ends_with("email") => MaskName::Email,
            "first_name" => MaskName::FirstName,
            "last_name" => MaskName::LastName,
            "name" | "name_with_title" => MaskName::FullName,
            "address" | "street_name" | "street_address" => MaskName::StreetAddress,
            "city" | "city_name" => MaskName::City,
            "company" | "company_name" => MaskName::Company,
            "phone" | "phone_number" | "cell_number" => MaskName::Phone,
            "siret" | "siren" | "string" | "postcode" | "zip_code" | "post_code"
            | "licence_plate" | "bic" | "isin" => MaskName::Alphanumeric,
            "iban" => MaskName::Iban,
            "username" => MaskName::Username,
            "url" => MaskName::Url,
            "credit_card_number" => MaskName::CreditCard,
            "latitude" => MaskName::Latitude,
            "longitude" => MaskName::Longitude,
            "zip" | "building_number" => MaskName::Digits,
            "date" | "date_between" | "in_daterange" | "datetime" => MaskName::DateShift,
            "int" | "int_between" | "bigint" | "bigint_between" | "in_int4range"
            | "in_int8range" => MaskName::Integer,
            "in_numrange" => MaskName::Numeric,
            "uuid" | "uuidv4" => MaskName::Uuid,
            "word" | "words" | "sentence" | "sentences" | "paragraph" | "paragraphs" => {
                MaskName::Text
            }
            "password" => MaskName::Redact,
            _ => return None,
        },
        _ => return None,
    })
}

fn parse_expression(expression: &str) -> Option<NodeEnum> {
    let parsed = pg_query::parse(&format!("SELECT {expression}"), ParserOptions::DEFAULT).ok()?;
    let statement = parsed.protobuf.stmts.into_iter().next()?.stmt?.node?;
    let NodeEnum::SelectStmt(select) = statement else { return None };
    let NodeEnum::ResTarget(target) = select.target_list.into_iter().next()?.node? else {
        return None;
    };
    target.val?.node
}

/// A constant as text; `Some(None)` for NULL.
fn constant(node: &NodeEnum) -> Option<Option<String>> {
    match node {
        NodeEnum::TypeCast(cast) => constant(cast.arg.as_ref()?.node.as_ref()?),
        NodeEnum::AConst(AConst { isnull: true, .. }) => Some(None),
        NodeEnum::AConst(AConst { val: Some(value), .. }) => Some(Some(match value {
            a_const::Val::Sval(text) => text.sval.clone(),
            a_const::Val::Ival(number) => number.ival.to_string(),
            a_const::Val::Fval(number) => number.fval.clone(),
            a_const::Val::Boolval(truth) => truth.boolval.to_string(),
            a_const::Val::Bsval(_) => return None,
        })),
        _ => None,
    }
}

fn text_of(node: &Node) -> Option<String> {
    constant(node.node.as_ref()?).flatten()
}

fn string(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::String(text)) => Some(&text.sval),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::import::import_security_labels;
    use crate::rules::{MaskName, RuleSet};

    const SCRIPT: &str = r#"
\connect shop
-- A dump has all sorts of things in it.
COPY public.t (a) FROM stdin;
it's; not 'SQL
\.
CREATE TABLE crm.people (id int);
SECURITY LABEL FOR anon ON COLUMN crm.people.given IS 'MASKED WITH FUNCTION anon.fake_first_name()';
SECURITY LABEL FOR anon ON COLUMN crm.people.family
  IS 'MASKED WITH FUNCTION anon.dummy_last_name_locale(''fr_FR'')';
SECURITY LABEL FOR anon ON COLUMN crm.people.born
  IS 'MASKED WITH FUNCTION anon.dnoise(born, ''10 days''::interval)';
SECURITY LABEL FOR anon ON COLUMN crm.people.street IS 'MASKED WITH VALUE ''CONFIDENTIAL''';
SECURITY LABEL FOR anon ON COLUMN crm.people.rank IS 'MASKED WITH VALUE 0';
SECURITY LABEL FOR anon ON COLUMN crm.people.nick IS 'MASKED WITH VALUE NULL';
SECURITY LABEL FOR anon ON COLUMN crm.people.zip IS 'MASKED WITH FUNCTION my.own(zip)';
SECURITY LABEL FOR anon ON COLUMN people.phone
  IS 'MASKED WITH FUNCTION anon.partial(phone,2,$$******$$,2)';
SECURITY LABEL FOR anon ON COLUMN other.a IS 'MASKED WITH FUNCTION anon.digest(a, ''x'', ''md5'')';
SECURITY LABEL FOR anon ON COLUMN other.b IS 'MASKED WITH FUNCTION anon.dummy_username()';
SECURITY LABEL FOR anon ON COLUMN other.c IS 'MASKED WITH FUNCTION anon.noise(c, 0.2)';
SECURITY LABEL FOR anon ON ROLE bob IS 'MASKED';
"#;

    #[test]
    fn imports_labels_and_names_what_has_no_equivalent() {
        let text = import_security_labels(SCRIPT, "shop").unwrap();
        let rules = RuleSet::from_toml(&text).unwrap();
        let tables = &rules.databases["shop"].tables;
        let people = &tables["crm.people"];
        let masks: Vec<_> = people.iter().map(|(name, rule)| (name.as_str(), rule.mask)).collect();
        assert_eq!(
            masks,
            [
                ("born", MaskName::DateShift),
                ("family", MaskName::LastName),
                ("given", MaskName::FirstName),
                ("nick", MaskName::Null),
                ("rank", MaskName::Constant),
                ("street", MaskName::Constant),
            ]
        );
        assert_eq!(people["born"].options.days, Some(10));
        assert_eq!(people["family"].options.locale.as_deref(), Some("fr"));
        assert_eq!(people["street"].options.value.as_deref(), Some("CONFIDENTIAL"));
        assert_eq!(people["rank"].options.value.as_deref(), Some("0"));
        assert!(text.contains("# zip: my.own(zip) has no equivalent"));
        let phone = &tables["public.people"]["phone"];
        assert_eq!(phone.mask, MaskName::Partial);
        assert_eq!((phone.options.keep_first, phone.options.keep_last), (Some(2), Some(2)));
        let other = &tables["public.other"];
        assert_eq!(other["a"].mask, MaskName::Hash);
        assert_eq!(other["b"].mask, MaskName::Username);
        assert_eq!((other["c"].mask, other["c"].options.share), (MaskName::Noise, Some(0.2)));
    }

    #[test]
    fn refuses_a_script_without_labels() {
        assert!(import_security_labels("SELECT 1;", "shop").is_err());
    }
}
