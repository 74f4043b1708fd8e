//! What one database holds besides relations: indexes, constraints, derivations, statistics.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use postgres::Client;

use super::model::{CheckConstraint, Derivation, Domain, ExtendedStatistics, ForeignKey, Index};
use super::node_tree::{columns_in, expand_whole_row};
use super::sql;
use super::types::Types;
use super::value::{cell, oid, rows, sql_error};
use crate::error::Result;
use crate::ids::{Oid, PgMajor};

/// Live columns by relation.
type Attributes = BTreeMap<Oid, Vec<i16>>;

pub(super) fn indexes(
    client: &mut Client,
    major: PgMajor,
    attributes: &Attributes,
    parents: &BTreeMap<Oid, Vec<Oid>>,
) -> Result<Vec<Index>> {
    let mut indexes = Vec::new();
    let what = "indexes";
    for row in rows(client, what, &sql::indexes(major))? {
        let table = oid(&row, 1, what)?;
        let Some(all) = attributes.get(&table) else { continue };
        let index = oid(&row, 0, what)?;
        let key_count = usize::try_from(cell::<i16>(&row, 9, what)?).unwrap_or(0);
        let keys: Vec<i16> = cell(&row, 10, what)?;
        let user_columns = |keys: &[i16]| keys.iter().copied().filter(|&key| key > 0).collect();
        let (key_columns, include_columns) = keys.split_at(key_count.min(keys.len()));
        let in_tree =
            |tree: Option<&str>| expand_whole_row(tree.map(columns_in).unwrap_or_default(), all);
        let mut found = Index {
            oid: index,
            table,
            schema: cell(&row, 2, what)?,
            name: cell(&row, 3, what)?,
            access_method: cell(&row, 5, what)?,
            unique: cell(&row, 6, what)?,
            primary: cell(&row, 7, what)?,
            exclusion_operators: cell(&row, 15, what)?,
            valid: cell(&row, 8, what)?,
            partitioned: cell::<&str>(&row, 4, what)? == "I",
            parent: parents.get(&index).and_then(|parents| parents.first()).copied(),
            keys: key_columns.to_vec(),
            key_columns: user_columns(key_columns),
            include_columns: user_columns(include_columns),
            expression_columns: in_tree(cell(&row, 11, what)?),
            predicate_columns: in_tree(cell(&row, 12, what)?),
            predicate: cell(&row, 13, what)?,
            other_columns: BTreeSet::new(),
            nondeterministic_collation: cell(&row, 17, what)?,
            nulls_not_distinct: cell(&row, 18, what)?,
            definition: cell(&row, 14, what)?,
        };
        let known = found.columns();
        let depended: Option<Vec<i16>> = cell(&row, 16, what)?;
        found.other_columns =
            depended.unwrap_or_default().into_iter().filter(|c| !known.contains(c)).collect();
        indexes.push(found);
    }
    Ok(indexes)
}

pub(super) fn foreign_keys(
    client: &mut Client,
    attributes: &Attributes,
) -> Result<Vec<ForeignKey>> {
    let mut keys = Vec::new();
    let what = "foreign keys";
    for row in rows(client, what, sql::FOREIGN_KEYS)? {
        let table = oid(&row, 1, what)?;
        if attributes.contains_key(&table) {
            keys.push(ForeignKey {
                name: cell(&row, 0, what)?,
                table,
                columns: cell(&row, 2, what)?,
                referenced_table: oid(&row, 3, what)?,
                referenced_columns: cell(&row, 4, what)?,
                match_full: cell(&row, 5, what)?,
            });
        }
    }
    Ok(keys)
}

/// CHECK constraints of tables, and domains with theirs.
pub(super) fn checks(
    client: &mut Client,
    attributes: &Attributes,
    types: &Types,
) -> Result<(Vec<CheckConstraint>, BTreeMap<Oid, Domain>)> {
    let mut checks = Vec::new();
    let mut domains: BTreeMap<Oid, Domain> = BTreeMap::new();
    let what = "CHECK constraints";
    for row in rows(client, what, sql::CHECKS)? {
        let table = oid(&row, 1, what)?;
        let mut check = CheckConstraint {
            name: cell(&row, 0, what)?,
            table: None,
            columns: BTreeSet::new(),
            inherited: cell::<i32>(&row, 4, what)? > 0,
            expression: cell(&row, 5, what)?,
        };
        if let Some(all) = attributes.get(&table) {
            let mut columns: BTreeSet<i16> =
                cell::<Option<Vec<i16>>>(&row, 3, what)?.unwrap_or_default().into_iter().collect();
            columns
                .extend(cell::<Option<&str>>(&row, 6, what)?.map(columns_in).unwrap_or_default());
            check.table = Some(table);
            check.columns = expand_whole_row(columns, all);
            checks.push(check);
        } else if table == Oid(0) {
            let domain = oid(&row, 2, what)?;
            if let Some(name) = types.name(domain) {
                domains
                    .entry(domain)
                    .or_insert_with(|| Domain {
                        name: format!("{}.{}", name.schema, name.name),
                        checks: Vec::new(),
                    })
                    .checks
                    .push(check);
            }
        }
    }
    Ok((checks, domains))
}

pub(super) fn derivations(client: &mut Client, attributes: &Attributes) -> Result<Vec<Derivation>> {
    let mut derivations = Vec::new();
    let what = "views";
    for row in rows(client, what, sql::DERIVATIONS)? {
        let view = oid(&row, 0, what)?;
        if attributes.contains_key(&view) {
            let reads: Option<Vec<u32>> = cell(&row, 1, what)?;
            derivations.push(Derivation {
                view,
                reads: reads.unwrap_or_default().into_iter().map(Oid).collect(),
                opaque: cell::<Option<bool>>(&row, 2, what)?.unwrap_or(false),
            });
        }
    }
    Ok(derivations)
}

pub(super) fn statistics(
    client: &mut Client,
    major: PgMajor,
    attributes: &Attributes,
) -> Result<Vec<ExtendedStatistics>> {
    let mut statistics = Vec::new();
    let what = "extended statistics";
    for row in rows(client, what, &sql::statistics(major))? {
        let table = oid(&row, 1, what)?;
        let Some(all) = attributes.get(&table) else { continue };
        let mut columns: BTreeSet<i16> = cell::<Vec<i16>>(&row, 4, what)?.into_iter().collect();
        let tree: Option<&str> = cell(&row, 5, what)?;
        columns.extend(expand_whole_row(tree.map(columns_in).unwrap_or_default(), all));
        statistics.push(ExtendedStatistics {
            oid: oid(&row, 0, what)?,
            table,
            schema: cell(&row, 2, what)?,
            name: cell(&row, 3, what)?,
            columns,
        });
    }
    Ok(statistics)
}

/// How many there are, and the file that holds their bytes.
pub(super) fn large_objects(client: &mut Client) -> Result<(i64, Option<PathBuf>)> {
    let what = "large objects";
    let row = client.query_one(sql::LARGE_OBJECTS, &[]).map_err(|error| sql_error(what, &error))?;
    Ok((cell(&row, 0, what)?, cell::<Option<String>>(&row, 1, what)?.map(PathBuf::from)))
}
