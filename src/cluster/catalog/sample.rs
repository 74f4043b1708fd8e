//! Catalogs that no server has, for tests.

use std::collections::{BTreeMap, BTreeSet};

use super::model::*;
use super::relation::*;
use crate::ids::{Oid, PgMajor};

/// A database under construction. Tables are found by `schema.name`, columns by name.
pub(crate) struct Sample(pub(crate) Database);

impl Sample {
    pub(crate) fn new(name: &str) -> Sample {
        Sample(Database {
            info: DatabaseInfo {
                oid: Oid(16_384),
                name: name.to_owned(),
                encoding: "UTF8".to_owned(),
                allows_connections: true,
                is_template: false,
            },
            relations: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            domains: BTreeMap::new(),
            derivations: Vec::new(),
            statistics: Vec::new(),
            code: Default::default(),
            large_objects: 0,
            pg_largeobject: None,
            pg_attribute: super::model::CatalogTable::default(),
        })
    }

    fn next_oid(&self) -> Oid {
        let database = &self.0;
        let count = database.relations.len() + database.indexes.len() + database.domains.len();
        Oid(20_000 + u32::try_from(count).unwrap())
    }

    /// Adds `schema.name` with columns like `id int8`; types by `typname`.
    pub(crate) fn relation(
        &mut self,
        kind: RelationKind,
        name: &str,
        columns: &[&str],
    ) -> &mut Relation {
        let oid = self.next_oid();
        let (schema, name) = name.split_once('.').unwrap();
        let columns = columns.iter().zip(1..).map(|(column, attnum)| {
            let (name, typname) = column.split_once(' ').unwrap();
            Column {
                attnum,
                name: name.to_owned(),
                dropped: false,
                attlen: -1,
                align: 4,
                base_type: Some(TypeName {
                    schema: "pg_catalog".to_owned(),
                    name: typname.to_owned(),
                    ..TypeName::default()
                }),
                structure: crate::datum::Structure::Unknown,
                domains: Vec::new(),
                declared_type: typname.to_owned(),
                not_null: false,
                not_null_domain: None,
                is_identity: false,
                generated: None,
                has_missing: false,
                collation: Collation::Deterministic,
                missing: None,
            }
        });
        self.0.relations.push(Relation {
            oid,
            schema: schema.to_owned(),
            name: name.to_owned(),
            kind,
            persistence: Persistence::Permanent,
            access_method: Some("heap".to_owned()),
            path: Some(format!("base/16384/{oid}").into()),
            toast: None,
            columns: columns.collect(),
            parents: Vec::new(),
            is_partition: false,
            partition_key: None,
            is_populated: true,
            estimated_rows: -1.0,
            extension: None,
        });
        self.0.relations.last_mut().unwrap()
    }

    pub(crate) fn table(&mut self, name: &str, columns: &[&str]) -> &mut Relation {
        self.relation(RelationKind::Table, name, columns)
    }

    pub(crate) fn oid(&self, name: &str) -> Oid {
        self.0.relations.iter().find(|r| r.full_name() == name).unwrap().oid
    }

    /// `schema.table` and column names → the table and its `attnum`s.
    fn attnums(&self, table: &str, columns: &[&str]) -> (Oid, Vec<i16>) {
        let relation = self.0.relations.iter().find(|r| r.full_name() == table).unwrap();
        let attnums = columns.iter().map(|name| relation.column(name).unwrap().attnum);
        (relation.oid, attnums.collect())
    }

    pub(crate) fn child(&mut self, name: &str, parent: &str, columns: &[&str]) -> &mut Relation {
        let parent = self.oid(parent);
        let child = self.table(name, columns);
        child.parents.push(parent);
        child
    }

    pub(crate) fn foreign_key(&mut self, from: &str, columns: &[&str], to: &str, on: &[&str]) {
        let (table, columns) = self.attnums(from, columns);
        let (referenced_table, referenced_columns) = self.attnums(to, on);
        let name = format!("fk{}", self.0.foreign_keys.len());
        let match_full = false;
        let key =
            ForeignKey { name, table, columns, referenced_table, referenced_columns, match_full };
        self.0.foreign_keys.push(key);
    }

    pub(crate) fn unique(&mut self, table: &str, columns: &[&str]) -> &mut Index {
        let (oid, columns) = self.attnums(table, columns);
        let index = self.next_oid();
        self.0.indexes.push(Index {
            oid: index,
            table: oid,
            schema: "public".to_owned(),
            name: format!("unique{}", self.0.indexes.len()),
            access_method: "btree".to_owned(),
            unique: true,
            primary: false,
            exclusion_operators: None,
            valid: true,
            partitioned: false,
            parent: None,
            keys: columns.clone(),
            key_columns: columns.into_iter().collect(),
            include_columns: BTreeSet::new(),
            expression_columns: BTreeSet::new(),
            predicate_columns: BTreeSet::new(),
            predicate: None,
            other_columns: BTreeSet::new(),
            nondeterministic_collation: false,
            nulls_not_distinct: false,
            definition: String::new(),
        });
        self.0.indexes.last_mut().unwrap()
    }

    pub(crate) fn check(&mut self, table: &str, columns: &[&str], expression: &str) {
        let (oid, columns) = self.attnums(table, columns);
        self.0.checks.push(CheckConstraint {
            name: format!("check{}", self.0.checks.len()),
            table: Some(oid),
            columns: columns.into_iter().collect(),
            inherited: false,
            expression: expression.to_owned(),
        });
    }

    pub(crate) fn view(&mut self, kind: RelationKind, name: &str, reads: &[&str]) -> &mut Relation {
        let reads = reads.iter().map(|name| self.oid(name)).collect();
        let view = self.next_oid();
        self.0.derivations.push(Derivation { view, reads, opaque: false });
        self.relation(kind, name, &["a text"])
    }

    pub(crate) fn catalog(self) -> Catalog {
        let mut closed = self.0.info.clone();
        closed.oid = Oid(4);
        closed.name = "template0".to_owned();
        closed.allows_connections = false;
        closed.is_template = true;
        Catalog {
            cluster: ClusterInfo {
                major: PgMajor::new(15).unwrap(),
                databases: vec![self.0.info.clone(), closed],
                tablespaces: Vec::new(),
                roles: Vec::new(),
            },
            databases: vec![self.0],
        }
    }
}
