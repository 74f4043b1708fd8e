//! Checked assignments → the plan of one database.

use std::collections::BTreeSet;
use std::path::Path;

use super::assignment::Assignments;
use super::problems::Problems;
use super::scope::{ColumnId, Scope};
use super::structured::planned_mask;
use super::{
    Action, AttributePlan, ConditionPlan, DatabasePlan, IndexRef, MissingValuesPlan, RelationPlan,
    Relayout, StorageKind, SubjectPlan, context, when,
};
use crate::cluster::catalog::{Column, Relation, RelationKind};
use crate::ids::Oid;
use crate::rules::{LargeObjects, MaskName};

/// `LargeObjectRelationId`; `catalog/pg_largeobject.h`.
const PG_LARGEOBJECT: Oid = Oid(2613);

pub(super) fn build(
    scope: &Scope<'_>,
    assignments: &Assignments,
    materialized_views: &[&Relation],
    problems: &mut Problems,
) -> DatabasePlan {
    let mut relations: Vec<RelationPlan> = scope
        .tables()
        .filter(|relation| relation.kind == RelationKind::Table)
        .filter_map(|relation| relation_plan(scope, assignments, relation, problems))
        .collect();
    // Where there should be none, what is left of removed ones goes.
    let blanked = scope.large_objects != LargeObjects::Keep;
    let path = scope.database.pg_largeobject.as_ref().filter(|_| blanked);
    relations.extend(path.map(|path| large_objects(path)));
    let indexes = scope
        .database
        .indexes
        .iter()
        .filter(|index| !index.partitioned)
        .filter(|index| {
            let relation = scope.relation(index.table);
            relation.is_some_and(|relation| {
                let columns = scope.stored_columns(relation, &index.columns());
                columns.iter().any(|&attnum| assignments.is_masked(relation, attnum))
            })
        })
        .map(|index| IndexRef {
            oid: index.oid,
            schema: index.schema.clone(),
            name: index.name.clone(),
            table: index.table,
            unique: index.enforces(),
        })
        .collect();
    let accepted_columns = assignments
        .iter()
        .filter(|(_, assignment)| {
            matches!(assignment.mask, MaskName::Keep | MaskName::Shuffle)
                && assignment.accept_originals
        })
        .map(|(id, _)| scope.name(id))
        .collect();
    let missing_values = relations
        .iter()
        .flat_map(|relation| &relation.attributes)
        .any(|attribute| attribute.has_missing && matches!(attribute.action, Action::Mask(_)))
        .then(|| missing_values(scope))
        .flatten();
    DatabasePlan {
        missing_values,
        oid: scope.database.info.oid,
        name: scope.database.info.name.clone(),
        relations,
        indexes,
        materialized_views: materialized_views.iter().map(|view| view.quoted()).collect(),
        accepted_columns,
        columns: super::inventory::of(scope, assignments),
        quasi_identifiers: super::inventory::quasi_identifiers(scope, assignments, problems),
        objects: scope.rules.map(|rules| rules.objects.clone()).unwrap_or_default(),
        keep_comments: scope.rules.is_some_and(|rules| rules.keep_comments),
    }
}

fn missing_values(scope: &Scope<'_>) -> Option<MissingValuesPlan> {
    let table = &scope.database.pg_attribute;
    let index = |wanted: &str| table.columns.iter().position(|(name, ..)| name == wanted);
    Some(MissingValuesPlan {
        path: table.path.clone(),
        storage: table
            .columns
            .iter()
            .map(|(_, attlen, align)| StorageKind { attlen: *attlen, align: *align })
            .collect(),
        attrelid: index("attrelid")?,
        attnum: index("attnum")?,
        atthasmissing: index("atthasmissing")?,
        attmissingval: index("attmissingval")?,
    })
}

/// `catalog/pg_largeobject.h`; not known to have a TOAST table.
fn large_objects(path: &Path) -> RelationPlan {
    let attribute = |name: &str, attlen, action| AttributePlan {
        name: name.to_owned(),
        storage: StorageKind { attlen, align: 4 },
        action,
        has_missing: false,
        subject: None,
        persona: Vec::new(),
        condition: None,
    };
    RelationPlan {
        oid: PG_LARGEOBJECT,
        schema: "pg_catalog".to_owned(),
        name: "pg_largeobject".to_owned(),
        path: path.to_owned(),
        toast_path: None,
        attributes: vec![
            attribute("loid", 4, Action::Keep),
            attribute("pageno", 4, Action::Keep),
            attribute("data", -1, Action::Zero),
        ],
        relayout: None,
    }
}

/// `None` for a table that nothing happens to.
fn relation_plan(
    scope: &Scope<'_>,
    assignments: &Assignments,
    relation: &Relation,
    problems: &mut Problems,
) -> Option<RelationPlan> {
    let attributes: Vec<AttributePlan> = relation
        .columns
        .iter()
        .map(|column| AttributePlan {
            name: column.name.clone(),
            storage: StorageKind { attlen: column.attlen, align: column.align },
            action: action(scope, assignments, relation, column),
            has_missing: column.has_missing,
            subject: subject(scope, assignments, relation, column),
            persona: persona(assignments, relation, column),
            condition: condition(scope, assignments, relation, column),
        })
        .collect();
    if attributes.iter().all(|attribute| attribute.action == Action::Keep) {
        return None;
    }
    if relation.access_method.as_deref() != Some("heap") {
        problems.push(scope.table_refusal(
            "access_method",
            relation,
            format!(
                "the table is stored by access method {:?}; only heap pages can be rewritten, and \
                 it has masked or dropped columns",
                relation.access_method.as_deref().unwrap_or("none")
            ),
            "keep all of its columns, or ALTER TABLE … SET ACCESS METHOD heap on the source",
        ));
        return None;
    }
    Some(RelationPlan {
        oid: relation.oid,
        schema: relation.schema.clone(),
        name: relation.name.clone(),
        path: relation.path.clone()?,
        toast_path: relation.toast.as_ref().map(|toast| toast.path.clone()),
        attributes,
        relayout: relayout(scope, assignments, relation),
    })
}

/// Whatever is not allowed has been refused.
fn relayout(scope: &Scope<'_>, assignments: &Assignments, relation: &Relation) -> Option<Relayout> {
    let computed = scope.computed(assignments, relation);
    if computed.is_empty() {
        return None;
    }
    let generated = computed.iter().filter_map(|column| column.generated.as_ref());
    let sources: BTreeSet<i16> = generated
        .flat_map(|generated| &generated.columns)
        .copied()
        .filter(|&attnum| assignments.is_masked(relation, attnum))
        .collect();
    let names = sources.iter().filter_map(|&attnum| relation.attribute(attnum));
    Some(Relayout {
        sources: names.map(|column| column.name.clone()).collect(),
        computed: computed.iter().map(|column| column.attnum).collect(),
    })
}

fn subject(
    scope: &Scope<'_>,
    assignments: &Assignments,
    relation: &Relation,
    column: &Column,
) -> Option<SubjectPlan> {
    let id = ColumnId { relation: relation.oid, attnum: column.attnum };
    context::subject_plan(scope, relation, assignments.mask(id)?)
}

fn persona(assignments: &Assignments, relation: &Relation, column: &Column) -> Vec<usize> {
    let id = ColumnId { relation: relation.oid, attnum: column.attnum };
    let names = assignments.mask(id).into_iter().flat_map(|assignment| &assignment.persona);
    let columns = names.filter_map(|name| relation.column(name));
    columns.filter_map(|column| usize::try_from(column.attnum - 1).ok()).collect()
}

fn condition(
    scope: &Scope<'_>,
    assignments: &Assignments,
    relation: &Relation,
    column: &Column,
) -> Option<Box<ConditionPlan>> {
    let id = ColumnId { relation: relation.oid, attnum: column.attnum };
    let plan = when::condition_plan(scope, relation, column, assignments.mask(id)?)?;
    Some(Box::new(plan))
}

fn action(
    scope: &Scope<'_>,
    assignments: &Assignments,
    relation: &Relation,
    column: &Column,
) -> Action {
    let computed = scope.computed(assignments, relation);
    if column.dropped || computed.iter().any(|computed| computed.attnum == column.attnum) {
        return Action::Zero;
    }
    let id = ColumnId { relation: relation.oid, attnum: column.attnum };
    // A masked column whose type and mask don't go together has been refused.
    assignments
        .mask(id)
        .and_then(|assignment| planned_mask(scope, column, assignment))
        .map_or(Action::Keep, |mask| Action::Mask(Box::new(mask)))
}
