//! A table's masks: rules by column name, bound to a schema when a stream comes.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::ffi_stream::RecordBatchStreamReader;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, RecordBatchReader};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use rayon::prelude::*;
use thinveil::datum::{Encoding, EnumLabels};
use thinveil::mask::{Mask, MaskKey, MaskSpec, suited_masks, supports};
use thinveil::rules::{
    ColumnRule, MaskName, RuleSet, TableRules, Unlisted, did_you_mean, rule_line,
};
use thinveil::{Error, Refusal};

use super::array;
use super::types::stored_types;
use crate::engine::Engine;
use crate::failure::{Failure, Result};

/// What a `tv_table` stands for.
pub(crate) struct TableMask {
    name: Option<(String, String)>,
    rules: TableRules,
    unlisted: Unlisted,
    key: Arc<MaskKey>,
    /// Masks that were set by themselves.
    set: Mutex<BTreeMap<String, Arc<Engine>>>,
}

impl TableMask {
    /// The rules of a database's table, or those of the only table that there is.
    pub(crate) fn new(
        rules: &RuleSet,
        names: Option<(&str, &str)>,
        key: Arc<MaskKey>,
    ) -> Result<TableMask> {
        let mut tables = rules.databases.iter().flat_map(|(database, section)| {
            section.tables.iter().map(move |(table, columns)| (database, table, columns))
        });
        let found = match names {
            Some((database, table)) => {
                tables.find(|it| (it.0.as_str(), it.1.as_str()) == (database, table))
            }
            None => tables.next().filter(|_| tables.next().is_none()),
        };
        let Some((database, table, columns)) = found else {
            return Err(match names {
                Some((database, table)) => {
                    let name = format!("{database}, {table}");
                    Error::NotFound { what: "table in the rules", name }.into()
                }
                None => Failure::argument("the rules have not one table; which one is it?"),
            });
        };
        Ok(TableMask {
            name: names.map(|_| (database.clone(), table.clone())),
            rules: columns.clone(),
            unlisted: rules.unlisted_in(database),
            key,
            set: Mutex::default(),
        })
    }

    /// Gives a column a mask of its own.
    pub(crate) fn set(&self, column: &str, mask: Arc<Engine>) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        set.insert(column.to_owned(), mask);
    }

    /// A mask for each column; `None` for those that stay. Refuses with every reason at once.
    fn bind(&self, schema: &SchemaRef) -> Result<Vec<Option<Arc<Engine>>>> {
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut problems = Vec::new();
        for missing in self.rules.keys().chain(set.keys()) {
            if !names.contains(&missing.as_str()) {
                let remedy = did_you_mean(missing, names.iter().copied());
                problems.push(self.refusal(
                    "unknown_column",
                    missing,
                    "there is no such column",
                    remedy,
                ));
            }
        }
        let mut masks = Vec::with_capacity(names.len());
        for field in schema.fields() {
            let (name, data_type) = (field.name(), field.data_type());
            if let Some(mask) = set.get(name) {
                if !stored_types(data_type).contains(&mask.value_type()) {
                    let what = format!("a mask on {:?} is not for {data_type}", mask.value_type());
                    let remedy = "a mask for its type";
                    problems.push(self.refusal("mask_type_mismatch", name, what, remedy));
                }
                masks.push(Some(Arc::clone(mask)));
                continue;
            }
            match (self.rules.get(name), self.unlisted) {
                (Some(rule), _)
                    if rule.mask == MaskName::Keep
                        && rule.parts.is_none()
                        && rule.when.is_none() =>
                {
                    masks.push(None);
                }
                (Some(rule), _) => match self.compile(name, rule, data_type) {
                    Ok(mask) => masks.push(mask.map(Arc::new)),
                    Err(refusal) => problems.push(*refusal),
                },
                (None, Unlisted::Keep) => masks.push(None),
                (None, Unlisted::Deny) => {
                    let what = format!("no rule names this column of type {data_type}");
                    let keep = rule_line(name, &ColumnRule::new(MaskName::Keep));
                    problems.push(self.refusal("unlisted_column", name, what, keep));
                }
            }
        }
        if problems.is_empty() { Ok(masks) } else { Err(Error::Refused(problems).into()) }
    }

    /// The mask that a rule asks for; none for a column of nulls alone.
    fn compile(
        &self,
        name: &str,
        rule: &ColumnRule,
        data_type: &DataType,
    ) -> Result<Option<Engine>, Box<Refusal>> {
        let refusal = |code, what: String, remedy| Box::new(self.refusal(code, name, what, remedy));
        if *data_type == DataType::Null {
            return Ok(None);
        }
        if rule.subject.is_some() || rule.when.is_some() || !rule.persona.is_empty() {
            let what = "the rule looks at the rest of the row, which only PostgreSQL's pages have";
            let remedy = "a rule without subject, persona and when".to_owned();
            return Err(refusal("mask_options", what.to_owned(), remedy));
        }
        let types = stored_types(data_type);
        let Some(&first) = types.first() else {
            let what = format!("no mask is for an Arrow column of type {data_type}");
            let remedy = "cast it to a type that has masks, or keep it";
            return Err(refusal("unsupported_type", what, remedy.to_owned()));
        };
        if rule.parts.is_some() {
            let what = "rules for parts are for PostgreSQL's own types".to_owned();
            return Err(refusal(
                "mask_type_mismatch",
                what,
                "a mask for the whole value".to_owned(),
            ));
        }
        if rule.subject.is_some() {
            let what =
                "a mask by subject looks at another column, which it does only in PostgreSQL";
            return Err(refusal("mask_options", what.to_owned(), "leave subject out".to_owned()));
        }
        if rule.mask == MaskName::Null {
            let what = "mask null is for columns of a snapshot: here every value gets another one";
            let remedy = "drop the column, or set it to null, in the data frame";
            return Err(refusal("mask_type_mismatch", what.to_owned(), remedy.to_owned()));
        }
        let Some(&value_type) = types.iter().find(|&&it| supports(rule.mask, it)) else {
            let suited: Vec<&str> = suited_masks(first).iter().map(|mask| mask.as_str()).collect();
            let what = format!("mask {} is not defined on {data_type}", rule.mask);
            return Err(refusal(
                "mask_type_mismatch",
                what,
                format!("one of {}", suited.join(", ")),
            ));
        };
        let spec = MaskSpec {
            mask: rule.mask,
            domain: rule.domain().to_owned(),
            value_type,
            encoding: Encoding::default(),
            options: rule.options.clone(),
            labels: EnumLabels::default(),
        };
        let mask = Mask::compile(&spec, &self.key).map_err(|error| {
            refusal("mask_options", error.to_string(), "options that go with the type".to_owned())
        })?;
        Ok(Some(Engine::Built(mask)))
    }

    fn refusal(
        &self,
        code: &'static str,
        column: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Refusal {
        let refusal = Refusal::new(code, what, remedy).column(column);
        match &self.name {
            Some((database, table)) => refusal.database(database).table(table),
            None => refusal,
        }
    }
}

/// Masks record batches as they are asked for, a column on each thread.
pub(super) struct MaskedReader {
    reader: RecordBatchStreamReader,
    masks: Vec<Option<Arc<Engine>>>,
}

impl MaskedReader {
    pub(super) fn new(table: &TableMask, reader: RecordBatchStreamReader) -> Result<MaskedReader> {
        let masks = table.bind(&reader.schema())?;
        Ok(MaskedReader { reader, masks })
    }

    fn mask(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = batch.schema();
        let columns = batch.columns().par_iter().zip(&self.masks).enumerate();
        let columns: Vec<ArrayRef> = columns
            .map(|(number, (column, mask))| {
                let Some(mask) = mask else { return Ok(Arc::clone(column)) };
                let named = |failure: Failure| {
                    let name = schema.fields().get(number).map_or("", |field| field.name());
                    failure.in_column(name)
                };
                column.to_data().validate_full().map_err(super::broken).map_err(named)?;
                array::mask(mask, column).map_err(named)
            })
            .collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(schema, columns, &options).map_err(super::broken)
    }
}

impl Iterator for MaskedReader {
    type Item = std::result::Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        // The stream's callbacks are C functions: nothing may unwind out of them.
        let next = catch_unwind(AssertUnwindSafe(|| {
            let batch = self.reader.next()?;
            Some(batch.and_then(|batch| {
                self.mask(&batch).map_err(|failure| ArrowError::ComputeError(failure.message()))
            }))
        }));
        next.unwrap_or_else(|_| {
            let what = "a defect of thinveil; please report this";
            Some(Err(ArrowError::ComputeError(what.to_owned())))
        })
    }
}

impl RecordBatchReader for MaskedReader {
    fn schema(&self) -> SchemaRef {
        self.reader.schema()
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::{Field, Schema};

    use super::*;

    /// A frame's column has a value for every value; `null` is for columns of a snapshot.
    #[test]
    fn mask_null_is_refused_with_what_to_do_instead() {
        let rules = "version = 1\n[databases.d.tables.\"s.t\"]\nname = \"null\"\n";
        let rules = RuleSet::from_toml(rules).unwrap();
        let key = Arc::new(MaskKey::from_bytes([9; 32]));
        let table = TableMask::new(&rules, None, key).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("name", DataType::Utf8, true)]));
        let refusal = *table.compile("name", &table.rules["name"], &DataType::Utf8).err().unwrap();
        assert_eq!(refusal.code, "mask_type_mismatch");
        assert!(refusal.message.contains("mask null") && refusal.remedy.contains("data frame"));
        assert!(table.bind(&schema).is_err());
    }
}
