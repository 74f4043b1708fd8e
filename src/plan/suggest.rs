//! Catalog → a complete rule file to start from.

use std::fmt::Write as _;

use crate::cluster::catalog::{Catalog, Column, Database, Relation, RelationKind};
use crate::datum::ValueType;
use crate::mask;
use crate::rules::{ColumnRule, Guess, MaskName, guess, rule_line, table_header};

/// A rule file that names every column that has to be named: by its name and type, by what its
/// indexes demand, and with a comment where that is a guess.
///
/// Left out are columns that take their rule from a parent or through a foreign key, and generated
/// ones. It is a start: a person has to read it.
pub fn suggest(catalog: &Catalog) -> String {
    let mut text = String::from(
        "# Suggested by thinveil from names and types alone; no row was read.\n\
         # Read every line: what is kept here is in every clone as it is in production.\n\
         version = 1\nunlisted = \"deny\"\n",
    );
    for database in &catalog.databases {
        let name = &database.info.name;
        for relation in database.relations.iter().filter(|relation| relation.kind.takes_rules()) {
            let lines = table_lines(database, relation);
            if lines.is_empty() {
                continue;
            }
            // Writing to a String can't fail.
            let _ = write!(text, "\n{}\n", table_header(name, &relation.full_name()));
            if let Some(extension) = &relation.extension {
                let _ = writeln!(text, "# belongs to extension {}", one_line(extension));
            }
            let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
            for (line, comment) in lines {
                match comment {
                    Some(comment) => {
                        let _ = writeln!(text, "{line:width$}  # {comment}");
                    }
                    None => {
                        let _ = writeln!(text, "{line}");
                    }
                }
            }
        }
    }
    text
}

fn table_lines(database: &Database, relation: &Relation) -> Vec<(String, Option<String>)> {
    let mut lines = Vec::new();
    for column in relation.live_columns() {
        let inherited = relation.parents.iter().any(|&parent| {
            let parent = database.relations.iter().find(|relation| relation.oid == parent);
            parent.is_some_and(|p| p.kind.takes_rules() && p.column(&column.name).is_some())
        });
        let references = database.foreign_keys.iter().any(|key| {
            let to_itself = key.referenced_table == relation.oid;
            let mut pairs = key.columns.iter().zip(&key.referenced_columns);
            key.table == relation.oid
                && pairs.any(|(&from, &to)| from == column.attnum && !(to_itself && from == to))
        });
        if inherited || references || column.generated.is_some() {
            continue;
        }
        let suggestion = suggestion(database, relation, column);
        let comment =
            suggestion.doubt.map(|doubt| format!("{}: {doubt}", one_line(&column.declared_type)));
        lines.push((rule_line(&column.name, &suggestion.rule), comment));
    }
    lines
}

/// Names may hold line breaks, comments may not.
fn one_line(name: &str) -> String {
    name.replace(char::is_control, " ")
}

/// The rule that the column's name, type and constraints call for.
pub(super) fn suggestion(database: &Database, relation: &Relation, column: &Column) -> Guess {
    let value_type = column.value_type();
    let mut guess = guess(&column.name, value_type);
    let Some(value_type) = value_type else { return guess };
    if relation.extension.is_some() {
        return keep("the table belongs to an extension");
    }
    if guess.rule.mask == MaskName::Keep {
        return guess;
    }
    if relation.kind == RelationKind::Table && relation.access_method.as_deref() != Some("heap") {
        return keep("the table is not stored as heap");
    }
    let is_text = value_type.is_text() || value_type == ValueType::Ltree;
    if is_text && !matches!(database.info.encoding.as_str(), "UTF8" | "SQL_ASCII") {
        return keep("text is masked in UTF8 alone");
    }
    let partition_key = relation.partition_key.as_ref();
    if partition_key.is_some_and(|key| key.columns.contains(&column.attnum)) {
        return keep("it is in the partition key, which can't be masked");
    }
    let feeds_generated = relation.live_columns().any(|other| {
        other.generated.as_ref().is_some_and(|g| g.stored && g.columns.contains(&column.attnum))
    });
    if feeds_generated {
        return keep("a stored generated column is over it, so that it can't be masked");
    }
    if !mask::supports(guess.rule.mask, value_type) {
        guess = Guess {
            rule: ColumnRule::new(MaskName::Redact),
            doubt: Some("no mask fits name and type"),
        };
    }
    let mut enforcing = database
        .indexes
        .iter()
        .filter(|index| index.table == relation.oid && index.enforces())
        .filter(|index| index.columns().contains(&column.attnum))
        .peekable();
    if enforcing.peek().is_none() {
        return guess;
    }
    let plain = enforcing.all(|index| {
        index.key_columns.contains(&column.attnum)
            && !index.expression_columns.contains(&column.attnum)
            && !index.predicate_columns.contains(&column.attnum)
            && !index.nondeterministic_collation
    });
    if !plain {
        return keep("a unique index over an expression or predicate allows no mask yet");
    }
    if mask::is_injective(guess.rule.mask, value_type, &guess.rule.options) {
        return guess;
    }
    match injective_rule(guess.rule.mask, value_type) {
        Some(rule) => Guess { rule, doubt: Some("unique: only a permutation keeps it so") },
        None => keep("unique, and no mask of this type is a permutation"),
    }
}

fn keep(why: &'static str) -> Guess {
    Guess { rule: ColumnRule::new(MaskName::Keep), doubt: Some(why) }
}

/// A permutation for the type, like `wanted` in what it leaves readable.
fn injective_rule(wanted: MaskName, value_type: ValueType) -> Option<ColumnRule> {
    let mut rule = ColumnRule::new(match wanted {
        MaskName::Phone => MaskName::Digits,
        MaskName::Email | MaskName::Username => wanted,
        _ => MaskName::Alphanumeric,
    });
    rule.options.unique = matches!(wanted, MaskName::Email | MaskName::Username);
    let plain =
        [MaskName::Integer, MaskName::Numeric, MaskName::Uuid, MaskName::Ip, MaskName::Enum];
    std::iter::once(rule).chain(plain.map(ColumnRule::new)).find(|rule| {
        mask::supports(rule.mask, value_type)
            && mask::is_injective(rule.mask, value_type, &rule.options)
    })
}
