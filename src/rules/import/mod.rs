//! Rules of other tools → a rule file to go on from.
//!
//! Other tools leave alone what they are not told about; here it is refused. So an imported file
//! is a start, and says of every line that has no equivalent what it was. Such a column stays
//! unlisted, which the planner refuses: nothing becomes readable by being imported.

mod greenmask;
#[cfg(feature = "sql")]
mod security_label;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::write::{head, key};
use super::{ColumnRule, Unlisted, UnlistedDatabases, rule_line, table_header};
use crate::error::{Error, Result};

/// Imports a file by its name: `.yaml` and `.yml` are greenmask's configuration, anything else is
/// SQL with SECURITY LABELs of PostgreSQL Anonymizer (which needs feature `sql`).
///
/// `database` is the database that the rules are for; these files seldom say.
///
/// # Errors
/// [`Error::Invalid`] if the text is not what its name says, or holds no rule.
pub fn import(file_name: &str, text: &str, database: &str) -> Result<String> {
    let lower = file_name.to_lowercase();
    if lower.ends_with(".yaml") || lower.ends_with(".yml") {
        return import_greenmask(text, database);
    }
    #[cfg(feature = "sql")]
    return import_security_labels(text, database);
    #[cfg(not(feature = "sql"))]
    Err(Error::invalid("reading SQL needs thinveil built with feature `sql`; YAML is read without"))
}

/// greenmask's YAML: `dump.transformation`, or the list under it alone.
///
/// # Errors
/// [`Error::Invalid`] if it is no YAML or holds no transformation.
pub fn import_greenmask(text: &str, database: &str) -> Result<String> {
    let mut found = Imported::default();
    greenmask::read(text, &mut found)?;
    found.into_text("greenmask", database)
}

/// `SECURITY LABEL FOR anon ON COLUMN …` in SQL: a script, or a dump made with `pg_dump`.
///
/// # Errors
/// [`Error::Invalid`] if the SQL does not parse or holds no label.
#[cfg(feature = "sql")]
pub fn import_security_labels(text: &str, database: &str) -> Result<String> {
    let mut found = Imported::default();
    security_label::read(text, &mut found)?;
    found.into_text("PostgreSQL Anonymizer", database)
}

/// What was found, by table and column.
#[derive(Debug, Default)]
struct Imported(BTreeMap<String, BTreeMap<String, Line>>);

#[derive(Debug)]
struct Line {
    /// `None` if there is no equivalent.
    rule: Option<ColumnRule>,
    comment: Option<String>,
}

impl Imported {
    fn rule(&mut self, table: &str, column: &str, rule: ColumnRule, comment: Option<String>) {
        self.add(table, column, Line { rule: Some(rule), comment });
    }

    fn nothing(&mut self, table: &str, column: &str, was: &str) {
        let comment = format!("{was} has no equivalent: unlisted until you write a rule");
        self.add(table, column, Line { rule: None, comment: Some(comment) });
    }

    /// The last rule for a column wins, as it does there.
    fn add(&mut self, table: &str, column: &str, line: Line) {
        self.0.entry(table.to_owned()).or_default().insert(column.to_owned(), line);
    }

    fn into_text(self, tool: &str, database: &str) -> Result<String> {
        if self.0.is_empty() {
            return Err(Error::invalid(format!("the file holds no rule of {tool}")));
        }
        let mut text = format!(
            "# Imported from {tool}. Columns that it did not name are not here; `thinveil rules \
             check`\n# lists them, with a line to paste for each.\n"
        );
        text.push_str(&head(Unlisted::Deny, UnlistedDatabases::Deny, &[]));
        for (table, columns) in self.0 {
            // Writing to a String can't fail.
            let _ = write!(text, "\n{}\n", table_header(database, &table));
            for (column, line) in columns {
                let comment = line.comment.map(|comment| comment.replace(char::is_control, " "));
                let _ = match (line.rule, comment) {
                    (Some(rule), None) => writeln!(text, "{}", rule_line(&column, &rule)),
                    (Some(rule), Some(comment)) => {
                        writeln!(text, "{}  # {comment}", rule_line(&column, &rule))
                    }
                    (None, comment) => {
                        writeln!(text, "# {}: {}", key(&column), comment.unwrap_or_default())
                    }
                };
            }
        }
        Ok(text)
    }
}

/// Days in an interval as people write it: `1 year 2 mons 10 days`. Times of day round up to one.
fn days_in(interval: &str) -> Option<u32> {
    let mut days = 0.0;
    let mut words = interval.split_whitespace();
    while let Some(number) = words.next() {
        // `30d` and `30 days` alike.
        let split = number.find(|c: char| c.is_alphabetic()).unwrap_or(number.len());
        let (number, attached) = number.split_at_checked(split)?;
        let unit = if attached.is_empty() { words.next()? } else { attached };
        let number: f64 = number.parse().ok()?;
        let unit = unit.to_lowercase();
        days += number
            * match unit.trim_end_matches('s') {
                "y" | "year" => 365.0,
                "mon" | "month" => 30.0,
                "w" | "week" => 7.0,
                "d" | "day" => 1.0,
                "h" | "hour" => 1.0 / 24.0,
                "m" | "min" | "minute" => 1.0 / 1440.0,
                _ => return None,
            };
    }
    let days = days.abs().ceil();
    // Checked to be in range, so that the cast is exact.
    (1.0..=36_525.0).contains(&days).then_some(days as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_days() {
        for (interval, days) in [
            ("30 days", Some(30)),
            ("1 year 2 mons 1 day", Some(426)),
            ("48h", Some(2)),
            ("10 minutes", Some(1)),
            ("soon", None),
            ("0 days", None),
            ("3 fortnights", None),
        ] {
            assert_eq!(days_in(interval), days, "{interval}");
        }
    }
}
