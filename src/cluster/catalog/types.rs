//! Types: domains seen through, and how values are put together.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use postgres::{Client, Row};

use super::read_database::alignment;
use super::relation::TypeName;
use super::sql;
use super::value::{cell, oid, rows, sql_error};
use crate::datum::letter_order::every_beginning;
use crate::datum::{EnumLabels, Field, Layout, Part, Structure};
use crate::error::Result;
use crate::ids::{Oid, PgMajor};

/// Types within types. PostgreSQL allows none within itself; the bound keeps a damaged catalog
/// from hanging us.
const MAX_DEPTH: usize = 64;

/// `pg_type`, with the attributes of composite types.
pub(super) struct Types {
    types: BTreeMap<Oid, TypeRow>,
    attributes: BTreeMap<Oid, Vec<AttributeRow>>,
    /// Range types by their multirange types.
    multiranges: BTreeMap<Oid, Oid>,
}

struct TypeRow {
    name: TypeName,
    /// `typtype`
    kind: String,
    /// Of a domain: what it is over.
    base: Oid,
    layout: Layout,
    /// Of an array: its elements.
    element: Oid,
    /// Of a composite: its `pg_class` row.
    relation: Oid,
    /// Of a range: its bounds, if they are in an order that masks know: that of their type's own
    /// operator class, and for texts of a collation that has letters in the usual order.
    subtype: Option<Oid>,
    /// `format_type`
    printed: String,
    /// `typnotnull`, which only domains have.
    not_null: bool,
}

/// An enum's labels.
fn labels(row: &Row, what: &'static str) -> Result<EnumLabels> {
    let oids = cell::<Option<Vec<u32>>>(row, 14, what)?.unwrap_or_default();
    let names = cell::<Option<Vec<String>>>(row, 15, what)?.unwrap_or_default();
    Ok(EnumLabels(oids.into_iter().zip(names).collect()))
}

/// True if a collation, by its quoted name, has masked texts in the order that masks give them.
fn has_letters_in_order(client: &mut Client, collation: &str) -> Result<bool> {
    let what = "the order of a collation";
    let (ranks, texts): (Vec<i32>, Vec<String>) =
        every_beginning().map(|(rank, text)| (rank as i32, text)).unzip();
    let row = client
        .query_one(&sql::in_order(collation), &[&ranks, &texts])
        .map_err(|error| sql_error(what, &error))?;
    cell(&row, 0, what)
}

struct AttributeRow {
    name: String,
    type_oid: Oid,
    layout: Layout,
    dropped: bool,
    printed: String,
}

impl Types {
    pub(super) fn read(client: &mut Client, major: PgMajor) -> Result<Types> {
        let mut types = Types {
            types: BTreeMap::new(),
            attributes: BTreeMap::new(),
            multiranges: BTreeMap::new(),
        };
        let what = "types";
        let mut collations = BTreeMap::new();
        for row in rows(client, what, &sql::types(major))? {
            let type_oid = oid(&row, 0, what)?;
            let subtype: Option<u32> = cell(&row, 9, what)?;
            if let Some(multirange) = cell::<Option<u32>>(&row, 10, what)? {
                types.multiranges.insert(Oid(multirange), type_oid);
            }
            let kind: String = cell(&row, 3, what)?;
            let mut known_order: bool = cell(&row, 12, what)?;
            if let Some(collation) = cell::<Option<String>>(&row, 17, what)? {
                known_order &= match collations.entry(collation) {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(new) => {
                        let usual = has_letters_in_order(client, new.key())?;
                        *new.insert(usual)
                    }
                };
            }
            types.types.insert(
                type_oid,
                TypeRow {
                    name: TypeName {
                        schema: cell(&row, 1, what)?,
                        name: cell(&row, 2, what)?,
                        extension: cell(&row, 13, what)?,
                        labels: if kind == "e" { Some(labels(&row, what)?) } else { None },
                    },
                    kind,
                    base: oid(&row, 4, what)?,
                    layout: Layout {
                        len: cell(&row, 5, what)?,
                        align: alignment(cell(&row, 6, what)?)?,
                    },
                    element: oid(&row, 7, what)?,
                    relation: oid(&row, 8, what)?,
                    subtype: subtype.filter(|_| known_order).map(Oid),
                    printed: cell(&row, 11, what)?,
                    not_null: cell(&row, 16, what)?,
                },
            );
        }
        let what = "attributes of composite types";
        for row in rows(client, what, sql::TYPE_ATTRIBUTES)? {
            let dropped = cell(&row, 5, what)?;
            types.attributes.entry(oid(&row, 0, what)?).or_default().push(AttributeRow {
                name: cell(&row, 1, what)?,
                type_oid: oid(&row, 2, what)?,
                layout: Layout {
                    len: cell(&row, 3, what)?,
                    align: alignment(cell(&row, 4, what)?)?,
                },
                dropped,
                printed: if dropped { String::new() } else { cell(&row, 6, what)? },
            });
        }
        Ok(types)
    }

    /// A type's name.
    pub(super) fn name(&self, oid: Oid) -> Option<&TypeName> {
        self.types.get(&oid).map(|row| &row.name)
    }

    /// The base type, how its values are put together where they have parts, and the domains
    /// passed on the way, outermost first.
    pub(super) fn resolve(&self, oid: Oid) -> (Option<TypeName>, Structure, Vec<Oid>) {
        let mut domains = Vec::new();
        let structure = match self.structure(oid, &mut domains, 0) {
            // A column's own is known by its base type.
            Structure::Value(_) | Structure::Enum(_) => Structure::Unknown,
            structure => structure,
        };
        let base = self.base(oid, &mut Vec::new());
        (base.map(|(_, row)| row.name.clone()), structure, domains)
    }

    /// The first domain that allows no NULL, from a type down to what it is over.
    pub(super) fn not_null_domain(&self, oid: Oid) -> Option<String> {
        let mut passed = Vec::new();
        self.base(oid, &mut passed);
        let mut rows = passed.iter().filter_map(|domain| self.types.get(domain));
        rows.find(|row| row.not_null).map(|row| format!("{}.{}", row.name.schema, row.name.name))
    }

    /// What a type is over, if it is a domain, or else itself.
    fn base(&self, oid: Oid, domains: &mut Vec<Oid>) -> Option<(Oid, &TypeRow)> {
        let mut row = (oid, self.types.get(&oid)?);
        for _ in 0..MAX_DEPTH {
            let (oid, domain) = row;
            if domain.kind != "d" {
                break;
            }
            if !domains.contains(&oid) {
                domains.push(oid);
            }
            row = (domain.base, self.types.get(&domain.base)?);
        }
        Some(row)
    }

    fn structure(&self, oid: Oid, domains: &mut Vec<Oid>, depth: usize) -> Structure {
        let Some((oid, row)) = self.base(oid, domains).filter(|_| depth < MAX_DEPTH) else {
            return Structure::Unknown;
        };
        if let Some(value_type) = row.name.value_type() {
            let labels = row.name.labels.clone();
            return labels.map_or(Structure::Value(value_type), Structure::Enum);
        }
        match row.kind.as_str() {
            "b" if row.element != Oid(0) && row.layout.len == -1 => {
                match self.part(row.element, domains, depth) {
                    Some(element) => Structure::Array(Box::new(element)),
                    None => Structure::Unknown,
                }
            }
            "c" => {
                let attributes = self.attributes.get(&row.relation);
                let fields = attributes.into_iter().flatten().map(|attribute| Field {
                    name: attribute.name.clone(),
                    dropped: attribute.dropped,
                    part: Part {
                        structure: match attribute.dropped {
                            true => Structure::Unknown,
                            false => self.structure(attribute.type_oid, domains, depth + 1),
                        },
                        layout: attribute.layout,
                        type_name: attribute.printed.clone(),
                    },
                });
                let fields: Vec<Field> = fields.collect();
                if fields.is_empty() { Structure::Unknown } else { Structure::Composite(fields) }
            }
            "r" => match row.subtype.and_then(|subtype| self.part(subtype, domains, depth)) {
                Some(bound) => Structure::Range(Box::new(bound)),
                None => Structure::Unknown,
            },
            "m" => match self
                .multiranges
                .get(&oid)
                .map(|range| self.structure(*range, domains, depth + 1))
            {
                Some(Structure::Range(bound)) => Structure::Multirange(bound),
                _ => Structure::Unknown,
            },
            "b" => match (row.name.schema.as_str(), row.name.name.as_str()) {
                ("pg_catalog", "json") => Structure::Json,
                ("pg_catalog", "jsonb") => Structure::Jsonb,
                ("pg_catalog", "xml") => Structure::Xml,
                ("pg_catalog", "tsvector") => Structure::TsVector,
                ("pg_catalog", "tsquery") => Structure::TsQuery,
                (_, "hstore") if row.name.extension.as_deref() == Some("hstore") => {
                    Structure::Hstore
                }
                _ => Structure::Unknown,
            },
            _ => Structure::Unknown,
        }
    }

    fn part(&self, oid: Oid, domains: &mut Vec<Oid>, depth: usize) -> Option<Part> {
        let row = self.types.get(&oid)?;
        Some(Part {
            structure: self.structure(oid, domains, depth + 1),
            layout: row.layout,
            type_name: row.printed.clone(),
        })
    }
}
