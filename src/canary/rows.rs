//! Canaries in rows, and in what derives from them.

use super::kit::SCHEMA;
use super::places::KEEPS_TOAST;
use super::plant::{Planter, joined};
use crate::error::Result;

impl Planter<'_> {
    /// A row that VACUUM took away: its bytes stay in the page's hole.
    pub(super) fn holes(&mut self) -> Result<()> {
        let kept = self.draw()?;
        self.insert("holes", &kept, "''")?;
        let removed = self.draw_known()?;
        let id = self.insert("holes", &removed, "''")?;
        self.run(&format!("DELETE FROM {SCHEMA}.holes WHERE id = {id}"))?;
        self.run(&format!("VACUUM (TRUNCATE off) {SCHEMA}.holes"))?;
        self.note("page_hole", Some("thinveil_canary.holes"), &removed)
    }

    /// Rows alive and dead, and what derives from them.
    pub(super) fn rows(&mut self) -> Result<()> {
        const ROWS: &str = "thinveil_canary.rows";
        let live = self.draw()?;
        self.insert("rows", &live, "''")?;
        self.note("live_row", Some(ROWS), &live)?;

        let updated = self.draw()?;
        let id = self.insert("rows", &updated, "''")?;
        let plain: Vec<_> =
            self.domains.columns().iter().map(|c| format!("{c} = 'a later value'")).collect();
        let plain = plain.join(", ");
        self.run(&format!("UPDATE {ROWS} SET {plain} WHERE id = {id}"))?;
        self.note("updated_row", Some(ROWS), &updated)?;

        let deleted = self.draw()?;
        let id = self.insert("rows", &deleted, "''")?;
        self.run(&format!("DELETE FROM {ROWS} WHERE id = {id}"))?;
        self.note("deleted_row", Some(ROWS), &deleted)?;

        self.run("BEGIN")?;
        let aborted = self.draw()?;
        self.insert("rows", &aborted, "''")?;
        self.run("ROLLBACK")?;
        self.note("aborted_row", Some(ROWS), &aborted)?;

        let dropped = self.draw_known()?;
        self.run(&format!("ALTER TABLE {ROWS} ADD gone text"))?;
        let text = joined(&dropped);
        self.run(&format!("UPDATE {ROWS} SET gone = '{text}'; ALTER TABLE {ROWS} DROP gone"))?;
        self.note("dropped_column", Some(ROWS), &dropped)?;

        // Rows written before take it from pg_attribute.
        let missing = self.draw_known()?;
        let text = joined(&missing);
        self.run(&format!(
            "ALTER TABLE {ROWS} ADD missing text DEFAULT '{text}';
             ALTER TABLE {ROWS} ALTER missing DROP DEFAULT"
        ))?;
        self.note("missing_value", Some("pg_attribute"), &missing)?;

        for kind in ["spgist", "btree", "expression", "include", "partial", "gin"] {
            for (column, canary) in self.domains.columns().iter().zip(&live) {
                let index = format!("{SCHEMA}.rows_{kind}_{column}");
                self.note(&format!("index_{kind}"), Some(&index), std::slice::from_ref(canary))?;
            }
        }
        self.run(&format!("CREATE MATERIALIZED VIEW {SCHEMA}.derived AS SELECT * FROM {ROWS}"))?;
        self.note("materialized_view", Some("thinveil_canary.derived"), &live)?;
        let unlogged = self.draw()?;
        self.insert("quick", &unlogged, "''")?;
        self.note("unlogged_table", Some("thinveil_canary.quick"), &unlogged)?;
        // A summary has the least and the greatest value: here there is one.
        for (column, canary) in self.domains.columns().iter().zip(&unlogged) {
            let index = format!("{SCHEMA}.quick_brin_{column}");
            self.run(&format!(
                "CREATE INDEX quick_brin_{column} ON {SCHEMA}.quick USING brin ({column})"
            ))?;
            self.note("index_brin", Some(&index), std::slice::from_ref(canary))?;
        }
        Ok(())
    }

    /// Values out of line, referred to and not.
    pub(super) fn toast(&mut self) -> Result<()> {
        const FILLER: &str = "repeat(' filler of this kit', 200)";
        let table: String = self.value(&format!(
            "SELECT reltoastrelid::regclass::text FROM pg_class
             WHERE oid = '{SCHEMA}.long'::regclass"
        ))?;
        let live = self.draw_known()?;
        self.insert("long", &live, FILLER)?;
        self.note("toast", Some(&table), &live)?;
        let orphaned = self.draw_known()?;
        let id = self.insert("long", &orphaned, FILLER)?;
        self.run(&format!("DELETE FROM {SCHEMA}.long WHERE id = {id}"))?;
        // The row goes, its chunks stay.
        if self.major.number() >= KEEPS_TOAST {
            self.run(&format!("VACUUM (TRUNCATE off, PROCESS_TOAST off) {SCHEMA}.long"))?;
        }
        self.note("deleted_toast", Some(&table), &orphaned)
    }

    /// Most common values, of now and of before.
    pub(super) fn statistics(&mut self) -> Result<()> {
        for name in ["dead_statistics", "statistics"] {
            let canaries = self.draw()?;
            let columns = self.domains.columns();
            let values: Vec<_> = canaries
                .iter()
                .map(|canary| format!(", (ARRAY['{canary}', 'b', 'c'])[1 + i % 3]"))
                .collect();
            self.run(&format!(
                "DELETE FROM {SCHEMA}.frequent;
                 INSERT INTO {SCHEMA}.frequent (id, {})
                 SELECT i % 3{} FROM generate_series(1, 300) AS i",
                columns.join(", "),
                values.concat()
            ))?;
            self.run(&format!("ANALYZE {SCHEMA}.frequent"))?;
            self.note(name, Some("pg_statistic"), &canaries)?;
            self.note(&format!("{name}_extended"), Some("pg_statistic_ext_data"), &canaries)?;
        }
        Ok(())
    }
}
