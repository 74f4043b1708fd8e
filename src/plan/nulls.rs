//! Columns whose values become NULL: which may not, and how their originals are read.

use std::collections::BTreeMap;

use super::assignment::{Assignment, Assignments, Nulling, Origin};
use super::problems::Problems;
use super::scope::{ColumnId, Scope};
use crate::cluster::catalog::{Column, Database, ForeignKey, Relation};
use crate::datum::{Encoding, EnumLabels, Structure, ValueType};
use crate::error::Refusal;
use crate::mask::{
    self, ColumnMask, FieldMask, MaskSpec, PathAction, PathMasks, PathTree, ScalarMask,
};
use crate::rules::{ColumnRule, JsonPath, MaskName, MaskOptions, rule_line};

pub(super) fn check(scope: &Scope<'_>, assignments: &Assignments, problems: &mut Problems) {
    for (id, assignment) in assignments.masked() {
        let (Some(relation), Some(column)) = (scope.relation(id.relation), scope.column(id)) else {
            continue;
        };
        if assignment.nulling() != Nulling::Never {
            check_column(scope, relation, column, (id, assignment), problems);
        }
    }
    for key in scope.database.foreign_keys.iter().filter(|key| key.match_full) {
        check_match_full(scope, assignments, key, problems);
    }
}

fn check_column(
    scope: &Scope<'_>,
    relation: &Relation,
    column: &Column,
    (id, assignment): (ColumnId, &Assignment),
    problems: &mut Problems,
) {
    let parents = scope.inherited_from(relation, column);
    let above = || parents.iter().filter_map(|&parent| scope.column(parent));
    // What a child has from its parent is reported there.
    if column.not_null && !above().any(|parent| parent.not_null) {
        problems.push(not_null(scope, relation, column, (id, assignment)));
    }
    if let Some(domain) = &column.not_null_domain
        && parents.is_empty()
    {
        problems.push(scope.column_refusal(
            "null_domain",
            id,
            format!("its type is domain {domain}, which is NOT NULL: its values can't become NULL"),
            format!(
                "on the source, ALTER DOMAIN … DROP NOT NULL; or {}",
                other_rules(column, assignment)
            ),
        ));
    }
}

fn not_null(
    scope: &Scope<'_>,
    relation: &Relation,
    column: &Column,
    (id, assignment): (ColumnId, &Assignment),
) -> Refusal {
    let mut indexes = scope.database.indexes.iter().filter(|index| index.table == relation.oid);
    let primary = indexes.find(|index| index.primary && index.key_columns.contains(&column.attnum));
    let why = match primary {
        Some(index) => format!("it is in primary key \"{}.{}\"", index.schema, index.name),
        None if column.is_identity => "it is an identity column".to_owned(),
        None => "it is NOT NULL".to_owned(),
    };
    let from = match assignment.origin {
        Origin::ForeignKey => " (it takes mask null from the column that it refers to)",
        Origin::Parent => " (it takes mask null from its parent)",
        Origin::Rule => "",
    };
    let mut remedy = other_rules(column, assignment);
    if primary.is_none() && !column.is_identity {
        remedy = format!(
            "on the source, ALTER TABLE {} ALTER {:?} DROP NOT NULL; or {remedy}",
            relation.quoted(),
            column.name
        );
    }
    let message = format!("{why}: its values can't become NULL{from}");
    scope.column_refusal("null_not_null", id, message, remedy)
}

/// What may be done instead.
fn other_rules(column: &Column, assignment: &Assignment) -> String {
    let keep = rule_line(&column.name, &ColumnRule::new(MaskName::Keep));
    if assignment.origin != Origin::Rule {
        return "give the column that it takes its rule from another one".to_owned();
    }
    match column.value_type() {
        Some(value_type) if mask::supports(MaskName::Redact, value_type) => format!(
            "give it a mask that makes values, or keep it:\n{}\nor {keep}",
            rule_line(&column.name, &ColumnRule::new(MaskName::Redact))
        ),
        _ => format!("keep it:\n{keep}"),
    }
}

/// Of the columns of such a key all are NULL, or none.
fn check_match_full(
    scope: &Scope<'_>,
    assignments: &Assignments,
    key: &ForeignKey,
    problems: &mut Problems,
) {
    let ids = key.columns.iter().map(|&attnum| ColumnId { relation: key.table, attnum });
    let columns: Vec<_> = ids.map(|id| (id, assignments.mask(id))).collect();
    let kind = |assignment: Option<&Assignment>| {
        assignment.map_or((Nulling::Never, None), |assignment| {
            (assignment.nulling(), assignment.when.clone().map(|when| when.condition))
        })
    };
    let mut kinds = columns.iter().map(|(_, assignment)| kind(*assignment));
    let Some(first) = kinds.next() else { return };
    let same = |other: (Nulling, Option<String>)| {
        other.0 == first.0 && (first.0 != Nulling::Sometimes || other.1 == first.1)
    };
    if kinds.all(same) {
        return;
    }
    let nulled = columns.iter().find(|(_, assignment)| kind(*assignment).0 != Nulling::Never);
    let Some((id, _)) = nulled else { return };
    problems.push(scope.column_refusal(
        "null_match_full",
        *id,
        format!(
            "foreign key {:?} is MATCH FULL: its columns become NULL together or not",
            key.name
        ),
        "give all columns of the key mask null, on the same condition if there is one, or none",
    ));
}

/// True if a mask of values can't be had, NULL is allowed, and nothing depends on the column.
pub(super) fn is_only_choice(database: &Database, relation: &Relation, column: &Column) -> bool {
    let unknown = column.value_type().is_none() && column.structure == Structure::Unknown;
    let checked = |columns: &std::collections::BTreeSet<i16>| columns.contains(&column.attnum);
    let checks = database.checks.iter().filter(|check| check.table == Some(relation.oid));
    let indexes = database.indexes.iter().filter(|index| index.table == relation.oid);
    unknown
        && !column.not_null
        && column.not_null_domain.is_none()
        && checks.into_iter().all(|check| !checked(&check.columns))
        && indexes.into_iter().all(|index| !index.enforces() || !checked(&index.columns()))
}

/// The mask of a column that becomes NULL: what reads its originals takes every part of a value.
pub(super) fn column_mask(encoding: Encoding, structure: &Structure) -> ColumnMask {
    ColumnMask::Null(Box::new(reader(encoding, structure)))
}

fn reader(encoding: Encoding, structure: &Structure) -> ColumnMask {
    let spec = |value_type| MaskSpec {
        mask: MaskName::Blank,
        domain: MaskName::Null.as_str().to_owned(),
        value_type,
        encoding,
        options: MaskOptions::default(),
        labels: EnumLabels::default(),
    };
    let paths = || PathMasks {
        tree: PathTree::new(BTreeMap::<JsonPath, ColumnRule>::new().keys()),
        actions: Vec::new(),
        default: PathAction::Mask(ScalarMask {
            text: spec(ValueType::Text),
            number: spec(ValueType::Numeric),
            boolean: false,
        }),
    };
    match structure {
        Structure::Value(value_type) => ColumnMask::Value(spec(*value_type)),
        Structure::Enum(labels) => {
            ColumnMask::Value(MaskSpec { labels: labels.clone(), ..spec(ValueType::Enum) })
        }
        Structure::Array(part) => ColumnMask::Array {
            layout: part.layout,
            element: Box::new(reader(encoding, &part.structure)),
        },
        Structure::Composite(fields) => {
            let fields = fields.iter().map(|field| FieldMask {
                layout: field.part.layout,
                mask: match field.dropped {
                    true => ColumnMask::Zero,
                    false => reader(encoding, &field.part.structure),
                },
            });
            ColumnMask::Composite(fields.collect())
        }
        Structure::Range(part) => match part.structure {
            Structure::Value(value_type) if mask::takes_bounds(value_type) => {
                ColumnMask::Range { layout: part.layout, bound: spec(value_type) }
            }
            _ => bytes(spec(ValueType::Bytea)),
        },
        Structure::Multirange(part) => match part.structure {
            Structure::Value(value_type) if mask::takes_bounds(value_type) => {
                ColumnMask::Multirange { layout: part.layout, bound: spec(value_type) }
            }
            _ => bytes(spec(ValueType::Bytea)),
        },
        Structure::Json => ColumnMask::Json(paths()),
        Structure::Jsonb => ColumnMask::Jsonb(paths()),
        Structure::Hstore => ColumnMask::Hstore(paths()),
        Structure::Xml => ColumnMask::Xml(spec(ValueType::Text)),
        Structure::TsVector => ColumnMask::TsVector(spec(ValueType::Text)),
        Structure::TsQuery => ColumnMask::TsQuery(spec(ValueType::Text)),
        Structure::Unknown => bytes(spec(ValueType::Bytea)),
    }
}

/// A value whose meaning is not known is known by its bytes.
fn bytes(spec: MaskSpec) -> ColumnMask {
    ColumnMask::Value(spec)
}
