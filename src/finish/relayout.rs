//! Tables whose stored generated columns are computed anew, where the rules allow it.
//!
//! The rewrite has zeroed what they held. An `UPDATE` of the columns that they are over computes
//! them from masked values; `VACUUM FULL` then writes the rows that are left into new files.

use super::session::Session;
use crate::cluster::quote_ident;
use crate::error::{Error, Refusal, Result};
use crate::plan::{DatabasePlan, RelationPlan, Relayout};

/// `check_violation`, `not_null_violation`: what computed values may break.
const VIOLATIONS: [&str; 2] = ["23514", "23502"];

/// Rebuilds the planned tables; returns their names.
pub(super) fn rebuild(session: &mut Session, plan: &DatabasePlan) -> Result<Vec<String>> {
    let mut rebuilt = Vec::new();
    for relation in &plan.relations {
        let Some(relayout) = &relation.relayout else { continue };
        // What functions in an expression were written against.
        session.run("prepare to compute", "SET search_path = \"$user\", public")?;
        let result = compute(session, relation, relayout);
        result.map_err(|error| refusal(error, plan, relation))?;
        session.run("go on", "SET search_path = pg_catalog")?;
        session.compact(&quoted(relation))?;
        rebuilt.push(format!("{}.{}.{}", plan.name, relation.schema, relation.name));
    }
    Ok(rebuilt)
}

/// Within the transaction the catalog says that there is nothing which would make an `UPDATE` do
/// more than compute: triggers and rules would fire, indexes would take old values for present
/// ones, and identity columns can't be named.
fn compute(session: &mut Session, relation: &RelationPlan, relayout: &Relayout) -> Result<()> {
    let name = quoted(relation);
    let sources = relayout.sources.iter().map(|column| quote_ident(column));
    let list: Vec<String> = sources.map(|column| format!("{column} = {column}")).collect();
    let oid = relation.oid.0;
    let action = &format!("compute generated columns of {name}");
    let column = |session: &mut Session, query: &str| -> Result<Vec<u32>> {
        Ok(session.query(action, query, &[&oid])?.iter().map(|row| row.get(0)).collect())
    };
    let ready =
        column(session, "SELECT indexrelid FROM pg_index WHERE indrelid = $1 AND indisready")?;
    let valid =
        column(session, "SELECT indexrelid FROM pg_index WHERE indrelid = $1 AND indisvalid")?;
    let triggers = column(session, "SELECT oid FROM pg_class WHERE oid = $1 AND relhastriggers")?;
    let rules = column(session, "SELECT oid FROM pg_class WHERE oid = $1 AND relhasrules")?;
    let always = column(
        session,
        "SELECT attnum::oid FROM pg_attribute WHERE attrelid = $1 AND attidentity = 'a'",
    )?;
    let switches = [
        (
            "UPDATE pg_index SET indisready = false WHERE indexrelid = ANY ($1)",
            "UPDATE pg_index SET indisready = true WHERE indexrelid = ANY ($1)",
            ready,
        ),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = ANY ($1)",
            "UPDATE pg_index SET indisvalid = true WHERE indexrelid = ANY ($1)",
            valid,
        ),
        (
            "UPDATE pg_class SET relhastriggers = false WHERE oid = ANY ($1)",
            "UPDATE pg_class SET relhastriggers = true WHERE oid = ANY ($1)",
            triggers,
        ),
        (
            "UPDATE pg_class SET relhasrules = false WHERE oid = ANY ($1)",
            "UPDATE pg_class SET relhasrules = true WHERE oid = ANY ($1)",
            rules,
        ),
    ];
    let identity = "UPDATE pg_attribute SET attidentity = $3::text::\"char\"
                    WHERE attrelid = $1 AND attnum::oid = ANY ($2)";
    session.run(action, "BEGIN")?;
    for (off, _, oids) in &switches {
        session.execute(action, off, &[oids])?;
    }
    session.execute(action, identity, &[&oid, &always, &""])?;
    session.run(action, &format!("UPDATE ONLY {name} SET {}", list.join(", ")))?;
    for (_, on, oids) in &switches {
        session.execute(action, on, &[oids])?;
    }
    session.execute(action, identity, &[&oid, &always, &"a"])?;
    session.run(action, "COMMIT")
}

fn refusal(error: Error, plan: &DatabasePlan, relation: &RelationPlan) -> Error {
    match error {
        Error::Sql { sqlstate, .. } if VIOLATIONS.contains(&sqlstate.as_str()) => {
            let refusal = Refusal::new(
                "constraint_violated",
                "a row with masked values and what is generated from them violates a CHECK or NOT \
                 NULL constraint",
                "keep the columns that the constraint is about, or give them another mask",
            );
            let table = format!("{}.{}", relation.schema, relation.name);
            Error::Refused(vec![refusal.database(&plan.name).table(table)])
        }
        error => error,
    }
}

fn quoted(relation: &RelationPlan) -> String {
    format!("{}.{}", quote_ident(&relation.schema), quote_ident(&relation.name))
}
