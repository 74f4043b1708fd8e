//! Planner statistics: those of masked columns are removed and made anew from masked data; the
//! sizes that the planner knows of relations stay production's.

use super::session::Session;
use crate::cluster::quote_ident;
use crate::error::Result;
use crate::plan::{Action, DatabasePlan};

/// `relpages` and its like of every relation that keeps its file's layout.
pub(super) struct RelationSizes {
    oids: Vec<u32>,
    relpages: Vec<i32>,
    reltuples: Vec<f32>,
    relallvisible: Vec<i32>,
}

impl RelationSizes {
    /// Reads them before anything is rebuilt.
    pub(super) fn read(session: &mut Session, plan: &DatabasePlan) -> Result<RelationSizes> {
        let rebuilt: Vec<u32> = plan.indexes.iter().map(|index| index.oid.0).collect();
        let rows = session.query(
            "read the sizes of relations",
            "SELECT c.oid, c.relpages, c.reltuples, c.relallvisible
             FROM pg_class c
             WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 't', 'i', 'I')
               AND NOT c.oid = ANY ($1)
               AND NOT EXISTS (SELECT FROM pg_index i JOIN pg_class m ON m.oid = i.indrelid
                               WHERE i.indexrelid = c.oid AND m.relkind = 'm')",
            &[&rebuilt],
        )?;
        let mut sizes = RelationSizes {
            oids: Vec::new(),
            relpages: Vec::new(),
            reltuples: Vec::new(),
            relallvisible: Vec::new(),
        };
        for row in rows {
            sizes.oids.push(row.get(0));
            sizes.relpages.push(row.get(1));
            sizes.reltuples.push(row.get(2));
            sizes.relallvisible.push(row.get(3));
        }
        Ok(sizes)
    }

    /// Puts them back where `REINDEX` and `ANALYZE` changed them.
    pub(super) fn restore(&self, session: &mut Session) -> Result<()> {
        session.execute(
            "put back the sizes of relations",
            "UPDATE pg_class c
             SET relpages = s.relpages, reltuples = s.reltuples, relallvisible = s.relallvisible
             FROM unnest($1::oid[], $2::int4[], $3::float4[], $4::int4[])
                  AS s(oid, relpages, reltuples, relallvisible)
             WHERE c.oid = s.oid
               AND (c.relpages, c.reltuples, c.relallvisible)
                   IS DISTINCT FROM (s.relpages, s.reltuples, s.relallvisible)",
            &[&self.oids, &self.relpages, &self.reltuples, &self.relallvisible],
        )?;
        Ok(())
    }
}

/// A column whose statistics derive from masked values: a masked one, or one of a partitioned
/// table or inheritance parent over it.
struct MaskedColumn {
    relation: u32,
    attnum: i16,
    name: String,
    column: String,
    /// True if `ANALYZE` of a partitioned table above covers it.
    covered: bool,
    /// True if its table has statistics that only a whole `ANALYZE` makes.
    whole: bool,
}

const MASKED_COLUMNS: &str = "
    WITH RECURSIVE masked AS (
        SELECT a.attrelid AS relation, a.attname
        FROM unnest($1::oid[], $2::int2[]) AS m(relation, attnum)
        JOIN pg_attribute a ON a.attrelid = m.relation AND a.attnum = m.attnum
        UNION
        SELECT i.inhparent, m.attname
        FROM masked m JOIN pg_inherits i ON i.inhrelid = m.relation
    ), tree AS (
        SELECT relation AS member, relation AS root FROM masked
        UNION
        SELECT i.inhrelid, t.root FROM tree t JOIN pg_inherits i ON i.inhparent = t.member
    )
    SELECT a.attrelid, a.attnum, n.nspname::text, c.relname::text, a.attname::text,
           EXISTS (SELECT FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
                   WHERE i.inhrelid = c.oid AND p.relkind = 'p'),
           EXISTS (SELECT FROM tree t JOIN pg_index i ON i.indrelid = t.member
                   WHERE t.root = c.oid AND i.indexprs IS NOT NULL)
        OR EXISTS (SELECT FROM tree t JOIN pg_statistic_ext e ON e.stxrelid = t.member
                   WHERE t.root = c.oid)
    FROM masked m
    JOIN pg_attribute a ON a.attrelid = m.relation AND a.attname = m.attname
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT a.attisdropped
    ORDER BY n.nspname, c.relname, a.attnum";

/// Removes the statistics of masked columns, of rebuilt indexes and of refreshed views, and makes
/// them anew. Returns the number of tables analyzed.
pub(super) fn renew(session: &mut Session, plan: &DatabasePlan) -> Result<u64> {
    let columns = masked_columns(session, plan)?;
    let relations: Vec<u32> = columns.iter().map(|column| column.relation).collect();
    let attnums: Vec<i16> = columns.iter().map(|column| column.attnum).collect();
    let indexes: Vec<u32> = plan.indexes.iter().map(|index| index.oid.0).collect();
    let action = "remove statistics of masked columns";
    session.execute(
        action,
        "DELETE FROM pg_statistic s USING unnest($1::oid[], $2::int2[]) AS m(relation, attnum)
         WHERE s.starelid = m.relation AND s.staattnum = m.attnum",
        &[&relations, &attnums],
    )?;
    session.execute(
        action,
        "DELETE FROM pg_statistic
         WHERE starelid = ANY ($1)
            OR starelid IN (SELECT v::regclass FROM unnest($2::text[]) v)
            OR starelid IN (SELECT i.indexrelid FROM pg_index i
                            WHERE i.indrelid IN (SELECT v::regclass FROM unnest($2::text[]) v))",
        &[&indexes, &plan.materialized_views],
    )?;
    session.execute(
        action,
        "DELETE FROM pg_statistic_ext_data d USING pg_statistic_ext e
         WHERE d.stxoid = e.oid
           AND (e.stxrelid = ANY ($1)
                OR e.stxrelid IN (SELECT v::regclass FROM unnest($2::text[]) v))",
        &[&relations, &plan.materialized_views],
    )?;
    // Up to 14 each of these objects has its row from its creation on, and ANALYZE wants to find it.
    session.execute(
        action,
        "INSERT INTO pg_statistic_ext_data (stxoid)
         SELECT e.oid FROM pg_statistic_ext e
         WHERE (e.stxrelid = ANY ($1)
                OR e.stxrelid IN (SELECT v::regclass FROM unnest($2::text[]) v))
           AND NOT EXISTS (SELECT FROM pg_attribute
                           WHERE attrelid = 'pg_statistic_ext_data'::regclass
                             AND attname = 'stxdinherit')",
        &[&relations, &plan.materialized_views],
    )?;

    let mut analyzed = 0;
    for table in columns.chunk_by(|left, right| left.relation == right.relation) {
        let Some(first) = table.first().filter(|first| !first.covered) else { continue };
        let names: Vec<_> = table.iter().map(|column| quote_ident(&column.column)).collect();
        let list = if first.whole { String::new() } else { format!(" ({})", names.join(", ")) };
        session.run(
            &format!("make statistics of {}", first.name),
            &format!("ANALYZE {}{list}", first.name),
        )?;
        analyzed += 1;
    }
    for view in &plan.materialized_views {
        session.run(&format!("make statistics of {view}"), &format!("ANALYZE {view}"))?;
        analyzed += 1;
    }
    Ok(analyzed)
}

fn masked_columns(session: &mut Session, plan: &DatabasePlan) -> Result<Vec<MaskedColumn>> {
    let mut relations = Vec::new();
    let mut attnums = Vec::new();
    for relation in &plan.relations {
        for (attnum, attribute) in (1i16..).zip(&relation.attributes) {
            if matches!(attribute.action, Action::Mask(_)) {
                relations.push(relation.oid.0);
                attnums.push(attnum);
            }
        }
    }
    let rows = session.query("find masked columns", MASKED_COLUMNS, &[&relations, &attnums])?;
    let columns = rows.iter().map(|row| MaskedColumn {
        relation: row.get(0),
        attnum: row.get(1),
        name: format!(
            "{}.{}",
            quote_ident(row.get::<_, &str>(2)),
            quote_ident(row.get::<_, &str>(3))
        ),
        column: row.get(4),
        covered: row.get(5),
        whole: row.get(6),
    });
    Ok(columns.collect())
}
