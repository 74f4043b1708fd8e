//! Materialized views that hold what masked tables held.

use std::collections::{BTreeMap, BTreeSet};

use super::assignment::Assignments;
use super::problems::Problems;
use super::scope::Scope;
use crate::cluster::catalog::{Derivation, Relation, RelationKind};
use crate::ids::Oid;
use crate::rules::{Unlisted, database_header};

/// Materialized views to refresh, each after those that it reads.
pub(super) fn check<'a>(
    scope: &Scope<'a>,
    assignments: &Assignments,
    problems: &mut Problems,
) -> Vec<&'a Relation> {
    let masked: BTreeSet<Oid> = assignments.masked().map(|(id, _)| id.relation).collect();
    let mut walk = Walk {
        scope,
        views: scope.database.derivations.iter().map(|view| (view.view, view)).collect(),
        masked: &masked,
        found: BTreeMap::new(),
        order: Vec::new(),
    };
    for relation in &scope.database.relations {
        if relation.kind == RelationKind::MaterializedView {
            walk.visit(relation.oid);
        }
    }
    let Walk { found, order, .. } = walk;
    let mut refreshed = Vec::new();
    for view in order {
        let reach = found.get(&view.oid).copied().unwrap_or_default();
        let mut refuse = |code, message: &str, remedy: String| {
            problems.push(scope.table_refusal(code, view, message, remedy));
        };
        let emptied = format!("REFRESH MATERIALIZED VIEW {} WITH NO DATA", view.quoted());
        if reach.masked && reach.foreign {
            refuse(
                "materialized_view_foreign",
                "the materialized view reads a masked and a foreign table: it can't be refreshed \
                 without reaching another server",
                format!("on the source, {emptied}"),
            );
        } else if reach.masked && reach.unpopulated {
            refuse(
                "materialized_view_unpopulated",
                "the materialized view reads one that has no data: it can't be refreshed, and what \
                 it holds comes from masked tables",
                format!("on the source, {emptied}, or refresh what it reads"),
            );
        } else if reach.masked {
            refreshed.push(view);
        } else if reach.foreign && scope.unlisted == Unlisted::Deny {
            refuse(
                "materialized_view_foreign",
                "the materialized view holds rows of a foreign table, which no rule can name",
                format!(
                    "on the source, {emptied}; or say that they may stay:\n{}\n\
                     unlisted = \"keep\"",
                    database_header(&scope.database.info.name)
                ),
            );
        }
    }
    refreshed
}

/// What lies below a view.
#[derive(Clone, Copy, Debug, Default)]
struct Reach {
    masked: bool,
    foreign: bool,
    /// A materialized view without data.
    unpopulated: bool,
}

struct Walk<'a, 'w> {
    scope: &'w Scope<'a>,
    views: BTreeMap<Oid, &'a Derivation>,
    masked: &'w BTreeSet<Oid>,
    found: BTreeMap<Oid, Reach>,
    order: Vec<&'a Relation>,
}

impl Walk<'_, '_> {
    fn visit(&mut self, oid: Oid) -> Reach {
        if let Some(&reach) = self.found.get(&oid) {
            return reach;
        }
        let relation = self.scope.relation(oid);
        let kind = relation.map(|relation| relation.kind);
        let mut reach = Reach {
            masked: self.masked.contains(&oid),
            foreign: kind == Some(RelationKind::ForeignTable),
            unpopulated: false,
        };
        // Stands before the visits below, so that a ring of views ends.
        self.found.insert(oid, reach);
        if let Some(&view) = self.views.get(&oid) {
            // A function may read any table.
            reach.masked |= view.opaque && !self.masked.is_empty();
            for &read in &view.reads {
                let below = self.visit(read);
                reach.masked |= below.masked;
                reach.foreign |= below.foreign;
                reach.unpopulated |= below.unpopulated;
            }
        }
        self.found.insert(oid, reach);
        if let Some(relation) = relation.filter(|r| r.kind == RelationKind::MaterializedView) {
            if relation.is_populated {
                self.order.push(relation);
            } else {
                // It holds nothing, and stays so; those above it can't be refreshed.
                reach.unpopulated = true;
                self.found.insert(oid, reach);
            }
        }
        reach
    }
}
