//! Rule files, and which columns they mask by the tests' own reading.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::cluster::Queries;
use super::sandbox::Sandbox;

const SHOP: &str = include_str!("../data/shop.toml");
const ARCHIVE: &str = include_str!("../data/archive.toml");

/// A rule file in a sandbox.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    text: String,
    path: PathBuf,
}

/// Columns of one table: name, type, whether masked. In the order of the table.
pub(crate) type MaskedColumns = Vec<Column>;

/// One column by the tests' own reading of the catalog and the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) masked: bool,
}

impl Rules {
    /// Writes `name` with this text.
    pub(crate) fn write(sandbox: &Sandbox, name: &str, text: &str) -> Rules {
        Rules { text: text.to_owned(), path: sandbox.file(name, text) }
    }

    /// Rules for one database: `version` and `unlisted` are put before it.
    pub(crate) fn for_tables(
        sandbox: &Sandbox,
        name: &str,
        database: &str,
        tables: &[(&str, &str)],
    ) -> Rules {
        let mut text = "version = 1\nunlisted = \"deny\"\n".to_owned();
        for (table, columns) in tables {
            text += &format!("\n[databases.{database}.tables.\"{table}\"]\n{columns}\n");
        }
        Rules::write(sandbox, name, &text)
    }

    /// Rules for the clusters of `Base::Shop`.
    pub(crate) fn shop(sandbox: &Sandbox) -> Rules {
        Rules::write(sandbox, "shop.toml", &Rules::shop_text())
    }

    /// Their text.
    pub(crate) fn shop_text() -> String {
        format!("{SHOP}{ARCHIVE}")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Tables of a database with their columns. A column is masked if its rule is not `keep`, or
    /// if it has none and follows a foreign key; a partition follows its root.
    pub(crate) fn columns(
        &self,
        raw: &impl Queries,
        database: &str,
    ) -> BTreeMap<String, MaskedColumns> {
        let rules: toml::Table = self.text.parse().expect("TOML");
        let rows = raw.rows(
            database,
            "SELECT n.nspname || '.' || c.relname, rn.nspname || '.' || r.relname, a.attname,
                    format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL)
             FROM pg_class AS c
             JOIN pg_namespace AS n ON n.oid = c.relnamespace
             JOIN pg_class AS r ON r.oid = coalesce(pg_partition_root(c.oid), c.oid)
             JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
             JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             JOIN pg_type AS t ON t.oid = a.atttypid
             WHERE c.relkind = 'r' AND c.oid >= 16384
             ORDER BY 1, a.attnum",
        );
        let mut tables = BTreeMap::<String, MaskedColumns>::new();
        for row in rows {
            let [table, root, name, type_name] =
                <[Option<String>; 4]>::try_from(row).expect("four columns").map(Option::unwrap);
            let rule = rules.get("databases").and_then(|databases| {
                databases.get(database)?.get("tables")?.get(&root)?.get(&name)
            });
            let masked = match rule {
                None => true,
                Some(toml::Value::String(mask)) => mask != "keep",
                Some(options) => options.get("mask").and_then(toml::Value::as_str) != Some("keep"),
            };
            tables.entry(table).or_default().push(Column { name, type_name, masked });
        }
        tables
    }
}

/// An identifier, quoted part by part.
pub(crate) fn quoted(name: &str) -> String {
    name.split('.').map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(".")
}
