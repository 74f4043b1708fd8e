//! Catalog → a complete rule file to start from.

use std::fmt::Write as _;

use super::ignoring_case;
use super::scope::{ColumnId, joined_columns};
use crate::cluster::catalog::{Catalog, Column, Database, Relation, RelationKind};
use crate::datum::{Field, Structure, ValueType};
use crate::mask;
use crate::rules::{
    ColumnRule, Guess, MaskName, PartDefault, Parts, guess, rule_line, table_header,
};

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
        let id = ColumnId { relation: relation.oid, attnum: column.attnum };
        let mut joined = database.foreign_keys.iter().flat_map(joined_columns);
        let references = joined.any(|(from, to)| from == id && to != id);
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
    let structure = value_type.map(Structure::Value);
    let mut guess = guess_structured(&column.name, structure.as_ref().unwrap_or(&column.structure));
    if relation.extension.is_some() {
        return keep("the table belongs to an extension");
    }
    if super::nulls::is_only_choice(database, relation, column) {
        guess = Guess {
            rule: ColumnRule::new(MaskName::Null),
            doubt: Some("no mask knows values of this type: they become NULL"),
        };
    }
    if guess.rule.mask == MaskName::Keep {
        return guess;
    }
    if relation.kind == RelationKind::Table && relation.access_method.as_deref() != Some("heap") {
        return keep("the table is not stored as heap");
    }
    let is_text =
        value_type.is_none_or(|value_type| value_type.is_text() || value_type == ValueType::Ltree);
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
    if value_type.is_some_and(|value_type| !mask::supports(guess.rule.mask, value_type)) {
        guess = Guess {
            rule: ColumnRule::new(MaskName::Redact),
            doubt: Some("no mask fits name and type"),
        };
    }
    let mut enforcing = database
        .indexes
        .iter()
        .filter(|index| index.table == relation.oid && index.enforces())
        .filter(|index| {
            [
                &index.key_columns,
                &index.expression_columns,
                &index.predicate_columns,
                &index.other_columns,
            ]
            .into_iter()
            .any(|columns| columns.contains(&column.attnum))
        })
        .peekable();
    if enforcing.peek().is_none() {
        return guess;
    }
    let mut ignores_case = false;
    let plain = enforcing.all(|index| {
        let in_one_case = ignoring_case::is_over(index, &column.name);
        ignores_case |= in_one_case;
        (in_one_case || index.key_columns.contains(&column.attnum))
            && in_one_case == index.expression_columns.contains(&column.attnum)
            && !index.predicate_columns.contains(&column.attnum)
            && !index.nondeterministic_collation
    });
    if !plain {
        return keep("a unique index over an expression or predicate allows no mask by itself");
    }
    let Some(value_type) = value_type else {
        return keep("unique, and the values have parts");
    };
    if mask::is_injective(guess.rule.mask, value_type, &guess.rule.options) && !ignores_case {
        return guess;
    }
    let wanted = match guess.rule.mask {
        MaskName::Email => MaskName::Email,
        _ if ignores_case => MaskName::Username,
        wanted => wanted,
    };
    match injective_rule(wanted, value_type) {
        Some(rule) if ignores_case => Guess {
            rule,
            doubt: Some("unique without its case: only such a permutation keeps it so"),
        },
        Some(rule) => Guess { rule, doubt: Some("unique: only a permutation keeps it so") },
        None => keep("unique, and no mask of this type is a permutation"),
    }
}

/// The rule that a name and the structure of a type call for.
pub(super) fn guess_structured(name: &str, structure: &Structure) -> Guess {
    let with_parts = |parts, doubt| Guess {
        rule: ColumnRule { parts: Some(Box::new(parts)), ..ColumnRule::new(MaskName::Text) },
        doubt: Some(doubt),
    };
    let text = || PartDefault::Rule(Box::new(ColumnRule::new(MaskName::Text)));
    match structure {
        Structure::Value(value_type) => guess(name, Some(*value_type)),
        Structure::Enum(_) => guess(name, Some(ValueType::Enum)),
        Structure::Array(element) => guess_structured(name, &element.structure),
        Structure::Composite(fields) => {
            let live = fields.iter().filter(|field| !field.dropped);
            let rules = live.map(|field| {
                (field.name.clone(), guess_structured(&field.name, &field.part.structure).rule)
            });
            with_parts(Parts::Fields(rules.collect()), "guessed field by field")
        }
        Structure::Json | Structure::Jsonb => with_parts(
            Parts::Paths(Default::default(), text()),
            "all of it is masked; name the paths that need another mask, or may stay",
        ),
        Structure::Hstore => with_parts(
            Parts::Keys(Default::default(), text()),
            "all of it is masked; name the keys that need another mask, or may stay",
        ),
        Structure::Multirange(bound) if bound.structure == Structure::Value(ValueType::Numeric) => {
            guess(name, None)
        }
        Structure::Range(bound) | Structure::Multirange(bound) => match bound.structure {
            Structure::Value(value_type) if mask::takes_bounds(value_type) => {
                guess(name, Some(value_type))
            }
            _ => guess(name, None),
        },
        Structure::Xml => Guess {
            rule: ColumnRule::new(MaskName::Text),
            doubt: Some("its texts are masked, names of elements and attributes are not"),
        },
        Structure::TsVector | Structure::TsQuery => Guess {
            rule: ColumnRule::new(MaskName::Alphanumeric),
            doubt: Some("masked lexeme by lexeme"),
        },
        Structure::Unknown => guess(name, None),
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

/// A rule for every field, to paste.
pub(super) fn suggested_fields(fields: &[Field]) -> String {
    let lines: Vec<String> = fields
        .iter()
        .filter(|field| !field.dropped)
        .map(|field| {
            let guess = guess_structured(&field.name, &field.part.structure);
            rule_line(&field.name, &guess.rule)
        })
        .collect();
    format!("{{ fields = {{ {} }} }}", lines.join(", "))
}
