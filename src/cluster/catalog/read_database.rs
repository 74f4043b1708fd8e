//! What one database holds: relations and their columns.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;

use super::model::{CatalogTable, Database, DatabaseInfo};
use super::node_tree::{columns_in, expand_whole_row};
use super::read_cluster::server_major;
use super::relation::{
    Collation, Column, Generated, MissingValue, PartitionKey, Persistence, Relation, RelationKind,
    Toast,
};
use super::types::Types;
use super::value::{cell, oid, rows, sql_error};
use super::{read_objects, sql};
use crate::datum::Structure;
use crate::error::{Error, Result};
use crate::ids::Oid;

/// Reads what a database holds. `client` is connected to it, as a superuser. Reads catalogs alone.
pub fn read_database(client: &mut Client, info: &DatabaseInfo) -> Result<Database> {
    // Names in the texts that PostgreSQL makes (types, definitions) come out qualified.
    client
        .batch_execute("SET search_path = ''; SET datestyle = 'ISO'; SET timezone = 'UTC'")
        .map_err(|error| sql_error("the session's settings", &error))?;
    let major = server_major(client)?;
    let types = Types::read(client, major)?;
    let mut columns = read_columns(client, &types)?;
    let parents = read_parents(client)?;
    let mut partition_keys = read_partition_keys(client)?;

    let mut relations = Vec::new();
    let what = "relations";
    for row in rows(client, what, &sql::relations())? {
        let relation = oid(&row, 0, what)?;
        let toast_path: Option<String> = cell(&row, 8, what)?;
        let path: Option<String> = cell(&row, 6, what)?;
        relations.push(Relation {
            oid: relation,
            schema: cell(&row, 1, what)?,
            name: cell(&row, 2, what)?,
            kind: relation_kind(cell(&row, 3, what)?)?,
            persistence: match cell(&row, 4, what)? {
                "u" => Persistence::Unlogged,
                _ => Persistence::Permanent,
            },
            access_method: cell(&row, 5, what)?,
            path: path.map(Into::into),
            toast: match toast_path {
                Some(path) => Some(Toast { oid: oid(&row, 7, what)?, path: path.into() }),
                None => None,
            },
            columns: columns.remove(&relation).unwrap_or_default(),
            parents: parents.get(&relation).cloned().unwrap_or_default(),
            is_partition: cell(&row, 9, what)?,
            partition_key: partition_keys.remove(&relation),
            is_populated: cell(&row, 10, what)?,
            estimated_rows: cell(&row, 11, what)?,
            extension: cell(&row, 12, what)?,
        });
    }

    let attributes: BTreeMap<Oid, Vec<i16>> = relations
        .iter()
        .map(|relation| (relation.oid, relation.live_columns().map(|c| c.attnum).collect()))
        .collect();
    let (checks, domains) = read_objects::checks(client, &attributes, &types)?;
    let (large_objects, pg_largeobject) = read_objects::large_objects(client)?;
    Ok(Database {
        info: info.clone(),
        indexes: read_objects::indexes(client, major, &attributes, &parents)?,
        foreign_keys: read_objects::foreign_keys(client, &attributes)?,
        checks,
        domains,
        derivations: read_objects::derivations(client, &attributes)?,
        statistics: read_objects::statistics(client, major, &attributes)?,
        code: super::code::names(client, major)?,
        large_objects,
        pg_largeobject,
        pg_attribute: read_pg_attribute(client)?,
        relations,
    })
}

fn read_pg_attribute(client: &mut Client) -> Result<CatalogTable> {
    let what = "the layout of pg_attribute";
    let mut table = CatalogTable::default();
    for row in rows(client, what, sql::PG_ATTRIBUTE)? {
        table.path = cell::<String>(&row, 0, what)?.into();
        let align = alignment(cell(&row, 3, what)?)?;
        table.columns.push((cell(&row, 1, what)?, cell(&row, 2, what)?, align));
    }
    Ok(table)
}

/// `attalign` in bytes.
pub(super) fn alignment(attalign: &str) -> Result<u8> {
    Ok(match attalign {
        "c" => 1,
        "s" => 2,
        "i" => 4,
        "d" => 8,
        other => return Err(Error::invalid(format!("unknown alignment {other:?}"))),
    })
}

fn relation_kind(relkind: &str) -> Result<RelationKind> {
    Ok(match relkind {
        "r" => RelationKind::Table,
        "p" => RelationKind::PartitionedTable,
        "m" => RelationKind::MaterializedView,
        "v" => RelationKind::View,
        "f" => RelationKind::ForeignTable,
        "S" => RelationKind::Sequence,
        other => return Err(Error::invalid(format!("unknown kind of relation {other:?}"))),
    })
}

fn read_columns(client: &mut Client, types: &Types) -> Result<BTreeMap<Oid, Vec<Column>>> {
    let mut columns: BTreeMap<Oid, Vec<Column>> = BTreeMap::new();
    let what = "columns";
    let mut trees: BTreeMap<(Oid, i16), BTreeSet<i16>> = BTreeMap::new();
    for row in rows(client, what, &sql::columns())? {
        let relation = oid(&row, 0, what)?;
        let attnum: i16 = cell(&row, 1, what)?;
        let dropped: bool = cell(&row, 3, what)?;
        let generated: &str = cell(&row, 10, what)?;
        if let Some(tree) = cell::<Option<&str>>(&row, 12, what)? {
            let mut over = columns_in(tree);
            over.extend(cell::<Option<Vec<i16>>>(&row, 13, what)?.unwrap_or_default());
            trees.insert((relation, attnum), over);
        }
        let type_oid = oid(&row, 6, what)?;
        let (base_type, structure, domains) = match dropped {
            true => (None, Structure::Unknown, Vec::new()),
            false => types.resolve(type_oid),
        };
        columns.entry(relation).or_default().push(Column {
            attnum,
            name: cell(&row, 2, what)?,
            dropped,
            attlen: cell(&row, 4, what)?,
            align: alignment(cell(&row, 5, what)?)?,
            base_type,
            structure,
            domains,
            declared_type: cell(&row, 7, what)?,
            not_null: cell(&row, 8, what)?,
            not_null_domain: types.not_null_domain(type_oid).filter(|_| !dropped),
            is_identity: !cell::<&str>(&row, 9, what)?.is_empty(),
            generated: match generated {
                "" => None,
                kind => Some(Generated { stored: kind == "s", columns: BTreeSet::new() }),
            },
            has_missing: cell(&row, 11, what)?,
            collation: match (cell(&row, 14, what)?, cell(&row, 15, what)?) {
                (true, _) => Collation::Bytewise,
                (_, true) => Collation::Nondeterministic,
                _ => Collation::Deterministic,
            },
            missing: cell::<Option<String>>(&row, 16, what)?.map(MissingValue),
        });
    }
    for (relation, columns) in &mut columns {
        let all: Vec<i16> = columns.iter().filter(|c| !c.dropped).map(|c| c.attnum).collect();
        for column in columns {
            let over = trees.remove(&(*relation, column.attnum));
            if let (Some(generated), Some(over)) = (&mut column.generated, over) {
                generated.columns = expand_whole_row(over, &all);
                generated.columns.remove(&column.attnum);
            }
        }
    }
    Ok(columns)
}

fn read_parents(client: &mut Client) -> Result<BTreeMap<Oid, Vec<Oid>>> {
    let mut parents: BTreeMap<Oid, Vec<Oid>> = BTreeMap::new();
    let what = "inheritance";
    for row in rows(client, what, sql::INHERITANCE)? {
        parents.entry(oid(&row, 0, what)?).or_default().push(oid(&row, 1, what)?);
    }
    Ok(parents)
}

fn read_partition_keys(client: &mut Client) -> Result<BTreeMap<Oid, PartitionKey>> {
    let mut keys = BTreeMap::new();
    let what = "partition keys";
    for row in rows(client, what, sql::PARTITION_KEYS)? {
        let mut columns: BTreeSet<i16> =
            cell::<Vec<i16>>(&row, 1, what)?.into_iter().filter(|&attnum| attnum > 0).collect();
        columns.extend(cell::<Option<Vec<i16>>>(&row, 3, what)?.unwrap_or_default());
        if let Some(tree) = cell::<Option<&str>>(&row, 4, what)? {
            columns.extend(columns_in(tree).into_iter().filter(|&attnum| attnum > 0));
        }
        keys.insert(
            oid(&row, 0, what)?,
            PartitionKey { columns, definition: cell(&row, 2, what)? },
        );
    }
    Ok(keys)
}
