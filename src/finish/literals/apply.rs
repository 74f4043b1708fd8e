//! Code with masked literals goes back to where it came from.

use super::super::session::Session;
use crate::cluster::quote_literal;
use crate::cluster::server::PrivateServer;
use crate::error::{Error, Refusal, Result};
use crate::progress::Cancel;

/// A text of a catalog to be replaced.
pub(super) struct Edit {
    pub(super) catalog: String,
    pub(super) attribute: String,
    pub(super) key: String,
    pub(super) row: u32,
    pub(super) is_tree: bool,
    pub(super) text: String,
    /// Whose code it is, for messages.
    pub(super) object: String,
    /// Of an enumeration's label: the type, quoted, and the label that it has been.
    pub(super) label: Option<(String, String)>,
}

/// A tree is of a type that takes no text: for as long as it takes, there is a cast. A session
/// of its own has read none of the old code when the next one begins.
pub(super) fn apply(
    server: &PrivateServer,
    database: &str,
    edits: &[Edit],
    cancel: &Cancel,
) -> Result<()> {
    let mut session = Session::open(server, database, cancel)?;
    let action = "rewrite literals";
    session.run(action, "BEGIN; CREATE CAST (text AS pg_node_tree) WITHOUT FUNCTION")?;
    for edit in edits {
        let Edit { catalog, attribute, key, row, text, .. } = edit;
        if let Some((name, before)) = &edit.label {
            let (before, after) = (quote_literal(before), quote_literal(text));
            let rename = format!("ALTER TYPE {name} RENAME VALUE {before} TO {after}");
            session.run(&format!("rename a label of {}", edit.object), &rename)?;
            continue;
        }
        let cast = if edit.is_tree { "::pg_node_tree" } else { "" };
        let update = format!(
            "UPDATE pg_catalog.{catalog} SET {attribute} = $1::text{cast} WHERE {key} = $2"
        );
        session.execute(&format!("rewrite literals of {}", edit.object), &update, &[text, row])?;
    }
    session.run(action, "DROP CAST (text AS pg_node_tree); COMMIT")?;
    drop(session);
    let mut session = Session::open(server, database, cancel)?;
    for edit in edits {
        match edit.catalog.as_str() {
            "pg_index" => rebuild(&mut session, edit.row)?,
            "pg_constraint" => check(&mut session, database, edit)?,
            _ => {}
        }
    }
    Ok(())
}

/// Which rows it holds may be another question now. Those of partitions are indexes themselves.
fn rebuild(session: &mut Session, index: u32) -> Result<()> {
    let action = "find an index with a rewritten literal";
    let query = "SELECT oid::regclass::text FROM pg_class WHERE oid = $1 AND relkind = 'i'";
    for row in session.query(action, query, &[&index])? {
        let name: String = row.get(0);
        session.run(&format!("rebuild {name}"), &format!("REINDEX INDEX {name}"))?;
    }
    Ok(())
}

/// A constraint that PostgreSQL takes for valid has to be so for masked rows.
fn check(session: &mut Session, database: &str, edit: &Edit) -> Result<()> {
    let action = &format!("check rows against {}", edit.object);
    let query = "SELECT conrelid::regclass::text, pg_get_expr(conbin, conrelid)
                 FROM pg_constraint WHERE oid = $1 AND conrelid <> 0 AND convalidated";
    for row in session.query(action, query, &[&edit.row])? {
        let (table, expression): (String, String) = (row.get(0), row.get(1));
        session.run(action, "SET search_path = \"$user\", public")?;
        let broken = format!("SELECT FROM ONLY {table} WHERE NOT ({expression}) LIMIT 1");
        let broken = !session.query(action, &broken, &[])?.is_empty();
        session.run(action, "SET search_path = pg_catalog")?;
        if broken {
            let message = format!(
                "with its literals rewritten, {} is not true of the masked rows",
                edit.object
            );
            let remedy = "leave \"rewrite\" out, and keep or mask the column by rules that agree \
                          with it";
            let refusal = Refusal::new("literal_rewrite", message, remedy);
            return Err(Error::Refused(vec![refusal.database(database)]));
        }
    }
    Ok(())
}
